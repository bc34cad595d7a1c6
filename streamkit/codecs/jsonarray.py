"""One JSON array read as a stream of its elements, however it is laid out (the encoder has its own file).

Gemini streams this way without `alt=sse`: one pretty-printed array whose elements arrive over seconds. Line codecs
cannot read it (an element spans lines, a comma stands alone between two), and a JSON parser waits for the closing
bracket.

The decoder follows brackets and strings just far enough to see where an element ends; the element's bytes then go
through `streamkit.codecs.jsontext`, so what an element may be is decided in one place. Each byte is looked at once, or
twice where a read ends inside a string.

An element leaves with its last byte: the closing bracket or quote, the last letter of true, false and null. Only a
number has no last byte of its own and leaves with the byte after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Literal, TypeVar, overload

from streamkit.codecs.jsontext import decode_checked
from streamkit.codecs.lines import TooLong
from streamkit.codecs.records import (
    BOM,
    DEFAULT_LIMIT_BYTES,
    OnError,
    bad_record_error,
    check_choice,
    check_limit,
)
from streamkit.codecs.stage import BadRecord, Stage
from streamkit.errors import DecodeError, TruncatedError, excerpt_of

__all__ = ["JSONArrayDecoder"]

ElementT = TypeVar("ElementT", covariant=True)
ItemT = TypeVar("ItemT")

_SPACE = re.compile(rb"[ \t\r\n]*")
_LETTERS = re.compile(rb"[a-z]*")
_NUMBER = re.compile(rb"[-+.0-9eE]*")
# A whole string is one token, so its brackets are not seen; a lone quote is one whose string does not end in this read.
# Possessive, because sre otherwise keeps 60 bytes for each escape in case it has to go back.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)

LITERAL_BYTES: Final = {b"t": 4, b"f": 5, b"n": 4}

State = Literal["before", "first", "value", "container", "string", "literal", "number", "after", "end"]

EXPECTED: Final[dict[State, str]] = {
    "before": "the array's '['",
    "first": "a value or ']'",
    "value": "a value",
    "after": "',' or ']'",
    "end": "nothing more after the array",
}


class JSONArrayDecoder(Stage[bytes, ElementT], Generic[ElementT]):
    """Bytes of one array to its elements: decoded values, or with `raw=True` the bytes of each.

    What is wrong inside an element is that element's error, and `on_error="item"` goes on after it. What is wrong
    between elements (a missing comma, no `[` at the start, anything after the `]`) always raises: there is nothing to
    go on from.
    """

    name = "json-array"

    @overload
    def __init__(
        self: JSONArrayDecoder[object],
        *,
        max_record_bytes: int | None = ...,
        raw: Literal[False] = ...,
        on_error: OnError = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: JSONArrayDecoder[bytes],
        *,
        max_record_bytes: int | None = ...,
        raw: Literal[True],
        on_error: Literal["raise"] = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: JSONArrayDecoder[bytes | BadRecord],
        *,
        max_record_bytes: int | None = ...,
        raw: Literal[True],
        on_error: OnError,
    ) -> None: ...

    @overload
    def __init__(
        self: JSONArrayDecoder[ItemT | BadRecord],
        *,
        convert: Callable[[object, bytes], Sequence[ItemT]],
        max_record_bytes: int | None = ...,
        on_error: OnError = ...,
    ) -> None: ...

    def __init__(
        self,
        *,
        max_record_bytes: int | None = DEFAULT_LIMIT_BYTES,
        raw: bool = False,
        on_error: OnError = "raise",
        convert: Callable[[object, bytes], Sequence[object]] | None = None,
    ) -> None:
        """Make a decoder.

        Args:
            max_record_bytes: the longest element; None lifts the limit. White space between elements is free.
            raw: yield each element's bytes instead of its value.
            on_error: "raise" a bad element's error and stop, or yield a `BadRecord` "item" in its place and go on.
            convert: called with each element's value and its bytes, while its place in the stream is known; its
                result's items are yielded instead of the element. A ValueError that it raises is the element's
                `DecodeError`.

        Raises:
            ConfigError: an option is out of range.
        """
        check_choice(on_error, "on_error", ("raise", "item"))
        self._limit_bytes = check_limit(max_record_bytes, "max_record_bytes")
        self._raw = raw
        self._on_error = on_error
        self._convert = convert
        self._start()

    def _start(self) -> None:
        self._state: State = "before"
        self._end = 0  # bytes that have come before this read
        self._bom_bytes = 0
        self._element = bytearray()
        self._element_start = 0
        self._element_bytes = 0  # of them, more than held once the element is over the limit
        self._literal_bytes = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._elements = 0

    @property
    def is_inside(self) -> bool:
        """Whether what has come ends inside an element."""
        return self._state not in EXPECTED

    def feed(self, data: bytes, /) -> list[ElementT]:
        if self._closed is not None:
            self._check_open()
        out: list[Any] = []
        at = 0
        while at < len(data):
            if self._state in EXPECTED:
                at = self._between(data, at, out)
                continue
            stop = self._inside(data, at)
            self._hold(data[at:stop], out)
            if self._is_complete(data, stop):
                self._complete(out)
            at = stop
        self._end += len(data)
        return out

    def finish(self) -> list[ElementT]:
        if self._closed is not None:
            return []
        super().finish()
        if self._state == "end":
            return []
        inside = self._state not in EXPECTED
        is_counted = inside and self._element_bytes > self._limit_bytes
        held = self._element_bytes if inside else 0
        where = "inside an element" if inside else f"where the array has {EXPECTED[self._state]} to come"
        raise self._fail(
            TruncatedError(
                f"the input ends {where}",
                dropped_bytes=held,
                stage=self.name,
                record=self._elements if is_counted else self._elements + 1,
                offset=self._end,
                excerpt=excerpt_of(self._element, len(self._element)),
            )
        )

    def reset(self) -> None:
        super().reset()
        self._start()

    def _between(self, data: bytes, at: int, out: list[Any]) -> int:
        """Take the white space at `at` and the byte after it; return the place of the next byte to be looked at."""
        at = _SPACE.match(data, at).end()  # type: ignore[union-attr]  # the pattern matches anywhere
        if at == len(data):
            return at
        byte = data[at : at + 1]
        place = self._end + at
        if self._state == "before" and place == self._bom_bytes < len(BOM) and byte[0] == BOM[place]:
            self._bom_bytes += 1
            return at + 1
        if self._state == "before" and byte == b"[" and self._bom_bytes in {0, len(BOM)}:
            self._state = "first"
        elif self._state in {"first", "after"} and byte == b"]":
            self._state = "end"
        elif self._state == "after" and byte == b",":
            self._state = "value"
        elif self._state in {"first", "value"} and byte in b'{["tfn-0123456789':
            self._begin(byte, place)
            return at  # the byte is the element's first
        else:
            raise self._fail(
                DecodeError(
                    f"invalid JSON array: expected {EXPECTED[self._state]}",
                    code="invalid-json",
                    stage=self.name,
                    record=self._elements + 1,
                    offset=place,
                    excerpt=excerpt_of(byte),
                ),
                out,
            )
        return at + 1

    def _begin(self, byte: bytes, place: int) -> None:
        self._element_start = place
        self._element_bytes = 0
        self._literal_bytes = LITERAL_BYTES.get(byte, 0)
        if byte in b"{[":
            self._state = "container"
        elif byte == b'"':
            self._state = "string"
        else:
            self._state = "literal" if self._literal_bytes else "number"

    def _inside(self, data: bytes, at: int) -> int:
        """Return where the element's bytes in `data[at:]` end, following strings and brackets."""
        if self._state == "number":
            return _NUMBER.match(data, at).end()  # type: ignore[union-attr]  # the pattern matches anywhere
        if self._state == "literal":
            letters = _LETTERS.match(data, at).end()  # type: ignore[union-attr]  # the pattern matches anywhere
            return min(letters, at + self._literal_bytes - self._element_bytes)
        while at < len(data):
            if self._in_string:
                at = self._string(data, at)
                if not self._in_string and self._state == "string":
                    return at
                continue
            token = _TOKEN.search(data, at)
            if token is None:
                return len(data)
            at = token.end()
            first_byte = token[0][0]
            if first_byte == ord('"'):
                self._in_string = len(token[0]) == 1
                if self._state == "string" and not self._in_string:
                    return at
            elif first_byte in b"[{":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    return at
        return at

    def _string(self, data: bytes, at: int) -> int:
        """Follow a string that began earlier; return where it, or the data, ends."""
        if self._escaped:
            self._escaped = False
            return at + 1
        at = _REST_OF_STRING.match(data, at).end()  # type: ignore[union-attr]  # the pattern matches anywhere
        if at == len(data):
            return at
        self._in_string = data[at] != ord('"')
        self._escaped = self._in_string  # then it is the backslash that ends this read
        return at + 1

    def _hold(self, piece: bytes, out: list[Any]) -> None:
        was_over = self._element_bytes > self._limit_bytes
        self._element_bytes += len(piece)
        if was_over:
            return
        self._element += piece
        if self._element_bytes > self._limit_bytes:
            self._elements += 1
            start, end = self._element_start, self._limit_bytes
            shown = bytes(self._element[:end])
            self._element = bytearray()
            error = TooLong(start + end, excerpt_of(shown, end), self._element_bytes)
            self._bad(error.error(end, self.name, self._elements), out)

    def _is_complete(self, data: bytes, stop: int) -> bool:
        if self._state == "number":
            return stop < len(data)
        if self._state == "literal":
            return stop < len(data) or self._element_bytes == self._literal_bytes
        return self._depth == 0 and not self._in_string

    def _complete(self, out: list[Any]) -> None:
        self._state = "after"
        if self._element_bytes > self._limit_bytes:
            return
        element = bytes(self._element)
        self._element = bytearray()  # gives the memory back before the element is decoded
        self._elements += 1
        try:
            value = decode_checked(element)
            if self._convert is None:
                out.append(element if self._raw else value)
            else:
                out += self._convert(value, element)
        except ValueError as error:
            start = self._element_start
            self._bad(bad_record_error(error, element, stage=self.name, number=self._elements, start=start), out)
        except Exception:
            self._closed = "its convert function has failed"  # elements are lost: nothing may follow as if none were
            raise

    def _bad(self, error: DecodeError, out: list[Any]) -> None:
        if self._on_error == "raise":
            raise self._fail(error, out)
        out.append(BadRecord(error))
