"""What counts as a token here: a word with the white space before it. Pure.

Real tokenizers differ from model to model and cost megabytes. This one is lossless (the tokens, joined, are the text),
and everybody can count it in their head.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["count_tokens", "tokens_of"]

TOKEN: Final = re.compile(r"\s*\S{1,24}|\s+\Z")
"""A word of more than 24 characters is several tokens: text without spaces should stream too."""


def tokens_of(text: str) -> list[str]:
    """Cut a text into tokens; joined they are the text."""
    return TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Return how many tokens a text has."""
    return len(TOKEN.findall(text))
