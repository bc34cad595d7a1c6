"""What an answer is known by: ids and headers in each vendor's form, made from a seed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from string import ascii_letters, digits
from typing import Final

from streamkit.dialects.registry import DIALECTS

__all__ = ["headers_of", "id_of"]

Headers = tuple[tuple[str, str], ...]
"""Names and values, in the order and the case in which they are sent."""

HEX: Final = "0123456789abcdef"
ALPHANUMERIC: Final = ascii_letters + digits
BASE58: Final = "".join(letter for letter in ALPHANUMERIC if letter not in "0OIl")
BASE64_URL: Final = f"{ALPHANUMERIC}-_"


@dataclass(frozen=True)
class Form:
    """How ids look: a prefix, and so many of these letters."""

    prefix: str
    letters: str
    length: int

    def make(self, seed: int) -> str:
        """Return the id that belongs to a seed."""
        return self.prefix + "".join(Random(seed).choices(self.letters, k=self.length))


IDS: Final[Mapping[str, Form]] = {
    "openai-chat": Form("chatcmpl-", ALPHANUMERIC, 29),
    "openai-completions": Form("cmpl-", ALPHANUMERIC, 29),
    "openai-responses": Form("resp_", HEX, 50),
    "anthropic": Form("msg_01", BASE58, 22),
    "gemini": Form("", BASE64_URL, 22),
    "ag-ui": Form("run-", HEX, 16),
    "vercel-ui": Form("msg-", ALPHANUMERIC, 24),
}
"""The ids of answers; dialects that are not here have none."""

OPENAI_REQUEST: Final = Form("req_", HEX, 32)
ANTHROPIC_REQUEST: Final = Form("req_011C", BASE58, 20)

EVENT_STREAM: Final = (("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"))
"""What tells caches and proxies to let an event stream through as it comes."""


def id_of(dialect: str, seed: int) -> str:
    """Return an answer's id in the vendor's form; nothing where it has none."""
    form = IDS.get(dialect)
    return "" if form is None else form.make(seed)


def headers_of(dialect: str, seed: int, *, stream: bool = True) -> Headers:
    """Return what the vendor sends besides the media type, with a stream or with one document.

    Give it another seed than `id_of`: both are ids, and are not to look alike.
    """
    headers: Headers = ()
    if dialect.startswith("openai-"):
        headers = (("openai-version", "2020-10-01"), ("x-request-id", OPENAI_REQUEST.make(seed)))
    elif dialect == "anthropic":
        headers = (("request-id", ANTHROPIC_REQUEST.make(seed)),)
    return (*EVENT_STREAM, *headers) if stream and "sse" in DIALECTS[dialect].framings else headers
