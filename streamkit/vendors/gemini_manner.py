"""How Google complains of requests to Gemini, and how its fields are named. Pure.

Google's servers read protobuf's JSON: keys may be written in camel case or with underscores, numbers as strings, words
of an enumeration in any case, and a list of one as that one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from streamkit.codecs.jsontext import JSONTextError, encode_value
from streamkit.vendors.fields import Fields, Manner, Path
from streamkit.vendors.question import RefusedError

__all__ = ["MANNER", "GeminiFields", "GeminiManner", "numeric", "underscored", "violation"]

PROTO_TYPES: Final[Mapping[str, str]] = {
    "string": "TYPE_STRING",
    "boolean": "TYPE_BOOL",
    "integer": "TYPE_INT32",
    "number": "TYPE_FLOAT",
    "array": "LIST",
    "object": "TYPE_MESSAGE",
}

HUMP: Final = re.compile("[A-Z]")

WHOLE: Final = re.compile(r"-?\d{1,19}", re.ASCII)

NUMBER: Final = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)


class GeminiFields(Fields):
    """Fields by their names in camel case, which may stand there with underscores."""

    def get(self, name: str) -> object:
        value = super().get(name)
        other = super().get(underscored(name))
        return other if value is None else value

    def ignore(self, *names: str) -> None:
        super().ignore(*names, *map(underscored, names))

    def word(self, name: str, allowed: Sequence[str], default: str = "") -> str:
        value = self.get(name)
        if isinstance(value, str) and value.upper() in allowed:
            return value.upper()
        return super().word(name, allowed, default)

    def objects(self, name: str) -> list[Fields]:
        one = self.get(name)
        if isinstance(one, dict):
            return [type(self)(one, self.manner, (*self.at(name), 0), self.leftovers)]
        return super().objects(name)

    def texts(self, name: str, *, or_one: bool = True) -> tuple[str, ...]:
        return super().texts(name, or_one=or_one)

    def _typed(self, name: str, *wanted: str) -> Any:  # noqa: ANN401 - as in `Fields`
        value = self.get(name)
        if wanted in {("integer",), ("number",)}:
            value = numeric(value, whole=wanted == ("integer",))
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return value
        return super()._typed(name, *wanted)


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

    def unknown(self, path: Path) -> RefusedError:
        place = f" at '{written(path[:-1])}'" if path[:-1] else ""
        message = f'Invalid JSON payload received. Unknown name "{path[-1]}"{place}: Cannot find field.'
        return RefusedError(400, message)

    def untranslatable(self, path: Path, what: str) -> RefusedError:
        return violation(path, what)


MANNER: Final = GeminiManner()


def numeric(value: object, *, whole: bool) -> object:
    """Return the number that a value is, or is the text of; any other value as it is."""
    text = value if isinstance(value, str) else repr(value) if isinstance(value, float) else ""
    if not NUMBER.fullmatch(text):
        return value
    number = float(text)
    if math.isinf(number) or (whole and not number.is_integer()):
        return value
    if whole or WHOLE.fullmatch(text):
        return int(text) if WHOLE.fullmatch(text) else int(number)
    return number


@lru_cache(maxsize=1024)
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
