"""What a client asks for, in the words of no vendor; and how a vendor refuses. Pure values.

Only what shapes an answer is kept of a request. Translating requests is not this module's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Ask", "Question", "RefusedError", "Tool"]


@dataclass(frozen=True)
class Question:
    """A request as it came, read but not understood.

    Attributes:
        path: percent-decoded, without the query.
        query: the parameters; of one that comes twice, the last.
        headers: names in lower case; of one that comes twice, the values joined by ", ".
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Tool:
    """A function that the client offers, and the JSON Schema of its arguments."""

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """What is asked for.

    Attributes:
        dialect: the name of the dialect to answer in.
        framing: one of that dialect's framings.
        model: the model's name as the client wrote it.
        prompt: the text of the last thing that the user said.
        prompt_tokens: how many tokens all of the request's text has, as `mockserver.tokens` counts.
        stream: whether the answer is streamed or one document.
        max_tokens: the most tokens that may be answered, or None.
        include_usage: whether a stream is to tell its token counts.
        tools: what may be called.
        tool_choice: "auto", "none", "required", or the name of the one tool that has to be called.
        tools_answered: whether the request's last message is the result of a tool call.
        choices: how many answers are wanted.
        stop: texts that end the answer.
        reasoning: whether the client asked to see the model think; None where it did not say.
        schema: the JSON Schema that the answer has to fit; an empty one for any JSON object, None for a text.
        echoed: what the start of the answer repeats of the request: `extra` of its `Start`.
    """

    dialect: str
    framing: str
    model: str = ""
    prompt: str = ""
    prompt_tokens: int = 0
    stream: bool = True
    max_tokens: int | None = None
    include_usage: bool = True
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    tools_answered: bool = False
    choices: int = 1
    stop: tuple[str, ...] = ()
    reasoning: bool | None = None
    schema: Mapping[str, object] | None = None
    echoed: Mapping[str, object] = field(default_factory=dict)


class RefusedError(Exception):
    """A request that its vendor would refuse.

    Attributes:
        status: the HTTP status.
        message: what is wrong, in the vendor's manner.
        type, error_code, param: the vendor's class of error, code, and the field that is wrong; empty where it is the
            vendor's usual one for this status, or there is none.
        headers: sent besides.
        framing: that of the stream that was asked for, where the vendor's error has a form of its own in it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "",  # noqa: A002 - what vendors call it
        error_code: str = "",
        param: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        framing: str = "",
    ) -> None:
        self.status = status
        self.message = message
        self.type = type
        self.error_code = error_code
        self.param = param
        self.headers = headers
        self.framing = framing
        super().__init__(message)
