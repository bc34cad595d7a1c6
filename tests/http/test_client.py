"""A connection from the client's side: what it makes of whatever a server sends, in any pieces, to whatever end."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h11
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.errors import DisconnectedError, ProtocolError
from streamkit.http.client import ClientConnection
from streamkit.http.memory import MemoryStream, memory_pair
from streamkit.http.stream import SocketStream, TimedRead, WireStream
from streamkit.http.tls import TLSStream, throwaway_certificate
from tests.http.peers import connected, listening, read_exactly
from tests.http.test_unframe import pieces_of

ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def conversation() -> tuple[ClientConnection, MemoryStream]:
    """A connection, and the server's end of it."""
    ours, theirs = memory_pair()
    return ClientConnection(ours), theirs


async def rest_of(connection: ClientConnection) -> bytes:
    payload = b""
    while (read := await connection.receive()) is not None:
        assert read.data
        payload += read.data
    return payload


async def whole(connection: ClientConnection, method: str = "GET") -> tuple[list[int], bytes]:
    """The statuses and the payload of one response."""
    statuses: list[int] = []
    while not statuses or statuses[-1] < 200:
        statuses.append((await connection.receive_head(method)).status)
    return statuses, await rest_of(connection)


# ------------------------------------------------------------------------------------------------------ whole responses

FIRST = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    + CHUNKED
    + b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\n\r\n"
)
SECOND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"
THIRD = b"HTTP/1.1 200 OK\r\n\r\nuntil the end"


@given(st.lists(st.integers(0, 500), max_size=8))
@settings(max_examples=50)
def test_how_responses_are_cut_changes_nothing(cuts: list[int]) -> None:
    async def main() -> None:
        connection, server = conversation()
        seen: list[bytes] = []
        connection.tap = lambda read: seen.append(read.data)

        async def answer_all() -> None:
            for wire in (FIRST, SECOND, THIRD):
                assert await read_exactly(server, len(ASK)) == ASK
                for piece in pieces_of(wire, cuts):
                    await server.send_all(piece)
            await server.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_all)
            await connection.send(ASK)
            assert await whole(connection) == ([100, 103, 200], b"abcde")
            assert connection.trailers == [("X-Sum", "7")]
            assert connection.is_reusable
            await connection.send(ASK[:10], ASK[10:])
            assert await whole(connection) == ([404], b"hello")
            assert (connection.trailers, connection.is_reusable, connection.requests) == ([], True, 2)
            await connection.send(ASK)
            assert await whole(connection) == ([200], b"until the end")
            assert (connection.is_complete, connection.is_reusable) == (True, False)
            assert await connection.receive() is None
        assert b"".join(seen) == FIRST + SECOND + THIRD
        assert all(seen)
        await connection.aclose()

    trio.run(main)


async def test_each_piece_comes_with_the_stamps_of_its_read(autojump_clock: trio.testing.MockClock) -> None:
    connection, server = conversation()
    sent = [CHUNKED[:30], CHUNKED[30:] + b"1\r\na\r\n", b"2\r\nbc\r\n", b"1\r", b"\nd\r\n", b"0\r\n\r\n"]

    async def send() -> None:
        for piece in sent:
            await trio.sleep(1)
            await server.send_all(piece)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        head = await connection.receive_head("GET")
        assert (head.status, connection.last_read.data) == (200, sent[1])
        held = connection.receive_held()
        assert held == TimedRead(b"a", 2_000_000_000, 2_000_000_000, 1)
        assert connection.receive_held() is None
        reads = [await connection.receive() for _ in range(3)]
    assert reads == [TimedRead(b"bc", 3 * 10**9, 3 * 10**9, 1), TimedRead(b"d", 5 * 10**9, 5 * 10**9, 1), None]
    assert (connection.last_read.data, connection.last_read.read_ns) == (b"0\r\n\r\n", 6 * 10**9)
    await connection.aclose()


async def test_the_last_piece_tells_that_it_is_the_last() -> None:
    connection, server = conversation()
    await server.send_all(CHUNKED + b"1\r\na\r\n")
    await server.send_all(b"1\r\nb\r\n0\r\n\r\n")
    await connection.receive_head("GET")
    assert not connection.is_complete
    assert (held := connection.receive_held()) is not None
    assert (held.data, connection.is_complete) == (b"a", False)
    assert (last := await connection.receive()) is not None
    assert (last.data, connection.is_complete) == (b"b", True)
    await connection.aclose()


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", CHUNKED),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("behind", [b"", b"x"])
async def test_a_response_without_a_body_is_complete_with_its_head(method: str, head: bytes, behind: bytes) -> None:
    connection, server = conversation()
    await server.send_all(head + behind)
    await connection.receive_head(method)
    assert connection.is_complete
    assert connection.receive_held() is None
    assert await connection.receive() is None
    assert connection.is_reusable is not bool(behind)
    await connection.aclose()


