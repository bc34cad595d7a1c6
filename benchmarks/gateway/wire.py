"""What upstream and client of the gateway questions say to each other: a chat request, and a stream of small records.

`PASSED` is a stream of OpenAI's events, for whatever passes bytes on: an event is 155 bytes. `RECORDS` is one of
Ollama's chat, about 130 bytes a record, passed on likewise, and `CONVERTED` the same stream for a client that asks for
OpenAI's events and gets them. Each record carries its number, so that one that comes again is not taken for the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = [
    "CONVERTED",
    "EVENT_BYTES",
    "HEAD",
    "LAST_CHUNK",
    "PASSED",
    "RECORDS",
    "REQUEST",
    "Talk",
    "chunk",
    "event",
    "record",
    "request",
]

EVENT_BYTES: Final = 155
BODY: Final = json.dumps({"model": "mock", "stream": True, "messages": [{"role": "user", "content": "benchmark"}]})
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LINES_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK: Final = b"0\r\n\r\n"
EVENT: Final = (
    'data: {"id":"chatcmpl-%08d","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
)
PADDING: Final = "x" * (EVENT_BYTES - len(EVENT % (0, "")))
RECORD: Final = (
    '{"model":"mock","created_at":"2026-01-01T00:00:00.123456789Z","message":{"role":"assistant","content":" n%08d"},'
    '"done":false}\n'
)
CLOSING: Final = (
    '{"model":"mock","created_at":"2026-01-01T00:00:00.123456789Z","message":{"role":"assistant","content":""},'
    '"done":true,"done_reason":"stop","total_duration":5,"prompt_eval_count":9,"eval_count":20}\n'
)


def request(path: str) -> bytes:
    """A chat request for this path; OpenAI and Ollama both take its body."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
    ).encode()


REQUEST: Final = request("/v1/chat/completions")


def event(number: int) -> bytes:
    """The event with this number."""
    return (EVENT % (number, PADDING)).encode()


def record(number: int) -> bytes:
    """Ollama's record with this number."""
    return (RECORD % number).encode()


def chunk(payload: bytes) -> bytes:
    """A payload as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said at both ends of a path.

    Attributes:
        request: what the client sends.
        path: where the upstream is asked.
        head: what it answers first.
        record: the record with this number, as the upstream sends it in a chunk.
        mark: what of that record is found at the client's end, however it is written there.
        end: what follows the mark when the client has the whole record.
        marker: what all marks, and nothing else, have in common.
        closing: the upstream's record behind the last, or empty where there is none.
    """

    request: bytes
    path: str
    head: bytes
    record: Callable[[int], bytes]
    mark: Callable[[int], bytes]
    end: bytes
    marker: str
    closing: bytes = b""


def quoted(number: int) -> bytes:
    """The text of the record with this number: the same in Ollama's JSON and in OpenAI's."""
    return b'" n%08d"' % number


PASSED: Final = Talk(REQUEST, "/v1/chat/completions", HEAD, event, event, b"", "chatcmpl-")
RECORDS: Final = Talk(request("/api/chat"), "/api/chat", LINES_HEAD, record, quoted, b"\n", '" n0', CLOSING.encode())
CONVERTED: Final = Talk(REQUEST, "/api/chat", LINES_HEAD, record, quoted, b"\n\n", '" n0', CLOSING.encode())
