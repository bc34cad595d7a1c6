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

STEADY: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "openai-chat": (("id", "object", "created", "model", "choices"), ("id", "object", "model")),
    "openai-completions": (("id", "object", "created", "model", "choices"), ("id", "object", "model")),
    "ollama-chat": (("model", "created_at", "done"), ("model",)),
    "ollama-generate": (("model", "created_at", "done"), ("model",)),
}
"""What every record of these dialects has, and what of that is the same in all of an answer's."""

NAMED: Final = frozenset({"openai-chat", "openai-completions", "openai-responses", "anthropic"})
"""The dialects in which an answer always says its id and its model."""


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

    def unsteady(self, dialect: str) -> list[str]:
        """Return what its records do not say of the answer that they belong to, or say differently; for people."""
        name = get_dialect(dialect)[0].name
        needed, kept = STEADY.get(name, ((), ()))
        # What has no choices is of no answer: remarks of filters, say, have other ids.
        records = [
            each
            for each in self.records
            if isinstance(each, dict) and "error" not in each and each.get("choices") != []
        ]
        found = [
            f"{sum(key not in each for each in records)} of {len(records)} records have no {key!r}"
            for key in needed
            if any(key not in each for each in records)
        ]
        found += [
            f"the records of one answer have {count} different values of {key!r}"
            for key in kept
            if (count := len({repr(each[key]) for each in records if key in each})) > 1
        ]
        if name in NAMED and not found:
            message = self.message
            found += [f"the answer has no {key}" for key in ("id", "model") if not getattr(message, key)]
        if name == "openai-chat" and not _says_role(records):
            found.append("the first delta does not say whose it is: it has no 'role'")
        return found


def _delta(record: dict[str, object]) -> dict[str, object]:
    """Return what the first choice of a chat completion's record adds; empty where there is no such thing."""
    choices = record.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    delta = choice.get("delta") if isinstance(choice, dict) else None
    return delta if isinstance(delta, dict) else {}


def _says_role(records: list[dict[str, object]]) -> bool:
    """Whether chat completions say whose the text is before or with the first of it."""
    for each in records:
        delta = _delta(each)
        if delta.get("role") or delta.get("content"):
            return bool(delta.get("role"))
    return not records


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
