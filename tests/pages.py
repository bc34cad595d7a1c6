"""Pages of documentation, run: every block of code does what its page says it does.

The conventions, for whoever writes the page:

- `sh` (or `bash`) is a script for `bash -euo pipefail`, `python` a whole script, `console` shows commands after `$ `
  and, below each, what it prints.
- A `text` block below a script is exactly what the script prints, standard error included.
- All blocks run in the order of the page, in one empty directory, so a later block finds the files of an earlier one.
- Commands at the start of a script that set up the environment (`python3 -m venv`, `. .venv/bin/activate`,
  `pip install`, `git clone`, `cd`) are left out: the tests run in one that is set up, and `.venv` is a link to it.
- The block that only sets up and runs pytest is this very run; instead of being run, its words are compared with CI's.
- A mark directly above a block says what else is done with it: `<!-- not run: why -->` nothing, `<!-- file: NAME -->`
  it is written to a file, `<!-- server: localhost:8765 -->` it is a command that serves there, until another one does
  or the page ends. It gets a free port (`--port 0 --ready-json`, gateways `--listen 127.0.0.1:0`), which is put in
  the place of the address.
- A block that uses `curl` is skipped, by name, where there is none.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import IO, Self

__all__ = ["ROOT", "SHELL", "Block", "Page", "blocks_of", "blocks_to_run"]

ROOT = Path(__file__).parent.parent

SHELL = ("sh", "bash")
RUN = (*SHELL, "console", "python")
SHOWN = ("text", "json", "toml", "yaml", "js")

TOOLS = ("curl",)
MARK = re.compile(r"<!-- (not run|file|server): (.+) -->")
STARTING_S = 20

LISTENING = ("streamkit gateway ", "streamkit watch ")
"""How the commands begin that take an address in place of a port."""

SETUP = re.compile(
    r"""(?: \s | \#.*\n )*                                              # after empty lines and comments,
    (?P<command>
      (?: (?:\S*/)?python3? \s -m \s venv | (?:(?:\S*/)?python3? \s -m \s)? (?:\S*/)?pip \s install
        | \. | source | git \s clone | cd ) \s                          # a command that only sets something up
      (?: \\\n | [^\n&] )*
    )
    (?: && (?: [ \t]* \\?\n )? | \n | $ )                               # and what joins it to the next""",
    re.VERBOSE,
)


@dataclass
class Block:
    """One fenced block: its language, text, the line it starts at, its mark, and what it prints."""

    language: str
    text: str
    line: int
    mark: str = ""
    marked: str = ""
    output: str | None = None

    @property
    def tools(self) -> list[str]:
        """The commands that it needs, and that not every machine has."""
        return [tool for tool in TOOLS if self.language in SHELL and re.search(rf"\b{tool} ", self.text)]

    @property
    def can_run(self) -> bool:
        return all(map(shutil.which, self.tools))

    def setup(self) -> tuple[list[str], str]:
        """The commands that set up the environment, and the rest of the script."""
        commands, rest = [], self.text
        while match := SETUP.match(rest):
            commands.append(match["command"].strip())
            rest = rest[match.end() :]
        return commands, rest

    @property
    def is_test_run(self) -> bool:
        return self.language in SHELL and re.fullmatch(r"\s*(\S*/)?python3? -m pytest\s*", self.setup()[1]) is not None

    def steps(self) -> list[tuple[list[str], str | None]]:
        """What to run, one command line each, with what it must print (None: whatever it likes)."""
        if self.language == "python":
            return [([sys.executable, "-W", "error", "-c", self.text], self.output)]
        if self.language in SHELL:
            return [(bash(self.setup()[1]), self.output)]
        commands = re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", self.text, re.MULTILINE)
        return [(bash(command.replace("\n> ", "\n")), output) for command, output in commands]


