"""What is seen of one stream: every piece that came from upstream and every one that went to the client, with its time.

Raw, as it was on the wire, heads and framing included; `streamkit.watch.lanes` makes marks of it when somebody looks.
Keeping is bounded: beyond its share a stream keeps on going, and what is not kept is counted. Pure: times come in as
values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from streamkit.gateway.record import Outcome, Record

__all__ = ["MOMENT_BYTES", "Moment", "Sight"]

MOMENT_BYTES: Final = 200
"""What a moment costs beside its bytes."""

Side = Literal["upstream", "client"]
What = Literal["sent", "read", "end", "reset", "abort"]


class Moment(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened on one connection. Times are ns of `streamkit.http.clock.now_ns`.

    Attributes:
        side: on the way to which of our two neighbours.
        what: `sent` by us; `read` by us; `end`: the other one has closed; `reset`: it has reset; `abort`: we have.
        connection: which one of this stream's, on its side, counted from 0: retries and readers that come back.
        at_ns: when it was handed to the kernel, or read.
        data: the bytes, as they were on the wire (behind TLS).
        done_ns: when the kernel had taken the last of what was sent, where that was later: the other one did not read.
        kernel_ns: when the kernel had received what was read, where it says so.
        segments: of how many TCP segments that was, None where nobody counted.
    """

    side: Side
    what: What
    connection: int
    at_ns: int
    data: bytes = b""
    done_ns: int | None = None
    kernel_ns: int | None = None
    segments: int | None = None


class Sight:
    """One stream, as it is seen so far.

    Args:
        record: the gateway's own of the request, which goes on changing.
        method: of the client's request.
        tag: how the page calls it that has asked for it; empty for all others.
        max_bytes: how much is kept of it, `MOMENT_BYTES` for each moment included.
        may_keep: asked before so many more bytes are kept; for the bound that all streams share.
        on_change: called when there is something new to be seen of it.

    Attributes:
        moments: in order.
        is_live: whether something may still come.
        is_asked: whether the upstream was.
        is_answered: whether the request itself is over. A resumable stream goes on behind that.
        is_upstream_over: of a resumable stream: whether nothing more comes from upstream.
        is_read: of a resumable stream: whether somebody was told its end.
        visitors: of a resumable stream: how many read its events now.
        visit: the record of the last one of these that has ended; None as long as there is none.
        failure: of a resumable stream that did not come to its own end: how, and why.
        awaited_until_ns: of a resumable stream that is not live: somebody may come back for the rest of it until then.
        stream_id: of a resumable stream; empty otherwise.
        ended_ns: when it was over; None as long as it is live.
        line: as the list tells it, encoded; empty where that is to be done anew.
        kept_bytes: what its moments cost.
        lost_moments, lost_bytes: what was not kept.
        reads, read_bytes: from upstream, heads and framing included; writes, written_bytes: to the client.
        first_read_ns: when the first of a body came from upstream; first_write_ns: when the first went to the client.
        last_ns: when anything was seen last.
    """

    def __init__(
        self,
        record: Record,
        *,
        method: str,
        tag: str = "",
        max_bytes: int,
        may_keep: Callable[[int], bool] = lambda _: True,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.record = record
        self.method = method
        self.tag = tag
        self.moments: list[Moment] = []
        self.is_live = True
        self.line = b""
        self.is_asked = self.is_answered = self.is_upstream_over = self.is_read = False
        self.visitors = 0
        self.visit: Record | None = None
        self.failure: tuple[Outcome, str] | None = None
        self.awaited_until_ns = 0
        self.ended_ns: int | None = None
        self.stream_id = ""
        self.kept_bytes = 0
        self.lost_moments = self.lost_bytes = 0
        self.reads = self.read_bytes = self.writes = self.written_bytes = 0
        self.first_read_ns: int | None = None
        self.first_write_ns: int | None = None
        self.last_ns = record.arrived_ns
        self._max_bytes = max_bytes
        self._may_keep = may_keep
        self._on_change = on_change

    def see(self, moment: Moment) -> None:
        """Take what has just happened."""
        size = len(moment.data)
        self.last_ns = max(self.last_ns, moment.at_ns)
        self.is_asked |= moment.side == "upstream"
        if moment.what == "read" and moment.side == "upstream":
            self.reads += 1
            self.read_bytes += size
            if self.first_read_ns is None and _has_body(moment.data):
                self.first_read_ns = moment.at_ns
        elif moment.what == "sent" and moment.side == "client":
            self.writes += 1
            self.written_bytes += size
            if self.first_write_ns is None and _has_body(moment.data):
                self.first_write_ns = moment.at_ns
        cost = size + MOMENT_BYTES
        # Without a gap: behind something that is not kept nothing else is, or framing would be read wrongly.
        if self.lost_moments or self.kept_bytes + cost > self._max_bytes or not self._may_keep(cost):
            self.lost_moments += 1
            self.lost_bytes += size
        else:
            self.kept_bytes += cost
            self.moments.append(moment)
        self._on_change()

    def change(self) -> None:
        """Tell those who look that something about it is different, beside its moments."""
        self._on_change()


def _has_body(data: bytes) -> bool:
    """Tell whether some of a body, or a message, is in what was sent or read; that of a 201 only says where it is."""
    while data.startswith(b"HTTP/1."):  # an interim head may come before
        is_place = data.startswith(b" 201 ", 8)
        end = data.find(b"\r\n\r\n")
        if end < 0 or is_place:
            return False
        data = data[end + 4 :]
    return bool(data)
