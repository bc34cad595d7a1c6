"""The streams: trio's own checks for streams, and what ours promise beyond them."""

from __future__ import annotations

import errno
import socket
import time

import pytest
import trio
import trio.testing

from streamkit.errors import ConfigError
from streamkit.http.clock import now_ns
from streamkit.http.limits import Limits
from streamkit.http.listener import Listener, open_listeners
from streamkit.http.memory import memory_pair
from streamkit.http.stream import SocketStream, TimedRead, WireStream
from tests.http.peers import connect, connected, read_all, read_exactly

PAIRS = ["socket", "memory"]


async def pair(kind: str) -> tuple[WireStream, WireStream]:
    if kind == "socket":
        return await connected()
    return memory_pair()


@pytest.fixture(params=PAIRS)
async def ends(request: pytest.FixtureRequest) -> tuple[WireStream, WireStream]:
    return await pair(request.param)


async def acknowledged(stream: WireStream) -> None:
    with trio.fail_after(5):
        while stream.unsent_bytes():  # noqa: ASYNC110 - the kernel has no event for it
            await trio.sleep(0.001)


async def clog(stream: WireStream) -> int:
    """Write until nothing more goes in: kernels move bytes on for a while."""
    size = quiet = 0
    while quiet < 3:
        taken = stream.send_now(bytes(65536))
        size += taken
        quiet = 0 if taken else quiet + 1
        await trio.sleep(0 if taken else 0.005)
    return size


@pytest.mark.parametrize("kind", PAIRS)
async def test_trio_calls_it_a_stream(kind: str) -> None:
    async def plain() -> tuple[WireStream, WireStream]:
        return await pair(kind)

    async def clogged() -> tuple[WireStream, WireStream]:
        left, right = await pair(kind)
        await clog(left)
        await clog(right)
        return left, right

    await trio.testing.check_half_closeable_stream(plain, clogged)


async def test_a_write_takes_what_fits_and_the_rest_can_wait(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    size = await clog(left)
    assert left.sent_bytes == size
    assert left.blocked_ns == 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.send_all, b"the rest")
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert await read_exactly(right, size + 8) == bytes(size) + b"the rest"
    assert left.sent_bytes == size + 8
    assert left.blocked_ns > 0
    await left.aclose()
    await right.aclose()


