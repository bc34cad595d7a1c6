"""What a request says, in the words of no vendor: what a reader makes of a body. Pure values.

A reader takes everything that there is a neutral word for into a `ChatRequest`. What there is none for is a `Leftover`:
who only plays a server passes over it, who translates has to refuse it, or to say that it was left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamkit.dialects.requests import ChatRequest
from streamkit.vendors.question import RefusedError

__all__ = ["Leftover", "Path", "Reading"]

Path = tuple[str | int, ...]
"""Where in a body something is: the keys, and the numbers in lists."""


@dataclass(frozen=True)
class Leftover:
    """Something of a request that there is no neutral word for.

    Attributes:
        path: where it stands.
        refusal: what a translator answers, in the vendor's manner; None where the answer is the same without it, so
            that it may be left out and named.
    """

    path: Path
    refusal: RefusedError | None = None


@dataclass(frozen=True)
class Reading:
    """What a request asks for.

    Attributes:
        dialect: the name of the dialect to answer in.
        framing: one of that dialect's framings.
        request: everything that there is a neutral word for.
        leftovers: what there is none for, in the order of the body.
        echoed: what the start of the answer repeats of the request: `extra` of its `Start`.
        last: how many of the request's messages the last one in the body has become.
        aside: a text that no message has: what comes after the answer, where that is to fill a gap.
        token_ids: how many tokens came as the numbers that a model has for them, which no message can have.
        is_enveloped: whether it came in an envelope, so that the answer goes out as neutral events.
    """

    dialect: str
    framing: str
    request: ChatRequest
    leftovers: tuple[Leftover, ...] = ()
    echoed: Mapping[str, object] = field(default_factory=dict)
    last: int = 1
    aside: str = ""
    token_ids: int = 0
    is_enveloped: bool = False
