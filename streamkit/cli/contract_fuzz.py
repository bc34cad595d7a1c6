"""`streamkit contract --fuzz` and `--script`: look for a stream that a proxy breaks, and play one."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from streamkit.cli.contract_setting import bound_of
from streamkit.cli.edge import IO_FAILED, say
from streamkit.cli.reports import read_file
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from mockserver.script import Script
    from streamkit.contract.runner import Runner
    from streamkit.contract.verdicts import Verdict

__all__ = ["fuzzed"]

NEGATIVE: Final = 1

REPEATED: Final = {
    "with_": "--with",
    "target": "--target",
    "upstream": "--upstream",
    "advertise": "--advertise",
    "upstream_tls": "--upstream-tls",
    "upstream_ca": "--upstream-ca",
    "target_ca": "--target-ca",
    "insecure": "--insecure",
    "profile": "--profile",
    "client_dialect": "--client-dialect",
    "upstream_dialect": "--upstream-dialect",
    "model": "--model",
    "path": "--path",
}
"""Options that a command which repeats something has to have, too. Of headers only the names are shown."""

DEFAULTS: Final = {"client_dialect": "openai-chat"}
"""Values that need not be said."""

EVERY: Final = 50


async def fuzzed(runner: Runner, options: Mapping[str, Any]) -> Callable[[], int]:
    """Draw, or play what is given; return what prints what was found, and returns the exit code.

    Raises:
        ConfigError: the script cannot be read, or Hypothesis is not installed.
    """
    return await _play(runner, options) if options["script"] else await _draw(runner, options)


async def _play(runner: Runner, options: Mapping[str, Any]) -> Callable[[], int]:
    from mockserver.scripted import read_script
    from streamkit.contract.playing import script_case
    from streamkit.contract.report.text import plain_line

    path = options["script"]
    script = read_script(read_file(path, "--script"), f"--script {path}")
    check_answers(script, f"--script {path}")
    results = await runner.run([script_case(script, runner.setting)])
    is_told = results[-1].id == "script"
    return lambda: _told(map(plain_line, results), _code(results[-1].verdict) if is_told else IO_FAILED)


def check_answers(script: Script, name: str) -> None:
    """Refuse a script that is no response, of which nothing could be held against what a client gets.

    Raises:
        ConfigError: it is none; the text says why.
    """
    from streamkit.contract.expectation import expectation_of

    expected = expectation_of(script.actions, keep_alive=script.keep_alive)
    if expected.head is None:
        why = expected.problem or "it ends before there is one"
        raise ConfigError(f"{name} writes no final response's head: {why}; no client could be given it")


def _told(lines: Iterable[str], code: int) -> int:
    for line in lines:
        click.echo(line)
    return code


async def _draw(runner: Runner, options: Mapping[str, Any]) -> Callable[[], int]:
    from streamkit.contract.fuzz import fuzz
    from streamkit.contract.report.text import plain_line
    from streamkit.contract.verdicts import Verdict

    shows = os.isatty(2)

    def tried(count: int) -> None:
        if shows and count % EVERY == 0:
            say(f"{count} streams")

    setup = [each for each in await runner.run([]) if each.verdict is not Verdict.OK]
    if setup:
        return lambda: _told(map(plain_line, setup), IO_FAILED)
    asked = options["fuzz"]
    found = await fuzz(runner, asked, tried, within_s=bound_of(options))
    result, script, seed = found.result, found.script, runner.setting.seed
    if result is None:
        over = f", and the time was over before {asked} were played (--max-time)" if found.is_over else ""
        line = f"OK  fuzz  {found.tried} streams came through as they were sent, seed {seed}{over}"
        return lambda: _told([line], 0)
    if script is None:
        return lambda: _told([plain_line(result)], IO_FAILED)
    lines = [
        plain_line(result),
        f"\nStream {found.tried} of seed {seed} breaks, and so does this one, which was made of it: {found.how}.",
        "This repeats it:\n",
        repeating(script, options),
        *opening(script),
    ]
    return lambda: _told(lines, NEGATIVE)


def opening(script: Script) -> list[str]:
    """Return what to do with a script besides, and with the gates in it."""
    from mockserver.script import Gate

    told = ["With the same text on its standard input `mockserver --script -` answers any request so."]
    names = sorted({action.name for action in script.actions if isinstance(action, Gate)})
    if not names:
        return told
    url = "http://localhost:8765/_mock/gates"
    how = " and ".join(f"`curl -X POST {url}/{name}/open`" for name in names)
    return [*told, f"It stops at each gate until that is opened: {how}."]


def _code(verdict: Verdict) -> int:
    return {"FAILED": NEGATIVE, "HARNESS-ERROR": IO_FAILED}.get(verdict, 0)


def repeating(script: Script, options: Mapping[str, Any]) -> str:
    """Return the command that plays a script again, with the script in it."""
    from mockserver.scripted import written_script
    from streamkit.contract.setting import DEFAULT_LIMIT_S

    words = ["streamkit", "contract"]
    for name, option in REPEATED.items():
        value = options.get(name)
        if value is True:
            words.append(option)
        elif value and value != DEFAULTS.get(name):
            words += [option, str(value)]
    if (limit_s := options.get("limit_s")) and limit_s != DEFAULT_LIMIT_S:
        words += ["--limit", f"{limit_s:g}s"]
    command = f"{shlex.join(words)} --script -"
    headers = "".join(f" --header {shlex.quote(name)}={_asked_for(name)}" for name, _ in options["headers"])
    return f"{command}{headers} <<'END'\n{written_script(script)}END\n"


def _asked_for(name: str) -> str:
    """Return what a shell puts a header's value in for, and stops at where nobody has said it."""
    return f'"${{{re.sub("[^A-Z0-9]", "_", name.upper())}:?is what the header {name} is to be}}"'
