"""Tools, choices of them, forms of answers and efforts of thinking, as OpenAI's endpoints have them. Pure.

A chat wraps what belongs together in one object more (`{"type": "function", "function": {...}}`) than a response does.
"""

from __future__ import annotations

from typing import Final, Literal

from streamkit.dialects.requests import EFFORTS, ResponseSchema, Tool
from streamkit.vendors.fields import Fields
from streamkit.vendors.neutral import forced
from streamkit.vendors.openai import written
from streamkit.vendors.question import RefusedError

__all__ = ["Form", "effort_of", "form_of", "tool_choice_of", "tool_of"]

Form = ResponseSchema | Literal["json"] | None
"""What an answer has to fit: a schema, any JSON object, or nothing."""

FREE: Final[dict[str, object]] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}
"""What stands for the arguments of a custom tool, which are a text of any form."""

ONE_MODE: Final = "a choice among tools that are not functions cannot be translated"


def tool_of(kind: str, function: Fields) -> Tool:
    """Return a tool; one of type `custom` takes a text of any form, which stands for its only argument."""
    name, description = function.named("name"), function.text("description")
    if kind == "custom":
        function.refuse_all("custom tools, whose input has any form, cannot be translated")
        return Tool(name, description, dict(FREE))
    parameters = function.object("parameters")
    function.drop("strict", "async", "defer_loading", usual=(False,))
    function.drop("output_schema", "cache_control")
    function.drop("allowed_callers", usual=(["direct"],))
    function.seal()
    return Tool(name, description, {} if parameters is None else dict(parameters.value))


def tool_choice_of(body: Fields, tools: list[Tool]) -> tuple[str, list[Tool]]:
    """Return which tool has to be called, and which may be, from what all forms of `tool_choice` have in common."""
    choice = body.get("tool_choice")
    if choice is None:
        return "auto", tools
    if not tools and not body.get("tools"):
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise RefusedError(400, message, param="tool_choice")
    if isinstance(choice, str):
        return body.word("tool_choice", ("none", "auto", "required")), tools
    named = body.object("tool_choice")
    if named is None:
        return "auto", tools
    kind = named.text("type", "function")
    if kind == "allowed_tools":
        return allowed_of(body, named, tools)
    if kind not in {"function", "custom"}:
        body.refuse("tool_choice", ONE_MODE)
        return "auto", tools  # one of the vendor's own tools, which are never called here
    inner = named.object(kind) or named
    name = inner.named("name")
    if name not in {each.name for each in tools}:
        raise RefusedError(400, f"Tool choice '{kind}.{name}' not found in 'tools' parameter.", param="tool_choice")
    inner.seal()
    if inner is not named:
        named.seal()
    return forced(name, tools)


def allowed_of(body: Fields, named: Fields, tools: list[Tool]) -> tuple[str, list[Tool]]:
    """Return what a choice of several tools says: those are all that there are."""
    wrapped = named.object("allowed_tools")
    allowed = wrapped or named
    names, others = set(), False
    for each in allowed.objects("tools"):
        kind = each.text("type")
        names.add((each.object(kind) or each).text("name"))
        others = others or kind not in {"function", ""}
    mode = allowed.word("mode", ("auto", "required"), "auto")
    kept = [each for each in tools if each.name in names]
    if others:
        body.refuse("tool_choice", ONE_MODE)
    elif mode == "required" and not kept:
        body.refuse("tool_choice", "none of the tools that it allows is there")
    allowed.seal()
    if wrapped is not None:
        named.seal()
    return mode, kept


def form_of(form: Fields | None, wrapper: str = "") -> Form:
    """Return what an answer has to fit.

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
        form.seal()
        return "json" if kind == "json_object" else None
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
    description, strict = inner.text("description"), inner.flag("strict")
    inner.seal()
    if inner is not form:
        form.seal()
    return ResponseSchema({} if schema is None else dict(schema.value), name, description, strict)


def effort_of(fields: Fields, name: str) -> str | None:
    """Return how hard the model is to think, None where nothing is said of it."""
    return fields.word(name, EFFORTS) or None
