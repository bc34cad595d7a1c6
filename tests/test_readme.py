"""The README, run: every block of code does what the page says it does.

The conventions, for whoever writes the page:

- `sh` (or `bash`) is a script for `bash -euo pipefail`, `python` a whole script, `console` shows commands after `$ `
  and, below each, what it prints.
- A `text` block below a script is exactly what the script prints, standard error included.
- All blocks run in the order of the page, in one empty directory, so a later block finds the files of an earlier one.
- Commands at the start of a script that set up the environment (`python3 -m venv`, `. .venv/bin/activate`,
  `pip install`, `git clone`, `cd`) are left out: the tests run in one that is set up, and `.venv` is a link to it.
- The block that only sets up and runs pytest is this very run; instead of being run, its words are compared with CI's.
- `<!-- not run: why -->` directly above a block keeps it from being run.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SHELL = ("sh", "bash")
RUN = (*SHELL, "console", "python")
SHOWN = ("text", "json", "toml", "yaml")

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
    """One fenced block: its language, text, the line it starts at, and why it is not run or what it prints."""

    language: str
    text: str
    line: int
    not_run: str | None = None
    output: str | None = None

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
    fence, mark, indent = "", None, 0
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
            blocks.append(Block(opening[2], "", number, mark))
            mark = None
        elif found := re.fullmatch(r"<!-- not run: (.+) -->", bare):
            mark = found[1]
        elif bare and mark:
            raise ValueError(f"line {number}: a mark 'not run' has to stand directly above its block")
    for script, shown in pairwise(blocks):
        if shown.language == "text" and script.language in (*SHELL, "python"):
            script.output = shown.text
    return blocks


def blocks_to_run(page: str) -> list[Block]:
    return [block for block in blocks_of(page) if block.language in RUN and not block.not_run and not block.is_test_run]


class Page:
    """A page's blocks and the directory they run in. To run one block is to run first what stands above it, once."""

    def __init__(self, text: str, directory: Path) -> None:
        self.blocks = blocks_to_run(text)
        self.directory = directory
        self._done = 0
        (directory / ".venv").symlink_to(sys.prefix)

    def run(self, block: Block) -> None:
        """Run `block`; an AssertionError says what is wrong with it."""
        wanted = self.blocks.index(block)
        for earlier in self.blocks[self._done : wanted]:
            self._done += 1
            self._run(earlier)
        self._done = max(self._done, wanted + 1)
        self._run(block)

    def _run(self, block: Block) -> None:
        assert "-m pytest" not in block.text, "it would run itself: mark it 'not run'"
        steps = block.steps()
        assert steps, "nothing to run"
        for command, output in steps:
            run = subprocess.run(
                command,
                cwd=self.directory,
                env={
                    **os.environ,
                    "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]),
                    "PYTHONPATH": str(ROOT),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            printed = run.stdout.decode()
            assert run.returncode == 0, f"exit {run.returncode}:\n{printed}"
            if output is not None:
                assert printed == output


README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks_to_run(README)


@pytest.fixture(scope="module")
def readme(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(README, tmp_path_factory.mktemp("readme"))


@pytest.mark.needs("bash")
@pytest.mark.parametrize("index", range(len(BLOCKS)), ids=[f"line {block.line}" for block in BLOCKS])
def test_a_block_does_what_the_page_says(readme: Page, index: int) -> None:
    readme.run(readme.blocks[index])


def test_the_readme_opens_with_the_two_commands() -> None:
    """One installs and runs the main job, one installs what the tests need and runs them."""
    first, second = [block for block in blocks_of(README) if block.language in SHELL][:2]
    assert any("pip install" in command for command in first.setup()[0])
    assert first.not_run is None
    assert "ndjson-to-sse" in first.setup()[1]
    assert any("pip install" in command for command in second.setup()[0])
    assert second.is_test_run


def test_ci_installs_and_tests_with_the_words_of_the_readme() -> None:
    second = [block for block in blocks_of(README) if block.language in SHELL][1]
    setup, test = second.setup()
    (install,) = [command for command in setup if "pip install" in command]
    lines = [line.strip() for line in (ROOT / ".ci/run").read_text().splitlines()]
    in_ci = [shlex.split(line) for line in lines if line.startswith(("pip ", "python -m "))]
    assert without_path(install) in in_ci
    assert [*without_path(test), "--require-all"] in in_ci


def without_path(command: str) -> list[str]:
    """`.venv/bin/python -m pytest` and `python -m pytest` are the same words, once the environment is active."""
    program, *arguments = shlex.split(command)
    return [program.rpartition("/")[2], *arguments]


# ----------------------------------------------------------------------------- each convention, and that each can fail


def run_page(text: str, directory: Path) -> None:
    page = Page(text, directory)
    for block in page.blocks:
        page.run(block)


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}```\n"


GOOD = {
    "output": fenced("sh", "echo a; echo b >&2\n") + "\nprints:\n\n" + fenced("text", "a\nb\n"),
    "heredoc": fenced("sh", "cat <<'END'\n\u00fc & \\\nEND\n") + fenced("text", "\u00fc & \\\n"),
    "set-up": fenced("sh", "python3 -m venv .venv &&\n  . .venv/bin/activate && pip install no-such-thing && true\n"),
    "set-up by path": fenced("sh", "# first\ncd x\n.venv/bin/pip install 'no[x]' \\\n  . && .venv/bin/python -c ''\n"),
    "only set-up": fenced("sh", "git clone no-such-place && cd no-such-place\n"),
    "a file from above": fenced("sh", "echo kept > file\n") + fenced("sh", "test -e file\n"),
    "console": fenced("console", "$ echo a\na\n$ cat <<END\n> b\n>   c\n> END\nb\n  c\n$ true\n"),
    "the test run": fenced("sh", "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/python -m pytest\n"),
    "not run": "<!-- not run: fails -->\n" + fenced("sh", "exit 1\n") + fenced("json", "{}\n"),
    "indented": "- in a list\n\n  ```python\n  if True:\n      pass\n  ```\n",
}


@pytest.mark.needs("bash")
@pytest.mark.parametrize("page", GOOD.values(), ids=GOOD)
def test_a_good_page_passes(page: str, tmp_path: Path) -> None:
    run_page(page, tmp_path)


BAD = {
    "other output": (fenced("sh", "echo a\n") + fenced("text", "b\n"), "assert 'a"),
    "an empty line more": (fenced("sh", "echo a; echo\n") + fenced("text", "a\n"), "assert 'a"),
    "a command fails": (fenced("sh", "false\ntrue\n"), "exit 1"),
    "in a pipe": (fenced("sh", "false | true\n"), "exit 1"),
    "no such variable": (fenced("sh", "echo $undefined\n"), "unbound variable"),
    "after set-up": (fenced("sh", "pip install . && false\n"), "exit 1"),
    "words like set-up": (fenced("sh", "echo pip install . | grep -q no\n"), "exit 1"),
    "python": (fenced("python", "assert 1 == 2\n"), "exit 1"),
    "python output": (fenced("python", "print(1)\n") + fenced("text", "2\n"), "assert '1"),
    "a warning": (fenced("python", "import warnings; warnings.warn('old')\n"), "exit 1"),
    "console output": (fenced("console", "$ echo a\nb\n"), "assert 'a"),
    "console without a prompt": (fenced("console", "echo a\n"), "nothing to run"),
    "the tests themselves": (fenced("sh", "pip install . && python -m pytest && echo ok\n"), "would run itself"),
}


@pytest.mark.needs("bash")
@pytest.mark.parametrize(("page", "reason"), BAD.values(), ids=BAD)
def test_a_bad_page_fails(page: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=re.escape(reason)):
        run_page(page, tmp_path)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (fenced("shell", "true\n"), "line 1: shell language"),
        (fenced("", "true\n"), "line 1: no language"),
        ("<!-- not run: why -->\nwords\n" + fenced("sh", "true\n"), "directly above"),
    ],
)
def test_a_page_that_breaks_the_conventions_is_refused(page: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        blocks_of(page)
