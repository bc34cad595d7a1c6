"""What OpenAI's three endpoints share: how it complains, and what tools and choices of tools look like. Pure.

The sentences, types and codes are OpenAI's own, as its users quote them; vLLM's and llama.cpp's differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mockserver.ask import Question, RefusedError, Tool
from mockserver.vendors.endpoint import Endpoint, Facts, Params
from mockserver.vendors.fields import Fields, Manner, Path, kind_of
from streamkit.codecs.jsontext import JSONTextError

__all__ = [
    "ENDPOINTS",
    "MANNER",
    "OpenAIManner",
    "check_sampling",
    "reasoning_of",
    "schema_of",
    "tool_choice_of",
    "tool_of",
]

S: Final = 1_000_000_000

WORDS: Final[Mapping[str, str]] = {
    "null": "null",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a decimal",
    "string": "a string",
    "array": "an array",
    "object": "an object",
}

NOT_JSON: Final = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON."
)


class OpenAIManner(Manner):
    """Where something is, is told as `messages[0].role`."""

    def not_json(self, body: bytes, error: JSONTextError | None) -> RefusedError:
        if not body:
            return RefusedError(400, "you must provide a model parameter")
        why = "It is no object." if error is None else f"It has an error at byte {error.position}: {error.reason}."
        return RefusedError(400, f"{NOT_JSON} {why})")

    def missing(self, path: Path) -> RefusedError:
        if path == ("model",):
            return RefusedError(400, "you must provide a model parameter")
        param = written(path)
        message = f"Missing required parameter: '{param}'."
        return RefusedError(400, message, param=param, error_code="missing_required_parameter")

    def wrong_type(self, path: Path, wanted: Sequence[str], value: object) -> RefusedError:
        param = written(path)
        expected = "one of " * (len(wanted) > 1) + " or ".join(WORDS[kind] for kind in wanted)
        message = f"Invalid type for '{param}': expected {expected}, but got {WORDS[kind_of(value)]} instead."
        return RefusedError(400, message, param=param, error_code="invalid_type")

    def out_of_range(self, path: Path, value: float, low: float | None, high: float | None) -> RefusedError:
        param = written(path)
        kind = "integer" if isinstance(low, int) or isinstance(high, int) else "decimal"
        if low is not None and value < low:
            side, sign, bound = "below_min", ">=", low
        else:
            side, sign, bound = "above_max", "<=", high or 0
        what = side.replace("_min", " minimum").replace("_max", " maximum")
        message = f"Invalid '{param}': {kind} {what} value. Expected a value {sign} {bound:g}, but got {value} instead."
        return RefusedError(400, message, param=param, error_code=f"{kind}_{side}_value")

    def wrong_value(self, path: Path, value: str, allowed: Sequence[str]) -> RefusedError:
        quoted = [f"'{each}'" for each in allowed]
        supported = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
        message = f"Invalid value: '{value}'. Supported values are: {supported}."
        return RefusedError(400, message, param=written(path), error_code="invalid_value")

    def empty(self, path: Path) -> RefusedError:
        param = written(path)
        message = (
            f"Invalid '{param}': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        return RefusedError(400, message, param=param, error_code="empty_array")

    def unknown_model(self, model: str) -> RefusedError:
        message = f"The model `{model}` does not exist or you do not have access to it."
        return RefusedError(404, message, error_code="model_not_found")

    def unknown_path(self, method: str, path: str) -> RefusedError:
        return RefusedError(404, f"Invalid URL ({method} {path})")

    def wrong_method(self, method: str, path: str, allowed: Sequence[str]) -> RefusedError:
        hint = "(HINT: Perhaps you meant to use a different HTTP method?)"
        message = f"Not allowed to {method} on {path}. {hint}"
        return RefusedError(405, message, error_code="method_not_supported", headers=(("Allow", ", ".join(allowed)),))


MANNER: Final = OpenAIManner()


def written(path: Path) -> str:
    """Return where something is, in OpenAI's manner."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def check_sampling(body: Fields) -> None:
    """Check the numbers that say how tokens are drawn, which a mock has no other use for."""
    body.number("temperature", 0.0, 2.0)
    body.number("top_p", 0.0, 1.0)
    body.number("presence_penalty", -2.0, 2.0)
    body.number("frequency_penalty", -2.0, 2.0)


