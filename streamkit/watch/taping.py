"""A stream that was seen, as a cassette that `mockserver --replay` plays: what was asked upstream, and every read.

Keys and cookies are not written, as `mockserver record` does not write them, nor a key that the upstream repeats. Pure:
nothing is read or written here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO

from mockserver.recording.tape import Tape
from streamkit.errors import StreamkitError
from streamkit.http.head import BadHead, RequestHead, find_end, read_request
from streamkit.http.stream import TimedRead
from streamkit.http.unframe import Unframer, unframer_of
from streamkit.io.cassette_writer import CassetteWriter
from streamkit.watch.keymask import hidden, hidden_pieces, keys_in
from streamkit.watch.moments import Moment, Sight

__all__ = ["NoCassetteError", "cassette_of"]


class NoCassetteError(StreamkitError):
    """A stream cannot be saved; the text says why."""


@dataclass
class _Asked:
    """One request to the upstream, and what came back."""

    sent: bytearray = field(default_factory=bytearray)
    body: bytearray = field(default_factory=bytearray)
    head: RequestHead | None = None
    unframer: Unframer | None = None
    sent_ns: int = 0
    moments: list[Moment] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return self.unframer is not None and self.unframer.is_complete

    def send(self, moment: Moment) -> None:
        """Take what was sent of it.

        Raises:
            NoCassetteError: it is no request that could be replayed.
        """
        self.sent_ns = moment.done_ns or moment.at_ns
        if self.unframer is not None:
            self.body += self.unframer.feed(moment.data)
            return
        self.sent += moment.data
        try:
            end = find_end(self.sent)
            self.head = read_request(bytes(self.sent[:end])) if end >= 0 else None
        except BadHead as error:
            raise NoCassetteError(f"what was asked upstream cannot be read: {error.reason}") from None
        if self.head is not None:
            self.unframer = unframer_of(self.head.body)
            self.body += self.unframer.feed(bytes(self.sent[end:]))


def cassette_of(sight: Sight, upstream: str) -> bytes:
    """Return the cassette of a stream as far as it has come.

    Args:
        sight: the stream.
        upstream: the URL of the server, without any secret.

    Raises:
        NoCassetteError: the upstream was not asked, or not all of the stream is kept.
    """
    if sight.lost_moments:
        raise NoCassetteError(f"{sight.lost_bytes} bytes of this stream were not kept: it is too large to be saved")
    is_over = not sight.is_live
    asked = _asked_in(sight.moments[:])
    if not asked:
        raise NoCassetteError("the upstream was not asked for this stream: there is nothing to be replayed")
    file = BytesIO()
    recorded_at = datetime.fromtimestamp(sight.record.started_at_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    writer = CassetteWriter(file, upstream=upstream, recorded_at=recorded_at)
    for each in asked:
        _write(writer, each, sight.last_ns if is_over else None)
    return file.getvalue()


def _asked_in(moments: list[Moment]) -> list[_Asked]:
    """Tell the requests to the upstream apart: what is sent behind a whole one that was answered is the next."""
    asked: list[_Asked] = []
    newest: dict[int, _Asked] = {}
    for moment in moments:
        if moment.side != "upstream":
            continue
        current = newest.get(moment.connection)
        if moment.what == "sent":
            if current is None or (current.moments and current.is_whole):
                current = newest[moment.connection] = _Asked()
                asked.append(current)
            current.send(moment)
        elif current is not None:
            current.moments.append(moment)
    return asked


def _write(writer: CassetteWriter, asked: _Asked, over_ns: int | None) -> None:
    head = asked.head
    if head is None:
        raise NoCassetteError("what was asked upstream was not sent to its end")
    keys = keys_in(head)
    reads = [moment.data for moment in asked.moments if moment.what == "read"]
    shown = iter(hidden_pieces(reads, keys, method=head.method))
    tape = Tape(
        writer,
        method=head.method,
        target=head.target,
        version=head.version,
        headers=head.headers,
        body=hidden(bytes(asked.body), keys),
        origin_ns=asked.sent_ns,
        on_error=_raise,
    )
    for moment in asked.moments:
        if moment.what == "read":
            tape.reader.feed(moment.data)
            tape.read(TimedRead(next(shown), moment.at_ns, moment.kernel_ns, moment.segments))
        else:
            tape.reader.finish()
            if not tape.reader.is_complete:
                tape.end("left" if moment.what == "abort" else "fin" if moment.what == "end" else "reset", moment.at_ns)
    if tape.reader.is_complete:
        tape.end("complete", asked.moments[-1].at_ns)
    elif over_ns is not None:
        tape.end("left", over_ns)


def _raise(error: OSError) -> None:
    raise error
