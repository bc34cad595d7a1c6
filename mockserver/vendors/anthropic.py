"""Anthropic's `/v1/messages` (anthropic-sdk-python `types/message_create_params`), and its list of models. Pure.

The header `anthropic-version` is not asked for: others who speak this dialect do not send it. It decides whose list of
models `/v1/models` is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mockserver.ask import Ask, Question, RefusedError, Tool
from mockserver.vendors.endpoint import Endpoint, Facts, Params
from mockserver.vendors.fields import Fields, Manner, Path, Talk
from streamkit.codecs.jsontext import JSONTextError
from streamkit.dialects.ollama import rfc3339

__all__ = ["ENDPOINTS", "MANNER", "VERSION_HEADER"]

MIN_BUDGET_TOKENS: Final = 1024

TYPES: Final = {
    "string": "string",
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "array": "list",
    "object": "dictionary",
}


class AnthropicManner(Manner):
    """Where something is, is told as `messages.0.role`."""

    def not_json(self, body: bytes, error: JSONTextError | None) -> RefusedError:
        if error is None:
            return RefusedError(400, "The request body must be a JSON object.")
        line = body.count(b"\n", 0, error.position) + 1
        column = error.position - body.rfind(b"\n", 0, error.position)
        where = f"line {line} column {column} (char {error.position})"
        return RefusedError(400, f"The request body is not valid JSON: {error.reason}: {where}")

    def missing(self, path: Path) -> RefusedError:
        return RefusedError(400, f"{dotted(path)}: Field required")

    def wrong_type(self, path: Path, wanted: Sequence[str], value: object) -> RefusedError:  # noqa: ARG002 - it is not told
        expected = " or ".join(TYPES[kind] for kind in wanted)
        return RefusedError(400, f"{dotted(path)}: Input should be a valid {expected}")

    def out_of_range(self, path: Path, value: float, low: float | None, high: float | None) -> RefusedError:
        if low is not None and high is not None:
            return RefusedError(400, f"{dotted(path)}: range: {low:g}..{high:g}")
        if low is not None and value < low:
            return RefusedError(400, f"{dotted(path)}: Input should be greater than or equal to {low:g}")
        return RefusedError(400, f"{dotted(path)}: Input should be less than or equal to {high:g}")

    def wrong_value(self, path: Path, value: str, allowed: Sequence[str]) -> RefusedError:  # noqa: ARG002 - it is not told
        quoted = [f"'{each}'" for each in allowed]
        choices = f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else quoted[0]
        return RefusedError(400, f"{dotted(path)}: Input should be {choices}")

    def empty(self, path: Path) -> RefusedError:
        return RefusedError(400, f"{dotted(path)}: at least one message is required")

    def unknown_model(self, model: str) -> RefusedError:
        return RefusedError(404, f"model: {model}")

    def unknown_path(self, method: str, path: str) -> RefusedError:  # noqa: ARG002 - they are not told
        return RefusedError(404, "Not found")

    def wrong_method(self, method: str, path: str, allowed: Sequence[str]) -> RefusedError:  # noqa: ARG002 - as above
        return RefusedError(405, "Method Not Allowed", headers=(("Allow", ", ".join(allowed)),))


MANNER: Final = AnthropicManner()


def dotted(path: Path) -> str:
    """Return where something is, in Anthropic's manner."""
    return ".".join(map(str, path))


def read(question: Question, params: Params, facts: Facts) -> Ask:  # noqa: ARG001 - a row's form
    """Return what is asked.

    Raises:
        RefusedError: Anthropic would refuse the request.
    """
    body = MANNER.body_of(question)
    model = MANNER.model_of(body, facts)
    body.need("max_tokens")
    max_tokens = body.whole("max_tokens", 1)
    body.need("messages")
    talk = talk_of(body)
    body.number("temperature", 0, 1)
    body.number("top_p", 0, 1)
    body.whole("top_k", 0)
    tools = tools_of(body)
    return Ask(
        dialect="anthropic",
        framing="sse",
        model=model,
        prompt=talk.prompt,
        prompt_tokens=talk.prompt_tokens,
        stream=bool(body.flag("stream")),
        max_tokens=max_tokens,
        tools=tools,
        tool_choice=tool_choice_of(body, tools),
        tools_answered=talk.tools_answered,
        stop=body.texts("stop_sequences"),
        reasoning=thinking_of(body, max_tokens or 0),
        schema=schema_of(body),
    )


