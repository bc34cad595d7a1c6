"""The recorder between a client and a server: what each end sees, and what the cassette has afterwards.

Most of it in memory and in virtual time, where the moment of every read is exact; what only a kernel does is tried over
sockets.
"""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
import trio
import trio.testing

from mockserver.recording.record import record
from mockserver.recording.replay import Replay, bad_gateway
from mockserver.script import Reset, Until, Write
from streamkit.errors import ConfigError, ConnectError
from streamkit.http.clock import now_ns
from streamkit.http.connect import connect
from streamkit.http.listener import open_listeners
from streamkit.http.memory import memory_pair
from streamkit.http.origin import Origin, parse_origin
from streamkit.http.stream import WireStream
from streamkit.http.tls import TLSListener, TLSStream, throwaway_certificate
from streamkit.io.cassette import Cassette, Ended, Recorded, parse_cassette, read_cassette
from streamkit.io.cassette_writer import CassetteWriter, create_cassette
from streamkit.vendors.question import Question

MS = 1_000_000

ASK = b"POST /api/chat?key=s3cret HTTP/1.1\r\nHost: me\r\nAuthorization: Bearer s3cret\r\nContent-Length: 2\r\n\r\n{}"
SENT = b"POST /api/chat?key=s3cret HTTP/1.1\r\nHost: up\r\nAuthorization: Bearer s3cret\r\nContent-Length: 2\r\n\r\n{}"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


class MemoryListener(trio.abc.Listener[WireStream]):
    """Accepts the connections that a test makes."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[WireStream](10)

    def connect(self) -> WireStream:
        """The client's end of a new connection."""
        ours, theirs = memory_pair()
        self._send.send_nowait(theirs)
        return ours

    async def accept(self) -> WireStream:
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise trio.ClosedResourceError from None

    async def aclose(self) -> None:
        await self._send.aclose()


class Stage:
    """A recorder in memory: a client on one side, the server's ends of its connections on the other."""

    def __init__(self, file: BytesIO) -> None:
        self.file = file
        self.listener = MemoryListener()
        self.client = self.listener.connect()
        self.dialled = 0
        self.dial_s = 0.0
        self._send, self._receive = trio.open_memory_channel[WireStream](10)

    async def dial(self) -> WireStream:
        await trio.sleep(self.dial_s)
        ours, theirs = memory_pair()
        self._send.send_nowait(theirs)
        self.dialled += 1
        return ours

    async def upstream(self, request: bytes = SENT) -> WireStream:
        """The server's end of the next connection, once the request has come."""
        stream = await self._receive.receive()
        assert await read_bytes(stream, len(request)) == request
        return stream

    def cassette(self) -> Cassette:
        return parse_cassette(BytesIO(self.file.getvalue()))

    def only(self) -> Recorded:
        (recorded,) = self.cassette().exchanges
        return recorded


async def read_bytes(stream: WireStream, count: int) -> bytes:
    data = b""
    while len(data) < count and (read := await stream.receive_some()):
        data += read
    return data


async def read_to_end(stream: WireStream) -> bytes:
    data = b""
    while read := await stream.receive_some():
        data += read
    return data


def times_of(recorded: Recorded) -> list[tuple[bytes, int]]:
    return [(read.data, read.at_ns) for read in recorded.reads]


@asynccontextmanager
async def recording(file: BytesIO | None = None) -> AsyncIterator[Stage]:
    stage = Stage(BytesIO() if file is None else file)
    writer = CassetteWriter(stage.file, upstream="http://up", recorded_at="")

    async def run() -> None:
        await record([stage.listener], parse_origin("http://up"), writer, dial=stage.dial)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield stage
        nursery.cancel_scope.cancel()


# ---------------------------------------------------------------------------------------------------- what is passed on


