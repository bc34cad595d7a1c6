"""Gemini's `generateContent` and `streamGenerateContent` (google-genai's types), of Google AI and of Vertex AI. Pure.

Streams are server-sent events with `?alt=sse` and one JSON array without. Keys may be written in camel case or with
underscores, as protobuf's JSON has it. Fields that Google does not know, which it refuses, are let through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mockserver.ask import Ask, Question, RefusedError, Tool
from mockserver.vendors.endpoint import Endpoint, Facts, Params
from mockserver.vendors.fields import Fields, Manner, Path, Talk
from streamkit.codecs.jsontext import JSONTextError, encode_value

__all__ = ["ENDPOINTS", "KEY_HEADER", "MANNER"]

JSON: Final = "application/json"

MAX_CANDIDATES: Final = 8
MAX_STOP_SEQUENCES: Final = 5
MAX_SCHEMA_DEPTH: Final = 64

PROTO_TYPES: Final[Mapping[str, str]] = {
    "string": "TYPE_STRING",
    "boolean": "TYPE_BOOL",
    "integer": "TYPE_INT32",
    "number": "TYPE_FLOAT",
    "array": "LIST",
    "object": "TYPE_MESSAGE",
}

HUMP: Final = re.compile("[A-Z]")

ROLES: Final = ("user", "model", "function", "tool")


class GeminiFields(Fields):
    """Fields by their names in camel case, which may stand there with underscores."""

    def get(self, name: str) -> object:
        value = self.value.get(name)
        return self.value.get(underscored(name)) if value is None else value


class GeminiManner(Manner):
    """Where something is, is told as `generation_config.temperature`."""

    fields = GeminiFields

    def not_json(self, body: bytes, error: JSONTextError | None) -> RefusedError:
        if error is None:
            return RefusedError(400, 'Invalid JSON payload received. Unknown name "": Root element must be a message.')
        near = body[error.position : error.position + 20].decode("utf-8", "replace")
        return RefusedError(
            400, f"Invalid JSON payload received. {error.reason[:1].upper()}{error.reason[1:]}.\n{near}\n^"
        )

    def missing(self, path: Path) -> RefusedError:
        return violation(path, f"{path[-1]} is not specified")

    def wrong_type(self, path: Path, wanted: Sequence[str], value: object) -> RefusedError:
        shown = encode_value(value).decode()
        where, kind = written(path), PROTO_TYPES[wanted[0]]
        return RefusedError(
            400, f"Invalid value at '{where}' ({kind}), {shown if len(shown) < 80 else shown[:77] + '...'}"
        )

    def out_of_range(self, path: Path, value: float, low: float | None, high: float | None) -> RefusedError:
        name = underscored(str(path[-1]))
        if high is None:
            return violation(path, f"{name} must be {'positive' if low == 1 else 'non-negative'}")
        return violation(path, f"{name} must be in the range [{low}, {high}], not {value}")

    def wrong_value(self, path: Path, value: str, allowed: Sequence[str]) -> RefusedError:
        if path[-1] == "role":
            return RefusedError(400, "Please use a valid role: user, model.")
        return RefusedError(
            400, f"Invalid value at '{written(path)}' (TYPE_ENUM), \"{value}\"; it is one of {', '.join(allowed)}"
        )

    def empty(self, path: Path) -> RefusedError:
        if path[-1] == "parts":
            return violation(path, "contents.parts must not be empty")
        return self.missing(path)

    def unknown_model(self, model: str) -> RefusedError:
        message = (
            f"models/{model} is not found for API version v1beta, or is not supported for generateContent. "
            "Call ListModels to see the list of available models and their supported methods."
        )
        return RefusedError(404, message)

    def unknown_path(self, method: str, path: str) -> RefusedError:
        return RefusedError(404, f"The requested URL {path} was not found for {method}.")

    def wrong_method(self, method: str, path: str, allowed: Sequence[str]) -> RefusedError:
        message = f"The method {method} is not allowed for the requested URL {path}."
        return RefusedError(405, message, headers=(("Allow", ", ".join(allowed)),))


MANNER: Final = GeminiManner()


def underscored(name: str) -> str:
    """Return a name in camel case as protobuf has it."""
    return HUMP.sub(lambda found: f"_{found[0].lower()}", name)


def written(path: Path) -> str:
    """Return where something is, in Google's manner."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{underscored(key)}" for key in path]
    return "".join(parts).removeprefix(".")


