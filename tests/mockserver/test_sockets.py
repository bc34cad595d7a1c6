"""The server over real sockets, against its journal: what a client got is a prefix of what the journal says.

Where time matters the streams are in memory and the clock is virtual. The server of each test goes on to the end of the
test, and has to answer one more request then: `still_answers`.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.app import MockServer, ServerConfig
from mockserver.journal import Entry
from mockserver.open import open_mockserver, open_mockserver_in_memory
from streamkit.http.limits import Limits
from streamkit.http.stream import SocketStream
from tests.cli.harness import linux_only
from tests.cli.served import STREAM, Served, exchange, wire
from tests.mockserver.talk import Answer, ask, request_bytes

CHAT_PATH = "/v1/chat/completions"

PATIENCE_S = 3.0


@contextlib.contextmanager
def connection(mock: MockServer, receive_bytes: int | None = None) -> Iterator[SocketStream]:
    """A client's connection; closed with a FIN at the end."""
    sock = socket.socket()
    if receive_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.connect(("127.0.0.1", int(mock.url.rpartition(":")[2])))
    stream = SocketStream(sock)
    try:
        yield stream
    finally:
        sock.close()


class Endings:
    """Tells when entries of the journal have ended."""

    def __init__(self, mock: MockServer) -> None:
        self.ended: list[Entry] = []
        self._changed = trio.Event()
        mock.journal.on_end = self._note

    def _note(self, entry: Entry) -> None:
        self.ended.append(entry)
        self._changed.set()
        self._changed = trio.Event()

    async def wait(self, count: int = 1) -> Entry:
        with trio.fail_after(PATIENCE_S):
            while len(self.ended) < count:
                await self._changed.wait()
        return self.ended[-1]


async def still_answers(mock: MockServer) -> None:
    """Check that the server is none the worse."""
    with connection(mock) as stream, trio.fail_after(PATIENCE_S):
        answer = await ask(stream, request_bytes(CHAT_PATH, STREAM, mock="fault=none; tokens=2; gate=none"))
        assert (answer.status, answer.is_whole) == (200, True)
        is_running = True
        while is_running:  # the last byte is here before the server has finished with the request
            await trio.lowlevel.checkpoint()
            is_running = mock.running > 0


@contextlib.asynccontextmanager
async def serving(config: ServerConfig | None = None, **more: str | int) -> AsyncIterator[MockServer]:
    async with open_mockserver(config, **more) as mock:  # type: ignore[arg-type]  # settings, by their names
        yield mock
        await still_answers(mock)


async def read_to_the_end(stream: SocketStream) -> tuple[bytes, str]:
    """Return all that comes, and whether it ended with "fin" or "reset"."""
    got = bytearray()
    with trio.fail_after(PATIENCE_S):
        try:
            while data := (await stream.receive()).data:
                got += data
        except trio.BrokenResourceError:
            return bytes(got), "reset"
    return bytes(got), "fin"


async def read_bytes(stream: SocketStream, wanted: int) -> bytes:
    """Return at least so many bytes, or what there is until the end."""
    got = bytearray()
    with trio.fail_after(PATIENCE_S):
        try:
            while len(got) < wanted and (data := (await stream.receive()).data):
                got += data
        except trio.BrokenResourceError:
            pass
    return bytes(got)


# -------------------------------------------------------------------------------------------- a prefix of the journal

POLICIES = st.sampled_from(["none", "every-byte", "size:7", "random:1:30", "coalesce:3", "hostile"])
FAULTS = st.sampled_from(
    [
        *(
            "none",
            "reset@token:3",
            "close@token:2",
            "status:503",
            "reset@after-head",
            "reset@before-head",
            "bad-utf8@token:1",
        ),
        *("bad-chunk@token:2", "no-last-chunk", "length:+9", "length:-9", "oversized:2000@token:1", "close@event:3+5"),
        *("junk-after-end", "interim:103", "terminator-twice", "trailers", "duplicate@token:2", "no-terminator"),
    ]
)
PATHS = st.sampled_from([CHAT_PATH, "/v1/messages", "/api/chat", "/agui"])
BODY = {**STREAM, "max_tokens": 40, "threadId": "t", "runId": "r"}

Leaving = Literal["stays", "closes", "resets", "half-closes"]


