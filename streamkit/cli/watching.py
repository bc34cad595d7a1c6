"""A transport that is looked at while it works: when the request went out and the reads came, and a tape of it all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamkit.client.transport import HTTPRequest, HTTPResponse, Transport
from streamkit.dialects.refusals import masked
from streamkit.errors import ConnectError, ConnectTimeout, DisconnectedError, RemoteError
from streamkit.http.clock import now_ns
from streamkit.io.cassette_writer import CassetteWriter, create_cassette

if TYPE_CHECKING:
    from pathlib import Path

    from streamkit.cli.hiding import HidingTape
    from streamkit.http.client import Tap
    from streamkit.http.stream import TimedRead
    from streamkit.io.cassette import How

__all__ = ["Watching"]


class Watching:
    """A transport around another one.

    Attributes:
        sent_ns: when the newest request began to go out.
        last_read_ns: when the newest read came: by the kernel where it says.
        problem: why the cassette is not whole; empty as long as it is.
    """

    def __init__(self, transport: Transport, cassette: Path | None) -> None:
        """Watch a transport.

        Args:
            transport: what does the work.
            cassette: where exchanges are written down, if they are: a new file, made when the first request is sent.
        """
        self.sent_ns = 0
        self.last_read_ns = 0
        self.problem = ""
        self._transport = transport
        self._path = cassette
        self._cassette: CassetteWriter | None = None

    async def open(
        self,
        request: HTTPRequest,
        *,
        connect_s: float | None = None,
        on_sending: Callable[[], None] = lambda: None,
        on_read: Tap | None = None,
    ) -> HTTPResponse:
        """Send a request and return its response; see `Transport`.

        Raises:
            ConfigError: the cassette cannot be created; nothing was sent.
        """
        tape = self._tape_of(request)

        def sending() -> None:
            self.sent_ns = now_ns()
            if tape is not None:
                tape.tape.origin_ns = self.sent_ns
            on_sending()

        def tap(read: TimedRead) -> None:
            self.last_read_ns = read.read_ns if read.kernel_ns is None else read.kernel_ns
            if tape is not None:
                tape.read(read)
            if on_read is not None:
                on_read(read)

        try:
            response = await self._transport.open(request, connect_s=connect_s, on_sending=sending, on_read=tap)
        except BaseException as error:
            if tape is not None:
                tape.end(_how(error), now_ns(), str(error) if isinstance(error, RemoteError) else "")
            raise
        return response if tape is None else _Taped(response, tape, self)

    def close(self) -> None:
        """Close the cassette."""
        if self._cassette is not None:
            self._cassette.__exit__(None, None, None)

    def _tape_of(self, request: HTTPRequest) -> HidingTape | None:
        if self._path is None or request.method == "GET":  # which asks for the dialect, and not for an answer
            return None
        from mockserver.recording.tape import Tape
        from streamkit.cli.hiding import HidingTape

        if self._cassette is None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            upstream = f"{request.origin.scheme}://{request.origin.authority}"
            self._cassette = create_cassette(self._path, upstream=upstream, recorded_at=now)
        tape = Tape(
            self._cassette,
            method=request.method,
            target=masked(request.target, request.secrets),
            version="1.1",
            headers=request.headers,
            body=request.body,
            origin_ns=now_ns(),
            on_error=self._fail,
        )
        return HidingTape(tape, request.secrets)

    def _fail(self, error: OSError) -> None:
        self.problem = f"the cassette cannot be written: {(error.strerror or str(error)).lower()}"


class _Taped(HTTPResponse):
    """A response whose end is written down."""

    def __init__(self, response: HTTPResponse, tape: HidingTape, watching: Watching) -> None:
        self.info = response.info
        self._response = response
        self._tape = tape
        self._watching = watching

    async def receive(self) -> TimedRead | None:
        try:
            read = await self._response.receive()
        except RemoteError as error:
            self._tape.end(_how(error), now_ns(), str(error))
            raise
        if read is None:
            if not self._tape.tape.reader.is_complete:
                self._tape.tape.reader.finish()
            self._end("fin", now_ns())
        return read

    async def aclose(self) -> None:
        self._end("left", now_ns())
        await self._response.aclose()

    def _end(self, otherwise: How, at_ns: int) -> None:
        """Write down that the response was complete, or else how it ended."""
        tape = self._tape.tape
        if tape.reader.is_complete:
            self._tape.end("complete", max(self._watching.last_read_ns, tape.origin_ns))
        else:
            self._tape.end(otherwise, at_ns, tape.reader.problem)


def _how(error: BaseException) -> How:
    """Return what an exchange that ended with an error is called."""
    if isinstance(error, ConnectError | ConnectTimeout):
        return "unreachable"
    if isinstance(error, DisconnectedError):
        return "reset" if error.is_reset else "fin"
    return "left"