async def test_what_was_sent_before_a_reset_arrives(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    left.send_now(b"last words")
    left.abort()
    left.abort()
    assert await right.receive_some() == b"last words"
    with pytest.raises(trio.BrokenResourceError):
        await right.receive()
    with pytest.raises(trio.BrokenResourceError):
        right.send_now(b"x")
    for use in (left.receive, left.send_eof, lambda: left.send_all(b"x")):
        with pytest.raises(trio.ClosedResourceError):
            await use()
    with pytest.raises(trio.ClosedResourceError):
        left.send_now(b"x")
    await right.aclose()


async def test_a_reset_wakes_a_reader(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await right.receive()

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        left.abort()
    await right.aclose()


async def test_a_reset_that_a_write_has_met_is_no_end_for_a_reader(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends

    async def write_on() -> None:
        while True:
            right.send_now(b"x")
            await trio.lowlevel.checkpoint()

    left.abort()
    with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
        await write_on()
    with pytest.raises(trio.BrokenResourceError):
        await right.receive()
    await right.aclose()


async def test_a_reset_behind_a_half_close_can_be_waited_for(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    await left.send_eof()
    assert (await right.receive()).data == b""
    with trio.move_on_after(0.05) as waiting:
        await right.wait_reset()
    assert waiting.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(right.wait_reset)
        await trio.testing.wait_all_tasks_blocked()
        left.abort()
    await right.aclose()


async def test_our_own_end_wakes_our_own_reader(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await left.receive()

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        left.abort()
    await right.aclose()


async def test_closing_with_unread_input_resets(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    await left.send_all(b"never read")
    await right.wait_send_all_might_not_block()
    await trio.sleep(0.01)
    await right.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await left.receive()
    await left.aclose()


async def test_a_half_closed_stream_still_reads(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    await left.send_all(b"question")
    await left.send_eof()
    assert await read_all(right) == b"question"
    assert (await right.receive()).data == b""
    await right.send_all(b"answer")
    await right.aclose()
    assert await read_all(left) == b"answer"
    with pytest.raises(trio.ClosedResourceError):
        left.send_now(b"more")
    await left.aclose()


async def test_a_cancelled_read_loses_nothing(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    with trio.CancelScope() as scope:
        scope.cancel()
        await right.receive()
    await left.send_all(b"abc")
    with trio.CancelScope() as scope:
        scope.cancel()
        await right.receive()
    assert await read_exactly(right, 3) == b"abc"
    await left.aclose()
    await right.aclose()


async def test_bytes_that_nobody_took_are_unsent(ends: tuple[WireStream, WireStream]) -> None:
    left, right = ends
    assert left.unsent_bytes() == 0
    await clog(left)
    assert left.unsent_bytes()
    await left.send_eof()
    await read_all(right)
    await acknowledged(left)
    await left.aclose()
    await right.aclose()


async def quiet(stream: WireStream, *, wanted: bool) -> bool:
    """Whether the stream is as quiet as is wanted, before long: what a socket is sent takes a moment."""
    with trio.move_on_after(5):
        while stream.is_quiet() is not wanted:  # noqa: ASYNC110 - a socket has no event that takes nothing out of it
            await trio.sleep(0.001)
        return True
    return False


@pytest.mark.parametrize("what", ["bytes", "end", "reset", "closed"])
async def test_a_stream_with_nothing_to_read_is_quiet(ends: tuple[WireStream, WireStream], what: str) -> None:
    left, right = ends
    assert left.is_quiet()
    if what == "bytes":
        await right.send_all(b"abc")
    elif what == "end":
        await right.send_eof()
    elif what == "reset":
        right.abort()
    else:
        await left.aclose()
    assert await quiet(left, wanted=False)
    if what == "bytes":
        assert await read_exactly(left, 3) == b"abc"
        assert left.is_quiet()
    assert not left.is_truncated
    await left.aclose()
    await right.aclose()


# ------------------------------------------------------------------------------------------------------------- stamps


async def stamped(client: WireStream, server: WireStream) -> None:
    """Wait until the kernel stamps: it takes its time to turn that on where nobody else in the system had it on."""
    with trio.fail_after(5):
        kernel_ns = None
        while kernel_ns is None:
            await client.send_all(b"x")
            kernel_ns = (await server.receive()).kernel_ns


async def test_the_kernel_stamps_before_we_read() -> None:
    client, server = await connected()
    await stamped(client, server)
    sent_ns = [now_ns(), client.send_now(b"first of all") and now_ns()]
    await trio.sleep(0.05)
    before_ns = now_ns()
    read = await server.receive()
    assert read.data == b"first of all"
    assert before_ns <= read.read_ns <= now_ns()
    assert read.kernel_ns is not None
    # Over loopback a segment arrives while it is sent; two clocks that are read one after the other differ by little.
    assert sent_ns[0] - 100_000 < read.kernel_ns < sent_ns[1] + 100_000
    assert read.segments == 1
    await client.aclose()
    await server.aclose()


async def test_a_read_of_several_segments_says_so() -> None:
    client, server = await connected()
    for piece in (b"a", b"b", b"c"):
        await client.send_all(piece)
    await acknowledged(client)
    read = await server.receive()
    assert (read.data, read.segments) == (b"abc", 3)
    await client.send_all(b"d")
    read = await server.receive()
    assert (read.data, read.segments) == (b"d", 1)
    await client.aclose()
    assert (await server.receive()).data == b""
    await server.aclose()


async def test_a_socket_without_stamps_has_only_read_times() -> None:
    client, server = await connected()
    await server.send_all(b"x")
    read = await client.receive()
    assert (read.data, read.kernel_ns, read.segments) == (b"x", None, None)
    await client.aclose()
    await server.aclose()


async def test_stamps_in_memory_are_in_virtual_time(autojump_clock: trio.testing.MockClock) -> None:
    left, right = memory_pair()
    began_ns = now_ns()
    await left.send_all(b"a")
    await left.send_all(b"b")
    await trio.sleep(5)
    reads = [await right.receive() for _ in "ab"]
    assert reads == [TimedRead(data, began_ns + 5_000_000_000, began_ns, 1) for data in (b"a", b"b")]
    assert trio.current_time() * 1e9 == began_ns + 5_000_000_000


def test_outside_of_trio_there_is_only_real_time() -> None:
    before_ns = time.monotonic_ns()
    assert before_ns <= now_ns() <= time.monotonic_ns()


# ---------------------------------------------------------------------------------------------------------- listeners


async def test_a_port_in_use_is_the_users_mistake() -> None:
    (listener,) = await open_listeners(0)
    with pytest.raises(ConfigError, match=f"port {listener.port}: it is in use"):
        await open_listeners(listener.port)
    await listener.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await listener.accept()


async def test_a_host_that_is_not_ours_is_the_users_mistake() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        await open_listeners(0, "192.0.2.1")
    with pytest.raises(ConfigError, match=r"nothing\.invalid"):
        await open_listeners(0, "nothing.invalid")


async def test_who_connects_is_known() -> None:
    (listener,) = await open_listeners(0)
    client = await connect(listener)
    server = await listener.accept()
    host, port = client.socket.getsockname()
    assert server.peer == f"{host}:{port}"
    assert client.peer == f"127.0.0.1:{listener.port}"
    for each in (client, server, listener):
        await each.aclose()


class Exhausted:
    """A listening socket whose first accepts fail."""

    def __init__(self, sock: socket.socket, *codes: int) -> None:
        self._sock = sock
        self._codes = list(codes)

    def accept(self) -> object:
        if self._codes:
            raise OSError(self._codes.pop(0), "made up")
        return self._sock.accept()

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()


async def test_accept_errors_are_waited_out() -> None:
    (listener,) = await open_listeners(0)
    client = await connect(listener)
    failing = Exhausted(listener.socket, errno.EMFILE, errno.ECONNABORTED, errno.ENOBUFS)
    listener.socket = failing  # type: ignore[assignment]  # as much of a socket as is needed
    server = await listener.accept()
    assert isinstance(server, SocketStream)
    for each in (client, server, listener):
        await each.aclose()


async def test_a_listener_says_its_port() -> None:
    listeners = await open_listeners(0, "localhost")
    assert len({listener.port for listener in listeners}) == 1
    assert all(isinstance(listener, Listener) for listener in listeners)
    for listener in listeners:
        await listener.aclose()


def test_a_limit_is_positive() -> None:
    with pytest.raises(ConfigError, match="max_head_bytes"):
        Limits(max_head_bytes=0)
    with pytest.raises(ConfigError, match="idle_timeout_s"):
        Limits(idle_timeout_s=float("nan"))
