"""The defects of Anthropic's messages. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from mockserver.faults.defect import Defect, dropping, each, first_of
from mockserver.faults.frames import Frame, Frames

__all__ = ["DEFECTS"]

ANTHROPIC: Final = ("anthropic",)


def of_type(*names: str) -> Callable[[dict[str, Any]], bool]:
    """Return whether a record is of one of these types."""
    return lambda body: body.get("type") in names


def is_tool_start(body: dict[str, Any]) -> bool:
    """Return whether a tool call begins here."""
    block = body.get("content_block")
    return body.get("type") == "content_block_start" and isinstance(block, dict) and block.get("type") == "tool_use"


def with_index(change: Callable[[int], int]) -> Callable[[Frame, dict[str, Any]], Frame | None]:
    """Return what gives each block another index."""

    def changed(frame: Frame, body: dict[str, Any]) -> Frame | None:
        index = body.get("index")
        return frame.with_value({**body, "index": change(index)}) if isinstance(index, int) else None

    return changed


def no_event_lines(frame: Frame, body: dict[str, Any]) -> Frame:
    """Leave out the event's type."""
    return frame.with_value(body, "")


def interleaved_blocks(frames: Frames) -> Iterator[Frame]:
    """Stop a block only after the next one has begun, and has said something."""
    held: list[Frame] = []
    for frame in frames:
        kind = frame.body.get("type")
        if kind == "content_block_stop":
            yield from held
            held = [frame]
            continue
        if kind == "message_delta" or (held and frame.text is not None and kind == "content_block_delta"):
            is_delta = kind == "content_block_delta"
            yield from [frame, *held] if is_delta else [*held, frame]
            held = []
            continue
        yield frame
    yield from held


def text_delta_on_tool(frame: Frame) -> Iterable[Frame]:
    """Follow the start of a tool call by a piece of text in its block."""
    delta = {"type": "text_delta", "text": "text in a tool call"}
    body = {"type": "content_block_delta", "index": frame.body.get("index"), "delta": delta}
    return [frame, frame.plain().with_value(body, "content_block_delta")]


def partial_json_of(body: dict[str, Any]) -> str:
    """Return a record's piece of a tool call's JSON."""
    delta = body.get("delta")
    text = delta.get("partial_json") if isinstance(delta, dict) else None
    return text if isinstance(text, str) else ""


def bad_tool_json(frame: Frame) -> Iterable[Frame]:
    """Begin the arguments with a bracket that closes what nothing has opened."""
    body = frame.body
    body["delta"]["partial_json"] = "}" + body["delta"]["partial_json"]
    return [frame.with_value(body)]


def cut_tool_json(frames: Frames) -> Iterator[Frame]:
    """Leave out the last character of each call's arguments."""
    held: dict[object, Frame] = {}
    for frame in frames:
        body = frame.body
        index = body.get("index")
        if partial_json_of(body):
            if index in held:
                yield held[index]
            held[index] = frame
            continue
        if index in held and body.get("type") == "content_block_stop":
            last = held.pop(index)
            cut = last.body
            cut["delta"]["partial_json"] = cut["delta"]["partial_json"][:-1]
            yield last.with_value(cut)
        yield frame
    yield from held.values()


def no_usage(frame: Frame, body: dict[str, Any]) -> Frame | None:
    """Leave out the token counts."""
    message = body.get("message")
    found = body.pop("usage", None) is not None
    if isinstance(message, dict):
        found = message.pop("usage", None) is not None or found
    return frame.with_value(body) if found else None


def unknown_event(frame: Frame) -> Iterable[Frame]:
    """Follow a record by one of a type that nobody knows."""
    return [frame, frame.plain().with_value({"type": "mock_unknown", "mock": True}, "mock_unknown")]


def unknown_delta(frame: Frame) -> Iterable[Frame]:
    """Follow the start of a block by a delta of a type that nobody knows."""
    body = {
        "type": "content_block_delta",
        "index": frame.body.get("index"),
        "delta": {"type": "mock_delta", "mock": ""},
    }
    return [frame, frame.plain().with_value(body, "content_block_delta")]


DEFECTS: Final = (
    Defect("no-event-lines", "Leave out the types of events.", ANTHROPIC, each(no_event_lines)),
    Defect("no-message-start", "Leave out message_start.", ANTHROPIC, dropping(of_type("message_start"))),
    Defect(
        "double-message-start",
        "Send message_start twice.",
        ANTHROPIC,
        first_of(of_type("message_start"), lambda frame: [frame, frame]),
    ),
    Defect("no-block-start", "Leave out content_block_start.", ANTHROPIC, dropping(of_type("content_block_start"))),
    Defect("block-never-stopped", "Leave out content_block_stop.", ANTHROPIC, dropping(of_type("content_block_stop"))),
    Defect("two-blocks-one-index", "Give all blocks the index 0.", ANTHROPIC, each(with_index(lambda _: 0))),
    Defect("index-gap", "Count blocks from 1.", ANTHROPIC, each(with_index(lambda index: index + 1))),
    Defect("interleaved-blocks", "Stop a block only when the next has begun.", ANTHROPIC, interleaved_blocks),
    Defect(
        "text-delta-on-tool",
        "Send a piece of text in the block of a tool call.",
        ANTHROPIC,
        first_of(is_tool_start, text_delta_on_tool),
    ),
    Defect(
        "bad-tool-json",
        "Send arguments of a tool call that are no JSON.",
        ANTHROPIC,
        first_of(lambda body: bool(partial_json_of(body)), bad_tool_json),
    ),
    Defect("cut-tool-json", "Leave out the last character of a tool call's arguments.", ANTHROPIC, cut_tool_json),
    Defect("no-message-delta", "Leave out message_delta.", ANTHROPIC, dropping(of_type("message_delta"))),
    Defect("no-message-stop", "Leave out message_stop.", ANTHROPIC, dropping(of_type("message_stop"))),
    Defect("no-usage", "Leave out the token counts.", ANTHROPIC, each(no_usage)),
    Defect(
        "unknown-event",
        "Send an event of a type that nobody knows.",
        ANTHROPIC,
        first_of(of_type("message_start"), unknown_event),
    ),
    Defect(
        "unknown-delta",
        "Send a delta of a type that nobody knows.",
        ANTHROPIC,
        first_of(of_type("content_block_start"), unknown_delta),
    ),
)
