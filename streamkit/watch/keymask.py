"""Hides the keys that went upstream where the upstream repeats them: some servers say which key they refuse. Pure.

Of the same length, so that framing, places and times stay what they were. What is hidden is what stood in the request:
the credentials of its headers, and keys in its query. A key that is shorter than `MIN_BYTES` may be any word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final
from urllib.parse import parse_qsl

from streamkit.http.head import BadHead, RequestHead, find_end, read_request, read_response
from streamkit.http.redact import is_secret_parameter

__all__ = ["KeyMask", "hidden", "hidden_pieces", "keys_in"]

MIN_BYTES: Final = 8

BEGINNING_BYTES: Final = 4
"""A piece that ends with so much of a key's beginning may have been cut inside it."""

HEAD_BYTES: Final = 64 * 1024

CHUNK_START: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[^\n]*\n")
"""A chunk's size and what else is in its line (RFC 9112, section 7.1)."""

KEYED: Final = re.compile(
    r"(proxy-)?authorization|.*(\A|[-_])(api[-_]?)?key|.*[-_](token|session|signature)", re.IGNORECASE
)
"""Headers whose value is a key, perhaps behind a scheme."""


def keys_in(head: RequestHead) -> list[bytes]:
    """Return the keys that a request has, as they would be repeated."""
    values = [value.strip().rpartition(" ")[2] for name, value in head.headers if KEYED.fullmatch(name)]
    query = head.target.partition("?")[2]
    values += [value for name, value in parse_qsl(query) if is_secret_parameter(name)]
    found = [value.encode("latin-1", "ignore") for value in values]
    forms = [form for key in found for form in (key, key.replace(b"/", b"\\/"))]  # the second one is JSON's
    return _longest_first(form for form in forms if len(form) >= MIN_BYTES)


def hidden(data: bytes, keys: Iterable[bytes]) -> bytes:
    """Return data of the same length without these keys, those that lie in one another included."""
    shown: bytearray | None = None
    for key in keys:
        place = data.find(key)
        while place >= 0:
            shown = shown or bytearray(data)
            shown[place : place + len(key)] = b"*" * len(key)
            place = data.find(key, place + 1)
    return data if shown is None else bytes(shown)


def hidden_pieces(pieces: Sequence[bytes], keys: Sequence[bytes], *, method: str = "GET") -> list[bytes]:
    """Return what was read of a response, cut where it was, without these keys, wherever reads or chunks cut them.

    Args:
        pieces: the reads, from the response's first byte on.
        keys: what is to be hidden.
        method: of the request.
    """
    wire = b"".join(pieces)
    spans = [*_content_of(wire, method)] if keys else []
    content = b"".join([wire[start:end] for start, end in spans])
    shown = hidden(content, keys)
    if shown is content:
        return [*pieces]
    whole, taken = bytearray(wire), 0
    for start, end in spans:
        whole[start:end] = shown[taken : taken + end - start]
        taken += end - start
    ends = [*accumulate(map(len, pieces))]
    return [bytes(whole[end - len(piece) : end]) for piece, end in zip(pieces, ends, strict=True)]


def _content_of(wire: bytes, method: str) -> Iterator[tuple[int, int]]:
    """Yield where a response says something, from place to place; what lies between says where its chunks end.

    `streamkit.http.unframe` gives the payload and not its places, which are wanted here, and this may be lenient: what
    is no chunk is looked at as it is.
    """
    body = 0
    try:
        while (end := find_end(wire[body : body + HEAD_BYTES])) >= 0:
            head = read_response(wire[body : body + end], method=method)
            body += end
            if head.status >= 200:
                break
        is_chunked = end >= 0 and head.body == "chunked"
    except BadHead:
        is_chunked = False
    if not is_chunked:
        yield 0, len(wire)
        return
    yield 0, body
    while (found := CHUNK_START.match(wire, body)) is not None and (size := int(found[1], 16)):
        end = found.end() + size
        yield found.end(), min(end, len(wire))
        body = end + len(b"\r\n")
    yield min(body, len(wire)), len(wire)


class KeyMask:
    """Hides keys in what comes piece by piece; of one that is cut, `BEGINNING_BYTES` - 1 bytes may be seen.

    Attributes:
        keys: are hidden from now on.
    """

    def __init__(self) -> None:
        self.keys: list[bytes] = []

    def learn(self, data: bytes) -> None:
        """Take what was sent upstream: where that begins with a request's head, its keys are known from now on."""
        try:
            end = find_end(data[:HEAD_BYTES])
            head = read_request(data[:end]) if end >= 0 else None
        except BadHead:
            return
        if head is not None:
            self.keys = _longest_first([*self.keys, *keys_in(head)])

    def feed(self, before: bytes, data: bytes) -> tuple[bytes, bytes]:
        """Return the data without keys, and what is to be given as `before` with what comes behind it."""
        if not self.keys:
            return data, b""
        whole = before + data
        shown = hidden(whole, self.keys)[len(before) :]
        cut = max(_begun(whole, key) for key in self.keys)
        if cut >= BEGINNING_BYTES:
            inside = min(cut, len(data))
            shown = shown[: len(data) - inside] + b"*" * inside
        return shown, whole[-(len(self.keys[0]) - 1) :]


def _begun(data: bytes, key: bytes) -> int:
    """Return how many bytes of a key's beginning the data ends with."""
    tail = data[1 - len(key) :]
    return next((size for size in range(len(tail), 0, -1) if key.startswith(tail[-size:])), 0)


def _longest_first(keys: Iterable[bytes]) -> list[bytes]:
    return sorted({*keys}, key=lambda key: (-len(key), key))
