"""How far off is the TTFT that `streamkit bench` measures, and are there gaps of zero that nobody sent?

The server sends a role at once, the first token 50 ms after the request had arrived, then one every 10 ms, 32 in all,
and stamps what it does. Tool and server share the processors. An error is |our TTFT - the server's| of one request,
matched by its X-Request-ID; ours counts from just before the request's last byte went to the kernel, the server's from
when its kernel had it: 5 to 20 us apart, which count as ours. Quantiles are over all requests of a round.

The peer is a plain epoll client in one process (`benchmarks.mock.client`), stamps after `recv`, by the same measure:
what is to be had without kernel stamps and without reading what the answers mean.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio

from benchmarks.bench.truth import Stamps, truth
from benchmarks.measure import Effort, Figure, Unavailable, percentile, ratio
from benchmarks.report import Row, Target
from streamkit.bench.measure import measure
from streamkit.bench.metrics import METRICS
from streamkit.bench.plan import Concurrency, Plan, Server
from streamkit.bench.record import RequestRecord

__all__ = ["NAME", "at_64", "at_256", "measured"]

NAME: Final = "bench-accuracy"
TTFT_MS, GAP_MS, TOKENS = 50.0, 10.0, 32
REQUESTS_EACH: Final = 20
"""Requests for each stream, in a round."""

CLIENT: Final = Path(__file__).parent.parent / "mock" / "client.py"

P50_64 = Target("<=", 0.1, "ms")
P99_64 = Target("<=", 2, "ms")
READ_P50_64 = Target("<=", 1, "ms")
P99_256 = Target("<=", 10, "ms")
NO_ZERO = Target("<=", 0, "gaps")

Errors = dict[str, list[float]]
"""By what is in error, the errors of a round in ms."""


def at_64(effort: Effort) -> list[Row]:
    """Answer the question for 64 streams at once."""
    found = rounds(64, effort)
    plain = plain_rounds(64, effort)
    return [
        _row(64, "TTFT, kernel stamps, p50", found, "kernel", 50, P50_64),
        _row(64, "TTFT, kernel stamps, p99", found, "kernel", 99, P99_64),
        _row(64, "TTFT, read stamps, p50", found, "read", 50, READ_P50_64, plain),
        _row(64, "TTFT, read stamps, p99", found, "read", 99, None, plain),
        _row(64, "gap, kernel stamps, p99", found, "gap", 99, None),
        _zero(64, found),
    ]


def at_256(effort: Effort) -> list[Row]:
    """Answer the question for 256 streams at once."""
    found = rounds(256, effort)
    return [
        _row(256, "TTFT, kernel stamps, p50", found, "kernel", 50, None),
        _row(256, "TTFT, kernel stamps, p99", found, "kernel", 99, P99_256),
        _row(256, "TTFT, read stamps, p99", found, "read", 99, None),
        _zero(256, found),
    ]


def rounds(streams: int, effort: Effort) -> list[Errors]:
    """Return the errors of each round."""
    return [one_round(streams, effort.of(REQUESTS_EACH, at_least=2)) for _ in range(effort.rounds)]


def one_round(streams: int, each: int) -> Errors:
    """Ask, and compare."""
    with truth(TTFT_MS, GAP_MS, TOKENS) as server:
        records = measured(server.url, streams, streams * each)
        return errors_of(records, server.fetch())


def measured(url: str, streams: int, requests: int) -> list[RequestRecord]:
    """Return the records of a closed loop.

    Raises:
        Unavailable: not all requests were answered well.
    """
    plan = Plan(
        servers=[Server("truth", url, "openai-chat", "truth")],
        load=Concurrency(streams),
        prompts=["Why is the sky blue?"],
        requests=requests,
        max_tokens=TOKENS,
    )
    records: list[RequestRecord] = []

    async def main() -> None:
        await measure(plan, on_record=records.append)

    trio.run(main)
    bad = [record for record in records if not record.is_ok]
    if bad or len(records) != requests:
        raise Unavailable(f"{len(bad)} of {len(records)} requests failed: {bad[0].detail if bad else ''}")
    return records


def errors_of(records: Sequence[RequestRecord], stamps: dict[str, Stamps]) -> Errors:
    """Compare each request with what the server says of it."""
    found: Errors = {"kernel": [], "read": [], "gap": [], "zero": []}
    gaps_of = next(metric.values for metric in METRICS if metric.name == "event_gap_ms")
    for record in records:
        true = stamps[record.request_id]
        assert record.sent_ns is not None
        assert record.first_token_ns is not None
        assert record.first_token_read_ns is not None
        found["kernel"].append(abs(record.first_token_ns - record.sent_ns - true.ttft_ns) / 1e6)
        found["read"].append(abs(record.first_token_read_ns - record.sent_ns - true.ttft_ns) / 1e6)
        found["zero"] += [gap / 1e6 for gap in gaps_of(record) if gap <= 0]
        token = record.token_reads[0].tokens
        for before, after in zip(record.token_reads, record.token_reads[1:], strict=False):
            if before.is_resolved and after.is_resolved:
                sent_ns = true.written_ns[token] - true.written_ns[token - 1]
                found["gap"].append(abs(after.at_ns - before.at_ns - sent_ns) / 1e6)
            token += after.tokens
    return found


def plain_rounds(streams: int, effort: Effort) -> list[list[float]]:
    """Return the errors of the plain client's TTFT, in ms, for each round."""
    return [plain_round(streams, effort.of(REQUESTS_EACH, at_least=2)) for _ in range(effort.rounds)]


