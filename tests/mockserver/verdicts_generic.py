"""What the SDKs make of the faults that any answer can have: what most do, and who does otherwise.

The Python SDKs keep reading what HTTP has, so that they notice a body that ends too early, unless they stop at the
dialect's own end first (OpenAI's at `[DONE]`). Most notice no answer that ends too early in its dialect.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.mockserver.verdicts import ACCEPTS, RAISES, Row, Verdict, raises, sees

__all__ = ["GENERIC", "STATUS"]

STATUS = "status:529"

CUT = {"text": "Owls", "finish": "unfinished", "usage": None}
NO_END = sees(finish="unfinished", usage=None)
LOST = sees(text="Owls the mock")
REPLACED = sees(text="Owls\N{REPLACEMENT CHARACTER} from the mock")
UNEQUAL = raises("InconsistentError")
"""It does not compare the deltas with the finished response; the reader does."""

MOST: Mapping[str, Verdict] = {
    STATUS: RAISES,
    "stall:50ms": ACCEPTS,
    "interim:103": ACCEPTS,
    "reset": RAISES,
    "close": RAISES,
    "bad-chunk": RAISES,
    "no-last-chunk": RAISES,
    "length:+5": RAISES,
    "content-type": ACCEPTS,
    "trailers": ACCEPTS,
    "junk-after-end": ACCEPTS,
    "end": sees(**CUT),
    "no-terminator": NO_END,
    "terminator-twice": ACCEPTS,
    "bad-json": RAISES,
    "bad-utf8": RAISES,
    "raw-u2028": sees(text="Owls\u2028 from the mock"),
    "oversized": ACCEPTS,
    "duplicate": sees(text="Owls from from the mock"),
    "drop": LOST,
    "reorder": sees(text="Owls the from mock"),
    "ping": ACCEPTS,
    "comment": ACCEPTS,
    "blank-line": ACCEPTS,
    "garbage": RAISES,
    "error": RAISES,
    "error-then-end": RAISES,
}

Others = Mapping[str, Mapping[str, Verdict | None]]

OPENAI_PY: Mapping[str, Verdict] = {
    STATUS: raises("InternalServerError"),
    **dict.fromkeys(("reset", "close", "bad-chunk"), raises("APIConnectionError")),
    **dict.fromkeys(("error", "error-then-end"), raises("APIError")),
    **dict.fromkeys(("no-last-chunk", "length:+5", "no-terminator"), ACCEPTS),
}
LEAKY_PY: Mapping[str, Verdict] = {
    "reset": raises("ReadError"),
    **dict.fromkeys(("close", "bad-chunk", "no-last-chunk", "length:+5"), raises("RemoteProtocolError")),
}
"""What an HTTP client raises in the middle of a body, these SDKs let out as it is."""

OLLAMA_PY: Mapping[str, Verdict | None] = {
    **LEAKY_PY,
    **dict.fromkeys(("ping", "comment"), None),  # lines have neither
    STATUS: raises("ResponseError"),
    **dict.fromkeys(("error", "error-then-end"), raises("ResponseError")),
    "bad-utf8": REPLACED,
    "raw-u2028": RAISES,
    "blank-line": RAISES,
}
NO_DELTAS: Mapping[str, Verdict] = dict.fromkeys(("raw-u2028", "duplicate", "drop", "reorder"), UNEQUAL)

PY: Others = {
    "openai-chat": OPENAI_PY,
    "openai-chat-chunks": OPENAI_PY,
    "openai-completions": OPENAI_PY,
    "openai-responses": {
        **OPENAI_PY,
        **NO_DELTAS,
        **dict.fromkeys(("no-last-chunk", "length:+5"), raises("APIConnectionError")),
        **dict.fromkeys(("end", "no-terminator"), RAISES),
    },
    "anthropic": {
        **LEAKY_PY,
        STATUS: raises("OverloadedError"),
        **dict.fromkeys(("error", "error-then-end"), raises("APIStatusError")),
        "end": sees(**{**CUT, "usage": (1, 1)}),  # as message_start has it
        "no-terminator": ACCEPTS,
    },
    "ollama-chat": OLLAMA_PY,
    "ollama-generate": OLLAMA_PY,
    "gemini": {
        **LEAKY_PY,
        "ping": None,  # it has none
        **dict.fromkeys((STATUS, "error", "error-then-end"), raises("ServerError")),
        **dict.fromkeys(("bad-json", "comment", "garbage"), raises("UnknownApiResponseError")),
        "bad-utf8": REPLACED,
    },
    "ag-ui": {
        **dict.fromkeys(("error", "error-then-end"), raises("RunError")),
        **dict.fromkeys(("bad-json", "bad-utf8"), raises("ValidationError")),
        **dict.fromkeys(("interim:103", "garbage"), None),  # it has no client, and no reader of event streams
    },
}

OPENAI_JS: Mapping[str, Verdict] = {
    STATUS: raises("InternalServerError"),
    **dict.fromkeys(("error", "error-then-end"), raises("APIError")),
    "no-terminator": ACCEPTS,
    "bad-utf8": REPLACED,
}
OLLAMA_JS: Mapping[str, Verdict | None] = {
    **dict.fromkeys(("ping", "comment"), None),
    STATUS: raises("ResponseError"),
    **dict.fromkeys(("no-last-chunk", "length:+5"), None),  # it depends on which comes first, done:true or the end
    **dict.fromkeys(("end", "no-terminator"), RAISES),
    "bad-json": LOST,
    "bad-utf8": REPLACED,
}

JS: Others = {
    "openai-chat": {**OPENAI_JS, "end": raises("OpenAIError")},
    "openai-chat-chunks": OPENAI_JS,
    "openai-completions": OPENAI_JS,
    "openai-responses": {**OPENAI_JS, **NO_DELTAS, "bad-utf8": UNEQUAL, "no-terminator": NO_END},
    "anthropic": {
        STATUS: raises("OverloadedError"),
        **dict.fromkeys(("error", "error-then-end"), raises("APIError")),
        **dict.fromkeys(("end", "no-terminator"), raises("AnthropicError")),
        "bad-utf8": REPLACED,
    },
    "ollama-chat": OLLAMA_JS,
    "ollama-generate": OLLAMA_JS,
    "ag-ui": {
        "error": raises("RunError"),
        "error-then-end": raises("AGUIError"),
        "terminator-twice": raises("AGUIError"),
        "bad-utf8": REPLACED,
    },
}

NOT_THE_SAME_EACH_TIME = "garbage"
"""What JavaScript's SDKs make of random bytes depends on them; Python's always stumble."""

GENERIC: tuple[Row, ...] = tuple(
    Row(
        sdk,
        fault,
        "text",
        others.get(fault, verdict),
        JS[sdk].get(fault, verdict) if sdk in JS and fault != NOT_THE_SAME_EACH_TIME else None,
    )
    for sdk, others in PY.items()
    for fault, verdict in MOST.items()
)
"""The rows of all faults that are no defects of one dialect."""
