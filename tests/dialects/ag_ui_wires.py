"""Short ways to write AG-UI's streams by hand, and to see what comes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from streamkit.dialects.ag_ui import DIALECT
from streamkit.dialects.events import (
    End,
    Event,
    Finish,
    Start,
)
from streamkit.dialects.lifecycle import Lifecycle, Violation
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.errors import DecodeError

RUN = {"threadId": "t1", "runId": "r1"}
STARTED = {"type": "RUN_STARTED", **RUN}
FINISHED = {"type": "RUN_FINISHED", **RUN}
START = Start("r1", dialect="ag-ui", extra={"ag-ui.threadId": "t1"})


def wire(*records: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(record).encode() + b"\n\n" for record in records)


def decoded(*records: dict[str, Any], strict: bool = False) -> list[Event]:
    decoder = DIALECT.decoder(strict=strict)
    return decoder.feed(wire(*records)) + decoder.finish()


def body_of(*records: dict[str, Any], strict: bool = True) -> list[Event]:
    """What lies between the start and the finish."""
    events = decoded(STARTED, *records, FINISHED, strict=strict)
    assert events[0] == START
    assert isinstance(events[-2], Finish)
    assert events[-1] == End()
    assert violations(events) == []
    return events[1:-2]


def repairs_of(*records: dict[str, Any]) -> list[str]:
    decoder = DIALECT.decoder()
    events = decoder.feed(wire(*records)) + decoder.finish()
    assert violations(events) == []
    with pytest.raises(DecodeError):
        decoded(*records, strict=True)
    return [repair.code for repair in decoder.repairs]


def violations(events: Iterable[Event]) -> list[Violation]:
    lifecycle = Lifecycle()
    return [found for event in events for found in lifecycle.feed(event)] + [*lifecycle.finish()]


def encoded(*events: Event, include_usage: bool = True) -> bytes:
    encoder = DIALECT.encoder(include_usage=include_usage)
    return b"".join([*encoder.feed_many(events), *encoder.finish()])


def records_of(data: bytes) -> list[dict[str, Any]]:
    frames = data.decode().removesuffix("\n\n").split("\n\n")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames if not frame.startswith(":")]


def message_of(*events: Event) -> Message:
    accumulator = MessageAccumulator()
    accumulator.feed_many(events)
    return accumulator.message


TEXT_START = {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"}
TEXT_END = {"type": "TEXT_MESSAGE_END", "messageId": "m"}


def content(text: str) -> dict[str, Any]:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": text}
