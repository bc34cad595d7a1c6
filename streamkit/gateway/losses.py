"""What of a request may be lost on its way into another dialect, and what may not. Pure.

The answer has to be one that the client could have got from its own vendor. What only tunes how the model draws its
tokens may stay behind, and is named in a response header. What decides what the answer is may not: there the request is
refused, before the upstream hears of it.

The words are those of `streamkit.dialects.requests`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamkit.vendors.question import RefusedError
from streamkit.vendors.reading import Leftover

__all__ = ["DROPPED_HEADER", "HARMLESS", "REFUSED", "check_leftovers", "check_losses", "dropped_value"]

DROPPED_HEADER: Final = "X-Streamkit-Dropped"
"""The response header that names what stayed behind."""

REFUSED: Final = ("n", "stop", "max_tokens", "response_format", "tool_choice")
"""What is not lost: who asks for three answers, or for JSON, cannot do with one, or with prose."""

HARMLESS: Final = (
    *("temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty", "reasoning"),
    *("parallel_tool_calls", "stream", "id"),
    *("message.reasoning", "message.signature", "message.prefill", "system.place", "system.role"),
)
"""What is dropped and named. That calls come one at a time is only a wish: whoever takes one can take several."""

MAX_NAMED: Final = 50
"""How many names the header has, and how long each of them may be: a client chooses them."""

MAX_NAME: Final = 100


def check_leftovers(leftovers: Sequence[Leftover]) -> list[str]:
    """Return the places of what has no neutral word and is harmless.

    Raises:
        RefusedError: one of them is not, in the manner of the client's vendor.
    """
    for leftover in leftovers:
        if leftover.refusal is not None:
            raise leftover.refusal
    return [".".join(map(str, leftover.path)) for leftover in leftovers]


def check_losses(dropped: Sequence[str], speaks: str) -> list[str]:
    """Return what the upstream's dialect has no place for, and is harmless.

    Raises:
        RefusedError: one of them is not.
    """
    for word in dropped:
        if word not in HARMLESS:
            message = f"{word}: the server behind this gateway speaks {speaks}, which cannot be asked for that"
            raise RefusedError(400, message, param=word)
    return [*dropped]


def dropped_value(names: Sequence[str]) -> str:
    """Return the header's value: names once each, none that a header could not hold."""
    shown = ["".join(each if " " < each <= "~" and each != "," else "?" for each in name[:MAX_NAME]) for name in names]
    named = list(dict.fromkeys(shown))
    more = [f"and-{len(named) - MAX_NAMED}-more"] if len(named) > MAX_NAMED else []
    return ", ".join(named[:MAX_NAMED] + more)
