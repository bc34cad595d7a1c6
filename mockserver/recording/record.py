"""Stand in front of a real server and write down what it answers: every read's bytes and time.

The response's bytes go to the client unchanged, as they come. The request goes to the server with a Host and a
Content-Length of its own (`mockserver.recording.upstream`), once the whole of it has come. Each request has a
connection of its own to the server, closed when the response has ended; whether the client's is kept is the server's
and the client's affair. Upgrades and CONNECT are not passed on.

In the cassette keys and cookies are hidden: values of secret request headers and parameters are left out, the values of
`Set-Cookie` are replaced by as many asterisks, so that the boundaries of reads stay. Bodies are kept as they are.

Times count from when the whole request was handed to the server, so connecting and shaking hands are no part of them;
the kernel's stamp of a read counts where there is one. A client that reads slowly slows the server down, here as
without us, and the times show it.

Ends are what they are: of a complete response by its framing (h11 reads beside), a FIN before that, an RST, the client
leaving first, upon which the server is left at once. The client sees the same end. Where the server cannot be reached
the client gets a 502, and that is written down.

A read is written down before it is passed on: whatever a client got is in the cassette, at the cost of some 10 us.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from mockserver.recording.reading import CookieMask, ResponseReader
from mockserver.recording.replay import bad_gateway
from mockserver.recording.upstream import UnreachableError, Upstream, connect, forwarded_head, system_trust
from streamkit.errors import ConfigError
from streamkit.http.clock import now_ns
from streamkit.http.limits import Limits
from streamkit.http.server import Exchange, log_error, plain_refusal, serve
from streamkit.http.stream import TimedRead, WireStream
from streamkit.io.cassette import Ended, How, Read
from streamkit.io.cassette_writer import CassetteWriter

__all__ = ["Connect", "record"]

CONNECT_S: Final = 10.0

Connect = Callable[[], Awaitable[WireStream]]
"""Makes a connection to the server, or raises UnreachableError."""


async def record(
    listeners: Sequence[trio.abc.Listener[WireStream]],
    upstream: Upstream,
    cassette: CassetteWriter,
    *,
    tls: ssl.SSLContext | None = None,
    connect_timeout_s: float = CONNECT_S,
    limits: Limits | None = None,
    on_error: Callable[[Exception], None] = log_error,
    dial: Connect | None = None,
    task_status: trio.TaskStatus[Sequence[trio.abc.Listener[WireStream]]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `listeners` from `upstream` and record every exchange, until cancelled.

    Args:
        listeners: where clients connect; they are closed at the end.
        upstream: the real server.
        cassette: it stays open. An exchange that is cut by the cancellation has no end in it.
        tls: whom to trust; by default whom the system trusts.
        connect_timeout_s: how long connecting may take, the TLS handshake included.
        limits: on clients.
        on_error: called with what nobody is to blame for but this code.
        dial: makes connections in another way, for tests.
        task_status: told the listeners once they are served.

    Raises:
        ConfigError: the cassette cannot be written any more; nothing is served without being recorded.
    """
    if dial is None:
        trust = tls or (system_trust() if upstream.scheme == "https" else None)

        async def dial() -> WireStream:
            return await connect(upstream, trust)

    recorder = _Recorder(upstream, cassette, dial, connect_timeout_s)
    with recorder.scope:
        await serve(listeners, recorder.handle, limits=limits, on_error=on_error, task_status=task_status)
    if recorder.error is not None:
        reason = recorder.error.strerror or recorder.error
        raise ConfigError(f"the cassette cannot be written: {reason}; the recording ends here") from recorder.error


