"""A finished request as one line of a log: JSON for programs, words for people. Pure.

Neither has secrets in it, because a `Record` has none, nor a character that a terminal would obey.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final, Literal

from streamkit.gateway.record import Record

__all__ = ["LogFormat", "dropped_line", "json_line", "line_of", "text_line"]

LogFormat = Literal["json", "text"]

MS: Final = 1_000_000


def line_of(record: Record, log_format: LogFormat) -> str:
    """Return the line, without its end."""
    return json_line(record) if log_format == "json" else text_line(record)


def json_line(record: Record) -> str:
    """Return a JSON object in ASCII. Its fields are always the same, in the same order; null where there is nothing."""
    fields = {
        "at": _iso(record.started_at_ns),
        "number": record.number,
        "client": record.client,
        "method": record.method,
        "target": record.target,
        "http_version": record.version,
        "dialect": record.dialect,
        "upstream_dialect": record.upstream_dialect,
        "status": record.status,
        "outcome": record.outcome,
        "detail": record.detail,
        "reused": record.reused,
        "retries": record.retries,
        "head_ms": _ms(record, record.head_ns),
        "first_byte_ms": _ms(record, record.first_ns),
        "total_ms": _ms(record, record.ended_ns),
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "reads": record.reads,
    }
    return json.dumps(fields, separators=(",", ":"))


def dropped_line(count: int, log_format: LogFormat) -> str:
    """Return the line that stands for those that nobody read in time."""
    if log_format == "json":
        return json.dumps({"dropped_lines": count}, separators=(",", ":"))
    return f"{count} lines of the log were dropped: nobody read them in time"


def text_line(record: Record) -> str:
    """Return the same in words; control characters are escaped."""
    parts = [
        " ".join(filter(None, [f"#{record.number}", record.client, record.method, record.target])),
        f"{'-' if record.status is None else record.status} {record.outcome}",
        f"{record.response_bytes} bytes",
    ]
    if record.dialect:
        parts.insert(1, " as ".join(filter(None, [record.dialect, record.upstream_dialect])))
    for name, at_ns in (("head", record.head_ns), ("first byte", record.first_ns), ("total", record.ended_ns)):
        took_ms = _ms(record, at_ns)
        if took_ms is not None:
            parts.append(f"{name} {took_ms:.0f} ms")
    if record.retries:
        parts.append("sent again")
    if record.detail:
        parts.append(record.detail)
    line = "  ".join(parts)
    return line if line.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


def _iso(at_ns: int) -> str:
    """Return a time in UTC as RFC 3339 has it, to the microsecond."""
    seconds, ns = divmod(at_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=ns // 1000)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _ms(record: Record, at_ns: int | None) -> float | None:
    """Return how long after the request's head something was, in ms to the microsecond."""
    return None if at_ns is None else round((at_ns - record.arrived_ns) / MS, 3)
