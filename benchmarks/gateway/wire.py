"""What upstream and client of the gateway questions say to each other: a chat request, and a stream of SSE events.

An event is 155 bytes and carries its number, so that one that comes again is not taken for the next.
"""

from __future__ import annotations

import json
from typing import Final

__all__ = ["EVENT_BYTES", "HEAD", "LAST_CHUNK", "REQUEST", "chunk", "event", "request"]

EVENT_BYTES: Final = 155
BODY: Final = json.dumps({"model": "mock", "stream": True, "messages": [{"role": "user", "content": "benchmark"}]})
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK: Final = b"0\r\n\r\n"
EVENT: Final = (
    'data: {"id":"chatcmpl-%08d","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
)
PADDING: Final = "x" * (EVENT_BYTES - len(EVENT % (0, "")))


def request(path: str) -> bytes:
    """A chat request for this path."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
    ).encode()


REQUEST: Final = request("/v1/chat/completions")


def event(number: int) -> bytes:
    """The event with this number."""
    return (EVENT % (number, PADDING)).encode()


def chunk(payload: bytes) -> bytes:
    """A payload as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)
