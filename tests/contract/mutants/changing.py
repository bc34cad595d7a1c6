# ruff: noqa: ARG002 - a hook is given whatever one of the mutants needs
"""Relays that change, lose, double or reorder what they should only pass on."""

from __future__ import annotations

import codecs
import json
import re
from typing import Final

from tests.contract.mutants.holding import Held
from tests.contract.mutants.link import Head
from tests.contract.mutants.relay import At, Same
from tests.contract.mutants.row import Changed, cases, media_type, mutant
from tests.contract.mutants.sets import ENDS, ENDS_SHOULD, LINES, WHOLE_EVENTS

__all__: list[str] = []

NEWLINE: Final = re.compile("[\n\u2028\u2029\x85]")

BLANK: Final = re.compile(rb"\n\n|\r\n\r\n|\r\r")

BOM: Final = codecs.BOM_UTF8


class OfEvents(Changed):
    """A relay that knows server-sent events, and leaves all else alone."""

    def changes(self, at: At) -> bool:
        return True

    def stage(self, at: At, response: Head) -> Same:
        return self.events() if media_type(response).startswith("text/event-stream") else Same()

    def events(self) -> Same:
        raise NotImplementedError


class WholeEvents(Held):
    """Takes events apart at blank lines, and lets each of them be changed."""

    number = 0

    def feed(self, data: bytes) -> bytes:
        searched = max(0, len(self.held) - 3)
        self.held += data
        sent = b""
        while blank := BLANK.search(self.held, searched):
            self.number += 1
            searched = 0
            sent += self.event(self.take(blank.end()))
        return sent

    def event(self, event: bytes) -> bytes:
        """Return what is sent in an event's place."""
        return event


# Text


@mutant(
    cases("flush.sse.crlf", "flush.octet", "flush.1byte", "bytes.{random,crlf,cr,unicode-newlines,no-final-newline}")
)
class TextLines(Changed):
    """Reads lines of text, as `aiter_lines` does, and writes them with line feeds."""

    def stage(self, at: At, response: Head) -> Same:
        return Lines()


class Lines(Same):
    """Decodes, and splits at everything that Python takes for a line's end."""

    def __init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.rest: list[str] = []

    def feed(self, data: bytes) -> bytes:
        lines = self.decoder.decode(data).splitlines(keepends=True)
        sent = ""
        for line in lines:
            self.rest.append(line)
            # A carriage return may be half of a line's end.
            if line.splitlines()[0] != line and not (line is lines[-1] and line.endswith("\r")):
                sent += self.take()
        return sent.encode()

    def take(self) -> str:
        lines, self.rest = "".join(self.rest).splitlines(), []
        return "".join(f"{line}\n" for line in lines)

    def finish(self) -> bytes:
        self.rest.append(self.decoder.decode(b"", final=True))
        return self.take().encode()


@mutant(cases("flush.octet", "bytes.{random,utf8-split,bom,unicode-newlines}"), is_slow=True)
class TextPieces(Changed):
    """Decodes each piece by itself as UTF-8, and encodes it again."""

    def stage(self, at: At, response: Head) -> Same:
        return Pieces()


