"""Newline-delimited JSON, read: one JSON text a line (ndjson-spec 1.0.0, JSON Lines; the encoder has its own file).

Where the two specifications and their users differ, this is what holds here:

- A record ends at LF and nowhere else. CRLF works because a CR is JSON white space; a CR inside a record stays in it.
- Lines of white space are skipped (`blank="error"` makes each an error): peers converged on it.
- The last line needs no LF. If it does not parse, the input was cut: `TruncatedError`.
- One byte-order mark is dropped at the very start, nowhere else.
- Invalid UTF-8 is an error, never replaced (an event stream does the opposite). What a JSON text may be is in
  `streamkit.codecs.jsontext`.

Not here: what the records mean. That is a dialect's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, Literal, TypeGuard, TypeVar, cast, overload

from streamkit.codecs.jsontext import SAFE_BYTES, JSONTextError, decode, decode_checked
from streamkit.codecs.lines import LineSplitter, TooLong
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

__all__ = ["NDJSONDecoder"]

WHITE_SPACE: Final = b" \t\r"

CONVERT_FAILED: Final = "its convert function has failed"  # records are lost: nothing may follow as if none were

Convert = Callable[[object, bytes], Sequence[object]]

RecordT = TypeVar("RecordT", covariant=True)
ItemT = TypeVar("ItemT")


def _are_short(lines: Sequence[bytes | TooLong]) -> TypeGuard[Sequence[bytes]]:
    """Whether no line is over the limit, and none long enough to be nested too deep."""
    try:
        return len(max(lines, key=len)) < SAFE_BYTES  # type: ignore[arg-type]
    except TypeError:  # a TooLong has no length
        return False


class NDJSONDecoder(Stage[bytes, RecordT], Generic[RecordT]):
    """Bytes to records: decoded values, or with `raw=True` the bytes of each record, without its line end.

    Both modes give the same verdict on every input, because both decode every record. A record leaves in the `feed`
    that brings its LF.
    """

    name = "ndjson"

    @overload
    def __init__(
        self: NDJSONDecoder[object],
        *,
        max_record_bytes: int | None = ...,
        raw: Literal[False] = ...,
        on_error: OnError = ...,
        blank: Literal["skip", "error"] = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: NDJSONDecoder[bytes],
        *,
        max_record_bytes: int | None = ...,
        raw: Literal[True],
        on_error: Literal["raise"] = ...,
        blank: Literal["skip", "error"] = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: NDJSONDecoder[bytes | BadRecord],
        *,
        max_record_bytes: int | None = ...,
        raw: Literal[True],
        on_error: OnError,
        blank: Literal["skip", "error"] = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: NDJSONDecoder[ItemT | BadRecord],
        *,
        convert: Callable[[object, bytes], Sequence[ItemT]],
        max_record_bytes: int | None = ...,
        on_error: OnError = ...,
        blank: Literal["skip", "error"] = ...,
    ) -> None: ...

    def __init__(
        self,
        *,
        max_record_bytes: int | None = DEFAULT_LIMIT_BYTES,
        raw: bool = False,
        on_error: OnError = "raise",
        blank: Literal["skip", "error"] = "skip",
        convert: Convert | None = None,
    ) -> None:
        """Make a decoder.

        Args:
            max_record_bytes: the longest record, without its LF; None lifts the limit.
            raw: yield the record's bytes (they are decoded all the same, for the verdict) instead of its value.
            on_error: "raise" a bad record's error and stop, or yield a `BadRecord` "item" in its place and go on. A cut
                at the end of the input is raised either way.
            blank: "skip" lines of white space, or treat each as an "error".
            convert: called with each record's value and its bytes, while its place in the stream is known; its result's
                items are yielded instead of the record. A ValueError that it raises is the record's `DecodeError`.

        Raises:
            ConfigError: an option is out of range.
        """
        check_choice(on_error, "on_error", ("raise", "item"))
        check_choice(blank, "blank", ("skip", "error"))
        self._limit_bytes = check_limit(max_record_bytes, "max_record_bytes")
        self._raw = raw
        self._on_error = on_error
        self._blank_is_error = blank == "error"
        self._convert = convert
        self._start()

    def _start(self) -> None:
        self._splitter = LineSplitter(self._limit_bytes)
        self._records = 0
        self._at_start = True

    def feed(self, data: bytes, /) -> list[RecordT]:
        if self._closed is not None:
            self._check_open()
        lines = self._splitter.split(data)
        if not lines:
            return []
        if not _are_short(lines) or (self._at_start and lines[0].startswith(BOM)):
            return self._one_by_one(lines, self._splitter.start, [])
        self._at_start = False
        has_cr = b"\r" in data or lines[0].endswith(b"\r")
        if self._convert is not None:
            if has_cr:
                return self._one_by_one(lines, self._splitter.start, [])
            return self._converted(lines, self._convert)
        # The fast way takes all lines of a read at once. It fails, with nothing done, on the first line that is not
        # surely good; then each line is looked at on its own.
        values: Iterable[object] = map(decode, lines)
        try:
            # For raw records each value is discarded at once, which keeps the allocator on the same memory: a list of
            # them would cost a quarter more.
            records = lines if self._raw else list(values)
            deque(values, maxlen=0)
        except (ValueError, RecursionError):
            return self._one_by_one(lines, self._splitter.start, [])
        self._records += len(lines)
        if self._raw and has_cr:
            records = [line.removesuffix(b"\r") for line in lines]
        return cast("list[RecordT]", records)

    def finish(self) -> list[RecordT]:
        if self._closed is not None:
            return []
        last = self._splitter.rest()
        super().finish()
        start = self._splitter.end - len(last)
        if self._splitter.dropping:
            raise self._fail(
                TruncatedError(
                    "the input ends inside a record over the limit, without its line end",
                    dropped_bytes=self._splitter.dropped_bytes,
                    stage=self.name,
                    record=self._records,
                    offset=start,
                )
            )
        if self._at_start and last.startswith(BOM):
            last = last[len(BOM) :]
            start += len(BOM)
        if not last.strip(WHITE_SPACE):  # without its LF it is not a line, and so not a blank one
            return []
        self._records += 1
        out: list[object] = []
        try:
            out += self._parse(last.removesuffix(b"\r"))
        except JSONTextError as error:
            raise self._fail(
                TruncatedError(
                    f"the input ends inside a record, of which {len(last)} bytes were there ({error.reason})",
                    dropped_bytes=len(last),
                    stage=self.name,
                    record=self._records,
                    offset=start + error.position,
                    excerpt=excerpt_of(last, error.position),
                )
            ) from None
        except ValueError as error:
            self._bad(self._error(error, last, start), out)
        return cast("list[RecordT]", out)

    def reset(self) -> None:
        super().reset()
        self._start()

    def _converted(self, lines: Sequence[bytes], convert: Convert) -> list[RecordT]:
        """Convert all lines of a read; from the first that is not surely a record, one by one."""
        out: list[object] = []
        for number, line in enumerate(lines):
            try:
                value = decode(line)
            except (ValueError, RecursionError):
                self._records += number
                start = self._splitter.start + sum(map(len, lines[:number])) + number
                return self._one_by_one(lines[number:], start, out)
            try:
                out += convert(value, line)
            except ValueError as error:
                self._records += number + 1
                start = self._splitter.start + sum(map(len, lines[:number])) + number
                self._bad(self._error(error, line, start), out)
                return self._one_by_one(lines[number + 1 :], start + len(line) + 1, out)
            except Exception:
                self._closed = CONVERT_FAILED
                raise
        self._records += len(lines)
        return cast("list[RecordT]", out)

    def _one_by_one(self, lines: Sequence[bytes | TooLong], start: int, out: list[object]) -> list[RecordT]:
        """Take lines of which the first begins at `start`, and add what comes of them to `out`."""
        for line in lines:
            size = line.size_bytes if isinstance(line, TooLong) else len(line)
            error = self._take_line(line, start, out)
            if error is not None:
                self._bad(error, out)
            start += size + 1
        return cast("list[RecordT]", out)

    def _take_line(self, line: bytes | TooLong, start: int, out: list[object]) -> DecodeError | None:
        """Put the line's items into `out`, or return what is wrong with it."""
        if isinstance(line, TooLong):
            self._records += 1
            self._at_start = False
            return line.error(self._limit_bytes, self.name, self._records)
        if self._at_start:
            self._at_start = False
            if line.startswith(BOM):
                line = line[len(BOM) :]
                start += len(BOM)
        line = line.removesuffix(b"\r")
        if not line.strip(WHITE_SPACE) and not self._blank_is_error:
            return None
        self._records += 1
        try:
            if not line.strip(WHITE_SPACE):
                msg = "a blank line, where each line should be a record"
                raise JSONTextError(msg, "blank-line", 0)
            out += self._parse(line)
        except ValueError as error:
            if isinstance(error, JSONTextError) and error.position == len(line):
                error.reason += ": a record has to be one line"
            return self._error(error, line, start)
        return None

    def _parse(self, record: bytes) -> Sequence[object]:
        value = decode_checked(record)
        if self._convert is not None:
            try:
                return self._convert(value, record)
            except ValueError:
                raise
            except Exception:
                self._closed = CONVERT_FAILED
                raise
        return (record if self._raw else value,)

    def _error(self, error: ValueError, record: bytes, start: int) -> DecodeError:
        return bad_record_error(error, record, stage=self.name, number=self._records, start=start)

    def _bad(self, error: DecodeError, out: list[object]) -> None:
        if self._on_error == "raise":
            raise self._fail(error, out)
        out.append(BadRecord(error))
