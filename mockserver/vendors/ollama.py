"""Ollama's endpoints (ollama/ollama `api/types.go`, `server/routes.go`, `docs/api`). Pure.

Answers are streamed unless the request says otherwise. A request without anything to answer only loads the model, and
one that also says `keep_alive: 0` unloads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from mockserver.ask import Ask, Question, RefusedError, Tool
from mockserver.vendors.endpoint import Endpoint, Facts, Params
from mockserver.vendors.fields import Fields, Manner, Path, Talk, kind_of
from streamkit.codecs.jsontext import JSONTextError, encode_value
from streamkit.dialects.ollama import rfc3339

__all__ = ["ENDPOINTS", "MANNER"]

VERSION: Final = "0.13.0"
"""What the server says that it is: a version whose features the answers have."""

THINK_LEVELS: Final = ("high", "medium", "low", "max")

GO_TYPES: Final[Mapping[str, str]] = {
    "string": "string",
    "boolean": "bool",
    "integer": "int",
    "number": "float64",
    "array": "[]interface {}",
    "object": "map[string]interface {}",
}

GO_KINDS: Final[Mapping[str, str]] = {"boolean": "bool", "integer": "number"}


class OllamaManner(Manner):
    """Errors are sentences, mostly those of Go's JSON package."""

    def __init__(self, struct: str = "Request") -> None:
        self.struct = struct

    def not_json(self, body: bytes, error: JSONTextError | None) -> RefusedError:
        if not body.strip():
            return RefusedError(400, "missing request body")
        if error is None:
            kind = {b'"': "string", b"[": "array", b"t": "bool", b"f": "bool"}.get(body.strip()[:1], "number")
            return RefusedError(400, f"json: cannot unmarshal {kind} into Go value of type api.{self.struct}")
        if error.position >= len(body.rstrip()):
            return RefusedError(400, "unexpected EOF")
        wrong = body[error.position : error.position + 1].decode("latin-1")
        return RefusedError(
            400, f"invalid character {wrong!r} in the request body at byte {error.position}: {error.reason}"
        )

    def missing(self, path: Path) -> RefusedError:
        return RefusedError(400, f"{path[-1]} is required")

    def wrong_type(self, path: Path, wanted: Sequence[str], value: object) -> RefusedError:
        kind = kind_of(value)
        if path[0] == "options" and len(path) > 1:
            # Ollama looks at them late, and says that the mistake is its own.
            return RefusedError(500, f'option "{path[1]}" must be of type {wanted[-1].replace("number", "float32")}')
        place = ".".join(str(key) for key in path if isinstance(key, str))
        message = f"json: cannot unmarshal {GO_KINDS.get(kind, kind)} into Go struct field {self.struct}.{place}"
        return RefusedError(400, f"{message} of type {GO_TYPES[wanted[-1]]}")

    def out_of_range(self, path: Path, value: float, low: float | None, high: float | None) -> RefusedError:
        return RefusedError(400, f"{path[-1]} must be between {low} and {high}, not {value}")

    def wrong_value(self, path: Path, value: str, allowed: Sequence[str]) -> RefusedError:
        choices = ", ".join(f'"{each}"' for each in allowed)
        return RefusedError(400, f'invalid {path[-1]} value: "{value}" (must be {choices}, true, or false)')

    def empty(self, path: Path) -> RefusedError:
        return RefusedError(400, f"{path[-1]} must not be empty")

    def unknown_model(self, model: str) -> RefusedError:
        return RefusedError(404, f"model '{model}' not found")

    def unknown_path(self, method: str, path: str) -> RefusedError:  # noqa: ARG002 - its router does not say them
        return RefusedError(404, "404 page not found")

    def wrong_method(self, method: str, path: str, allowed: Sequence[str]) -> RefusedError:  # noqa: ARG002 - as above
        return RefusedError(405, "405 method not allowed", headers=(("Allow", ", ".join(allowed)),))


MANNER: Final = OllamaManner()
CHAT: Final = OllamaManner("ChatRequest")
GENERATE: Final = OllamaManner("GenerateRequest")


