"""How Anthropic complains: what is wrong, after where it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamkit.codecs.jsontext import JSONTextError
from streamkit.vendors.fields import Manner, Path
from streamkit.vendors.question import RefusedError

__all__ = ["MANNER", "AnthropicManner"]

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

    def unknown(self, path: Path) -> RefusedError:
        return RefusedError(400, f"{dotted(path)}: Extra inputs are not permitted")

    def untranslatable(self, path: Path, what: str) -> RefusedError:
        return RefusedError(400, f"{dotted(path)}: {what}")


MANNER: Final = AnthropicManner()


def dotted(path: Path) -> str:
    """Return where something is, in Anthropic's manner."""
    return ".".join(map(str, path))
