"""A request that fails before its answer begins: what all vendors say of it, which each writes in a body of its own.

An error after the first byte of an answer is an event (`streamkit.dialects.events.Error`).
"""

from __future__ import annotations

import msgspec

__all__ = ["Failure", "plain_failure"]


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a request was refused.

    Attributes:
        status: the HTTP status.
        message: what is wrong, for people.
        type, error_code: the vendor's class of error, and its code; empty for the usual ones for this status.
        param: the field of the request that is wrong; empty where it is none of them.
        request_id: the request's id, as a header tells it; empty where there is none.
        framing: that of the stream that was asked for; empty where none was, or it makes no difference.
    """

    status: int
    message: str
    type: str = ""
    error_code: str = ""
    param: str = ""
    request_id: str = ""
    framing: str = ""


def plain_failure(failure: Failure) -> object:
    """Return the body of an error of a dialect that has no form for it."""
    told = {"type": failure.type, "code": failure.error_code, "param": failure.param}
    return {"error": {"message": failure.message, **{key: text for key, text in told.items() if text}}}
