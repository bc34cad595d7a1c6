"""The heads of requests and responses: read strictly, or refused with the reason. Pure (RFC 9112, 9110).

Where readers disagree about a head, one request can be smuggled inside another: so what is ambiguous is refused, even
where many parsers are forgiving. That is Content-Length beside Transfer-Encoding, Content-Lengths that differ, bare LF
or CR, folded lines, Transfer-Encoding in HTTP/1.0, white space before a colon, no Host in HTTP/1.1 or several.

Nothing is normalized: names keep their case, and values only lose the white space around them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

__all__ = [
    "BadHead",
    "Body",
    "RequestHead",
    "ResponseHead",
    "find_end",
    "is_request_start",
    "is_response_start",
    "read_fields",
    "read_request",
    "read_response",
    "split_target",
]

Body = int | Literal["chunked", "close"]
"""How a body ends: after so many bytes, with its last chunk, or with the connection."""

TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - a token of HTTP
FIELD: Final = re.compile(rf"({TOKEN}):[ \t]*+((?:[!-~\x80-\xff]++(?:[ \t]++[!-~\x80-\xff]++)*+)?+)[ \t]*+\r\n")
"""Possessive throughout: a long value that does not match costs linear time."""

REQUEST_LINE: Final = re.compile(rf"({TOKEN}) ([!-~]+) HTTP/([0-9])\.([0-9])\r\n")
STATUS_LINE: Final = re.compile(r"HTTP/([0-9])\.([0-9]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?\r\n")
LENGTH: Final = re.compile(r"[0-9]{1,18}\Z")
HOST: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*\Z")

BARE_LF: Final = re.compile(rb"(?<!\r)\n")
NOT_HTTP: Final = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")


class BadHead(Exception):
    """A head that is refused.

    Attributes:
        status: what a server answers to it.
        reason: what is wrong, for people.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a request.

    Attributes:
        target: as it came.
        version: "1.0" or "1.1"; what says that it is later is treated as 1.1.
        headers: in order, in the case in which they came.
        body: how the body ends; 0 where there is none.
        keep_alive: whether the client wants the connection to stay open.
        expects_continue: whether it waits for a 100 before it sends the body.
    """

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    body: Body
    keep_alive: bool
    expects_continue: bool


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The head of a response; `body` is "close" where the connection's end is the body's.

    So it is where another protocol follows: after a 101, and after CONNECT was granted (RFC 9110 section 9.3.6).
    """

    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    body: Body
    keep_alive: bool


def find_end(data: bytes | bytearray, start: int = 0) -> int:
    """Return where the head at the start of `data` ends (behind its blank line), or -1 where it is not whole yet.

    Args:
        data: what came so far.
        start: how much of it was looked at before; a few bytes of that are looked at again.

    Raises:
        BadHead: a line of it ends in LF alone, which would be waited on for ever.
    """
    end = data.find(b"\r\n\r\n", max(0, start - 3))
    limit = len(data) if end < 0 else end
    if BARE_LF.search(data, max(0, start - 1), limit):
        raise BadHead(400, "a line of the head ends with LF instead of CRLF")
    return -1 if end < 0 else end + 4


def is_request_start(data: bytes | bytearray) -> bool:
    """Tell whether `data` can be the start of a request: of another protocol (TLS) the first byte already cannot."""
    return NOT_HTTP.match(data) is None


def is_response_start(data: bytes | bytearray) -> bool:
    """Tell whether `data` can be the start of a response, so that what is none is not waited on for its blank line."""
    return data.startswith(b"HTTP/") if len(data) >= 5 else b"HTTP/".startswith(data)


def read_request(head: bytes) -> RequestHead:
    """Read a whole request head, blank line included.

    Raises:
        BadHead: with 400, 417, 501, or 505.
    """
    text = head.decode("latin-1")
    line = REQUEST_LINE.match(text)
    if line is None:
        raise _bad_request_line(text)
    method, target, major, minor = line.groups()
    if major != "1":
        raise BadHead(505, f"HTTP/{major}.{minor} is not spoken here, only HTTP/1.1 and HTTP/1.0")
    version = "1.1" if minor != "0" else "1.0"
    headers = read_fields(text, line.end())
    _check_target(method, target)
    lengths, codings, connection, hosts, expectations = [], [], "", [], []
    for name, value in headers:
        if len(name) in {4, 6, 10, 14, 17}:  # Host, Expect, Connection, Content-Length, Transfer-Encoding
            match name.lower():
                case "host":
                    hosts.append(value)
                case "content-length":
                    lengths.append(value)
                case "transfer-encoding":
                    codings.append(value)
                case "connection":
                    connection += f",{value.lower()}"
                case "expect":
                    expectations.append(value.lower())
    if len(hosts) > 1:
        raise BadHead(400, "there are several Host headers")
    if not hosts and version == "1.1":
        raise BadHead(400, "there is no Host header, which HTTP/1.1 demands")
    if hosts and not HOST.match(hosts[0]):
        raise BadHead(400, "the Host header is not a host")
    if expectations and expectations != ["100-continue"] and version == "1.1":
        raise BadHead(417, "the only expectation that is known is 100-continue")
    body = _body(lengths, codings, version)
    return RequestHead(
        method=method,
        target=target,
        version=version,
        headers=headers,
        body=0 if body is None else body,
        keep_alive=_wants_keep_alive(connection, version),
        expects_continue=bool(expectations) and version == "1.1" and body not in {None, 0},
    )


