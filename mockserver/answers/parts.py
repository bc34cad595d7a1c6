"""One part of an answer: its tokens, how many of them come, and the events that they become. Pure.

A part is planned before it is made into events: how many tokens it has is known then, and the tokens themselves are
made when their events are, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Final

from mockserver.tokens import TOKEN
from streamkit.dialects.events import Event, PartEnd, PartKind, PartStart, Reasoning, Text, ToolArgs

__all__ = ["Counted", "Part", "count_of", "known_count", "stopped", "tokens_in"]

PIECES: Final[dict[PartKind, Callable[..., Event]]] = {"text": Text, "reasoning": Reasoning, "tool": ToolArgs}
"""The event that a token of each kind of part becomes."""

Counted = tuple[Event, int]
"""An event, and how many tokens are complete with it."""

SEARCHED_TOKENS: Final = 100_000
"""How far a stop sequence is looked for: it has to be found before the first token is sent, and an answer of seeded
words may be endless."""

MAX_STOPS: Final = 100
"""How many stop sequences are looked for; the vendors allow a handful."""


@dataclass(frozen=True)
class Part:
    """One part of an answer, before it is events.

    Attributes:
        tokens: returns its tokens, perhaps more than are to come.
        count: how many are to come.
        last_length: of the last of them only so many characters; None for all.
    """

    kind: PartKind
    tokens: Callable[[], Iterator[str]]
    count: int
    last_length: int | None = None
    tool_id: str = ""
    tool_name: str = ""
    signature: str = ""

    def events(self, number: int, choice: int, done: int) -> Iterator[Counted]:
        """Yield this part's events as part `number`, with the count of the choice's tokens, of which `done` are."""
        make = PIECES[self.kind]
        yield PartStart(number, self.kind, choice=choice, tool_id=self.tool_id, tool_name=self.tool_name), done
        tokens: Iterator[str] = islice(self.tokens(), self.count)
        if self.last_length is not None:
            tokens = shortened(tokens, self.count, self.last_length)
        # Nearly all answers have one choice, and a keyword is a tenth of what an event costs.
        if choice:
            for token in tokens:
                done += 1
                yield make(number, token, choice=choice), done
        else:
            for token in tokens:
                done += 1
                yield make(number, token), done
        yield PartEnd(number, choice=choice, signature=self.signature), done


def tokens_in(text: str) -> Iterator[str]:
    """Return what `tokens_of` does, one by one: a text may be a whole file, and is answered many times at once."""
    return (match[0] for match in TOKEN.finditer(text))


def count_of(text: str) -> int:
    """Return how many tokens a text has, without having them all."""
    return sum(1 for _ in TOKEN.finditer(text))


known_count = lru_cache(maxsize=8)(count_of)
"""The same for texts that are answered again and again."""


def stopped(part: Part, stops: Iterable[str]) -> tuple[Part, str]:
    """Return the part as far as the first stop sequence to be complete, and that sequence, or the whole and ""."""
    text = "".join(islice(part.tokens(), min(part.count, SEARCHED_TOKENS)))
    wanted = [stop for stop in islice(stops, MAX_STOPS) if stop]
    found = [(at + len(stop), at, stop) for stop in wanted if (at := text.find(stop)) >= 0]
    if not found:
        return part, ""
    _, at, stop = min(found)
    return clipped(part, at), stop


def clipped(part: Part, length: int) -> Part:
    """Return the part with only its first `length` characters."""
    count = 0
    left = length
    for token in part.tokens():
        if left <= 0:
            break
        count += 1
        if len(token) >= left:
            return replace(part, count=count, last_length=left)
        left -= len(token)
    return replace(part, count=count)


def shortened(tokens: Iterator[str], count: int, last_length: int) -> Iterator[str]:
    """Yield `count` tokens, the last with only its first `last_length` characters."""
    yield from islice(tokens, count - 1)
    for token in tokens:
        yield token[:last_length]
