"""One stream, several readers, in lockstep: the next read is made when every reader has taken the last one.

So nothing is held but one read, and the slowest reader sets the pace: that is the price of losing nothing with bounded
memory. Readers that should not wait for each other need a queue with a policy for when it is full; that is the reader's
own.

There is no task in the background. Whichever reader asks first makes the read for all, so its errors come out of that
call, bare, and out of the others' next calls as well.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, TypeVar, overload

import trio

from streamkit.errors import ConfigError, IdleTimeout
from streamkit.io.items import Items
from streamkit.io.run import as_items
from streamkit.io.source import ByteSource

__all__ = ["Tee", "tee"]

T = TypeVar("T")


class Tee(Generic[T]):
    """The readers of one stream; an async context manager that gives them and closes the source."""

    def __init__(self, upstream: Items[T], readers: int) -> None:
        self._upstream = upstream
        self._readers = tuple(Reader(self) for _ in range(readers))
        self._open = set(self._readers)
        self._reading = False
        self._outcome: Exception | None = None
        self._changed = trio.Event()

    async def __aenter__(self) -> tuple[Items[T], ...]:
        return self._readers

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.clear()
        self._notify()
        await self._upstream.aclose()

    async def receive(self, reader: Reader[T]) -> list[T]:
        """Return the next read's items for `reader`, making the read if it is the first to ask for it."""
        while True:
            if reader not in self._open:
                msg = "this reader was closed"
                raise trio.ClosedResourceError(msg)
            if reader.batch is not None:
                await trio.lowlevel.checkpoint()
                batch, reader.batch = reader.batch, None
                self._notify()
                return batch
            if self._outcome is not None:
                raise self._outcome
            if self._reading or any(other.batch is not None for other in self._open):
                await self._changed.wait()
            else:
                await self._read()

    async def leave(self, reader: Reader[T]) -> None:
        """Go on without `reader`; the last to leave closes the source."""
        if reader in self._open:
            self._open.discard(reader)
            self._notify()
            if not self._open:
                await self._upstream.aclose()
                return
        await trio.lowlevel.checkpoint()

    async def _read(self) -> None:
        self._reading = True
        try:
            batch = await self._upstream.receive_batch()
        except IdleTimeout:
            raise  # the stream goes on, so only who asked is told
        except Exception as error:  # noqa: BLE001 - every reader is told, whatever it is
            self._outcome = error
        else:
            for reader in self._open:
                reader.batch = list(batch)
        finally:
            self._reading = False
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


class Reader(Items[T]):
    """One reader. Closing it lets the others go on without it."""

    def __init__(self, shared: Tee[T]) -> None:
        super().__init__()
        self._shared = shared
        self.batch: list[T] | None = None

    async def _receive(self) -> list[T]:
        return await self._shared.receive(self)

    async def aclose(self) -> None:
        await self._shared.leave(self)


@overload
def tee(source: Items[T], readers: int = ...) -> Tee[T]: ...
@overload
def tee(source: ByteSource, readers: int = ...) -> Tee[bytes]: ...


def tee(source: ByteSource | Items[Any], readers: int = 2) -> Tee[Any]:
    """Give each of several readers all items of `source`.

    ::

        async def show(events):
            async with events:  # a reader that leaves without this holds up the others for ever
                async for event in events:
                    ...

        async with tee(pull(response, SSEDecoder())) as (shown, stored):
            nursery.start_soon(show, shown)
            ...

    Leaving the block closes the source; so does the last reader's `aclose`.

    Raises:
        ConfigError: fewer than one reader.
    """
    if readers < 1:
        msg = f"a tee has at least one reader, not {readers}"
        raise ConfigError(msg)
    return Tee(as_items(source), readers)
