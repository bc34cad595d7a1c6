"""TLS: a stream like the others, whoever is at the other end."""

from __future__ import annotations

import builtins
import ssl

import pytest
import trio
import trio.testing

from streamkit.errors import ConfigError
from streamkit.http.memory import memory_pair
from streamkit.http.server import serve_connection
from streamkit.http.tls import ThrowawayCertificate, TLSListener, TLSStream, throwaway_certificate
from tests.http.peers import LAST, answer, connected, echo, listening, read_all, read_exactly


@pytest.fixture(scope="module")
def certificate() -> ThrowawayCertificate:
    pytest.importorskip("trustme")
    return throwaway_certificate()


def over(left: object, right: object, certificate: ThrowawayCertificate) -> tuple[TLSStream, TLSStream]:
    client = TLSStream(left, certificate.client_context(), server_hostname="localhost")  # type: ignore[arg-type]
    return client, TLSStream(right, certificate.context)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["memory", "socket"])
async def test_bytes_go_both_ways_and_ends_are_seen(certificate: ThrowawayCertificate, kind: str) -> None:
    left, right = memory_pair(max_bytes=5000) if kind == "memory" else await connected()
    client, server = over(left, right, certificate)
    data = bytes(range(256)) * 2000
    got: list[bytes] = []
    async with trio.open_nursery() as nursery:

        async def answer_backwards() -> None:
            received = await read_exactly(server, len(data))
            await server.send_all(received[::-1])
            got.append(await read_all(server))
            await server.aclose()

        nursery.start_soon(answer_backwards)
        assert client.send_now(b"before the handshake nothing goes at once") == 0
        await client.send_all(data)
        assert await read_exactly(client, len(data)) == data[::-1]
        await client.send_eof()
        assert (await client.receive()).data == b""
    assert got == [b""]
    assert client.sent_bytes == server.sent_bytes == len(data)
    await client.aclose()
    with pytest.raises(trio.ClosedResourceError):
        client.send_now(b"x")


async def test_what_is_sent_at_once_is_whole(certificate: ThrowawayCertificate) -> None:
    """A full transport takes part of a record; the rest goes with what is sent next, and no byte goes twice."""
    left, right = memory_pair(max_bytes=3000)
    client, server = over(left, right, certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.handshake)
        await client.handshake()
    data = bytes(range(256)) * 300
    got = bytearray()
    sent = 0
    while len(got) < len(data):
        sent += server.send_now(data[sent:])
        with trio.move_on_after(0.01):
            got += await client.receive_some()
    assert bytes(got) == data
    assert server.sent_bytes == len(data)
    await client.aclose()
    await server.aclose()


async def test_a_piece_has_the_time_of_its_ciphertext(
    certificate: ThrowawayCertificate, autojump_clock: trio.testing.MockClock
) -> None:
    client, server = over(*memory_pair(), certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.handshake)
        await client.handshake()
    await server.send_all(b"piece")
    await trio.sleep(3)
    reads = [await client.receive()]
    while not reads[-1].data:
        reads.append(await client.receive())
    assert reads[-1].kernel_ns == 0
    assert reads[-1].read_ns == 3_000_000_000
    client.abort()
    with pytest.raises(trio.BrokenResourceError):
        await server.receive()
    await server.aclose()


async def test_an_end_without_goodbye_is_an_end(certificate: ThrowawayCertificate) -> None:
    left, right = memory_pair()
    client, server = over(left, right, certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.handshake)
        await client.handshake()
    await right.send_eof()
    assert not client.is_truncated
    assert (await client.receive()).data == b""
    assert client.is_truncated
    client.abort()
    server.abort()


async def test_bytes_that_nobody_read_are_not_quiet(certificate: ThrowawayCertificate) -> None:
    client, server = over(*memory_pair(), certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.handshake)
        await client.handshake()
    await server.send_all(b"ab")
    assert not client.is_quiet()
    assert await client.receive_some(1) == b"a"
    assert not client.is_quiet()
    assert await client.receive_some(1) == b"b"
    assert client.is_quiet()
    await server.aclose()
    assert not client.is_quiet()
    assert await client.receive_some() == b""
    assert not client.is_truncated
    await client.aclose()


async def test_a_client_that_does_not_trust_us_or_speaks_no_tls(certificate: ThrowawayCertificate) -> None:
    left, right = memory_pair()
    client = TLSStream(left, ssl.create_default_context(), server_hostname="localhost")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, TLSStream(right, certificate.context), echo)
        with pytest.raises(trio.BrokenResourceError, match="handshake"):
            await client.send_all(LAST)
        await client.aclose()
    left, right = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, TLSStream(right, certificate.context), echo)
        await left.send_all(LAST)
        with pytest.raises(trio.BrokenResourceError):
            await read_all(left)
        await left.aclose()


async def test_another_client_talks_to_the_server_over_tls(certificate: ThrowawayCertificate) -> None:
    httpx = pytest.importorskip("httpx")
    async with listening(wrap=lambda listener: TLSListener(listener, certificate.context)) as listener:
        async with httpx.AsyncClient(verify=certificate.client_context(), trust_env=False) as client:
            for path in ("a", "b"):
                response = await client.post(f"https://localhost:{listener.port}/{path}", content=b"x" * 100_000)
                assert response.content == f"POST /{path} ".encode() + b"x" * 100_000
        sock = await trio.open_ssl_over_tcp_stream(
            "localhost", listener.port, ssl_context=certificate.client_context(), https_compatible=False
        )
        await sock.send_all(LAST)
        got = b""
        while data := await sock.receive_some():
            got += data
        assert got == answer(b"GET / ")
        await sock.aclose()


def test_without_the_package_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object) -> object:
        if name == "trustme":
            raise ImportError(name)
        return real(name, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"streamkit\[tls\]"):
        throwaway_certificate()