def read_response(head: bytes, *, method: str = "GET") -> ResponseHead:
    """Read a whole response head, blank line included.

    Args:
        head: its bytes.
        method: of the request, on which it depends whether there is a body.

    Raises:
        BadHead: with 502, which is what a gateway answers.
    """
    text = head.decode("latin-1")
    line = STATUS_LINE.match(text)
    if line is None:
        raise BadHead(502, f"no status line: {text[:40]!r}")
    major, minor, digits, reason = line.groups()
    if major != "1":
        raise BadHead(502, f"the answer is in HTTP/{major}.{minor}")
    version = "1.1" if minor != "0" else "1.0"
    status = int(digits)
    try:
        headers = read_fields(text, line.end())
        named = [(name.lower(), value) for name, value in headers]
        body = _body(
            [value for name, value in named if name == "content-length"],
            [value for name, value in named if name == "transfer-encoding"],
            version,
        )
    except BadHead as error:
        raise BadHead(502, error.reason) from None
    if status == 101 or (method == "CONNECT" and 200 <= status < 300):
        body = None
    elif method == "HEAD" or status < 200 or status in {204, 304}:
        body = 0
    connection = ",".join(value.lower() for name, value in named if name == "connection")
    return ResponseHead(
        status=status,
        reason=reason or "",
        version=version,
        headers=headers,
        body="close" if body is None else body,
        keep_alive=body is not None and _wants_keep_alive(connection, version),
    )


def read_fields(text: str, start: int = 0) -> list[tuple[str, str]]:
    """Read the header lines from `start` to the blank line, which is the end of `text`.

    Raises:
        BadHead: one of them is none (400).
    """
    headers = []
    end = len(text) - 2
    match = FIELD.match
    while start < end:
        found = match(text, start)
        if found is None:
            raise _bad_field(text, start)
        headers.append(found.groups())
        start = found.end()
    return headers  # type: ignore[return-value]  # two groups that always take part make a pair of texts


def split_target(target: str) -> tuple[str, str]:
    """Return the path of a request's target, percent-decoded, and its query as it came.

    Of an absolute target the path behind the authority; of `*` and of an authority that itself.
    """
    if not target.startswith("/"):
        scheme, found, rest = target.partition("://")
        if not found or not scheme.isalpha():
            return target, ""
        cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        target = rest[cut:] if rest[cut : cut + 1] == "/" else f"/{rest[cut:]}"
    path, _, query = target.partition("#")[0].partition("?")
    return unquote(path) if "%" in path else path, query


def _bad_request_line(text: str) -> BadHead:
    line = text.partition("\r\n")[0]
    words = line.split(" ")
    if len(words) == 2:
        return BadHead(400, "the request line names no HTTP version")
    if "\r" in line or "\n" in line or "\0" in line:
        return BadHead(400, "the request line has a control character in it")
    if len(words) > 3:
        return BadHead(400, "the request line has too many spaces: in a target they are written %20")
    if len(words) == 3 and not words[1].isascii():
        return BadHead(400, "the request's target is not ASCII: other characters are percent-encoded")
    return BadHead(400, "this is no HTTP request line")


def _bad_field(text: str, start: int) -> BadHead:
    line = text[start:].partition("\r\n")[0]
    name, colon, value = line.partition(":")
    if line[:1] in {" ", "\t"}:
        reason = "a header is folded over several lines"
    elif "\n" in line:
        reason = "a line of the head ends with LF instead of CRLF"
    elif "\r" in line:
        reason = "there is a CR inside a line of the head"
    elif not colon:
        reason = "a header line has no colon"
    elif name != name.rstrip(" \t"):
        reason = f"there is white space before the colon of header {name.strip()[:40]!r}"
    elif not re.fullmatch(TOKEN, name):
        reason = f"the header name {name[:40]!r} has characters that no name may have"
    else:
        reason = f"the value of header {name[:40]!r} has a control character in it"
        del value
    return BadHead(400, reason)


def _check_target(method: str, target: str) -> None:
    if method == "CONNECT":
        if not re.fullmatch(r"[^/?#@]+:[0-9]{1,5}", target):
            raise BadHead(400, "the target of CONNECT is not HOST:PORT")
    elif target == "*":
        if method != "OPTIONS":
            raise BadHead(400, "the target * is for OPTIONS alone")
    elif not target.startswith("/") and not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]", target):
        raise BadHead(400, "the request's target is neither a path nor a URL")


def _body(lengths: list[str], codings: list[str], version: str) -> Body | None:
    """Return how the body ends, or None where nothing says it."""
    if codings:
        if version == "1.0":
            raise BadHead(400, "HTTP/1.0 has no Transfer-Encoding")
        if lengths:
            raise BadHead(400, "there are both Content-Length and Transfer-Encoding")
        names = [coding.strip().lower() for coding in ",".join(codings).split(",")]
        if names[-1] != "chunked" or names.count("chunked") > 1:
            raise BadHead(400, "the last Transfer-Encoding is not chunked, so nothing says where the body ends")
        if len(names) > 1:
            raise BadHead(501, "the only Transfer-Encoding that is known is chunked")
        return "chunked"
    if not lengths:
        return None
    values = (
        {value.strip(" \t") for value in ",".join(lengths).split(",")}
        if len(lengths) > 1 or "," in lengths[0]
        else set(lengths)
    )
    if len(values) > 1:
        raise BadHead(400, "there are several Content-Lengths, and they differ")
    (value,) = values
    if not LENGTH.match(value):
        raise BadHead(400, "the Content-Length is not a number of bytes")
    return int(value)


def _wants_keep_alive(connection: str, version: str) -> bool:
    options = {option.strip() for option in connection.split(",")}
    return "close" not in options and (version == "1.1" or "keep-alive" in options)
