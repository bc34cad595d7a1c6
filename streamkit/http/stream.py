"""Byte streams that tell what the wire did: when bytes came, how many went, and how the other end left.

`WireStream` is the interface, `SocketStream` the one over TCP; `streamkit.http.memory` and `streamkit.http.tls` have
the others. A write is tried before anything is waited for: `send_now` and a checkpoint after it cost a third less
than `trio.SocketStream.send_all`. All times are ns on the scale of `streamkit.http.clock.now_ns`.

Kernel stamps exist on Linux only, and only where `SO_TIMESTAMPING` is on (`stamp_arrivals`); elsewhere `kernel_ns` and
`segments` are None. The kernel begins to stamp a moment after the first socket of the machine asked for it
(`net_enable_timestamp` leaves that to a worker), so that what comes earlier has its segments counted and no stamp.
"""

from __future__ import annotations

import errno
import fcntl
import select
import socket
import struct
import sys
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from operator import index
from typing import Final, Never

import msgspec
import trio

from streamkit.http.clock import now_ns

__all__ = ["RECEIVE_BYTES", "SocketStream", "TimedRead", "WireStream", "stamp_arrivals"]

RECEIVE_BYTES: Final = 65536

NOTSENT_LOWAT_BYTES: Final = 16384
"""How much the kernel may hold that was not sent yet. What it holds has left our hands but not the machine."""

IS_LINUX: Final = sys.platform == "linux"

SO_TIMESTAMPING: Final = 37
STAMP_FLAGS: Final = 1 << 3 | 1 << 4  # SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE
ANCILLARY_BYTES: Final = socket.CMSG_SPACE(48)  # three timespecs, of which the first is the software stamp
TIMESPEC: Final = struct.Struct("qq")

DATA_SEGS_IN: Final = struct.Struct("I")
DATA_SEGS_IN_OFFSET: Final = 152
"""Of `tcpi_data_segs_in` in Linux's `struct tcp_info`, which only ever grows at its end."""

CLOCK_PAIR_NS: Final = 20_000
"""Two readings of clocks further apart than this had something happen between them, and are taken again."""

CLOSED: Final = {errno.EBADF, errno.ENOTSOCK}


class TimedRead(msgspec.Struct, frozen=True, gc=False):
    """What one read gave, and when.

    Attributes:
        data: empty at the end of the input.
        read_ns: when the read returned.
        kernel_ns: when the newest of these bytes reached the kernel, never after `read_ns`; None where nobody knows.
        segments: how many segments with data came since the read before. With more than one, only the newest one's
            time is known. One that comes during the read may be counted with this read or the next. None: unknown.
    """

    data: bytes
    read_ns: int
    kernel_ns: int | None = None
    segments: int | None = None


class OneTask:
    """Lets one task in at a time, and tells the others that this is a mistake of theirs."""

    __slots__ = ("_is_inside",)

    def __init__(self) -> None:
        self._is_inside = False

    def __enter__(self) -> None:
        self.check()
        self._is_inside = True

    def __exit__(self, *_: object) -> None:
        self._is_inside = False

    def check(self) -> None:
        """Raise `trio.BusyResourceError` where a task is inside."""
        if self._is_inside:
            raise trio.BusyResourceError("another task is writing to this stream")


