"""`streamkit convert`: each record's meaning in the other dialect at once, and no failure that looks like success."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from streamkit import Converter
from streamkit.dialects.registry import DIALECTS
from tests.cli.harness import Filter, linux_only, run
from tests.cli.wires import DONE, OLLAMA, OPENAI, call, chunk, generate, sse
from tests.dialects.examples import EXAMPLES, Example

CONVERT = ("streamkit", "convert")
TO_OPENAI = (*CONVERT, "--from", "ollama-chat", "--to", "openai-chat", "--id", "fixed")
TO_OLLAMA = (*CONVERT, "--from", "openai-chat", "--to", "ollama-chat")


def frames(wire: bytes) -> list[object]:
    """The data of all events but `[DONE]`."""
    data = [line[6:] for line in wire.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(each) for each in data if each != b"[DONE]"]


def lines(wire: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in wire.splitlines()]


def error_in(wire: bytes) -> str:
    """The message of the error that a stream of `openai-chat` ends in; it must have no other end."""
    assert DONE not in wire
    last = frames(wire)[-1]
    assert isinstance(last, dict)
    message = last["error"]["message"]
    assert isinstance(message, str)
    return message


# ------------------------------------------------------------------------------------------------------- what comes out


def test_an_answer() -> None:
    result = run(*TO_OPENAI, stdin=b"".join(OLLAMA))
    assert (result.code, result.out, result.err) == (0, b"".join(OPENAI), "")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "answer.ndjson"
    path.write_bytes(b"".join(OLLAMA))
    result = run(*TO_OPENAI, str(path))
    assert (result.code, result.out, result.err) == (0, b"".join(OPENAI), "")


def test_each_record_is_out_before_the_next_comes_in() -> None:
    with Filter(*TO_OPENAI) as process:
        for record, due in zip(OLLAMA, OPENAI, strict=True):
            process.send(record)
            process.expect(due)
        assert process.finish().code == 0


@linux_only
def test_one_write_for_each_read() -> None:
    with Filter(*TO_OPENAI, packets=True) as process:
        process.send(OLLAMA[0] + OLLAMA[1], OLLAMA[2][:50], OLLAMA[2][50:])
        process.expect_writes(OPENAI[0] + OPENAI[1], OPENAI[2])
        assert process.finish().code == 0


def test_auto_says_what_it_took_the_stream_for_and_when_it_knows() -> None:
    with Filter(*CONVERT, "--to", "openai-chat", "--id", "fixed") as process:
        process.send(OLLAMA[0])
        process.expect(OPENAI[0])
        process.expect_error(r"streamkit convert: .*\bollama-chat\n")
        process.send(*OLLAMA[1:])
        process.expect(b"".join(OPENAI[1:]))
        result = process.finish()
    assert result.code == 0
    assert "ollama-chat" in result.complaint


@pytest.mark.parametrize(
    "example",
    [pytest.param(each, marks=pytest.mark.slow if each.case != "plain" else ()) for each in EXAMPLES],
    ids=str,
)
def test_auto_on_every_example(example: Example) -> None:
    """It finds the right dialect, and the output ends in success if and only if the input did."""
    result = run(*CONVERT, "--to", "openai-chat", stdin=example.wire)
    first, *rest = result.err.splitlines()
    assert first.endswith(f" {example.source}"), first
    assert result.out
    if example.ends_cleanly:
        assert result.code == 0, result.err
        assert result.out.endswith(DONE)
        assert all("repaired" in line for line in rest), rest
    else:
        assert result.code == 3
        assert not result.out.endswith(DONE)
        assert rest


def records_of(example: Example) -> list[bytes]:
    """The pieces of a wire that each end a record."""
    end = {"sse": rb"(?<=\n\n)|(?<=\r\n\r\n)", "ndjson": rb"(?<=\n)", "json-array": rb"(?<=})(?=,)", "text": rb"(?= )"}
    return [piece for piece in re.split(end[example.framing], example.wire) if piece]


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.case == "plain"], ids=str)
def test_lockstep_from_every_dialect(example: Example) -> None:
    """The process writes for each record what the library's stage has for it, before the next record comes."""
    stage = Converter(example.source, "text")
    pieces = records_of(example)
    due = [b"".join(stage.feed(piece)) for piece in pieces]
    assert sum(map(bool, due)) > 5, "the test can see nothing"
    with Filter(*CONVERT, "--from", example.source, "--to", "text") as process:
        for piece, wanted in zip(pieces, due, strict=True):
            process.send(piece)
            process.expect(wanted)
        assert process.finish().code == 0


# -------------------------------------------------------------------------------------------------------------- options