def violation(path: Path, what: str) -> RefusedError:
    """Refuse what has the right form and makes no sense."""
    return RefusedError(400, f"* GenerateContentRequest.{written(path)}: {what}\n")


def read_stream(question: Question, params: Params, facts: Facts) -> Ask:
    """Return what is asked of `streamGenerateContent`.

    Raises:
        RefusedError: Google would refuse the request.
    """
    alt = question.query.get("alt") or question.query.get("$alt") or "json"
    if alt not in {"sse", "json"}:
        raise RefusedError(400, f"Invalid value at 'alt' (TYPE_ENUM), \"{alt}\"; it is one of json, sse")
    framing = "sse" if alt == "sse" else "json-array"
    try:
        return ask_of(question, params, facts, framing, stream=True)
    except RefusedError as error:
        error.framing = framing
        raise


def read_document(question: Question, params: Params, facts: Facts) -> Ask:
    """Return what is asked of `generateContent`.

    Raises:
        RefusedError: Google would refuse the request.
    """
    return ask_of(question, params, facts, "sse", stream=False)


def ask_of(question: Question, params: Params, facts: Facts, framing: str, *, stream: bool) -> Ask:
    """Return what is asked."""
    if not facts.knows(params["model"]):
        raise MANNER.unknown_model(params["model"])
    body = MANNER.body_of(question)
    talk = talk_of(body)
    config = body.object("generationConfig") or GeminiFields({}, MANNER, ("generationConfig",))
    config.number("temperature", 0.0, 2.0)
    config.number("topP", 0.0, 1.0)
    stop = config.texts("stopSequences")
    if len(stop) > MAX_STOP_SEQUENCES:
        raise violation(config.at("stopSequences"), f"at most {MAX_STOP_SEQUENCES} stop sequences are supported")
    tools = tools_of(body)
    tool_choice, tools = tool_choice_of(body, tools)
    return Ask(
        dialect="gemini",
        framing=framing,
        model=params["model"],
        prompt=talk.prompt,
        prompt_tokens=talk.prompt_tokens,
        stream=stream,
        max_tokens=config.whole("maxOutputTokens", 1),
        tools=tools,
        tool_choice=tool_choice,
        tools_answered=talk.tools_answered,
        choices=config.whole("candidateCount", 1, MAX_CANDIDATES) or 1,
        stop=stop,
        reasoning=thoughts_of(config),
        schema=schema_of(config),
    )


def talk_of(body: Fields) -> Talk:
    """Return what the system instruction and the contents say."""
    talk = Talk()
    system = body.object("systemInstruction")
    if system is not None:
        talk.hear("".join(part.text("text") for part in system.objects("parts")))
    contents = body.objects("contents")
    if not contents:
        raise MANNER.missing(body.at("contents"))
    for content in contents:
        role = content.word("role", ROLES, "user")
        parts = content.objects("parts")
        if not parts:
            raise MANNER.empty(content.at("parts"))
        results = [result for part in parts if (result := part.object("functionResponse")) is not None]
        for result in results:  # any JSON; as text it is what it is as JSON
            talk.hear(encode_value(result.get("response")).decode())
        talk.hear("".join(part.text("text") for part in parts), by_user=role == "user", is_result=bool(results))
    return talk


def tools_of(body: Fields) -> tuple[Tool, ...]:
    """Return the functions; Google's own tools are accepted and never called."""
    tools = []
    for each in body.objects("tools"):
        for function in each.objects("functionDeclarations"):
            schema = function.object("parametersJsonSchema") or function.object("parameters")
            tools.append(Tool(function.named("name"), {} if schema is None else json_schema(schema.value)))
    return tuple(tools)