def talk_of(body: Fields) -> Talk:
    """Return what the system and the messages say."""
    talk = Talk()
    talk.hear(body.content("system"))
    messages = body.objects("messages")
    if not messages:
        raise MANNER.empty(body.at("messages"))
    last = len(messages) - 1
    for number, message in enumerate(messages):
        message.need("role", "content")
        role = message.word("role", ("user", "assistant", "system"))
        if not message.get("content") and not (role == "assistant" and number == last):
            what = "all messages must have non-empty content except for the optional final assistant message"
            raise RefusedError(400, f"messages.{number}: {what}")
        said, results = content_of(message)
        for result in results:
            talk.hear(result)
        talk.hear(said, by_user=role == "user", is_result=bool(results))
    return talk


def content_of(message: Fields) -> tuple[str, list[str]]:
    """Return the text that a message says, and those of the results of tool calls that it brings."""
    content = message.get("content")
    if isinstance(content, str):
        return content, []
    if not isinstance(content, list):
        raise MANNER.wrong_type(message.at("content"), ("string", "array"), content)
    said, results = [], []
    for block in message.objects("content"):
        block.need("type")
        kind = block.text("type")
        if kind == "text":
            block.need("text")
            said.append(block.text("text"))
        elif kind == "tool_result":
            block.need("tool_use_id")
            results.append(block.content("content"))
    return "".join(said), results


def tools_of(body: Fields) -> tuple[Tool, ...]:
    """Return the tools that the client has; those that Anthropic runs itself have no schema, and are never called."""
    tools = []
    for each in body.objects("tools"):
        if each.text("type", "custom") != "custom":
            continue
        each.need("input_schema")
        schema = each.object("input_schema")
        tools.append(Tool(each.named("name"), {} if schema is None else schema.value))
    return tuple(tools)


def tool_choice_of(body: Fields, tools: tuple[Tool, ...]) -> str:
    """Return which tool has to be called."""
    choice = body.object("tool_choice")
    if choice is None:
        return "auto"
    choice.need("type")
    kind = choice.word("type", ("auto", "any", "tool", "none"))
    if kind == "any" and not body.get("tools"):
        raise RefusedError(400, "tool_choice.any may only be specified while providing tools")
    if kind != "tool":
        return {"any": "required"}.get(kind, kind)
    name = choice.named("name")
    if name not in {tool.name for tool in tools}:
        raise RefusedError(400, f"Tool '{name}' not found in provided tools")
    return name


def thinking_of(body: Fields, max_tokens: int) -> bool | None:
    """Return whether the model is to think."""
    thinking = body.object("thinking")
    if thinking is None:
        return None
    thinking.need("type")
    kind = thinking.word("type", ("enabled", "disabled", "adaptive", "between_tools"))
    if kind == "enabled":
        thinking.need("budget_tokens")
        budget = thinking.whole("budget_tokens", MIN_BUDGET_TOKENS) or 0
        if budget >= max_tokens:
            raise RefusedError(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    return kind != "disabled"


def schema_of(body: Fields) -> Mapping[str, object] | None:
    """Return the schema that the answer has to fit, None where a text is wanted. Its older form is `output_format`."""
    config = body.object("output_config")
    form = None if config is None else config.object("format")
    form = form or body.object("output_format")
    if form is None:
        return None
    form.need("type")
    form.word("type", ("json_schema",))
    form.need("schema")
    schema = form.object("schema")
    return None if schema is None else schema.value


def count(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return how many tokens a request has.

    Raises:
        RefusedError: Anthropic would refuse the request.
    """
    body = MANNER.body_of(question)
    MANNER.model_of(body, facts)
    body.need("messages")
    return {"input_tokens": talk_of(body).prompt_tokens}


def models(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return the list of models."""
    listed = [model_object(name, facts) for name in facts.listed]
    first, last = (facts.listed[0], facts.listed[-1]) if facts.listed else (None, None)
    return {"data": listed, "has_more": False, "first_id": first, "last_id": last}


def model(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return one model.

    Raises:
        RefusedError: there is no such model.
    """
    name = params["model"]
    if not facts.knows(name):
        raise MANNER.unknown_model(name)
    return model_object(name, facts)


def model_object(name: str, facts: Facts) -> dict[str, object]:
    """Return a model as a list of them has it."""
    created = rfc3339(facts.created_ns)
    return {"type": "model", "id": name, "display_name": name, "created_at": created, "lifecycle": "active"}


VERSION_HEADER: Final = "anthropic-version"

ENDPOINTS: Final = (
    Endpoint("POST", "/v1/messages", "anthropic", read, "Anthropic's Messages."),
    Endpoint("POST", "/v1/messages/count_tokens", "anthropic", count, "How many tokens such a request has."),
    Endpoint("GET", "/v1/models", "anthropic", models, "Anthropic's list of models.", VERSION_HEADER),
    Endpoint("GET", "/v1/models/{model*}", "anthropic", model, "One of them.", VERSION_HEADER),
)
