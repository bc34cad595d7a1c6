"""What the SDKs make of the named defects of dialects. First comes Python's verdict, then JavaScript's."""

from __future__ import annotations

from tests.mockserver.verdicts import ACCEPTS, FIND, LOOK, RAISES, Row, Verdict, raises, rows, sees

__all__ = ["DEFECTS", "VERCEL"]

NO_FINISH = sees(finish="unfinished")
NO_END = sees(finish="unfinished", usage=None)
NOTHING = sees(text="", finish="unfinished")
UNKNOWN = sees(finish="mock_unknown")
UNEQUAL = raises("InconsistentError")
"""It does not compare the deltas with the finished response; the reader does."""

OPENAI = raises("OpenAIError")
ANTHROPIC = raises("AnthropicError")
GOOGLE = raises("UnknownApiResponseError")
AG_UI = raises("AGUIError")
SCHEMA = raises("ValidationError")
ZOD = raises("ZodError")

BOTH_RAISE = (RAISES, RAISES)
BOTH_ACCEPT = (ACCEPTS, ACCEPTS)
BOTH_SAY_SO = (raises("APIError"), raises("APIError"))


def calls(*found: tuple[str, object]) -> Verdict:
    """It sees these calls instead of `LOOK` and `FIND`."""
    return sees(calls=found)


ONE_OF_TWO = calls(("lookfind", '{"at":"x y"}{"n":1}'))
NAMES_ADDED_UP = calls(("look" * 8, LOOK[1]), ("find" * 6, FIND[1]))
NO_TEXT_OBJECTS = (
    calls(("look", "{'at': 'x y'}"), ("find", "{'n': 1}")),
    calls(("look", "[object Object]"), ("find", "[object Object]")),
)
EMPTY = calls(("look", {}), ("find", {}))

CHAT = (
    *rows(
        "openai-chat",
        "text",
        {
            "error-object": BOTH_SAY_SO,
            "error-string": BOTH_SAY_SO,
            "flat-error-event": (sees(text="Owls", finish="unfinished"), OPENAI),
            "no-done": BOTH_ACCEPT,
            "no-finish": (NO_FINISH, OPENAI),
            "unknown-finish": (UNKNOWN, UNKNOWN),
            "choices-null": (RAISES, OPENAI),
            "choice-order": (RAISES, ACCEPTS),
            "ndjson-for-sse": (RAISES, OPENAI),
            "crlf": BOTH_ACCEPT,
            "bom": BOTH_ACCEPT,  # Python's loses the first event, which has the role and nothing else
            "no-space": BOTH_ACCEPT,
            "empty-data": (RAISES, OPENAI),
            "event-without-data": (RAISES, OPENAI),
            "no-last-blank-line": BOTH_ACCEPT,
            "event-lines": BOTH_ACCEPT,
        },
    ),
    *rows(
        "openai-chat",
        "calls",
        {
            "no-index": (RAISES, calls()),
            "same-index": (ONE_OF_TWO, calls(("find", '{"at":"x y"}{"n":1}'))),
            "index-from-one": (RAISES, OPENAI),
            "args-object": NO_TEXT_OBJECTS,
            "repeat-id-name": (NAMES_ADDED_UP, ACCEPTS),
        },
    ),
    *rows(
        "openai-chat-chunks",
        "text",
        {
            "error-object": BOTH_SAY_SO,
            "error-string": BOTH_SAY_SO,
            "flat-error-event": (sees(text="Owls", finish="unfinished"), sees(text="Owls", finish="unfinished")),
            "no-done": BOTH_ACCEPT,
            "no-finish": (NO_FINISH, NO_FINISH),
            "unknown-finish": (UNKNOWN, UNKNOWN),
            "choices-null": BOTH_ACCEPT,
            "choice-order": BOTH_ACCEPT,
            "ndjson-for-sse": (NOTHING, NOTHING),
            "empty-data": BOTH_RAISE,
            "event-without-data": BOTH_RAISE,
        },
    ),
    *rows(
        "openai-chat-chunks",
        "calls",
        {
            "no-index": (ONE_OF_TWO, ONE_OF_TWO),
            "same-index": (ONE_OF_TWO, ONE_OF_TWO),
            "index-from-one": BOTH_ACCEPT,
            "args-object": NO_TEXT_OBJECTS,
            "repeat-id-name": (NAMES_ADDED_UP, NAMES_ADDED_UP),
        },
    ),
    *rows(
        "openai-completions",
        "text",
        {
            "error-object": BOTH_SAY_SO,
            "error-string": BOTH_SAY_SO,
            "flat-error-event": BOTH_RAISE,
            "no-done": BOTH_ACCEPT,
            "no-finish": (NO_FINISH, NO_FINISH),
            "unknown-finish": (UNKNOWN, UNKNOWN),
            "choices-null": BOTH_RAISE,
            "ndjson-for-sse": (NOTHING, NOTHING),
            "crlf": BOTH_ACCEPT,
            "bom": (sees(text=" from the mock"), ACCEPTS),
            "no-space": BOTH_ACCEPT,
            "empty-data": BOTH_RAISE,
            "event-without-data": BOTH_RAISE,
            "no-last-blank-line": BOTH_ACCEPT,
            "event-lines": BOTH_ACCEPT,
        },
    ),
)

