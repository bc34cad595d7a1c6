"""Hides the keys that went upstream where the upstream repeats them: some servers say which key they refuse. Pure.

Of the same length, so that framing, places and times stay what they were. What is hidden is what stood in the request:
the credentials of its headers, and keys in its query. A key that is shorter than `MIN_BYTES` may be any word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final
from urllib.parse import parse_qsl

from streamkit.http.head import BadHead, RequestHead, find_end, read_request
from streamkit.http.redact import is_secret_parameter

__all__ = ["KeyMask", "hidden", "hidden_pieces", "keys_in"]

MIN_BYTES: Final = 8

BEGINNING_BYTES: Final = 4
"""A piece that ends with so much of a key's beginning may have been cut inside it."""

HEAD_BYTES: Final = 64 * 1024

BETWEEN_CHUNKS: Final = re.compile(rb"(\r\n[0-9A-Fa-f]{1,16}(?:[ \t;][^\r\n]{0,1000})?\r\n)")
"""What stands between the data of two chunks (RFC 9112, section 7.1)."""

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
    """Return data of the same length without these keys."""
    for key in keys:
        if key in data:
            data = data.replace(key, b"*" * len(key))
    return data


def hidden_pieces(pieces: Sequence[bytes], keys: Sequence[bytes]) -> list[bytes]:
    """Return what was read, cut where it was, without these keys, wherever in one these were cut: by chunks, too."""
    whole = b"".join(pieces)
    shown = _hidden_in_chunks(hidden(whole, keys), keys)
    if shown is whole:
        return [*pieces]
    ends = [*accumulate(map(len, pieces))]
    return [shown[end - len(piece) : end] for piece, end in zip(pieces, ends, strict=True)]


def _hidden_in_chunks(wire: bytes, keys: Sequence[bytes]) -> bytes:
    """Hide the keys that go on behind the end of a chunk.

    What only looks like a chunk's end, in a body without chunks, is passed over as well: that hides a key which nobody
    would have seen as one.
    """
    parts = BETWEEN_CHUNKS.split(wire)
    body = b"".join(parts[::2])
    shown = hidden(body, keys)
    if shown is body:
        return wire
    ends = [*accumulate(map(len, parts[::2]))]
    parts[::2] = [shown[end - len(data) : end] for end, data in zip(ends, parts[::2], strict=True)]
    return b"".join(parts)


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