def read_chat(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return what is asked at `/api/chat`, or that the model is loaded.

    Raises:
        RefusedError: Ollama would refuse the request.
    """
    body = CHAT.body_of(question)
    model = CHAT.model_of(body, facts)
    talk = Talk()
    messages = body.objects("messages")
    for message in messages:
        role = message.text("role").lower()
        message.texts("images")
        message.objects("tool_calls")
        talk.hear(message.text("content"), by_user=role == "user", is_result=role == "tool")
    if not messages:
        return loaded(body, model, facts, {"message": {"role": "assistant", "content": ""}})
    return ask_of(body, "ollama-chat", model, talk, tools_of(body))


def read_generate(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return what is asked at `/api/generate`, or that the model is loaded.

    Raises:
        RefusedError: Ollama would refuse the request.
    """
    body = GENERATE.body_of(question)
    if not body.text("model"):
        raise RefusedError(404, "model '' not found")
    model = GENERATE.model_of(body, facts)
    talk = Talk()
    system, prompt, suffix = body.text("system"), body.text("prompt"), body.text("suffix")
    for text in (system, suffix):
        talk.hear(text)
    talk.hear(prompt, by_user=True)
    if body.flag("raw") and (system or body.text("template") or body.get("context")):
        raise RefusedError(400, "raw mode does not support template, system, or context")
    body.texts("images")
    if not prompt:
        return loaded(body, model, facts, {"response": ""})
    return ask_of(body, "ollama-generate", model, talk, ())


def ask_of(body: Fields, dialect: str, model: str, talk: Talk, tools: tuple[Tool, ...]) -> Ask:
    """Return what is asked, from the fields that both endpoints have."""
    stream = body.flag("stream")
    max_tokens, stop = limits_of(body)
    return Ask(
        dialect=dialect,
        framing="ndjson",
        model=model,
        prompt=talk.prompt,
        prompt_tokens=talk.prompt_tokens,
        stream=stream is None or stream,
        max_tokens=max_tokens,
        tools=tools,
        tools_answered=talk.tools_answered,
        stop=stop,
        reasoning=think_of(body),
        schema=schema_of(body),
    )


def limits_of(body: Fields) -> tuple[int | None, tuple[str, ...]]:
    """Return how many tokens may be answered (no bound for -1, nor for -2 and 0), and the texts that end the answer."""
    options = body.object("options")
    if options is None:
        return None, ()
    options.number("temperature")
    options.number("top_p")
    predict = options.number("num_predict")
    return (int(predict) if predict is not None and predict >= 1 else None), options.texts("stop")


def schema_of(body: Fields) -> Mapping[str, object] | None:
    """Return the schema that the answer has to fit: an empty one for any JSON object, None where a text is wanted.

    Raises:
        RefusedError: it is no schema. Ollama looks at it late, and says that the mistake is its own.
    """
    form = body.get("format")
    if form is None or form == "":
        return None
    if form == "json":
        return {}
    if not isinstance(form, dict):
        text = encode_value(form).decode()
        shown = encode_value(text if len(text) < 80 else text[:77] + "...").decode()
        raise RefusedError(500, f'invalid format: {shown}; expected "json" or a valid JSON Schema object')
    return form


def think_of(body: Fields) -> bool | None:
    """Return whether the model is to think; how hard is all the same here."""
    if isinstance(body.get("think"), str):
        return body.word("think", THINK_LEVELS) != ""
    return body.flag("think")


def tools_of(body: Fields) -> tuple[Tool, ...]:
    """Return the tools."""
    tools = []
    for each in body.objects("tools"):
        function = each.object("function") or each
        parameters = function.object("parameters")
        tools.append(Tool(function.text("name"), {} if parameters is None else parameters.value))
    return tuple(tools)


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
    """Return a model as the list has it. Its size and digest are made up, and always the same."""
    full = name if ":" in name else f"{name}:latest"
    digest = sha256(full.encode()).hexdigest()
    return {
        "name": full,
        "model": full,
        "modified_at": rfc3339(facts.created_ns),
        "size": 4_000_000_000,
        "digest": digest,
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "mock",
            "families": ["mock"],
            "parameter_size": "7B",
            "quantization_level": "Q4_0",
        },
    }


def version(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return the server's version."""
    return {"version": VERSION}


ENDPOINTS: Final = (
    Endpoint("POST", "/api/chat", "ollama-chat", read_chat, "Ollama's chat."),
    Endpoint("POST", "/api/generate", "ollama-generate", read_generate, "Ollama's completion of a prompt."),
    Endpoint("GET", "/api/tags", "ollama-chat", tags, "Ollama's list of models."),
    Endpoint("GET", "/api/version", "ollama-chat", version, "Ollama's version."),
)