def json_schema(schema: Mapping[str, Any], depth: int = MAX_SCHEMA_DEPTH) -> dict[str, object]:
    """Return a schema with the types as JSON Schema has them: Google writes `STRING`. Below `depth` it is left out."""
    if depth == 0:
        return {}

    def converted(key: str, value: object) -> object:
        if key == "type" and isinstance(value, str):
            return value.lower()
        if key == "properties" and isinstance(value, dict):
            return {name: inner(each) for name, each in value.items()}
        if key in {"enum", "default", "example", "const", "required"}:
            return value
        return [inner(each) for each in value] if isinstance(value, list) else inner(value)

    def inner(value: object) -> object:
        return json_schema(value, depth - 1) if isinstance(value, dict) else value

    return {key: converted(key, value) for key, value in schema.items()}


def tool_choice_of(body: Fields, tools: tuple[Tool, ...]) -> tuple[str, tuple[Tool, ...]]:
    """Return which function has to be called, and which may be."""
    config = body.object("toolConfig")
    calling = None if config is None else config.object("functionCallingConfig")
    if calling is None:
        return "auto", tools
    mode = calling.word("mode", ("AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"), "AUTO")
    names = calling.texts("allowedFunctionNames")
    if names:
        tools = tuple(tool for tool in tools if tool.name in names)
    return {"ANY": "required", "NONE": "none"}.get(mode, "auto"), tools


def schema_of(config: Fields) -> Mapping[str, object] | None:
    """Return the schema that the answer has to fit: an empty one for any JSON object, None where a text is wanted."""
    schema = config.object("responseJsonSchema") or config.object("responseSchema")
    media_type = config.text("responseMimeType")
    if schema is None:
        return {} if media_type == JSON else None
    return json_schema(schema.value) if media_type != "text/plain" else None


def thoughts_of(config: Fields) -> bool | None:
    """Return whether the client asked to see the model think."""
    thinking = config.object("thinkingConfig")
    if thinking is None:
        return None
    if thinking.whole("thinkingBudget") == 0:
        return False
    return thinking.flag("includeThoughts")


def count(question: Question, params: Params, facts: Facts) -> object:
    """Return how many tokens a request has.

    Raises:
        RefusedError: Google would refuse the request.
    """
    if not facts.knows(params["model"]):
        raise MANNER.unknown_model(params["model"])
    body = MANNER.body_of(question)
    return {"totalTokens": talk_of(body.object("generateContentRequest") or body).prompt_tokens}


def models(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return the list of models."""
    return {"models": [model_object(name) for name in facts.listed]}


def model(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return one model.

    Raises:
        RefusedError: there is no such model.
    """
    if not facts.knows(params["model"]):
        raise MANNER.unknown_model(params["model"])
    return model_object(params["model"])


def model_object(name: str) -> dict[str, object]:
    """Return a model as a list of them has it."""
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


KEY_HEADER: Final = "x-goog-api-key"
"""What Google's clients send their key in: below `/v1` there are three vendors' lists of models."""

VERTEX: Final = "/projects/{project}/locations/{location}/publishers/google"

ENDPOINTS: Final = (
    *(
        Endpoint("POST", f"{base}/models/{{model}}:{method}", "gemini", read, summary)
        for method, read, summary in (
            ("streamGenerateContent", read_stream, "Gemini's stream: events with `?alt=sse`, or a JSON array."),
            ("generateContent", read_document, "Gemini's answer as one document."),
            ("countTokens", count, "How many tokens such a request has."),
        )
        for base in ("/v1beta", "/v1", f"/v1{VERTEX}", f"/v1beta1{VERTEX}")
    ),
    Endpoint("GET", "/v1beta/models", "gemini", models, "Gemini's list of models."),
    Endpoint("GET", "/v1beta/models/{model}", "gemini", model, "One of them."),
    Endpoint("GET", "/v1/models", "gemini", models, "Gemini's list of models.", KEY_HEADER),
    Endpoint("GET", "/v1/models/{model}", "gemini", model, "One of them.", KEY_HEADER),
)
