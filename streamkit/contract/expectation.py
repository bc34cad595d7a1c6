"""What a script means for a client that is connected directly: how much of the body each action completes. Pure.

A script is any sequence of writes, cut anywhere, legal or not. It is read here as HTTP, as strictly as a client would,
so that a proxy can be held against it: the same body as far as it goes, and an end that looks no better than this one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mockserver.script import Action, Close, Reset, Write
from streamkit.contract.content import Part
from streamkit.contract.trace import Head
from streamkit.dialects.events import End, Text
from streamkit.dialects.registry import get_dialect
from streamkit.errors import DecodeError
from streamkit.http.head import BadHead, find_end, read_response
from streamkit.http.unframe import Unframer, UntilClosed, unframer_of

__all__ = ["Expectation", "Step", "expectation_of"]

HowEnded = Literal["complete", "closed", "broken", "reset", "open"]
"""How the response ends: as its framing says; with a connection that was all its framing; anything else by FIN; by RST;
not at all, where another request may follow and nothing was promised."""


@dataclass(frozen=True)
class Step:
    """An action, and the piece of the body that it completes."""

    action: Action
    part: Part


@dataclass(frozen=True)
class Expectation:
    """What a client sees.

    Attributes:
        head: the final head; None where there is none in it.
        end: how it ends.
        problem: why the rest of it cannot be read, empty where all can.
        says_whole: whether the stream, read as its dialect, says itself that it is whole. Who has read that may end it
            well, whatever becomes of the connection.
    """

    steps: list[Step]
    head: Head | None
    end: HowEnded
    problem: str
    says_whole: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it ends as a whole response does."""
        return self.end in {"complete", "closed"}


class Reader:
    """Reads a response as it is written, piece by piece."""

    def __init__(self, dialect: str | None) -> None:
        self.head: Head | None = None
        self.problem = ""
        self.says_whole = False
        self._data = b""
        self._unframer: Unframer | None = None
        self._decoder = None
        if dialect is not None:
            row, framing = get_dialect(dialect)
            self._decoder = row.decoder(framing=framing)

    def feed(self, data: bytes) -> Part:
        """Take what is written; return what it adds to the body."""
        if self.problem:
            return Part(b"")
        self._data += data
        try:
            while self._unframer is None:
                end = find_end(self._data)
                if end < 0:
                    return Part(b"")
                self._take_head(self._data[:end])
                self._data = self._data[end:]
        except BadHead as error:
            self.problem = error.reason
            return Part(b"")
        payload, self._data = self._unframer.feed(self._data), b""
        self.problem = self._unframer.problem
        return Part(payload, self._text(payload))

    def _take_head(self, data: bytes) -> None:
        head = read_response(data, method="POST")
        if head.status >= 200:
            self.head = Head(0, f"HTTP/{head.version} {head.status} {head.reason}", head.headers)
            self._unframer = unframer_of(head.body)

    def _text(self, payload: bytes) -> str:
        if self._decoder is None or not payload:
            return ""
        try:
            events = self._decoder.feed(payload)
        except DecodeError as error:
            events = [*error.items]  # type: ignore[list-item]  # a decoder's items are events
            self.problem = str(error)
        self.says_whole = self.says_whole or any(isinstance(event, End) for event in events)
        return "".join(event.text for event in events if isinstance(event, Text))

    def end(self, last: Action | None, *, keep_alive: bool) -> HowEnded:
        """Return how it ends, with this as its last action."""
        if isinstance(last, Reset):
            return "reset"
        if self._unframer is None or self.problem:
            return "broken"
        if self._unframer.is_complete:
            return "complete"
        if keep_alive and not isinstance(last, Close):
            return "open"
        return "closed" if isinstance(self._unframer, UntilClosed) else "broken"


def expectation_of(actions: Iterable[Action], *, keep_alive: bool = False, dialect: str | None = None) -> Expectation:
    """Read a script.

    Args:
        actions: the script's.
        keep_alive: whether the connection stays open behind them.
        dialect: the upstream's, where text counts instead of bytes.
    """
    reader = Reader(dialect)
    steps = [Step(action, reader.feed(action.data) if isinstance(action, Write) else Part(b"")) for action in actions]
    last = steps[-1].action if steps else None
    return Expectation(steps, reader.head, reader.end(last, keep_alive=keep_alive), reader.problem, reader.says_whole)
