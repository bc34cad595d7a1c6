"""Every error that streamkit raises, as one tree.

::

    StreamkitError
     |- LocalError                 you called it wrong
     |   |- ConfigError            an option out of range (also a ValueError)
     |   |- StageStateError        a stage was fed after it failed or finished
     |   `- EncodeError            an item that the format cannot carry (also a ValueError)
     `- RemoteError                the stream, or what sends it, is wrong
         |- DecodeError            bytes that are not what the format says (also a ValueError)
         |   |- LimitExceeded      one record holds more bytes than the limit allows
         |   |- TruncatedError     the input ended inside a record, or before the stream's terminator
         |   `- ReportedError      the stream's own sender says that it failed
         |- ConnectError           no connection: nobody listens, no such host, no trust
         |- ProtocolError          what answers does not speak HTTP/1.1 as the standard has it
         |- DisconnectedError      the connection ended before the response did
         |- StatusError            the server refused the request, and says why
         `- StreamTimeout          something took too long
             |- ConnectTimeout     to connect
             |- FirstTokenTimeout  from the request to the first token
             |- IdleTimeout        from one piece of the stream to the next
             `- TotalTimeout       from the beginning to the end

Each class has a `code`: a short stable word for machines. The message is one sentence for people that says where, what,
and, where there is something to do, what to do. The errors of a stage (`DecodeError`, `EncodeError`) carry `items`:
what the failing call had completed before it failed, so that no good record is lost with a bad one.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ConfigError",
    "ConnectError",
    "ConnectTimeout",
    "DecodeError",
    "DisconnectedError",
    "EncodeError",
    "FirstTokenTimeout",
    "IdleTimeout",
    "LimitExceeded",
    "LocalError",
    "ProtocolError",
    "RemoteError",
    "ReportedError",
    "StageStateError",
    "StatusError",
    "StreamTimeout",
    "StreamkitError",
    "TotalTimeout",
    "TruncatedError",
    "excerpt_of",
]

EXCERPT_BYTES = 40
"""How much of a bad record an error shows. Enough to find it in a log, little enough for one line of a terminal."""


def excerpt_of(data: bytes | bytearray | memoryview, around: int = 0) -> str:
    """Show the bytes near position `around` as printable ASCII, at most `EXCERPT_BYTES` of them.

    Everything outside printable ASCII is escaped (a stream may hold terminal control sequences), and `...` marks what
    was left out on either side.
    """
    start = max(0, min(around - EXCERPT_BYTES // 2, len(data) - EXCERPT_BYTES))
    piece = bytes(data[start : start + EXCERPT_BYTES])
    text = repr(piece)[2:-1]
    return f"{'...' if start else ''}{text}{'...' if start + len(piece) < len(data) else ''}"


class StreamkitError(Exception):
    """The root of the tree: catch it to catch everything that streamkit raises on purpose."""

    code = "error"


class LocalError(StreamkitError):
    """The caller did something that can be put right in the caller's code."""

    code = "local"


class ConfigError(LocalError, ValueError):
    """An option has a value that makes no sense; nothing was done."""

    code = "config"


class StageStateError(LocalError):
    """A stage was used after it failed or finished. `reset()` makes it usable again, with nothing kept."""

    code = "stage-state"


class EncodeError(LocalError, ValueError):
    """An item cannot be written in this format, for instance a line break in an event's name.

    Attributes:
        reason: what is wrong with the item.
        stage: the stage's name.
        record: which item of the stage's input it was, counted from 1, or None where nobody counts.
        items: what the failing call had completed before this item.
    """

    code = "encode"

    def __init__(self, reason: str, *, stage: str, record: int | None = None) -> None:
        self.reason = reason
        self.stage = stage
        self.record = record
        self.items: Sequence[object] = ()
        super().__init__(reason)

    def __str__(self) -> str:
        where = self.stage if self.record is None else f"{self.stage}: item {self.record}"
        return f"{where}: {self.reason}"


class RemoteError(StreamkitError):
    """What came in, or failed to come in, is wrong; the caller's code may be perfectly right."""

    code = "remote"


