"""Whole answers of the gateway's own: a head, a body of known length, and the connection's fate behind it."""

from __future__ import annotations

from collections.abc import Sequence

from streamkit.codecs.jsontext import encode_value
from streamkit.gateway.record import Record
from streamkit.http.exchange import Exchange
from streamkit.http.wire import response_head

__all__ = ["JSON", "PLAIN", "json_refusal", "send_json", "send_whole"]

PLAIN = (("Content-Type", "text/plain; charset=utf-8"),)
JSON = (("Content-Type", "application/json"),)


def json_refusal(status: int, value: object, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return a response that is an error and the last one on its connection."""
    body = encode_value(value)
    length = ("Content-Length", str(len(body)))
    return response_head(status, [*JSON, *headers, length, ("Connection", "close")]) + body


async def send_whole(
    exchange: Exchange,
    record: Record,
    status: int,
    body: bytes,
    headers: Sequence[tuple[str, str]] = PLAIN,
    *,
    is_last: bool = False,
) -> None:
    """Answer at once; where a body is on its way, or it is the last answer, the connection ends behind it.

    Raises:
        BrokenResourceError: the client is gone.
    """
    if exchange.has_unread_body or is_last:
        exchange.keep_alive = False
    connection = "keep-alive" if exchange.keep_alive else "close"
    has_body = status not in {204, 304}
    length = [("Content-Length", str(len(body)))] if has_body else []
    head = response_head(status, [*headers, *length, ("Connection", connection)])
    record.status = status
    await exchange.stream.send_all(head if exchange.request.method == "HEAD" or not has_body else head + body)
    record.response_bytes += len(body)


async def send_json(
    exchange: Exchange,
    record: Record,
    status: int,
    value: object,
    headers: Sequence[tuple[str, str]] = (),
    *,
    is_last: bool = False,
) -> None:
    """Answer with a JSON document, as `send_whole` does."""
    await send_whole(exchange, record, status, encode_value(value), [*JSON, *headers], is_last=is_last)
