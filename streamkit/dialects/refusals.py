"""From the response to a request that was refused to a `StatusError` in the vendor's own words.

Every vendor's body is read, whoever's it is: proxies answer in the manner of none or of another. The message is one
line of at most `MAX_MESSAGE` characters without control characters, without the secrets of the request, and without
what looks like a key, because some servers repeat the one that they refuse. Nothing here raises: a body that nobody
understands gives its beginning.

The sources: openai-python and anthropic-sdk-python `_exceptions`, google's `google.rpc.Status`, Ollama's
`docs/api/errors.mdx`, FastAPI's `HTTPException` and validation errors, RFC 9457 (problem details), RFC 6749 section 5.2
(`error_description`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.dialects.retry_after import retry_after_s
from streamkit.errors import StatusError

__all__ = ["MAX_REFUSAL_BYTES", "masked", "status_error"]

MAX_REFUSAL_BYTES: Final = 64 * 1024
"""How much of a body is read for what it says; whoever reads it from a socket needs no more."""

MAX_MESSAGE: Final = 600

MAX_PAGE: Final = 4000
"""How many characters of a page are looked at: what is not closed makes the search for its end take the square."""

REQUEST_ID_HEADERS: Final = (
    *("request-id", "x-request-id", "x-amzn-requestid", "apim-request-id", "x-ms-request-id", "x-goog-request-id"),
    *("x-correlation-id", "cf-ray"),
)

MESSAGE_KEYS: Final = ("message", "Message", "detail", "error_description", "error_message", "errorText", "msg")
TYPE_KEYS: Final = ("type", "__type", "error_type", "status")
NO_TYPES: Final = ("", "error", "about:blank")
CODE_KEYS: Final = ("code", "error_code", "errorCode")

KEYS: Final = re.compile(
    r"(?i:\b(?:bearer|basic)\s+)(?=[a-zA-Z._~+/-]*[\d=])[\w.~+/=-]{6,}"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|pplx|csk|fw|tgp|nvapi|r8|AIza|ya29|ghp|glpat|eyJ)[-_.]?[\w*.-]{12,}"
)
"""What looks like a key: a credential after its scheme, and the beginnings that vendors give their keys."""

HIDDEN: Final = "[a key]"

CONTROL: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
"""White space, and what would do something to a terminal."""

TITLE: Final = re.compile(r"<(title|h1)\b[^>]{0,200}>(.{0,400}?)</\1\s*>", re.IGNORECASE | re.DOTALL)
TAG: Final = re.compile(r"<(?:script|style)\b.*?</(?:script|style)\s*>|<[^<>]{0,400}>", re.IGNORECASE | re.DOTALL)

DATA: Final = re.compile(rb"^data:[ ]?(.*?)\r?$", re.MULTILINE)


class Said:
    """What a body says; each is empty where it says nothing of that kind."""

    def __init__(self) -> None:
        self.message = ""
        self.type = ""
        self.code = ""
        self.request_id = ""
        self.delay = ""


def status_error(
    status: int, headers: Sequence[tuple[str, str]], body: bytes, now: float, secrets: Sequence[str] = ()
) -> StatusError:
    """Return the error (it is not raised).

    Args:
        status: the HTTP status.
        headers: of the response, names in any case.
        body: as much of it as there is, no longer compressed; what is past `MAX_REFUSAL_BYTES` is not looked at.
        now: the time in seconds since 1970, from which a `Retry-After` that is a date is counted.
        secrets: what no message may show.
    """
    said = said_by(body[:MAX_REFUSAL_BYTES])
    fields: dict[str, str] = {}
    for name, value in headers:
        fields.setdefault(name.lower(), value)
    request_id = next((fields[name] for name in REQUEST_ID_HEADERS if fields.get(name)), said.request_id)
    return StatusError(
        status,
        shown(masked(said.message, secrets)) or silence(status, body),
        error_type=shown(masked(said.type, secrets), 100),
        error_code=shown(masked(said.code, secrets), 100),
        retry_after_s=retry_after_s(fields, said.delay, now),
        request_id=shown(masked(request_id, secrets), 200),
        headers=tuple(headers),
    )


def silence(status: int, body: bytes) -> str:
    """Return what is told of a body that says nothing."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "a status without a name"
    return f"{phrase} ({f'a body of {len(body)} bytes that says nothing readable' if body.strip() else 'no body'})"


def said_by(body: bytes) -> Said:
    """Return what a body says."""
    said = Said()
    data = body.removeprefix(b"\xef\xbb\xbf").strip()
    value = json_of(data)
    if value is None:  # an event stream that is nothing but an error, or lines of JSON
        inside = DATA.search(data)
        value = json_of(inside[1] if inside else data.partition(b"\n")[0])
    if value is not None:
        read_value(value, said)
        if not said.message and not isinstance(value, str):
            said.message = data.decode(errors="replace")
    elif data:
        said.message = text_of(data)
    return said


