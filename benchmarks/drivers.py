"""How each kind of path is driven: one function for each driver of the library, and one for a process.

All are async functions from a `Lockstep` source to `Arrivals`. paths.py says which stage, command and wire each gets.
"""

from __future__ import annotations

import array
import fcntl
import subprocess
import termios
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import trio

from benchmarks.lockstep import Arrivals, Lockstep
from streamkit import End, Failed, Item, Items, NDJSONDecoder, Stage, idle, pace, pull, pump, push, tee
from streamkit.io.tee import Tee

__all__ = ["by_hand", "by_idle", "by_loop", "by_pace", "by_process", "by_pull", "by_pump", "by_push", "by_tee"]


class ArrivalSink(trio.abc.SendStream):
    """The end of a byte path."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self._arrivals.add(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def raw_records() -> Stage[bytes, bytes]:
    """The decoder of the item paths: its items are bytes, so that what arrives can be compared."""
    return NDJSONDecoder(raw=True)


async def by_loop(source: Lockstep, arrivals: Arrivals) -> None:
    """No stage at all."""
    async for piece in source:
        arrivals.add(piece)


async def by_hand(make: Callable[[], Stage[bytes, Any]], source: Lockstep, arrivals: Arrivals) -> None:
    """A loop over `feed`, with no driver."""
    stage = make()
    async for piece in source:
        for item in stage.feed(bytes(piece)):
            arrivals.add(item)
    for item in stage.finish():
        arrivals.add(item)


async def by_pump(make: Callable[[], Stage[bytes, Any]], source: Lockstep, arrivals: Arrivals) -> None:
    """`pump` into a sink."""
    await pump(source, make(), ArrivalSink(arrivals))


async def by_pull(source: Lockstep, arrivals: Arrivals) -> None:
    """`pull`, item by item."""
    async with pull(source, raw_records()) as items:
        async for item in items:
            arrivals.add(item)


async def by_push(source: Lockstep, arrivals: Arrivals) -> None:
    """`push` into a channel without a buffer."""
    send, receive = trio.open_memory_channel[Item[bytes] | End | Failed](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(push, source, raw_records(), send)
        async with receive:
            async for message in receive:
                if isinstance(message, Failed):
                    raise message.error
                if isinstance(message, Item):
                    arrivals.add(message.value)


async def by_tee(source: Lockstep, arrivals: Arrivals) -> None:
    """`tee` into two branches, each read by its own task."""

    async def read(branch: Items[bytes], number: int) -> None:
        async for item in branch:
            arrivals.add(item, number)

    shared: Tee[bytes] = tee(pull(source, raw_records()), 2)
    async with shared as branches, trio.open_nursery() as nursery:
        for number, branch in enumerate(branches):
            nursery.start_soon(read, branch, number)


async def by_pace(source: Lockstep, arrivals: Arrivals) -> None:
    """`pace` with deadlines that have all passed: nothing may wait."""
    paced: Items[bytes] = pace(pull(source, raw_records()), repeat(0.0))
    async with paced as items:
        async for item in items:
            arrivals.add(item)


async def by_idle(source: Lockstep, arrivals: Arrivals) -> None:
    """`idle` with a limit that is never reached."""
    async with idle(pull(source, raw_records()), 3600) as items:
        async for item in items:
            arrivals.add(item)


async def by_process(line: Callable[[], Sequence[str]], source: Lockstep, arrivals: Arrivals) -> None:
    """Pieces into a process's stdin, arrivals from its stdout."""
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, list(line()), stdin=subprocess.PIPE, stdout=subprocess.PIPE, check=True)
        process: trio.Process = await nursery.start(start)
        assert isinstance(process.stdin, trio.lowlevel.FdStream)
        assert process.stdout is not None
        nursery.start_soon(_arrive, process.stdout, arrivals)
        async with process.stdin as stdin:
            async for piece in source:
                await stdin.send_all(piece)
                # The next piece must be a read of its own, also when this one completes nothing.
                while _unread(process.stdin.fileno()):  # noqa: ASYNC110 - the system has no event for it
                    await trio.sleep(0.0005)


async def _arrive(stream: trio.abc.ReceiveStream, arrivals: Arrivals) -> None:
    async for data in stream:
        arrivals.add(data)


def _unread(pipe: int) -> int:
    """How many bytes in the pipe nobody has read yet."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]
