"""How the servers of each dialect list their models: where, and in which form. Pure.

Only the first page is read: with the sizes asked for here it is the only one for every vendor there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.errors import DecodeError

__all__ = ["LISTING", "MAX_MODELS", "models_in", "models_path"]

MAX_MODELS: Final = 10_000
MAX_NAME: Final = 1_000
"""More names, or longer ones (in characters), are no list of models."""


@dataclass(frozen=True)
class Listing:
    """How a list is asked for and written.

    Attributes:
        path: below the server's root, query included.
        list_key: what the list stands under.
        name_keys: what an element's name stands under; the first that is there counts.
        prefix: what stands before a name, and clients leave out.
    """

    path: str
    list_key: str
    name_keys: tuple[str, ...]
    prefix: str = ""


OPENAI: Final = Listing("/v1/models", "data", ("id",))

LISTING: Final[Mapping[str, Listing]] = {
    "ollama-chat": Listing("/api/tags", "models", ("model", "name")),
    "openai-chat": OPENAI,
    "openai-responses": OPENAI,
    "anthropic": Listing("/v1/models?limit=1000", "data", ("id",)),
    "gemini": Listing("/v1beta/models?pageSize=1000", "models", ("name",), "models/"),
}
"""The dialects whose servers list their models."""


def models_path(dialect: str) -> str:
    """Return where a server of that dialect, one of `LISTING`, has the list."""
    return LISTING[dialect].path


def models_in(dialect: str, body: bytes) -> list[str]:
    """Return the names in a list, as clients use them, in its order and each once.

    Args:
        dialect: one of `LISTING`.
        body: what the server answered.

    Raises:
        DecodeError: this is no such list.
    """
    listing = LISTING[dialect]
    try:
        value = decode_checked(body)
    except JSONTextError as error:
        raise no_list(dialect, error.reason, error.position, error.code) from None
    models = value.get(listing.list_key) if isinstance(value, dict) else None
    if models is None and isinstance(value, dict) and listing.list_key in value:
        models = []  # as servers in Go write an empty list
    if not isinstance(models, list):
        raise no_list(dialect, f"there is no list under {listing.list_key!r}")
    if len(models) > MAX_MODELS:
        raise no_list(dialect, f"there are {len(models)} elements, more than {MAX_MODELS}", code="limit")
    return list(dict.fromkeys(name_of(dialect, number, model) for number, model in enumerate(models)))


def name_of(dialect: str, number: int, model: object) -> str:
    """Return the name of one element."""
    listing = LISTING[dialect]
    found = [model[key] for key in listing.name_keys if model.get(key)] if isinstance(model, dict) else []
    name = found[0] if found else None
    if not isinstance(name, str):
        raise no_list(dialect, f"element {number} has no text under {listing.name_keys[0]!r}")
    if len(name) > MAX_NAME:
        raise no_list(dialect, f"element {number} has a name of more than {MAX_NAME} characters", code="limit")
    return name.removeprefix(listing.prefix)


def no_list(dialect: str, reason: str, offset: int | None = None, code: str = "bad-field") -> DecodeError:
    """Return the complaint about what is no list of models."""
    what = f"this is no list of models as {dialect} has it: {reason}"
    return DecodeError(what, stage="models", record=None, offset=offset, code=code)
