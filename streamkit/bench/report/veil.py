"""Keeps what the user gave for the servers alone out of reports: keys, headers, what a URL has of them. Pure.

Whoever writes a report passes every text through it that a server may have had a hand in: a server can send back, in
an error, whatever it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit

from streamkit.bench.masking import Mask
from streamkit.bench.plan import Server
from streamkit.http.redact import REDACTED, is_secret_header, is_secret_parameter, redacted_target

__all__ = ["Veil", "secrets_of", "shown_url"]

SHORTEST_VALUE: Final = 8
"""Below this many characters a value may stand anywhere by chance."""

PLAIN: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "content-type", "user-agent", "x-request-id"}
)
"""Names of headers that are no secret, whoever gave them."""


class Veil:
    """Replaces the secrets of some servers."""

    def __init__(self, servers: Iterable[Server]) -> None:
        every = [*servers]
        values = {value for server in every for value in secrets_of(server) if value}
        self._values = sorted(values, key=len, reverse=True)
        self._mask = Mask(key for server in every for key in keys_of(server))

    def text(self, text: str) -> str:
        """Return text on one line, without secrets and without what a terminal would obey or JSON cannot carry."""
        for value in self._values:
            text = text.replace(value, REDACTED)
        text = self._mask.text(text)  # of what is left, pieces: whoever quoted it may have cut one
        return "".join(each if each.isprintable() else _escaped(each) for each in text)


def shown_url(url: str) -> str:
    """Return the URL of a server without its secrets."""
    return redacted_target(url)


def secrets_of(server: Server) -> Iterator[str]:
    """Yield what is secret; a header's or a parameter's value only where it is long enough to be told from words."""
    yield from keys_of(server)
    for name, value in server.headers:
        if name.lower() not in PLAIN and not is_secret_header(name):
            yield from (each for each in (value, _tail(value)) if len(each) >= SHORTEST_VALUE)


def keys_of(server: Server) -> Iterator[str]:
    """Yield what is a key for certain. Of any other header a piece may be a word, or a part of the server's own URL."""
    parts = urlsplit(server.url)
    if server.api_key:
        yield server.api_key
    for name, value in server.headers:
        if is_secret_header(name) and name.lower() not in PLAIN:
            yield from (each for each in (value, _tail(value)) if each)
    userinfo, at, _ = parts.netloc.rpartition("@")
    if at:
        password = userinfo.partition(":")[2]
        yield from (each for each in (userinfo, password, unquote(password)) if len(each) >= SHORTEST_VALUE)
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if is_secret_parameter(name):
            yield from (each for each in (value, unquote_plus(value)) if len(each) >= SHORTEST_VALUE)


def _tail(value: str) -> str:
    """Return the key behind "Bearer"."""
    return value.partition(" ")[2]


def _escaped(char: str) -> str:
    return ascii(char)[1:-1]
