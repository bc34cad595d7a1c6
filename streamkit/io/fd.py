"""File descriptors as trio streams, without changing a mode that other processes share.

`trio.lowlevel.FdStream` puts the open file description in non-blocking mode, and a description is shared: with the
shell, with the other end of a pipeline, with stdin when stdout is the same terminal. They then fail with EAGAIN. So:

- reads wait until the descriptor is readable and then read once, which does not block, in whatever mode it is (unless
  another process reads from the same description, and takes what was there);
- writes go through a description of our own, opened from /proc, in non-blocking mode; where that cannot be had, through
  a thread, which costs about 0.1 ms a write.

Regular files are always ready. They are read in a thread, a mebibyte ahead, because a disk may be slow, and written
directly, because that is a copy into the page cache and a thread would cost twenty times as much.
"""

from __future__ import annotations

import os
import socket
import stat
from typing import Final

import trio

__all__ = ["READ_BYTES", "FdSink", "FdSource"]

READ_BYTES: Final = 64 * 1024
"""The most that one read returns: what a Linux pipe holds. Decoding a file in larger reads took no less CPU."""

READ_AHEAD_BYTES: Final = 1024 * 1024


class FdSource(trio.abc.ReceiveStream):
    """A file descriptor to read from: a pipe, terminal, socket, device or regular file."""

    def __init__(self, fd: int, *, close: bool) -> None:
        """Read from `fd`; `close` says whether it is ours to close."""
        self._fd = fd
        self._close = close
        self._closed = False
        self._is_file: bool | None = None
        self._ahead = b""
        self._ahead_at = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what is there, or wait for some; b"" at the end.

        Raises:
            OSError: reading failed, or the descriptor is closed or a directory.
            trio.ClosedResourceError: this source was closed.
        """
        size = min(max_bytes or READ_BYTES, READ_BYTES)
        self._check_open()
        if self._is_file is None:
            self._is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)
        if not self._is_file:
            try:
                return await self._read_when_ready(size)
            except PermissionError:  # epoll refuses what is always ready: /dev/null, /dev/zero
                self._is_file = True
        if self._ahead_at < len(self._ahead):
            await trio.lowlevel.checkpoint()
        else:
            self._ahead = await trio.to_thread.run_sync(os.read, self._fd, READ_AHEAD_BYTES)
            self._ahead_at = 0
        start = self._ahead_at
        self._ahead_at += size
        return self._ahead[start : start + size]

    async def _read_when_ready(self, size: int) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            self._check_open()
            try:
                return os.read(self._fd, size)
            except BlockingIOError:  # another reader of the same description was faster
                continue

    async def aclose(self) -> None:
        """Close the descriptor if it is ours, and refuse further reads."""
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._fd)
            if self._close:
                os.close(self._fd)
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._closed:
            msg = "this source was closed"
            raise trio.ClosedResourceError(msg)


class FdSink(trio.abc.SendStream):
    """A file descriptor to write to. It stays open when the sink is closed, unless it is ours."""

    def __init__(self, fd: int, *, close: bool) -> None:
        """Write to `fd`; `close` says whether it is ours to close.

        Raises:
            OSError: the descriptor is closed.
        """
        mode = os.fstat(fd).st_mode
        self._fd = fd
        self._close = close
        self._closed = False
        self._writing = False
        self._ready_always = stat.S_ISREG(mode)
        self._socket = socket.socket(fileno=os.dup(fd)) if stat.S_ISSOCK(mode) else None
        self._own_fd = _reopened(fd) if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) else None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`. If that is cancelled or fails, a part may have been written.

        Raises:
            trio.BrokenResourceError: the other end has closed; its cause is the BrokenPipeError.
            OSError: writing failed, for instance for want of space.
            trio.BusyResourceError: another task is writing.
            trio.ClosedResourceError: this sink was closed.
        """
        if self._writing:
            msg = "another task is writing to this sink"
            raise trio.BusyResourceError(msg)
        self._writing = True
        try:
            rest = memoryview(data)
            while rest:
                self._check_open()
                try:
                    rest = rest[await self._write(rest) :]
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._socket or self._own_fd or self._fd)
                except (BrokenPipeError, ConnectionResetError) as error:
                    msg = "the reader of this output has closed it"
                    raise trio.BrokenResourceError(msg) from error
            await trio.lowlevel.checkpoint()
        finally:
            self._writing = False

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: `send_all` finds out by trying."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Refuse further writes, and close what is ours."""
        if not self._closed:
            self._closed = True
            if self._socket is not None:
                trio.lowlevel.notify_closing(self._socket)
                self._socket.close()
            for fd, is_ours in ((self._own_fd, True), (self._fd, self._close)):
                if fd is not None and is_ours:
                    trio.lowlevel.notify_closing(fd)
                    os.close(fd)
        await trio.lowlevel.checkpoint()

    async def _write(self, data: memoryview) -> int:
        """Write some of `data`; raise BlockingIOError where that would block."""
        if self._socket is not None:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        if self._own_fd is not None:
            return os.write(self._own_fd, data)
        if self._ready_always:
            return os.write(self._fd, data)
        # A blocked thread cannot be cancelled, only left behind; it ends when the reader reads or goes.
        return await trio.to_thread.run_sync(os.write, self._fd, data[:READ_BYTES], abandon_on_cancel=True)

    def _check_open(self) -> None:
        if self._closed:
            msg = "this sink was closed"
            raise trio.ClosedResourceError(msg)


def _reopened(fd: int) -> int | None:
    """Open what `fd` is once more, for writing, non-blocking; None where the system has no such way or refuses it."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
