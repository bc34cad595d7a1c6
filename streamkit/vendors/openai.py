"""What OpenAI's three endpoints share: how it complains, sampling, parts of messages; and its list of models. Pure.

The sentences, types and codes are OpenAI's own, as its users quote them; vLLM's and llama.cpp's differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from streamkit.codecs.jsontext import JSONTextError
from streamkit.dialects.requests import ChatRequest
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields, Manner, Path, kind_of
from streamkit.vendors.neutral import joined
from streamkit.vendors.question import Question, RefusedError

__all__ = [
    "ENDPOINTS",
    "MANNER",
    "RESPONSES_MANNER",
    "OpenAIManner",
    "said_in",
    "take_draws",
    "take_sampling",
    "written",
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


TEXTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text", "refusal"})
"""The types of parts that are a text."""

OTHERS: Final[Mapping[str, str]] = {
    "image_url": "images",
    "input_image": "images",
    "input_audio": "audio",
    "file": "files",
    "input_file": "files",
}


class OpenAIManner(Manner):
    """Where something is, is told as `messages[0].role`.

    Args:
        has_parameters: whether a field that there is not is an unknown parameter at the top of a body too; the older
            endpoints call it an argument there.
    """

    def __init__(self, *, has_parameters: bool = False) -> None:
        self._has_parameters = has_parameters

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

    def unknown(self, path: Path) -> RefusedError:
        param = written(path)
        if len(path) == 1 and not self._has_parameters:
            return RefusedError(400, f"Unrecognized request argument supplied: {param}")
        return RefusedError(400, f"Unknown parameter: '{param}'.", param=param, error_code="unknown_parameter")

    def untranslatable(self, path: Path, what: str) -> RefusedError:
        param = written(path)
        message = f"Unsupported parameter: '{param}': {what}."
        return RefusedError(400, message, param=param, error_code="unsupported_parameter")

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
RESPONSES_MANNER: Final = OpenAIManner(has_parameters=True)


def written(path: Path) -> str:
    """Return where something is, in OpenAI's manner."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def take_sampling(body: Fields, request: ChatRequest) -> None:
    """Take the numbers that say how tokens are drawn."""
    request.temperature = body.number("temperature", 0.0, 2.0)
    request.top_p = body.number("top_p", 0.0, 1.0)
    request.presence_penalty = body.number("presence_penalty", -2.0, 2.0)
    request.frequency_penalty = body.number("frequency_penalty", -2.0, 2.0)


def take_draws(body: Fields, request: ChatRequest) -> None:
    """Take the seed, and the number of candidates, which OpenAI's own server does not know but many others do."""
    request.seed = body.whole("seed")
    top_k = body.whole("top_k")
    request.top_k = top_k if top_k is not None and top_k > 0 else None  # 0 and -1 stand for all


def said_in(message: Fields, name: str = "content", *, is_answer: bool = False) -> str:
    """Return the text of what is a string or a list of parts; parts that are no text are noted.

    Those of an answer (`is_answer`) are one text, those of anybody else texts of their own.
    """
    value = message.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        raise message.manner.wrong_type(message.at(name), ("string", "array"), value)
    texts = [part_of(message, name, number, each) for number, each in enumerate(value)]
    return "".join(texts) if is_answer else joined(texts)


def part_of(message: Fields, name: str, number: int, value: object) -> str:
    """Return the text of one part; a refusal is what the model said, as text is."""
    if isinstance(value, str):
        return value
    path = (*message.at(name), number)
    if not isinstance(value, dict):
        raise message.manner.wrong_type(path, ("object",), value)
    part = Fields(value, message.manner, path, message.leftovers)
    kind = part.text("type", "text")
    text = part.text("refusal" if kind == "refusal" else "text")
    if kind not in TEXTS:
        what = OTHERS.get(kind) or f"parts of type {kind[:64]!r}"
        part.refuse_all(f"{what} cannot be translated")
        return text
    part.drop("prompt_cache_breakpoint", "cache_control")
    part.drop("annotations", "logprobs", usual=([],))
    part.seal()
    return text


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
    return {"id": name, "object": "model", "created": facts.created_ns // S, "owned_by": facts.service}


ENDPOINTS: Final = tuple(
    Endpoint("GET", f"{base}{path}", "openai-chat", read, summary, kind="models")
    for path, read, summary in (
        ("/models", models, "OpenAI's list of models."),
        ("/models/{model*}", model, "One of them."),
    )
    for base in ("/v1", "", "/openai/v1")
)
