"""Where bytes come from: everything that can be one becomes a trio `ReceiveStream`.

That interface is trio's own, so a socket, a TLS stream or a process's output is a source as it is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import trio

from streamkit.errors import ConfigError
from streamkit.io.fd import FdSource

__all__ = ["ByteResponse", "ByteSource", "as_source", "stdin_source"]

STDIN_FD = 0
CLOSE_S = 5.0
"""How long a closed response may take to unwind; it does no I/O by then, so this is never waited for."""

MAX_PIECES = 65536
"""How many pieces httpx can have read ahead: a byte each, of a read of its own."""


@runtime_checkable
class ByteResponse(Protocol):
    """What streamkit uses of an `httpx.Response` (httpx2's fits too), so that httpx need not be imported."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body, content decoding undone."""
        ...

    async def aclose(self) -> None:
        """Close the response and its connection."""
        ...


ByteSource = trio.abc.ReceiveStream | str | os.PathLike[str] | ByteResponse | AsyncIterable[bytes]
"""What `as_source` takes."""


def as_source(source: ByteSource) -> trio.abc.ReceiveStream:
    """Return `source` as a stream.

    A source is a path (opened at the first read), a `ReceiveStream` (itself), an `httpx.Response` that was opened with
    `stream=True`, or any async iterable of bytes.

    Closing the stream closes what it reads from. Cancelling a read loses nothing, except for an async generator and an
    `httpx.Response`, whose body is one: there it ends the stream, and later reads raise `BrokenResourceError`. (`idle`
    does not cancel reads, and is safe for these too.)

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(source, trio.abc.ReceiveStream):
        return source
    if isinstance(source, (str, os.PathLike)):
        return PathSource(Path(source))
    if isinstance(source, ByteResponse):
        return ResponseSource(source)
    if isinstance(source, AsyncIterable):
        return IterableSource(source)
    msg = f"a source is a path, a trio ReceiveStream, an httpx.Response or an async iterable of bytes, not {source!r}"
    raise ConfigError(msg)


def stdin_source() -> trio.abc.ReceiveStream:
    """Return standard input as a source. It is left open, and in the mode it is in."""
    return FdSource(STDIN_FD, close=False)


class PathSource(trio.abc.ReceiveStream):
    """A file, named pipe or device, opened at the first read, so that one that is never read is never left open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: FdSource | None = None
        self._closed = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what is there, or wait for some; b"" at the end.

        Raises:
            OSError: there is no such file, it is a directory, or it may not be read.
        """
        if self._closed:
            msg = "this source was closed"
            raise trio.ClosedResourceError(msg)
        if self._opened is None:
            # Non-blocking, because opening a named pipe would otherwise block the whole loop until it has a writer.
            fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            self._opened = FdSource(fd, close=True)
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                raise IsADirectoryError(21, os.strerror(21), str(self._path))
        return await self._opened.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close the file."""
        self._closed = True
        if self._opened is None:
            await trio.lowlevel.checkpoint()
        else:
            await self._opened.aclose()


class IterableSource(trio.abc.ReceiveStream):
    """An async iterable of bytes. Empty pieces are passed over: in a stream they would mean the end.

    A cancellation that reaches an async generator ends it. What it had to give is lost then, and every later read says
    so with a `BrokenResourceError`: a stream that was cut must not look as if it had ended.
    """

    def __init__(self, iterable: AsyncIterable[bytes]) -> None:
        self._iterator = aiter(iterable)
        self._rest = b""
        self._ended = False
        self._closed = False
        self._broken: BaseException | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return the next piece, at most `max_bytes` of it; b"" at the end.

        Raises:
            trio.BrokenResourceError: an earlier read was cancelled, or failed.
            trio.ClosedResourceError: this source was closed.
        """
        if self._closed:
            msg = "this source was closed"
            raise trio.ClosedResourceError(msg)
        if self._broken is not None:
            msg = "an earlier read of this source was cancelled or failed, which ended it"
            raise trio.BrokenResourceError(msg) from self._broken
        await trio.lowlevel.checkpoint()  # the iterable may have none
        while not self._rest and not self._ended:
            try:
                self._rest = await anext(self._iterator)
            except StopAsyncIteration:
                self._ended = True
            except BaseException as error:
                self._broken = error
                raise
        size = len(self._rest) if max_bytes is None else max_bytes
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    async def aclose(self) -> None:
        """End the iteration; an async generator runs its `finally` blocks now, in this task."""
        self._closed = True
        self._rest = b""
        close = getattr(self._iterator, "aclose", None)
        if close is None:
            await trio.lowlevel.checkpoint()
        else:
            await close()


class ResponseSource(IterableSource):
    """The body of an `httpx.Response`, content decoding undone.

    httpx gives what one read of the network brought in one or several pieces, never more than one read in a piece.
    """

    def __init__(self, response: ByteResponse) -> None:
        super().__init__(response.aiter_bytes())
        self._response = response

    async def aclose(self) -> None:
        """Close the response and its connection, and unwind httpx's generators.

        httpx nests several; closing the outer one leaves the inner ones to the garbage collector, which trio reports as
        leaked. Once the response is closed the innermost gives what httpx had read already, then it raises when it is
        asked for more, and that unwinds them all.
        """
        try:
            await self._response.aclose()
        finally:
            if not (self._closed or self._ended or self._broken):
                with trio.move_on_after(CLOSE_S, shield=True):
                    await self._unwind()
            await super().aclose()

    async def _unwind(self) -> None:
        try:
            for _ in range(MAX_PIECES):
                await anext(self._iterator)
        except Exception:  # noqa: BLE001 - whatever it raises, it is out of its `async for`, which is the aim
            return