class DecodeError(RemoteError, ValueError):
    """Bytes that are not what the format says.

    Attributes:
        reason: what is wrong, for people.
        code: what is wrong, for machines: `invalid-json`, `invalid-utf8`, `too-deep`, `number-range`, `blank-line`,
            `not-json`, `bad-field`, `limit`, `truncated`, `wrong-dialect`, `reported`, and the codes of repairs that a
            strict decoder refuses.
        stage: the name of the stage that found it.
        record: which record of that stage's input it is in, counted from 1; None where it is in none.
        offset: the byte that is wrong, counted from 0 at the start of the stream (or at the last `reset()`); None where
            the stage does not see bytes.
        excerpt: the bytes near that place, escaped.
        hint: what the input may be instead, for people. Unlike the rest it may depend on how the input was cut, because
            it is about what had come when the error was found.
        items: the good items that the failing call had completed before it.
        truncated: whether the input ended too early, rather than being wrong in itself.
    """

    code = "decode"
    truncated = False

    def __init__(
        self,
        reason: str,
        *,
        stage: str,
        record: int | None,
        offset: int | None,
        excerpt: str = "",
        code: str | None = None,
    ) -> None:
        self.reason = reason
        if code is not None:
            self.code = code
        self.stage = stage
        self.record = record
        self.offset = offset
        self.excerpt = excerpt
        self.hint = ""
        self.items: Sequence[object] = ()
        super().__init__(reason)

    @property
    def complaint(self) -> str:
        """Where and what, without the hint."""
        where = self.stage if self.record is None else f"{self.stage}: record {self.record}"
        if self.offset is not None:
            where += f" at byte {self.offset}"
        shown = f": {self.excerpt}" if self.excerpt else ""
        return f"{where}: {self.reason}{shown}"

    def __str__(self) -> str:
        return self.complaint + self.hint


class LimitExceeded(DecodeError):
    """One record holds more bytes than `limit_bytes`; raise the limit, or lift it with None, to accept such records."""

    code = "limit"

    def __init__(
        self, *, limit_bytes: int, stage: str, record: int, offset: int, excerpt: str = "", what: str = "record"
    ) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"the {what} is longer than the limit of {limit_bytes} bytes",
            stage=stage,
            record=record,
            offset=offset,
            excerpt=excerpt,
        )


class TruncatedError(DecodeError):
    """The input ended inside a record, or before the terminator that its dialect has.

    `dropped_bytes` of the record were there and are not in any item.
    """

    code = "truncated"
    truncated = True

    def __init__(
        self,
        reason: str,
        *,
        dropped_bytes: int,
        stage: str,
        record: int | None,
        offset: int | None,
        excerpt: str = "",
    ) -> None:
        self.dropped_bytes = dropped_bytes
        super().__init__(reason, stage=stage, record=record, offset=offset, excerpt=excerpt)


class ReportedError(DecodeError):
    """The stream ends in an error that its sender reported, in the form that its dialect has for that.

    Attributes:
        error_type, error_code, status: the sender's class of error, code, and HTTP status, where it gave them.
    """

    code = "reported"

    def __init__(self, reason: str, *, error_type: str, error_code: str, status: int | None, stage: str) -> None:
        self.error_type = error_type
        self.error_code = error_code
        self.status = status
        shown = reason or error_type or error_code or "an error without a message"
        super().__init__(f"the sender reported an error: {shown}", stage=stage, record=None, offset=None)


class ConnectError(RemoteError):
    """There is no connection to the server: no such host, nobody listens there, or its certificate is not trusted."""

    code = "connect"


class ProtocolError(RemoteError):
    """The server answered with what is no HTTP/1.1, or with a head or body that is ambiguous or broken."""

    code = "protocol"


class DisconnectedError(RemoteError):
    """The connection ended before the response did. What came before is good, and is not the whole.

    Attributes:
        is_reset: whether it was reset, rather than closed.
    """

    code = "disconnected"

    def __init__(self, reason: str, *, is_reset: bool = False) -> None:
        self.is_reset = is_reset
        super().__init__(reason)


class StatusError(RemoteError):
    """The server refused the request before any stream began.

    Attributes:
        status: the HTTP status.
        message: the vendor's own, or the beginning of a body that has none.
        error_type, error_code: the vendor's class of error and code; empty where it gave none.
        retry_after_s: when to come back, in seconds from now; None where the server did not say.
        request_id: the server's id of the request; empty where it gave none.
        headers: of the response, as they came.
    """

    code = "status"

    def __init__(
        self,
        status: int,
        message: str,
        *,
        error_type: str = "",
        error_code: str = "",
        retry_after_s: float | None = None,
        request_id: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.status = status
        self.message = message
        self.error_type = error_type
        self.error_code = error_code
        self.retry_after_s = retry_after_s
        self.request_id = request_id
        self.headers = headers
        wait = "" if retry_after_s is None else f"; it asks to come back in {retry_after_s:g} s"
        super().__init__(f"the server refused the request with status {status}: {message}{wait}")


class StreamTimeout(RemoteError):
    """Something took longer than `limit_s` seconds, a limit that the caller has set."""

    code = "timeout"
    what = "it took longer than"

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        super().__init__(f"{self.what} {limit_s:g} s")


class ConnectTimeout(StreamTimeout):
    """There was no connection in time."""

    code = "connect-timeout"
    what = "there was no connection within"


class FirstTokenTimeout(StreamTimeout):
    """The first token did not come in time."""

    code = "first-token-timeout"
    what = "no token came within"


class IdleTimeout(StreamTimeout):
    """Nothing came for `limit_s` seconds. Of `streamkit.io.idle`: the source is still open and has lost nothing."""

    code = "idle"
    what = "nothing came for"


class TotalTimeout(StreamTimeout):
    """The whole took too long."""

    code = "total-timeout"
    what = "it was not finished within"
