"""The ids of calls whose own vendor gave them none, in a form that every vendor takes back.

OpenAI's chat refuses ids of more than 40 characters, Anthropic's API such of other characters than these. What such an
id is made of is the answer's own id, so that two answers of one conversation have different ones.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["made_id"]

NOT_PLAIN: Final = re.compile(r"[^a-zA-Z0-9_-]")

TAIL: Final = 24
"""How much of the answer's id, whose end is what tells it from others. It leaves room for nine digits."""


def made_id(prefix: str, answer_id: str, *places: int) -> str:
    """Return the id of the call in that place of an answer: its number, or those of choice and call."""
    return "_".join([prefix, NOT_PLAIN.sub("", answer_id)[-TAIL:], *map(str, places)])
