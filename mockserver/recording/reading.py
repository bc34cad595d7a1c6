"""What a recorder understands of a response that it passes on unchanged: where it ends, and what is secret. Pure.

It reads beside and changes nothing (RFC 9112 section 6.3 says how long a body is). A response that a gateway would
refuse has no end but that of its connection.
"""

from __future__ import annotations

import re
from typing import Final

from streamkit.http.head import BadHead, find_end, read_response
from streamkit.http.unframe import Unframer, unframer_of

__all__ = ["CookieMask", "ResponseReader"]

MAX_HEAD_BYTES: Final = 1024 * 1024
"""The longest head that the end of a response is found behind."""

FINAL: Final = 200
SWITCHING_PROTOCOLS: Final = 101
"""Statuses below 200 stand before another head, but for this one, behind which is another protocol."""

SECRETS: Final = {b"set-cookie", b"set-cookie2"}

NAME_BYTES: Final = 64
"""Longer than the longest name in `SECRETS`, and than a status line up to its status."""

INTERIM: Final = re.compile(rb"HTTP/\d\.\d 1(?!01)\d\d")
"""A status after which another head follows (RFC 9110 section 15.2); after 101 follows another protocol."""

ASTERISKS: Final = bytes(code if code in b" \t\r\n" else ord("*") for code in range(256))


class ResponseReader:
    """Follows the response to one request of a given method (that to HEAD has no body) until its end.

    Attributes:
        is_complete: whether the response has come to its end.
        extra_bytes: how many bytes came after the end.
        problem: why the rest cannot be understood; empty as long as it can.
    """

    def __init__(self, method: str) -> None:
        self.is_complete = False
        self.extra_bytes = 0
        self.problem = ""
        self._method = method
        self._head = bytearray()
        self._is_kept = False
        self._has_ended = False
        self._unframer: Unframer | None = None

    @property
    def keep_alive(self) -> bool:
        """Whether the complete response leaves its connection to another one."""
        return self._is_kept and self.is_complete and not self.extra_bytes and not self._has_ended

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Never raises."""
        if self.is_complete:
            self.extra_bytes += len(data)
        elif not self.problem:
            self._take(data)

    def finish(self) -> None:
        """Take the end of the connection's input, which is the end of a response that has no other."""
        self._has_ended = True
        if self.is_complete or self.problem:
            return
        if self._unframer is None:
            self.problem = "the connection was closed before the response"
        else:
            self._unframer.finish()
            self._look(self._unframer)

    def _take(self, data: bytes) -> None:
        try:
            while self._unframer is None:
                searched = len(self._head)
                self._head += data
                end = find_end(self._head, searched)
                if end < 0:
                    if len(self._head) > MAX_HEAD_BYTES:
                        self.problem = f"its head is longer than {MAX_HEAD_BYTES} bytes"
                    return
                data = self._take_head(end)
        except BadHead as error:
            self.problem = error.reason
        else:
            self._unframer.feed(data)
            self._look(self._unframer)

    def _take_head(self, end: int) -> bytes:
        """Read the head that ends there, and return what came behind it."""
        head = read_response(bytes(self._head[:end]), method=self._method)
        data = bytes(self._head[end:])
        self._head.clear()
        if head.status >= FINAL or head.status == SWITCHING_PROTOCOLS:
            self._is_kept = head.keep_alive
            self._unframer = unframer_of(head.body)
        return data

    def _look(self, unframer: Unframer) -> None:
        self.is_complete = unframer.is_complete
        self.extra_bytes = len(unframer.excess)
        self.problem = unframer.problem


class CookieMask:
    """Replaces the values of `Set-Cookie` in the heads of a response by as many asterisks.

    So no read changes its length. White space stays. A value may be cut anywhere. Trailers are not looked at: nobody
    may take a cookie from one (RFC 9110 section 6.5.1).
    """

    def __init__(self) -> None:
        self._in_head = True
        self._is_interim = False
        self._has_status = False
        self._start: bytes | None = b""  # of the line, as long as it may be a secret's name; then None
        self._is_secret = False

    def feed(self, data: bytes) -> bytes:
        """Return the bytes to show for the next bytes of the response, as many as they are."""
        position = 0
        shown = []
        while self._in_head and position < len(data):
            end = data.find(b"\n", position) + 1 or len(data)
            shown.append(self._shown(data[position:end]))
            position = end
        return b"".join([*shown, data[position:]])

    def _shown(self, piece: bytes) -> bytes:
        """Take a line, or a part of one."""
        is_end = piece.endswith(b"\n")
        hidden_from = 0
        if self._start is not None:
            line = self._start + piece
            if is_end or b":" in line or line[0] in b" \t" or len(line) > NAME_BYTES:
                if line[0] not in b" \t":  # else it is folded, and goes on with the value of the line before it
                    hidden_from = max(line.find(b":") + 1 - len(self._start), 0)
                    self._begin_line(line)
                self._start = None
            else:
                self._start = line
                hidden_from = len(piece)
        if is_end:
            self._start = b""
        return piece[:hidden_from] + piece[hidden_from:].translate(ASTERISKS) if self._is_secret else piece

    def _begin_line(self, line: bytes) -> None:
        self._is_secret = False
        if not line.strip(b"\r\n"):
            if self._has_status:
                self._in_head = self._is_interim
            self._has_status = False
        elif self._has_status:
            name, colon, _ = line.partition(b":")
            self._is_secret = bool(colon) and name.strip().lower() in SECRETS
        else:
            self._has_status = True
            self._is_interim = INTERIM.match(line) is not None
