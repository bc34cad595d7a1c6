"""Where a server is: the URL of one, read and checked. Pure (RFC 3986; RFC 9110 section 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from streamkit.errors import ConfigError

__all__ = ["Origin", "parse_origin"]

PORTS: Final = {"http": 80, "https": 443}

EXAMPLE: Final = "http://127.0.0.1:11434"

HOST: Final = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a server is.

    Attributes:
        path: what stands before the path of every request; empty, or from a slash to before one.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = self.host.partition("%")[0]  # an address's zone means nothing elsewhere (RFC 9110 section 4.2.5)
        host = f"[{host}]" if ":" in host else host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, without any secret."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_origin(text: str, what: str = "upstream") -> Origin:
    """Read the URL of a server.

    Args:
        text: the URL; its path is what all requests have in common.
        what: the option's name, for errors.

    Raises:
        ConfigError: it is none of `http` or `https`, or has a user, password, query or fragment.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        host = _ascii_host(parts.hostname or "")
    except ValueError as error:
        raise ConfigError(f"{what} {_shown(text)} is no URL: {str(error)[:80]}; write it like {EXAMPLE}") from None
    if parts.scheme not in PORTS:
        raise ConfigError(f"{what} {_shown(text)} is not an http or https URL; write it like {EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"the {what}'s URL has a user or password in it: let the client send its own Authorization")
    if "?" in text or "#" in text:
        raise ConfigError(f"{what} {_shown(text)} has a query or fragment, but each request brings its own")
    if not HOST.fullmatch(host) or port == 0:
        raise ConfigError(f"{what} {_shown(text)} names no host and port; write it like {EXAMPLE}")
    if not PATH.fullmatch(parts.path):
        raise ConfigError(f"{what} {_shown(text)} has characters in its path that must be percent-encoded")
    return Origin(parts.scheme, host, port or PORTS[parts.scheme], parts.path.rstrip("/"))


def _ascii_host(host: str) -> str:
    """Return the host as DNS knows it. Raises `UnicodeError` (a `ValueError`) where it can be none."""
    return host.encode("idna").decode("ascii")


def _shown(text: str) -> str:
    """Return a URL for a message: no password, no query, no more than fits a line."""
    return repr(re.sub(r"//[^/]*@", "//...@", text.partition("?")[0])[:80])
