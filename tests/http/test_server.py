"""The server, from the client's end: what it answers to bytes in any pieces, and that nothing ends it."""

from __future__ import annotations

import math
import tracemalloc
from functools import partial
from itertools import pairwise

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.http.head import BadHead
from streamkit.http.limits import Limits
from streamkit.http.memory import memory_pair
from streamkit.http.server import Exchange, Left, Request, serve_connection
from tests.http.peers import GET, LAST, answer, connect, echo, listening, read_all, read_exactly, reply, served, talk

STREAM = (
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    b"\r\nPOST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"
    b"GET /c HTTP/1.1\r\nHost: a\r\n\r\n"
    b"GET /d HTTP/1.0\r\n\r\n"
)
ANSWERS = answer(b"POST /a hello") + answer(b"POST /b abcde") + answer(b"GET /c ") + answer(b"GET /d ")


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
@settings(max_examples=30)
def test_how_requests_are_cut_changes_nothing(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert trio.run(lambda: talk(*pieces), clock=trio.testing.MockClock(autojump_threshold=0)) == ANSWERS


async def test_requests_byte_by_byte(autojump_clock: trio.testing.MockClock) -> None:
    assert await talk(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == ANSWERS


async def test_a_request_says_all_about_itself(autojump_clock: trio.testing.MockClock) -> None:
    seen: list[Request] = []

    async def keep(exchange: Exchange) -> None:
        await trio.sleep(1)
        await exchange.read_body()
        seen.append(exchange.request)
        await reply(exchange, b"")

    head = b"POST http://h/a%20b?c=d HTTP/1.1\r\nhOsT: h\r\nX: 1\r\nx: 2\r\nContent-Length: 2\r\n\r\n"
    async with served(keep) as client:
        await client.send_all(head[:20])
        await trio.sleep(3)
        await client.send_all(head[20:] + b"1")
        await trio.sleep(5)
        await client.send_all(b"2")
        await read_exactly(client, len(answer(b"")))
        await client.send_all(LAST)
        await read_all(client)
    first, second = seen
    assert (first.method, first.target, first.path, first.query) == ("POST", "http://h/a%20b?c=d", "/a b", "c=d")
    assert (first.head, first.version, first.connection, first.number) == (head, "1.1", 1, 1)
    assert (first.get("host"), first.get("X"), first.get("none")) == ("h", "1, 2", None)
    assert first.arrived_ns == first.kernel_ns == 8_000_000_000
    assert (second.number, second.kernel_ns) == (2, 8_000_000_000)


# ---------------------------------------------------------------------------------------------------- what is refused

REFUSED = {
    "TLS": (b"\x16\x03\x01\x02\x00\x01", 400),
    "garbage": (b"\0\0\0", 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "long target": (b"GET /" + b"a" * 70_000, 414),
    "long head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000, 431),
    "long head, whole": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 20_000, 431),
    "blank lines": (b"\r\n" * 100, 400),
    "transfer coding": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "announced too long": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413),
    "too long": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"a" * 1001, 413),
    "bad chunk": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "late head": (b"GET / HTTP/1.1\r\n", 408),
    "late body": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", 408),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_request_is_refused(sent: bytes, status: int, autojump_clock: trio.testing.MockClock) -> None:
    pieces = [sent[at : at + 16384] for at in range(0, len(sent), 16384)]
    got = await talk(*pieces, limits=Limits(max_body_bytes=1000))
    assert got.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in got
    assert got.count(b"HTTP/1.1") == 1 + (status == 505)


@pytest.mark.parametrize("size", [1, 20, len(GET) + 30])
async def test_a_client_that_stops_in_the_middle(size: int, autojump_clock: trio.testing.MockClock) -> None:
    sent = (GET + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc")[:size]
    async with served() as client:
        await client.send_all(sent)
        await client.send_eof()
        assert b"HTTP/1.1 400 Bad Request" in await read_all(client)


@pytest.mark.parametrize("before", [b"", GET, b"\r\n"])
async def test_a_silent_client_is_left_without_a_word(before: bytes, autojump_clock: trio.testing.MockClock) -> None:
    got = await talk(before)
    assert got == (answer(b"GET / ") if before == GET else b"")
    assert trio.current_time() < 100


async def test_a_slow_head_has_one_deadline(autojump_clock: trio.testing.MockClock) -> None:
    async with served() as client, trio.open_nursery() as nursery:

        async def drip() -> None:
            for at in range(len(GET)):
                await client.send_all(GET[at : at + 1])
                await trio.sleep(2)

        nursery.start_soon(drip)
        assert b" 408 " in await read_all(client)
        assert trio.current_time() < 35
        nursery.cancel_scope.cancel()


# ------------------------------------------------------------------------------------------------------ 100 and bodies

EXPECTING = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_a_client_that_waits_for_100_gets_it() -> None:
    async with served() as client:
        await client.send_all(EXPECTING)
        assert await read_exactly(client, len(CONTINUE)) == CONTINUE
        await client.send_all(b"abc" + LAST)
        assert await read_all(client) == answer(b"POST / abc") + answer(b"GET / ")


async def test_a_client_that_did_not_wait_for_100_gets_none() -> None:
    assert await talk(EXPECTING + b"abc" + LAST) == answer(b"POST / abc") + answer(b"GET / ")


async def test_no_100_where_the_body_is_not_wanted(autojump_clock: trio.testing.MockClock) -> None:
    async def refuse(exchange: Exchange) -> None:
        await reply(exchange, b"no")

    assert await talk(EXPECTING, handler=refuse) == answer(b"no")


async def test_a_body_too_long_is_refused_before_100(autojump_clock: trio.testing.MockClock) -> None:
    assert b" 413 " in (await talk(EXPECTING, limits=Limits(max_body_bytes=2))).splitlines()[0]


async def test_a_body_that_nobody_reads_is_skipped() -> None:
    async def ignore(exchange: Exchange) -> None:
        await reply(exchange, exchange.request.method.encode())

    sent = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + LAST
    assert await talk(sent, handler=ignore) == answer(b"POST") + answer(b"GET")


async def test_an_endless_body_that_nobody_reads_ends_the_connection(autojump_clock: trio.testing.MockClock) -> None:
    async def ignore(exchange: Exchange) -> None:
        await reply(exchange, exchange.request.method.encode())

    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n"
    async with served(ignore) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, head + bytes(1_000_000))
        assert await read_all(client) == answer(b"POST")


async def test_a_body_comes_read_by_read_with_its_trailers(autojump_clock: trio.testing.MockClock) -> None:
    reads: list[tuple[bytes, int]] = []
    trailers: list[tuple[str, str]] = []

    async def keep(exchange: Exchange) -> None:
        assert exchange.body_framing == "chunked"
        while read := await exchange.receive_body():
            reads.append((read.data, read.read_ns // 10**9))
        assert await exchange.receive_body() is None
        trailers.extend(exchange.trailers)
        assert exchange.body_framing == "chunked"
        await reply(exchange, b"")

    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with served(keep) as client:
        for piece in (head, b"3\r\nabc\r\n2\r", b"\nd", b"e\r\n1\r\nf\r\n", b"0\r\nX-Sum: 7\r\n", b"\r\n"):
            await client.send_all(piece)
            await trio.sleep(1)
        await read_all(client)
    assert reads == [(b"abc", 1), (b"d", 2), (b"ef", 3)]
    assert trailers == [("X-Sum", "7")]


@pytest.mark.parametrize("kind", ["counted", "chunked"])
async def test_a_cancelled_read_of_a_body_loses_nothing(kind: str, autojump_clock: trio.testing.MockClock) -> None:
    async def impatient(exchange: Exchange) -> None:
        got = b""
        while len(got) < 50:
            with trio.move_on_after(0.3):
                read = await exchange.receive_body()
                got += read.data if read else b""
        await reply(exchange, got + await exchange.read_body())

    framing = b"Content-Length: 50" if kind == "counted" else b"Transfer-Encoding: chunked"
    body = bytes(range(50)) if kind == "counted" else b"32\r\n" + bytes(range(50)) + b"\r\n0\r\n\r\n"
    async with served(impatient) as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + framing + b"\r\n\r\n")
        for at in range(len(body)):
            await client.send_all(body[at : at + 1])
            await trio.sleep(1)
        assert await read_all(client) == answer(bytes(range(50)))


async def test_a_handler_may_answer_the_expectation_itself(autojump_clock: trio.testing.MockClock) -> None:
    seen: list[bool] = []

    async def forward(exchange: Exchange) -> None:
        assert exchange.body_framing in {0, 3}
        seen.append(exchange.expects_continue)
        if exchange.expects_continue:
            await exchange.stream.send_all(b"HTTP/1.1 103 Early Hints\r\n\r\n" + CONTINUE)
        body = b""
        while read := await exchange.receive_body(auto_continue=False):
            seen.append(exchange.expects_continue)
            body += read.data
        await reply(exchange, body)

    interims = b"HTTP/1.1 103 Early Hints\r\n\r\n" + CONTINUE
    assert await talk(EXPECTING, b"abc", LAST, handler=forward) == interims + answer(b"abc") + answer(b"")
    assert seen == [True, False, False]


@pytest.mark.parametrize("end", ["", "read"])
async def test_without_100_no_request_may_follow_unless_the_body_came(
    end: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Whether the client sends the body then nobody knows, and what comes could be either."""

    async def refuse(exchange: Exchange) -> None:
        if end:
            await exchange.receive_body(auto_continue=False)
        await reply(exchange, b"")

    wanted = answer(b"") * (2 if end else 1)
    assert await talk(EXPECTING, b"abc" + LAST, handler=refuse) == wanted


# ------------------------------------------------------------------------------------------------------ who leaves how


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_client_that_leaves_is_noticed_while_it_is_answered(how: str) -> None:
    seen: list[Left] = []

    done = trio.Event()

    async def wait(exchange: Exchange) -> None:
        seen.append(await exchange.wait_left())
        seen.append(await exchange.wait_left())
        done.set()

    async with listening(wait) as listener:
        client = await connect(listener)
        await client.send_all(GET)
        with trio.fail_after(5):
            if how == "fin":
                await client.aclose()
            client.abort()
            await done.wait()
    assert [left.how for left in seen] == [how, how]


async def test_requests_sent_ahead_are_kept_while_the_client_is_watched(autojump_clock: trio.testing.MockClock) -> None:
    async def watch(exchange: Exchange) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange.wait_left)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        await echo(exchange)

    ahead = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(50)) + LAST
    wanted = answer(b"GET / ") + b"".join(answer(b"GET /%d " % number) for number in range(50)) + answer(b"GET / ")
    pieces = [ahead[at : at + 7] for at in range(0, len(ahead), 7)]
    assert await talk(GET, *pieces, handler=watch) == wanted


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_client_that_sends_too_much_ahead_is_still_seen_leaving(
    how: str, autojump_clock: trio.testing.MockClock
) -> None:
    seen: list[tuple[str, int, bool]] = []

    async def watch(exchange: Exchange) -> None:
        assert not exchange.has_overflowed
        left = await exchange.wait_left()
        seen.append((left.how, left.at_ns, exchange.has_overflowed))

    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, server, watch)
        await client.send_all(GET)
        tracemalloc.start()
        for _ in range(200):
            await client.send_all(bytes(65536))
        await trio.sleep(7)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if how == "fin":
            await client.aclose()
        else:
            client.abort()
    assert seen == [(how, 7_000_000_000, True)]
    assert peak_bytes < 2_000_000  # of the 13 MB that were sent


async def watch_first(exchange: Exchange) -> None:
    """Watch the client for a second, then answer."""
    with trio.move_on_after(1):
        await exchange.wait_left()
    await reply(exchange, exchange.request.path.encode())


@pytest.mark.parametrize("size", [60_000, 200_000])
async def test_after_too_much_ahead_no_other_request_is_served(
    size: int, autojump_clock: trio.testing.MockClock
) -> None:
    """What comes next could be the middle of anything: a body that says it is a request, for instance."""
    async with served(watch_first) as client:
        await client.send_all(GET)
        head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
        await client.send_all(head)
        for _ in range(0, size, 10_000):
            await client.send_all(bytes(10_000))
        assert await read_exactly(client, len(answer(b"/"))) == answer(b"/")
        await client.send_all(LAST)
        assert await read_all(client) == (answer(b"/a") + answer(b"/") if size < 65536 else b"")


async def test_an_unread_body_counts_as_sent_ahead(autojump_clock: trio.testing.MockClock) -> None:
    errors: list[Exception] = []

    async def read_too_late(exchange: Exchange) -> None:
        with trio.move_on_after(1):
            await exchange.wait_left()
        await echo(exchange)

    for size, status in ((60_000, b"200"), (200_000, b"500")):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
        pieces = [bytes(10_000)] * (size // 10_000)
        got = await talk(head, *pieces, handler=read_too_late, errors=errors)
        assert got.startswith(b"HTTP/1.1 %b " % status)
    assert [str(error) for error in errors] == [
        "the body was thrown away: it has to be read before the client is watched"
    ]


async def test_a_half_closed_client_gets_its_answers() -> None:
    async with served() as client:
        await client.send_all(GET + GET)
        await client.send_eof()
        assert await read_all(client) == answer(b"GET / ") * 2


async def test_an_answer_survives_input_that_nobody_reads() -> None:
    """Closing with unread input would reset the connection, and the answer with it."""

    async def refuse(exchange: Exchange) -> None:
        exchange.keep_alive = False
        await exchange.stream.send_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(100_000))

    async with listening(refuse) as listener:
        client = await connect(listener)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, head + bytes(2_000_000))
            await trio.sleep(0.02)
            assert len(await read_all(client)) > 100_000
        await client.aclose()


# -------------------------------------------------------------------------------------------------- handlers that fail


async def test_a_handler_that_fails_before_its_answer() -> None:
    errors: list[Exception] = []

    async def broken(exchange: Exchange) -> None:
        raise ZeroDivisionError

    assert (await talk(GET, handler=broken, errors=errors)).startswith(b"HTTP/1.1 500 ")
    assert [type(error) for error in errors] == [ZeroDivisionError]


async def test_a_handler_that_fails_in_its_answer_resets() -> None:
    errors: list[Exception] = []

    async def broken(exchange: Exchange) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange.wait_left)
            await exchange.stream.send_all(b"HTTP/1.1 200 OK\r\n\r\nhalf")
            raise ZeroDivisionError

    with pytest.RaisesGroup(trio.BrokenResourceError, flatten_subgroups=True):
        await talk(GET, handler=broken, errors=errors)
    assert [type(error) for error in errors] == [ZeroDivisionError]


async def test_a_refusal_in_a_nursery_is_a_refusal() -> None:
    async def refuse(exchange: Exchange) -> None:
        async with trio.open_nursery():
            raise BadHead(413, "too much")

    assert (await talk(GET, handler=refuse)).startswith(b"HTTP/1.1 413 ")


async def test_a_stopped_server_resets_what_it_was_answering() -> None:
    client, server = memory_pair()

    async def half(exchange: Exchange) -> None:
        await exchange.stream.send_all(b"HTTP/1.0 200 OK\r\n\r\nhalf")
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, server, half)
        await client.send_all(GET)
        await client.receive()
        nursery.cancel_scope.cancel()
    with pytest.raises(trio.BrokenResourceError):
        await client.receive()


async def test_a_stop_and_an_error_at_once_are_both_heard() -> None:
    errors: list[Exception] = []
    client, server = memory_pair()

    async def fail_when_cancelled(exchange: Exchange) -> None:
        async def wait() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ZeroDivisionError

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await exchange.stream.send_all(b"HTTP/1.0 200 OK\r\n\r\nhalf")
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_connection, server, fail_when_cancelled, on_error=errors.append))
        await client.send_all(GET)
        await client.receive()
        nursery.cancel_scope.cancel()
    assert [type(error) for error in errors] == [ZeroDivisionError]
    with pytest.raises(trio.BrokenResourceError):
        await client.receive()


async def test_a_stopped_server_closes_what_waits() -> None:
    async with listening() as listener:
        client = await connect(listener)
        await client.send_all(GET)
        await read_exactly(client, len(answer(b"GET / ")))
        port = listener.port
    assert (await client.receive()).data == b""
    await client.aclose()
    with pytest.raises(OSError, match="failed"):
        await trio.open_tcp_stream("127.0.0.1", port)


# ------------------------------------------------------------------------------------------------------- many, and odd


async def test_one_connection_too_many_is_told_so() -> None:
    async with listening(limits=Limits(max_connections=1)) as listener:
        first = await connect(listener)
        await first.send_all(GET)
        await read_exactly(first, len(answer(b"GET / ")))
        second = await connect(listener)
        await second.send_all(GET)
        assert (await read_all(second)).startswith(b"HTTP/1.1 503 ")
        await first.aclose()
        await second.aclose()
        with trio.fail_after(5):
            while True:
                third = await connect(listener)
                await third.send_all(LAST)
                got = await read_all(third)
                await third.aclose()
                if got == answer(b"GET / "):
                    break


async def test_clients_that_leave_at_any_moment_do_no_harm() -> None:
    sent = STREAM[: STREAM.index(b"GET /c")]

    async def leave(size: int, *, by_reset: bool) -> None:
        client = await connect(listener)
        await client.send_all(sent[:size])
        if size % 3 == 0:
            await trio.sleep(0.001)
        if by_reset:
            client.abort()
        else:
            await client.aclose()

    async with listening() as listener:
        for start in range(1, len(sent), 16):
            async with trio.open_nursery() as nursery:
                for size in range(start, min(start + 16, len(sent))):
                    nursery.start_soon(partial(leave, size, by_reset=True))
                    nursery.start_soon(partial(leave, size, by_reset=False))
        client = await connect(listener)
        await client.send_all(LAST)
        assert await read_all(client) == answer(b"GET / ")
        await client.aclose()


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([GET, b"\r\n", b"POST / HTTP/1.1\r\n", b"0\r\n"]))))
@settings(max_examples=50)
def test_no_bytes_end_the_server(pieces: list[bytes]) -> None:
    async def main() -> None:
        async with served(limits=Limits(max_head_bytes=200)) as client:
            try:
                for piece in pieces:
                    await client.send_all(piece)
                await client.send_eof()
                got = await read_all(client)
            except trio.BrokenResourceError:
                return
            assert not got or got.startswith(b"HTTP/1.1 ")

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_limits_can_be_lifted(autojump_clock: trio.testing.MockClock) -> None:
    async with served(limits=Limits(idle_timeout_s=math.inf, head_timeout_s=math.inf)) as client:
        await trio.sleep(10**6)
        await client.send_all(LAST)
        assert await read_all(client) == answer(b"GET / ")
