"""Who does not read stops the other end, and what is held in between does not grow with the stream.

How much an upstream could write before it was stopped is what the kernels of three machines hold, and one read of the
gateway: some MiB, whether 64 or 192 are to come. Afterwards every byte arrives. Waiting until "nothing moves any more"
for too short a time would make these tests easier, never fail them.
"""

from __future__ import annotations

import hashlib
import os
import resource
import socket
from pathlib import Path
from random import Random

import pytest
import trio

from streamkit.http.limits import Limits
from streamkit.http.stream import SocketStream
from tests.gateway.peers import exchange, framed, head_bytes, request, settled, standing, together, whole
from tests.gateway.readers import Client

BLOCK = Random(5).randbytes(65_521)
"""A prime number of bytes: no buffer is a multiple of it, and what is lost or doubled moves all the rest."""

MiB = 2**20

HELD_BYTES = 16 * MiB
"""More than kernels hold: the send and receive buffers of two connections grow to 4 and 6 MiB each."""

RESIDENT_BYTES = 24 * MiB
"""What the process may grow by while a stream is stopped; the buffers of kernels are not in it."""

SMALL = 65_536

LENGTHS = [pytest.param(64), pytest.param(192, marks=pytest.mark.slow)]


def wire_of(framing: str, size_mib: int) -> tuple[int, bytes]:
    """How many blocks make such a stream, and one of them as it is written."""
    return size_mib * MiB // len(BLOCK) + 1, framed(framing, BLOCK)


def digest_of(count: int) -> str:
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(BLOCK)
    return digest.hexdigest()


def resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def narrow(stream: SocketStream) -> None:
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)


@pytest.mark.parametrize("size_mib", LENGTHS)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_a_client_that_does_not_read_stops_the_upstream(framing: str, size_mib: int) -> None:
    count, wire = wire_of(framing, size_mib)
    async with standing() as stand:
        client = await stand.client(receive_bytes=SMALL)
        await client.send(request())
        server = await stand.server()
        await server.head()
        await server.send(head_bytes(framing, count * len(BLOCK)))
        await client.head()
        before_bytes, before_resident = server.stream.sent_bytes, resident_bytes()

        async def send() -> None:
            for _ in range(count):
                await server.send(wire)
            await server.send(b"0\r\n\r\n" if framing == "chunked" else b"")
            if framing == "close":
                await server.stream.aclose()

        async def look_then_read() -> None:
            await settled(lambda: server.stream.sent_bytes)
            assert server.stream.sent_bytes - before_bytes < HELD_BYTES
            assert resident_bytes() - before_resident < RESIDENT_BYTES
            await read_all(client, framing, count)

        await together(send, look_then_read)
        record = await stand.record(1)
        assert record.outcome == "ok"
        assert record.response_bytes == count * len(BLOCK)


async def read_all(client: Client, framing: str, count: int) -> None:
    digest = hashlib.sha256()
    _, ending = await client.rest(digest.update)
    assert ending == whole(framing)
    assert digest.hexdigest() == digest_of(count)


@pytest.mark.parametrize("size_mib", LENGTHS)
@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_an_upstream_that_does_not_read_stops_the_client(framing: str, size_mib: int) -> None:
    count, wire = wire_of(framing, size_mib)
    ends = "Transfer-Encoding: chunked" if framing == "chunked" else f"Content-Length: {count * len(BLOCK)}"
    async with standing(limits=Limits(max_body_bytes=1024 * MiB)) as stand:
        client, server, _ = await exchange(stand, f"POST / HTTP/1.1\r\nHost: a\r\n{ends}\r\n\r\n".encode())
        narrow(client.stream)
        before_bytes, before_resident = client.stream.sent_bytes, resident_bytes()

        async def send() -> None:
            for _ in range(count):
                await client.send(wire)
            await client.send(b"0\r\n\r\n" if framing == "chunked" else b"")

        async def look_then_read() -> None:
            await settled(lambda: client.stream.sent_bytes)
            assert client.stream.sent_bytes - before_bytes < HELD_BYTES
            assert resident_bytes() - before_resident < RESIDENT_BYTES
            digest = hashlib.sha256()
            _, ending = await server.rest(digest.update)
            assert ending == "complete"
            assert digest.hexdigest() == digest_of(count)
            await server.send(head_bytes("length", 2) + b"ok")

        await together(send, look_then_read)
        assert (await client.head()).status == 200
        assert await client.rest() == (b"ok", "complete")
        assert (await stand.record(1)).request_bytes == count * len(BLOCK)


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_the_end_of_a_stream_reaches_a_slow_client(framing: str) -> None:
    """The upstream is long done and gone when the client begins to read."""
    size = 3 * len(BLOCK)
    async with standing() as stand:
        client = await stand.client(receive_bytes=SMALL)
        await client.send(request())
        server = await stand.server()
        await server.head()
        await server.send(head_bytes(framing, size) + framed(framing, BLOCK) * 3)
        await server.send(b"0\r\n\r\n" if framing == "chunked" else b"")
        await server.stream.send_eof()
        await client.head()
        assert await client.read(size) == BLOCK * 3
        assert await client.rest() == (b"", whole(framing))


async def test_a_client_that_reads_slowly_is_no_silent_upstream() -> None:
    """The idle limit is on the upstream. A client may take as long as it likes."""
    async with standing(idle_timeout_s=1) as stand:
        client = await stand.client(receive_bytes=4096)
        await client.send(request())
        server = await stand.server()
        await server.head()
        await server.send(head_bytes("chunked"))
        await client.head()
        count, wire = wire_of("chunked", 8)

        async def send() -> None:
            for _ in range(count):
                await server.send(wire)
            await server.send(b"0\r\n\r\n")

        async def wait_then_read() -> None:
            await settled(lambda: server.stream.sent_bytes)
            await trio.sleep(1.3)  # longer than an upstream might be silent
            await read_all(client, "chunked", count)

        await together(send, wait_then_read)
        assert await stand.outcome(1) == "ok"


async def test_duplex_does_not_lock_up_where_both_directions_are_full() -> None:
    """An upstream that echoes: it stops reading as soon as nobody reads what it writes."""
    count, _ = wire_of("length", 16)
    size = count * len(BLOCK)
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", str(size))]))
        await server.send(head_bytes("length", size))
        await client.head()

        async def send() -> None:
            for _ in range(count):
                await client.send(BLOCK)

        async def echo() -> None:
            left = size
            while left:
                piece = await server.read(min(left, 65_536))
                left -= len(piece)
                await server.send(piece)

        await together(send, echo, lambda: read_all(client, "length", count))
        assert await stand.outcome(1) == "ok"


@pytest.mark.slow
async def test_streams_that_are_over_leave_no_memory_behind() -> None:
    async with standing() as stand:

        async def run(times: int) -> None:
            for _ in range(times):
                client, server, _ = await exchange(stand, request())
                await server.send(head_bytes("close") + b"x" * 10_000)
                await server.stream.aclose()
                await client.head()
                await client.rest()
                await client.stream.aclose()
            stand.forget()

        await run(200)
        before_bytes = resident_bytes()
        await run(500)
        assert resident_bytes() - before_bytes < 4 * MiB
