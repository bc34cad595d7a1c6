"""The paths of the forwarding question: one row a path, and a later part of streamkit adds its row here.

A row names the path, makes its wire (the oracle is the standard library's json and the framing rules written out below)
and runs it: an async function from a `Lockstep` source to `Arrivals`. The baselines do nothing; their lag is what
the measuring itself costs.
"""

from __future__ import annotations

import array
import fcntl
import json
import shlex
import subprocess
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

import trio

from benchmarks.commands import command
from benchmarks.lockstep import Arrivals, Lockstep, PathRun, Wire
from benchmarks.workloads import ollama_chat_lines, openai_chat_events
from streamkit import (
    End,
    Failed,
    Item,
    Items,
    NDJSONDecoder,
    NDJSONEncoder,
    SSEDecoder,
    SSEEncoder,
    Stage,
    Tee,
    idle,
    pace,
    pull,
    pump,
    push,
    tee,
)

__all__ = ["PATHS", "Path"]


@dataclass(frozen=True, slots=True)
class Path:
    """One row.

    Attributes:
        name: what the table calls it.
        kind: `library`, `filter`, or `baseline`.
        wire: makes the input with its oracle, from a number of records and a seed.
        run: drives the path.
        branches: how many outputs it has; each must get everything.
    """

    name: str
    kind: str
    wire: Callable[[int, int], Wire]
    run: PathRun
    branches: int = 1


# Wires.


def records(count: int, seed: int, *, line_end: bytes = b"\n") -> Wire:
    """NDJSON in, the bytes of each record out."""
    return Wire([(line[:-1] + line_end, line[:-1]) for line in ollama_chat_lines(count, seed)])


def frames(count: int, seed: int, *, line_end: bytes = b"\n") -> Wire:
    """NDJSON in, an SSE frame for each record out. A record is complete with its LF."""
    return Wire([(line[:-1] + line_end, b"data: " + line + b"\n") for line in ollama_chat_lines(count, seed)])


def lines_from_events(count: int, seed: int) -> Wire:
    """SSE in, a line for each event out. An event is complete with the LF of its blank line."""
    return Wire([(event, event[len(b"data: ") : -1]) for event in openai_chat_events(count, seed)])


def lines_from_crlf_events(count: int, seed: int) -> Wire:
    """The same with CRLF. The CR already ends the blank line; its LF belongs to what comes next."""
    plain = lines_from_events(count, seed)
    events = [event.replace(b"\n", b"\r\n") for event, _ in plain.units]
    units = [(b"\n" + event[:-1], line) for event, (_, line) in zip(events, plain.units, strict=True)]
    return Wire([(units[0][0][1:], units[0][1]), *units[1:], (b"\n", b"")])


def re_encoded(count: int, seed: int) -> Wire:
    """NDJSON in, each value encoded anew and framed."""
    units = []
    for line in ollama_chat_lines(count, seed):
        text = json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":"))
        units.append((line, f"data: {text}\n\n".encode()))
    return Wire(units)


def untouched(count: int, seed: int, *, size: int = 1) -> Wire:
    """Bytes in, the same bytes out; every `size` bytes are determined when they are there."""
    data = b"".join(openai_chat_events(count, seed))
    whole = len(data) // size * size
    units = [(data[start : start + size],) * 2 for start in range(0, whole, size)]
    return Wire([*units, (data[whole:], b"")], tail=data[whole:])


def whole_lines(count: int, seed: int) -> Wire:
    """Lines in, the same lines out."""
    return Wire([(line, line) for line in ollama_chat_lines(count, seed)])


def whole_events(count: int, seed: int) -> Wire:
    """SSE events in, the same events out."""
    return Wire([(event, event) for event in openai_chat_events(count, seed)])


# The library.


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


# The filters, as processes between pipes.


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


def there_and_back() -> list[str]:
    """Two filters in a shell pipe."""
    return ["sh", "-c", f"{shlex.join(command('ndjson-to-sse'))} | {shlex.join(command('sse-to-ndjson'))}"]


def library(name: str, wire: Callable[[int, int], Wire], run: PathRun, branches: int = 1) -> Path:
    """A row of the library."""
    return Path(name, "library", wire, run, branches)


def a_filter(name: str, wire: Callable[[int, int], Wire], *line: str) -> Path:
    """A row of one of our commands."""
    return Path(name, "filter", wire, partial(by_process, partial(command, *line)))


def to_frames() -> Stage[bytes, bytes]:
    """The pipeline of `ndjson-to-sse`."""
    return NDJSONDecoder(raw=True) | SSEEncoder()


def to_lines() -> Stage[bytes, bytes]:
    """The pipeline of `sse-to-ndjson`, near enough: the data of each event as a raw record."""
    return SSEDecoder(convert=lambda event: [event.data.encode()]) | NDJSONEncoder()


def five_stages() -> Stage[bytes, bytes]:
    """There, back, and there again, with a value decoded in between."""
    return NDJSONDecoder() | NDJSONEncoder() | NDJSONDecoder(raw=True) | NDJSONEncoder() | to_frames()


PATHS: list[Path] = [
    Path("nothing (a loop)", "baseline", untouched, by_loop),
    Path("nothing (cat)", "baseline", untouched, partial(by_process, lambda: ["cat"])),
    library("Pipeline, six stages", re_encoded, partial(by_hand, five_stages)),
    library("pump, NDJSON to SSE", frames, partial(by_pump, to_frames)),
    library("pump, SSE to NDJSON", lines_from_events, partial(by_pump, to_lines)),
    library("pull", records, by_pull),
    library("push", records, by_push),
    library("tee, two branches", records, by_tee, branches=2),
    library("pace", records, by_pace),
    library("idle", records, by_idle),
    a_filter("ndjson-to-sse", frames, "ndjson-to-sse"),
    a_filter("ndjson-to-sse, CRLF", partial(frames, line_end=b"\r\n"), "ndjson-to-sse"),
    a_filter("sse-to-ndjson", lines_from_events, "sse-to-ndjson"),
    a_filter("sse-to-ndjson, CRLF", lines_from_crlf_events, "sse-to-ndjson"),
    Path("ndjson-to-sse | sse-to-ndjson", "filter", whole_lines, partial(by_process, there_and_back)),
    a_filter("rechunk --every-byte", untouched, "streamkit", "rechunk", "--every-byte"),
    a_filter("rechunk --size 16", partial(untouched, size=16), "streamkit", "rechunk", "--size", "16"),
    a_filter("rechunk --lines", whole_lines, "streamkit", "rechunk", "--lines"),
    a_filter("rechunk --events", whole_events, "streamkit", "rechunk", "--events"),
]
