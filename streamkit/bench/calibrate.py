"""Measure how far our own figures are off: the run's load on the embedded mock, whose journal says what is true.

It is done right before a run and right after it, with the same code, in as many processes: as many streams at once, as
many token events a second, the same dialects, TLS where the run has it. What it finds is of this machine, this minute.
What a network card adds before the kernel stamps, some tens of us where it collects interrupts, is not in it.
No header, no key of the user's is sent to the mock: its journal lies in a file, for as long as the calibration takes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import Final

import trio
from msgspec.structs import replace

from streamkit.bench.calibration import Calibration
from streamkit.bench.compared import Compared, spreads, tool_errors
from streamkit.bench.engine import Stop
from streamkit.bench.measure import Measured, OnProgress, measure
from streamkit.bench.mockprocess import MockProcess, open_mock_process, speaks
from streamkit.bench.plan import Plan, Server
from streamkit.bench.record import RequestRecord
from streamkit.bench.shape import Shape, fitted, seconds_for, shape_of
from streamkit.bench.statistics import CONFIDENCE
from streamkit.bench.truth import truth_of
from streamkit.errors import ConnectError

__all__ = ["Shape", "calibrate", "shape_of"]

SECONDS: Final = 5.0

MAX_REQUESTS: Final = 20_000
"""Then it ends sooner: each of them is kept until the journal has told of it."""

MAX_PROMPT_CHARS: Final = 16_384
"""Prompts are cut there: the mock's journal is written for each request, with its body, while others run."""

MERGING: Final = frozenset({"text"})
"""Dialects in which nothing tells where an event ends but the read."""

STAND_IN: Final = "openai-chat"
"""What is spoken where the mock does not speak the run's dialect."""

MODEL: Final = "mock"
"""What it is asked for where the run asks for none: some dialects cannot."""

MAX_UNRESOLVED: Final = 0.1
"""The share of gaps that may be unresolved without a word. The last gap of each answer always is, and does not count:
the mock's terminator comes right behind the last token."""

MAX_LOST: Final = 0.2
"""The share of requests that may have failed, or that the journal does not know. Where there are more, something was
wrong with the mock, and what the others say is of that."""

DRAIN_S: Final = 5.0
JOURNAL_S: Final = 3.0
"""How long the journal's last lines are waited for."""


async def calibrate(
    plan: Plan,
    shape: Shape,
    *,
    workers: int = 1,
    seconds: float = SECONDS,
    confidence: float = CONFIDENCE,
    stop: Stop | None = None,
    on_progress: OnProgress | None = None,
) -> Calibration:
    """Put the load of a plan on the mock, and compare what we measure with what its journal says.

    It takes `seconds`, or longer where else too few requests would end (`streamkit.bench.shape.seconds_for`), and then
    as long as an answer does; some seconds more where the machine is too busy.

    Args:
        plan: of the run. Each of its servers is the mock.
        shape: of the run's answers, as a warm-up saw them; they may be made shorter (`streamkit.bench.shape.fitted`).
        workers: how many processes the run has.
        seconds: how long requests may begin, see above.
        confidence: what a p99 of the error has to keep to be one.
        stop: ends it sooner; what there is by then counts.
        on_progress: see `measure`.

    Raises:
        ConfigError: the plan makes no sense.
        ConnectError: the mock does not start, or many of the requests fail, as where it ends by itself.
    """
    used, load, words = fitted(shape, plan.load, seconds)
    notes = [words] if words else []
    longest = max(map(len, plan.prompts), default=0)
    if longest > MAX_PROMPT_CHARS:
        notes.append(
            f"calibrated with the first {MAX_PROMPT_CHARS:,} characters of prompts of up to {longest:,}: what the"
            " system takes to send off the rest, behind our stamp, counts as the server's"
        )
    async with _mocks(plan.servers, used, plan.seed, notes) as (mocks, servers):
        calibrating = replace(
            plan,
            servers=servers,
            load=load,
            prompts=[prompt[:MAX_PROMPT_CHARS] for prompt in plan.prompts],
            requests=MAX_REQUESTS,
            duration_s=seconds_for(used, load, seconds),
            same_prompt=False,
            max_tokens=used.tokens,
            limits=replace(plan.limits, drain_s=DRAIN_S + 3 * used.length_ms / 1000),
        )
        records: dict[str, RequestRecord] = {}
        compared = Compared()

        def take(record: RequestRecord) -> None:
            if record.is_ok:
                records[record.request_id] = record
            elif record.outcome != "unfinished":
                compared.add(record, None)

        measured = await measure(calibrating, workers=workers, stop=stop, on_progress=on_progress, on_record=take)
        merging = {server.name for server in servers if server.dialect in MERGING}
        await _compare(compared, records, mocks, merging)
    return _calibration(compared, measured, used, confidence, notes)


