"""What a translated answer looks like: its head, its document, and the words for what failed. Pure.

The ids and times that an upstream does not give come in as values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from streamkit.dialects.decoder import TRUNCATED
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import Error
from streamkit.dialects.message import Message
from streamkit.errors import (
    ConnectError,
    DisconnectedError,
    EncodeError,
    RemoteError,
    ReportedError,
    StatusError,
    StreamkitError,
    StreamTimeout,
    TruncatedError,
)
from streamkit.gateway.failures import failure_of
from streamkit.gateway.record import Outcome
from streamkit.http.wire import response_head
from streamkit.vendors.question import RefusedError

__all__ = ["document_of", "error_of", "outcome_of", "stream_head", "told_by", "with_retry_after"]

Headers = Sequence[tuple[str, str]]


def outcome_of(error: StreamkitError) -> Outcome:
    """Return what the log says of an answer that failed."""
    if isinstance(error, ConnectError):
        return "unreachable"
    if isinstance(error, StreamTimeout):
        return "timeout"
    if isinstance(error, (DisconnectedError, TruncatedError)):
        return "upstream-cut"
    # What the upstream itself has said is an answer, if not the one that was hoped for.
    return "ok" if isinstance(error, (ReportedError, StatusError)) else "bad-response"


def stream_head(row: Dialect, framing: str, headers: Headers, *, is_chunked: bool, keep_alive: bool) -> bytes:
    """Return the head of a stream in a dialect, with what keeps others from holding it."""
    own = [(name, value) for name, value in row.headers.items() if name.lower() != "connection"]
    named = {name.lower() for name, _ in own}
    added = [("X-Accel-Buffering", "no"), ("Cache-Control", "no-cache")]
    fields = [("Content-Type", row.media_type(framing)), *own, *headers]
    fields += [each for each in added if each[0].lower() not in named]
    fields += [("Transfer-Encoding", "chunked")] if is_chunked else []
    return response_head(200, fields if keep_alive else [*fields, ("Connection", "close")])


def document_of(
    row: Dialect, message: Message, *, model: str, message_id: str, now_ns: int, echoed: Mapping[str, object]
) -> object:
    """Return the whole answer as one document, a JSON value.

    Args:
        row: of the client's dialect.
        message: the answer.
        model: what the client calls the model.
        message_id: of an answer whose upstream gives none.
        now_ns: when it was begun, in ns since 1970, where the upstream does not say.
        echoed: what the answer repeats of the request.

    Raises:
        EncodeError: the dialect has no form for it.
    """
    message = msgspec.structs.replace(
        message,
        id=message.id or message_id,
        created_ns=now_ns if message.created_ns is None else message.created_ns,
        model=model,
        extra={**message.extra, **echoed},
    )
    try:
        return row.document(message)
    except ValueError as error:
        reason = error.reason if isinstance(error, EncodeError) else str(error)
        raise EncodeError(reason, stage=row.name) from None


def error_of(error: Exception) -> Error:
    """Return the last record of an answer that fails. The words are the upstream's own: neutral ones have no family."""
    if not isinstance(error, (RefusedError, StreamkitError)):
        return Error("the gateway failed", "internal_error", status=500)
    failure = failure_of(error, is_family=True)
    if isinstance(error, RefusedError):
        kind = failure.type or "refused"
    else:
        kind = failure.type or (TRUNCATED if outcome_of(error) == "upstream-cut" else error.code)
    return Error(failure.message, kind, failure.error_code, failure.status)


def told_by(message: Message, error: RemoteError) -> RemoteError:
    """Return the error of an answer that failed: where the upstream has said so itself, with its own words."""
    told = message.error
    if told is None or not isinstance(error, ReportedError) or not told.message:
        return error
    status = told.status if told.status is not None and told.status >= 400 else 502
    return StatusError(status, told.message, error_type=told.type, error_code=told.error_code)


def with_retry_after(headers: Headers, error: StatusError) -> list[tuple[str, str]]:
    """Return headers that say when to come back, if the upstream did, be it in its body alone, as Google does."""
    has_it = any(name.lower() == "retry-after" for name, _ in headers)
    if has_it or error.retry_after_s is None:
        return [*headers]
    return [*headers, ("Retry-After", str(math.ceil(error.retry_after_s)))]
