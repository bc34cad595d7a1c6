"""What the commands for answers make known of a stream: its dialect, what was repaired or lost, and its failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from streamkit.cli.edge import say
from streamkit.codecs.stage import Stage
from streamkit.dialects.convert import failure_of
from streamkit.dialects.decoder import Decoder
from streamkit.dialects.encoder import message_of
from streamkit.dialects.events import End, Error, Event, Finish
from streamkit.dialects.sniff import AutoDecoder

__all__ = ["Announce", "Failing", "say_losses"]

FAILED_REASONS = frozenset({"error", "cancelled"})
"""Reasons to stop that make the stream a failed one, also where it has its terminator."""


class Announce(Stage[Event, Event]):
    """Pass events through, and say which dialect they are in as soon as that was found out.

    Attributes:
        decoder: where they come from; set before the first event.
    """

    name = "announce"
    decoder: Decoder | AutoDecoder

    def __init__(self) -> None:
        self._is_said = False

    def feed(self, event: Event, /) -> list[Event]:
        self._say_dialect()
        return [event]

    def feed_many(self, items: Iterable[Event], /) -> list[Event]:
        self._say_dialect()
        return [*items]

    def say_rest(self) -> None:
        """Say what can be said when the stream is over: one line for each kind of repair."""
        self._say_dialect()
        for repair in self.decoder.repairs:
            times = f", {repair.count} times" if repair.count > 1 else ""
            say(f"repaired ({repair.code}{times}): {repair.message}")

    def _say_dialect(self) -> None:
        if not self._is_said and isinstance(self.decoder, AutoDecoder) and self.decoder.found is not None:
            self._is_said = True
            say(f"the input looks like {self.decoder.found}")


class Failing(Stage[Event, Event]):
    """Pass events through; after one that ends the stream without success, raise what a `Converter` would."""

    name = "failing"

    def __init__(self, decoder: Decoder | AutoDecoder) -> None:
        self._decoder = decoder
        self._failed: Finish | None = None

    def feed(self, event: Event, /) -> list[Event]:
        failure = None
        if isinstance(event, Finish):
            if event.reason in FAILED_REASONS:
                self._failed = event
        elif isinstance(event, Error):
            failure = event
        elif isinstance(event, End) and self._failed is not None:
            failure = Error(message_of(self._failed), f"finish_{self._failed.reason}")
        if failure is not None:
            raise self._fail(failure_of(failure, self._decoder.dialect), [event])
        return [event]


def say_losses(losses: Counter[str], target: str) -> None:
    """Say what `target` could not carry."""
    words = ", ".join(f"{word} {count}" for word, count in sorted(losses.items()))
    say(f"lost in {target}: {words or 'nothing'}")
