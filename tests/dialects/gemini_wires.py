"""Short ways to write Gemini's records by hand."""

from __future__ import annotations

import json
from typing import Any

from streamkit.dialects.convert import decoder_of
from streamkit.dialects.events import Event, Start
from tests.dialects.wires import decode

HEAD = {"modelVersion": "m", "responseId": "r"}
START = Start("r", "m", dialect="gemini")
SIGNATURE = "c2lnbmVk"


def said(*parts: object, finish: str = "", **candidate: object) -> dict[str, Any]:
    """A record of one candidate."""
    content = {"content": {"parts": [*parts], "role": "model"}} if parts else {}
    reason = {"finishReason": finish} if finish else {}
    return {"candidates": [{**content, **reason, "index": 0, **candidate}], **HEAD}


def text(words: str, **more: object) -> dict[str, Any]:
    return {"text": words, **more}


def call(name: str, args: object = None, **more: object) -> dict[str, Any]:
    return {"functionCall": {"name": name, **({} if args is None else {"args": args})}, **more}


STOP = said(text(""), finish="STOP")


DETAILS = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "11s"}]

ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE", "details": DETAILS}}


LOGPROBS = {
    "chosenCandidates": [{"token": "a", "logProbability": -0.5}, {"token": "b"}],
    "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5}, {"token": "x", "logProbability": -2.5}]}],
}


def sse(*values: object) -> bytes:
    """As Google sends it."""
    return "".join([f"data: {json.dumps(value)}\r\n\r\n" for value in values]).encode()


def array(*values: object) -> bytes:
    """As Google sends it without `alt=sse`."""
    return ("[" + "\n,\r\n".join([json.dumps(value, indent=2) for value in values]) + "\n]\n").encode()


def heard(*values: object, strict: bool = True) -> list[Event]:
    """What is between `Start` and the end of a stream of these records; the same in both framings."""
    events = decode("gemini", sse(*values), strict=strict)
    assert decode("gemini/json-array", array(*values), strict=strict) == events
    assert events[0] == START
    return events[1:]


def ending(wire: bytes, source: str = "gemini") -> Event:
    """The last event of a wire."""
    decoder = decoder_of(source)
    return [*decoder.feed(wire), *decoder.finish()][-1]
