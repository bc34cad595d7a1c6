"""Connections to a server, and the reasons for which there is none."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import trio

from streamkit.errors import ConfigError, ConnectError
from streamkit.http.connect import connect, dial_of, trust
from streamkit.http.listener import open_listeners
from streamkit.http.origin import Origin, parse_origin
from streamkit.http.stream import SocketStream, WireStream
from streamkit.http.tls import ThrowawayCertificate, TLSListener, TLSStream, throwaway_certificate
from tests.http.peers import LAST, answer, listening, read_all


@pytest.fixture(scope="module")
def certificate() -> ThrowawayCertificate:
    pytest.importorskip("trustme")
    return throwaway_certificate()


async def test_a_connection_has_the_stamps_of_the_kernel() -> None:
    async with listening() as listener:
        stream = await connect(Origin("http", "localhost", listener.port))
        assert isinstance(stream, SocketStream)
        await stream.send_all(LAST)
        assert (await stream.receive()).segments == (1 if listener.has_stamps else None)
        await stream.aclose()


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "connection refused"), ("nothing.invalid", ""), ("a" * 64 + ".invalid", ""), ("a..b", "")],
)
async def test_a_server_that_is_not_there(host: str, reason: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        origin = Origin("http", host, free.getsockname()[1])
        with pytest.raises(ConnectError) as caught:
            await connect(origin)
    said = f"cannot connect to {origin.url}: "
    assert str(caught.value).startswith(said + reason)
    assert str(caught.value) != said


async def test_a_server_that_is_trusted(certificate: ThrowawayCertificate, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(certificate.authority_pem)
    async with listening(wrap=lambda listener: TLSListener(listener, certificate.context)) as listener:
        origin = parse_origin(f"https://localhost:{listener.port}")
        dial = dial_of(origin, trust(tmp_path / "ca.pem"))
        stream = await dial()
        assert isinstance(stream, TLSStream)
        await stream.send_all(LAST)
        assert await read_all(stream) == answer(b"GET / ")
        assert not stream.is_truncated
        await stream.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
async def test_a_server_that_is_not_trusted_or_another_one(host: str) -> None:
    pytest.importorskip("trustme")
    certificate = throwaway_certificate("localhost", "127.0.0.1")
    listeners = await open_listeners(0, host)
    listener = TLSListener(listeners[0], certificate.context)

    async def accept() -> None:
        async with await listener.accept() as server:
            with pytest.raises(trio.BrokenResourceError):
                await server.receive()

    context = trust() if host == "127.0.0.1" else certificate.client_context()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        with pytest.raises(ConnectError, match=r"^cannot connect to https://.*: its certificate is not trusted: \w"):
            await connect(Origin("https", host, listeners[0].port), context)
    await listener.aclose()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"no TLS handshake: .*wrong version"),
        (b"", r"no TLS handshake: .*(eof|end of file)"),
        (None, "reset"),
    ],
)
async def test_a_server_that_speaks_no_tls(sent: bytes | None, reason: str) -> None:
    (listener,) = await open_listeners(0)

    async def accept() -> None:
        server = await listener.accept()
        await server.receive()
        if sent is None:
            server.abort()
        else:
            await server.send_all(sent)
            await server.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        with pytest.raises(ConnectError, match=rf"(?i)^cannot connect to https://127.0.0.1:\d+: .*{reason}"):
            await connect(Origin("https", "127.0.0.1", listener.port))
    await listener.aclose()


async def test_a_handshake_that_is_given_up_leaves_nothing_open() -> None:
    (listener,) = await open_listeners(0)
    with trio.move_on_after(0.05) as scope:
        await connect(Origin("https", "127.0.0.1", listener.port))
    assert scope.cancelled_caught
    server: WireStream = await listener.accept()
    with pytest.raises(trio.BrokenResourceError):
        await read_all(server)
    await server.aclose()
    await listener.aclose()


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"", "no certificate in it"), (b"hello", "no certificate in it")]
)
def test_a_file_that_names_nobody_to_trust(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as caught:
        trust(path)
    assert str(path) in str(caught.value)


def test_trust_is_verified_by_default() -> None:
    context = trust()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
