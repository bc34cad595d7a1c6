"""What a client is told of an upstream that could not be asked, or refused, in the words that all dialects have. Pure.

The status is the upstream's own where it gave one. Its class of error and its code are its vendor's: they go on only to
clients of the same family, who know them.
"""

from __future__ import annotations

from streamkit.dialects.failure import Failure
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import ConfigError, DecodeError, ReportedError, StatusError, StreamkitError, StreamTimeout
from streamkit.vendors.question import RefusedError

__all__ = ["failure_of", "family_of", "told"]

BAD_GATEWAY = 502
GATEWAY_TIMEOUT = 504


def family_of(dialect: str) -> str:
    """Return whose dialect it is: `openai`, `ollama`, `anthropic`..."""
    return dialect.partition("-")[0]


def told(dialect: str, status: int, reason: str) -> object:
    """Return the JSON document in which a client of a dialect is told that the gateway itself refuses, or fails."""
    return DIALECTS[dialect].failure(Failure(status, reason))


def failure_of(error: RefusedError | StreamkitError, *, is_family: bool = False) -> Failure:
    """Return what the client is told.

    Args:
        error: what was raised by asking.
        is_family: whether the client's dialect and the upstream's are of one vendor.
    """
    if isinstance(error, RefusedError):
        return Failure(error.status, error.message, error.type, error.error_code, error.param, framing=error.framing)
    kind, code = "", ""
    if is_family and isinstance(error, (StatusError, ReportedError)):
        kind, code = error.error_type, error.error_code
    return Failure(_status_of(error), _message_of(error), kind, code)


def _status_of(error: StreamkitError) -> int:
    if isinstance(error, ConfigError):  # what the client asked makes no sense upstream
        return 400
    if isinstance(error, StreamTimeout):
        return GATEWAY_TIMEOUT
    if isinstance(error, (StatusError, ReportedError)) and error.status is not None and error.status >= 400:
        return error.status
    return BAD_GATEWAY


def _message_of(error: StreamkitError) -> str:
    """Return the vendor's own sentence where there is one, else ours."""
    if isinstance(error, StatusError):
        return error.message
    if isinstance(error, DecodeError):
        return f"the upstream failed: {error.complaint}"
    return str(error)
