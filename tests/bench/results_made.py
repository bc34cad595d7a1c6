"""Benchmarks made by hand, for what is made of them: two loads and a proxy, with everything that a report can show."""

from __future__ import annotations

import random
from collections.abc import Iterable

from streamkit.bench.metrics import METRICS
from streamkit.bench.plan import Arrivals, Concurrency, Load, Server
from streamkit.bench.record import Outcome, RequestRecord, ServerTimes, TokenRead
from streamkit.bench.report.marks import is_judged
from streamkit.bench.results import Difference, Estimate, Knee, Paired, Ran, Result, Run, TokenDelay, ToolError
from streamkit.bench.tally import Bound, Tally

MS = 1_000_000

ERRORS = [metric.name for metric in METRICS if is_judged(metric)]

KEY = "sk-a1b2c3d4e5f6a7b8"
PASSWORD = "correct-horse"  # noqa: S105 - it is made up
VAULT = "open-sesame-42"

SERVER = Server(
    "direct",
    f"https://me:{PASSWORD}@example.test/v1?key={KEY}2",
    "ollama-chat",
    model="m",
    headers=[("X-Vault", VAULT), ("Accept", "text/event-stream")],
    api_key=KEY,
)


def record_of(
    number: int, *, ttft_ms: float = 50, gap_ms: float = 10, tokens: int = 4, coalesced: int = 1, **changes: object
) -> RequestRecord:
    """Return a request that is ok: so many tokens, so many in a read."""
    sent_ns = 1_000_000_000 + number * MS
    first_ns = sent_ns + round(ttft_ms * MS)
    reads = [
        TokenRead(at_ns, at_ns + 50_000, coalesced, coalesced == 1)
        for at_ns in (first_ns + round(step * gap_ms * MS) for step in range(0, tokens, coalesced))
    ]
    last_ns = reads[-1].at_ns
    fields: dict[str, object] = {
        "number": number,
        "target": "direct",
        "pair": number,
        "outcome": "ok",
        "status": 200,
        "began_ns": sent_ns,
        "is_reused": number > 3,
        "sent_ns": sent_ns,
        "has_kernel": True,
        "is_first_resolved": coalesced == 1,
        **{f"first_{what}_ns": first_ns for what in ("byte", "event", "token", "visible")},
        **{f"first_{what}_read_ns": first_ns + 50_000 for what in ("byte", "event", "token", "visible")},
        "headers_ns": first_ns - MS,
        "headers_read_ns": first_ns - MS + 50_000,
        "last_token_ns": last_ns,
        "last_token_read_ns": last_ns + 50_000,
        "end_ns": last_ns + MS,
        "end_read_ns": last_ns + MS + 50_000,
        "token_reads": reads,
        "first_tokens": coalesced,
        "reads": len(reads) + 1,
        "visible_tokens": tokens,
        "output_tokens": tokens,
        "input_tokens": 9,
    }
    if number <= 3:
        fields |= {"connecting_ns": sent_ns - 2 * MS, "connected_ns": sent_ns - MS}
    return RequestRecord(**{**fields, **changes})  # type: ignore[arg-type]  # they are those of the class


def records_of(count: int, seed: int = 0, **changes: object) -> list[RequestRecord]:
    """Return requests whose first tokens take about 50 ms."""
    draw = random.Random(seed)
    return [record_of(number, ttft_ms=draw.gauss(50, 3), **changes) for number in range(count)]  # type: ignore[arg-type]


def run_of(
    records: Iterable[RequestRecord],
    *,
    load: Load | None = None,
    slo: Iterable[Bound] = (),
    error_ms: float | None = 0.02,
    **changes: object,
) -> Run:
    """Return a run of ten seconds with these requests."""
    tally = Tally(slo)
    every = [*records]
    for record in every:
        tally.add(record)
    errors = {}
    if error_ms is not None:
        errors = {name: ToolError(500, error_ms, 5 * error_ms, error_ms) for name in ERRORS}
    run = Run("direct", load or Concurrency(8), tally, [Ran(10**9, 11 * 10**9, 10**10, 8, 4 * MS, MS // 5, 8)])
    run.sample, run.tool_error, run.calibrated_per_s = every[:20], errors, 61.5
    for name, value in changes.items():
        setattr(run, name, value)
    return run


def failed(number: int, outcome: Outcome, detail: str) -> RequestRecord:
    """Return a request that is not ok."""
    return RequestRecord(
        number=number,
        target="direct",
        outcome=outcome,
        detail=detail,
        began_ns=5,
        sent_ns=5,
        status=200,
    )


def difference_of(by_ms: float) -> Difference:
    """Return a difference of so much, whose p99 is not known."""
    around = Estimate(by_ms, by_ms - 0.1, by_ms + 0.1)
    return Difference(200, around, around, around, None)


def whole_result() -> Result:
    """Return a benchmark with everything in it."""
    slo = [Bound("ttft_ms", 51 * MS), Bound("tpot_ms", 30 * MS)]
    server = ServerTimes(load_ns=5 * MS, prompt_ns=40 * MS, eval_ns=28 * MS, total_ns=80 * MS)
    closed = run_of(
        [
            *records_of(390, server=server, cached_tokens=3),
            *(record_of(390 + each, coalesced=4, tokens=8) for each in range(10)),
            failed(400, "status", f"503: you sent\n{KEY} and {VAULT}\x1b[2J"),
            failed(401, "status", "503: try later"),
            failed(402, "truncated", "the stream ends without its terminator"),
            failed(403, "unfinished", "the run ended before the answer"),
        ],
        slo=slo,
        notes=[f"a note about {KEY}"],
    )
    scheduled = [record_of(number, ttft_ms=60, scheduled_ns=10**9 + (number - 1) * MS) for number in range(40)]
    closed.tally.counts["unjudged"] = 2
    opened = run_of(scheduled, load=Arrivals("gamma", 20.0, 2.0), slo=slo, error_ms=10, is_interrupted=True)
    delay = TokenDelay(800, Estimate(0.2, 0.1, 0.3), None, None, requests=200, unresolved=12)
    paired = Paired(
        direct="direct",
        proxy="proxy",
        load=Concurrency(8),
        differences={"ttft_ms": difference_of(0.4), "e2e_ms": difference_of(-0.05)},
        pairs=200,
        broken=3,
        events_per_read_in=1.0,
        events_per_read_out=3.9,
        cut=2,
        uneven=1,
        differences_reused={"ttft_ms": difference_of(0.35)},
        token_delay={"direct": delay, "proxy": delay},
        request_delay={"direct": delay},
        shares={"token_delay_ms": difference_of(0.3)},
        unmatched={"proxy": 4},
        events_per_segment_in=1.0,
        events_per_segment_out=3.0,
        events_per_write=1.25,
        tool_error={"ttft_ms": ToolError(500, 0.04, 0.2, 0.0), "e2e_ms": ToolError(300, 0.04, None, 0.0)},
        delay_error={"token": ToolError(500, 0.01, 0.03, 0.01)},
    )
    return Result(
        servers=[SERVER, Server("proxy", "http://127.0.0.1:9", "openai-chat")],
        runs=[closed, opened],
        paired=[paired],
        knees=[Knee("direct", 0, 8.0, "the most requests a second for its latency")],
        slo=slo,
        seed=7,
        workers=2,
        prompts="one prompt of 16 words",
        began_unix_s=1_789_999_999.0,
        version="0.1.0",
        machine="Linux 6.18, 2 processors, Python 3.11",
        notes=["the server is on the same machine"],
    )
