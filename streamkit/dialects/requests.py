"""A chat request in the words of no vendor, and what a dialect makes of it.

`ChatRequest` is neutral. `Dialect.request` makes of it the vendor's own document: method, path, headers and body. It
does not say where the server is (`streamkit.dialects.endpoints` does), and sends nothing.

What a dialect has no place for is left out and named in `RequestDocument.dropped`, by these words, which stay the same
so that programs can read them: the name of a field of `ChatRequest` (`seed`, `top_k`, `n`, `tool_choice`, `stream`...),
or one of

- `message.reasoning`, `message.signature`: what the assistant thought in an earlier turn, and the vendor's seal on it;
- `message.prefill`: that the answer goes on from the assistant's message at the end, instead of a new one behind it;
- `system.place`: a system message that came later in the conversation now stands at its start;
- `system.role`: the text of a system message now stands at the start of the prompt, like any other text.

What would make another request of it (tools for a dialect that has none, a conversation where there is one prompt) is a
`ConfigError` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.request_messages import ChatMessage, ToolCall, messages_of
from streamkit.errors import ConfigError

__all__ = [
    "EFFORTS",
    "ChatMessage",
    "ChatRequest",
    "RequestDocument",
    "ResponseSchema",
    "Tool",
    "ToolCall",
    "merged",
    "messages_of",
]

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""How hard a model may be asked to think, least first. A vendor that has fewer steps gets its nearest."""


class Tool(msgspec.Struct):
    """A function that the model may call; `parameters` is the JSON Schema of its arguments, an object's."""

    name: str
    description: str = ""
    parameters: dict[str, object] = {}


class ResponseSchema(msgspec.Struct):
    """A JSON Schema that the answer has to fit.

    Attributes:
        name: what OpenAI calls it by; others have no place for it and need none.
        strict: whether OpenAI is to hold the model to it, which it does for a part of JSON Schema only; None leaves
            that to the server. Others always do.
    """

    schema: dict[str, object]
    name: str = "answer"
    description: str = ""
    strict: bool | None = None


class ChatRequest(msgspec.Struct, kw_only=True):
    """What is asked for. None and empty values are left to the server.

    Attributes:
        model: its name; dialects whose servers know it themselves need none.
        messages: the conversation; a system text is a message of role "system".
        tools: what may be called.
        tool_choice: "auto", "none", "required", or the name of the one tool that has to be called.
        parallel_tool_calls: whether the model may call several tools at once.
        max_tokens: the most tokens of the answer, those of its reasoning included.
        stop: texts that end the answer.
        n: how many answers.
        response_format: "json" for any JSON object, or a schema.
        reasoning: whether the model is to think and to show it, or how hard: one of `EFFORTS`.
        stream: whether the answer comes as a stream, or as one document.
        include_usage: whether a stream is to tell its token counts, where that is a choice.
        id: what AG-UI and AI SDK servers know the conversation by. Where it is empty it is made from the conversation,
            so that the same one has the same id: whoever talks to a server that keeps conversations gives one.
        extra: fields of the body in the vendor's own words. They come last: an object is merged into an object, and
            anything else takes the place of what is there.
    """

    messages: list[ChatMessage]
    model: str = ""
    tools: list[Tool] = []
    tool_choice: str = "auto"
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: list[str] = []
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    n: int | None = None
    response_format: ResponseSchema | Literal["json"] | None = None
    reasoning: bool | str | None = None
    stream: bool = True
    include_usage: bool = True
    id: str = ""
    extra: dict[str, object] = {}


class RequestDocument(msgspec.Struct):
    """A request as its vendor wants it.

    Attributes:
        path: below the server's root, as the vendor's own server has it, query included.
        headers: without those that say who asks (`endpoints.auth_headers`) and how long the body is.
        body: a JSON value, or None where there is none.
        dropped: what the dialect has no place for, each named once; the module's docstring has the words.
    """

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: object | None
    dropped: list[str] = []

    @property
    def content(self) -> bytes:
        """The body as JSON text; no byte where there is no body.

        Raises:
            ConfigError: JSON has no text for it: there is a NaN or a lone surrogate in it, or what is no JSON value.
        """
        if self.body is None:
            return b""
        try:
            return encode_value(self.body)
        except ValueError as error:
            msg = f"the request cannot be written as JSON: {error}"
            raise ConfigError(msg) from None


def merged(body: Mapping[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    """Return `body` with `extra` in it: an object is merged into an object, anything else replaces what is there."""
    result = dict(body)
    for key, value in extra.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result