class WireStream(trio.abc.HalfCloseableStream, ABC):
    """A byte stream with stamps and partial writes. One task may read while another one writes.

    Every method raises `trio.ClosedResourceError` after `aclose` or `abort`, and `trio.BrokenResourceError` where the
    other end is gone.

    Attributes:
        sent_bytes: how many bytes were taken from us so far.
        blocked_ns: how long `send_all` waited for the other end to take bytes, added up.
        resumed_ns: when `send_all` began to hand over what it had waited for room for last; 0 where it never waited.
        peer: who is at the other end, for people.
    """

    __slots__ = ("_sender", "blocked_ns", "peer", "resumed_ns", "sent_bytes")

    def __init__(self, peer: str) -> None:
        self._sender = OneTask()
        self.sent_bytes = 0
        self.blocked_ns = self.resumed_ns = 0
        self.peer = peer

    @abstractmethod
    async def receive(self, max_bytes: int = RECEIVE_BYTES) -> TimedRead:
        """Wait for bytes and return at most `max_bytes` of them; its data is empty at the end of the input.

        Nothing is lost when it is cancelled.
        """

    @abstractmethod
    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Hand over what is taken without waiting, and return how many bytes that was; 0 where it is full.

        No checkpoint: a task that writes much has to make one of its own.
        """

    @abstractmethod
    def abort(self) -> None:
        """End the connection with RST, at once. What was not sent yet is lost. Does nothing on a closed stream."""

    @abstractmethod
    def unsent_bytes(self) -> int | None:
        """Return how many of the sent bytes the other end has not acknowledged; None where nobody knows."""

    @abstractmethod
    def is_quiet(self) -> bool:
        """Tell whether there is nothing to read: no bytes, no end, and no error. A closed stream is not quiet."""

    @property
    def is_truncated(self) -> bool:
        """Whether the input has ended as an attacker could end it: TLS announces a real end, TCP cannot tell."""
        return False

    @abstractmethod
    async def wait_reset(self, *, or_fin: bool = False) -> None:
        """Wait until the other end resets the connection, without reading; for ever, where nobody can tell.

        Args:
            or_fin: come back for its FIN too, which the kernel may have behind bytes that nobody has read.
        """

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Do as `receive` does, without the stamps."""
        if max_bytes is not None and index(max_bytes) < 1:
            raise ValueError("max_bytes must be at least 1")
        return (await self.receive(RECEIVE_BYTES if max_bytes is None else max_bytes)).data

    async def _send_rest(self, view: memoryview, sent: int, wait_for_room: Callable[[], Awaitable[object]]) -> None:
        """Send what comes after the first `sent` bytes, as there is room for it."""
        if sent == view.nbytes:
            return
        began_ns = now_ns()
        try:
            while sent < view.nbytes:
                await wait_for_room()
                self.resumed_ns = now_ns()
                sent += self.send_now(view[sent:])
        finally:
            self.blocked_ns += now_ns() - began_ns


