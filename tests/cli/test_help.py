"""What a new user reads first: `--help` and `--version` of every command."""

from __future__ import annotations

import functools
import importlib.metadata
import re

import pytest

from streamkit.cli.group import COMMANDS as NAMES
from tests.cli.harness import COMMANDS, FILTERS, FRAMINGS, Filter, Result, run

SERVERS = (("mockserver",), ("mockserver", "record"))

every_command = pytest.mark.parametrize("command", [("streamkit",), *COMMANDS, *SERVERS], ids=" ".join)
every_filter = pytest.mark.parametrize("command", FILTERS, ids=" ".join)
every_own = pytest.mark.parametrize("command", [*COMMANDS, *SERVERS], ids=" ".join)


@functools.cache
def help_of(command: tuple[str, ...]) -> Result:
    return run(*command, "--help", env={"COLUMNS": "200", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"})


@every_command
def test_help(command: tuple[str, ...]) -> None:
    result = help_of(command)
    assert (result.code, result.err) == (0, "")
    text = result.out.decode("ascii")
    assert text.startswith("Usage: " + " ".join(command))
    assert max(map(len, text.splitlines())) <= 100


@every_own
def test_help_has_an_example(command: tuple[str, ...]) -> None:
    text = help_of(command).out.decode()
    assert re.search(r"(?i)\bexamples?:", text)
    assert re.search(rf"^ .*{re.escape(' '.join(command))}", text, re.MULTILINE), "no example of the command itself"


@every_command
def test_help_names_the_exit_codes(command: tuple[str, ...]) -> None:
    text = help_of(command).out.decode()
    after = re.search(r"(?is)\bexit (status|code).*", text)
    assert after is not None
    # These read no stream that could be undecodable, and have a code for their negative verdict instead.
    own = "1" if {"contract", "bench"} & {*command} else "3"
    assert {"0", own, "2", "4", "130", "141"} <= set(re.findall(r"\d+", after[0]))


SERVING = (
    *("speaks", "model-map", "listen", "half-close", "tls-cert", "tls-key", "upstream-ca", "api-key-env"),
    *("upstream-key-env", "allow-host", "cors", "log", "ready-json", "connect-timeout", "head-timeout", "idle-timeout"),
    *("max-body-bytes", "max-head-bytes", "max-connections", "max-streams", "stream-buffer-bytes", "stream-grace"),
    "drain-timeout",
)

OPTIONS = {
    "ndjson-to-sse": ["event", "event-field", "id-field", "done", "retry", "keepalive", "skip-bad", "max-record-bytes"],
    "sse-to-ndjson": ["envelope", "done", "on-text", "skip-bad", "flush-partial", "require-done", "max-event-bytes"],
    "rechunk": ["size", "random", "every-byte", "lines", "events", "hostile", "coalesce", "seed", "gap"],
    "convert": ["from", "to", "strict", "report-loss", "model", "id", "include-usage", "max-record-bytes"],
    "text": ["from", "strict", "reasoning", "max-record-bytes"],
    "collect": ["from", "to", "strict", "model", "id", "max-bytes", "max-record-bytes"],
    "dialects": ["json"],
    "chat": [
        *("dialect", "model", "system", "max-tokens", "temperature", "reasoning", "json", "record", "timing", "header"),
        *(
            "api-key-env",
            "upstream-ca",
            "connect-timeout",
            "first-token-timeout",
            "idle-timeout",
            "timeout",
            "transport",
        ),
    ],
    "inspect": [
        *("framing", "json", "exchange", "prompt", "data", "method", "dialect", "model", "header", "api-key-env"),
        *("upstream-ca", "connect-timeout", "timeout", "max-record-bytes"),
    ],
    "gateway": ["upstream", "watch", "insecure-public", *SERVING],
    "watch": ["upstream", "mock", "seed", *SERVING],
    "mock": [
        *(
            "host",
            "port",
            "seed",
            "scenarios",
            "clock",
            "slots",
            "model",
            "journal",
            "replay",
            "speed",
            "tls",
            "tls-ca",
        ),
        *(
            "ready-json",
            "log",
            "say",
            "text",
            "rate",
            "ttft",
            "gaps",
            "split",
            "chunks",
            "framing",
            "fault",
            "gate",
            "retry",
        ),
    ],
    "contract": [
        *("target", "upstream", "advertise", "upstream-tls", "upstream-ca", "target-ca", "insecure", "with", "profile"),
        *("client-dialect", "upstream-dialect", "model", "header", "path", "run", "skip", "slow", "strict", "limit"),
        *("max-time", "seed", "json", "html", "junit", "publish", "product", "product-version", "config"),
        *("expected-failures", "fuzz", "script", "list"),
    ],
    "bench": [
        *("direct", "proxy", "upstream", "dialect", "model", "header", "api-key-env", "server-ca", "prompt", "prompts"),
        *("input-tokens", "same-prompt", "max-tokens", "concurrency", "rate", "trace", "requests", "duration", "until"),
        *("warmup", "slo", "connect-timeout", "first-token-timeout", "idle-timeout", "timeout", "workers"),
        *("calibration", "max-tool-error", "strict", "seed", "json", "html", "hlog", "raw"),
    ],
    "compare": ["fail-if", "json"],
    "matrix": ["with", "profile", "run", "skip", "slow", "strict", "limit", "seed", "json", "html"],
    "record": ["upstream", "cassette", "host", "port", "ready-json"],
}


@every_own
def test_help_explains_every_option(command: tuple[str, ...]) -> None:
    """Each is named, followed by words."""
    text = help_of(command).out.decode()
    for option in [*OPTIONS[command[-1].replace("mockserver", "mock")], "help"]:
        assert re.search(rf"^ +(-\w, )?--{option}\b.*(\n +)?.*[a-z]{{3}}", text, re.MULTILINE), option


@every_filter
def test_help_names_the_file(command: tuple[str, ...]) -> None:
    assert "[FILE]" in help_of(command).out.decode()


@pytest.mark.parametrize(("name", "under"), [*((name, name) for name in FRAMINGS), ("mockserver", "mock")])
def test_the_same_help_under_both_names(name: str, under: str) -> None:
    """A command of its own and the one under `streamkit` are one command."""
    own, under = (help_of(command).out.decode() for command in ((name,), ("streamkit", under)))
    flags = re.compile(r"^ +(--[a-z-]+)", re.MULTILINE)
    assert set(flags.findall(own)) - {"--version"} == set(flags.findall(under)) - {"--version"}


def test_streamkit_lists_its_commands() -> None:
    text = help_of(("streamkit",)).out.decode()
    for name in NAMES:
        assert re.search(rf"^ +{name} +\w.*[^.][.]$", text, re.MULTILINE), f"{name}: its first sentence is too long"
    assert {command[1] for command in COMMANDS if command[0] == "streamkit"} == set(NAMES)


@pytest.mark.parametrize("command", ["streamkit", "ndjson-to-sse", "sse-to-ndjson", "mockserver"])
def test_version(command: str) -> None:
    result = run(command, "--version")
    assert (result.code, result.err) == (0, "")
    assert importlib.metadata.version("streamkit") in result.out.decode().split()[-1]


def test_unknown_command() -> None:
    result = run("streamkit", "ndjson-to-see")
    assert (result.code, result.out) == (2, b"")
    assert "ndjson-to-see" in result.err


def test_no_command() -> None:
    result = run("streamkit")
    assert result.code in (0, 2)
    assert "ndjson-to-sse" in result.out.decode() + result.err


def test_help_into_a_full_device() -> None:
    """Even this output can fail, and then says so in one line: not with the interpreter's last words."""
    result = run("ndjson-to-sse", "--help", via='"$@" >/dev/full')
    assert result.code == 4, result.err
    assert result.complaint.startswith("ndjson-to-sse: ")


@pytest.mark.parametrize("command", ["ndjson-to-sse", "streamkit"])
def test_help_into_a_closed_pipe(command: str) -> None:
    with Filter(command, "--help") as process:
        process.stop_reading()
        result = process.wait()
    assert (result.code, result.err) == (141, "")


def test_help_without_stdout() -> None:
    """`--help >&-`: nothing can be shown, and nothing must break."""
    result = run("ndjson-to-sse", "--help", via='"$@" >&-')
    assert result.code in (0, 4)
