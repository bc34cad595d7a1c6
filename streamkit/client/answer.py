"""Whether a response is the stream that was asked for; where it is not, the error that says what it is.

A status that is no success is a `StatusError`, with what the vendor says in the body. So is a redirect that was not
followed. A success may be something else than a stream too: a page of a gateway that has no model behind it, or one
JSON document. The Content-Type tells; where a server has that wrong, the first bytes of the body do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

import trio

from streamkit.client.coding import Coding, Identity, coding_of
from streamkit.client.timeouts import Deadlines
from streamkit.client.transport import HTTPRequest, HTTPResponse
from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.dialects.decoder import Decoder
from streamkit.dialects.refusals import masked, status_error
from streamkit.dialects.sniff import framing_in
from streamkit.errors import (
    DecodeError,
    ProtocolError,
    RemoteError,
    ReportedError,
    StatusError,
    StreamTimeout,
    excerpt_of,
)
from streamkit.http.redact import redacted_target
from streamkit.http.stream import TimedRead

__all__ = ["PAGES", "check_answer", "read_into", "refusal_of", "wrong_answer"]

MAX_BODY_BYTES: Final = 1 << 20
"""How much of a body that is no stream is read."""

BODY_S: Final = 10.0
"""How long it is read."""

START_BYTES: Final = 1024
"""How much of a body is looked at to find out its framing."""

KEEP_METHOD: Final = frozenset({307, 308})
"""The redirects after which a question is still a question: the other transport follows them."""

PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})


async def check_answer(
    response: HTTPResponse, request: HTTPRequest, decoder: Decoder, deadlines: Deadlines
) -> list[TimedRead]:
    """Find out whether a success is a stream for `decoder`; return what had to be read of its body for that.

    Raises:
        StreamTimeout: that took too long.
        ReportedError: the body is one document, and it tells of an error.
        DecodeError: the body is one document, or a page.
    """
    media_type = response.info.media_type
    is_document = media_type == "application/json" or media_type.endswith("+json")
    if media_type not in PAGES and not (is_document and decoder.framing in {"sse", "text"}):
        return []
    coding = coding_of(response.info.header("Content-Encoding"))
    held: list[TimedRead] = []
    start = b""
    while framing_in(start) is None and len(start) < START_BYTES:
        with deadlines.waiting():
            read = await response.receive()
        if read is None:
            break
        held.append(read)
        start += b"".join(islice(coding.feed(read.data), 1))
    if framing_in(start) == decoder.framing and decoder.framing != "text":
        return held  # it is the stream, whatever its Content-Type says
    body = start + await read_body(response, deadlines, coding)
    raise wrong_answer(body, media_type, decoder.name, request.secrets)


async def refusal_of(response: HTTPResponse, request: HTTPRequest, deadlines: Deadlines) -> StatusError:
    """Read the body of a response that is no success, within bounds, and return the error that it is.

    What was secret in the request is not in what the error says, even where the server repeats it.
    """
    info = response.info
    body = await read_body(response, deadlines)
    location = info.header("Location")
    if info.status < 400 and location:
        otherwise = ", or use httpx" if info.status in KEEP_METHOD else ""
        message = f"it redirects to {redacted_target(location)[:500]!r}, which is not followed: ask there{otherwise}"
        message = masked(message, request.secrets)
        return StatusError(info.status, message, request_id=info.request_id, headers=info.headers)
    return status_error(info.status, info.headers, body, time.time(), request.secrets)


async def read_body(response: HTTPResponse, deadlines: Deadlines, coding: Coding | None = None) -> bytes:
    """Return a body that is not expected to be long, its coding undone: what comes of it in time, and before it breaks.

    One that is in no coding, although it says so, or in one that is not known, comes as it is.

    Args:
        response: whose; it stays open.
        deadlines: of the chat; `BODY_S` is one more.
        coding: what undoes its coding, where a part of it was read already.
    """
    body = bytearray()
    with suppress(RemoteError):
        await read_into(body, response, deadlines, coding)
    return bytes(body)


async def read_into(
    body: bytearray, response: HTTPResponse, deadlines: Deadlines, coding: Coding | None = None
) -> None:
    """Do as `read_body` does, and tell why it came to no end.

    Raises:
        StreamTimeout: it did not come in time.
        ProtocolError, DisconnectedError: it broke.
    """
    coding = coding or _known_coding(response)
    with trio.move_on_after(BODY_S) as limit:
        while True:
            with deadlines.waiting():
                read = await response.receive()
            if read is None:
                break
            try:
                for piece in coding.feed(read.data):
                    body += piece
                    if len(body) >= MAX_BODY_BYTES:
                        break
            except DecodeError:
                if body:
                    break
                body += read.data
                coding = Identity()
            if len(body) >= MAX_BODY_BYTES:
                break
    del body[MAX_BODY_BYTES:]
    if limit.cancelled_caught:
        raise StreamTimeout(BODY_S)


def _known_coding(response: HTTPResponse) -> Coding:
    """Return what undoes the body's coding; of one that is not known the bytes as they are."""
    try:
        return coding_of(response.info.header("Content-Encoding"))
    except ProtocolError:
        return Identity()


def wrong_answer(body: bytes, media_type: str, dialect: str, secrets: Sequence[str]) -> DecodeError:
    """Return the error for a body that is a page or a document, and no stream."""
    try:
        document = decode_checked(body)
    except JSONTextError:
        document = None
    first = document[0] if isinstance(document, list) and document else document  # Gemini's errors come in a list
    if isinstance(first, dict) and (first.get("error") or first.get("type") == "error"):
        said = status_error(200, [], body, 0.0, secrets)
        return ReportedError(
            said.message, error_type=said.error_type, error_code=said.error_code, status=None, stage=dialect
        )
    what = "an HTML page: is this the URL of an API?" if media_type in PAGES else "one document: it does not stream"
    reason = f"the answer is no stream, but {what} (Content-Type: {media_type})"
    excerpt = masked(excerpt_of(body), secrets)
    return DecodeError(reason, stage=dialect, record=None, offset=0, excerpt=excerpt, code="wrong-dialect")
