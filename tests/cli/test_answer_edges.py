"""What `test_edges.py` asks of the filters, asked of the commands that read an answer: descriptors, signals, files."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest

from tests.cli.harness import Filter, linux_only, run
from tests.cli.wires import DONE, chunk

CONVERT = ("streamkit", "convert", "--from", "openai-chat", "--to", "ollama-chat")
TEXT = ("streamkit", "text", "--from", "openai-chat")
COLLECT = ("streamkit", "collect", "--from", "openai-chat")

WIRE = chunk(content="a") + chunk("stop") + DONE

each = pytest.mark.parametrize("argv", [CONVERT, TEXT, COLLECT], ids=["convert", "text", "collect"])
each_live = pytest.mark.parametrize("argv", [CONVERT, TEXT], ids=["convert", "text"])


@each
def test_file_stdin_and_dash_are_the_same(argv: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "answer.sse"
    path.write_bytes(WIRE)
    results = [run(*argv, stdin=WIRE), run(*argv, "-", stdin=WIRE), run(*argv, str(path))]
    assert {(result.code, result.err) for result in results} == {(0, "")}
    assert len({result.out for result in results}) == 1
    assert results[0].out


@each
def test_missing_file(argv: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*argv, str(tmp_path / "nope.sse"))
    assert (result.code, result.out) == (2, b"")
    assert "nope.sse" in result.complaint


@each
def test_terminal_without_file(argv: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    with Filter(*argv, stdin=theirs) as process:
        result = process.wait()
    os.close(ours)
    os.close(theirs)
    assert (result.code, result.out) == (2, b"")
    assert "FILE" in result.complaint


@each
def test_closed_stdin_and_stdout(argv: tuple[str, ...]) -> None:
    assert run(*argv, via='"$@" <&-').code == 4
    assert run(*argv, stdin=WIRE, via='"$@" >&-').code == 4


@each
def test_full_device(argv: tuple[str, ...]) -> None:
    result = run(*argv, stdin=WIRE, via='"$@" >/dev/full')
    assert result.code == 4
    assert "o space" in result.complaint


@each
def test_closed_stderr(argv: tuple[str, ...]) -> None:
    """Nowhere to complain: the exit code still says it, and the complaint does not end in the data."""
    result = run(*argv, stdin=chunk(content="a"), via='"$@" 2>&-')
    assert result.code == 3
    assert b"streamkit " not in result.out


@each
def test_closed_pipe(argv: tuple[str, ...]) -> None:
    with Filter(*argv) as process:
        process.stop_reading()
        process.send(WIRE)
        result = process.finish()
    assert (result.code, result.err) == (141, "")


@each_live
def test_closed_pipe_after_some_output(argv: tuple[str, ...]) -> None:
    with Filter(*argv) as process:
        process.send(chunk(content="a"))
        process.until(lambda: b"a" in process.out, "write")
        process.stop_reading()
        process.send(chunk(content="b"))
        result = process.wait()
    assert (result.code, result.err) == (141, "")


@each_live
def test_interrupt(argv: tuple[str, ...]) -> None:
    """What was complete is out, and nothing that would make it look whole."""
    with Filter(*argv) as process:
        process.send(chunk(content="a") + b"data: {")
        process.until(lambda: b"a" in process.out, "write")
        process.interrupt()
        result = process.wait()
    assert (result.code, result.err.strip()) == (130, "")
    assert b'"done":true' not in result.out


@linux_only
def test_interrupt_while_collecting() -> None:
    """Half an answer is not printed as a document then: nobody asked for it any more."""
    with Filter(*COLLECT, packets=True) as process:
        process.send(chunk(content="a"))
        wchan = Path(f"/proc/{process.pid}/wchan")
        process.until(lambda: "poll" in wchan.read_text(), "wait for input")
        process.interrupt()
        result = process.wait()
    assert (result.code, result.out, result.err.strip()) == (130, b"", "")


@each
def test_no_warnings_in_development_mode(argv: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "in"
    for wire, code in ((WIRE, 0), (chunk(content="a"), 3)):
        path.write_bytes(wire)
        result = run(*argv, str(path), env={"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"})
        assert result.code == code
        assert result.err.count("\n") == (1 if code else 0)
