"""What is put right between the upstream's events and the client's: names, echoes of the request, and secrets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from streamkit.codecs.stage import Stage
from streamkit.dialects.events import End, Error, Event, Start
from streamkit.dialects.refusals import masked

__all__ = ["Retouch"]

TOUCHED: Final = frozenset({Start, End, Error})


class Retouch(Stage[Event, Event]):
    """Passes events on as the client's own vendor would tell them.

    Args:
        model: what the client calls the model; empty where it is called the same upstream.
        default_model: its name where the upstream names none.
        echoed: what the start of the answer repeats of the request.
        secrets: what no error may show, also where the upstream repeats it.

    Attributes:
        has_ended: whether the answer's own end has come: what comes behind it changes nothing.
    """

    name = "retouch"

    def __init__(
        self, *, model: str = "", default_model: str = "", echoed: Mapping[str, object], secrets: Sequence[str] = ()
    ) -> None:
        self._model = model
        self._default_model = default_model
        self._echoed = echoed
        self._secrets = secrets
        self.has_ended = False

    def feed(self, event: Event, /) -> list[Event]:
        """Take an event, and return it as it goes on."""
        kind = type(event)
        if kind is Start:
            return [self._start(event)]  # type: ignore[arg-type]  # it is one
        if kind is End:
            self.has_ended = True
        elif kind is Error:
            return [msgspec.structs.replace(event, message=masked(event.message, self._secrets))]  # type: ignore[attr-defined]
        return [event]

    def feed_many(self, events: Iterable[Event], /) -> list[Event]:
        """Take several at once: nearly all pass as they are."""
        return [self.feed(event)[0] if type(event) in TOUCHED else event for event in events]

    def model_of(self, model: str) -> str:
        """Return what the client calls the model that the upstream calls `model`."""
        return self._model or model or self._default_model

    def _start(self, start: Start) -> Start:
        return msgspec.structs.replace(start, model=self.model_of(start.model), extra={**start.extra, **self._echoed})
