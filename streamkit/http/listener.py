"""Listening sockets whose accepted streams carry kernel stamps, and that no accept error ends.

Timestamping is turned on before the first connection can come: a connection that is accepted later has it from the
start, so that its very first bytes are stamped. (Where no other socket of the system had it on, the kernel turns it on
a moment later, and says nothing about what comes until then.)
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

import trio

from streamkit.errors import ConfigError
from streamkit.http.stream import SocketStream, peer_text, stamp_arrivals

__all__ = ["BACKLOG", "Listener", "listeners_at", "open_listeners", "url_of"]

BACKLOG: Final = 4096
"""How many connections may wait to be accepted (the system may allow fewer): a burst of 1,000 must not be refused."""

EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""We are out of something: accepting again at once would fail again."""

SEND_BUFFER_BYTES: Final = 256 * 1024
"""How much the kernel takes from us for a client that does not read; it doubles this. By itself it would grow to 4 MiB,
which a thousand silent clients turn into gigabytes, and a stream of tokens never needs."""

MAX_STREAK: Final = 32
"""How many waiting connections are accepted in one go: with one a turn, a burst would wait for many turns of others."""

RETRY_S: Final = 0.1

CLOSED: Final = {errno.EBADF, errno.ENOTSOCK}


class Listener(trio.abc.Listener[SocketStream]):
    """Accepts connections on a listening socket of the standard library, which it owns from now on.

    Args:
        sock: bound; it need not listen yet.
        stamps: ask for kernel stamps on what is accepted. They cost some 3 us a read.
    """

    def __init__(self, sock: socket.socket, *, stamps: bool = True) -> None:
        sock.setblocking(False)  # noqa: FBT003 - the standard library has no name for it
        self.socket = sock
        self.has_stamps = stamps and stamp_arrivals(sock)
        self._streak = 0

    @property
    def port(self) -> int:
        """The port that is really listened on, also where 0 was asked for."""
        return int(self.socket.getsockname()[1])

    async def accept(self) -> SocketStream:
        """Wait for a connection. Of many that wait already, some are returned without a checkpoint in between.

        What goes wrong with one connection, or for want of file descriptors or memory, is waited out.

        Raises:
            ClosedResourceError: the listener was closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        waited = False
        while True:
            try:
                sock, address = self.socket.accept()
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self.socket)
                waited = True
            except OSError as error:
                if error.errno in CLOSED:
                    raise trio.ClosedResourceError("this listener was closed already") from None
                await trio.sleep(RETRY_S if error.errno in EXHAUSTED else 0)
                waited = True
            else:
                stream = SocketStream(sock, peer=peer_text(address))
                self._streak = 0 if waited else self._streak + 1
                if self._streak >= MAX_STREAK:
                    self._streak = 0
                    await trio.lowlevel.cancel_shielded_checkpoint()
                return stream

    async def aclose(self) -> None:
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
        await trio.lowlevel.checkpoint()


async def open_listeners(port: int, host: str = "127.0.0.1", *, stamps: bool = True) -> list[Listener]:
    """Listen on every address that `host` stands for; port 0 takes a free one, the same for all of them.

    Args:
        port: 0 for a free one.
        host: a name or address of this machine.
        stamps: as for `Listener`.

    Raises:
        ConfigError: the port is in use or not allowed, or the host is not one of this machine's.
    """
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on host {host!r}: {error.strerror}; give a name or address of this machine"
        ) from error
    listeners: list[Listener] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            wanted = (address[0], port or (listeners[0].port if listeners else 0), *address[2:])
            listeners.append(_listen(family, wanted, stamps=stamps))
    except OSError as error:
        for listener in listeners:
            listener.socket.close()
        why = "it is in use; choose another, or 0 for a free one" if error.errno == errno.EADDRINUSE else _words(error)
        raise ConfigError(f"cannot listen on {host} port {port}: {why}") from error
    return listeners


async def listeners_at(host: str, port: int) -> list[Listener]:
    """Return what listens there.

    Raises:
        ConfigError: there is no such host.
        OSError: the port cannot be had; the text says what to do.
    """
    try:
        return await open_listeners(port, host)
    except ConfigError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, socket.gaierror):
            raise OSError(error.__cause__.errno, str(error)) from error
        raise


def url_of(host: str, port: int, scheme: str = "http") -> str:
    """Return the URL of what listens there."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _listen(family: int, address: tuple[object, ...], *, stamps: bool) -> Listener:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on Windows this option would let two servers have one port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        listener = Listener(sock, stamps=stamps)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return listener


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
