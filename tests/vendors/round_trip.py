"""Requests that can be asked in each dialect, drawn by Hypothesis; and their way there and back.

Unlike those of `tests.dialects.asked`, whose answers a server has to agree with, these have all that a vendor takes:
systems anywhere, neighbours of one role, empty texts, sealed thoughts, results in any order, odd ids and schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import strategies as st
from msgspec.structs import replace

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import (
    EFFORTS,
    ChatMessage,
    ChatRequest,
    RequestDocument,
    ResponseSchema,
    Tool,
    ToolCall,
)
from streamkit.vendors import Facts, find
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading
from tests.dialects.asked import SCHEMA, TEXT, TOOLS

Chats = st.SearchStrategy[ChatRequest]

# What is drawn


STATEMENT = TEXT | st.sampled_from(["", " ", "\u2028", "Hm.\r\n\r\nYes.", '{"a": [1, "é"]}'])
JSON_VALUES = st.integers(-9, 9) | st.booleans() | st.none() | TEXT | st.lists(TEXT, max_size=2)
ARGUMENTS = st.sampled_from(["", "{}", '{ "city" : "\\u00e9",\n "n": 1.50 }']) | st.dictionaries(
    TEXT, JSON_VALUES | st.dictionaries(TEXT, JSON_VALUES, max_size=1), max_size=2
).map(lambda value: encode_value(value).decode())

SCHEMAS: Final[tuple[dict[str, object], ...]] = (
    SCHEMA,
    {"type": "object", "properties": {}, "$defs": {"é": {"enum": ["STRING", 1, None]}}, "additionalProperties": False},
)

SEALS: Final = (
    ChatMessage("assistant", reasoning="Hm.\n"),
    ChatMessage("assistant", reasoning="So.", signature="c2lnbmVk"),
    ChatMessage("assistant", signature="YmFyZQ=="),
    ChatMessage("assistant", encrypted="c2VjcmV0"),
    ChatMessage("assistant", reasoning="Sum.", encrypted="c2VjcmV0"),
)
"""What an assistant thought, and the one seal that may be on it."""


@st.composite
def conversations(draw: st.DrawFn, *, calls: bool, neighbours: bool) -> list[ChatMessage]:
    """Draw a conversation that every vendor takes: who calls gets all results at once, and the user speaks last.

    Args:
        draw: Hypothesis's.
        calls: whether tools are called.
        neighbours: whether two of one role may follow each other, and systems stand anywhere.
    """
    statement = STATEMENT if neighbours else STATEMENT.map("{}.".format)  # an empty one may be left out
    said = [ChatMessage("system", text) for text in draw(st.lists(statement, max_size=2 if neighbours else 1))]
    number = 0
    for _ in range(draw(st.integers(0, 4))):
        before = "" if not said else said[-1].role
        kinds = ["user", "assistant", *["calls"] * calls, *["system"] * neighbours]
        if not neighbours:
            kinds = [kind for kind in kinds if kind != before and (kind != "calls" or before != "assistant")]
        kind = draw(st.sampled_from(kinds))
        if kind == "user":
            said.append(ChatMessage("user", draw(statement)))
        elif kind == "system":
            said.append(ChatMessage("system", draw(statement)))
        else:
            # A second message of the assistant's is there because of a second seal, which is on a thought.
            seals = [seal for seal in SEALS if before != "assistant" or seal.reasoning]
            seal = draw(st.sampled_from([ChatMessage("assistant"), *seals]))
            turn = replace(seal, text=draw(statement))
            said.append(turn)
            if kind == "calls":
                turn.tool_calls, results = draw(called(number))
                number += len(results)
                said += results
    if not calls or not said or said[-1].role != "tool" or draw(st.booleans()):
        if not neighbours and said and said[-1].role == "user":
            said.pop()
        said.append(ChatMessage("user", f"{draw(STATEMENT)}?"))
    return said


@st.composite
def called(draw: st.DrawFn, number: int) -> tuple[list[ToolCall], list[ChatMessage]]:
    """Draw calls and their results: in any order where they have ids, in that of the calls where they have none."""
    form = draw(st.sampled_from(["id_{}", "call_{}", "toolu é {}", ""]))
    names = draw(st.lists(st.sampled_from(["get_weather", "search", "f"]), min_size=1, max_size=3))
    calls = [ToolCall(form.format(number + each), name, draw(ARGUMENTS)) for each, name in enumerate(names)]
    has_name = draw(st.booleans())
    results = [
        ChatMessage("tool", draw(STATEMENT), tool_call_id=call.id, tool_name=call.name if has_name else "")
        for call in calls
    ]
    return calls, draw(st.permutations(results)) if form else results


@st.composite
def requests(draw: st.DrawFn, messages: st.SearchStrategy[list[ChatMessage]], *, tools: bool = True) -> ChatRequest:
    """Draw a request; without `tools` there are none that may be called."""
    offered = [
        Tool(tool.name, tool.description, draw(st.sampled_from([tool.parameters, *SCHEMAS]))) for tool in draw(TOOLS)
    ]
    choices = ["auto", "required", offered[0].name] if tools and offered else [] if offered else ["auto"]
    return ChatRequest(
        model=draw(st.sampled_from(MODELS)),
        messages=draw(messages),
        tools=offered,
        tool_choice=draw(st.sampled_from(["none", *choices])),
        parallel_tool_calls=draw(st.sampled_from([None, True, False])),
        max_tokens=draw(st.sampled_from([None, 16, 1024, 1025, 4000, 12_288, 100_000])),
        temperature=draw(st.sampled_from([None, 0, 0.5, 1.0, 1.5])),
        top_p=draw(st.sampled_from([None, 0.1, 0.97])),
        top_k=draw(st.sampled_from([None, 5])),
        seed=draw(st.sampled_from([None, 0, 7])),
        stop=draw(st.lists(st.sampled_from(["END", "\n\n", "é", "\u2028."]), max_size=4, unique=True)),
        frequency_penalty=draw(st.sampled_from([None, 0, 0.5])),
        presence_penalty=draw(st.sampled_from([None, -0.5])),
        n=draw(st.sampled_from([None, 1, 2])),
        response_format=draw(st.sampled_from([None, "json", *FORMS])),
        reasoning=draw(st.sampled_from([None, True, False, *EFFORTS])),
        stream=draw(st.booleans()),
        include_usage=draw(st.booleans()),
        id=draw(st.sampled_from(["", "thread é"])),
    )


MODELS: Final = (
    *("m", "qwen3:0.6b", "org/model-7b:free", "gpt-5-mini", "o3", "gpt-4o"),
    *("claude-opus-4-8", "claude-opus-4-6", "claude-3-7-sonnet", "gemini-2.5-pro", "gemini-3-pro"),
)

FORMS: Final = (
    ResponseSchema(SCHEMA),
    ResponseSchema(SCHEMAS[1], "weather", "What it does.", strict=True),
    ResponseSchema(SCHEMAS[1], strict=False),
)

ANYTHING: Final = requests(conversations(calls=True, neighbours=True))
ORDERLY: Final = requests(conversations(calls=True, neighbours=False))
WITHOUT_TOOLS: Final = requests(conversations(calls=True, neighbours=True), tools=False)
WITHOUT_CALLS: Final = requests(conversations(calls=False, neighbours=True), tools=False)
PROMPTS: Final = requests(
    st.lists(st.builds(ChatMessage, st.sampled_from(["system", "user"]), STATEMENT), max_size=3).map(
        lambda said: [*said, ChatMessage("user", "And?")]
    ),
    tools=False,
)

DRAWN: Final[Mapping[str, Chats]] = {
    **dict.fromkeys(("openai-chat", "openai-responses", "anthropic", "gemini", "ollama-chat", "ag-ui"), ANYTHING),
    "vercel-ui": WITHOUT_TOOLS,
    "agent-poc": WITHOUT_CALLS,
    **dict.fromkeys(("openai-completions", "ollama-generate", "text"), PROMPTS),
}
"""What can be asked in each dialect at all."""

# There and back


PATHS: Final = {"vercel-ui": "/ui/chat"}
"""Where the reader is, for a dialect whose usual path is another vendor's too."""


def question_of(document: RequestDocument) -> Question:
    """Return the document as it reaches a server."""
    parts = urlsplit(document.path)
    headers = {name.lower(): value for name, value in document.headers}
    return Question(document.method, unquote(parts.path), dict(parse_qsl(parts.query)), headers, document.content)


def written(dialect: str, request: ChatRequest) -> RequestDocument:
    """Return the request in the dialect's form, at the path where it is read."""
    document = DIALECTS[dialect].request(request)
    document.path = PATHS.get(dialect, document.path)
    return document


def read(document: RequestDocument) -> Reading:
    """Return what the vendor's reader makes of a document."""
    question = question_of(document)
    reading = find(question).read(question, Facts())
    assert isinstance(reading, Reading), reading
    return reading
