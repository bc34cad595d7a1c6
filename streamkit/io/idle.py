"""Notice that nothing comes, and say so: as an error, or as an item that keeps the connection alive."""

from __future__ import annotations

from contextvars import copy_context
from typing import Generic, TypeVar, overload

import trio

from streamkit.errors import ConfigError, IdleTimeout
from streamkit.io.items import Items
from streamkit.io.run import as_items
from streamkit.io.source import ByteSource

__all__ = ["idle"]

T = TypeVar("T")
K = TypeVar("K")


class Receiving(Generic[T]):
    """One `receive_batch` that goes on while nobody waits for it."""

    def __init__(self, upstream: Items[T]) -> None:
        self._upstream = upstream
        self._batch: list[T] = []
        self._error: Exception | None = None
        self.scope = trio.CancelScope()
        self.done = trio.Event()

    async def run(self) -> None:
        """Receive; the task's whole life."""
        try:
            with self.scope:
                self._batch = await self._upstream.receive_batch()
        except Exception as error:  # noqa: BLE001 - whoever asks is told, whatever it is
            self._error = error
        finally:
            self.done.set()

    def result(self) -> list[T]:
        """Return the batch, or raise what came instead."""
        if self._error is not None:
            raise self._error
        return self._batch


class Watched(Items[T | K]):
    """The items of another stream, with something in the silences.

    The receive that a silence interrupts must not be cancelled: an async generator, and so an httpx response, would not
    survive that. It goes on in a task of its own, which `aclose` ends, and the next call waits for the same one.
    """

    def __init__(self, upstream: Items[T], max_idle_s: float, keepalive: K | None) -> None:
        super().__init__()
        self._upstream = upstream
        self._max_idle_s = max_idle_s
        self._keepalive = keepalive
        self._receiving: Receiving[T] | None = None

    async def _receive(self) -> list[T | K]:
        if self._receiving is None:
            self._receiving = Receiving(self._upstream)
            trio.lowlevel.spawn_system_task(self._receiving.run, context=copy_context())
        receiving = self._receiving
        with trio.move_on_after(self._max_idle_s):
            await receiving.done.wait()
        if receiving.done.is_set():
            self._receiving = None
            return [*receiving.result()]
        if self._keepalive is None:
            raise IdleTimeout(self._max_idle_s)
        return [self._keepalive]

    async def aclose(self) -> None:
        if self._receiving is not None:
            self._receiving.scope.cancel()
            with trio.CancelScope(shield=True):  # as long as a cancelled read takes to unwind
                await self._receiving.done.wait()
        await self._upstream.aclose()


@overload
def idle(source: ByteSource, max_idle_s: float) -> Items[bytes]: ...
@overload
def idle(source: Items[T], max_idle_s: float) -> Items[T]: ...
@overload
def idle(source: Items[T], max_idle_s: float, *, keepalive: K) -> Items[T | K]: ...


def idle(source: ByteSource | Items[T], max_idle_s: float, *, keepalive: K | None = None) -> Items[T | K]:
    """Return the items of `source`; whenever none has come for `max_idle_s` seconds, raise, or yield `keepalive`.

    The time runs while an item is being asked for: a slow consumer is not taken for a silent source. After an
    `IdleTimeout` the source is still open, whatever kind it is, and asking again waits again.

    Raises:
        ConfigError: `max_idle_s` is not above zero.
    """
    if not max_idle_s > 0:
        msg = f"max_idle_s is {max_idle_s:g}, but a silence has a length in seconds, above 0"
        raise ConfigError(msg)
    return Watched(as_items(source), max_idle_s, keepalive)