RESPONSES = rows(
    "openai-responses",
    "text",
    {
        "flat-error-event": BOTH_RAISE,  # Python's not for the error, but because the response was never completed
        "no-created": (RAISES, OPENAI),
        "no-item-added": (RAISES, OPENAI),
        "no-part-added": (RAISES, OPENAI),
        "no-completed": (RAISES, NO_END),
        "no-sequence-number": BOTH_ACCEPT,
        "no-indexes": (RAISES, OPENAI),
        "changed-id": (RAISES, ACCEPTS),
        "text-differs": (UNEQUAL, UNEQUAL),
        "incomplete": (sees(finish="length"), sees(finish="length")),
        "unknown-event": (ACCEPTS, OPENAI),
        "ndjson-for-sse": (RAISES, OPENAI),
        "crlf": BOTH_ACCEPT,
        "bom": BOTH_ACCEPT,
        "no-space": BOTH_ACCEPT,
        "empty-data": (RAISES, OPENAI),
        "event-without-data": (RAISES, OPENAI),
        "no-last-blank-line": (RAISES, NO_END),
        "done-marker": BOTH_ACCEPT,
    },
)

MESSAGES = (
    *rows(
        "anthropic",
        "text",
        {
            "no-event-lines": (RAISES, ANTHROPIC),
            "no-message-start": (RAISES, ANTHROPIC),
            "double-message-start": (ACCEPTS, ANTHROPIC),
            "no-block-start": (RAISES, ANTHROPIC),
            "block-never-stopped": BOTH_ACCEPT,
            "no-message-delta": (sees(finish="unfinished", usage=(1, 1)), sees(finish="unfinished", usage=(1, 1))),
            "no-message-stop": (ACCEPTS, ANTHROPIC),
            "no-usage": (RAISES, ANTHROPIC),
            "unknown-event": BOTH_ACCEPT,
            "unknown-delta": BOTH_ACCEPT,
            "ndjson-for-sse": (RAISES, ANTHROPIC),
            "crlf": BOTH_ACCEPT,
            "bom": (RAISES, ACCEPTS),
            "no-space": BOTH_ACCEPT,
            "empty-data": BOTH_ACCEPT,
            "event-without-data": BOTH_ACCEPT,
            "no-last-blank-line": (ACCEPTS, ANTHROPIC),  # what is lost is message_stop
            "done-marker": BOTH_ACCEPT,
        },
    ),
    *rows(
        "anthropic",
        "thoughts",
        {
            "two-blocks-one-index": (sees(text=""), sees(text="")),
            "index-gap": (RAISES, sees(text="", reasoning="")),
        },
    ),
    *rows(
        "anthropic",
        "calls",
        {
            "interleaved-blocks": BOTH_ACCEPT,
            "text-delta-on-tool": BOTH_ACCEPT,  # the text is dropped
            "bad-tool-json": (RAISES, ANTHROPIC),
            "cut-tool-json": (ACCEPTS, calls(LOOK, ("find", {}))),  # both complete it, each its own way
        },
    ),
)

