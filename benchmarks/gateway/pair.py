"""One thread plays upstream and client: "the upstream sends when the client has it" is then plain program order.

The sockets are blocking, so that a step costs one call, with a limit in the kernel, so that a path which holds
something back is found out and does not hang the run.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from benchmarks.gateway.upstream import is_whole
from benchmarks.gateway.wire import PASSED, Talk, chunk

__all__ = ["LIMIT_S", "Held", "Pair", "Upstream"]

LIMIT_S: Final = 2.0
"""What has not come by then is held back."""

NOT_HERE: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Held(Exception):
    """Something did not come through in time."""


class Upstream:
    """Where all paths end: one listening socket. A context manager."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._silent: set[socket.socket] = set()
        self.port = int(self._listener.getsockname()[1])

    def accept(self, path: str) -> socket.socket:
        """The next connection that brings a request for this path, which is read.

        A byte relay also passes on the connection that asked whether it is ready: that one is let be. Whoever asks for
        something else, as some gateways do for what the model can, is told that it is not there.

        Raises:
            Held: none came in time.
        """
        until = time.monotonic() + self.limit_s
        while (patience_s := until - time.monotonic()) > 0:
            for ready in select.select([self._listener, *self._silent], [], [], patience_s)[0]:
                if ready is self._listener:
                    self._silent.add(plain(self._listener.accept()[0], self.limit_s))
                    continue
                self._silent.discard(ready)
                try:
                    asked = taken(ready)
                    if asked.startswith(f"POST {path} ".encode()):
                        return ready
                    if asked:
                        with suppress(ConnectionError):
                            ready.sendall(NOT_HERE)
                except BaseException:
                    ready.close()
                    raise
                ready.close()
        raise Held("no request reached the upstream")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in (self._listener, *self._silent):
            connection.close()


class Pair:
    """One stream through a path, begun and not ended, with both its ends. A context manager.

    Attributes:
        client: the client's socket.
        upstream: the upstream's.
    """

    def __init__(self, upstream: Upstream, address: tuple[str, int], talk: Talk = PASSED) -> None:
        """Connect, send the request through, answer it with the head alone.

        Raises:
            Held: the request did not come through in time.
        """
        self.client = plain(socket.create_connection(address, timeout=upstream.limit_s), upstream.limit_s)
        try:
            self.client.sendall(talk.request)
            self.upstream = upstream.accept(talk.path)
        except BaseException:
            self.client.close()
            raise
        self._sent = 0
        self._talk = talk
        self.upstream.sendall(talk.head)

    def step(self) -> int:
        """Send one record through; return how long that took, from before the send to behind the last read, in ns.

        Raises:
            Held: it did not come in time.
        """
        self._sent += 1
        talk = self._talk
        wanted, end = talk.mark(self._sent), talk.end
        piece = chunk(talk.record(self._sent))
        receive = self.client.recv
        start = time.perf_counter_ns()
        try:
            self.upstream.send(piece)
            data = receive(65536)
            while (at := data.find(wanted)) < 0 or data.find(end, at) < 0:
                more = receive(65536)
                if not more:
                    raise Held(f"the stream ended before event {self._sent}")
                data += more
        except BlockingIOError:
            raise Held(f"event {self._sent} did not come") from None
        except ConnectionError as error:
            raise Held(f"event {self._sent} did not come: {error}") from None
        return time.perf_counter_ns() - start

    def leave(self) -> int:
        """Close the client's end; return how long it took until the upstream's end could see it, in ns.

        Raises:
            Held: it did not see it in time.
        """
        start = time.perf_counter_ns()
        self.client.close()
        try:
            while self.upstream.recv(65536):
                pass
        except BlockingIOError:
            raise Held("the upstream did not see it") from None
        except ConnectionError:
            pass
        return time.perf_counter_ns() - start

    def close(self) -> None:
        """Close both ends."""
        self.client.close()
        self.upstream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def taken(connection: socket.socket) -> bytes:
    """Read a request; return it, or what there was of it when the connection ended.

    Raises:
        Held: it did not come whole.
    """
    data = b""
    try:
        while not is_whole(data):
            more = connection.recv(65536)
            if not more:
                break
            data += more
    except BlockingIOError:
        raise Held("the request did not come whole") from None
    except ConnectionError:
        return b""
    return data


def plain(connection: socket.socket, limit_s: float) -> socket.socket:
    """A blocking socket without Nagle whose reads fail with BlockingIOError after the limit."""
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    seconds, part = divmod(limit_s, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(seconds), int(part * 1e6)))
    return connection
