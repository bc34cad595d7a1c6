"""What does chaining stages cost, when items come one at a time?

Five identity stages in a `Pipeline`, fed one item a call: a live stream's usual case and the worst one for overhead.
The peer is the shape that structured concurrency suggests, a task and a memory channel for each of five stages, on the
same items. The ratio is how much more the tasks cost. Rows without a target: batches of 10 and 100 through `feed_many`.

What the figures do not say: anything about stages that do work. This is the price of the chain alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial

import trio

from benchmarks.measure import Effort, Figure, Turn, alternate, ratio, turn
from benchmarks.report import Row, Target
from streamkit import Pipeline, Stage

NAME = "pipeline"
STAGES = 5
ITEMS = 20_000
TASK_ITEMS = 1_000
TARGET = Target("<=", 1.5, "us")


class Identity(Stage[bytes, bytes]):
    """What a user would write: nothing but `feed`."""

    name = "identity"

    def feed(self, item: bytes, /) -> list[bytes]:
        return [item]


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    items = [b"x"] * effort.of(ITEMS)
    task_items = items[: effort.of(TASK_ITEMS)]
    tasks = f"{STAGES} tasks and channels"
    turns: dict[str, Turn] = {
        "batches of one": turn(partial(one_by_one, items)),
        "batches of 10": turn(partial(in_batches, items, 10)),
        "batches of 100": turn(partial(in_batches, items, 100)),
        tasks: partial(_in_tasks_ns, task_items, len(items)),
    }
    taken = alternate(turns, effort.rounds)
    costs = {name: Figure.of([ns / len(items) / 1000 for ns in times], "us") for name, times in taken.items()}
    return [
        Row(
            NAME,
            f"{STAGES} stages, {what}",
            costs[what],
            costs[tasks],
            tasks,
            ratio(taken[tasks], taken[what]),
            TARGET if what == "batches of one" else None,
        )
        for what in turns
        if what != tasks
    ]


def five() -> Pipeline[bytes, bytes]:
    """The chain."""
    return Identity() | Identity() | Identity() | Identity() | Identity()


def one_by_one(items: Sequence[bytes]) -> int:
    """Feed item by item; return how many came out."""
    chain = five()
    return sum(len(chain.feed(item)) for item in items)


def in_batches(items: Sequence[bytes], size: int) -> int:
    """Feed batches; return how many came out."""
    chain = five()
    return sum(len(chain.feed_many(items[start : start + size])) for start in range(0, len(items), size))


async def in_tasks(items: Sequence[bytes]) -> int:
    """Pass the items through a task and a channel for each stage; return how many came out."""

    async def forward(source: trio.MemoryReceiveChannel[bytes], sink: trio.MemorySendChannel[bytes]) -> None:
        async with source, sink:
            async for item in source:
                await sink.send(item)

    async def send_all(sink: trio.MemorySendChannel[bytes]) -> None:
        async with sink:
            for item in items:
                await sink.send(item)

    count = 0
    async with trio.open_nursery() as nursery:
        first, source = trio.open_memory_channel[bytes](0)
        nursery.start_soon(send_all, first)
        for _ in range(STAGES):
            sink, following = trio.open_memory_channel[bytes](0)
            nursery.start_soon(forward, source, sink)
            source = following
        async with source:
            async for _ in source:
                count += 1
    return count


def _in_tasks_ns(items: Sequence[bytes], as_many_as: int) -> int:
    """Time `in_tasks` inside the run (starting trio is not the question), scaled to `as_many_as` items."""

    async def timed() -> int:
        start = time.process_time_ns()
        count = await in_tasks(items)
        spent = time.process_time_ns() - start
        assert count == len(items)
        return spent

    return math.ceil(trio.run(timed) * as_many_as / len(items))