def test_model_id_and_time() -> None:
    """The model is replaced; id and time only where the source has none, and then they are drawn and read."""
    wire = chunk(content="a") + chunk("stop") + DONE
    result = run(*CONVERT, "--from", "openai-chat", "--to", "openai-chat", "--model", "mine", "--id", "x", stdin=wire)
    assert result.code == 0, result.err
    heads = {(each["id"], each["model"], each["created"]) for each in frames(result.out) if isinstance(each, dict)}
    assert heads == {("chatcmpl-7", "mine", 1795166043)}

    before_s = int(time.time())
    results = [run(*CONVERT, "--from", "ollama-generate", "--to", "openai-chat", stdin=generate("a")) for _ in "ab"]
    firsts = [frames(each.out)[0] for each in results]
    ids = {first["id"] for first in firsts if isinstance(first, dict)}
    assert len(ids) == 2
    assert all(len(each) >= 16 for each in ids)
    for first in firsts:
        assert isinstance(first, dict)
        assert before_s <= first["created"] <= time.time()


def test_no_usage() -> None:
    result = run(*TO_OPENAI, "--no-usage", stdin=b"".join(OLLAMA))
    assert result.code == 0
    assert b"usage" not in result.out
    assert result.out.endswith(DONE)


def test_name_and_framing() -> None:
    result = run(
        *CONVERT, "--from", "ollama-chat/ndjson", "--to", "openai-chat/sse", "--id", "fixed", stdin=b"".join(OLLAMA)
    )
    assert (result.code, result.out) == (0, b"".join(OPENAI))


def test_what_was_lost_is_reported() -> None:
    wire = b": ping\n\n" + chunk(content="a") + chunk(content="b", index=1) + chunk(refusal="no") + chunk("stop") + DONE
    result = run(*TO_OLLAMA, "--report-loss", stdin=wire)
    assert result.code == 0
    *_, last = result.err.splitlines()
    assert re.fullmatch(r"streamkit convert: lost in ollama-chat: choice \d+, ping 1, refusal 1", last), last


def test_nothing_lost() -> None:
    result = run(*TO_OPENAI, "--report-loss", stdin=b"".join(OLLAMA))
    assert (result.code, result.complaint) == (0, "streamkit convert: lost in openai-chat: nothing")


def test_what_was_lost_is_reported_of_a_cut_stream_too() -> None:
    result = run(*TO_OLLAMA, "--report-loss", stdin=b": ping\n\n" + chunk(content="a"))
    assert result.code == 3
    lost, why = result.err.splitlines()
    assert lost.endswith("lost in ollama-chat: ping 1")
    assert "without its terminator" in why


REPAIRED = chunk(content="a", index=None) + chunk(content="b", index=None) + chunk("stop", index=None) + DONE


def test_a_repair_is_said_once_with_its_count() -> None:
    result = run(*TO_OLLAMA, stdin=REPAIRED)
    assert result.code == 0
    assert [line["message"]["content"] for line in lines(result.out)] == ["a", "b", ""]  # type: ignore[index]
    assert re.fullmatch(r"streamkit convert: repaired \(choice-index, 3 times\): .*\bindex\b.*", result.complaint)


def test_strict_refuses_it() -> None:
    result = run(*TO_OLLAMA, "--strict", stdin=chunk(content="a") + REPAIRED)
    assert result.code == 3
    assert "record 2 " in result.complaint
    assert "index" in result.complaint
    good, error = lines(result.out)
    assert good["message"] == {"role": "assistant", "content": "a"}
    assert error.keys() == {"error"}


# ------------------------------------------------------------------------------------------------ what the input may be


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(b'{"model":\n', "invalid JSON", id="not-json"),
        pytest.param(b'{"model":"m","message":{"content":"\xff"},"done":false}\n', "UTF-8", id="not-utf-8"),
        pytest.param(b'{"model":"m","message":{"content":5},"done":false}\n', "content", id="wrong-type"),
        pytest.param(b'{"model":"m","message":"hello","done":false}\n', "message", id="no-object"),
        pytest.param(OLLAMA[0].replace(b'"done"', b'"x":"%b","done"' % (b"x" * 500)), "limit of 300 ", id="too-long"),
    ],
)
def test_a_broken_record(bad: bytes, reason: str) -> None:
    """What came before it is there, then the target's form of an error; nothing after it."""
    result = run(*TO_OPENAI, "--max-record-bytes", "300", stdin=OLLAMA[0] + bad + OLLAMA[1] + OLLAMA[2])
    assert result.code == 3
    assert result.out.startswith(OPENAI[0])
    assert OPENAI[1] not in result.out
    assert reason in error_in(result.out)
    assert reason in result.complaint
    assert "record 2 " in result.complaint


WHOLE = b"".join(OLLAMA)