OLLAMA = (
    *rows(
        "ollama-chat",
        "text",
        {
            "error-line": (raises("ResponseError"), RAISES),
            "no-done": (NO_END, RAISES),
            "sse-for-ndjson": BOTH_RAISE,
            "no-message": (SCHEMA, RAISES),
            "lines-after-done": (sees(text="Owls from the mock mock", finish="unfinished", usage=None), ACCEPTS),
        },
    ),
    *rows("ollama-chat", "calls", {"string-args": (SCHEMA, calls(("look", '{"at":"x y"}'), ("find", '{"n":1}')))}),
    *rows(
        "ollama-generate",
        "text",
        {
            "error-line": (raises("ResponseError"), RAISES),
            "no-done": (NO_END, RAISES),
            "sse-for-ndjson": BOTH_RAISE,
            "no-message": (sees(text=""), sees(text="")),
            "lines-after-done": (sees(text="Owls from the mock mock", finish="unfinished", usage=None), ACCEPTS),
        },
    ),
)

GEMINI = rows(
    "gemini",
    "text",
    {
        "no-finish": (NO_FINISH, None),
        "json-array": (GOOGLE, None),
        "ndjson-for-sse": (ACCEPTS, None),
        "crlf": (ACCEPTS, None),
        "bom": (GOOGLE, None),
        "no-space": (GOOGLE, None),
        "empty-data": (GOOGLE, None),
        "event-without-data": (GOOGLE, None),
        "no-last-blank-line": (ACCEPTS, None),
        "done-marker": (GOOGLE, None),
        "event-lines": (GOOGLE, None),
    },
)

RUNS = rows(
    "ag-ui",  # Python's has models of events, and nothing that reads a stream
    "text",
    {
        "no-run-started": (ACCEPTS, AG_UI),
        "no-run-finished": (NO_END, NO_END),
        "no-message-start": (ACCEPTS, AG_UI),
        "unbalanced": (ACCEPTS, AG_UI),
        "after-finish": (ACCEPTS, AG_UI),
        "null-fields": (ACCEPTS, ZOD),
        "string-timestamp": (SCHEMA, ZOD),
        "no-thread-id": (SCHEMA, ZOD),
        "ndjson-for-sse": (None, sees(text="", finish="unfinished", usage=None)),
        "crlf": (None, RAISES),
        "bom": (None, ACCEPTS),
        "no-space": (None, ACCEPTS),
        "empty-data": (SCHEMA, RAISES),
        "event-without-data": (None, ACCEPTS),
        "no-last-blank-line": (None, ACCEPTS),
        "done-marker": (SCHEMA, RAISES),
        "event-lines": (None, ACCEPTS),
    },
)

VERCEL = tuple(
    rows(
        "vercel-ui",  # there is an SDK of JavaScript's, and no endpoint
        "text",
        {
            "no-done": (None, ACCEPTS),
            "no-start": (None, ACCEPTS),
            "no-part-start": (None, RAISES),
            "no-finish": (None, NO_END),
            "unknown-finish": (None, RAISES),
            "unknown-event": (None, RAISES),
            "ndjson-for-sse": (None, RAISES),
            "crlf": (None, ACCEPTS),
            "bom": (None, ACCEPTS),
            "no-space": (None, ACCEPTS),
            "empty-data": (None, RAISES),
            "event-without-data": (None, ACCEPTS),
            "no-last-blank-line": (None, ACCEPTS),
            "event-lines": (None, ACCEPTS),
        },
    )
)
"""The rows of the defects of the AI SDK's UI messages."""

DEFECTS: tuple[Row, ...] = (*CHAT, *RESPONSES, *MESSAGES, *OLLAMA, *GEMINI, *RUNS)
"""The rows of all defects that some SDK can meet."""
