"""`Items`: what a stream is once its bytes are items. Everything in `streamkit.io` takes it and gives it.

A stream hands its items out one by one (`async for`) or a read at a time (`receive_batch`): all that one read
completed. The second is what lets a driver forward a read in one write.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

import trio

__all__ = ["End", "Failed", "Item", "Items"]

T = TypeVar("T", covariant=True)


class Items(ABC, Generic[T]):
    """A stream of items, to be used as an async context manager: leaving it closes the source, at once.

    Checkpoints: asking for an item that is already there is none; everything that reads is one. A cancelled call loses
    nothing: the next call goes on where it was (unless the source is an async generator, which a cancellation ends).

    One task at a time may receive.
    """

    def __init__(self) -> None:
        self._ready: deque[T] = deque()

    async def receive_batch(self) -> list[T]:
        """Return the items of one read, at least one.

        Raises:
            trio.EndOfChannel: the stream has ended, cleanly.
            DecodeError: the stream is wrong here. Everything complete before it has been returned by earlier calls.
        """
        if self._ready:
            batch = list(self._ready)
            self._ready.clear()
            return batch
        return await self._receive()

    @abstractmethod
    async def _receive(self) -> list[T]:
        """Read until at least one item is there. The contract is that of `receive_batch`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the source. Closing twice does nothing."""

    def __aiter__(self) -> Items[T]:
        return self

    async def __anext__(self) -> T:
        if not self._ready:
            try:
                batch = await self._receive()
            except trio.EndOfChannel:
                raise StopAsyncIteration from None
            self._ready.extend(batch)
        return self._ready.popleft()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """One item, as `push` sends it."""

    value: T


@dataclass(frozen=True, slots=True)
class End:
    """The stream ended cleanly. The last thing that `push` sends, or `Failed` is."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The stream failed. What came before it is good, and is not the whole."""

    error: Exception
