from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner, Result

from mockserver.config.grammar import SETTINGS, Pair, layer_of
from mockserver.config.options import click_options
from mockserver.settings import Call, Settings

GIVEN: list[Pair] = []


@click.command()
@click.option("--port", type=int, default=0)
@click_options()
def command(port: int, pairs: list[Pair]) -> None:
    """Stand in for the server."""
    GIVEN[:] = pairs
    click.echo(f"port {port}")


def run(*arguments: str) -> Result:
    GIVEN.clear()
    return CliRunner().invoke(command, arguments)


def test_options_become_pairs() -> None:
    result = run(
        *("--rate", "50", "--port", "8080", "--call", "find", "--call", "auto", "--early-start", "--no-echo"),
        *("--prefill-rate=100", "--say", ""),
    )
    assert (result.exit_code, result.output) == (0, "port 8080\n")
    assert sorted(GIVEN) == sorted(
        [
            *(("say", ""), ("echo", "false"), ("call", "find"), ("call", "auto"), ("rate", "50")),
            *(("prefill-rate", "100"), ("early-start", "true")),
        ]
    )
    assert layer_of(GIVEN, "command").on(Settings()) == Settings(
        said="", calls=(Call("find"), Call()), rate=50.0, prefill_rate=100.0, early_start=True
    )


def test_options_that_are_not_given_are_no_pairs() -> None:
    assert run().exit_code == 0
    assert GIVEN == []


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_is_an_option_with_its_help(key: str) -> None:
    text = re.sub(r"\s+", " ", run("--help").output)
    assert (f"--{key} " in text) == ("command" in SETTINGS[key].scopes)
    if "command" in SETTINGS[key].scopes:
        assert SETTINGS[key].summary[:30] in text
        assert f"--{key} {SETTINGS[key].takes}".rstrip() in text


def test_the_help_names_what_may_be_repeated_and_the_defaults() -> None:
    text = re.sub(r"\s+", " ", run("--help").output)
    assert "--echo / --no-echo" in text
    assert "--no-words" not in text
    assert text.count("May be repeated.") == 3
    assert "From the request's arrival to the first token. [default: 0]" in text


def test_an_unknown_option_is_a_usage_error() -> None:
    result = run("--rat", "5")
    assert result.exit_code == 2
    assert "--rate" in result.output
