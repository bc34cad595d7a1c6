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

Ends are what they are: of a complete response by its framing, a FIN before that, an RST, the client
leaving first, upon which the server is left at once. The client sees the same end. Where the server cannot be reached
the client gets a 502, and that is written down.

A read is written down before it is passed on: whatever a client got is in the cassette, at the cost of some 10 us.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Final

import trio

from mockserver.recording.replay import bad_gateway
from mockserver.recording.tape import Tape
from mockserver.recording.upstream import forwarded_head
from streamkit.errors import ConfigError, ConnectError
from streamkit.http.clock import now_ns
from streamkit.http.connect import Dial, dial_of
from streamkit.http.limits import Limits
from streamkit.http.origin import Origin
from streamkit.http.server import Exchange, log_error, plain_refusal, serve
from streamkit.http.stream import WireStream
from streamkit.io.cassette_writer import CassetteWriter

__all__ = ["record"]

CONNECT_S: Final = 10.0


async def record(
    listeners: Sequence[trio.abc.Listener[WireStream]],
    upstream: Origin,
    cassette: CassetteWriter,
    *,
    tls: ssl.SSLContext | None = None,
    connect_timeout_s: float = CONNECT_S,
    limits: Limits | None = None,
    on_error: Callable[[Exception], None] = log_error,
    dial: Dial | None = None,
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
    recorder = _Recorder(upstream, cassette, dial or dial_of(upstream, tls), connect_timeout_s)
    with recorder.scope:
        await serve(listeners, recorder.handle, limits=limits, on_error=on_error, task_status=task_status)
    if recorder.error is not None:
        reason = recorder.error.strerror or recorder.error
        raise ConfigError(f"the cassette cannot be written: {reason}; the recording ends here") from recorder.error


class _Recorder:
    """Serves requests, and stops when the cassette takes no more."""

    def __init__(self, upstream: Origin, cassette: CassetteWriter, dial: Dial, connect_timeout_s: float) -> None:
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
        taping = Tape(
            self.cassette,
            method=request.method,
            target=request.target,
            version=request.version,
            headers=request.headers,
            body=body,
            origin_ns=request.arrived_ns,
            on_error=self.give_up,
        )
        head = forwarded_head(self._upstream, request, body)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, exchange, taping, nursery.cancel_scope)
            try:
                upstream = await self._reach()
            except ConnectError as error:
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
        raise ConnectError(f"no connection within {self._connect_timeout_s:g} s")

    def give_up(self, error: OSError) -> None:
        """Stop serving, at the next checkpoint."""
        self.error = error
        self.scope.cancel()


async def _watch(exchange: Exchange, taping: Tape, exchanging: trio.CancelScope) -> None:
    """Leave the server when the client leaves."""
    left = await exchange.wait_left()
    taping.end("left", left.at_ns, left.how)
    exchanging.cancel()


async def _refuse(exchange: Exchange, taping: Tape, detail: str) -> None:
    taping.end("unreachable", now_ns(), detail)
    try:
        await exchange.stream.send_all(bad_gateway(detail, method=exchange.request.method))
    except trio.BrokenResourceError:  # nobody is there to be told
        return


async def _send(upstream: WireStream, data: bytes, taping: Tape) -> None:
    """Send the request, beside the response: a server may answer before it has read all."""
    try:
        await upstream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):  # reading says what happened
        return
    taping.origin_ns = now_ns()


async def _relay(upstream: WireStream, exchange: Exchange, taping: Tape) -> None:
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
