"""How endpoints complain that belong to no vendor, or to one that has no manner of its own. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamkit.codecs.jsontext import JSONTextError
from streamkit.vendors.fields import Fields, Manner, Path, kind_of
from streamkit.vendors.neutral import joined
from streamkit.vendors.question import RefusedError

__all__ = ["PLAIN", "PlainManner", "text_of"]


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

    def untranslatable(self, path: Path, what: str) -> RefusedError:
        return RefusedError(400, f"{dotted(path)}: {what}", param=dotted(path))


PLAIN: Final = PlainManner()


def dotted(path: Path) -> str:
    """Return where something is."""
    return ".".join(map(str, path))


def text_of(message: Fields, name: str, *, is_answer: bool = False) -> str:
    """Return the text of what is a string or a list of parts; parts that are no texts are noted as left over.

    Those of an answer (`is_answer`) are one text, those of anybody else texts of their own.

    Raises:
        RefusedError: it is something else.
    """
    content = message.get(name)
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise PLAIN.wrong_type(message.at(name), ("string", "array"), content)
    texts = []
    for part in message.objects(name):
        kind = part.text("type", "text")
        if kind != "text":
            part.refuse_all(f"a part of type {kind[:64]!r} cannot be translated")
            continue
        texts.append(part.text("text"))
        part.ignore("id")
        part.drop("metadata")
        part.seal()
    return "".join(texts) if is_answer else joined(texts)
