"""What a client's stream says, read as its dialect: events, broken laws, and what a strict reader refuses. Pure.

It is read leniently, so that there is something to say of all of it; what was repaired on the way is what a strict
reader would have refused, and is told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from streamkit.dialects.decoder import TRUNCATED, Repair
from streamkit.dialects.events import End, Error, Event, Finish, Text
from streamkit.dialects.framing import DONE, FRAMINGS
from streamkit.dialects.lifecycle import Lifecycle, Violation
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.dialects.registry import get_dialect
from streamkit.errors import DecodeError

__all__ = ["Told", "told"]

ONCE: Final = frozenset(
    {
        *("no-start", "second-start", "restart", "no-finish", "second-finish", "after-finish", "after-end"),
        *("no-part-start", "part-not-ended", "part-restarted", "part-repeated", "after-part", "open-at-finish"),
        *("no-block-start", "block-open", "index-reused", "no-item", "no-item-end", "item-repeated", "after-item"),
        *("no-part", "output-index-reused", "call-not-ended", "other-run", "run-ids"),
    }
)
"""The repairs of what does not begin, go on and end once."""


@dataclass
class Told:
    """What a stream says.

    Attributes:
        records: its records as JSON values, `DONE` among them; of plain text, the texts.
        events: what they mean; an end that is missing is an `Error` of type "truncated".
        said: how many of them came before the end of the body was read.
        repairs: what a strict reader refuses.
        broken: the laws that the events break.
        problem: why the rest cannot be read at all; empty where all can.
    """

    records: list[object] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    said: int = 0
    repairs: list[Repair] = field(default_factory=list)
    broken: list[Violation] = field(default_factory=list)
    problem: str = ""

    @property
    def done_marks(self) -> int:
        """How often `[DONE]` is in it."""
        return sum(1 for record in self.records if record is DONE)

    @property
    def ends(self) -> int:
        """How often it says that it is whole: by `[DONE]`, or in whatever way its dialect has."""
        return max(self.done_marks, 1) if self.has_end else 0

    @property
    def has_end(self) -> bool:
        """Whether it says that it is whole."""
        return any(isinstance(event, End) for event in self.events)

    @property
    def error(self) -> Error | None:
        """The error that it tells itself; None where there is none, or it only stops."""
        found = next(((at, event) for at, event in enumerate(self.events) if isinstance(event, Error)), None)
        if found is None:
            return None
        at, error = found
        # The reader's own word for a stream that stops is also what gateways call it when they tell it.
        return error if at < self.said or error.type != TRUNCATED else None

    @property
    def finish(self) -> Finish | None:
        """Why the model stopped, the first choice's."""
        return next((event for event in self.events if isinstance(event, Finish)), None)

    @property
    def text(self) -> str:
        """All of its text."""
        return "".join(event.text for event in self.events if isinstance(event, Text))

    @property
    def message(self) -> Message:
        """What it adds up to."""
        kept = MessageAccumulator()
        kept.feed_many(self.events)
        return kept.message

    @property
    def behind_end(self) -> list[Repair]:
        """What came behind its end, or behind its error."""
        return [each for each in self.repairs if each.code == "after-end"]

    def unruly(self) -> list[str]:
        """Return what does not begin, go on and end once, for people."""
        found = [f"{each.message} ({each.count} times)" for each in self.repairs if each.code in ONCE]
        found += [each.message for each in self.broken]
        return [self.problem, *found] if self.problem else found


def told(body: bytes | bytearray, dialect: str) -> Told:
    """Return what a body says.

    Args:
        body: as it came, whole or not.
        dialect: of the registry, with or without a framing.
    """
    row, framing = get_dialect(dialect)
    data = bytes(body)
    found = Told()

    def take(value: object, _raw: str | bytes, _name: str = "message", /) -> Sequence[Event]:
        found.records.append(value)
        return ()

    reader = FRAMINGS[framing].reader(take, lambda _: (), None)
    with suppress(DecodeError):  # the decoder tells it
        reader.feed(data)
        reader.finish()
    decoder = row.decoder(framing=framing, max_record_bytes=None)
    try:
        found.events += decoder.feed(data)
        found.said = len(found.events)
        found.events += decoder.finish()
    except DecodeError as error:
        found.events += error.items  # type: ignore[arg-type]  # a decoder's items are events
        found.problem = f"it cannot be read: {error}"
    found.repairs = decoder.repairs
    laws = Lifecycle(sequential=row.name == "anthropic")
    found.broken = [*laws.feed_many(found.events), *laws.finish()]
    if found.problem:
        found.broken = [each for each in found.broken if each.law != "truncated"]
    return found
