"""`streamkit collect`: one document for one answer, also for one that was cut."""

from __future__ import annotations

import json
import os
import pty
import re
import tty
from typing import Any

import pytest

from streamkit.dialects.registry import DIALECTS
from tests.cli.harness import READ_BYTES, Filter, run
from tests.cli.wires import DONE, OLLAMA, call, chunk, sse
from tests.dialects.examples import EXAMPLES, Example

COLLECT = ("streamkit", "collect")
FROM_OPENAI = (*COLLECT, "--from", "openai-chat")
END = chunk("stop") + DONE


def document(out: bytes) -> Any:  # noqa: ANN401 - it is JSON
    """The one document, which is one line."""
    assert out.endswith(b"\n")
    assert out.count(b"\n") == 1
    return json.loads(out)


# --------------------------------------------------------------------------------------------------------- our own form


def test_an_answer() -> None:
    result = run(*COLLECT, "--from", "ollama-chat", stdin=b"".join(OLLAMA))
    assert (result.code, result.err) == (0, "")
    assert document(result.out) == {
        "id": None,
        "model": "llama3.2",
        "role": "assistant",
        "created": "2026-11-20T09:14:03.120457000Z",
        "choices": [
            {
                "index": 0,
                "text": "Grüße aus 東京",
                "reasoning": None,
                "refusal": None,
                "tool_calls": [],
                "finish_reason": "stop",
                "raw_reason": "stop",
                "stop_sequence": None,
            }
        ],
        "usage": {"input_total": 31, "output_total": 4, "total_ns": 312845917},
        "complete": True,
        "error": None,
    }


def test_auto_says_what_it_took_the_stream_for() -> None:
    result = run(*COLLECT, stdin=b"".join(OLLAMA))
    assert result.code == 0
    assert "ollama-chat" in result.complaint


def test_nothing_is_printed_before_the_end() -> None:
    with Filter(*FROM_OPENAI) as process:
        process.send(chunk(content="a"))
        process.send(END)
        result = process.finish()
    assert len(result.writes) == 1
    assert document(result.out)["choices"][0]["text"] == "a"


def test_several_answers_and_a_tool_call() -> None:
    wire = (
        chunk(content="a", reasoning_content="hm")
        + chunk(content="b", index=1)
        + chunk(tool_calls=call("add", '{"n": 12345678901234567890}'))
        + chunk("tool_calls")
        + chunk("length", index=1)
        + DONE
    )
    result = run(*FROM_OPENAI, stdin=wire)
    assert result.code == 0, result.err
    first, second = document(result.out)["choices"]
    assert (first["text"], first["reasoning"], first["finish_reason"]) == ("a", "hm", "tool_calls")
    (tool_call,) = first["tool_calls"]
    assert tool_call == {
        "id": "call_1",
        "name": "add",
        "arguments": {"n": 12345678901234567890},
        "arguments_text": None,
    }
    assert (second["index"], second["text"], second["finish_reason"]) == (1, "b", "length")


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(each, marks=pytest.mark.slow if each.case == "tool" else ())
        for each in EXAMPLES
        if each.case in {"tool", "error", "cut"}
    ],
    ids=str,
)
def test_every_dialect(example: Example) -> None:
    """It is complete if and only if the stream was."""
    result = run(*COLLECT, "--from", example.source, stdin=example.wire)
    message = document(result.out)
    assert result.code == (0 if example.ends_cleanly else 3), result.err
    assert message["complete"] is example.ends_cleanly
    assert (message["error"] is None) is example.ends_cleanly
    assert message["choices"]


# ------------------------------------------------------------------------------------------------- a dialect's own form


def test_as_openai() -> None:
    result = run(*COLLECT, "--to", "openai-chat", "--from", "ollama-chat", "--id", "fixed", stdin=b"".join(OLLAMA))
    assert (result.code, result.err) == (0, "")
    message = document(result.out)
    assert (message["object"], message["id"], message["created"]) == ("chat.completion", "fixed", 1795166043)
    assert message["choices"][0]["message"]["content"] == "Grüße aus 東京"
    assert message["usage"]["total_tokens"] == 35


