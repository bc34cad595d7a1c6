"""`streamkit text`: what the model says, when it says it, and on a terminal nothing that steers the terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import tty
from collections.abc import Iterator, Mapping

import pytest

from streamkit import MessageAccumulator, decoder_of
from tests.cli.harness import READ_BYTES, Filter, linux_only, run
from tests.cli.wires import DONE, OLLAMA, chunk, sse
from tests.dialects.examples import EXAMPLES, Example

TEXT = ("streamkit", "text", "--from", "openai-chat")
END = chunk("stop") + DONE


def said(*pieces: str) -> bytes:
    return b"".join([chunk(content=piece) for piece in pieces]) + END


# ------------------------------------------------------------------------------------------------------- what comes out


def test_each_text_is_out_before_the_next_record_comes() -> None:
    with Filter("streamkit", "text") as process:
        process.send(OLLAMA[0])
        process.expect("Grüße".encode())
        process.expect_error(r"streamkit text: .*\bollama-chat\n")
        process.send(OLLAMA[1])
        process.expect(" aus 東京".encode())
        process.send(OLLAMA[2])
        result = process.finish()
    assert (result.code, result.out) == (0, "Grüße aus 東京\n".encode())
    assert result.complaint


@linux_only
def test_one_write_for_each_read() -> None:
    with Filter(*TEXT, packets=True) as process:
        process.send(chunk(content="a") + chunk(content="b"), chunk(content="c")[:30], chunk(content="c")[30:])
        process.expect_writes(b"ab", b"c")
        process.send(END)
        result = process.finish()
    assert (result.code, result.writes) == (0, [b"ab", b"c", b"\n"])


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(each, marks=pytest.mark.slow if each.case == "plain" else ())
        for each in EXAMPLES
        if each.case in {"plain", "unicode"}
    ],
    ids=str,
)
def test_every_dialect(example: Example) -> None:
    """It is the text of the finished message, whatever it is wrapped in."""
    kept = MessageAccumulator()
    stage = decoder_of(example.source) | kept
    stage.feed(example.wire)
    stage.finish()
    text = kept.message.text
    assert len(text) > 20
    result = run("streamkit", "text", "--from", example.source, stdin=example.wire)
    assert (result.code, result.out) == (0, (text if text.endswith("\n") else f"{text}\n").encode())


@pytest.mark.parametrize(
    ("wire", "out"),
    [
        pytest.param(said("a", "b"), "ab\n", id="no-line-end"),
        pytest.param(said("a", "\n"), "a\n", id="its-own-line-end"),
        pytest.param(said("a\n\n"), "a\n\n", id="its-own-blank-line"),
        pytest.param(END, "", id="no-text"),
        pytest.param(chunk(refusal="I cannot") + END, "I cannot\n", id="a-refusal-is-text"),
        pytest.param(chunk(reasoning_content="hm") + said("a"), "a\n", id="reasoning-is-not"),
        pytest.param(said("\x1b[31m\r\n\0\x9b\u2028\x07"), "\x1b[31m\r\n\0\x9b\u2028\x07\n", id="untouched-in-a-pipe"),
    ],
)
def test_text(wire: bytes, out: str) -> None:
    result = run(*TEXT, stdin=wire)
    assert (result.code, result.out.decode(), result.err) == (0, out, "")


def test_only_the_first_of_several_answers() -> None:
    result = run(*TEXT, stdin=chunk(content="a") + chunk("stop", index=1, content="x") + said("b"))
    assert (result.code, result.out) == (0, b"ab\n")
    assert "first of 2" in result.complaint


@pytest.mark.parametrize(
    ("wire", "out"),
    [
        pytest.param(chunk(reasoning_content="h") + chunk(reasoning_content="m") + said("a"), "hm\n\na\n", id="before"),
        pytest.param(chunk(reasoning_content="hm\n") + said("a"), "hm\n\na\n", id="with-a-line-end"),
        pytest.param(chunk(reasoning_content="hm\n\n") + said("a"), "hm\n\na\n", id="with-a-blank-line"),
        pytest.param(chunk(reasoning_content="\n") + said("a"), "\n\na\n", id="only-a-line-end"),
        pytest.param(chunk(content="a") + chunk(reasoning_content="hm") + said("b"), "a\n\nhm\n\nb\n", id="between"),
        pytest.param(chunk(reasoning_content="hm") + END, "hm\n", id="alone"),
        pytest.param(said("a"), "a\n", id="none"),
    ],
)
def test_reasoning(wire: bytes, out: str) -> None:
    result = run(*TEXT, "--reasoning", stdin=wire)
    assert (result.code, result.out.decode(), result.err) == (0, out, "")


# ------------------------------------------------------------------------------------------------------------- bad ends


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        pytest.param(b"", "terminator", id="cut"),
        pytest.param(b"data: {", "terminator", id="cut-inside-a-record"),
        pytest.param(b"data: {\n\n", "not JSON", id="broken"),
        pytest.param(sse({"error": {"message": "out of memory"}}), "out of memory", id="error"),
        pytest.param(chunk("error") + DONE, "error", id="finished-in-error"),
    ],
)
@pytest.mark.parametrize(("text", "out"), [("a", b"a\n"), ("a\n", b"a\n")])
def test_a_bad_end(text: str, out: bytes, rest: bytes, reason: str) -> None:
    """The text so far, its line ended, and then one line that says why."""
    result = run(*TEXT, stdin=chunk(content=text) + rest)
    assert (result.code, result.out) == (3, out)
    assert reason in result.complaint


def test_the_line_is_ended_before_the_message() -> None:
    """On one terminal, or in one file, the message does not hang on the text."""
    result = run(*TEXT, stdin=chunk(content="a"), via='"$@" 2>&1')
    assert result.code == 3
    assert result.out.startswith(b"a\nstreamkit text: ")


def test_a_stream_of_another_dialect() -> None:
    result = run(*TEXT, stdin=b"".join(OLLAMA))
    assert (result.code, result.out) == (3, b"")
    assert "looks like ollama-chat" in result.complaint


def test_an_empty_input() -> None:
    result = run("streamkit", "text")
    assert (result.code, result.out) == (3, b"")
    assert "empty" in result.complaint


def test_a_repair() -> None:
    wire = chunk(content="a", index=None) + END
    result = run(*TEXT, stdin=wire)
    assert (result.code, result.out) == (0, b"a\n")
    assert "choice-index" in result.complaint
    strict = run(*TEXT, "--strict", stdin=wire)
    assert (strict.code, strict.out) == (3, b"")


def test_usage_errors() -> None:
    result = run("streamkit", "text", "--from", "opnai-chat", stdin=END)
    assert (result.code, result.out) == (2, b"")
    assert "openai-chat" in result.err


# ----------------------------------------------------------------------------------------------------------- a terminal


class Screen:
    """A terminal to write to; `read` waits for what comes."""

    def __init__(self, ours: int) -> None:
        self._ours = ours
        self.shown = b""

    def expect(self, wanted: bytes) -> None:
        """Read as much as `wanted` has and compare; a program that writes less is ended by the test's own deadline."""
        got = b""
        while len(got) < len(wanted):
            got += os.read(self._ours, len(wanted) - len(got))
        assert got == wanted

    def rest(self) -> bytes:
        """What is still to be read after the program has ended."""
        os.set_blocking(self._ours, False)
        with contextlib.suppress(OSError):
            return os.read(self._ours, READ_BYTES)
        return b""


