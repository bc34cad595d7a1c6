"""Reports made by hand: one case of each verdict, with logs in which there are keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from streamkit.contract.results import Report, Result
from streamkit.contract.trace import Event, Exchanged, Head, Piece, Trace
from streamkit.contract.verdicts import Ending, Verdict

__all__ = ["KEY", "SUITE", "held_trace", "report_of", "result_of"]

KEY: Final = "sk-0123456789abcdef"
COOKIE: Final = "sid=deadbeef42; Path=/"
MS: Final = 1_000_000

SUITE: Final = frozenset(
    {"flush.head", "flush.sse.close", "bytes.random", "cancel.idle", "end.clean.cl", "llm.done.once"}
)


def held_trace(pieces: int = 3, *, fillers: int = 0, body: bytes = b"data: x\n\n") -> Trace:
    """What both ends see where piece 1 comes with the end of the answer only, and its client sends a key."""
    trace = Trace()
    zero = 1_000 * MS
    line, fields = f"POST /v1/chat/completions?key={KEY}&n=1 HTTP/1.1", [("Authorization", f"Bearer {KEY}")]
    request = f"{line}\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\n\r\n{{}}".encode()
    end = zero + 2000 * MS
    exchanged = Exchanged(
        attempts=[Head(zero + MS, line, fields)],
        attempts_ns=[zero + MS],
        sent_head=Head(zero + 2 * MS, "HTTP/1.1 200 OK", [("Set-Cookie", COOKIE)]),
        head=Head(zero + 3 * MS, "HTTP/1.1 200 OK", [("Set-Cookie", COOKIE)]),
        client_end="complete",
        upstream_end="clean",
        units=pieces * len(body),
        expected_units=pieces * len(body),
    )
    trace.exchanges.append(exchanged)
    trace.note(Event(zero, "client", 1, "connect"))
    trace.note(Event(zero + 1000, "client", 1, "send", len(request), data=request))
    trace.note(Event(zero + MS, "upstream", 7, "head", len(request), data=request, note=line))
    answer = f"HTTP/1.1 200 OK\r\nSet-Cookie: {COOKIE}\r\n\r\n".encode()
    trace.note(Event(zero + 2 * MS, "upstream", 7, "send", len(answer), data=answer, note="HTTP/1.1 200 OK"))
    trace.note(Event(zero + 3 * MS, "client", 1, "read", len(answer) - 8, data=answer[:-8]))
    trace.note(Event(zero + 3 * MS + 9, "client", 1, "read", 8, data=answer[-8:]))
    for number in range(pieces + fillers):
        at_ns = zero + (4 + number) * MS
        if number == 1:
            trace.mark(at_ns - 500, "limit")
        trace.note(Event(at_ns, "upstream", 7, "send", len(body), number + 1, body))
        mark = "filler" if number >= pieces else ""
        exchanged.pieces.append(Piece(number + 1, len(body), at_ns + 10, end, mark))
    trace.mark(end - MS, "finish")
    trace.note(Event(end, "client", 1, "read", len(body) * pieces, data=body))
    trace.note(Event(end + 10, "client", 1, "end", note="complete"))
    return trace


def result_of(case_id: str, verdict: Verdict, detail: str = "it is so", trace: Trace | None = None) -> Result:
    """A result whose verdict is its behaviour's."""
    return Result(
        id=case_id,
        level="must",
        rule="Each <piece> is there before the next one is sent.",
        verdict=verdict,
        behaviour=verdict,
        ending=Ending.COMPLETE,
        ending_verdict=Verdict.OK,
        detail=detail,
        bugs=("ggml-org/llama.cpp#20872",),
        facts={"pieces": 3, "p50_ms": 1.5, "odd": float("nan"), "raw": b"\x00a", "all": {"b": (1, 2)}},
        duration_s=0.25,
        trace=trace or Trace(),
    )


def report_of(*results: Result, **fields: object) -> Report:
    """A report; of one case of each verdict, where nothing else is said."""
    of_each = [
        result_of("flush.head", Verdict.NON_STRICT, "the head came late"),
        result_of("flush.sse.close", Verdict.FAILED, f"piece 1 was held; key {KEY}", held_trace()),
        result_of("bytes.random", Verdict.OK, "all of it came", held_trace()),
        result_of("cancel.idle", Verdict.HARNESS_ERROR, "no <b>answer</b>\x1b[31m\nat all"),
        result_of("end.clean.cl", Verdict.DEPENDENCY_FAILED, "not run"),
        result_of("llm.done.once", Verdict.UNIMPLEMENTED),
        result_of("llm.retry.hidden", Verdict.INFORMATIONAL),
    ]
    report = Report(
        target=f"http://127.0.0.1:8080/v1?key={KEY}",
        profile="pipe",
        client_dialect="openai-chat",
        upstream_dialect="openai-chat",
        seed=7,
        version="0.1.0",
        results=list(results) or of_each,
        product="nginx",
        product_version="1.22.1",
        config_digest="sha256:00ff",
        began_unix_s=1_790_000_000.0,
        duration_s=3.5,
    )
    return replace(report, **fields)  # type: ignore[arg-type]  # names of its fields