@pytest.mark.parametrize("length", [len(OLLAMA[0]), len(OLLAMA[0]) + 5, WHOLE.index("東".encode()) + 1, len(WHOLE) - 2])
def test_a_cut_stream(length: int) -> None:
    """Between records, inside one, inside a character, and one byte before the terminator is whole."""
    result = run(*TO_OPENAI, stdin=WHOLE[:length])
    assert result.code == 3
    assert result.out.startswith(OPENAI[0])
    assert error_in(result.out)
    assert result.complaint.startswith("streamkit convert: ")


def test_the_terminator_needs_no_line_end() -> None:
    result = run(*TO_OPENAI, stdin=WHOLE[:-1])
    assert (result.code, result.out, result.err) == (0, b"".join(OPENAI), "")


def test_an_error_in_the_stream() -> None:
    error = {"error": {"message": "overloaded \x1b[31m", "type": "server_error", "code": 529}}
    result = run(*TO_OLLAMA, stdin=chunk(content="a") + sse(error))
    assert result.code == 3
    text, last = lines(result.out)
    assert text["done"] is False
    assert last == {"error": "overloaded \x1b[31m"}
    assert "overloaded" in result.complaint


@pytest.mark.parametrize(
    ("named", "wire", "found"),
    [
        pytest.param("openai-chat", WHOLE, "ollama-chat", id="lines-for-events"),
        pytest.param("ollama-chat", chunk(content="a") + DONE, "openai-chat", id="events-for-lines"),
        pytest.param("ollama-chat", generate("a") + generate("", done=True), "ollama-generate", id="other-lines"),
    ],
)
def test_a_stream_of_another_dialect_than_named(named: str, wire: bytes, found: str) -> None:
    result = run(*CONVERT, "--from", named, "--to", "openai-chat", stdin=wire)
    assert result.code == 3
    assert re.search(rf"\b(looks like|this is a record of) {found}\b", result.complaint), result.complaint
    assert error_in(result.out)  # what it looks like is for people: it depends on how much had come


@pytest.mark.parametrize("source", ["auto", *DIALECTS])
def test_an_empty_input(source: str) -> None:
    """No dialect's whole stream is empty, but for plain text: its answer may be the empty one."""
    result = run(*CONVERT, "--from", source, "--to", "openai-chat")
    if source == "text":
        assert (result.code, result.err) == (0, "")
    else:
        assert result.code == 3
        assert "empty" in result.complaint


def test_an_answer_that_the_target_has_no_form_for() -> None:
    """Ollama's calls hold their arguments as an object."""
    wire = chunk(tool_calls=call("add", "[1, 2]")) + chunk("tool_calls") + DONE
    result = run(*TO_OLLAMA, stdin=wire)
    assert result.code == 3
    assert "add" in result.complaint
    assert lines(result.out)[-1].keys() == {"error"}


def test_a_target_without_a_form_for_errors() -> None:
    """Nothing in the output says that it is not whole: stderr and the exit code have to."""
    result = run(*CONVERT, "--from", "ollama-chat", "--to", "text", stdin=OLLAMA[0])
    assert (result.code, result.out) == (3, "Grüße".encode())
    assert result.complaint


# ---------------------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize("option", ["--from", "--to"])
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("opnai-chat", "openai-chat"),
        ("OpenAI_Chat", "openai-chat"),
        ("ollama-chat/ndjsn", "ollama-chat/ndjson"),
        ("no-such-thing-at-all", None),
        ("", None),
    ],
)
def test_an_unknown_dialect(option: str, name: str, hint: str | None) -> None:
    other = "--to" if option == "--from" else "--from"
    result = run(*CONVERT, option, name, other, "openai-chat", stdin=b"".join(OLLAMA))
    assert (result.code, result.out) == (2, b"")
    assert option in result.err
    if hint is None:
        assert "Did you mean" not in result.err
    else:
        assert re.search(rf"Did you mean .*\b{hint}\b", result.err), result.err
    if "/" not in name:
        assert all(each in result.err for each in DIALECTS)


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param([], id="no-target"),
        pytest.param(["--to", "auto"], id="to-auto"),
        pytest.param(["--to", "ollama-chat", "--max-record-bytes", "0"], id="limit-zero"),
        pytest.param(["--to", "ollama-chat", "--model", os.fsdecode(b"\xff")], id="model-not-utf-8"),
        pytest.param(["--to", "ollama-chat", "--id", os.fsdecode(b"\xff")], id="id-not-utf-8"),
        pytest.param(["--to", "ollama-chat", "a", "b"], id="two-files"),
    ],
)
def test_usage_errors(argv: list[str]) -> None:
    result = run(*CONVERT, *argv, stdin=b"".join(OLLAMA))
    assert (result.code, result.out) == (2, b"")
    assert result.err