@pytest.mark.parametrize(
    ("wire", "is_reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na", True),
        (CHUNKED + b"1\r\na\r\n0\r\n\r\n", True),
        (CHUNKED + b"1\r\na\r\n0\r\n\r\n\r\n", False),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
async def test_which_connections_may_be_used_again(wire: bytes, is_reusable: bool, step: int) -> None:
    connection, server = conversation()
    assert not connection.is_reusable
    await connection.send(ASK)
    for at in range(0, len(wire), step):
        await server.send_all(wire[at : at + step])
    assert await whole(connection) == ([200], b"a")
    assert (connection.is_reusable and connection.stream.is_quiet()) is is_reusable
    await connection.aclose()
    assert not connection.is_reusable


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("GET", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        ("CONNECT", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        ("CONNECT", CHUNKED),
    ],
)
async def test_behind_a_switch_of_protocols_all_bytes_are_the_other_ones(method: str, head: bytes) -> None:
    connection, server = conversation()
    await server.send_all(head + b"any")
    await connection.receive_head(method)
    await server.send_all(b" bytes")
    await server.aclose()
    assert await rest_of(connection) == b"any bytes"
    assert not connection.is_reusable
    await connection.aclose()


async def test_a_refused_connect_has_a_body() -> None:
    connection, server = conversation()
    await server.send_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    assert await whole(connection, "CONNECT") == ([403], b"no")
    assert connection.is_reusable
    await connection.aclose()


# ------------------------------------------------------------------------------------------------------------- bad ones

REFUSED = {
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", "this is no HTTP: b'S"),
    "one byte": (b"\x15", "this is no HTTP"),
    "HTTP/0.9": (b"<html>", "this is no HTTP"),
    "blank line first": (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "this is no HTTP"),
    "HTTP/2": (b"HTTP/2 200 OK\r\n\r\n", "no status line"),
    "bare LF": (b"HTTP/1.1 200 OK\n", "LF"),
    "both lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "both Content-Length and Transfer-Encoding",
    ),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "several Content-Lengths"),
    "chunked in 1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0 has no"),
    "folded": (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "folded"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "no status line"),
    "long": (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 500 + b"\r\n\r\n", "longer than the limit of 200 bytes"),
    "long without end": (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 500, "longer than the limit of 200 bytes"),
}