class Pieces(Same):
    """Cut characters become U+FFFD."""

    def feed(self, data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode()


@mutant(cases("bytes.unicode-newlines"), is_slow=True)
class UnicodeNewlines(OfEvents):
    """Takes U+2028, U+2029 and U+0085 for ends of lines."""

    def events(self) -> Same:
        return Newlines()


class Newlines(Same):
    """Decodes as it should be done, and writes a line feed for each of them."""

    def __init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def feed(self, data: bytes) -> bytes:
        return NEWLINE.sub("\n", self.decoder.decode(data)).encode("utf-8", "surrogateescape")


@mutant(cases("flush.sse.crlf", "bytes.{crlf,cr}"))
class LineFeeds(OfEvents):
    """Turns CRLF, and CR, into LF."""

    def events(self) -> Same:
        return ToLF()


class ToLF(Same):
    """At once: a line feed behind a carriage return is left out when it comes."""

    was_return = False

    def feed(self, data: bytes) -> bytes:
        if not data:
            return data
        text = data[1:] if self.was_return and data.startswith(b"\n") else data
        self.was_return = data.endswith(b"\r")
        return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


@mutant(cases("bytes.bom"), is_slow=True)
class NoBOM(OfEvents):
    """Drops the byte order mark, as a parser may and a proxy may not."""

    def events(self) -> Same:
        return WithoutBOM()


class WithoutBOM(Held):
    """Looks at the first three bytes, if they may be one."""

    is_past = False

    def feed(self, data: bytes) -> bytes:
        if self.is_past:
            return data
        self.held += data
        if len(self.held) < len(BOM) and BOM.startswith(self.held):
            return b""
        self.is_past = True
        return self.finish().removeprefix(BOM)


@mutant(cases("flush.comment", "flush.mixed.{chunked,close}", "bytes.comment"))
class NoComments(OfEvents):
    """Drops comments, and so heartbeats."""

    def events(self) -> Same:
        return WithoutComments()


class WithoutComments(Same):
    """Leaves a line out that begins with a colon; holds nothing else back."""

    def __init__(self) -> None:
        self.is_start, self.is_comment = True, False

    def feed(self, data: bytes) -> bytes:
        sent = b""
        for line in data.splitlines(keepends=True):
            self.is_comment = line.startswith(b":") if self.is_start else self.is_comment
            self.is_start = line.endswith((b"\n", b"\r"))
            sent += b"" if self.is_comment else line
        return sent


# Events


@mutant(WHOLE_EVENTS | cases("bytes.{utf8-split,bom,unicode-newlines}"), is_slow=True)
class EscapedJSON(OfEvents):
    """Reads the JSON of each event and writes it anew, with escapes for all that is not ASCII."""

    def events(self) -> Same:
        return Escaped()


class Escaped(WholeEvents):
    """What is no JSON stays as it is."""

    def event(self, event: bytes) -> bytes:
        return re.sub(rb"(?m)^data: (\{.*\})$", lambda found: b"data: " + escaped(found[1]), event)


def escaped(document: bytes) -> bytes:
    try:
        return json.dumps(json.loads(document), separators=(",", ":")).encode()
    except ValueError:
        return document


@mutant(ENDS, ENDS_SHOULD)
class NoDone(OfEvents):
    """Ends at `[DONE]` without passing it on: "if chunk == '[DONE]': break"."""

    def events(self) -> Same:
        return WithoutDone()


class WithoutDone(Same):
    """Leaves the last event of a chat out, where it comes in one piece."""

    def feed(self, data: bytes) -> bytes:
        return data.replace(b"data: [DONE]\n\n", b"")


@mutant(
    WHOLE_EVENTS
    | cases("flush.sse.{cl,post}", "bytes.{event-split,event-merge,order.seq,slow-client}")
    | cases("limit.events.1e5", "bp.resume")
)
class Doubled(OfEvents):
    """Sends every 50th event twice, as one that resumes a stream from a wrong place."""

    def events(self) -> Same:
        return Twice()


class Twice(WholeEvents):
    """See there."""

    def event(self, event: bytes) -> bytes:
        return event if self.number % 50 else event * 2


@mutant(ENDS | cases("bytes.{comment,no-final-newline}"), ENDS_SHOULD)
class Reordered(OfEvents):
    """Hands the events of one read to several workers, and the last one is done first."""

    def events(self) -> Same:
        return LastFirst()


class LastFirst(Same):
    """Only where all that was read is whole events."""

    def feed(self, data: bytes) -> bytes:
        events = data.split(b"\n\n")
        if len(events) < 3 or events[-1]:
            return data
        return b"".join(event + b"\n\n" for event in reversed(events[:-1]))


@mutant(ENDS | cases("bytes.{comment,no-final-newline}"), ENDS_SHOULD, is_slow=True)
class OnlyFirst(OfEvents):
    """Takes one read for one event: of several in one read it passes on the first."""

    def events(self) -> Same:
        return First()


class First(Same):
    """Only where all that was read is whole events."""

    def feed(self, data: bytes) -> bytes:
        first, blank, rest = data.partition(b"\n\n")
        return first + blank if rest.endswith(b"\n\n") else data


@mutant(
    WHOLE_EVENTS
    | LINES
    | cases("flush.sse.{cl,crlf}", "bytes.{utf8-split,event-split,crlf,cr,bom,unicode-newlines,comment,multiline-data}")
    | cases("bytes.{no-final-newline,empty-data,id-retry,slow-client}", "bp.resume"),
    cases("limit.line.{1m,2m}"),
    is_slow=True,
)
class WholeOnly(OfEvents):
    """Drops an event that has not come whole, in one read, without a word."""

    def events(self) -> Same:
        return Whole()


class Whole(Same):
    """Passes on what is whole of each read."""

    def feed(self, data: bytes) -> bytes:
        return data[: data.rfind(b"\n\n") + 2] if b"\n\n" in data else b""


@mutant(WHOLE_EVENTS | cases("bytes.no-final-newline"), is_slow=True)
class NoUnfinished(OfEvents):
    """Drops a last event that has no blank line behind it, as a parser has to and a proxy may not."""

    def events(self) -> Same:
        return Dispatched()


class Dispatched(WholeEvents):
    """Passes on what a parser would dispatch."""

    def finish(self) -> bytes:
        return b""


@mutant(WHOLE_EVENTS | cases("bytes.multiline-data"), is_slow=True)
class LastLine(OfEvents):
    """Keeps one `data` line an event: the last."""

    def events(self) -> Same:
        return OneLine()


class OneLine(WholeEvents):
    """Each `data` overwrites the one before."""

    def event(self, event: bytes) -> bytes:
        return re.sub(rb"(?:^data:.*\n)+(?=data:)", b"", event, flags=re.MULTILINE)
