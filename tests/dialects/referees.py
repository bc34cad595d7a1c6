"""The law that foreign clients judge: what SDK A sees of a stream, SDK B sees of its conversion, as far as B can.

`View` is what every application wants of an answer, and `carried` what another dialect leaves of it. The Python and the
JavaScript SDKs are held to it, in `test_python_sdks` and `test_node_sdks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from streamkit.dialects.convert import Converter
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import DecodeError, EncodeError
from tests.dialects.examples import EXAMPLES, Example

FINISH = {
    **dict.fromkeys(("stop", "completed", "end_turn", "stop_sequence", "STOP"), "stop"),
    **dict.fromkeys(("pause_turn", "pause", "incomplete", "other", "OTHER"), "stop"),  # most have no word for these
    **dict.fromkeys(("length", "max_tokens", "model_context_window_exceeded", "MAX_TOKENS"), "length"),
    **dict.fromkeys(("max_output_tokens", "context_overflow"), "length"),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use", "tool-calls"), "tool_calls"),
    **dict.fromkeys(("content_filter", "content-filter", "refusal", "SAFETY", "BLOCKLIST"), "content_filter"),
    **dict.fromkeys(("PROHIBITED_CONTENT", "SPII", "RECITATION"), "content_filter"),
}
"""The vendors' words for why a model stops, in four classes."""

UNFINISHED = "unfinished"
"""The finish of an answer whose SDK came to its end without having been told why."""


@dataclass(frozen=True)
class View:
    """What an application sees of an answer, of its first choice where there are several.

    Attributes:
        text: the answer, a refusal included: half of the dialects have no place of its own for one.
        reasoning: what the model thought.
        calls: the tool calls, their names and their parsed arguments.
        finish: the class of the reason to stop, or `UNFINISHED`.
        usage: tokens in and out, or None.
    """

    text: str
    reasoning: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    finish: str = UNFINISHED
    usage: tuple[int, int] | None = None


@dataclass(frozen=True)
class Failed:
    """The SDK raised: the class of its error, and what it said."""

    kind: str
    message: str = field(compare=False, default="")


def view(
    text: Iterable[str],
    reasoning: Iterable[str],
    calls: Iterable[tuple[str, Any]],
    finish: str | None,
    usage: tuple[int | None, int | None] | None,
) -> View:
    """Return a view of what was collected.

    `finish` is the vendor's word; a call makes a plain stop `tool_calls`, since half of the vendors say "stop" for
    both. A count that is left out is zero, and where both are zero, none were known: some dialects write them always.
    """
    found = tuple(calls)
    reason = FINISH.get(finish, finish) if finish else UNFINISHED
    if found and reason == "stop":
        reason = "tool_calls"
    counts = usage and (usage[0] or 0, usage[1] or 0)
    return View("".join(text), "".join(reasoning), found, reason, counts if counts != (0, 0) else None)


def carried(seen: View, target: str) -> View:
    """Return what is left of a view in another dialect."""
    carries = DIALECTS[target].carries
    if "reasoning" not in carries:
        seen = replace(seen, reasoning="")
    if "tools" not in carries:
        seen = without_calls(seen)
    if "usage" not in carries:
        seen = replace(seen, usage=None)
    if target.startswith("ollama") and seen.finish == "content_filter":  # Ollama has no word for it
        seen = replace(seen, finish="stop")
    if "finish" not in carries:
        seen = replace(seen, finish="tool_calls" if seen.calls else "stop")
    return seen


def without_calls(seen: View) -> View:
    return replace(seen, calls=(), finish="stop" if seen.finish == "tool_calls" else seen.finish)


def converted(source: str, target: str, wire: bytes) -> tuple[bytes, DecodeError | EncodeError | None]:
    """Convert a whole stream; return what a driver would have written, and the error that it would have raised then."""
    converter = Converter(source, target, created_ns=1_763_630_000_000_000_000)
    out: list[bytes] = []
    try:
        out += converter.feed(wire)
        out += converter.finish()
    except (DecodeError, EncodeError) as error:
        out += error.items  # type: ignore[arg-type]  # they are the converter's bytes
        return b"".join(out), error
    return b"".join(out), None


def records_of(example: Example) -> list[bytes]:
    """Return the wire's records, each with what ends it."""
    end = b"\n" if example.framing == "ndjson" else b"\r\n\r\n" if b"\r\n\r\n" in example.wire else b"\n\n"
    return [record + end for record in example.wire.split(end) if record]


OWN_FRAMING = [each for each in EXAMPLES if each.source == each.dialect]
"""No SDK reads Gemini's JSON array."""

ANSWER = 'There are **three** r\'s in "strawberry".'

UNREADABLE = {
    # OpenAI's SDKs join calls that have one index.
    ("openai-chat", "cerebras"): View(
        "",
        "",
        (("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Bergen"})),
        "tool_calls",
        (212, 46),
    ),
    # They also know no content but strings.
    ("openai-chat", "mistral"): View(
        ANSWER,
        'Okay, the user wants to know how many r\'s are in "strawberry".\ns-t-r-a-w-b-e-r-r-y: that',
        (),
        "stop",
        (24, 42),
    ),
    # The types of Ollama's Python SDK have tool calls for chats only.
    ("ollama-generate", "tool"): View(
        "Let me look.",
        "",
        (("search_notes", {"query": "train to Bern", "limit": 5, "tags": []}),),
        "tool_calls",
        (164, 33),
    ),
    ("ollama-generate", "parallel-tools"): View(
        "", "", (("get_weather", {"city": "Oslo"}), ("get_time", {})), "tool_calls", (164, 33)
    ),
    # Vercel's takes the input that the application's server has completed after all of the model's had left.
    ("vercel-ui", "multi-step"): View(
        "It is -3 °C in Oslo.",
        "",
        (("get_weather", {"city": "Oslo"}), ("search", {"q": "snow"})),
        "tool_calls",
        (402, 88),
    ),
}
"""What there is to see in examples that the vendor's own SDK cannot read, or reads otherwise; written by hand."""
