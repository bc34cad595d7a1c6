"""How Ollama complains: in sentences, mostly those of Go's JSON package. It passes over unknown fields. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from streamkit.codecs.jsontext import JSONTextError
from streamkit.vendors.fields import Manner, Path, kind_of
from streamkit.vendors.question import RefusedError

__all__ = ["CHAT", "GENERATE", "MANNER", "OllamaManner"]

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

    def untranslatable(self, path: Path, what: str) -> RefusedError:
        place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
        return RefusedError(400, f"{place.removeprefix('.')}: {what}")


MANNER: Final = OllamaManner()
CHAT: Final = OllamaManner("ChatRequest")
GENERATE: Final = OllamaManner("GenerateRequest")