def test_model_and_id() -> None:
    """The model is replaced, the id only where there is none; where one is needed it is drawn."""
    result = run(*FROM_OPENAI, "--model", "mine", "--id", "x", stdin=chunk(content="a") + END)
    assert (document(result.out)["model"], document(result.out)["id"]) == ("mine", "chatcmpl-7")
    drawn = {
        document(run(*COLLECT, "--from", "ollama-chat", "--to", "openai-chat", stdin=b"".join(OLLAMA)).out)["id"]
        for _ in range(2)
    }
    assert len(drawn) == 2


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize(
    "wire", [pytest.param(b"".join(OLLAMA), id="whole"), pytest.param(OLLAMA[0], id="cut", marks=pytest.mark.slow)]
)
def test_every_dialect_has_a_document(target: str, wire: bytes) -> None:
    result = run(*COLLECT, "--from", "ollama-chat", "--to", target, stdin=wire)
    assert result.code == (0 if wire == b"".join(OLLAMA) else 3)
    assert "Grüße" in json.dumps(document(result.out), ensure_ascii=False)


# ------------------------------------------------------------------------------------------------------------- bad ends


@pytest.mark.parametrize(
    ("rest", "kind", "reason"),
    [
        pytest.param(b"", "truncated", "terminator", id="cut"),
        pytest.param(b"data: {", "truncated", "terminator", id="cut-inside-a-record"),
        pytest.param(b"data: {\n\n", "not-json", "not JSON", id="broken"),
        pytest.param(sse({"error": {"message": "no memory", "type": "oom"}}), "oom", "no memory", id="error"),
        pytest.param(chunk("error") + DONE, "reported", "error", id="finished-in-error"),
    ],
)
def test_a_bad_end(rest: bytes, kind: str, reason: str) -> None:
    result = run(*FROM_OPENAI, stdin=chunk(content="a") + rest)
    assert result.code == 3
    assert reason in result.complaint
    message = document(result.out)
    assert message["complete"] is False
    assert message["choices"][0]["text"] == "a"
    assert message["error"]["type"] == kind
    assert reason in message["error"]["message"]


def test_arguments_that_were_cut() -> None:
    wire = chunk(tool_calls=call("add", '{"n": 1')) + chunk("length") + DONE
    result = run(*FROM_OPENAI, stdin=wire)
    assert result.code == 0
    (tool_call,) = document(result.out)["choices"][0]["tool_calls"]
    assert (tool_call["arguments"], tool_call["arguments_text"]) == (None, '{"n": 1')


def test_an_empty_input() -> None:
    result = run(*COLLECT)
    assert result.code == 3
    assert "empty" in result.complaint
    assert document(result.out)["complete"] is False


def test_an_answer_over_the_limit() -> None:
    """What was kept up to there is printed, as not complete."""
    result = run(*FROM_OPENAI, "--max-bytes", "400", stdin=chunk(content="ab") + chunk(content="c" * 400) + END)
    assert result.code == 3
    assert re.search(r"\blimit of 400 bytes", result.complaint), result.complaint
    message = document(result.out)
    assert message["complete"] is False
    assert message["error"]["type"] == "limit"
    assert message["choices"][0]["text"].startswith("ab")


def test_a_repair() -> None:
    wire = chunk(content="a", index=None) + END
    result = run(*FROM_OPENAI, stdin=wire)
    assert result.code == 0
    assert "choice-index" in result.complaint
    strict = run(*FROM_OPENAI, "--strict", stdin=wire)
    assert strict.code == 3
    assert document(strict.out)["error"]["type"] == "choice-index"


@pytest.mark.parametrize(
    "argv", [["--to", "opnai-chat"], ["--from", "opnai-chat"], ["--max-bytes", "0"], ["--to", "auto"]]
)
def test_usage_errors(argv: list[str]) -> None:
    result = run(*COLLECT, *argv, stdin=END)
    assert (result.code, result.out) == (2, b"")
    assert argv[0] in result.err


# ----------------------------------------------------------------------------------------------------------- a terminal


def test_indented_on_a_terminal_and_without_controls() -> None:
    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)
        with Filter(*FROM_OPENAI, stdout=theirs) as process:
            process.send(chunk(content="\x1b\x9b\x7fé\u2028") + END)
            assert process.finish().code == 0
        shown = os.read(ours, READ_BYTES).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown.startswith('{\n  "id": ')
    assert shown.endswith("\n}\n")
    assert all(character == "\n" or character.isprintable() for character in shown)
    assert json.loads(shown)["choices"][0]["text"] == "\x1b\x9b\x7fé\u2028"