class _Recorder:
    """Serves requests, and stops when the cassette takes no more."""

    def __init__(self, upstream: Upstream, cassette: CassetteWriter, dial: Connect, connect_timeout_s: float) -> None:
        self._upstream = upstream
        self._dial = dial
        self._connect_timeout_s = connect_timeout_s
        self.cassette = cassette
        self.scope = trio.CancelScope()
        self.error: OSError | None = None

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request with what the server answers."""
        request = exchange.request
        keep_alive = exchange.keep_alive
        if request.method == "CONNECT":
            exchange.keep_alive = False
            await exchange.stream.send_all(plain_refusal(501, "a recorder is no proxy", exchange.stream))
            return
        body = await exchange.read_body()
        exchange.keep_alive = False  # until the response turns out to be whole
        taping = _Taping(self, exchange, body)
        head = forwarded_head(self._upstream, request, body)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, exchange, taping, nursery.cancel_scope)
            try:
                upstream = await self._reach()
            except UnreachableError as error:
                await _refuse(exchange, taping, str(error))
            else:
                try:
                    nursery.start_soon(_send, upstream, head + body, taping)
                    await _relay(upstream, exchange, taping)
                finally:
                    await trio.aclose_forcefully(upstream)
            nursery.cancel_scope.cancel()
        exchange.keep_alive = keep_alive and taping.keep_alive

    async def _reach(self) -> WireStream:
        with trio.move_on_after(self._connect_timeout_s):
            return await self._dial()
        raise UnreachableError(f"no connection within {self._connect_timeout_s:g} s")

    def give_up(self, error: OSError) -> None:
        """Stop serving, at the next checkpoint."""
        self.error = error
        self.scope.cancel()


class _Taping:
    """One exchange on its way into the cassette."""

    def __init__(self, recorder: _Recorder, exchange: Exchange, body: bytes) -> None:
        request = exchange.request
        self.origin_ns = request.arrived_ns
        self.reader = ResponseReader(request.method)
        self.keep_alive = False
        self._recorder = recorder
        self._cassette = recorder.cassette
        self._mask = CookieMask()
        self._number: int | None = None
        try:
            self._number = self._cassette.request(
                request.method, request.target, request.version, request.headers, body
            )
        except OSError as error:
            recorder.give_up(error)

    def read(self, read: TimedRead) -> None:
        """Write down what one read brought."""
        if self._number is None:
            return
        at_ns = read.read_ns if read.kernel_ns is None else read.kernel_ns
        shown = self._mask.feed(read.data)
        entry = Read(shown, max(at_ns - self.origin_ns, 0), read.kernel_ns is not None, read.segments)
        try:
            self._cassette.read(self._number, entry)
        except OSError as error:
            self._number = None
            self._recorder.give_up(error)

    def end(self, how: How, at_ns: int, detail: str = "") -> None:
        """Write down how it ended. Only the first end counts: when one side leaves, so does the other."""
        if self._number is None:
            return
        number, self._number = self._number, None
        self.keep_alive = how == "complete" and self.reader.keep_alive
        if not detail and self.reader.extra_bytes:
            detail = f"{self.reader.extra_bytes} bytes came after the end of the response"
        try:
            self._cassette.end(number, Ended(how, max(at_ns - self.origin_ns, 0), self.keep_alive, detail))
        except OSError as error:
            self._recorder.give_up(error)


async def _watch(exchange: Exchange, taping: _Taping, exchanging: trio.CancelScope) -> None:
    """Leave the server when the client leaves."""
    left = await exchange.wait_left()
    taping.end("left", left.at_ns, left.how)
    exchanging.cancel()


async def _refuse(exchange: Exchange, taping: _Taping, detail: str) -> None:
    taping.end("unreachable", now_ns(), detail)
    try:
        await exchange.stream.send_all(bad_gateway(detail, method=exchange.request.method))
    except trio.BrokenResourceError:  # nobody is there to be told
        return


async def _send(upstream: WireStream, data: bytes, taping: _Taping) -> None:
    """Send the request, beside the response: a server may answer before it has read all."""
    try:
        await upstream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):  # reading says what happened
        return
    taping.origin_ns = now_ns()


async def _relay(upstream: WireStream, exchange: Exchange, taping: _Taping) -> None:
    """Pass the response on until its end, and end the client's connection as the server's has ended."""
    reader = taping.reader
    while not reader.is_complete:
        try:
            read = await upstream.receive()
        except trio.BrokenResourceError as error:
            taping.end("reset", now_ns(), reader.problem or str(error.__cause__ or error))
            exchange.stream.abort()
            return
        if not read.data:
            reader.finish()
            taping.end("complete" if reader.is_complete else "fin", read.read_ns, reader.problem)
            return
        taping.read(read)
        reader.feed(read.data)
        try:
            await exchange.stream.send_all(read.data)
        except trio.BrokenResourceError:
            taping.end("left", now_ns(), "reset")
            return
    taping.end("complete", read.read_ns)