@contextlib.contextmanager
def on_screen(*argv: str, env: Mapping[str, str] | None = None) -> Iterator[tuple[Filter, Screen]]:
    """A command whose stdout is a terminal that shows every byte as it comes."""
    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)
        with Filter(*argv, stdout=theirs, env={"TERM": "xterm", "NO_COLOR": "", **(env or {})}) as process:
            yield process, Screen(ours)
    finally:
        os.close(ours)
        os.close(theirs)


def test_controls_are_shown_on_a_terminal() -> None:
    """A model could otherwise rewrite what stands on the screen, or type into the shell."""
    with on_screen(*TEXT) as (process, screen):
        process.send(chunk(content="a\tb\n\x1b]0;title\x07\r\x9b2J\x7f\0é🙂\u2028"))
        screen.expect("a\tb\n\\x1b]0;title\\x07\\x0d\\x9b2J\\x7f\\x00é🙂\u2028".encode())
        process.send(END)
        assert process.finish().code == 0
        assert screen.rest() == b"\n"


def test_reasoning_is_dimmed_on_a_terminal() -> None:
    """Each piece by itself: however the program ends, the terminal is as it was."""
    with on_screen(*TEXT, "--reasoning") as (process, screen):
        process.send(chunk(reasoning_content="h\x1b[0m"))
        screen.expect(b"\x1b[2mh\\x1b[0m\x1b[22m")
        process.send(chunk(reasoning_content="m"))
        screen.expect(b"\x1b[2mm\x1b[22m")
        process.send(chunk(content="a"))
        screen.expect(b"\n\na")
        process.send(END)
        assert process.finish().code == 0


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_colours_where_none_are_wanted(env: dict[str, str]) -> None:
    with on_screen(*TEXT, "--reasoning", env=env) as (process, screen):
        process.send(chunk(reasoning_content="hm\x1b") + said("a"))
        screen.expect(b"hm\\x1b\n\na")
        assert process.finish().code == 0