@given(
    cuts=st.tuples(POLICIES, POLICIES, POLICIES),
    fault=FAULTS,
    path=PATHS,
    writes=st.sampled_from(["each", "joined", "acked"]),
    framing=st.sampled_from(["auto", "chunked", "length", "close"]),
    rate=st.sampled_from(["0", "5000"]),
    version=st.sampled_from(["1.0", "1.1"]),
    leaving=st.sampled_from(["stays", "closes", "resets", "half-closes"]),
    after=st.integers(1, 4000),  # a client that resets at once may take its request with it
)
@settings(max_examples=60)
def test_what_a_client_got_is_a_prefix_of_what_the_journal_says(  # noqa: PLR0917 - Hypothesis names them
    cuts: tuple[str, str, str],
    fault: str,
    path: str,
    writes: str,
    framing: str,
    rate: str,
    version: str,
    leaving: Leaving,
    after: int,
) -> None:
    records, chunks, split = cuts
    asked = request_bytes(
        path,
        BODY,
        version=version,
        headers={"Connection": "close"},
        mock=f"records={records}; chunks={chunks}; split={split}; fault={fault}; writes={writes}; framing={framing}; "
        f"rate={rate}; tokens=12",
    )

    async def main() -> None:
        async with serving() as mock:
            endings = Endings(mock)
            with connection(mock) as stream:
                await stream.send_all(asked)
                if leaving == "stays":
                    got, _ = await read_to_the_end(stream)
                    entry = await endings.wait()
                else:
                    got = await read_bytes(stream, after)
                    if leaving == "resets":
                        stream.abort()
                    elif leaving == "half-closes":
                        with contextlib.suppress(trio.BrokenResourceError):
                            await stream.send_eof()
                        got += (await read_to_the_end(stream))[0]
                    else:
                        await stream.aclose()
                    entry = await endings.wait()
            sent = bytes(entry.sent)
            assert sent.startswith(got)
            assert len(sent) == entry.sent_bytes
            if not entry.writes_dropped:
                assert entry.sent_bytes == sum(done.size_bytes for done in entry.writes)
            assert [done.began_ns for done in entry.writes] == sorted(done.began_ns for done in entry.writes)
            assert entry.outcome in {"complete", "reset", "closed", "client-left"}
            assert (entry.outcome == "client-left") == (entry.left is not None)
            if leaving == "stays":
                assert entry.outcome != "client-left"
                if entry.outcome != "reset":
                    assert got == sent

    trio.run(main)


# --------------------------------------------------------------------------------------------------- what is no request

HOST = b"Host: h\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"