def bash(script: str) -> list[str]:
    return ["bash", "-euo", "pipefail", "-c", script]


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page, each with its mark and its output.

    Raises:
        ValueError: a mark stands above no block, or a block's language is none that this file knows.
    """
    blocks: list[Block] = []
    fence, indent = "", 0
    mark: re.Match[str] | None = None
    for number, line in enumerate(page.splitlines(), 1):
        bare = line.strip()
        if fence:
            if bare == fence:
                fence = ""
            else:
                blocks[-1].text += line[min(indent, len(line) - len(line.lstrip())) :] + "\n"
        elif opening := re.match(r"(`{3,})(\w*)$", bare):
            fence, indent = opening[1], len(line) - len(line.lstrip())
            if opening[2] not in (*RUN, *SHOWN):
                raise ValueError(f"line {number}: {opening[2] or 'no'} language: say {', '.join((*RUN, *SHOWN))}")
            blocks.append(Block(opening[2], "", number, *(mark.groups() if mark else ())))
            mark = None
        elif found := MARK.fullmatch(bare):
            mark = found
        elif bare and mark:
            raise ValueError(f"line {number}: a mark {mark[1]!r} has to stand directly above its block")
    for script, shown in pairwise(blocks):
        if shown.language == "text" and script.language in (*SHELL, "python"):
            script.output = shown.text
    return blocks


def blocks_to_run(page: str) -> list[Block]:
    return [block for block in blocks_of(page) if block.mark in {"file", "server"} or is_run(block)]


def is_run(block: Block) -> bool:
    return block.language in RUN and not block.mark and not block.is_test_run


class Page:
    """A page's blocks and the directory they run in. To run one block is to run first what stands above it, once.

    Leave it as a context manager, which stops the servers.
    """

    def __init__(self, text: str, directory: Path) -> None:
        self.blocks = blocks_to_run(text)
        self.directory = directory
        self._done = 0
        self._servers: dict[str, Server] = {}
        (directory / ".venv").symlink_to(sys.prefix)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for server in self._servers.values():
            server.stop()

    def run(self, block: Block) -> None:
        """Run `block`; an AssertionError says what is wrong with it."""
        wanted = self.blocks.index(block)
        for earlier in self.blocks[self._done : wanted]:
            self._done += 1
            if earlier.can_run:
                self._run(earlier)
        self._done = max(self._done, wanted + 1)
        self._run(block)

    def _run(self, block: Block) -> None:
        assert "-m pytest" not in block.text, "it would run itself: mark it 'not run'"
        if block.mark == "file":
            (self.directory / block.marked).write_text(self._addressed(block.text), encoding="utf-8")
            return
        if block.mark == "server":
            if block.marked in self._servers:
                self._servers.pop(block.marked).stop()
            self._servers[block.marked] = Server(self._addressed(block.setup()[1]), self.directory, environment())
            return
        steps = block.steps()
        assert steps, "nothing to run"
        for command, output in steps:
            run = subprocess.run(
                [self._addressed(word) for word in command],
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            printed = run.stdout.decode()
            assert run.returncode == 0, f"exit {run.returncode}:\n{printed}"
            if output is not None:
                assert printed == output, f"it prints:\n{printed}\nand not:\n{output}"

    def _addressed(self, text: str) -> str:
        """Return the text with the addresses where the servers really are."""
        for address, server in self._servers.items():
            text = text.replace(address, server.address)
        return text


class Server:
    """A server of a page, on a port of its own.

    Attributes:
        address: where it listens.
    """

    def __init__(self, command: str, directory: Path, environment: dict[str, str]) -> None:
        command = f"{command.strip()} "
        where = "--listen 127.0.0.1:0" if command.startswith(LISTENING) else "--port 0"
        self._process = subprocess.Popen(
            bash(f"exec {command} {where} --ready-json"),
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._process.stdout is not None
        self._out: IO[bytes] = self._process.stdout
        patience = Timer(STARTING_S, self._process.kill)
        patience.start()
        first = self._out.readline()
        patience.cancel()
        if not first.startswith(b"{"):
            rest = self._out.read().decode()
            self.stop()
            raise AssertionError(f"the server does not start:\n{first.decode()}{rest}")
        self.address = str(json.loads(first)["url"]).partition("://")[2]

    def stop(self) -> None:
        """Stop it as a user does, and wait."""
        with self._process, self._out:
            self._process.terminate()


def environment() -> dict[str, str]:
    """What the blocks find around them: the commands and packages of this environment."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(ROOT),
    }
