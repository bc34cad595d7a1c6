"""The opening of a WebSocket: what a client has to send, what it is answered, and the key that a browser hides in it.

RFC 6455, section 4.2. No extension is agreed to. Host, Origin and keys are the guard's to check. Pure.

A web page cannot set headers of a WebSocket. It can offer subprotocols, so that is where its key stands::

    new WebSocket(url, ["streamkit", "streamkit.key." + KEY])

KEY is the key in base64url without padding, or the key as it is, where it is a token (RFC 9110, section 5.6.2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from streamkit.http.exchange import Request
from streamkit.http.wire import response_head

__all__ = [
    "KEY_PROTOCOL",
    "PROTOCOL",
    "HandshakeRefusal",
    "accept_head",
    "chosen_protocol",
    "handshake_refusal",
    "keys_in",
]

PROTOCOL: Final = "streamkit"
"""The subprotocol: an envelope from the client, neutral events as JSON from us."""

KEY_PROTOCOL: Final = f"{PROTOCOL}.key."
"""What stands before a key among the subprotocols."""

VERSION: Final = "13"

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
"""16 bytes in base64."""

BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")

UPGRADE: Final = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", VERSION))


@dataclass(frozen=True, slots=True)
class HandshakeRefusal:
    """Why no WebSocket is opened, and the answer to it; behind it the connection is closed.

    Attributes:
        status: 405 for another method than GET, 426 for another protocol or version, 400 for what is broken.
        reason: for people.
        headers: of the response, but for those of its body.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()

    def response(self, request: Request, added: Sequence[tuple[str, str]] = ()) -> bytes:
        """Return the whole answer, with the gateway's own headers in it; to HEAD it has no body."""
        body = f"{self.reason}\n".encode()
        connection = "Upgrade, close" if self.status == 426 else "close"  # RFC 9110, section 7.8
        headers = [
            *self.headers,
            *added,
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", connection),
        ]
        head = response_head(self.status, headers)
        return head if request.method == "HEAD" else head + body


def handshake_refusal(request: Request, *, has_body: bool = False) -> HandshakeRefusal | None:
    """Return why a request opens no WebSocket; None where it does."""
    if request.method != "GET":
        return HandshakeRefusal(405, "a WebSocket is opened with GET", (("Allow", "GET"),))
    is_upgrade = "upgrade" in _tokens(request, "connection") and "websocket" in _tokens(request, "upgrade")
    if request.version != "1.1" or not is_upgrade:  # an Upgrade in HTTP/1.0 means nothing (RFC 9110, section 7.8)
        return HandshakeRefusal(426, "this is for a WebSocket: connect with ws:// or wss://", UPGRADE)
    if request.get("sec-websocket-version") != VERSION:
        return HandshakeRefusal(426, f"version {VERSION} of WebSocket is spoken here, no other", UPGRADE)
    if not KEY.fullmatch(request.get("sec-websocket-key") or ""):
        return HandshakeRefusal(400, "Sec-WebSocket-Key has to be 16 bytes in base64, once")
    if has_body:
        return HandshakeRefusal(400, "a request for a WebSocket has no body")
    return None


def accept_head(request: Request) -> bytes:
    """Return the head that opens the WebSocket of a request for which there is no refusal."""
    key = (request.get("sec-websocket-key") or "").encode("ascii")
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode("ascii")  # noqa: S324 - the RFC's
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
    protocol = chosen_protocol(request)
    if protocol is not None:
        headers.append(("Sec-WebSocket-Protocol", protocol))
    return response_head(101, headers)


def chosen_protocol(request: Request) -> str | None:
    """Return the subprotocol that is spoken, where the client has offered it."""
    return PROTOCOL if PROTOCOL in _offered(request) else None


def keys_in(request: Request) -> Iterator[str]:
    """Go through what may be keys among the subprotocols that a client offers, as latin-1 as headers are.

    One that is the base64url of printable text is told in both readings: only who has the key knows which one it is.
    """
    for offered in _offered(request):
        if offered.startswith(KEY_PROTOCOL) and len(offered) > len(KEY_PROTOCOL):
            token = offered[len(KEY_PROTOCOL) :]
            yield token
            decoded = _decoded(token)
            if decoded is not None:
                yield decoded


def _decoded(token: str) -> str | None:
    """Return the text of which a token is the base64url, as latin-1; None where it is of no text."""
    if not BASE64URL.fullmatch(token):
        return None
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        text = data.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    is_canonical = base64.urlsafe_b64encode(data).decode("ascii").rstrip("=") == token
    return data.decode("latin-1") if is_canonical and text.isprintable() else None


def _offered(request: Request) -> list[str]:
    """Return the subprotocols in their order; their case counts."""
    return [each.strip(" \t") for each in (request.get("sec-websocket-protocol") or "").split(",")]


def _tokens(request: Request, name: str) -> list[str]:
    return [each.strip(" \t").lower() for each in (request.get(name) or "").split(",")]