MALFORMED: dict[str, tuple[bytes, int]] = {
    "nonsense": (b"nonsense\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600), 400),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /health HTTP/1.1\r\n" + HOST * 2 + b"\r\n", 400),
    "bare line feeds": (b"GET /health HTTP/1.1\nHost: h\n\n", 400),
    "folded": (b"GET /health HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400),
    "space before the colon": (b"GET /health HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    "NUL": (b"GET /health HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
    "length and chunked": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "length below zero": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400),
    "another coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "another version": (b"GET /health HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    "long line": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n", 414),
    "long head": (b"GET /health HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 12_000, 431),
    "long body": (POST + b"Content-Length: 2001\r\n\r\n", 413),
    "long chunked body": (POST + b"Transfer-Encoding: chunked\r\n\r\n7d1\r\n" + b" " * 2001 + b"\r\n", 413),
    "no JSON": (POST + b"Content-Length: 3\r\n\r\n{\xff}", 400),
    "cut JSON": (POST + b"Content-Length: 8\r\n\r\n" + b'{"model"', 400),
    "JSON of the wrong kind": (POST + b"Content-Length: 2\r\n\r\n[]", 400),
    "deep JSON": (POST + b"Content-Length: 1800\r\n\r\n" + b"[" * 1800, 400),
    "no such path": (b"GET /nope HTTP/1.1\r\nHost: h\r\n\r\n", 404),
    "no such method": (b"BREW /api/chat HTTP/1.1\r\nHost: h\r\n\r\n", 405),
}


@pytest.mark.parametrize(("data", "status"), MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_request_is_answered_whole(data: bytes, status: int) -> None:
    """The answer arrives although the client has sent more than was read: no reset overtakes it."""
    async with serving(ServerConfig(limits=Limits(max_body_bytes=2000))) as mock:
        with connection(mock) as stream:
            await stream.send_all(data)
            await stream.send_eof()
            got, how = await read_to_the_end(stream)
        assert got.startswith(b"HTTP/1.1 %d " % status), got[:200]
        assert how == "fin"
        head, _, body = got.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head.lower()


@given(data=st.binary(max_size=200), behind=st.booleans())
@settings(max_examples=40)
def test_any_bytes_at_all(data: bytes, behind: bool) -> None:
    """On their own, or behind a good request."""

    async def main() -> None:
        async with serving() as mock:
            with connection(mock) as stream:
                await stream.send_all(request_bytes("/health") + data if behind else data)
                with contextlib.suppress(trio.BrokenResourceError):
                    await stream.send_eof()
                got, _ = await read_to_the_end(stream)
            assert not got or got.startswith(b"HTTP/1.1 ")

    trio.run(main)


# ----------------------------------------------------------------------------------- slow and silent, in virtual time

LIMITS = Limits(head_timeout_s=30, body_timeout_s=60, idle_timeout_s=75)


@pytest.mark.parametrize(
    ("start", "after_s", "status"),
    [
        (b"", 30, b""),
        (b"GET / HT", 30, b"408"),
        (POST, 30, b"408"),
        (POST + b"Content-Length: 9\r\n\r\n{", 60, b"408"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", 60, b"408"),
    ],
)
async def test_a_client_that_falls_silent(
    autojump_clock: trio.testing.MockClock, start: bytes, after_s: float, status: bytes
) -> None:
    async with open_mockserver_in_memory(ServerConfig(limits=LIMITS)) as memory:
        stream = memory.connect()
        await stream.send_all(start)
        began_s = trio.current_time()
        got = (await stream.receive()).data
        assert trio.current_time() - began_s == pytest.approx(after_s)
        assert got.startswith(b"HTTP/1.1 " + status) if status else not got
        await stream.aclose()


async def test_a_connection_that_is_kept_is_closed_in_the_end(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ServerConfig(limits=LIMITS)) as memory:
        stream = memory.connect()
        assert (await ask(stream, request_bytes("/health"))).is_whole
        began_s = trio.current_time()
        assert (await stream.receive()).data == b""
        assert trio.current_time() - began_s == pytest.approx(75)


async def test_a_slow_request_is_served_while_it_comes(autojump_clock: trio.testing.MockClock) -> None:
    """A byte every 100 ms is within every limit but the head's, which counts as a whole."""
    async with open_mockserver_in_memory(ServerConfig(limits=LIMITS), tokens=2) as memory:
        stream = memory.connect()
        data = request_bytes(CHAT_PATH, STREAM)
        for at in range(len(data) - 1):
            await stream.send_all(data[at : at + 1])
            await trio.sleep(0.1)
        await stream.send_all(data[-1:])
        assert (await stream.receive()).data.startswith(b"HTTP/1.1 200 OK")


# -------------------------------------------------------------------------------------- one connection, many requests


def answers_in(wire_bytes: bytes) -> list[bytes]:
    """Split what came on one connection at the status lines."""
    return [b"HTTP/1.1 " + part for part in wire_bytes.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_pipelined_requests_are_answered_in_order(framing: str) -> None:
    async with serving() as mock:
        with connection(mock) as stream:
            asked = [request_bytes(CHAT_PATH, STREAM, mock=f"say=w{each}; framing={framing}") for each in range(5)]
            await stream.send_all(b"".join(asked) + request_bytes("/health", headers={"Connection": "close"}))
            got, how = await read_to_the_end(stream)
        assert how == "fin"
        answers = answers_in(got)
        assert [f'"w{each}"'.encode() in answer for each, answer in enumerate(answers)] == [True] * 5 + [False]
        assert [entry.connection for entry in mock.journal] == [1] * 6
        assert b"".join(bytes(entry.sent) for entry in mock.journal) == got


@pytest.mark.parametrize(
    ("fault", "answered", "how"),
    [
        ("status:500", 2, "fin"),
        ("ping@token:1", 2, "fin"),
        ("terminator-twice", 2, "fin"),
        ("trailers", 2, "fin"),
        ("reset@token:1", 1, "reset"),
        ("close@token:1", 1, "fin"),
        ("no-last-chunk", 1, "fin"),
        ("bad-chunk@token:1", 2, "fin"),
        ("length:+5", 1, "fin"),
        ("length:-5", 1, "fin"),
        ("junk-after-end", 1, "fin"),
    ],
)
async def test_a_request_behind_a_fault_is_answered_where_the_connection_goes_on(
    fault: str, answered: int, how: str
) -> None:
    async with serving() as mock:
        with connection(mock) as stream:
            asked = request_bytes(CHAT_PATH, STREAM, mock=f"fault={fault}; tokens=3")
            await stream.send_all(asked + request_bytes("/health", headers={"Connection": "close"}))
            got, ended = await read_to_the_end(stream)
        assert len(mock.journal) == answered
        assert ended == how
        if how == "fin":
            assert got == b"".join(bytes(entry.sent) for entry in mock.journal)


async def test_keep_alive_one_after_the_other() -> None:
    async with serving(tokens=2) as mock:
        with connection(mock) as stream:
            for version, kept in (("1.1", "keep-alive"), ("1.0", "keep-alive"), ("1.1", "close")):
                asked = request_bytes("/health", version=version, headers={"Connection": kept})
                assert (await ask(stream, asked)).is_whole
            assert await read_to_the_end(stream) == (b"", "fin")
        assert [entry.connection for entry in mock.journal] == [1, 1, 1]


async def test_an_http_1_0_client_gets_the_end_as_the_end() -> None:
    async with serving(tokens=2) as mock, trio.open_nursery():
        with connection(mock) as stream:
            answer = await ask(stream, request_bytes(CHAT_PATH, STREAM, version="1.0"))
            assert answer.is_whole
            assert "transfer-encoding" not in answer.headers
            assert answer.body.endswith(b"data: [DONE]\n\n")
            assert await read_to_the_end(stream) == (b"", "fin")


async def test_head_has_no_body_and_keeps_the_connection() -> None:
    async with serving() as mock:
        with connection(mock) as stream:
            for path in ("/health", "/api/tags", "/nope"):
                answer = await ask(stream, request_bytes(path, method="HEAD"))
                assert (answer.body, answer.is_whole) == (b"", True)
                assert int(answer.headers["content-length"]) > 0
            assert (await ask(stream, request_bytes("/health"))).body


async def test_a_client_that_says_no_more_has_left() -> None:
    async with serving(gate="g@token:1") as mock:
        endings = Endings(mock)
        with connection(mock) as stream:
            await stream.send_all(request_bytes(CHAT_PATH, STREAM))
            await mock.gates.wait_for("g")
            await stream.send_eof()
            entry = await endings.wait()
        assert (entry.outcome, entry.left, entry.tokens) == ("client-left", "fin", 1)
        assert entry.left_ns is not None
        assert entry.ended_ns is not None
        assert entry.arrived_ns < entry.left_ns <= entry.ended_ns
        assert mock.gates.waiting("g") == 0


@pytest.mark.parametrize("leaving", ["fin", "reset"])
async def test_a_client_that_leaves_ends_a_stall_without_end(leaving: str) -> None:
    async with serving() as mock:
        endings = Endings(mock)
        with connection(mock) as stream:
            await stream.send_all(request_bytes(CHAT_PATH, STREAM, mock="fault=stall@after-head"))
            await read_bytes(stream, 1)  # of the head, behind which nothing is written that could find it gone
            if leaving == "reset":
                stream.abort()
            else:
                await stream.aclose()
            entry = await endings.wait()
        assert (entry.outcome, entry.left) == ("stalled", leaving)


async def test_an_old_client_that_leaves_ends_the_wait_for_its_acknowledgement() -> None:
    """What the kernel counts as unacknowledged never becomes less once the connection is gone."""
    async with serving(writes="acked", split="size:7", tokens=500) as mock:
        endings = Endings(mock)
        with connection(mock) as stream:
            await stream.send_all(request_bytes(CHAT_PATH, STREAM, version="1.0"))
            await read_bytes(stream, 100)
        entry = await endings.wait()
        assert entry.outcome == "client-left"


async def test_a_client_that_leaves_before_its_body_is_there() -> None:
    async with serving() as mock:
        for data in (b"", b"GET", POST, POST + b"Content-Length: 100\r\n\r\n{"):
            for reset in (False, True):
                with connection(mock) as stream:
                    await stream.send_all(data or b"\r\n")
                    if reset:
                        stream.abort()
        await still_answers(mock)
        cut = [entry for entry in mock.journal if entry.status != 200]
        assert {(entry.status, entry.outcome) for entry in cut} <= {(400, "refused"), (400, "client-left")}


# ----------------------------------------------------------------------------------- writes, gates, slots, and readers


@linux_only
async def test_acknowledged_writes_are_reads_of_their_own() -> None:
    """The reader is always there first, so each write is a read. Without, many come together."""
    async with serving(writes="acked", split="size:40", tokens=30) as mock:
        endings = Endings(mock)
        with connection(mock) as stream:
            answer = await ask(stream, request_bytes(CHAT_PATH, STREAM))
            entry = await endings.wait()
        sizes = [done.size_bytes for done in entry.writes]
        assert len(sizes) > 100
        assert sizes.count(40) >= len(sizes) - 1
        assert len(answer.reads) >= 0.9 * len(sizes)
        assert answer.wire == bytes(entry.sent)


async def test_a_gate_is_opened_from_another_connection() -> None:
    async with serving(gate="mid@token:2", tokens=4) as mock:
        with connection(mock) as stream, connection(mock) as admin:
            await stream.send_all(request_bytes(CHAT_PATH, STREAM))
            await mock.gates.wait_for("mid")
            shown = (await ask(admin, request_bytes("/_mock/gates"))).value
            assert shown == {"mid": {"open": False, "waiting": 1}}
            assert mock.journal[-1].tokens == 2
            assert (await ask(admin, request_bytes("/_mock/gates/mid/open", b""))).status == 200
            assert (await read_bytes(stream, mock.journal[-1].sent_bytes)).count(b"data: ") > 2


async def test_slots_are_given_in_the_order_of_coming() -> None:
    async with serving(ServerConfig(slots=2), tokens=1) as mock, trio.open_nursery() as nursery:
        done: list[int] = []

        async def one(number: int) -> None:
            with connection(mock) as stream:
                gate = f"gate=g{number}@token:1"
                assert (await ask(stream, request_bytes(CHAT_PATH, STREAM, mock=gate))).is_whole
            done.append(number)

        with trio.fail_after(PATIENCE_S):
            for number in range(5):
                nursery.start_soon(one, number)
                while mock.slots.waiting + sum(mock.gates.waiting(f"g{each}") for each in range(5)) <= number:  # noqa: ASYNC110 - nobody tells
                    await trio.sleep(0.001)
            assert mock.slots.waiting == 3
            for number in range(5):
                await mock.gates.wait_for(f"g{number}")
                assert [each for each in range(5) if mock.gates.waiting(f"g{each}")] == [
                    each for each in (number, number + 1) if each < 5
                ]
                mock.gates.open(f"g{number}")
                while len(done) <= number or (number + 2 < 5 and not mock.gates.waiting(f"g{number + 2}")):  # noqa: ASYNC110 - nobody tells
                    await trio.sleep(0.001)
        assert done == [0, 1, 2, 3, 4]
        queued = [entry.queued_ns for entry in mock.journal]
        assert [each > 0 for each in queued[2:]] == [True] * 3


async def test_who_waits_for_a_slot_and_leaves_is_forgotten() -> None:
    async with serving(ServerConfig(slots=1)) as mock:
        endings = Endings(mock)
        with connection(mock) as first, connection(mock) as second, trio.fail_after(PATIENCE_S):
            await first.send_all(request_bytes(CHAT_PATH, STREAM, mock="gate=g@token:1"))
            await mock.gates.wait_for("g")
            await second.send_all(request_bytes(CHAT_PATH, STREAM))
            while not mock.slots.waiting:  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.001)
            second.abort()
            entry = await endings.wait()
            assert (entry.number, entry.outcome, entry.sent_bytes) == (2, "client-left", 0)
            assert mock.slots.waiting == 0
            mock.gates.open("g")
            await endings.wait(2)


async def test_a_reader_that_stops_and_goes_on_gets_everything() -> None:
    async with serving(tokens=4000) as mock:
        endings = Endings(mock)
        with connection(mock, receive_bytes=4096) as stream:
            await stream.send_all(request_bytes(CHAT_PATH, STREAM, headers={"Connection": "close"}))
            with trio.fail_after(PATIENCE_S):
                before = -1
                while not before == mock.journal[-1].sent_bytes > 0 if len(mock.journal) else True:
                    before = mock.journal[-1].sent_bytes if len(mock.journal) else -1
                    await trio.sleep(0.05)
            assert mock.journal[-1].outcome != "complete"
            got, _ = await read_to_the_end(stream)
            entry = await endings.wait()
        assert got == bytes(entry.sent)
        assert entry.outcome == "complete"
        assert entry.blocked_ns > 50_000_000


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


@linux_only
def test_a_thousand_silent_readers_cost_little_and_delay_nobody() -> None:
    """They ask for much and read nothing. What the journal keeps of their writes is counted too."""
    count = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 100:
        pytest.skip(f"no process may open {count} sockets here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 100), hard))
    try:
        with Served() as server, contextlib.ExitStack() as clients:
            exchange(server.port, body=STREAM)
            before = resident_bytes(server.pid)
            asked = wire(body=STREAM, mock="tokens=100000")
            for _ in range(count):
                silent = clients.enter_context(socket.socket())
                silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                silent.connect(("127.0.0.1", server.port))
                silent.sendall(asked)
            server.until(lambda: state_of(server)["running"] == count, "take them all")
            server.until(lambda: is_quiet(server, count), "fill all their sockets")
            grown = resident_bytes(server.pid) - before
            assert exchange(server.port, body={**STREAM, "stream": False}).status == 200
            clients.close()
            server.until(lambda: state_of(server)["running"] == 0, "see them leave")
            entries = exchange(server.port, "/_mock/journal").value[-count:]
            assert {entry["outcome"] for entry in entries} <= {"client-left", "complete"}
            assert sum(entry["outcome"] == "client-left" for entry in entries) >= count - 2
            assert sum(entry["blocked_ns"] > 0 for entry in entries) >= count - 2
            assert server.terminate().err == ""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert grown < count * 50_000, f"{grown / count:.0f} bytes each"


def state_of(server: Served) -> dict[str, int]:
    return dict(exchange(server.port, "/_mock/state").value)


def is_quiet(server: Served, count: int) -> bool:
    """Tell whether all the last `count` streams are stuck: until it answers us, the server gives each of them turns."""
    sent = []
    for _ in range(2):
        entries = exchange(server.port, f"/_mock/journal?writes=0&limit={count}").value
        sent.append([entry["sent_bytes"] for entry in entries])
    return sent[0] == sent[1] and min(sent[0]) > 0


# --------------------------------------------------------------------------------------------------------------- TLS


async def test_tls_clients_that_leave_or_speak_no_tls() -> None:
    from streamkit.http.tls import throwaway_certificate

    certificate = throwaway_certificate("127.0.0.1")
    trust = ssl.create_default_context(cadata=certificate.authority_pem.decode())
    async with open_mockserver(tls=certificate.context, tokens=3) as mock:
        endings = Endings(mock)

        async def whole() -> Answer:
            with connection(mock) as stream, trio.fail_after(PATIENCE_S):
                secure = trio.SSLStream(stream, trust, server_hostname="127.0.0.1")
                await secure.send_all(request_bytes(CHAT_PATH, STREAM, headers={"Connection": "close"}))
                got = bytearray()
                with contextlib.suppress(trio.BrokenResourceError):
                    while data := await secure.receive_some():
                        got += data
            assert bytes(endings.ended[-1].sent) == got
            return Answer(body=bytes(got))

        assert (await whole()).body.endswith(b"0\r\n\r\n")
        for data in (b"", b"\x16", b"GET / HTTP/1.1\r\n\r\n", bytes(1000)):
            with connection(mock) as stream:
                await stream.send_all(data)
                await stream.send_eof()
                await read_to_the_end(stream)
        assert (await whole()).body.endswith(b"0\r\n\r\n")
        assert len(endings.ended) == 2
