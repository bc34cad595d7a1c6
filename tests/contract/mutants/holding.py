# ruff: noqa: ARG002 - a hook is given whatever one of the mutants needs
"""Relays that hold bytes back: by size, by line, by time, by type, by method, by framing, or until the end."""

from __future__ import annotations

import zlib

import trio

from tests.contract.mutants.link import Body, Framing, Head, Pairs
from tests.contract.mutants.relay import At, Relay, Same
from tests.contract.mutants.row import Changed, cases, media_type, mutant
from tests.contract.mutants.sets import HELD

__all__: list[str] = []


class Held(Same):
    """Holds everything until the end."""

    def __init__(self) -> None:
        self.held = bytearray()

    def feed(self, data: bytes) -> bytes:
        self.held += data
        return self.take(self.ready())

    def finish(self) -> bytes:
        return self.take(len(self.held))

    def ready(self) -> int:
        """Return how much may go."""
        return 0

    def take(self, size: int) -> bytes:
        data = bytes(self.held[:size])
        del self.held[:size]
        return data


class Blocks(Held):
    """Lets go whole blocks only."""

    def ready(self) -> int:
        return len(self.held) // 4096 * 4096


@mutant(HELD, cases("flush.text.cl"), is_slow=True)
class FixedReads(Relay):
    """Reads blocks of 4096 bytes, as `aiter_raw(4096)` does."""

    def stage(self, at: At, response: Head) -> Same:
        return Blocks()


class Threshold(Held):
    """Lets everything go once it is so much."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def ready(self) -> int:
        return len(self.held) if len(self.held) >= self.size else 0


@mutant(HELD, cases("flush.text.cl"), is_slow=True)
class Buffer4K(Relay):
    """Writes through a buffer of 4 KiB that nobody flushes."""

    def stage(self, at: At, response: Head) -> Same:
        return Threshold(4096)


@mutant(HELD, cases("flush.text.cl"), is_slow=True)
class Buffer64K(Relay):
    """Writes through a buffer of 64 KiB that nobody flushes."""

    def stage(self, at: At, response: Head) -> Same:
        return Threshold(65536)


@mutant(HELD | cases("bp.absorb"), cases("flush.text.cl"))
class WholeBody(Relay):
    """Collects the whole body, and keeps its framing."""

    def stage(self, at: At, response: Head) -> Same:
        return Held()


@mutant(
    HELD | cases("bp.absorb", "hdr.no-content-length"),
    cases("flush.text.cl", "flush.head", "flush.head.get"),
    is_slow=True,
)
class AddedLength(Relay):
    """Collects the whole body, and gives it a Content-Length."""

    def framing(self, at: At, body: Body) -> Framing:
        return "length" if body.framing in {"chunked", "close"} else body.framing

    async def send_head(self, at: At, head: Head) -> None:
        self.heads[at] = head

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        whole = bytearray()
        while data := await body.receive():
            whole += data
        head = self.heads.pop(at)
        if at.framing == "length" and not head.all("content-length"):
            head.headers.append(("Content-Length", str(len(whole))))
        await at.client.send(head.encode() + whole)

    async def break_off(self, at: At) -> None:
        if self.heads.pop(at, None):
            at.response = None
        await super().break_off(at)

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.heads: dict[At, Head] = {}


class LastPiece(Held):
    """Lets a piece go once the next one is there."""

    def feed(self, data: bytes) -> bytes:
        before = self.finish()
        self.held += data
        return before


@mutant(HELD, cases("flush.text.cl"), is_slow=True)
class OneBehind(Relay):
    """Sends a piece only when the next one has come, to see whether it was the last."""

    def stage(self, at: At, response: Head) -> Same:
        return LastPiece()


class WholeLines(Held):
    """Lets whole lines go."""

    def ready(self) -> int:
        return self.held.rfind(b"\n") + 1


@mutant(cases("flush.octet", "flush.1byte"), is_slow=True)
class LineByLine(Relay):
    """Sends whole lines only, and changes nothing."""

    def stage(self, at: At, response: Head) -> Same:
        return WholeLines()


@mutant(non_strict=cases("lat.plateau"))
class FlushTimer(Relay):
    """Flushes 100 ms after the first byte that has not been flushed, as Go's ReverseProxy can be told to."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        while first := await body.receive():
            await self.send(at, first + await collect(body, 0.1))
        await self.end(at, body.trailers)


