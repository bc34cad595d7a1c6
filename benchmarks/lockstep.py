"""The lockstep: a source that gives piece N+1 only when everything that piece N completes has arrived downstream.

A path under test is an async function that takes its input from a `Lockstep` (a trio `ReceiveStream`) and reports what
arrives downstream to `Arrivals`. How it moves the bytes in between (a stage, a task, a process, a server) is its
affair. When it asks for the next piece, the source first waits for what must have arrived by then. A path that holds
something back therefore waits for itself, and is found out by that and not by a delay that somebody tuned: the bound (5
s) only decides when the waiting is given up. After the first held piece the bound is a tenth of it, and after fifty of
them the path is stopped: by then the bytes that it ever held say how large its buffer is, or that it has no end.

The lag of a piece is the time from handing it to the path to the arrival of the last byte that it completes.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from benchmarks.wires import Wire

__all__ = ["Arrivals", "Lockstep", "Outcome", "PathRun", "run_in_lockstep"]

PATIENCE = 4
"""How many bounds a path may take between two questions for more, before it counts as stuck."""
ENOUGH_HELD = 50
"""How many held pieces tell enough."""


class Arrivals:
    """What has arrived downstream, on each branch of a path, and when."""

    def __init__(self, branches: int = 1) -> None:
        self.branches = [bytearray() for _ in range(branches)]
        self.pieces = 0
        self._wanted = 0
        self._reached_ns = 0
        self._reached = trio.Event()

    def add(self, data: bytes | bytearray, branch: int = 0) -> None:
        """Something arrived. Called by the path under test, once for each read, item or write that it sees."""
        self.branches[branch] += data
        self.pieces += 1
        self._look()

    def want(self, size: int) -> None:
        """From now on wait for `size` bytes on every branch."""
        self._wanted = size
        self._reached = trio.Event()
        self._look()

    async def reached_ns(self) -> int:
        """When the last of the wanted bytes arrived; waits until they have."""
        await self._reached.wait()
        return self._reached_ns

    @property
    def missing(self) -> int:
        """How many of the wanted bytes have not arrived, over all branches."""
        return sum(max(0, self._wanted - len(branch)) for branch in self.branches)

    def _look(self) -> None:
        if not self._reached.is_set() and not self.missing:
            self._reached_ns = time.perf_counter_ns()
            self._reached.set()


@dataclass
class Outcome:
    """What came of one path.

    Attributes:
        pieces_in: pieces given to the path.
        pieces_out: pieces that arrived, counted over all branches.
        held_pieces: pieces after which something determined had not arrived in time.
        held_bytes: the most bytes that were held back at once.
        lags_ms: the lag of every piece that completed something.
        fault: why the output is wrong, if it is.
    """

    pieces_in: int = 0
    pieces_out: int = 0
    held_pieces: int = 0
    held_bytes: int = 0
    lags_ms: list[float] = field(default_factory=list)
    fault: str = ""

    @property
    def verdict(self) -> str:
        """`held` if anything was, else `wrong` or `ok`."""
        return "held" if self.held_pieces else "wrong" if self.fault else "ok"


class Lockstep(trio.abc.ReceiveStream):
    """The source of a path under test. Its `receive_some` gives one piece, whatever `max_bytes` is."""

    def __init__(
        self, wire: Wire, pieces: Sequence[bytes], arrivals: Arrivals, bound_s: float, scope: trio.CancelScope
    ) -> None:
        self.outcome = Outcome()
        self._wire = wire
        self._pieces = pieces
        self._arrivals = arrivals
        self._bound_s = bound_s
        self._scope = scope
        self._given = 0
        self._given_ns = 0
        self._completes = False

    @property
    def size(self) -> int:
        """How many bytes all pieces have together."""
        return len(self._wire.input)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 - a piece is given whole
        """Wait for what the pieces so far complete; then give the next one, or the end."""
        await trio.lowlevel.checkpoint()
        # A path that never asks again would never end.
        self._scope.deadline = trio.current_time() + PATIENCE * self._bound_s
        if self.outcome.pieces_in:
            await self._settle()
        if self.outcome.pieces_in == len(self._pieces):
            return b""
        piece = self._pieces[self.outcome.pieces_in]
        self.outcome.pieces_in += 1
        due_before = self._wire.due(self._given)
        self._given += len(piece)
        due = self._wire.due(self._given)
        self._completes = due > due_before
        self._arrivals.want(due)
        self._given_ns = time.perf_counter_ns()
        return piece

    async def aclose(self) -> None:
        """Nothing to close."""
        await trio.lowlevel.checkpoint()

    async def _settle(self) -> None:
        """Wait until everything determined has arrived, or the bound is reached."""
        outcome = self.outcome
        with trio.move_on_after(self._bound_s / 10 if outcome.held_pieces else self._bound_s):
            reached_ns = await self._arrivals.reached_ns()
            if self._completes:
                self._completes = False
                outcome.lags_ms.append((reached_ns - self._given_ns) / 1e6)
            return
        outcome.held_pieces += 1
        outcome.held_bytes = max(outcome.held_bytes, self._arrivals.missing)
        if outcome.held_pieces == ENOUGH_HELD:
            self._scope.cancel()


PathRun = Callable[[Lockstep, Arrivals], Awaitable[None]]


async def run_in_lockstep(run: PathRun, wire: Wire, *, branches: int, seed: int, bound_s: float) -> Outcome:
    """Drive one path over the whole wire and compare what arrived, byte by byte, with what must arrive."""
    arrivals = Arrivals(branches)
    pieces = wire.pieces(seed)
    failure = ""
    with trio.CancelScope() as scope:
        source = Lockstep(wire, pieces, arrivals, bound_s, scope)
        try:
            await run(source, arrivals)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this path's fault and goes into its row
            failure = f"{type(error).__name__}: {error}"
    outcome = source.outcome
    outcome.pieces_out = arrivals.pieces
    if failure:
        outcome.fault = failure
    elif scope.cancelled_caught and outcome.held_pieces < ENOUGH_HELD:
        outcome.fault = f"asked for nothing after {outcome.pieces_in} of {len(pieces)} pieces"
    elif outcome.pieces_in < len(pieces):
        outcome.fault = f"stopped after {outcome.pieces_in} of {len(pieces)} pieces"
    else:
        outcome.fault = _difference(arrivals.branches, wire.output)
    return outcome


def _difference(branches: Sequence[bytearray], expected: bytes) -> str:
    for number, branch in enumerate(branches):
        if branch != expected:
            place = next((at for at, (a, b) in enumerate(zip(branch, expected, strict=False)) if a != b), len(branch))
            return f"branch {number}: {len(branch)} bytes for {len(expected)}, right up to byte {place}"
    return ""
