"""A request as it came, and how a vendor refuses it: pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

__all__ = ["Question", "RefusedError", "question_of"]


@dataclass(frozen=True)
class Question:
    """A request as it came, read but not understood.

    Attributes:
        path: percent-decoded, without the query.
        query: the parameters; of one that comes twice, the last.
        headers: names in lower case; of one that comes twice, the values joined by ", ".
        value: what the body says, where it has been decoded already, as out of an envelope; the body is empty then.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    value: object = None


class RefusedError(Exception):
    """A request that its vendor would refuse.

    Attributes:
        status: the HTTP status.
        message: what is wrong, in the vendor's manner.
        type, error_code, param: the vendor's class of error, code, and the field that is wrong; empty where it is the
            vendor's usual one for this status, or there is none.
        headers: sent besides.
        framing: that of the stream that was asked for, where the vendor's error has a form of its own in it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "",  # noqa: A002 - what vendors call it
        error_code: str = "",
        param: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        framing: str = "",
    ) -> None:
        self.status = status
        self.message = message
        self.type = type
        self.error_code = error_code
        self.param = param
        self.headers = headers
        self.framing = framing
        super().__init__(message)


def question_of(method: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Question:
    """Return a request as the vendors' readers want it; `query` is what stands behind the question mark."""
    fields: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        fields[lower] = f"{fields[lower]}, {value}" if lower in fields else value
    parameters: Mapping[str, str] = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    return Question(method, path, parameters, fields, body)
