"""The pages of documentation, run; `tests/pages.py` says how to write them. And each convention, that it can fail."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.pages import ROOT, SHELL, Page, blocks_of, blocks_to_run

NAMES = (
    *("README.md", "mockserver/README.md", "streamkit/contract/README.md", "streamkit/gateway/README.md"),
    *("streamkit/bench/README.md", "streamkit/watch/README.md"),
)
README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCKS = [
    pytest.param(name, index, id=f"{name} line {block.line}", marks=pytest.mark.needs("bash", *block.tools))
    for name in NAMES
    for index, block in enumerate(blocks_to_run((ROOT / name).read_text(encoding="utf-8")))
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Page]]:
    """Every page, once for all its blocks."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Page((ROOT / name).read_text(encoding="utf-8"), tmp_path_factory.mktemp("page")))
            for name in NAMES
        }


@pytest.mark.parametrize(("name", "index"), BLOCKS)
def test_a_block_does_what_the_page_says(pages: dict[str, Page], name: str, index: int) -> None:
    page = pages[name]
    page.run(page.blocks[index])


def test_the_readme_opens_with_the_two_commands() -> None:
    """One installs and runs the main job, one installs what the tests need and runs them."""
    first, second = [block for block in blocks_of(README) if block.language in SHELL][:2]
    assert any("pip install" in command for command in first.setup()[0])
    assert first.mark == ""
    assert "streamkit contract" in first.setup()[1]
    assert any("pip install" in command for command in second.setup()[0])
    assert second.is_test_run


@pytest.mark.parametrize("name", [*NAMES, "streamkit/web/README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_a_link_inside_leads_somewhere(name: str) -> None:
    """To a file that is there, and a heading of it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    broken = []
    for link in re.findall(
        r"""(?:\]\(|(?:src|srcset|href)=")(?![a-z]+:)([^)"\s]+)""", re.sub(r"(?s)```.*?```", "", text)
    ):
        path, _, anchor = link.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            broken.append(link)
    assert broken == []


def anchors_of(file: Path) -> list[str]:
    """What headings are called in links: in small letters, without punctuation, with hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


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
    with Page(text, directory) as page:
        for block in page.blocks:
            page.run(block)


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}```\n"


ASK = """
import json, urllib.request
with urllib.request.urlopen("http://localhost:1/_mock/{}") as answer:
    print(json.load(answer)[{}])
"""

GOOD = {
    "output": fenced("sh", "echo a; echo b >&2\n") + "\nprints:\n\n" + fenced("text", "a\nb\n"),
    "heredoc": fenced("sh", "cat <<'END'\n\u00fc & \\\nEND\n") + fenced("text", "\u00fc & \\\n"),
    "set-up": fenced("sh", "python3 -m venv .venv &&\n  . .venv/bin/activate && pip install no-such-thing && true\n"),
    "set-up by path": fenced("sh", "# first\ncd x\n.venv/bin/pip install 'no[x]' \\\n  . && .venv/bin/python -c ''\n"),
    "only set-up": fenced("sh", "git clone no-such-place && cd no-such-place\n"),
    "a file from above": fenced("sh", "echo kept > file\n") + fenced("sh", "test -e file\n"),
    "console": fenced("console", "$ echo a\na\n$ cat <<END\n> b\n>   c\n> END\nb\n  c\n$ true\n"),
    "the test run": fenced("sh", "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/python -m pytest\n"),
    "a file of its own": "<!-- file: a.toml -->\n"
    + fenced("toml", "a = 1\n")
    + fenced("sh", "grep -qx 'a = 1' a.toml\n"),
    "a server": "<!-- server: localhost:1 -->\n"
    + fenced("sh", "mockserver --seed 7\n")
    + fenced("python", ASK.format("state", '"seed"'))
    + fenced("text", "7\n")
    + "<!-- server: localhost:1 -->\n"
    + fenced("sh", "mockserver \\\n  --seed 8 --port 1\n")
    + fenced("python", ASK.format("state", '"seed"'))
    + fenced("text", "8\n"),
    "not run": "<!-- not run: fails -->\n" + fenced("sh", "exit 1\n") + fenced("json", "{}\n"),
    "indented": "- in a list\n\n  ```python\n  if True:\n      pass\n  ```\n",
}


@pytest.mark.needs("bash")
@pytest.mark.parametrize("page", GOOD.values(), ids=GOOD)
def test_a_good_page_passes(page: str, tmp_path: Path) -> None:
    run_page(page, tmp_path)


BAD = {
    "other output": (fenced("sh", "echo a\n") + fenced("text", "b\n"), "it prints:\na"),
    "an empty line more": (fenced("sh", "echo a; echo\n") + fenced("text", "a\n"), "it prints:\na"),
    "a command fails": (fenced("sh", "false\ntrue\n"), "exit 1"),
    "in a pipe": (fenced("sh", "false | true\n"), "exit 1"),
    "no such variable": (fenced("sh", "echo $undefined\n"), "unbound variable"),
    "after set-up": (fenced("sh", "pip install . && false\n"), "exit 1"),
    "words like set-up": (fenced("sh", "echo pip install . | grep -q no\n"), "exit 1"),
    "python": (fenced("python", "assert 1 == 2\n"), "exit 1"),
    "python output": (fenced("python", "print(1)\n") + fenced("text", "2\n"), "it prints:\n1"),
    "a warning": (fenced("python", "import warnings; warnings.warn('old')\n"), "exit 1"),
    "console output": (fenced("console", "$ echo a\nb\n"), "it prints:\na"),
    "console without a prompt": (fenced("console", "echo a\n"), "nothing to run"),
    "a file of other words": (
        "<!-- file: a.toml -->\n" + fenced("toml", "a = 1\n") + fenced("sh", "grep -x 'a = 2' a.toml\n"),
        "exit 1",
    ),
    "a server that is none": ("<!-- server: localhost:1 -->\n" + fenced("sh", "echo no\n"), "does not start:\nno"),
    "the tests themselves": (fenced("sh", "pip install . && python -m pytest && echo ok\n"), "would run itself"),
}


@pytest.mark.needs("bash")
@pytest.mark.parametrize(("page", "reason"), BAD.values(), ids=BAD)
def test_a_bad_page_fails(page: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=re.escape(reason)):
        run_page(page, tmp_path)


@pytest.mark.needs("bash")
def test_a_block_whose_tool_is_missing_is_passed_over_by_those_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.pages.TOOLS", ("no-such-tool",))
    with Page(fenced("sh", "no-such-tool -s x\n") + fenced("sh", "echo no-such-tool\n"), tmp_path) as page:
        first, second = page.blocks
        assert (first.tools, second.tools) == (["no-such-tool"], [])
        page.run(second)


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
