"""Credentials that have got into a wire log: found by the names of headers and parameters, and by their values. Pure.

A read may begin in the middle of a header. So the values of secret headers are taken from the heads, which are whole,
and are replaced wherever they stand: in bytes, in sentences, and in facts. So are those of all headers that somebody
gave for the run: what is in them nobody but them can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from streamkit.contract.results import Result
from streamkit.contract.trace import Event, Head, Trace
from streamkit.http.redact import REDACTED, is_secret_header, redacted_headers, redacted_target

__all__ = ["Veil"]

FIELD: Final = re.compile(rb"(?m)^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,80})(:[ \t]*)([^\r\n]+)")
REQUEST_LINE: Final = re.compile(rb"(?m)^([A-Z]{3,20} )(\S+)(?= HTTP/1|\Z)")
REQUEST_LINE_TEXT: Final = re.compile(r"^([A-Z]{3,20} )(\S+)")

SHORTEST_VALUE: Final = 8
"""Below this many characters a value may stand anywhere by chance; there only its name tells."""

PLAIN: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "content-type", "user-agent"}
)
"""Names of headers that are no secret, whoever gave them."""

SHORTEST_TAIL: Final = 4
"""How much of a value has to begin a read to be known as its end."""


class Veil:
    """Replaces the secrets of one case's trace."""

    def __init__(self, trace: Trace) -> None:
        values: set[str] = set()
        self._names = {name.lower() for name, _ in trace.given} - PLAIN
        for headers in (trace.given, *(head.headers for head in _heads(trace))):
            values.update(self._secrets_of(headers))
        for event in trace.events:
            if event.what == "send" and event.side == "client":
                fields = FIELD.findall(event.data)
                values.update(
                    self._secrets_of((name.decode("latin-1"), value.decode("latin-1")) for name, _, value in fields)
                )
        self._values = sorted(values, key=len, reverse=True)
        self._bytes = [(value.encode("latin-1", "replace")) for value in self._values]

    def text(self, text: str) -> str:
        """Return a sentence without them."""
        for value in self._values:
            text = text.replace(value, REDACTED)
        return text

    def value(self, value: object) -> object:
        """Return a fact without them."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (list, tuple)):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {
                str(key): REDACTED if isinstance(each, str) and self._is_secret(str(key)) else self.value(each)
                for key, each in value.items()
            }
        return value

    def data(self, data: bytes) -> bytes:
        """Return the bytes of a read or a write without them."""
        for value in self._bytes:
            data = data.replace(value, REDACTED.encode())
            if tail := _tail_at_start(data, value):
                data = REDACTED.encode() + data[tail:]
        head, blank, body = data.partition(b"\r\n\r\n")
        head = REQUEST_LINE.sub(_shown_line, head, count=1)
        return FIELD.sub(self._shown_field, head) + blank + body

    def line(self, line: str) -> str:
        """Return the first line of a head without them."""
        return self.text(REQUEST_LINE_TEXT.sub(lambda found: found[1] + redacted_target(found[2]), line))

    def headers(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return headers without them."""
        shown = redacted_headers(headers)
        return [(name, REDACTED if name.lower() in self._names else self.text(value)) for name, value in shown]

    def note(self, event: Event) -> str:
        """Return what an event says for people, without them."""
        return self.line(event.note) if event.what == "head" else self.text(event.note)

    def result(self, result: Result) -> tuple[str, dict[str, object]]:
        """Return the detail and the facts of a result without them."""
        return self.text(result.detail), {name: self._fact(name, value) for name, value in result.facts.items()}

    def _fact(self, name: str, value: object) -> object:
        return REDACTED if isinstance(value, str) and self._is_secret(name) else self.value(value)

    def _is_secret(self, name: str) -> bool:
        return is_secret_header(name) or name.lower() in self._names

    def _secrets_of(self, headers: Iterable[tuple[str, str]]) -> Iterable[str]:
        """Yield the values of secret headers; of `Bearer KEY` also the key, and of cookies what each of them holds."""
        for name, value in headers:
            if not self._is_secret(name):
                continue
            parts = [value, value.partition(" ")[2]]
            if "cookie" in name.lower():
                pairs = value.split(";")[: 1 if name.lower() == "set-cookie" else None]
                parts = [value, *(pair.partition("=")[2].strip() for pair in pairs)]
            yield from (part for part in parts if len(part) >= SHORTEST_VALUE)

    def _shown_field(self, found: re.Match[bytes]) -> bytes:
        name, value = found[1].decode("latin-1"), found[3].decode("latin-1")
        ((_, shown),) = self.headers([(name, value)])
        return found[0] if shown == value else found[1] + found[2] + shown.encode("latin-1", "replace")


def _heads(trace: Trace) -> Iterable[Head]:
    for exchange in trace.exchanges:
        yield from exchange.attempts
        yield from exchange.interim
        for head in (exchange.sent_head, exchange.head):
            if head is not None:
                yield head


def _tail_at_start(data: bytes, value: bytes) -> int:
    """Return how many bytes at the beginning are the end of a value, whose line goes on to its end there."""
    line_end = min((at for at in (data.find(b"\r"), data.find(b"\n")) if at >= 0), default=0)
    return line_end if SHORTEST_TAIL <= line_end < len(value) and value.endswith(data[:line_end]) else 0


def _shown_line(found: re.Match[bytes]) -> bytes:
    return found[1] + redacted_target(found[2].decode("latin-1")).encode("latin-1", "replace")
