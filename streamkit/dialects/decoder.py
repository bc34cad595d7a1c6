"""What all dialects' decoders share: framing, start and end, repairs, and a word on streams of another dialect.

A dialect's decoder is a subclass that says what one record means (`take`). It repairs what real servers get wrong and
notes it in `repairs`; with `strict=True` it refuses instead. A record that it does not know becomes a `Raw`.

A stream that ends without its terminator ends in an `Error` of type "truncated", also when it ends inside a record. A
record that cannot be decoded is a `DecodeError`, as for every stage.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from streamkit.codecs.jsontext import decode_checked
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES
from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.stage import Stage
from streamkit.dialects.events import End, Error, Event, Ping, Raw, Start
from streamkit.dialects.framing import DONE, FRAMINGS
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts
from streamkit.errors import ConfigError, DecodeError, TruncatedError, excerpt_of

__all__ = ["Decoder", "RecordError", "Repair", "count_of", "framing_of", "list_of", "object_of", "text_of"]

HEAD_BYTES: Final = 1024
"""How much of the input is kept until its first known record, to say what it looks like."""

TRUNCATED: Final = "truncated"


class Repair(msgspec.Struct):
    """Something that the sender got wrong and that was put right.

    Attributes:
        code: a stable word for machines.
        message: what was wrong the first time, for people.
        count: how often it happened.
    """

    code: str
    message: str
    count: int = 1


class RecordError(ValueError):
    """A record that is not what its dialect says; it becomes a `DecodeError` with this code."""

    def __init__(self, message: str, code: str = "bad-field") -> None:
        super().__init__(message)
        self.code = code


def text_of(record: Mapping[str, Any], key: str) -> str:
    """Return the string under `key`; empty where there is none, or null.

    Raises:
        RecordError: there is something else.
    """
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        msg = f"{key} is not a string"
        raise RecordError(msg)
    return value


def count_of(record: Mapping[str, Any], key: str) -> int | None:
    """Return the integer under `key`; None where there is none, or null.

    Raises:
        RecordError: there is something else.
    """
    value = record.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    msg = f"{key} is not an integer"
    raise RecordError(msg)


def object_of(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the object under `key`; an empty one where there is none, or null.

    Raises:
        RecordError: there is something else.
    """
    value = record.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        msg = f"{key} is not an object"
        raise RecordError(msg)
    return value


