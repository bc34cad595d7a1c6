"""The inputs of the forwarding question, each with its oracle: what must come out, and after which byte of input.

A `Wire` is a list of units: some input, and the output that its last byte completes. Both are written down here by the
rules of the formats and by the standard library's json, never by the code under test. The pieces that a path gets are
drawn from a seed and cut the units anywhere.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from benchmarks.workloads import (
    ANSWER_CREATED,
    ANSWER_MODEL,
    ANSWER_PROMPT_TOKENS,
    ANSWER_TOKENS,
    anthropic_text_deltas,
    ollama_answer,
    ollama_chat_lines,
    openai_chat_events,
    tokens,
)

__all__ = [
    "Wire",
    "answer_text",
    "anthropic_to_ollama",
    "converted",
    "frames",
    "lines_from_crlf_events",
    "lines_from_events",
    "openai_to_anthropic",
    "re_encoded",
    "records",
    "untouched",
    "whole_events",
    "whole_lines",
]

PIECE_SIZES = (1, 2, 7, 40, 120, 500)
"""What pieces are drawn from: inside a character, inside a line, about a line, several lines."""


class Wire:
    """What goes in, and what each unit of it must bring out.

    Attributes:
        units: some input, and the output that the last byte of it completes.
        input: all input.
        output: all output, with what the end of the input completes.
    """

    def __init__(self, units: Sequence[tuple[bytes, bytes]], tail: bytes = b"") -> None:
        """Make a wire of these units; `tail` is what the end of the input completes."""
        self.units = units
        self.input = b"".join(taken for taken, _ in units)
        self.output = b"".join(given for _, given in units) + tail
        self._ends = list(accumulate(len(taken) for taken, _ in units))
        self._due = [0, *accumulate(len(given) for _, given in units)]

    def due(self, given: int) -> int:
        """How many bytes of output the first `given` bytes of input determine."""
        return self._due[bisect_right(self._ends, given)]

    def pieces(self, seed: int) -> list[bytes]:
        """The input, cut at places drawn from the seed."""
        chance = random.Random(seed)
        pieces, start = [], 0
        while start < len(self.input):
            end = start + chance.choice(PIECE_SIZES)
            pieces.append(self.input[start:end])
            start = end
        return pieces


def records(count: int, seed: int, *, line_end: bytes = b"\n") -> Wire:
    """NDJSON in, the bytes of each record out."""
    return Wire([(line[:-1] + line_end, line[:-1]) for line in ollama_chat_lines(count, seed)])


def frames(count: int, seed: int, *, line_end: bytes = b"\n") -> Wire:
    """NDJSON in, an SSE frame for each record out. A record is complete with its LF."""
    return Wire([(line[:-1] + line_end, b"data: " + line + b"\n") for line in ollama_chat_lines(count, seed)])


def lines_from_events(count: int, seed: int) -> Wire:
    """SSE in, a line for each event out. An event is complete with the LF of its blank line."""
    return Wire([(event, event[len(b"data: ") : -1]) for event in openai_chat_events(count, seed)])


def lines_from_crlf_events(count: int, seed: int) -> Wire:
    """The same with CRLF. The CR already ends the blank line; its LF belongs to what comes next."""
    plain = lines_from_events(count, seed)
    events = [event.replace(b"\n", b"\r\n") for event, _ in plain.units]
    units = [(b"\n" + event[:-1], line) for event, (_, line) in zip(events, plain.units, strict=True)]
    return Wire([(units[0][0][1:], units[0][1]), *units[1:], (b"\n", b"")])


def re_encoded(count: int, seed: int) -> Wire:
    """NDJSON in, each value encoded anew and framed."""
    units = []
    for line in ollama_chat_lines(count, seed):
        text = json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":"))
        units.append((line, f"data: {text}\n\n".encode()))
    return Wire(units)


def untouched(count: int, seed: int, *, size: int = 1) -> Wire:
    """Bytes in, the same bytes out; every `size` bytes are determined when they are there."""
    data = b"".join(openai_chat_events(count, seed))
    whole = len(data) // size * size
    units = [(data[start : start + size],) * 2 for start in range(0, whole, size)]
    return Wire([*units, (data[whole:], b"")], tail=data[whole:])


def whole_lines(count: int, seed: int) -> Wire:
    """Lines in, the same lines out."""
    return Wire([(line, line) for line in ollama_chat_lines(count, seed)])


def whole_events(count: int, seed: int) -> Wire:
    """SSE events in, the same events out."""
    return Wire([(event, event) for event in openai_chat_events(count, seed)])


def converted(count: int, seed: int, *, is_usage_asked: bool = True) -> Wire:
    """One answer of Ollama's in, OpenAI's chunks out: one for each token, before the first the one with the role."""
    words = tokens(count, seed)
    *lines, last = ollama_answer(words)
    outputs = [_chunk([_choice({"content": word})]) for word in words]
    outputs[0] = _chunk([_choice({"role": "assistant", "content": ""})]) + outputs[0]
    total = ANSWER_PROMPT_TOKENS + ANSWER_TOKENS
    usage = {
        "prompt_tokens": ANSWER_PROMPT_TOKENS,
        "completion_tokens": ANSWER_TOKENS,
        "total_tokens": total,
    }
    counted = _chunk([], usage=usage) if is_usage_asked else b""
    closing = _chunk([_choice({}, "stop")]) + counted + b"data: [DONE]\n\n"
    return Wire([*zip(lines, outputs, strict=True), (last, closing)])


def anthropic_to_ollama(count: int, seed: int, *, created_at: str) -> Wire:
    """One answer of Anthropic's in, a line of Ollama's out for each token, and one with the counts at the end."""
    words = tokens(count, seed)
    usage = {"input_tokens": ANSWER_PROMPT_TOKENS, "output_tokens": 1}
    message = {"id": "msg_0", "type": "message", "role": "assistant", "model": ANSWER_MODEL, "content": []}
    ends = {"stop_reason": None, "stop_sequence": None}
    opening = [
        _event("message_start", message={**message, **ends, "usage": usage}),
        _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ]
    head = {"model": ANSWER_MODEL, "created_at": created_at}
    lines = [_line({**head, "message": {"role": "assistant", "content": word}, "done": False}) for word in words]
    counts = {"prompt_eval_count": ANSWER_PROMPT_TOKENS, "eval_count": ANSWER_TOKENS}
    end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    closing = [
        _event("content_block_stop", index=0),
        _event("message_delta", delta={**ends, "stop_reason": "end_turn"}, usage={"output_tokens": ANSWER_TOKENS}),
    ]
    return Wire(
        [
            *((event, b"") for event in opening),
            *zip(anthropic_text_deltas(count, seed), lines, strict=True),
            *((event, b"") for event in closing),
            (_event("message_stop"), _line({**head, **end, **counts})),
        ]
    )


def openai_to_anthropic(count: int, seed: int) -> Wire:
    """One answer of OpenAI's in, Anthropic's events out: one for each token, with the rest where it is known."""
    words = tokens(count, seed)
    usage = {"prompt_tokens": ANSWER_PROMPT_TOKENS, "completion_tokens": ANSWER_TOKENS}
    message = {"model": ANSWER_MODEL, "id": "chatcmpl-0", "type": "message", "role": "assistant", "content": []}
    ends = {"stop_reason": None, "stop_sequence": None}
    started = _event("message_start", message={**message, **ends, "usage": {"input_tokens": 0, "output_tokens": 0}})
    deltas = [_event("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in words]
    deltas[0] = _event("content_block_start", index=0, content_block={"type": "text", "text": ""}) + deltas[0]
    counted = {"input_tokens": ANSWER_PROMPT_TOKENS, "output_tokens": ANSWER_TOKENS}
    end = _event("message_delta", delta={**ends, "stop_reason": "end_turn"}, usage=counted) + _event("message_stop")
    return Wire(
        [
            (_chunk([_choice({"role": "assistant", "content": ""})]), started),
            *((_chunk([_choice({"content": word})]), delta) for word, delta in zip(words, deltas, strict=True)),
            (_chunk([_choice({}, "stop")]), _event("content_block_stop", index=0)),
            (_chunk([], usage=usage), b""),
            (b"data: [DONE]\n\n", end),
        ]
    )


def answer_text(count: int, seed: int) -> Wire:
    """One answer of Ollama's in, its text out, and a line end after it."""
    words = tokens(count, seed)
    *lines, last = ollama_answer(words)
    end = b"" if words[-1].endswith("\n") else b"\n"
    return Wire([*((line, word.encode()) for line, word in zip(lines, words, strict=True)), (last, b"")], tail=end)


def _line(record: dict[str, object]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _event(kind: str, **more: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + _line({"type": kind, **more}) + b"\n"


def _choice(delta: dict[str, str], reason: str | None = None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _chunk(choices: list[dict[str, object]], **more: object) -> bytes:
    head = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": ANSWER_CREATED, "model": ANSWER_MODEL}
    text = json.dumps({**head, "choices": choices, **more}, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
