"""One of several processes of a run: `python -m streamkit.bench.worker`. Not for people: `--workers N` starts it.

It takes its order on stdin and tells what it finds on stdout (`streamkit.bench.messages`). The end of stdin is the end
of whoever wants the figures, and so of this process. It is told when to stop, and does not go by a terminal's signals.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import trio

from streamkit.bench.engine import Live, Stop, run_load
from streamkit.bench.lines import Lines
from streamkit.bench.messages import (
    Begin,
    Finished,
    Halt,
    Order,
    Ready,
    Sampled,
    Snapshot,
    ToWorker,
    line_of,
    to_worker,
)
from streamkit.bench.prepare import prepare
from streamkit.bench.record import RequestRecord
from streamkit.bench.sample import Sample
from streamkit.bench.serving import serve
from streamkit.bench.tally import Bound, Packed, Tally
from streamkit.http.background import background

__all__ = ["main", "work"]

TELL_S: Final = 0.5

MAX_WAITING_BYTES: Final = 64 * 2**20
"""How many bytes of records wait to be taken away."""

PER_MESSAGE: Final = 20
"""How many records of the sample go into a message."""


class _Share:
    """What this process has found and not told yet."""

    def __init__(self, order: Order) -> None:
        self.names = [server.name for server in order.plan.servers]
        self.slo: Iterable[Bound] = order.slo
        self.wants_records = order.wants_records
        self.samples = {name: Sample(seed=order.plan.seed) for name in self.names}
        self.live = Live()
        self._encoder = msgspec.json.Encoder()
        self._start_anew()

    def _start_anew(self) -> None:
        self.tallies = {name: Tally(self.slo) for name in self.names}
        self.records: list[msgspec.Raw] = []
        self.waiting_bytes = self.dropped = 0

    def add(self, record: RequestRecord) -> None:
        """Take a record."""
        self.tallies[record.target].add(record)
        self.samples[record.target].add(record)
        if self.wants_records:
            if self.waiting_bytes > MAX_WAITING_BYTES:
                self.dropped += 1
                return
            line = self._encoder.encode(record)
            self.waiting_bytes += len(line)
            self.records.append(msgspec.Raw(line))

    async def snapshot(self) -> Snapshot:
        """Return what was added since the last one."""
        tallies, records, dropped = self.tallies, self.records, self.dropped
        self._start_anew()
        packed = {name: await packed_of(tally) for name, tally in tallies.items() if tally.counts["requests"]}
        return Snapshot(self.live.began_ns, self.live.running, packed, records, dropped)


async def packed_of(tally: Tally) -> Packed:
    """Return what `Tally.packed` does, a metric at a time: requests that run are not kept waiting for all of them."""
    distributions: dict[str, dict[str, list[int]]] = {}
    for name, of in tally.distributions.items():
        full = {which: one.as_json() for which, one in of.items() if one.n}
        if full:
            distributions[name] = full
            await trio.lowlevel.checkpoint()
    return Packed(distributions, dict(tally.counts), dict(tally.outcomes), tally.details)


async def work(order: Order, commands: Lines, told: trio.abc.SendStream) -> None:
    """Do a share of a run.

    Args:
        order: what to do.
        commands: when to begin and when to stop; their end ends it all, untold.
        told: takes what is found.

    Raises:
        StreamkitError: the plan makes no sense.
    """
    prepare(order.plan)
    share = _Share(order)
    stop = Stop()
    await told.send_all(line_of(Ready()))
    while not isinstance(command := await _next(commands), Begin):
        if command is None:
            return
        stop.now()
    with trio.CancelScope() as everything:
        async with background() as beside:
            over, is_told = trio.Event(), trio.Event()
            beside.start_soon(_obey, commands, stop, everything)
            beside.start_soon(_tell, share, told, over, is_told)
            ran = await run_load(order.plan, share.add, stop=stop, live=share.live, begin_ns=command.at_ns)
            over.set()
            await is_told.wait()
            await told.send_all(line_of(Finished(ran)))


async def _next(commands: Lines) -> ToWorker | None:
    line = await commands.next()
    return None if line is None else to_worker.decode(line)


async def _obey(commands: Lines, stop: Stop, everything: trio.CancelScope) -> None:
    while (command := await _next(commands)) is not None:
        if isinstance(command, Halt):
            if command.now:
                stop.now()
            else:
                stop.soon()
    everything.cancel()


async def _tell(share: _Share, told: trio.abc.SendStream, over: trio.Event, is_told: trio.Event) -> None:
    """Tell what was found twice a second, and at the end the rest of it, and the sample."""
    while not over.is_set():
        with trio.move_on_after(TELL_S):
            await over.wait()
        await told.send_all(line_of(await share.snapshot()))
    for sample in share.samples.values():
        records = sample.records
        for first in range(0, len(records), PER_MESSAGE):
            await told.send_all(line_of(Sampled(records[first : first + PER_MESSAGE])))
    is_told.set()


async def _work(commands: Lines, told: trio.abc.SendStream) -> None:
    order = await _next(commands)
    if isinstance(order, Order):
        await work(order, commands, told)


def main() -> None:
    """Take the order, and do it."""
    serve(_work)


if __name__ == "__main__":
    main()
