"""Short ways to write streams of OpenAI's Responses API by hand, and to see what comes of them."""

from __future__ import annotations

import json
from typing import Any

from streamkit.dialects.events import End, Event, Finish, Start
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.openai_responses_decoder import OpenAIResponsesDecoder
from streamkit.dialects.openai_responses_encoder import OpenAIResponsesEncoder

ITEM, FORM, MORE = "openai-responses.item", "openai-responses.form", "openai-responses.more"

START = Start("resp_1", "gpt-5.1", "assistant", "openai-responses", 1_763_630_067_000_000_000)

RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1763630067, "model": "gpt-5.1", "output": []}


def decode(wire: bytes, *, strict: bool = True) -> list[Event]:
    """The events of a whole wire, which are lawful."""
    decoder = OpenAIResponsesDecoder(strict=strict)
    events = decoder.feed(wire) + decoder.finish()
    lifecycle = Lifecycle()
    assert [found for event in events for found in lifecycle.feed(event)] + lifecycle.finish() == []
    return events


def frames(*records: dict[str, Any]) -> bytes:
    """Records as a server sends them, with the numbers that every record has."""
    return b"".join(
        b"event: %b\ndata: %b\n\n"
        % (
            str(record["type"]).encode(),
            json.dumps({"type": record["type"], "sequence_number": number, **record}, ensure_ascii=False).encode(),
        )
        for number, record in enumerate(records)
    )


def created(**more: object) -> dict[str, Any]:
    return {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", **more}}


def completed(status: str = "completed", **more: object) -> dict[str, Any]:
    return {"type": f"response.{status}", "response": {**RESPONSE, "status": status, **more}}


def added(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def at(kind: str, index: int, item_id: str, **more: object) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": index, "item_id": item_id, **more}


def call(item_id: str, name: str, arguments: str = "", **more: object) -> dict[str, Any]:
    identity = {"id": item_id, "call_id": f"call_{item_id}"}
    return {"type": "function_call", **identity, "name": name, "arguments": arguments, **more}


BEGIN = Start("resp_1", "m", created_ns=1_763_630_067_000_000_000)
"""The begin of a stream that came in another dialect."""


def encode(*events: Event, include_usage: bool = True, max_kept_bytes: int | None = 10**6) -> bytes:
    encoder = OpenAIResponsesEncoder(include_usage=include_usage, max_kept_bytes=max_kept_bytes)
    return b"".join([*encoder.feed_many(events), *encoder.finish()])


def records(wire: bytes) -> list[dict[str, Any]]:
    """The records, whose numbers and names are what they have to be."""
    found: list[dict[str, Any]] = []
    for frame in wire.decode().split("\n\n")[:-1]:
        if not frame.startswith(":"):
            name, data = frame.split("\n")
            record = json.loads(data.removeprefix("data: "))
            assert name == f"event: {record['type']}"
            assert record["sequence_number"] == len(found)
            found.append(record)
    return found


def body_of(*events: Event) -> list[dict[str, Any]]:
    """The records between the first two and the last."""
    return records(encode(BEGIN, *events, Finish("stop"), End()))[2:-1]


def terminal_of(*events: Event, include_usage: bool = True, max_kept_bytes: int | None = 10**6) -> dict[str, Any]:
    last = records(encode(*events, include_usage=include_usage, max_kept_bytes=max_kept_bytes))[-1]
    response: dict[str, Any] = last["response"]
    assert last["type"] == f"response.{'incomplete' if response['status'] == 'cancelled' else response['status']}"
    return response
