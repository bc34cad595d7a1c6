"""Which dialect a stream is, from its first records.

The framing shows in the first bytes, the dialect in the first record. Some first records are two dialects' at once
(`{"type":"start"}` begins Vercel's streams and agent-poc's): then the next record decides, and until it comes nothing
is decoded. Such records carry no text, so no text waits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from streamkit.codecs.records import BOM, DEFAULT_LIMIT_BYTES, check_limit
from streamkit.codecs.stage import Stage
from streamkit.dialects.decoder import TRUNCATED, Decoder, Repair
from streamkit.dialects.events import Error, Event
from streamkit.dialects.framing import DONE, FRAMINGS
from streamkit.errors import DecodeError, LimitExceeded, excerpt_of

__all__ = ["AutoDecoder", "Sniffer", "dialect_of", "guess"]

SSE_FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")

PAGES: Final = (b"<!doctype html", b"<html")
"""How an HTML page begins, in lower case: what a gateway says that has no model behind it."""

LONGEST_PAGE: Final = 14

MAX_UNDECIDED: Final = 8
"""After so many records the first of the dialects that are still possible is taken."""


def framing_in(head: bytes) -> str | None:
    """Return the framing of a stream that begins with `head`, or None if it is too short to tell."""
    if head and BOM.startswith(head) and head != BOM:
        return None
    head = head.removeprefix(BOM).lstrip()
    page = head[:LONGEST_PAGE].lower()
    if page.startswith(PAGES):
        return "html"
    if head.startswith((b"{", b"[")):
        return "ndjson" if head[:1] == b"{" else "json-array"
    if head.startswith(SSE_FIELDS):
        return "sse"
    if any(name.startswith(page) for name in (*SSE_FIELDS, *PAGES)):
        return None
    return "text"


class Sniffer:
    """Looks at a stream until it knows the dialect.

    Attributes:
        found: the dialect, with its framing where that is not its own (`gemini/json-array`), or None so far.
        why_not: why `found` is only what is left, and no dialect that was recognised; empty otherwise.
    """

    def __init__(self, max_record_bytes: int | None = DEFAULT_LIMIT_BYTES) -> None:
        from streamkit.dialects.registry import DIALECTS  # every dialect's module needs this one

        self.found: str | None = None
        self.why_not = ""
        self._max_record_bytes = max_record_bytes
        self._dialects = DIALECTS
        self._candidates: list[str] = []
        self._records = 0
        self._is_known = False
        self._head = b""
        self._framing: str | None = None
        self._reader: Stage[bytes, Any] | None = None

    def feed(self, data: bytes) -> str | None:
        """Take the next bytes; return what is `found` with them."""
        if self._reader is None:
            data = self._head + data
            self._framing = framing_in(data)
            if self._framing is None:
                self._head = data.lstrip()
                return None
            if self._framing in {"text", "html"}:
                self.why_not = "" if self._framing == "text" else "this is an HTML page, not an answer"
                self.found = "text"
                return self.found
            self._candidates = [name for name, each in self._dialects.items() if self._framing in each.framings]
            self._reader = FRAMINGS[self._framing].reader(self._look, self._pass_over, self._max_record_bytes)
        if self.found is None:
            try:
                self._reader.feed(data)
            except DecodeError:
                self._decide()
        return self.found

    def let_go(self) -> None:
        """Look no further: its reader calls it, a ring that only the garbage collector would free."""
        self._reader = None

    def finish(self) -> str | None:
        """Take the end of the bytes; return the best guess, or None if there was nothing but white space."""
        if self.found is None and self._reader is not None:
            with suppress(DecodeError):
                self._reader.finish()  # there may be a last line without its end
            if self.found is None:
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
        # A record that nobody knows says nothing: the next one may.
        if len(possible) == 1 or (self._is_known and not possible) or self._records == MAX_UNDECIDED:
            self._decide()
        self._is_known = self._is_known or bool(possible)
        return []

    def _pass_over(self, comment: str) -> list[Event]:  # noqa: ARG002 - comments say nothing
        return []

    def _decide(self) -> None:
        """Take the first that is possible; as long as no record was known, none is."""
        known = self._is_known or len(self._candidates) == 1
        if not known and self._records:
            self.why_not = "the first record is of no dialect that is known"
        name = self._candidates[0] if known else "json"
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
    sniffer.let_go()
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
        self._limit_bytes = check_limit(max_record_bytes, "max_record_bytes")
        self._begin()

    def _begin(self) -> None:
        self.decoder: Decoder | None = None
        self._sniffer = Sniffer(self._max_record_bytes)
        self._held = bytearray()

    def reset(self) -> None:
        super().reset()
        self._begin()

    @property
    def found(self) -> str | None:
        return None if self._sniffer.why_not else self._sniffer.found

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
        if self._sniffer.feed(data) is not None:
            return self._decided()
        if len(self._held) > self._limit_bytes:  # white space or comments without end
            limit = self._limit_bytes
            raise self._fail(LimitExceeded(limit_bytes=limit, stage=self.name, record=1, offset=limit))
        return []

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

        if self._sniffer.why_not:
            raise self._fail(self._unrecognised())
        dialect, framing = get_dialect(self.found or "json")
        limit = self._max_record_bytes
        self.decoder = dialect.decoder(framing=framing, strict=self._strict, max_record_bytes=limit)
        held, self._held = bytes(self._held), bytearray()
        return self._run(self.decoder.feed, held)

    def _unrecognised(self) -> DecodeError:
        """Return the error of a stream that is none of ours: as an answer it would be empty, and look whole."""
        # Of the first record only, and of a page nothing: how the input is cut must change nothing.
        is_record = self._sniffer.found != "text"
        excerpt = excerpt_of(bytes(self._held).lstrip().partition(b"\n")[0]) if is_record else ""
        reason = f"{self._sniffer.why_not}; name its dialect ({self._sniffer.found} passes it on as it is)"
        return DecodeError(reason, stage=self.name, record=1, offset=0, excerpt=excerpt, code="wrong-dialect")

    def _run(self, feed: Callable[[bytes], list[Event]], data: bytes) -> list[Event]:
        try:
            return feed(data)
        except DecodeError as error:
            raise self._fail(error, error.items) from None
