"""Every kind of source: read whole, left early, cancelled; and what file descriptors are left as."""

from __future__ import annotations

import fcntl
import gzip
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trio

from streamkit import ConfigError, NDJSONDecoder, as_source, path_sink, pull
from streamkit.io.fd import FdSink, FdSource

BODY = b'{"a":1}\n{"b":"\xc3\xa9"}\n' * 3


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose ends are closed at the end if the test has not closed them."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for fd in ends:
            try:
                os.close(fd)
            except OSError:
                continue


async def read_all(source: trio.abc.ReceiveStream) -> bytes:
    pieces = []
    while piece := await source.receive_some():
        pieces.append(piece)
    return b"".join(pieces)


def is_blocking(fd: int) -> bool:
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK


async def test_a_file_larger_than_the_read_ahead(tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    (tmp_path / "file").write_bytes(data)
    async with as_source(tmp_path / "file") as source:
        assert await read_all(source) == data
        assert await source.receive_some() == b""


async def test_a_named_pipe_waits_for_its_writer_without_blocking_the_loop(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    async with as_source(tmp_path / "fifo") as source:
        with trio.move_on_after(0.01) as scope:
            await source.receive_some()
        assert scope.cancelled_caught
        writer = os.open(tmp_path / "fifo", os.O_WRONLY)
        os.write(writer, b"x")
        assert await source.receive_some() == b"x"
        os.close(writer)
        assert await source.receive_some() == b""


@pytest.mark.parametrize(("name", "error"), [("missing", FileNotFoundError), (".", IsADirectoryError)])
async def test_what_is_no_file(tmp_path: Path, name: str, error: type[OSError]) -> None:
    async with as_source(tmp_path / name) as source:
        with pytest.raises(error):
            await source.receive_some()


def test_what_is_no_source() -> None:
    with pytest.raises(ConfigError, match="a source is"):
        as_source(3)  # type: ignore[arg-type]


async def test_a_pipe_is_read_as_it_comes_and_stays_in_its_mode() -> None:
    with pipe() as (reader, writer):
        source = FdSource(reader, close=False)
        for piece in (b"a", b"bc"):
            os.write(writer, piece)
            assert await source.receive_some() == piece
        assert is_blocking(reader)
        with trio.move_on_after(0.01) as scope:
            await source.receive_some()
        assert scope.cancelled_caught
        os.write(writer, b"later")
        assert await source.receive_some(2) == b"la"
        os.close(writer)
        assert await read_all(source) == b"ter"
        await source.aclose()
        assert is_blocking(reader)
        with pytest.raises(trio.ClosedResourceError):
            await source.receive_some()


async def test_a_device_that_is_always_ready() -> None:
    async with as_source("/dev/null") as source:
        assert await read_all(source) == b""


async def test_a_sink_waits_for_a_slow_reader_and_can_be_cancelled() -> None:
    with pipe() as (reader, writer):
        async with FdSink(writer, close=False) as sink:
            data = os.urandom(300_000)
            with trio.move_on_after(0.05) as scope:
                await sink.send_all(data)
            assert scope.cancelled_caught
            assert is_blocking(writer)
            got = os.read(reader, 1_000_000)
            assert data.startswith(got)


async def test_a_sink_writes_all_of_it_to_a_slow_reader() -> None:
    data = os.urandom(300_000)
    got: list[bytes] = []
    with pipe() as (reader, writer):

        async def read_slowly() -> None:
            source = FdSource(reader, close=False)
            while sum(map(len, got)) < len(data):
                got.append(await source.receive_some(7000))

        async with FdSink(writer, close=False) as sink, trio.open_nursery() as nursery:
            nursery.start_soon(read_slowly)
            await sink.send_all(data)
        assert b"".join(got) == data


async def test_a_sink_whose_reader_has_gone() -> None:
    with pipe() as (reader, writer):
        async with FdSink(writer, close=False) as sink:
            os.close(reader)
            with pytest.raises(trio.BrokenResourceError) as caught:
                await sink.send_all(b"x")
        assert isinstance(caught.value.__cause__, BrokenPipeError)


async def test_a_socket_as_sink_stays_blocking() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        async with FdSink(ours.fileno(), close=False) as sink:
            await sink.send_all(b"x")
            with trio.move_on_after(0.05) as scope:
                await sink.send_all(bytes(10_000_000))
            assert scope.cancelled_caught
        assert theirs.recv(1) == b"x"
        assert is_blocking(ours.fileno())


async def test_a_full_device_is_an_error_of_the_system() -> None:
    async with path_sink("/dev/full") as sink:
        with pytest.raises(OSError, match="No space left"):
            await sink.send_all(b"x")


async def test_two_writers_at_once_are_refused() -> None:
    with pipe() as (_, writer):
        async with FdSink(writer, close=False) as sink, trio.open_nursery() as nursery:
            nursery.start_soon(sink.send_all, bytes(300_000))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await sink.send_all(b"x")
            nursery.cancel_scope.cancel()


async def chunks() -> AsyncIterator[bytes]:
    for at in range(0, len(BODY), 5):
        await trio.lowlevel.checkpoint()
        yield BODY[at : at + 5]


def responding(body: AsyncIterator[bytes] | bytes, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body, headers=headers)

    return httpx.AsyncClient(transport=httpx.MockTransport(handle))


async def test_a_response_is_a_source() -> None:
    async with responding(chunks()) as client, client.stream("GET", "http://test/") as response:
        async with pull(response, NDJSONDecoder()) as records:
            assert [record async for record in records] == [{"a": 1}, {"b": "é"}] * 3
        assert response.is_closed


async def test_a_compressed_response_is_decoded() -> None:
    headers = {"content-encoding": "gzip"}
    async with (
        responding(gzip.compress(BODY), headers) as client,
        client.stream("GET", "http://test/") as response,
        as_source(response) as source,
    ):
        assert await read_all(source) == BODY


async def serve_slowly(stream: trio.SocketStream) -> None:
    """Answer one request with an endless chunked body; end when the client goes."""
    await stream.receive_some()
    try:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await stream.send_all(b"8\r\n" + b'{"a":1}\n' + b"\r\n")
            await trio.sleep(0.001)
    except trio.BrokenResourceError:
        pass
    finally:
        await stream.aclose()


@pytest.mark.parametrize("cancel", [False, True])
async def test_leaving_a_real_response_early_closes_the_connection_and_leaks_nothing(cancel: bool) -> None:
    async with trio.open_nursery() as nursery:
        gone = trio.Event()

        async def serve(stream: trio.SocketStream) -> None:
            await serve_slowly(stream)
            gone.set()

        listeners = await nursery.start(
            trio.serve_tcp,
            serve,
            0,
        )
        port = listeners[0].socket.getsockname()[1]
        async with httpx.AsyncClient(trust_env=False) as client:
            with trio.CancelScope() as scope:
                async with (
                    client.stream("GET", f"http://127.0.0.1:{port}/") as response,
                    pull(response, NDJSONDecoder()) as records,
                ):
                    async for record in records:
                        assert record == {"a": 1}
                        if cancel:
                            scope.cancel()
                        else:
                            break
                with trio.fail_after(5):
                    await gone.wait()
            with trio.fail_after(5):
                await gone.wait()
        nursery.cancel_scope.cancel()