def tool_of(kind: str, function: Fields) -> Tool:
    """Return a tool; one of type `custom` takes a text of any form, which stands for its only argument."""
    name = function.named("name")
    if kind == "custom":
        form = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
        return Tool(name, form)
    parameters = function.object("parameters")
    return Tool(name, {} if parameters is None else parameters.value)


def tool_choice_of(body: Fields, tools: tuple[Tool, ...]) -> tuple[str, tuple[Tool, ...]]:
    """Return which tool has to be called, and which may be, from what all forms of `tool_choice` have in common."""
    choice = body.get("tool_choice")
    if choice is None:
        return "auto", tools
    if tools == () and not body.get("tools"):
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise RefusedError(400, message, param="tool_choice")
    if isinstance(choice, str):
        return body.word("tool_choice", ("none", "auto", "required")), tools
    named = body.object("tool_choice")
    if named is None:
        return "auto", tools
    kind = named.text("type", "function")
    if kind == "allowed_tools":
        allowed = named.object("allowed_tools") or named
        names = {(each.object(each.text("type")) or each).text("name") for each in allowed.objects("tools")}
        return allowed.word("mode", ("auto", "required"), "auto"), tuple(each for each in tools if each.name in names)
    if kind not in {"function", "custom"}:
        return "auto", tools  # one of the vendor's own tools, which are never called here
    inner = named.object(kind) or named
    name = inner.named("name")
    if name not in {each.name for each in tools}:
        raise RefusedError(400, f"Tool choice '{kind}.{name}' not found in 'tools' parameter.", param="tool_choice")
    return name, tools


def schema_of(form: Fields | None, wrapper: str = "") -> Mapping[str, object] | None:
    """Return the schema that an answer has to fit: an empty one for any object, None where a text is wanted.

    Args:
        form: `response_format` of a chat, `text.format` of a response.
        wrapper: the field of it that has name and schema; empty where `form` itself has them.

    Raises:
        RefusedError: there is no name, or the schema is none of an object; no more of it is checked.
    """
    if form is None:
        return None
    form.need("type")
    kind = form.word("type", ("json_object", "json_schema", "text"))
    if kind != "json_schema":
        return {} if kind == "json_object" else None
    if wrapper:
        form.need(wrapper)
    inner = (form.object(wrapper) if wrapper else None) or form
    inner.need("name", *(() if wrapper else ("schema",)))
    name, schema = inner.text("name"), inner.object("schema")
    root = "object" if schema is None else schema.get("type") or "object"
    if isinstance(root, str) and root != "object":
        wanted = """schema must be a JSON Schema of 'type: "object"'"""
        message = f"""Invalid schema for response_format '{name[:64]}': {wanted}, got 'type: "{root[:64]}"'."""
        if wrapper:
            raise RefusedError(400, message, param=written(form.path))
        raise RefusedError(400, message, param=written(form.at("schema")), error_code="invalid_json_schema")
    return {} if schema is None else schema.value


def reasoning_of(effort: str) -> bool | None:
    """Return whether the client wants the model to think, from how hard it wants it to."""
    return None if not effort else effort != "none"


def models(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return the list of models."""
    return {"object": "list", "data": [model_object(model, facts) for model in facts.listed]}


def model(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return one model."""
    name = params["model"]
    if not facts.knows(name):
        message = f"The model '{name}' does not exist"
        raise RefusedError(404, message, param="model", error_code="model_not_found")
    return model_object(name, facts)


def model_object(name: str, facts: Facts) -> dict[str, object]:
    """Return a model as a list of them has it."""
    return {"id": name, "object": "model", "created": facts.created_ns // S, "owned_by": "mockserver"}


ENDPOINTS: Final = tuple(
    Endpoint("GET", f"{base}{path}", "openai-chat", read, summary)
    for path, read, summary in (
        ("/models", models, "OpenAI's list of models."),
        ("/models/{model*}", model, "One of them."),
    )
    for base in ("/v1", "", "/openai/v1")
)
