"""What the page is told of a stream beside its marks: the line of the list, and the end. Pure."""

from __future__ import annotations

import msgspec

from streamkit.watch.moments import Sight

__all__ = ["Dropped", "Ended", "Ping", "StreamRow", "row_of"]


class StreamRow(msgspec.Struct, frozen=True, tag_field="kind", tag="stream"):
    """A stream as the list shows it. Times are ns of `streamkit.http.clock.now_ns`, but for `started_at_ns`.

    Attributes:
        number: of the gateway's record.
        tag: how the page has called it; empty for other clients' streams.
        started_at_ns: ns since 1970.
        detail: what went wrong, for people.
        first_read_ns, first_write_ns: when the first of the body came from upstream, and went to the client: no head.
        reads, read_bytes: from upstream; writes, written_bytes: to the client; all with heads and framing.
        lost_moments, lost_bytes: what was not kept of it.
    """

    number: int
    tag: str
    is_live: bool
    client: str
    method: str
    target: str
    dialect: str
    upstream_dialect: str
    status: int | None
    outcome: str
    detail: str
    is_resumable: bool
    started_at_ns: int
    arrived_ns: int
    first_read_ns: int | None
    first_write_ns: int | None
    last_ns: int
    ended_ns: int | None
    reads: int
    read_bytes: int
    writes: int
    written_bytes: int
    lost_moments: int
    lost_bytes: int


class Dropped(msgspec.Struct, frozen=True, tag_field="kind", tag="dropped"):
    """A finished stream is not kept any more."""

    number: int


class Ping(msgspec.Struct, frozen=True, tag_field="kind", tag="ping"):
    """Nothing is new, and the gateway is there."""


class Ended(msgspec.Struct, frozen=True, tag_field="kind", tag="end"):
    """The stream is over, and all of its marks were told."""

    stream: StreamRow


def row_of(sight: Sight) -> StreamRow:
    """Return the line of a stream."""
    record = sight.record
    told = sight.visit or record  # of a resumable stream: who reads it knows how it ended
    outcome, detail = sight.failure or (told.outcome, told.detail)
    return StreamRow(
        number=record.number,
        tag=sight.tag,
        is_live=sight.is_live,
        client=record.client,
        method=record.method,
        target=record.target,
        dialect=record.dialect,
        upstream_dialect=record.upstream_dialect,
        status=record.status,
        outcome="" if sight.is_live else outcome,
        detail=detail,
        is_resumable=bool(sight.stream_id),
        started_at_ns=record.started_at_ns,
        arrived_ns=record.arrived_ns,
        first_read_ns=sight.first_read_ns,
        first_write_ns=sight.first_write_ns,
        last_ns=sight.last_ns,
        ended_ns=sight.ended_ns,
        reads=sight.reads,
        read_bytes=sight.read_bytes,
        writes=sight.writes,
        written_bytes=sight.written_bytes,
        lost_moments=sight.lost_moments,
        lost_bytes=sight.lost_bytes,
    )
