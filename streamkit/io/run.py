"""The drivers: one task that reads, runs a stage, and hands on what comes out; they differ in where to.

- `pull`: to whoever asks. Leaving the block closes the source.
- `pump`: to a sink, everything that one read completed in one write. Nothing waits for a second read, and 500 small
  records do not cost 500 system calls.
- `push`: to a memory channel, from a task of its own, with the end of the stream as a message.

When the stream is wrong, what was complete before that place goes out first, then the error is raised (`push` sends
it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast, overload

import trio

from streamkit.codecs.stage import Stage
from streamkit.errors import DecodeError, EncodeError
from streamkit.io.items import End, Failed, Item, Items
from streamkit.io.source import ByteSource, as_source

__all__ = ["as_items", "pull", "pump", "push"]

In = TypeVar("In")
T = TypeVar("T")


class Reads(Items[bytes]):
    """The reads of a byte stream, each a batch of one."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        super().__init__()
        self._stream = stream

    async def _receive(self) -> list[bytes]:
        data = await self._stream.receive_some()
        if not data:
            raise trio.EndOfChannel
        return [bytes(data)]

    async def aclose(self) -> None:
        await self._stream.aclose()


class Staged(Items[T]):
    """What a stage makes of a stream."""

    def __init__(self, upstream: Items[In], stage: Stage[In, T]) -> None:
        super().__init__()
        self._upstream = upstream
        self._stage = stage
        self._outcome: Exception | None = None

    async def _receive(self) -> list[T]:
        while self._outcome is None:
            batch: Sequence[Any] | None = None
            try:
                batch = await self._upstream.receive_batch()
            except trio.EndOfChannel as end:
                self._outcome = end
            try:
                items: list[T] = self._stage.finish() if batch is None else self._stage.feed_many(batch)
            except (DecodeError, EncodeError) as error:
                self._outcome = error
                items = cast("list[T]", [*error.items])
            if items:
                return items
        raise self._outcome

    async def aclose(self) -> None:
        await self._upstream.aclose()


def as_items(source: ByteSource | Items[T]) -> Items[T]:
    """Return a stream of items as it is, and any byte source as the stream of its reads (then T is bytes)."""
    return source if isinstance(source, Items) else cast("Items[T]", Reads(as_source(source)))


@overload
def pull(source: ByteSource, stage: None = None) -> Items[bytes]: ...
@overload
def pull(source: ByteSource, stage: Stage[bytes, T]) -> Items[T]: ...
@overload
def pull(source: Items[T], stage: None = None) -> Items[T]: ...
@overload
def pull(source: Items[In], stage: Stage[In, T]) -> Items[T]: ...


def pull(source: ByteSource | Items[Any], stage: Stage[Any, Any] | None = None) -> Items[Any]:
    """Return what `stage` makes of `source`, to be asked for.

    ::

        async with pull(response, NDJSONDecoder()) as records:
            async for record in records:
                ...

    Args:
        source: anything that `as_source` takes, or the items of another `pull`, `pace`, `idle` or `tee`.
        stage: from the source's items to others; without it the items are the reads.

    The source is closed when the block is left, however that is.
    """
    items: Items[Any] = as_items(source)
    return items if stage is None else Staged(items, stage)


async def pump(
    source: ByteSource | Items[In], stage: Stage[In, bytes] | None, sink: trio.abc.SendStream, *, join: bool = True
) -> None:
    """Run `source` through `stage` into `sink` until the end.

    Args:
        source: as for `pull`. It is closed at the end, or when this fails or is cancelled.
        stage: its output is bytes. None forwards the source's bytes as they come.
        sink: it stays open: only the caller knows whether more is to follow.
        join: write what one read completed in one piece. Otherwise each piece that the stage puts out is a write: each
            of a rechunker's pieces, but all frames of a read where an encoder has made them one piece.

    Raises:
        DecodeError, EncodeError: the stream is wrong; everything complete before that place has been written, and
            nothing that would end it.
        trio.BrokenResourceError: the sink's other end has closed.
    """
    # Without a stage the source's items are bytes; that In is bytes then is what the signature cannot say.
    pieces: Items[bytes] = cast("Items[bytes]", as_items(source)) if stage is None else Staged(as_items(source), stage)
    async with pieces:
        while True:
            try:
                batch = await pieces.receive_batch()
            except trio.EndOfChannel:
                return
            for piece in [b"".join(batch)] if join else batch:
                await sink.send_all(piece)


async def push(
    source: ByteSource | Items[In],
    stage: Stage[In, T] | None,
    send_channel: trio.MemorySendChannel[Item[T] | End | Failed],
) -> None:
    """Send what `stage` makes of `source` into a channel: `Item(value)` for each item, then `End()` or `Failed(error)`.

    Without a stage the items are the source's own, as for `pull`.

    Meant for a nursery: `nursery.start_soon(push, source, stage, send_channel)`. Cancelling it closes the source and
    the channel, and sends no `End`: a receiver sees the channel end without one. A receiver that closes its end stops
    the task and closes the source when the next item comes; to stop a source that is silent, cancel the task. An
    exception of the source or the stage is sent, not raised, so that one broken stream does not take its nursery down.

    Raises:
        ConfigError: the source is none.
    """
    # Without a stage T is In, which is what the signature cannot say.
    made: Items[T] = cast("Items[T]", as_items(source)) if stage is None else Staged(as_items(source), stage)
    async with send_channel, made as items:
        message: Item[T] | End | Failed
        while True:
            try:
                message = Item(await anext(items))
            except StopAsyncIteration:
                message = End()
            except Exception as error:  # noqa: BLE001 - whatever it is, the receiver is told
                message = Failed(error)
            try:
                await send_channel.send(message)
            except trio.BrokenResourceError:
                return
            if not isinstance(message, Item):
                return