@mutant(non_strict=cases("lat.plateau"), is_slow=True)
class Ticker(Relay):
    """Flushes every 300 ms."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        while not body.is_over:
            await self.send(at, await collect(body, 0.3))
        await self.end(at, body.trailers)


async def collect(body: Body, for_s: float) -> bytes:
    """Return what comes within a time: until the body's end, or as much as one read, at most."""
    held = bytearray()
    with trio.move_on_after(for_s):
        while len(held) < 65536 and (data := await body.receive()):
            held += data
    return bytes(held)


class Deflated(Same):
    """Gzip, whose output comes when zlib has enough of it."""

    def __init__(self) -> None:
        self.deflater = zlib.compressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        return self.deflater.compress(data)

    def finish(self) -> bytes:
        return self.deflater.flush()


class Flushed(Deflated):
    """Gzip, flushed behind each piece."""

    def feed(self, data: bytes) -> bytes:
        return super().feed(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH)


class Gzip(Changed):
    """Compresses for clients that offer it, and flushes: that is right."""

    def changes(self, at: At) -> bool:
        return "gzip" in at.request.tokens("accept-encoding") and at.request.method != "HEAD"

    def response_head(self, at: At, response: Head) -> Head:
        head = super().response_head(at, response)
        if self.changes(at):
            head.headers.append(("Content-Encoding", "gzip"))
        return head

    def stage(self, at: At, response: Head) -> Same:
        return Flushed() if self.changes(at) else Same()


@mutant(cases("flush.gzip", "flush.gzip.no-transform"), is_slow=True)
class GzipUnflushed(Gzip):
    """Compresses for clients that offer it, and does not flush."""

    def stage(self, at: At, response: Head) -> Same:
        return Deflated() if self.changes(at) else Same()


@mutant(
    cases("flush.sse.charset", "flush.text.{chunked,close}", "flush.ndjson", "flush.octet"),
    cases("flush.text.cl"),
    is_slow=True,
)
class OnlyEventStream(Relay):
    """Streams `text/event-stream`, and collects everything else."""

    def stage(self, at: At, response: Head) -> Same:
        return Same() if media_type(response) == "text/event-stream" else Held()


@mutant(cases("flush.sse.get"), is_slow=True)
class OnlyPost(Relay):
    """Streams answers to POST, and collects those to GET."""

    def stage(self, at: At, response: Head) -> Same:
        return Held() if at.request.method == "GET" else Same()


@mutant(cases("flush.sse.close", "flush.text.close", "flush.mixed.close", "bp.absorb"), is_slow=True)
class OnlyChunked(Relay):
    """Collects answers that end with the connection."""

    def stage(self, at: At, response: Head) -> Same:
        return Held() if at.framing == "close" else Same()


@mutant(cases("flush.sse.cl", "bp.absorb"), cases("flush.text.cl"), is_slow=True)
class KnownLength(Relay):
    """Collects answers that have a Content-Length: they are no streams, are they."""

    def stage(self, at: At, response: Head) -> Same:
        return Held() if at.framing == "length" else Same()


@mutant(cases("flush.mixed.{chunked,close}"), is_slow=True)
class FirstBuffer(Relay):
    """Streams what fits one buffer of 4 KiB, and holds the rest of what does not, as nginx does by default."""

    def stage(self, at: At, response: Head) -> Same:
        return Overflow()


class Overflow(Held):
    """Lets a piece go whole that is small, while nothing is held; holds all the rest of a large one."""

    def ready(self) -> int:
        return len(self.held) if len(self.held) <= 4096 else len(self.held) // 4096 * 4096


@mutant(non_strict=cases("flush.head", "flush.head.get"))
class HeldHead(Relay):
    """Sends the head along with the first byte of the body."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.heads: dict[At, Head] = {}

    async def send_head(self, at: At, head: Head) -> None:
        self.heads[at] = head

    async def release(self, at: At) -> None:
        if head := self.heads.pop(at, None):
            await at.client.send(head.encode())

    async def send(self, at: At, data: bytes) -> None:
        if data:
            await self.release(at)
        await super().send(at, data)

    async def end(self, at: At, trailers: Pairs) -> None:
        await self.release(at)
        await super().end(at, trailers)