@asynccontextmanager
async def _mocks(
    servers: Sequence[Server], shape: Shape, seed: int, notes: list[str]
) -> AsyncIterator[tuple[list[MockProcess], list[Server]]]:
    """Run a mock for each scheme that the servers have, and give what stands for each of them."""
    can_tls = find_spec("trustme") is not None
    if not can_tls and any(server.url.lower().startswith("https:") for server in servers):
        notes.append("calibrated without TLS, which costs some time too: pip install 'streamkit[tls]' for the mock's")
    async with AsyncExitStack() as stack:
        by_scheme: dict[bool, MockProcess] = {}
        stand_ins: list[Server] = []
        for server in servers:
            is_tls = can_tls and server.url.lower().startswith("https:")
            dialect = server.dialect if speaks(server.dialect) else STAND_IN
            if dialect != server.dialect:
                notes.append(f"the mock does not speak {server.dialect}: {server.name} is calibrated with {dialect}")
            mock = by_scheme.get(is_tls)
            if mock is None:
                mock = by_scheme[is_tls] = await stack.enter_async_context(
                    open_mock_process(
                        dialect=dialect,
                        ttft_ms=shape.ttft_ms,
                        gap_ms=shape.gap_ms,
                        tokens=shape.tokens,
                        tls=is_tls,
                        seed=seed,
                    )
                )
            stand_ins.append(
                Server(
                    server.name,
                    mock.url_for(dialect),
                    dialect,
                    server.model or MODEL,
                    authorities="" if mock.authorities is None else str(mock.authorities),
                )
            )
        yield [*by_scheme.values()], stand_ins


async def _compare(
    compared: Compared, records: dict[str, RequestRecord], mocks: Sequence[MockProcess], merging: Container[str]
) -> None:
    """Compare what we have with what the journals say, and wait for their last lines."""
    with trio.move_on_after(JOURNAL_S):
        await trio.lowlevel.checkpoint()
        while records:
            found = 0
            for mock in mocks:
                for entry in mock.entries():
                    record = records.pop(entry.request_id, None)
                    if record is not None:
                        found += 1
                        compared.add(record, truth_of(entry), may_merge=record.target in merging)
            await trio.sleep(0 if found else 0.02)
    for record in records.values():
        compared.add(record, None)


def _calibration(
    compared: Compared, measured: Measured, shape: Shape, confidence: float, notes: list[str]
) -> Calibration:
    ran = measured.ran
    span_ns = max((each.ended_ns for each in ran), default=0) - min((each.began_ns for each in ran), default=0)
    answered = sum(tally.outcomes["ok"] for tally in measured.tallies.values())
    events = sum(tally.counts["token_events"] for tally in measured.tallies.values())
    notes += [f"in the calibration: {note}" for note in measured.notes]
    counts = compared.counts
    failed, lost = counts["failed"], counts["unmatched"] + counts["miscounted"]
    told = []
    if failed:
        told.append(f"{failed} requests of the calibration failed")
    if lost:
        told.append(f"{lost} requests of the calibration could not be compared with the mock's journal")
    if failed + lost > MAX_LOST * (failed + lost + counts["requests"]):
        said = next(
            (each for tally in measured.tallies.values() for some in tally.details.values() for each in some), ""
        )
        raise ConnectError("; ".join([*told, *filter(None, [said])]))
    notes += told
    gaps, unresolved = counts["gaps"], counts["unresolved_gaps"] - counts["requests"]
    if unresolved > MAX_UNRESOLVED * (gaps + unresolved):
        notes.append(
            f"in the calibration {100 * unresolved / (gaps + unresolved):.0f} % of the gaps were unresolved, although"
            " the mock wrote each token by itself: so may be the run's, because of the tool and not of the server"
        )
    parts = {name: error for name, each in compared.parts.items() if (error := each.tool_error(1e6, confidence))}
    return Calibration(
        tool_error=tool_errors(compared, confidence),
        parts=parts,
        counts=counts,
        requests_per_s=answered * 1e9 / span_ns if span_ns > 0 else 0.0,
        events_per_s=events * 1e9 / span_ns if span_ns > 0 else 0.0,
        shape=shape,
        lag_max_ns=max((each.lag_max_ns for each in ran), default=0),
        notes=notes,
        spread=spreads(compared),
        confidence=confidence,
    )