def plain_round(streams: int, each: int) -> list[float]:
    """Ask with the plain client, whose requests all have the same bytes: they are matched by the order of sending."""
    with truth(TTFT_MS, GAP_MS, TOKENS) as server:
        parts = urlsplit(server.url)
        body = '{"model":"truth","stream":true,"messages":[{"role":"user","content":"Why is the sky blue?"}]}'
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        job = {
            "host": parts.hostname,
            "port": parts.port,
            "request": f"{head}Content-Length: {len(body)}\r\n\r\n{body}",
            "streams": streams * each,
            "at_once": streams,
            "marker": '"content":" token"',
            "spread_s": 0,
            "timeout_s": 300,
        }
        done = subprocess.run(
            [sys.executable, "-I", str(CLIENT)], input=json.dumps(job).encode(), capture_output=True, check=True
        )
        told = json.loads(done.stdout)
        if "error" in told:
            raise Unavailable(f"the plain client failed: {told['error']}")
        stamps = sorted(server.fetch_all(), key=lambda each: each.arrived_ns)
        asked = sorted(told["streams"], key=lambda stream: stream["sent_ns"])
    return [
        abs(stream["at_ns"][0] - stream["sent_ns"] - true.ttft_ns) / 1e6
        for stream, true in zip(asked, stamps, strict=True)
    ]


def _row(  # noqa: PLR0917 - a row's parts, in the order in which it is read
    streams: int,
    what: str,
    found: Sequence[Errors],
    of: str,
    percent: float,
    target: Target | None,
    plain: Sequence[Sequence[float]] = (),
) -> Row:
    ours = [percentile(errors[of], percent) for errors in found]
    theirs = [percentile(errors, percent) for errors in plain]
    return Row(
        NAME,
        f"{streams} streams: error of the {what}",
        Figure.of(ours, "ms"),
        Figure.of(theirs, "ms") if theirs else None,
        "plain epoll client" if theirs else "",
        ratio(ours, theirs) if theirs and min(theirs) > 0 else None,
        target,
    )


def _zero(streams: int, found: Sequence[Errors]) -> Row:
    gaps = [float(len(errors["zero"])) for errors in found]
    return Row(NAME, f"{streams} streams: gaps of zero", Figure.of(gaps, "gaps"), target=NO_ZERO)
