"""The defects of chat completions (and of completions, where they have the same fields). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final

from mockserver.faults.defect import Defect, dicts_in, each
from mockserver.faults.frames import DONE, Frame, Frames
from streamkit.codecs.jsontext import decode_checked

__all__ = ["DEFECTS"]

CHAT: Final = ("openai-chat",)
BOTH: Final = ("openai-chat", "openai-completions")

UNKNOWN_FINISH: Final = "mock_unknown"

LOOK_AHEAD: Final = 16
"""Within how many records a second choice has begun: choices come by turns, token by token."""


def no_done(frames: Frames) -> Iterator[Frame]:
    """Leave out `[DONE]`."""
    return (frame for frame in frames if frame.text != DONE)


def with_finish(word: str | None) -> Callable[[Frame, dict[str, Any]], Frame | None]:
    """Return what writes another word wherever a choice has finished."""

    def change(frame: Frame, body: dict[str, Any]) -> Frame | None:
        finished = [choice for choice in dicts_in(body.get("choices")) if choice.get("finish_reason")]
        for choice in finished:
            choice["finish_reason"] = word
        return frame.with_value(body) if finished else None

    return change


def calls_in(body: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the pieces of tool calls in a chunk, each with the index of its choice."""
    for choice in dicts_in(body.get("choices")):
        delta = choice.get("delta")
        if isinstance(delta, dict):
            for call in dicts_in(delta.get("tool_calls")):
                yield choice.get("index", 0), call


def with_calls(change: Callable[[dict[str, Any]], object]) -> Callable[[Frame, dict[str, Any]], Frame | None]:
    """Return what changes each piece of a tool call."""

    def changed(frame: Frame, body: dict[str, Any]) -> Frame | None:
        calls = [call for _, call in calls_in(body)]
        for call in calls:
            change(call)
        return frame.with_value(body) if calls else None

    return changed


def args_object(frames: Frames) -> Iterator[Frame]:
    """Write arguments as an object: all of a call in its first chunk, when the last of it has come."""
    held: list[tuple[Frame, dict[str, Any]]] = []
    heads: dict[tuple[int, int], tuple[dict[str, Any], list[str]]] = {}
    last: Frame | None = None
    for frame in frames:
        body = frame.body
        calls = list(calls_in(body))
        if frame.text is not None and not calls and last is not None:
            yield from _with_objects(held, heads, last)
            last = None
        if not calls:
            yield frame
            continue
        last = frame
        opened = False
        for choice, call in calls:
            key = choice, call.get("index", 0)
            opened |= key not in heads
            _, pieces = heads.setdefault(key, (call, []))
            pieces.append(str(call.get("function", {}).get("arguments") or ""))
        if opened:
            held.append((frame, body))
    if last is not None:
        yield from _with_objects(held, heads, last)


def _with_objects(
    held: list[tuple[Frame, dict[str, Any]]],
    heads: dict[tuple[int, int], tuple[dict[str, Any], list[str]]],
    last: Frame,
) -> Iterator[Frame]:
    """Yield the chunks that open calls, with all that their pieces say, and forget them."""
    for call, pieces in heads.values():
        text = "".join(pieces)
        try:
            arguments = decode_checked(text.encode() or b"{}")
        except ValueError:  # a call that was cut
            arguments = {"text": text}
        call.setdefault("function", {})["arguments"] = arguments
    for frame, body in held:
        yield frame.with_value(body).with_step(last.step)
    held.clear()
    heads.clear()


def repeat_id_name(frames: Frames) -> Iterator[Frame]:
    """Write id and name of a call in each of its pieces."""
    heads: dict[tuple[int, int], tuple[object, object]] = {}
    for frame in frames:
        body = frame.body
        repeated = False
        for choice, call in calls_in(body):
            function = call.setdefault("function", {})
            key = choice, call.get("index", 0)
            if key in heads:
                call["id"], function["name"] = heads[key]
                repeated = True
            else:
                heads[key] = call.get("id"), function.get("name")
        yield frame.with_value(body) if repeated else frame


def choices_null(frames: Frames) -> Iterator[Frame]:
    """Send a chunk more, after the first, whose `choices` are null."""
    for frame in frames:
        yield frame
        body = frame.body
        if "choices" in body:
            yield frame.plain().with_value({**body, "choices": None})
            break
    yield from frames


def choice_order(frames: Frames) -> Iterator[Frame]:
    """Let choice 1 begin before choice 0: they change numbers, or, where there is only one, an empty one comes."""
    ahead: list[Frame] = []
    several = False
    for frame in frames:
        ahead.append(frame)
        several = any(choice.get("index") == 1 for choice in dicts_in(frame.body.get("choices")))
        if several or len(ahead) == LOOK_AHEAD:
            break
    first = True
    for frame in chain(ahead, frames):
        body = frame.body
        choices = dicts_in(body.get("choices"))
        if not choices:
            yield frame
            continue
        if not several and (first or any(choice.get("finish_reason") for choice in choices)):
            yield frame.plain().with_value({**body, "choices": [{**choices[0], "index": 1}]})
        first = False
        for choice in choices:
            if several and choice.get("index") in {0, 1}:
                choice["index"] = 1 - choice["index"]
        yield frame.with_value(body) if several else frame


DEFECTS: Final = (
    Defect("no-done", "Leave out [DONE].", BOTH, no_done),
    Defect("no-finish", "Never say why the model stopped.", BOTH, each(with_finish(None))),
    Defect("unknown-finish", "Stop for a reason that nobody knows.", BOTH, each(with_finish(UNKNOWN_FINISH))),
    Defect("no-index", "Leave out the index of tool calls.", CHAT, each(with_calls(lambda call: call.pop("index", 0)))),
    Defect("same-index", "Give all tool calls the index 0.", CHAT, each(with_calls(lambda call: call.update(index=0)))),
    Defect(
        "index-from-one",
        "Count tool calls from 1.",
        CHAT,
        each(with_calls(lambda call: call.update(index=call.get("index", 0) + 1))),
    ),
    Defect("args-object", "Write the arguments of tool calls as an object.", CHAT, args_object),
    Defect("repeat-id-name", "Write id and name of a tool call in each of its pieces.", CHAT, repeat_id_name),
    Defect("choices-null", "Send a chunk whose choices are null.", BOTH, choices_null),
    Defect("choice-order", "Let choice 1 begin before choice 0.", CHAT, choice_order),
)
