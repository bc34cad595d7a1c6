"""A stream that is seen does as the stream behind it does, and shows what was sent and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from streamkit.http.clock import now_ns
from streamkit.http.memory import memory_pair
from streamkit.http.stream import WireStream
from streamkit.http.tls import ThrowawayCertificate, TLSStream, throwaway_certificate
from streamkit.watch.moments import Moment
from streamkit.watch.seen import SEES, SeenStream
from tests.http.peers import connected
from tests.http.test_streams import clog

pytest.importorskip("trustme")

KINDS = ["memory", "socket", "tls"]


@pytest.fixture(scope="module")
def certificate() -> ThrowawayCertificate:
    return throwaway_certificate()


async def pair(kind: str, certificate: ThrowawayCertificate) -> tuple[WireStream, WireStream]:
    """A stream and its other end."""
    if kind == "memory":
        return memory_pair()
    left, right = await connected()
    if kind == "socket":
        return left, right
    client = TLSStream(left, certificate.client_context(), server_hostname="localhost")
    server = TLSStream(right, certificate.context)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, b"hello")
        assert await server.receive_some() == b"hello"
    return client, server


@contextmanager
def seeing() -> Iterator[list[Moment]]:
    moments: list[Moment] = []
    token = SEES.set(moments.append)
    try:
        yield moments
    finally:
        SEES.reset(token)


@pytest.mark.parametrize("kind", ["memory", "socket"])
async def test_trio_calls_it_a_stream(kind: str, certificate: ThrowawayCertificate) -> None:
    async def plain() -> tuple[SeenStream, SeenStream]:
        left, right = await pair(kind, certificate)
        return SeenStream(left, "upstream"), SeenStream(right, "client")

    async def clogged() -> tuple[SeenStream, SeenStream]:
        left, right = await pair(kind, certificate)
        await clog(left)
        await clog(right)
        return SeenStream(left, "upstream"), SeenStream(right, "client")

    with seeing():
        await trio.testing.check_half_closeable_stream(plain, clogged)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_sent_and_read_is_shown(kind: str, certificate: ThrowawayCertificate) -> None:
    inner, other = await pair(kind, certificate)
    stream = SeenStream(inner, "upstream")
    with trio.fail_after(30), seeing() as moments:
        began_ns = now_ns()
        assert stream.peer == inner.peer
        already = inner.sent_bytes
        assert stream.send_now(b"one") == 3
        await stream.send_all(memoryview(b"two"))
        await stream.send_all(b"")
        got = b""
        while len(got) < 6:
            got += await other.receive_some()
        assert got == b"onetwo"
        assert stream.is_quiet() == inner.is_quiet()
        assert stream.unsent_bytes() == inner.unsent_bytes()
        await other.send_all(b"three")
        read = await stream.receive()
        assert (stream.sent_bytes, stream.blocked_ns, stream.resumed_ns) == (already + 6, 0, 0)
        if kind != "tls":
            await other.send_eof()
            assert (await stream.receive()).data == b""
            assert not stream.is_truncated
        stream.abort()
        ended_ns = now_ns()
    assert [(each.what, each.data) for each in moments[:3]] == [("sent", b"one"), ("sent", b"two"), ("read", b"three")]
    assert [each.what for each in moments[3:]] == (["abort"] if kind == "tls" else ["end", "abort"])
    assert {(each.side, each.done_ns) for each in moments} == {("upstream", None)}
    assert len({each.connection for each in moments}) == 1
    assert (moments[2].at_ns, moments[2].kernel_ns, moments[2].segments) == (
        read.read_ns,
        read.kernel_ns,
        read.segments,
    )
    times = [each.at_ns for each in moments]
    assert [began_ns, *times, ended_ns] == sorted([began_ns, *times, ended_ns])
    await other.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_write_that_has_to_wait_says_until_when(kind: str, certificate: ThrowawayCertificate) -> None:
    inner, other = await pair(kind, certificate)
    stream = SeenStream(inner, "client")
    data = bytes(8 << 20)
    with trio.fail_after(30), seeing() as moments:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, data)
            await trio.testing.wait_all_tasks_blocked(0.01)
            size = 0
            while size < len(data):
                size += len(await other.receive_some())
        assert stream.blocked_ns == inner.blocked_ns > 0
    (sent,) = moments
    assert sent.data == data
    assert sent.done_ns is not None
    assert sent.done_ns >= stream.resumed_ns > sent.at_ns
    stream.abort()
    await other.aclose()


@pytest.mark.parametrize("kind", ["memory", "socket"])
async def test_of_a_write_that_is_cancelled_the_part_that_went_is_shown(
    kind: str, certificate: ThrowawayCertificate
) -> None:
    inner, other = await pair(kind, certificate)
    stream = SeenStream(inner, "client")
    data = bytes(range(256)) * (1 << 15)
    with trio.fail_after(30), seeing() as moments, trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, data)
            await trio.testing.wait_all_tasks_blocked(0.01)
            scope.cancel()
    (sent,) = moments
    assert 0 < len(sent.data) == inner.sent_bytes < len(data)
    assert data.startswith(sent.data)
    stream.abort()
    await other.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reset_is_shown_and_raised(kind: str, certificate: ThrowawayCertificate) -> None:
    inner, other = await pair(kind, certificate)
    stream = SeenStream(inner, "upstream")
    with trio.fail_after(30), seeing() as moments:
        other.abort()
        await stream.wait_reset()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive()
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")
    assert [each.what for each in moments] == ["reset"]
    await stream.aclose()


async def test_what_is_kept_does_not_change_with_the_buffer_that_was_sent() -> None:
    inner, other = memory_pair()
    stream = SeenStream(inner, "client")
    buffer = bytearray(b"first")
    with seeing() as moments:
        await stream.send_all(buffer)
        buffer[:] = b"other"
        assert stream.send_now(memoryview(buffer)) == 5
        buffer.clear()
    assert [each.data for each in moments] == [b"first", b"other"]
    stream.abort()
    await other.aclose()


async def test_it_goes_to_whoever_it_is_for_and_to_nobody_otherwise() -> None:
    inner, other = memory_pair()
    stream = SeenStream(inner, "upstream")
    await stream.send_all(b"nobody's")
    with seeing() as first:
        await stream.send_all(b"first's")

        async def task() -> None:
            await stream.send_all(b"first's too")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)
            with seeing() as second:
                stream.send_now(b"second's")
    assert sorted(each.data for each in first) == [b"first's", b"first's too"]
    assert [each.data for each in second] == [b"second's"]
    stream.abort()
    await other.aclose()