def json_of(data: bytes) -> object | None:
    """Return the value of a JSON text that is an object, a list or a string, None for anything else."""
    if data[:1] not in {b"{", b"[", b'"'}:
        return None
    try:
        return decode_checked(data)
    except JSONTextError:
        return None


def text_of(data: bytes) -> str:
    """Return the text of what is no JSON: of a page its title or heading; nothing of what is no text."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        # A cut through the last character is ours; anything else is no UTF-8.
        if len(data) - error.start >= 4:
            return "" if b"\x00" in data[:1000] or is_binary(data) else data.decode("latin-1")
        text = data[: error.start].decode()
    if is_binary(data):
        return ""
    if text[:1] == "<" or "<html" in text[:2000].lower():
        found = [TAG.sub(" ", each[2]) for each in TITLE.finditer(text[:MAX_PAGE])]
        words = [plain for each in found if (plain := CONTROL.sub(" ", each).strip())]
        return unescaped(": ".join(dict.fromkeys(words)) or TAG.sub(" ", text[:MAX_PAGE]))
    return text


def is_binary(data: bytes) -> bool:
    """Tell whether what comes first is mostly nothing that a text has."""
    start = data[:1000]
    return sum(byte < 32 and byte not in b"\t\n\r\x0c\x1b" for byte in start) > len(start) // 20


def unescaped(text: str) -> str:
    """Return a text with HTML's references resolved."""
    from html import unescape  # its table of names is large, and pages are rare

    return unescape(text)


def read_value(value: object, said: Said, depth: int = 4) -> None:
    """Take what a JSON value says: the outermost word of each kind counts, except that an inner error is the error."""
    if isinstance(value, str):
        said.message = said.message or value
    elif isinstance(value, list):
        sentences = [sentence for each in value[:5] if (sentence := sentence_of(each, said, depth))]
        said.message = said.message or "; ".join(sentences)
    elif isinstance(value, dict) and depth:
        read_object(value, said, depth)


def sentence_of(value: object, said: Said, depth: int) -> str:
    """Return the message of one of several errors; the first gives type and code."""
    inner = Said()
    read_value(value, inner, depth - 1)
    said.type, said.code, said.delay = said.type or inner.type, said.code or inner.code, said.delay or inner.delay
    place = value.get("loc") if isinstance(value, dict) else None
    if isinstance(place, list) and inner.message:  # FastAPI's way to say where
        return f"{'.'.join(map(str, place))}: {inner.message}"
    return inner.message


def read_object(value: dict[str, object], said: Said, depth: int) -> None:
    """Take what an object says."""
    said.request_id = said.request_id or word_of(value, ("request_id", "requestId"))
    inner = value.get("error")
    if not isinstance(inner, (dict, str)) or not inner:
        inner = value.get("errors") or value.get("fault") or value.get("Error")
    description = word_of(value, ("error_description",))
    if isinstance(inner, str) and (description or word_of(value, ("message", "detail"))):
        said.code = said.code or inner  # OAuth and Spring: the error is a code, and the message stands beside it
    elif isinstance(inner, (dict, list, str)) and inner:
        read_value(inner, said, depth - 1)
    said.message = said.message or description
    for key in MESSAGE_KEYS:
        if not said.message and value.get(key):
            read_value(value[key], said, depth - 1)
    said.message = said.message or word_of(value, ("title", "reason"))
    kinds = [word for key in TYPE_KEYS if isinstance(word := value.get(key), str) and word not in NO_TYPES]
    said.type = said.type or next(iter(kinds), "")
    said.code = said.code or word_of(value, CODE_KEYS)
    read_details(value, said)


def read_details(value: dict[str, object], said: Said) -> None:
    """Take Google's delay, and what OpenRouter says of the vendor behind it."""
    for detail in objects_in(value.get("details")):
        said.delay = said.delay or word_of(detail, ("retryDelay",))
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and (raw := word_of(metadata, ("raw",))):
        provider = word_of(metadata, ("provider_name",)) or "the provider"
        said.message = f"{said.message} ({provider}: {raw})".strip()


def objects_in(value: object) -> Iterator[dict[str, object]]:
    """Yield the objects of a list, of anything else none."""
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def word_of(value: dict[str, object], keys: Sequence[str]) -> str:
    """Return the first of these fields that is a text or a whole number, an empty text where none is."""
    for key in keys:
        word = value.get(key)
        if isinstance(word, str) and word:
            return word
        if isinstance(word, int) and not isinstance(word, bool):
            return str(word)
    return ""


def masked(text: str, secrets: Sequence[str]) -> str:
    """Return a text without these secrets."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def shown(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return a text as one short line that is safe to print."""
    line = KEYS.sub(HIDDEN, CONTROL.sub(" ", text[: 4 * MAX_MESSAGE])).strip()
    # A lone surrogate could not be printed; JSON's own decoder lets none through, headers might.
    line = line.encode("utf-8", "replace").decode()
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
