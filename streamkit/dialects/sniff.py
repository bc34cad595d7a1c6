"""Which dialect a stream is, from its first records.

The framing shows in the first bytes, the dialect in the first record. Some first records are two dialects' at once
(`{"type":"start"}` begins Vercel's streams and agent-poc's): then the next record decides, and until it comes nothing
is decoded. Such records carry no text, so no text waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from streamkit.codecs.records import BOM, DEFAULT_LIMIT_BYTES
from streamkit.codecs.stage import Stage
from streamkit.dialects.decoder import TRUNCATED, Decoder, Repair
from streamkit.dialects.events import Error, Event
from streamkit.dialects.framing import DONE, FRAMINGS
from streamkit.errors import DecodeError

__all__ = ["AutoDecoder", "Sniffer", "dialect_of", "guess"]

SSE_FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")

LONGEST_FIELD: Final = 6

MAX_UNDECIDED: Final = 8
"""After so many records the first of the dialects that are still possible is taken."""


def framing_in(head: bytes) -> str | None:
    """Return the framing of a stream that begins with `head`, or None if it is too short to tell."""
    head = head.removeprefix(BOM).lstrip()
    if head.startswith((b"{", b"[")):
        return "ndjson" if head[:1] == b"{" else "json-array"
    if head.startswith(SSE_FIELDS):
        return "sse"
    if len(head) < LONGEST_FIELD and any(name.startswith(head) for name in SSE_FIELDS):
        return None
    return "text"


class Sniffer:
    """Looks at a stream until it knows the dialect.

    Attributes:
        found: the dialect, with its framing where that is not its own (`gemini/json-array`), or None so far.
    """

    def __init__(self, max_record_bytes: int | None = DEFAULT_LIMIT_BYTES) -> None:
        from streamkit.dialects.registry import DIALECTS  # every dialect's module needs this one

        self.found: str | None = None
        self._max_record_bytes = max_record_bytes
        self._dialects = DIALECTS
        self._candidates: list[str] = []
        self._records = 0
        self._head = b""
        self._framing: str | None = None
        self._reader: Stage[bytes, Any] | None = None

    def feed(self, data: bytes) -> str | None:
        """Take the next bytes; return what is `found` with them."""
        if self._reader is None:
            data = self._head + data
            self._framing = framing_in(data)
            if self._framing is None or self._framing == "text":
                self._head = data
                self.found = self._framing
                return self.found
            self._candidates = [name for name, each in self._dialects.items() if self._framing in each.framings]
            self._reader = FRAMINGS[self._framing].reader(self._look, self._pass_over, self._max_record_bytes)
        if self.found is None:
            try:
                self._reader.feed(data)
            except DecodeError:
                self._decide()
        return self.found

    def finish(self) -> str | None:
        """Take the end of the bytes; return the best guess, or None if there was nothing but white space."""
        if self.found is None and self._reader is not None:
            self._decide()
        elif self.found is None and self._head.strip():
            self.found = "text"
        return self.found

    def _look(self, value: object, raw: str | bytes, name: str = "message", /) -> list[Event]:  # noqa: ARG002
        if self.found is not None or value is DONE:
            return []
        self._records += 1
        possible = [each for each in self._candidates if self._dialects[each].looks_like(value, name)]
        if possible:
            self._candidates = possible
        if len(possible) < 2 or self._records == MAX_UNDECIDED:
            if not possible and self._records == 1:
                self._candidates = []
            self._decide()
        return []

    def _pass_over(self, comment: str) -> list[Event]:  # noqa: ARG002 - comments say nothing
        return []

    def _decide(self) -> None:
        """Take the first that is possible; before the first record all are, and so none is."""
        name = self._candidates[0] if self._candidates and self._records else "json"
        is_own = self._dialects[name].framings[0] == self._framing
        self.found = name if is_own else f"{name}/{self._framing}"


def dialect_of(value: object, name: str) -> str | None:
    """Return the first dialect that a record may be of, or None if it is of none in particular."""
    from streamkit.dialects.registry import DIALECTS

    particular = (each for each in DIALECTS if each not in {"json", "text"})
    return next((each for each in particular if DIALECTS[each].looks_like(value, name)), None)


def guess(head: bytes) -> str | None:
    """Return the dialect that a stream beginning with `head` looks like, or None if it is none in particular."""
    sniffer = Sniffer()
    found = sniffer.feed(head)
    return None if found is None or found.partition("/")[0] == "json" else found


class AutoDecoder(Stage[bytes, Event]):
    """Bytes to neutral events, whatever their dialect.

    Attributes:
        found: the dialect, as in `Sniffer`, or None so far.
        decoder: its decoder, or None so far.
    """

    name = "auto"

    def __init__(self, *, strict: bool = False, max_record_bytes: int | None = DEFAULT_LIMIT_BYTES) -> None:
        """Make a decoder; the options are those of the dialects' own."""
        self._strict = strict
        self._max_record_bytes = max_record_bytes
        self._begin()

    def _begin(self) -> None:
        self.decoder: Decoder | None = None
        self._sniffer = Sniffer(self._max_record_bytes)
        self._held = b""

    def reset(self) -> None:
        super().reset()
        self._begin()

    @property
    def found(self) -> str | None:
        return self._sniffer.found

    @property
    def dialect(self) -> str:
        """The dialect's name, "auto" as long as it is not known."""
        return self.found or self.name

    @property
    def repairs(self) -> list[Repair]:
        """What the decoder has put right."""
        return [] if self.decoder is None else self.decoder.repairs

    def feed(self, data: bytes, /) -> list[Event]:
        if self._closed is not None:
            self._check_open()
        if self.decoder is not None:
            return self._run(self.decoder.feed, data)
        self._held += data
        if self._sniffer.feed(data) is None:
            return []
        return self._decided()

    def finish(self) -> list[Event]:
        if self._closed is not None:
            return []
        out: list[Event] = []
        if self.decoder is None:
            if self._sniffer.finish() is None:
                super().finish()
                return [Error("the input is empty", TRUNCATED)]
            out = self._decided()
        decoder = self.decoder
        try:
            out += decoder.finish() if decoder else []
        except DecodeError as error:
            raise self._fail(error, [*out, *error.items]) from None
        super().finish()
        return out

    def _decided(self) -> list[Event]:
        from streamkit.dialects.registry import get_dialect

        dialect, framing = get_dialect(self.found or "json")
        limit = self._max_record_bytes
        self.decoder = dialect.decoder(framing=framing, strict=self._strict, max_record_bytes=limit)
        held, self._held = self._held, b""
        return self._run(self.decoder.feed, held)

    def _run(self, feed: Callable[[bytes], list[Event]], data: bytes) -> list[Event]:
        try:
            return feed(data)
        except DecodeError as error:
            raise self._fail(error, error.items) from None
