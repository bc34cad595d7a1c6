"""What must not be written down: keys and cookies, wherever journals, cassettes and reports would keep them. Pure.

What is secret is told by its name: of a header, of a query parameter, of a key in a JSON body. Better one too many. A
user and password in a URL are secret wherever the URL stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

from streamkit.codecs.jsontext import JSONTextError, decode_checked, encode_value

__all__ = [
    "REDACTED",
    "is_secret_header",
    "is_secret_parameter",
    "redacted_body",
    "redacted_headers",
    "redacted_target",
]

REDACTED: Final = "[redacted]"

SECRET: Final = re.compile(
    r"auth|cookie|token|secret|passw|credential|signature|session|api[-_]?key|(\A|[-_])key\Z", re.IGNORECASE
)
"""What the name of a secret header or parameter has in it."""

SECRET_PARAMETER: Final = re.compile(r"\A(code|sig|jwt|pwd|assertion)\Z", re.IGNORECASE)
"""Names that are secret in a query alone: Azure's function keys and shared access signatures, OAuth's codes."""

SECRET_FIELD: Final = re.compile(
    r"authorization|cookie|secret|passw|credential|api[-_]?key|(\A|[-_])(auth|key)\Z"
    r"|(\A|access|auth|authorization|bearer|id|refresh|session|security)[-_]?token\Z",
    re.IGNORECASE,
)
"""The same of a key in a body, where `max_tokens` and the `signature` of a thinking are no secrets."""

URLS: Final = frozenset({"referer", "origin", "location", "content-location"})
"""Headers whose values are URLs."""

URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
USERINFO: Final = re.compile(r"(?<=//)[^/?#@\s]*@")

STREAM_ID: Final = re.compile(r"(/streams(?:/|%2F)[^/?#]{4})[^/?#]{12,}", re.IGNORECASE)
"""The id of a gateway's resumable stream, by which anybody may read it; its beginning tells them apart."""

MAY_BE_SECRET: Final = re.compile(rb"auth|cookie|secret|passw|credential|key|token|//[^/?#@\s\"]*@", re.IGNORECASE)
"""What a body without any secret rarely has, so that most need not be decoded."""


def is_secret_header(name: str) -> bool:
    """Tell whether a header's value is kept to ourselves."""
    return SECRET.search(name) is not None


def is_secret_parameter(name: str) -> bool:
    """Tell whether a query parameter's value is; `?key=` is how Gemini's clients send theirs."""
    name = unquote_plus(name)
    return SECRET.search(name) is not None or SECRET_PARAMETER.search(name) is not None


def redacted_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers with the values of the secret ones replaced."""
    return [(name, _shown(name, value)) for name, value in headers]


def _shown(name: str, value: str) -> str:
    if is_secret_header(name):
        return REDACTED
    return redacted_target(value) if name.lower() in URLS else value


def redacted_target(target: str) -> str:
    """Return a request's target, or a URL, with the values of secret parameters replaced, and user and password.

    So is most of the id of a resumable stream.
    """
    path, question, query = USERINFO.sub(f"{REDACTED}@", target).partition("?")
    path = STREAM_ID.sub(rf"\g<1>{REDACTED}", path)
    if "%" in path and STREAM_ID.search(decoded := unquote(path)):  # which is the path that a server goes by
        path = quote(STREAM_ID.sub(rf"\g<1>{REDACTED}", decoded), safe="/:@[]")
    if not question:
        return path
    pairs = [pair.partition("=") for pair in query.split("&")]
    shown = [
        f"{name}{equals}{REDACTED if value and is_secret_parameter(name) else value}" for name, equals, value in pairs
    ]
    return f"{path}?{'&'.join(shown)}"


def redacted_body(body: bytes) -> bytes:
    """Return a JSON body with the values of secret keys replaced, and the secrets of URLs.

    A body without any comes back as it is, byte for byte. Of one that is not JSON and may have some, only the length
    is told: nothing in it has a name that could be trusted.
    """
    if MAY_BE_SECRET.search(body) is None:
        return body
    try:
        value = decode_checked(body)
    except JSONTextError:
        return b"(%d bytes that are not JSON)" % len(body)
    shown = _without_secrets(value)
    return body if shown == value else encode_value(shown)


def _without_secrets(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: REDACTED if isinstance(each, str) and each and SECRET_FIELD.search(key) else _without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if isinstance(value, str) and "://" in value:
        return redacted_target(value) if URL.fullmatch(value) else USERINFO.sub(f"{REDACTED}@", value)
    return value