def list_of(record: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list under `key`; an empty one where there is none, or null.

    Raises:
        RecordError: there is something else.
    """
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        msg = f"{key} is not a list"
        raise RecordError(msg)
    return value


def framing_of(dialect: str, framings: tuple[str, ...], framing: str | None) -> str:
    """Return the framing to use: the one asked for, or the dialect's own.

    Raises:
        ConfigError: the dialect does not come in that framing.
    """
    if framing is None:
        return framings[0]
    if framing not in framings:
        msg = f"{dialect} comes as {' or '.join(framings)}, not as {framing!r}"
        raise ConfigError(msg)
    return framing


class Decoder(Stage[bytes, Event]):
    """Bytes to neutral events. An event leaves in the `feed` that completes its record.

    Attributes:
        repairs: what was put right so far, one entry for each kind.
        over: whether `End` or `Error` has come out; records after that are dropped.
    """

    name: ClassVar[str]
    """The dialect's."""
    framings: ClassVar[tuple[str, ...]]
    """The framings that the dialect comes in; the first is its own."""
    terminator: ClassVar[str]
    """What ends a stream, for people."""

    def __init__(
        self,
        *,
        framing: str | None = None,
        strict: bool = False,
        max_record_bytes: int | None = DEFAULT_LIMIT_BYTES,
    ) -> None:
        """Make a decoder.

        Args:
            framing: which of the dialect's framings; None for its own.
            strict: refuse what would be repaired.
            max_record_bytes: the longest record; None lifts the limit.

        Raises:
            ConfigError: an option is out of range.
        """
        self.framing = framing_of(self.name, self.framings, framing)
        self.strict = strict
        self._reader: Stage[bytes, Any] = FRAMINGS[self.framing].reader(self._take, self._comment, max_record_bytes)
        self._begin()

    def _begin(self) -> None:
        """Set the state of a new stream; a subclass adds its own."""
        self.repairs: list[Repair] = []
        self.over = False
        self.started = False
        self.first = Parts()
        self.choices: dict[int, Parts] = {}
        self._head = b""
        self._unknown = False

    @property
    def dialect(self) -> str:
        """The dialect's name."""
        return self.name

    def reset(self) -> None:
        super().reset()
        self._reader.reset()
        self._begin()

    def feed(self, data: bytes, /) -> list[Event]:
        if self._closed is not None:
            self._check_open()
        if not self.started and len(self._head) < HEAD_BYTES:
            self._head = (self._head + data[:HEAD_BYTES])[:HEAD_BYTES]
        try:
            return self._reader.feed(data)
        except DecodeError as error:
            raise self._fail(self._explained(error), error.items) from None

    def finish(self) -> list[Event]:
        if self._closed is not None:
            return []
        # Not the terminator's own text: a reader that searches the wire for `[DONE]` would find it in the error.
        reason = "the stream ends without its terminator"
        try:
            out: list[Event] = self._reader.finish()
            is_cut = isinstance(self._reader, SSEDecoder) and self._reader.dropped_bytes > 0
        except TruncatedError as cut:
            out = [*cut.items]  # type: ignore[list-item]  # they are the reader's events
            reason = str(cut)
            is_cut = True
        except DecodeError as bad:
            raise self._fail(self._explained(bad), bad.items) from None
        super().finish()
        if self.over and is_cut:
            try:
                self._after_end()
            except RecordError as refused:
                error = DecodeError(str(refused), stage=self.name, record=None, offset=None, code=refused.code)
                raise self._fail(error, out) from None
        if not self.over and not is_cut:
            self.at_end(out)
        if not self.over and not self.started and self._is_another():
            wrong = f"no record of {self.name} in the input{self._looks_like()}"
            shown = excerpt_of(self._head)
            none = DecodeError(wrong, stage=self.name, record=1, offset=0, excerpt=shown, code="wrong-dialect")
            raise self._fail(none, out)
        if not self.over:
            self.error(out, reason if self._head else "the input is empty", TRUNCATED)
        return out

    @abstractmethod
    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        """Append to `out` what one record means; never called after the end.

        Args:
            value: the record's JSON value, or `DONE`; where the framing is plain text, the text.
            name: the SSE event's type, "message" where it has none.
            raw: the record as it came.
            out: where the events go.

        Raises:
            ValueError: the record is not one of the dialect.
        """

    def at_end(self, out: list[Event]) -> None:
        """Take the end of the input, unless it cuts a record; for dialects where it is the terminator, or may be."""

    # What `take` is made of

    def choice(self, index: int) -> Parts:
        """Return the parts of one choice."""
        parts = self.choices.get(index)
        if parts is None:
            parts = self.choices[index] = Parts(index) if index else self.first
        return parts

    def start(
        self,
        out: list[Event],
        message_id: str = "",
        model: str = "",
        *,
        role: str = "assistant",
        created_ns: int | None = None,
        extra: Extra = NO_EXTRA,
    ) -> None:
        """Begin the answer; only the first time counts."""
        if not self.started:
            self.started = True
            out.append(Start(message_id, model, role, self.name, created_ns, extra=extra))

    def repair(self, code: str, message: str) -> None:
        """Note that something was put right.

        Raises:
            RecordError: the decoder is strict.
        """
        if self.strict:
            raise RecordError(message, code)
        for repair in self.repairs:
            if repair.code == code:
                repair.count += 1
                return
        self.repairs.append(Repair(code, message))

    def unknown(self, out: list[Event], name: str, raw: str | bytes) -> None:
        """Pass on a record that the dialect does not know.

        Raises:
            RecordError: it is the first record, and it looks like another dialect's.
        """
        text = raw if isinstance(raw, str) else raw.decode()
        if not self.started:
            from streamkit.dialects.sniff import dialect_of  # it knows all dialects, and so imports this module

            # Of this record alone, not of what else is there: how the input is cut must change nothing.
            other = dialect_of(decode_checked(text.encode()), name)
            if other not in {None, self.name}:
                msg = f"this is not {self.name}: it looks like {other}"
                raise RecordError(msg, "wrong-dialect")
        self._unknown = True
        out.append(Raw(self.name, "" if name == "message" else name, text))

    def end(self, out: list[Event]) -> None:
        """Take the terminator: finish what has not finished, and end."""
        if not self.started:
            self.repair("no-start", f"{self.terminator} came before any other record")
            self.start(out)
        self.choice(min(self.choices, default=0))
        for parts in self.choices.values():
            if not parts.finished:
                self.repair("no-finish", f"{self.terminator} came, but no reason why the model stopped")
                parts.finish(out, "stop")
        self.over = True
        out.append(End())

    def error(
        self, out: list[Event], message: str, error_type: str = "", code: str = "", status: int | None = None
    ) -> None:
        """End in an error; the fields are those of `Error`."""
        self.over = True
        self.first.current = self.first.kind = None  # the part stays open, but no shortcut may go on with it
        out.append(Error(message, error_type, code, status))

    # What the framing calls

    def _take(self, value: object, raw: str | bytes, name: str = "message", /) -> Sequence[Event]:
        out: list[Event] = []
        if self.over:
            if value is not DONE:
                self._after_end()
            return out
        self.take(value, name, raw, out)
        return out

    def _after_end(self) -> None:
        self.repair("after-end", "a record came after the end of the stream; it was dropped")

    def _comment(self, text: str) -> list[Event]:
        return [] if self.over else [Ping(text)]

    def _explained(self, error: DecodeError) -> DecodeError:
        """Return the error, with what the stream looks like if nothing of this dialect has come."""
        error.stage = self.name
        if not self.started and error.code not in {"wrong-dialect", "limit"}:
            error.hint = self._looks_like()
        return error

    def _is_another(self) -> bool:
        """Whether a stream of which nothing was understood is another dialect's, rather than cut early."""
        from streamkit.dialects.sniff import framing_in

        return self._unknown or bool(self._looks_like()) or framing_in(self._head) not in {None, self.framing}

    def _looks_like(self) -> str:
        from streamkit.dialects.sniff import guess

        found = guess(self._head)
        own = self.name if self.framing == self.framings[0] else f"{self.name}/{self.framing}"
        return f": it looks like {found}" if found and found != own else ""
