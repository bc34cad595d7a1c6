"""Secrets out of what servers say, also where somebody has cut the text in the middle of one. Pure.

An error that quotes some characters of an answer may have cut a key that was in it: a search for the whole key finds
nothing, and most of it stays. So every piece of a secret that is long enough to be told from words is hidden too, and
in whatever case.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streamkit.dialects.refusals import masked
from streamkit.http.redact import REDACTED

__all__ = ["Mask"]

PIECE_CHARS: Final = 8
"""A shorter piece of a secret may stand anywhere by chance."""


class Mask:
    """Hides some secrets; one that is shorter than a piece only as a whole, as it is."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._whole = sorted({*secrets} - {""}, key=len, reverse=True)
        self._pieces = {
            low[at : at + PIECE_CHARS]
            for low in map(str.lower, self._whole)
            for at in range(len(low) - PIECE_CHARS + 1)
        }

    def text(self, text: str) -> str:
        """Return a text without them."""
        text = masked(text, self._whole)
        low = text.lower()
        if len(low) != len(text):  # a few letters are two in lower case
            low = text
        shown: list[str] = []
        at = kept = 0
        while at <= len(low) - PIECE_CHARS:
            end = at
            while low[end : end + PIECE_CHARS] in self._pieces:
                end += 1
            if end == at:
                at += 1
                continue
            shown += (text[kept:at], REDACTED)
            at = kept = end + PIECE_CHARS - 1
        return "".join([*shown, text[kept:]])
