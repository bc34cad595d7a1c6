"""Ollama's endpoints (ollama/ollama `api/types.go`, `server/routes.go`, `docs/api`). Pure.

Answers are streamed unless the request says otherwise. A request without anything to answer only loads the model, and
one that also says `keep_alive: 0` unloads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.ollama import rfc3339
from streamkit.dialects.request_messages import ChatMessage, Role, ToolCall
from streamkit.dialects.requests import ChatRequest, ResponseSchema, Tool
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields, kind_of
from streamkit.vendors.ollama_manner import CHAT, GENERATE, MANNER
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading

__all__ = ["ENDPOINTS", "MANNER"]

VERSION: Final = "0.13.0"
"""What the server says that it is: a version whose features the answers have."""

THINK_LEVELS: Final = ("high", "medium", "low", "max")

ROLES: Final[Mapping[str, Role]] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}

OWN: Final = ("suffix", "template", "context", "width", "height", "steps")
"""What only Ollama's own completion does."""

HARMLESS: Final = ("keep_alive", "truncate", "shift", "top_logprobs")


MADE_OF: Final[Mapping[str, str | list[str]]] = {
    "format": "gguf",
    "family": "mock",
    "families": ["mock"],
    "parameter_size": "7B",
    "quantization_level": "Q4_0",
}

NEVER: Final = "0001-01-01T00:00:00Z"
"""Go's time that is none."""


