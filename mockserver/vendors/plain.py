"""How endpoints complain that belong to no vendor, or to one that has no manner of its own. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mockserver.ask import RefusedError
from mockserver.vendors.fields import Manner, Path, kind_of
from streamkit.codecs.jsontext import JSONTextError

__all__ = ["PLAIN", "PlainManner"]


class PlainManner(Manner):
    """One sentence, which begins with where it is: `messages.0.role: ...`."""

    def not_json(self, body: bytes, error: JSONTextError | None) -> RefusedError:
        if not body.strip():
            return RefusedError(400, "there is no request body; a JSON object is expected")
        if error is None:
            return RefusedError(400, "the request body is no JSON object")
        return RefusedError(400, f"the request body is not JSON, at byte {error.position}: {error.reason}")

    def missing(self, path: Path) -> RefusedError:
        return RefusedError(400, f"{dotted(path)}: the field is required", param=dotted(path))

    def wrong_type(self, path: Path, wanted: Sequence[str], value: object) -> RefusedError:
        message = f"{dotted(path)}: expected {' or '.join(wanted)}, not {kind_of(value)}"
        return RefusedError(400, message, param=dotted(path))

    def out_of_range(self, path: Path, value: float, low: float | None, high: float | None) -> RefusedError:
        bounds = f"at least {low:g}" if low is not None and value < low else f"at most {high:g}"
        return RefusedError(400, f"{dotted(path)}: {value} is out of range, it has to be {bounds}", param=dotted(path))

    def wrong_value(self, path: Path, value: str, allowed: Sequence[str]) -> RefusedError:
        message = f"{dotted(path)}: {value!r} is none of {', '.join(allowed)}"
        return RefusedError(400, message, param=dotted(path))

    def empty(self, path: Path) -> RefusedError:
        return RefusedError(400, f"{dotted(path)}: it must not be empty", param=dotted(path))

    def unknown_model(self, model: str) -> RefusedError:
        return RefusedError(404, f"there is no model {model!r}", param="model")

    def unknown_path(self, method: str, path: str) -> RefusedError:  # noqa: ARG002 - it is the path that is wrong
        return RefusedError(404, f"there is no endpoint {path}")

    def wrong_method(self, method: str, path: str, allowed: Sequence[str]) -> RefusedError:
        message = f"{path} is not for {method}; it is for {' and '.join(allowed)}"
        return RefusedError(405, message, headers=(("Allow", ", ".join(allowed)),))


PLAIN: Final = PlainManner()


def dotted(path: Path) -> str:
    """Return where something is."""
    return ".".join(map(str, path))
