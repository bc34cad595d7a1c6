"""The defects of OpenAI's Responses. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mockserver.faults.defect import Defect, dicts_in, dropping, each, first_of, renamed_type
from mockserver.faults.frames import Frame

__all__ = ["DEFECTS"]

RESPONSES: Final = ("openai-responses",)

ENDINGS: Final = {"response.completed", "response.incomplete", "response.failed"}

INDEXES: Final = ("output_index", "content_index", "summary_index")


def of_type(*names: str) -> Callable[[dict[str, Any]], bool]:
    """Return whether a record is of one of these types."""
    return lambda body: body.get("type") in names


def without(*keys: str) -> Callable[[Frame, dict[str, Any]], Frame | None]:
    """Return what leaves these fields out."""

    def change(frame: Frame, body: dict[str, Any]) -> Frame | None:
        kept = {key: value for key, value in body.items() if key not in keys}
        return frame.with_value(kept) if len(kept) < len(body) else None

    return change


def changed_id(frame: Frame) -> Iterable[Frame]:
    """Give the finished response another id."""
    body = frame.body
    response = body.get("response")
    if isinstance(response, dict):
        response["id"] = f"{response.get('id', 'resp')}_changed"
    return [frame.with_value(body)]


def text_differs(frame: Frame, body: dict[str, Any]) -> Frame | None:
    """Say at the end another text than the deltas did: in all records that have the whole of it."""
    kind = body.get("type")
    parts: list[dict[str, Any]] = []
    if kind == "response.output_text.done":
        parts = [body]
    elif kind == "response.content_part.done":
        parts = dicts_in([body.get("part")])
    elif kind == "response.output_item.done":
        parts = [part for item in dicts_in([body.get("item")]) for part in dicts_in(item.get("content"))]
    elif kind in ENDINGS:
        outputs = [item for each in dicts_in([body.get("response")]) for item in dicts_in(each.get("output"))]
        parts = [part for item in outputs for part in dicts_in(item.get("content"))]
    changed = [part for part in parts if isinstance(part.get("text"), str)]
    for part in changed:
        part["text"] = f"not what was streamed: {part['text']}"
    return frame.with_value(body) if changed else None


def incomplete(frame: Frame) -> Iterable[Frame]:
    """End as incomplete."""
    body = frame.body
    response = body.get("response")
    if isinstance(response, dict):
        response |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    return [renamed_type(frame, body, "response.incomplete")]


def unknown_event(frame: Frame) -> Iterable[Frame]:
    """Follow a record by one of a type that nobody knows, with the number of the one before."""
    body = {"type": "response.mock_unknown", "sequence_number": frame.body.get("sequence_number"), "mock": True}
    return [frame, frame.plain().with_value(body, "response.mock_unknown" if frame.name else "")]


DEFECTS: Final = (
    Defect("no-created", "Leave out response.created.", RESPONSES, dropping(of_type("response.created"))),
    Defect("no-item-added", "Leave out output_item.added.", RESPONSES, dropping(of_type("response.output_item.added"))),
    Defect(
        "no-part-added", "Leave out content_part.added.", RESPONSES, dropping(of_type("response.content_part.added"))
    ),
    Defect("no-completed", "Leave out the event that ends the response.", RESPONSES, dropping(of_type(*ENDINGS))),
    Defect("no-sequence-number", "Leave out the sequence numbers.", RESPONSES, each(without("sequence_number"))),
    Defect("no-indexes", "Leave out the indexes of items and parts.", RESPONSES, each(without(*INDEXES))),
    Defect(
        "changed-id",
        "Give the finished response another id.",
        RESPONSES,
        first_of(of_type(*ENDINGS), changed_id),
    ),
    Defect("text-differs", "Say at the end another text than was streamed.", RESPONSES, each(text_differs)),
    Defect("incomplete", "End as incomplete.", RESPONSES, first_of(of_type("response.completed"), incomplete)),
    Defect(
        "unknown-event",
        "Send an event of a type that nobody knows.",
        RESPONSES,
        first_of(of_type("response.created"), unknown_event),
    ),
)
