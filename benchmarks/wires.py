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
    ollama_answer,
    ollama_chat_lines,
    openai_chat_events,
    tokens,
)

__all__ = [
    "Wire",
    "answer_text",
    "converted",
    "frames",
    "lines_from_crlf_events",
    "lines_from_events",
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


def converted(count: int, seed: int) -> Wire:
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
    closing = _chunk([_choice({}, "stop")]) + _chunk([], usage=usage) + b"data: [DONE]\n\n"
    return Wire([*zip(lines, outputs, strict=True), (last, closing)])


def answer_text(count: int, seed: int) -> Wire:
    """One answer of Ollama's in, its text out, and a line end after it."""
    words = tokens(count, seed)
    *lines, last = ollama_answer(words)
    end = b"" if words[-1].endswith("\n") else b"\n"
    return Wire([*((line, word.encode()) for line, word in zip(lines, words, strict=True)), (last, b"")], tail=end)


def _choice(delta: dict[str, str], reason: str | None = None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _chunk(choices: list[dict[str, object]], **more: object) -> bytes:
    head = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": ANSWER_CREATED, "model": ANSWER_MODEL}
    text = json.dumps({**head, "choices": choices, **more}, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
