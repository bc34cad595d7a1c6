"""The inputs of the benchmarks, one function a scenario, every one a pure function of its seed.

The shapes are those of the real wires; the words are drawn from a short list. Three tokens in a hundred hold
characters outside ASCII (accents, CJK, an emoji), written as UTF-8, as the servers do. tests/benchmarks checks counts,
sizes, that the standard library's json reads every record, and that the same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

__all__ = [
    "anthropic_text_deltas",
    "chunks_of",
    "json_line",
    "ollama_answer",
    "ollama_chat_lines",
    "openai_chat_events",
    "sized_ndjson",
    "tokens",
]

WORDS = (
    *(
        " the",
        " a",
        " of",
        " stream",
        " and",
        " token",
        " is",
        " that",
        " byte",
        " proxy",
        " first",
        " never",
        " holds",
    ),
    *(" model", " answer", " one", " by", " reader", " between", " to", " conversation", " unfortunately"),
    *("ing", "ed", ".", ",", "'s", ":", "\n", ' "quoted"'),
)
FOREIGN = (" café", " naïve", " über", "流", "文字", " дом", "🙂", " señor")
FOREIGN_SHARE = 0.03
ANSWER_TOKENS = 500
"""After so many tokens an answer ends, and with it comes the record with the statistics."""
ANSWER_MODEL = "llama3.2"
ANSWER_CREATED = 1_763_596_800
ANSWER_CREATED_AT = "2025-11-20T00:00:00Z"
ANSWER_PROMPT_TOKENS = 26


def tokens(count: int, seed: int) -> list[str]:
    """`count` tokens of model output, three in a hundred with characters outside ASCII."""
    chance = random.Random(seed)
    return [chance.choice(FOREIGN if chance.random() < FOREIGN_SHARE else WORDS) for _ in range(count)]


def openai_chat_events(count: int, seed: int) -> list[bytes]:
    """OpenAI chat completion chunks as SSE events, about 195 bytes each, one `data:` line an event."""
    head = (
        'data: {"id":"chatcmpl-B9MHDbslfkBeAs8l4beb","object":"chat.completion.chunk","created":1763596800,'
        '"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":'
    )
    tail = '},"finish_reason":null}]}\n\n'
    return [f"{head}{_text(token)}{tail}".encode() for token in tokens(count, seed)]


def anthropic_text_deltas(count: int, seed: int) -> list[bytes]:
    """Anthropic text deltas as SSE events: an `event:` line and a `data:` line each, about 130 bytes."""
    head = (
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
    )
    return [f"{head}{_text(token)}}}}}\n\n".encode() for token in tokens(count, seed)]


def ollama_answer(words: Sequence[str]) -> list[bytes]:
    """One answer of Ollama's chat: a line a token, about 120 bytes each, and the line with the statistics."""
    records: list[dict[str, object]] = [
        {"model": ANSWER_MODEL, "created_at": ANSWER_CREATED_AT, "message": message, "done": False}
        for message in ({"role": "assistant", "content": word} for word in words)
    ]
    counts = {"total_duration": 5, "prompt_eval_count": ANSWER_PROMPT_TOKENS, "eval_count": ANSWER_TOKENS}
    message = {"role": "assistant", "content": ""}
    last = {"model": ANSWER_MODEL, "created_at": ANSWER_CREATED_AT, "message": message, "done": True}
    records.append({**last, "done_reason": "stop", **counts})
    return [json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for record in records]


def ollama_chat_lines(count: int, seed: int) -> list[bytes]:
    """Ollama chat records as NDJSON lines, about 117 bytes each; every 500th carries the statistics of an answer."""
    chance = random.Random(seed)
    head = '{"model":"phi4","created_at":"2026-11-20T'
    middle = 'Z","message":{"role":"assistant","content":'
    lines: list[bytes] = []
    for number, token in enumerate(tokens(count, seed), start=1):
        second, milli = number % 60, chance.randrange(1000)
        stamp = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{second:02}.{milli:03}"
        if number % ANSWER_TOKENS:
            end = '"done":false}'
        else:
            end = (
                f'"done_reason":"stop","done":true,"total_duration":{chance.randrange(10**9, 10**11)},'
                f'"load_duration":{chance.randrange(10**6, 10**8)},"prompt_eval_count":{chance.randrange(1, 4096)},'
                f'"eval_count":{ANSWER_TOKENS},"eval_duration":{chance.randrange(10**9, 10**11)}}}'
            )
        lines.append(f"{head}{stamp}{middle}{_text(token)}}},{end}\n".encode())
    return lines


def sized_ndjson(size_bytes: int, seed: int) -> Iterator[bytes]:
    """About `size_bytes` of an Ollama-like stream, in blocks of whole lines; the first 2 MB come again and again."""
    block = b"".join(ollama_chat_lines(min(17_000, max(1, size_bytes // 117)), seed))
    for _ in range(max(1, round(size_bytes / len(block)))):
        yield block


def json_line(size_bytes: int, *, ascii_only: bool = True, seed: int = 1) -> bytes:
    """One JSON record of exactly `size_bytes`, without its line end: an object with one long text."""
    head, tail = b'{"text":"', b'"}'
    room = size_bytes - len(head) - len(tail)
    words = "".join(word for word in tokens(2000, seed) if not ascii_only or word.isascii())
    # What JSON would escape is left out, so that the size can be exact.
    text = words.replace("\n", " ").replace('"', " ").encode()
    body = (text * (room // len(text) + 1))[:room]
    # The cut may have hit a character; the last whole one stays.
    whole = body.decode(errors="ignore").encode()
    return head + whole.ljust(room) + tail


def chunks_of(wire: bytes, size: int) -> list[bytes]:
    """The wire in reads of `size` bytes, wherever that cuts."""
    return [wire[start : start + size] for start in range(0, len(wire), size)]


def _text(token: str) -> str:
    return json.dumps(token, ensure_ascii=False)