class SocketStream(WireStream):
    """A stream over a connected TCP socket of the standard library, which it owns from now on.

    Args:
        sock: connected; made non-blocking, and told to send small writes at once. Whether it has kernel stamps is
            looked at now.
        peer: the other end's address, where the caller has it already.
    """

    __slots__ = ("_data_segments", "_has_stamps", "_is_done_sending", "_is_drained", "_is_lost", "_sock")

    def __init__(self, sock: socket.socket, *, peer: str = "") -> None:
        sock.setblocking(False)  # noqa: FBT003 - the standard library has no name for it
        self._sock = sock
        self._data_segments = 0
        self._is_done_sending = False
        self._is_drained = False
        self._is_lost = False  # a write was answered by a reset: the kernel tells each reset once, as what comes first
        self._has_stamps = _has_stamps(sock)
        super().__init__(peer or _peer_of(sock))
        with suppress(OSError):  # a socket that is not TCP, or whose peer is gone already: reads will say so
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if IS_LINUX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES)

    @property
    def socket(self) -> socket.socket:
        """The socket, for its options and addresses."""
        return self._sock

    async def receive(self, max_bytes: int = RECEIVE_BYTES) -> TimedRead:
        sock = self._sock
        waited = self._is_drained
        if waited:
            await trio.lowlevel.wait_readable(sock)
        else:
            await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            read = self.receive_now(max_bytes)
            if read is not None:
                if not waited:
                    await trio.lowlevel.cancel_shielded_checkpoint()
                return read
            await trio.lowlevel.wait_readable(sock)
            waited = True

    def receive_now(self, max_bytes: int = RECEIVE_BYTES) -> TimedRead | None:
        """Return what is there, as `receive` does, or None where there is nothing. No checkpoint."""
        try:
            data, ancillary, _, _ = self._sock.recvmsg(max_bytes, ANCILLARY_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            _raise_trio(error)
        if not data and self._is_lost:
            raise trio.BrokenResourceError("the connection was reset by the other end")
        # Fewer than there was room for: that was all. Asking again would only be told so, and that costs 5 us.
        self._is_drained = 0 < len(data) < max_bytes
        return self._stamped(data, ancillary)

    def _stamped(self, data: bytes, ancillary: list[tuple[int, int, bytes]]) -> TimedRead:
        if not self._has_stamps:
            return TimedRead(data, now_ns())
        segments = None
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, DATA_SEGS_IN_OFFSET + DATA_SEGS_IN.size)
        except OSError:
            info = b""
        if len(info) == DATA_SEGS_IN_OFFSET + DATA_SEGS_IN.size:
            (total,) = DATA_SEGS_IN.unpack_from(info, DATA_SEGS_IN_OFFSET)
            segments = (total - self._data_segments) % 2**32
            self._data_segments = total
        read_ns, kernel_ns = _kernel_time(ancillary)
        return TimedRead(data, read_ns, kernel_ns, segments)

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        if self._is_done_sending:
            raise trio.ClosedResourceError("send_eof was called already")
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._is_lost = True
            _raise_trio(error)
        self.sent_bytes += sent
        return sent

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._sender:
            await trio.lowlevel.checkpoint_if_cancelled()
            view = memoryview(data)
            sent = self.send_now(view) if view.nbytes else self._check_sendable()
            if sent == view.nbytes:
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                await self._send_rest(view, sent, partial(trio.lowlevel.wait_writable, self._sock))

    def _check_sendable(self) -> int:
        """Fail as a write would, for a write of nothing."""
        if self._is_done_sending or self._sock.fileno() < 0:
            raise trio.ClosedResourceError("this stream was closed already")
        return 0

    async def wait_send_all_might_not_block(self) -> None:
        with self._sender:
            await trio.lowlevel.checkpoint_if_cancelled()
            if self._sock.fileno() < 0:
                raise trio.ClosedResourceError("this stream was closed already")
            await trio.lowlevel.wait_writable(self._sock)

    async def send_eof(self) -> None:
        self._sender.check()
        await trio.lowlevel.checkpoint()
        if not self._is_done_sending:
            self._is_done_sending = True
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                _raise_trio(error)

    def abort(self) -> None:
        if self._sock.fileno() >= 0:
            with suppress(OSError):  # there may be no connection any more that could be reset
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._close()

    async def aclose(self) -> None:
        if self._sock.fileno() >= 0:
            self._close()
        await trio.lowlevel.checkpoint()

    def _close(self) -> None:
        self._is_drained = False
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()

    def is_quiet(self) -> bool:
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def wait_reset(self, *, or_fin: bool = False) -> None:
        if not IS_LINUX:
            await trio.sleep_forever()
        # With bytes or a FIN waiting a socket is readable for good. An epoll that asks for no reads tells of the rest.
        try:
            events = select.epoll()
        except OSError:  # out of descriptors: then a write will tell
            await trio.sleep_forever()
        with events:
            events.register(self._sock, select.EPOLLRDHUP if or_fin else 0)
            await trio.lowlevel.wait_readable(events)

    def unsent_bytes(self) -> int | None:
        if not IS_LINUX:
            return None
        try:
            answer = fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        except (OSError, ValueError):
            return None
        return int(struct.unpack("i", answer)[0])


def stamp_arrivals(sock: socket.socket) -> bool:
    """Ask the kernel for receive stamps on this socket, and on those that it accepts; return whether it will."""
    if not IS_LINUX:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, STAMP_FLAGS)
    except OSError:
        return False
    return True


def _has_stamps(sock: socket.socket) -> bool:
    try:
        return IS_LINUX and sock.getsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING) != 0
    except OSError:
        return False


def _kernel_time(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int | None]:
    """Return the time of now, and the kernel's stamp on the same scale."""
    for _ in range(3):
        before_ns = time.monotonic_ns()
        real_ns = time.time_ns()
        read_ns = time.monotonic_ns()
        if read_ns - before_ns < CLOCK_PAIR_NS:
            break
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING and len(data) >= TIMESPEC.size:
            seconds, nanoseconds = TIMESPEC.unpack_from(data)
            age_ns = real_ns - (seconds * 1_000_000_000 + nanoseconds)
            # No stamp at all is a zero; an age below zero means that somebody set the clock.
            return read_ns, read_ns - age_ns if seconds and age_ns >= 0 else None
    return read_ns, None


def _raise_trio(error: OSError) -> Never:
    if error.errno in CLOSED:
        raise trio.ClosedResourceError("this stream was closed already") from None
    raise trio.BrokenResourceError(f"the connection broke: {error}") from error


def _peer_of(sock: socket.socket) -> str:
    try:
        name = sock.getpeername()
    except OSError:
        return ""
    return peer_text(name)


def peer_text(name: object) -> str:
    """Return an address as people write it: `127.0.0.1:4711`, `[::1]:4711`, or a path."""
    if isinstance(name, tuple):
        host, port = name[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(name) or "unix"
