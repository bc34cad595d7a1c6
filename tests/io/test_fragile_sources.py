"""Sources that a cancellation ends: they must be kept from it where they can be, and must say so where they cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import trio
import trio.testing

from streamkit import IdleTimeout, NDJSONDecoder, SSEComment, SSEEncoder, as_source, idle, pull, pump, tee
from tests.io.test_drivers import Collector

FRAMES = b"".join(b"data: %d\n\n" % number for number in range(4))


def gated(gates: list[trio.Event]) -> Callable[[], AsyncIterator[bytes]]:
    """An async generator of a record behind each gate."""

    async def generate() -> AsyncIterator[bytes]:
        for number, gate in enumerate(gates):
            await gate.wait()
            yield b"%d\n" % number

    return generate


async def open_one_by_one(gates: list[trio.Event], sink: Collector) -> None:
    """Open a gate whenever the sink has written a keep-alive since the last one."""
    for gate in gates:
        seen = sink.writes.count(b": ka\n\n")
        while sink.writes.count(b": ka\n\n") == seen:
            await sink.changed.wait()
        gate.set()


async def test_keepalives_over_an_async_generator_lose_nothing() -> None:
    gates = [trio.Event() for _ in range(4)]
    sink = Collector()
    records = pull(gated(gates)(), NDJSONDecoder(raw=True))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(open_one_by_one, gates, sink)
        await pump(idle(records, 0.01, keepalive=SSEComment("ka")), SSEEncoder(), sink)
    assert b"".join(write for write in sink.writes if write != b": ka\n\n") == FRAMES


async def test_keepalives_over_a_real_response_lose_nothing() -> None:
    gates = [trio.Event() for _ in range(4)]
    sink = Collector()

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            async for record in gated(gates)():
                await stream.send_all(b"%x\r\n%b\r\n" % (len(record), record))
            await stream.send_all(b"0\r\n\r\n")

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        nursery.start_soon(open_one_by_one, gates, sink)
        async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", url) as response:
            records = pull(response, NDJSONDecoder(raw=True))
            await pump(idle(records, 0.02, keepalive=SSEComment("ka")), SSEEncoder(), sink)
        nursery.cancel_scope.cancel()
    assert b"".join(write for write in sink.writes if write != b": ka\n\n") == FRAMES


async def test_an_idle_timeout_over_an_async_generator_can_be_survived() -> None:
    gates = [trio.Event()]
    async with idle(pull(gated(gates)(), NDJSONDecoder()), 0.01) as watched:
        for _ in range(2):
            with pytest.raises(IdleTimeout):
                await anext(watched)
        gates[0].set()
        assert [item async for item in watched] == [0]


async def test_leaving_a_watched_generator_in_its_silence_ends_it() -> None:
    cleaned = trio.Event()

    async def generate() -> AsyncIterator[bytes]:
        try:
            yield b"1\n"
            await trio.sleep_forever()
        finally:
            cleaned.set()

    async with idle(pull(generate(), NDJSONDecoder()), 0.01, keepalive="ka") as watched:
        assert await anext(watched) == 1
        assert await anext(watched) == "ka"
    assert cleaned.is_set()


async def test_a_cancelled_read_of_a_generator_is_an_error_ever_after_and_never_an_end() -> None:
    encoder = NDJSONDecoder(raw=True) | SSEEncoder(done="[DONE]")
    async with pull(gated([trio.Event()])(), encoder) as frames:
        with trio.move_on_after(0.01) as scope:
            await frames.receive_batch()
        assert scope.cancelled_caught
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError):
                await frames.receive_batch()


async def test_a_closed_source_is_an_error_and_never_an_end() -> None:
    async def generate() -> AsyncIterator[bytes]:
        yield b"1\n"
        yield b"2\n"

    async with pull(generate(), NDJSONDecoder(raw=True) | SSEEncoder(done="[DONE]")) as frames:
        assert await anext(frames) == b"data: 1\n\n"
    with pytest.raises(trio.ClosedResourceError):
        await frames.receive_batch()


async def test_an_iterable_without_checkpoints_can_be_cancelled() -> None:
    async def generate() -> AsyncIterator[bytes]:
        while True:
            yield b"x"

    async with as_source(generate()) as source:
        with trio.move_on_after(0.01) as scope:
            while True:
                await source.receive_some()
        assert scope.cancelled_caught


async def test_a_tee_passes_an_idle_timeout_on_and_goes_on() -> None:
    gates = [trio.Event()]
    async with tee(idle(pull(gated(gates)(), NDJSONDecoder()), 0.01)) as readers:
        with pytest.raises(IdleTimeout):
            await anext(readers[0])
        gates[0].set()
        for reader in readers:
            assert await anext(reader) == 0