async def test_bytes_go_through_as_they_come_and_reads_keep_their_bounds_and_times(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pieces = [HEAD[:20], HEAD[20:] + b"3\r\nab", b"c\r\n", b"1\r\n\xff\r\n", LAST]
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        for piece in pieces:
            await trio.sleep(0.25)
            await upstream.send_all(piece)
            assert await stage.client.receive_some() == piece
        await trio.testing.wait_all_tasks_blocked()
        recorded = stage.only()
        assert times_of(recorded) == [(piece, 250 * MS * number) for number, piece in enumerate(pieces, 1)]
        assert recorded.ended == Ended("complete", 1250 * MS, keep_alive=True)
        assert (recorded.method, recorded.target, recorded.body) == ("POST", "/api/chat?key=[redacted]", b"{}")
        assert b"s3cret" not in stage.file.getvalue()
        assert await upstream.receive_some() == b""


async def test_connecting_is_no_part_of_the_times(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        stage.dial_s = 3.0
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        await trio.sleep(1)
        await upstream.send_all(HEAD + LAST)
        await trio.testing.wait_all_tasks_blocked()
        assert times_of(stage.only()) == [(HEAD + LAST, 1000 * MS)]
        assert stage.only().ended == Ended("complete", 1000 * MS, keep_alive=True)


async def test_a_kept_connection_serves_another_request(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        for number in (1, 2):
            await stage.client.send_all(ASK)
            upstream = await stage.upstream()
            await upstream.send_all(HEAD + LAST)
            assert await stage.client.receive_some() == HEAD + LAST
            assert stage.dialled == number
    assert [exchange.ended and exchange.ended.how for exchange in stage.cassette().exchanges] == [
        "complete",
        "complete",
    ]


async def test_exchanges_at_the_same_time_are_kept_apart(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        clients = [stage.client, stage.listener.connect()]
        upstreams = []
        for client in clients:
            await client.send_all(ASK)
            upstreams.append(await stage.upstream())
        for piece in (HEAD, b"1\r\na\r\n", LAST):
            for number in (1, 0):
                await upstreams[number].send_all(piece)
                assert await clients[number].receive_some() == piece
        await trio.testing.wait_all_tasks_blocked()
        reads = [[read.data for read in exchange.reads] for exchange in stage.cassette().exchanges]
        assert reads == [[HEAD, b"1\r\na\r\n", LAST]] * 2


async def test_cookies_reach_the_client_but_not_the_cassette(autojump_clock: trio.testing.MockClock) -> None:
    pieces = [b"HTTP/1.1 200 OK\r\nSet-Coo", b"kie: s3c", b"ret\r\nContent-Length: 0\r\n\r\n"]
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        for piece in pieces:
            await upstream.send_all(piece)
            assert await stage.client.receive_some() == piece
        await trio.testing.wait_all_tasks_blocked()
        shown = [pieces[0], b"kie: ***", b"***\r\nContent-Length: 0\r\n\r\n"]
        assert [read.data for read in stage.only().reads] == shown


async def test_a_chunked_request_is_sent_whole_with_its_length(autojump_clock: trio.testing.MockClock) -> None:
    asked = b"POST /a HTTP/1.1\r\nHost: me\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
    async with recording() as stage:
        await stage.client.send_all(asked)
        await stage.upstream(b"POST /a HTTP/1.1\r\nHost: up\r\nContent-Length: 3\r\n\r\nabc")
        assert stage.only().body == b"abc"


async def test_a_server_may_answer_before_it_has_read_the_request(autojump_clock: trio.testing.MockClock) -> None:
    body = b"x" * 300_000
    answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    async with recording() as stage:

        async def ask() -> None:
            await stage.client.send_all(b"POST /a HTTP/1.1\r\nHost: me\r\nContent-Length: 300000\r\n\r\n" + body)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            upstream = await stage._receive.receive()  # noqa: SLF001 - without reading the request
            await upstream.send_all(answer)
            assert await read_to_end(stage.client) == answer
        recorded = stage.only()
        assert recorded.body == body
        assert times_of(recorded) == [(answer, 0)]
        assert recorded.ended == Ended("complete", 0)


async def test_connect_is_refused_and_not_recorded(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        await stage.client.send_all(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
        assert (await read_to_end(stage.client)).startswith(b"HTTP/1.1 501 ")
        assert stage.cassette().exchanges == ()


# ---------------------------------------------------------------------------------------------------------- how it ends


async def test_a_fin_before_the_end_is_one_for_the_client_too(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        await upstream.send_all(HEAD + b"5\r\nab")
        await trio.sleep(1)
        await upstream.aclose()
        assert await read_to_end(stage.client) == HEAD + b"5\r\nab"
        ended = stage.only().ended
        assert ended is not None
        assert (ended.how, ended.at_ns, ended.keep_alive) == ("fin", 1000 * MS, False)
        assert "before its last chunk" in ended.detail


async def test_a_fin_that_ends_a_body_without_framing_is_complete(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        await upstream.send_all(b"HTTP/1.1 200 OK\r\n\r\nab")
        await upstream.aclose()
        assert await read_to_end(stage.client) == b"HTTP/1.1 200 OK\r\n\r\nab"
        assert stage.only().ended == Ended("complete", 0)


@pytest.mark.parametrize("start", [b"", HEAD + b"5\r\nab"])
async def test_a_reset_is_one_for_the_client_too(autojump_clock: trio.testing.MockClock, start: bytes) -> None:
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        if start:
            await upstream.send_all(start)
            assert await stage.client.receive_some() == start
        await trio.sleep(1)
        upstream.abort()
        with pytest.raises(trio.BrokenResourceError):
            await stage.client.receive_some()
        ended = stage.only().ended
        assert ended is not None
        assert (ended.how, ended.at_ns) == ("reset", 1000 * MS)


async def test_what_is_no_http_goes_through_until_the_connection_ends(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        for piece in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"and more"):
            await upstream.send_all(piece)
            assert await stage.client.receive_some() == piece
        await upstream.aclose()
        assert await stage.client.receive_some() == b""
        ended = stage.only().ended
        assert ended is not None
        assert ended.how == "fin"
        assert "no hexadecimal number" in ended.detail


async def test_bytes_behind_the_end_are_passed_on_and_told(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        await upstream.send_all(HEAD + LAST + b"junk")
        assert await read_to_end(stage.client) == HEAD + LAST + b"junk"
        ended = Ended("complete", 0, detail="4 bytes came after the end of the response")
        assert stage.only().ended == ended


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("start", [b"", HEAD + b"5\r\nab"])
async def test_when_the_client_leaves_the_server_is_left(
    autojump_clock: trio.testing.MockClock, how: str, start: bytes
) -> None:
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        if start:
            await upstream.send_all(start)
            assert await stage.client.receive_some() == start
        await trio.sleep(2)
        if how == "fin":
            await stage.client.aclose()
        else:
            stage.client.abort()
        assert await upstream.receive_some() == b""  # within the virtual second in which it happened
        recorded = stage.only()
        assert [read.data for read in recorded.reads] == ([start] if start else [])
        assert recorded.ended == Ended("left", 2000 * MS, detail=how)


async def test_a_client_that_never_reads_slows_the_server_and_costs_no_memory(
    autojump_clock: trio.testing.MockClock,
) -> None:
    piece = b"4000\r\n" + b"x" * 16384 + b"\r\n"
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        await upstream.send_all(HEAD)
        sent = 0
        with trio.move_on_after(60):
            while True:
                await upstream.send_all(piece)
                sent += 1
        assert sent * len(piece) < 400_000
        await stage.client.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await upstream.send_all(piece * 10)
        ended = stage.only().ended
        assert ended is not None
        assert ended.how == "left"


async def test_the_end_of_the_recording_leaves_exchanges_without_one(autojump_clock: trio.testing.MockClock) -> None:
    async with recording() as stage:
        await stage.client.send_all(ASK)
        upstream = await stage.upstream()
        await upstream.send_all(HEAD)
        assert await stage.client.receive_some() == HEAD
    assert times_of(stage.only()) == [(HEAD, 0)]
    assert stage.only().ended is None
    with pytest.raises(trio.BrokenResourceError):
        await upstream.send_all(b"x")


# ---------------------------------------------------------------------------------------------------------- unreachable


async def refused(dial: ConnectError | None, ask: bytes = ASK, *, wait_s: float = 0) -> tuple[bytes, Recorded]:
    """What a client gets, and what is written down, where the server cannot be reached."""
    file = BytesIO()
    listener = MemoryListener()

    async def fail() -> WireStream:
        if dial is None:
            await trio.sleep_forever()
        await trio.sleep(wait_s)
        raise dial or AssertionError

    async def run() -> None:
        writer = CassetteWriter(file, upstream="http://up", recorded_at="")
        await record([listener], parse_origin("http://up"), writer, dial=fail)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        client = listener.connect()
        await client.send_all(ask)
        answer = await read_to_end(client)
        nursery.cancel_scope.cancel()
    (recorded,) = parse_cassette(BytesIO(file.getvalue())).exchanges
    return answer, recorded


async def test_a_server_that_refuses_is_a_502_and_written_down(autojump_clock: trio.testing.MockClock) -> None:
    answer, recorded = await refused(ConnectError("connection refused"), wait_s=0.5)
    assert answer == bad_gateway("connection refused")
    assert recorded.reads == []
    assert recorded.ended == Ended("unreachable", 500 * MS, detail="connection refused")
    replayed = Replay(Cassette("c", "", "", (recorded,))).answer(Question("POST", "/api/chat", {}, {}, b"{}"))
    assert replayed is not None
    assert list(replayed.actions) == [Until(500 * MS), Write(answer)]


async def test_a_server_that_keeps_silent_is_a_502_as_well(autojump_clock: trio.testing.MockClock) -> None:
    answer, recorded = await refused(None)
    assert answer == bad_gateway("no connection within 10 s")
    assert recorded.ended == Ended("unreachable", 10_000 * MS, detail="no connection within 10 s")


async def test_head_gets_a_502_without_body(autojump_clock: trio.testing.MockClock) -> None:
    answer, _ = await refused(ConnectError("x"), b"HEAD / HTTP/1.1\r\nHost: me\r\n\r\n")
    assert answer == bad_gateway("x", method="HEAD")


async def test_a_client_that_leaves_while_the_server_is_dialled(autojump_clock: trio.testing.MockClock) -> None:
    file = BytesIO()
    listener = MemoryListener()
    cancelled = trio.Event()

    async def hang() -> WireStream:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    async def run() -> None:
        writer = CassetteWriter(file, upstream="http://up", recorded_at="")
        await record([listener], parse_origin("http://up"), writer, dial=hang)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        client = listener.connect()
        await client.send_all(ASK)
        await trio.sleep(1)
        await client.aclose()
        await cancelled.wait()
        nursery.cancel_scope.cancel()
    (recorded,) = parse_cassette(BytesIO(file.getvalue())).exchanges
    assert recorded.ended == Ended("left", 1000 * MS, detail="fin")


# ----------------------------------------------------------------------------------------------------------- full disks


class FullDisk(BytesIO):
    """Takes so many lines and then no more."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.lines = lines

    def write(self, data: object) -> int:
        if not self.lines:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.lines -= 1
        return super().write(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("lines", [1, 2, 3])
async def test_a_full_disk_ends_the_recording_with_one_error(
    autojump_clock: trio.testing.MockClock, lines: int
) -> None:
    """After the header, the request, or a read: nothing is served any more that is not written down."""
    file = FullDisk(lines)

    async def talk() -> None:
        async with recording(file) as stage:
            await stage.client.send_all(ASK)
            if lines > 1:
                upstream = await stage.upstream()
                await upstream.send_all(HEAD)
                await upstream.send_all(LAST)
            await trio.sleep_forever()

    full = r"^the cassette cannot be written: No space left on device; the recording ends here$"
    with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match=full)):
        await talk()
    assert len(parse_cassette(BytesIO(file.getvalue())).exchanges) == (lines > 1)


# --------------------------------------------------------------------------------------------------------- over sockets


@asynccontextmanager
async def recording_of(upstream: Origin, path: Path, tls: ssl.SSLContext | None = None) -> AsyncIterator[WireStream]:
    """A client of a recorder, over sockets."""
    listeners = await open_listeners(0)
    with create_cassette(path, upstream=upstream.url, recorded_at="") as writer:

        async def run() -> None:
            await record(listeners, upstream, writer, tls=tls)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            async with await connect(Origin("http", "127.0.0.1", listeners[0].port)) as client:
                yield client
            nursery.cancel_scope.cancel()


async def test_kernel_stamps_and_a_reset_over_sockets(tmp_path: Path) -> None:
    listeners = await open_listeners(0)
    upstream = Origin("http", "127.0.0.1", listeners[0].port)
    async with recording_of(upstream, tmp_path / "a") as client:
        began_ns = now_ns()
        await client.send_all(ASK)
        async with await listeners[0].accept() as server:
            await read_bytes(server, len(SENT) + len(upstream.authority) - len("up"))
            for piece in (HEAD, b"2\r\nab\r\n"):
                await server.send_all(piece)
                assert await client.receive_some() == piece
            server.abort()
            with pytest.raises(trio.BrokenResourceError):
                await client.receive_some()
        took_ns = now_ns() - began_ns
    await listeners[0].aclose()
    (recorded,) = read_cassette(tmp_path / "a").exchanges
    assert [read.data for read in recorded.reads] == [HEAD, b"2\r\nab\r\n"]
    assert all(read.by_kernel is listeners[0].has_stamps for read in recorded.reads)
    assert recorded.ended is not None
    assert (recorded.ended.how, "reset" in recorded.ended.detail.lower()) == ("reset", True)
    times = [0, *(read.at_ns for read in recorded.reads), recorded.ended.at_ns, took_ns]
    assert times == sorted(times)
    script = Replay(read_cassette(tmp_path / "a"), speed=0).answer(Question("POST", "/api/chat", {}, {}, b"{}"))
    assert script is not None
    assert list(script.actions) == [Write(HEAD), Write(b"2\r\nab\r\n"), Reset()]


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_server_behind_tls_is_recorded_if_it_is_trusted(tmp_path: Path, trusted: bool) -> None:
    certificate = throwaway_certificate()
    listeners = await open_listeners(0)
    listener = TLSListener(listeners[0], certificate.context)

    async def serve_one() -> None:
        async with await listener.accept() as server:
            try:
                await answer(server)
            except trio.BrokenResourceError:
                assert not trusted

    async def answer(server: TLSStream) -> None:
        assert (await server.receive_some()).startswith(b"POST /api/chat")
        await server.send_all(HEAD + LAST)
        assert await server.receive_some() == b""

    upstream = parse_origin(f"https://127.0.0.1:{listeners[0].port}")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_one)
        async with recording_of(upstream, tmp_path / "a", certificate.client_context() if trusted else None) as client:
            await client.send_all(ASK)
            got = await client.receive_some()
    await listener.aclose()
    (recorded,) = read_cassette(tmp_path / "a").exchanges
    assert recorded.ended is not None
    if trusted:
        assert got == HEAD + LAST
        assert recorded.ended.how == "complete"
    else:
        assert got.startswith(b"HTTP/1.1 502 ")
        assert recorded.ended.how == "unreachable"
        reason = f"cannot connect to {upstream.url}: its certificate is not trusted: "
        assert recorded.ended.detail.startswith(reason)
