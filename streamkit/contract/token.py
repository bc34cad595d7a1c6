"""The tokens by which requests are told apart, and answers too: whose answer did this client get? Pure."""

from __future__ import annotations

import re
from typing import Final

from streamkit.contract.trace import Exchanged, Trace

__all__ = ["TOKEN", "TOKEN_BYTES", "foreign_token", "token_in", "token_of"]

PREFIX: Final = "skc"

TOKEN: Final = re.compile(rf"{PREFIX}[0-9a-f]{{12}}".encode())

TOKEN_BYTES: Final = len(PREFIX) + 12

SEARCHED_BYTES: Final = 256 << 10
"""How much of each answer is searched for the tokens of others."""


def token_of(nonce: str, number: int) -> str:
    """Return a token: of a run's nonce, eight hexadecimal digits, and a number of its own; after 65,536 it repeats."""
    return f"{PREFIX}{nonce}{number & 0xFFFF:04x}"


def token_in(data: bytes) -> str | None:
    """Return the first token in there."""
    found = TOKEN.search(data)
    return None if found is None else found.group().decode()


def foreign_token(trace: Trace, own: str) -> str:
    """Return the token of another request in what the clients of this one got; empty where there is none."""
    for exchanged in trace.exchanges:
        for token in TOKEN.findall(_shown_to_client(exchanged)):
            if token != own.encode():
                return str(token.decode())
    return ""


def _shown_to_client(exchanged: Exchanged) -> bytes:
    fields = exchanged.head.headers if exchanged.head else []
    values = "\n".join(value for _, value in fields).encode("latin-1", "replace")
    return values + b"\n" + exchanged.body[:SEARCHED_BYTES]
