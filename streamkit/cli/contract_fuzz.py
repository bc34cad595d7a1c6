"""`streamkit contract --fuzz` and `--script`: look for a stream that a proxy breaks, and play one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from streamkit.cli.contract_run import read_file
from streamkit.cli.edge import IO_FAILED, say

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
    "target_ca": "--target-ca",
    "profile": "--profile",
    "client_dialect": "--client-dialect",
    "upstream_dialect": "--upstream-dialect",
    "model": "--model",
    "path": "--path",
}
"""Options that a command which repeats something has to have, too. Headers are not shown: they may be secrets."""

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
    results = await runner.run([script_case(script, runner.setting)])
    is_told = results[-1].id == "script"
    return lambda: _told(map(plain_line, results), _code(results[-1].verdict) if is_told else IO_FAILED)


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
    found = await fuzz(runner, options["fuzz"], tried)
    result, script, seed = found.result, found.script, runner.setting.seed
    if result is None:
        line = f"OK  fuzz  {found.tried} streams came through as they were sent, seed {seed}"
        return lambda: _told([line], 0)
    if script is None:
        return lambda: _told([plain_line(result)], IO_FAILED)
    lines = [
        plain_line(result),
        f"\nThe smallest stream that breaks, of {found.tried} with seed {seed}. This repeats it:\n",
        repeating(script, options),
        "With the same text on its standard input `mockserver --script -` answers any request so.",
    ]
    return lambda: _told(lines, NEGATIVE)


def _code(verdict: Verdict) -> int:
    return {"OK": 0, "HARNESS-ERROR": IO_FAILED}.get(verdict, NEGATIVE)


def repeating(script: Script, options: Mapping[str, Any]) -> str:
    """Return the command that plays a script again, with the script in it."""
    from mockserver.scripted import written_script

    words = ["streamkit", "contract"]
    for name, option in REPEATED.items():
        default = "openai-chat" if name == "client_dialect" else None
        if options[name] and options[name] != default:
            words += [option, str(options[name])]
    command = f"{shlex.join(words)} --script -"
    headers = "".join(f" --header {name}=..." for name, _ in options["headers"])
    return f"{command}{headers} <<'END'\n{written_script(script)}END\n"