def read_chat(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return what is asked at `/api/chat`, or that the model is loaded.

    Raises:
        RefusedError: Ollama would refuse the request.
    """
    body = CHAT.body_of(question)
    model = CHAT.model_of(body, facts)
    messages = [message_of(message) for message in body.objects("messages")]
    if not messages:
        return loaded(body, model, facts, {"message": {"role": "assistant", "content": ""}})
    return reading_of(body, "ollama-chat", model, messages, tools_of(body))


def message_of(message: Fields) -> ChatMessage:
    """Return one message."""
    written = message.text("role").lower()
    if written not in ROLES:
        message.refuse_all(f"a message of the role '{written[:64]}' cannot be translated")
    said = ChatMessage(
        ROLES.get(written, "user"),
        message.text("content"),
        tool_call_id=message.text("tool_call_id"),
        tool_name=message.text("tool_name"),
        reasoning=message.text("thinking"),
    )
    message.texts("images")
    message.refuse("images", "images cannot be translated", usual=([],))
    calls = [call_of(call) for call in message.objects("tool_calls")]
    if said.role == "assistant":
        said.tool_calls = calls
    else:
        message.refuse("tool_calls", "only the assistant calls tools", usual=([],))
    message.seal()
    return said


def call_of(call: Fields) -> ToolCall:
    """Return what the assistant called."""
    function = call.object("function") or call
    arguments = function.object("arguments")
    told = encode_value(arguments.value if arguments else {}).decode()
    function.ignore("index")
    call.ignore("type")
    name, call_id = function.text("name"), call.text("id")
    function.seal()
    if function is not call:
        call.seal()
    return ToolCall(call_id, name, told)


def read_generate(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return what is asked at `/api/generate`, or that the model is loaded.

    Raises:
        RefusedError: Ollama would refuse the request.
    """
    body = GENERATE.body_of(question)
    if not body.text("model"):
        raise RefusedError(404, "model '' not found")
    model = GENERATE.model_of(body, facts)
    system, prompt = body.text("system"), body.text("prompt")
    suffix = body.text("suffix")
    if body.flag("raw") and (system or body.text("template") or body.get("context")):
        raise RefusedError(400, "raw mode does not support template, system, or context")
    body.texts("images")
    if not prompt:
        return loaded(body, model, facts, {"response": ""})
    messages = [ChatMessage("system", system)] if system else []
    messages.append(ChatMessage("user", prompt))
    return reading_of(body, "ollama-generate", model, messages, [], suffix)


def reading_of(  # noqa: PLR0917 - what differs between the two
    body: Fields, dialect: str, model: str, messages: list[ChatMessage], tools: list[Tool], aside: str = ""
) -> Reading:
    """Return what is asked, from the fields that both endpoints have."""
    stream = body.flag("stream")
    options = body.object("options") or type(body)({}, body.manner, body.at("options"), body.leftovers)
    predict = whole(options, "num_predict")
    request = ChatRequest(
        model=model,
        messages=messages,
        tools=tools,
        max_tokens=predict if predict is not None and predict >= 1 else None,  # -1, -2 and 0 are no bound
        temperature=options.number("temperature"),
        top_p=options.number("top_p"),
        top_k=whole(options, "top_k"),
        seed=whole(options, "seed"),
        stop=list(options.texts("stop")),
        frequency_penalty=options.number("frequency_penalty"),
        presence_penalty=options.number("presence_penalty"),
        response_format=format_of(body),
        reasoning=think_of(body),
        stream=stream is None or stream,
    )
    options.seal()
    for name in OWN:
        body.refuse(name, "only Ollama has this, and it cannot be translated", usual=("", [], 0))
    body.refuse("raw", "a prompt without the model's own template cannot be translated", usual=(False,))
    body.refuse("images", "images cannot be translated", usual=([],))
    body.refuse("logprobs", "logprobs cannot be translated", usual=(False,))
    body.drop(*HARMLESS)
    body.seal()
    return Reading(dialect, "ndjson", request, tuple(body.leftovers), aside=aside)


def whole(options: Fields, name: str) -> int | None:
    """Return an option that is an integer; Ollama cuts off what stands behind its point."""
    value = options.get(name)
    if value is None:
        return None
    if kind_of(value) not in {"integer", "number"} or not isinstance(value, (int, float)):
        raise options.manner.wrong_type(options.at(name), ("integer",), value)
    return int(value)


def format_of(body: Fields) -> ResponseSchema | Literal["json"] | None:
    """Return what the answer has to fit: a schema, any JSON object, or nothing where a text is wanted.

    Raises:
        RefusedError: it is no schema. Ollama looks at it late, and says that the mistake is its own.
    """
    form = body.get("format")
    if form is None or form == "":
        return None
    if form == "json":
        return "json"
    if not isinstance(form, dict):
        text = encode_value(form).decode()
        shown = encode_value(text if len(text) < 80 else text[:77] + "...").decode()
        raise RefusedError(500, f'invalid format: {shown}; expected "json" or a valid JSON Schema object')
    return ResponseSchema(form) if form else "json"


def think_of(body: Fields) -> bool | str | None:
    """Return whether the model is to think, or how hard."""
    if isinstance(body.get("think"), str):
        return body.word("think", THINK_LEVELS)
    return body.flag("think")


def tools_of(body: Fields) -> list[Tool]:
    """Return the tools."""
    tools = []
    for each in body.objects("tools"):
        function = each.object("function") or each
        parameters = function.object("parameters")
        each.ignore("type")
        tool = Tool(function.text("name"), function.text("description"), dict(parameters.value) if parameters else {})
        tools.append(tool)
        function.seal()
        if function is not each:
            each.seal()
    return tools


def loaded(body: Fields, model: str, facts: Facts, answer: Mapping[str, object]) -> object:
    """Return what is said of a request without anything to answer."""
    keep_alive = body.get("keep_alive")
    is_over = keep_alive in {0, "0", "0s", "0m"} if isinstance(keep_alive, (int, float, str)) else False
    reason = "unload" if is_over else "load"
    created = rfc3339(facts.created_ns)
    return {"model": model, "created_at": created, **answer, "done": True, "done_reason": reason}


def tags(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return the models that there are."""
    return {"models": [model_object(name, facts) for name in facts.listed]}


def model_object(name: str, facts: Facts) -> dict[str, object]:
    """Return a model as the list has it. What it is made of is made up, and always the same.

    Of another server's model it is left empty, as Go leaves what it does not know. The digest is there: clients show
    its beginning, and Ollama's own fails where there is none.
    """
    full = name if ":" in name or not facts.lists_own else f"{name}:latest"
    made_of = MADE_OF if facts.lists_own else {key: type(value)() for key, value in MADE_OF.items()}
    return {
        "name": full,
        "model": full,
        "modified_at": rfc3339(facts.created_ns) if facts.lists_own else NEVER,
        "size": 4_000_000_000 if facts.lists_own else 0,
        "digest": sha256(full.encode()).hexdigest(),
        "details": {"parent_model": "", **made_of},
    }


def version(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return the server's version."""
    return {"version": VERSION}


ENDPOINTS: Final = (
    Endpoint("POST", "/api/chat", "ollama-chat", read_chat, "Ollama's chat."),
    Endpoint("POST", "/api/generate", "ollama-generate", read_generate, "Ollama's completion of a prompt."),
    Endpoint("GET", "/api/tags", "ollama-chat", tags, "Ollama's list of models.", kind="models"),
    Endpoint("GET", "/api/version", "ollama-chat", version, "Ollama's version.", kind="status"),
)
