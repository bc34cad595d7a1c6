"""How the texts of errors show what somebody wrote, and guess what was meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["close_to", "shown"]

SHOWN_CHARACTERS: Final = 48


def shown(text: str) -> str:
    """Return a text as an error shows it: quoted, escaped, and not too long."""
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}...")


def close_to(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean ...?` where one of the words is close to what somebody wrote, else nothing."""
    from difflib import get_close_matches

    found = get_close_matches(word[:SHOWN_CHARACTERS].lower().replace("_", "-"), words, 1)
    return f"; did you mean {found[0]}?" if found else ""