@pytest.mark.parametrize(("wire", "reason"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("step", [1, 1000])
async def test_a_head_that_is_none_is_refused_at_once(wire: bytes, reason: str, step: int) -> None:
    connection, server = conversation()
    connection.max_head_bytes = 200
    for at in range(0, len(wire), step):
        await server.send_all(wire[at : at + step])
    with pytest.raises(ProtocolError, match=reason), trio.fail_after(5):
        await connection.receive_head("GET")
    assert not connection.is_reusable
    await connection.aclose()


async def test_a_head_may_be_as_long_as_the_limit() -> None:
    head = b"HTTP/1.1 200 OK\r\nA: " + b"b" * 176 + b"\r\n\r\n"
    connection, server = conversation()
    connection.max_head_bytes = len(head)
    await server.send_all(head + b"body")
    assert (await connection.receive_head("GET")).status == 200
    await connection.aclose()


async def test_what_came_before_a_broken_place_comes_out_before_the_error() -> None:
    connection, server = conversation()
    await server.send_all(CHUNKED + b"3\r\nabc\r\n+1\r\n")
    await connection.receive_head("GET")
    assert (read := await connection.receive()) is not None
    assert read.data == b"abc"
    for _ in range(2):
        with pytest.raises(ProtocolError, match=r"the body of the response is broken: .* hexadecimal"):
            await connection.receive()
    assert not connection.is_reusable
    await connection.aclose()


# ------------------------------------------------------------------------------------------------------- too early ends

CUT = {
    "counted": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "chunked": (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n", b"abcde"),
    "close": (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
}


async def cut(connection: ClientConnection, server: WireStream, wire: bytes, payload: bytes, *, by_reset: bool) -> None:
    """Let the server send `wire` and leave; check that the client calls it a cut, again and again."""
    await connection.send(ASK)
    await read_exactly(server, len(ASK))
    await server.send_all(wire)
    if by_reset:
        server.abort()
    else:
        await server.aclose()
    got = b""

    async def read_all() -> None:
        nonlocal got
        await connection.receive_head("GET")
        while (read := await connection.receive()) is not None:
            got += read.data

    with pytest.raises(DisconnectedError) as caught:
        await read_all()
    assert caught.value.is_reset is by_reset
    assert payload.startswith(got)
    assert connection.has_answered is bool(wire)
    assert not connection.is_complete
    assert not connection.is_reusable
    with pytest.raises(DisconnectedError) as again:
        await connection.receive()
    assert (str(again.value), again.value.is_reset) == (str(caught.value), by_reset)
    await connection.aclose()


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("framing", CUT)
async def test_an_end_at_any_byte_is_never_taken_for_the_end(framing: str, how: str) -> None:
    wire, payload = CUT[framing]
    by_reset = how == "reset"
    body = wire.index(b"\r\n\r\n") + 4
    for size in range(len(wire) + (framing == "close" and by_reset)):
        if framing == "close" and size >= body and not by_reset:
            break
        connection, server = conversation()
        await cut(connection, server, wire[:size], payload, by_reset=by_reset)


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("size", [0, 10, len(CHUNKED) + 4, len(CUT["chunked"][0]) - 1])
async def test_an_early_end_over_sockets(size: int, how: str) -> None:
    ours, theirs = await connected()
    wire, payload = CUT["chunked"]
    await cut(ClientConnection(ours), theirs, wire[:size], payload, by_reset=how == "reset")
    await theirs.aclose()


async def test_the_end_of_a_body_without_framing_is_its_end() -> None:
    connection, server = conversation()
    await server.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    await server.aclose()
    assert await whole(connection) == ([200], b"")
    await connection.aclose()


async def test_what_is_sent_to_a_server_that_left_is_lost() -> None:
    connection, server = conversation()
    server.abort()
    with pytest.raises(DisconnectedError, match="the connection to the server was lost: ") as caught:
        await connection.send(ASK)
    assert caught.value.is_reset
    await connection.aclose()


@pytest.mark.parametrize("has_goodbye", [True, False])
@pytest.mark.parametrize("framing", CUT)
async def test_over_tls_an_end_without_goodbye_ends_no_body(framing: str, has_goodbye: bool) -> None:
    pytest.importorskip("trustme")
    certificate = throwaway_certificate("localhost")
    ours, theirs = memory_pair()
    client = TLSStream(ours, certificate.client_context(), server_hostname="localhost")
    server = TLSStream(theirs, certificate.context)
    connection = ClientConnection(client)

    async def answer() -> None:
        await server.send_all(CUT[framing][0])
        await (server.send_eof() if has_goodbye else theirs.send_eof())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        assert (await connection.receive_head("GET")).status == 200
        if framing == "close" and not has_goodbye:
            with pytest.raises(DisconnectedError, match="without close_notify"):
                await rest_of(connection)
            with pytest.raises(DisconnectedError, match="without close_notify"):
                await rest_of(connection)
            assert not connection.is_complete
        else:
            assert await rest_of(connection) == CUT[framing][1]
    if framing == "close":
        assert client.is_truncated is not has_goodbye
    await connection.aclose()
    await server.aclose()


# ------------------------------------------------------------------------------------ cancelled, tapped, and left early


async def test_a_call_that_is_cancelled_has_lost_nothing(autojump_clock: trio.testing.MockClock) -> None:
    connection, server = conversation()

    async def drip() -> None:
        for at in range(len(FIRST)):
            await server.send_all(FIRST[at : at + 1])
            await trio.sleep(1)

    statuses: list[int] = []
    payload = b""
    cancelled = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        while not connection.is_complete:
            with trio.move_on_after(0.3) as scope:
                if statuses[-1:] == [200]:
                    read = await connection.receive()
                    payload += read.data if read else b""
                else:
                    statuses.append((await connection.receive_head("GET")).status)
            cancelled += scope.cancelled_caught
    assert (statuses, payload, connection.trailers) == ([100, 103, 200], b"abcde", [("X-Sum", "7")])
    assert cancelled > 3 * (len(FIRST) - 10)
    assert connection.is_reusable
    await connection.aclose()


async def test_a_tap_that_fails_is_heard_and_loses_nothing() -> None:
    connection, server = conversation()
    seen = b""

    def fail(read: TimedRead) -> None:
        nonlocal seen
        seen += read.data
        raise ZeroDivisionError

    connection.tap = fail
    pieces = [FIRST[at : at + 7] for at in range(0, len(FIRST), 7)]
    for piece in pieces:
        await server.send_all(piece)
    failures = 0
    statuses: list[int] = []
    payload = b""
    while not connection.is_complete:
        try:
            if statuses[-1:] == [200]:
                read = await connection.receive()
                payload += read.data if read else b""
            else:
                statuses.append((await connection.receive_head("GET")).status)
        except ZeroDivisionError:
            failures += 1
    assert (statuses, payload, seen, failures) == ([100, 103, 200], b"abcde", FIRST, len(pieces))
    await connection.aclose()


async def test_an_abort_is_a_reset_for_the_server() -> None:
    connection, server = conversation()
    await connection.send(ASK)
    connection.abort()
    connection.abort()
    assert await server.receive_some() == ASK
    with pytest.raises(trio.BrokenResourceError):
        await server.receive()
    with pytest.raises(trio.ClosedResourceError):
        await connection.receive_head("GET")


async def test_one_task_may_send_while_another_one_receives() -> None:
    connection, server = conversation()
    async with trio.open_nursery() as nursery:

        async def receive() -> None:
            assert await whole(connection) == ([404], b"hello")

        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        await connection.send(ASK)
        await server.send_all(SECOND)
    await connection.aclose()


# -------------------------------------------------------------------------------------------------------- other servers


class Handler(BaseHTTPRequestHandler):
    """Answers in the framing that the path names."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Expect"]:
            self.send_response_only(103)
            self.end_headers()
        self.send_response(200)
        if self.path == "/counted":
            self.send_header("Content-Length", str(len(body)))
        elif self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.close_connection = True
        self.end_headers()
        if self.path == "/chunked":
            for at in range(0, len(body), 1000):
                piece = body[at : at + 1000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextlib.contextmanager
def foreign_server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


async def test_the_standard_library_serves_us() -> None:
    body = bytes(range(256)) * 40
    with foreign_server() as port:
        sock = socket.create_connection(("127.0.0.1", port))
        connection = ClientConnection(SocketStream(sock))
        for path, statuses in (("/counted", [200]), ("/chunked", [100, 103, 200]), ("/close", [200])):
            expect = b"Expect: 100-continue\r\n" * (len(statuses) > 1)
            head = b"POST %b HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n" % (path.encode(), expect, len(body))
            await connection.send(head, b"" if expect else body)
            if expect:
                assert (await connection.receive_head("POST")).status == statuses.pop(0)
                await connection.stream.send_all(body)
            assert await whole(connection, "POST") == (statuses, body)
            assert connection.is_reusable is (path != "/close")
        await connection.aclose()


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=5), st.sampled_from(["chunked", "counted", "close"]))
@settings(max_examples=50)
def test_h11_serves_us(pieces: list[bytes], framing: str) -> None:
    body = b"".join(pieces)
    served = h11.Connection(h11.SERVER)
    served.receive_data(ASK)
    served.next_event()
    served.next_event()
    headers = {
        "chunked": [("Transfer-Encoding", "chunked")],
        "counted": [("Content-Length", str(len(body)))],
        "close": [("Connection", "close")],
    }[framing]
    if framing == "close":
        served = h11.Connection(h11.SERVER)
        served.receive_data(b"GET / HTTP/1.0\r\n\r\n")
        served.next_event()
        served.next_event()
    trailers = [("X-Sum", "7")] if framing == "chunked" else []
    wire = [served.send(h11.InformationalResponse(status_code=103, headers=[]))] if framing != "close" else []
    wire.append(served.send(h11.Response(status_code=200, headers=headers)))
    wire += [served.send(h11.Data(data=piece)) for piece in pieces]
    wire.append(served.send(h11.EndOfMessage(headers=trailers)))

    async def main() -> None:
        connection, server = conversation()
        await connection.send(ASK)
        for piece in wire:
            if piece:
                await server.send_all(piece)
        await server.send_eof()
        assert await whole(connection) == ([103, 200] if framing != "close" else [200], body)
        assert [(name.lower(), value) for name, value in connection.trailers] == [
            (name.lower(), value) for name, value in trailers
        ]
        await connection.aclose()

    trio.run(main)


@contextlib.asynccontextmanager
async def our_server() -> AsyncIterator[SocketStream]:
    async with listening() as listener:
        sock = trio.socket.socket()
        await sock.connect(("127.0.0.1", listener.port))
        stream = SocketStream(socket.socket(fileno=sock.detach()))
        yield stream
        await stream.aclose()


async def test_our_server_serves_us() -> None:
    async with our_server() as stream:
        connection = ClientConnection(stream)
        for number in range(3):
            await connection.send(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            assert await whole(connection) == ([200], b"GET /%d " % number)
            assert connection.is_reusable
