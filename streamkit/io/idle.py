"""Notice that nothing comes, and say so: as an error, or as an item that keeps the connection alive."""

from __future__ import annotations

from typing import TypeVar, overload

import trio

from streamkit.errors import ConfigError, IdleTimeout
from streamkit.io.items import Items
from streamkit.io.run import as_items
from streamkit.io.source import ByteSource

__all__ = ["idle"]

T = TypeVar("T")
K = TypeVar("K")


class Watched(Items[T | K]):
    """The items of another stream, with something in the silences."""

    def __init__(self, upstream: Items[T], max_idle_s: float, keepalive: K | None) -> None:
        super().__init__()
        self._upstream = upstream
        self._max_idle_s = max_idle_s
        self._keepalive = keepalive

    async def _receive(self) -> list[T | K]:
        # The scope is inside one call: nothing is yielded from it. What it cancels is a receive, which loses nothing.
        with trio.move_on_after(self._max_idle_s):
            return [*await self._upstream.receive_batch()]
        if self._keepalive is None:
            raise IdleTimeout(self._max_idle_s)
        return [self._keepalive]

    async def aclose(self) -> None:
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
    `IdleTimeout` the source is still open and asking again waits again. An async generator as the source does not
    survive it.

    Raises:
        ConfigError: `max_idle_s` is not above zero.
    """
    if not max_idle_s > 0:
        msg = f"max_idle_s is {max_idle_s}, but a silence has a length"
        raise ConfigError(msg)
    return Watched(as_items(source), max_idle_s, keepalive)
