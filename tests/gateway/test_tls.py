"""TLS on either side: towards clients with a given certificate, towards the upstream with given authorities."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio

from mockserver import open_mockserver
from streamkit.errors import ConfigError
from streamkit.gateway.open import open_gateway
from streamkit.http.connect import trust
from streamkit.http.tls import ThrowawayCertificate, server_context, throwaway_certificate
from tests.gateway.shell import asked, secured, until, wire

trustme = pytest.importorskip("trustme")

PATIENCE_S = 10

CHAT = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}'


class Files:
    """A certificate of this machine in PEM files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        self.authority = folder / "authority.pem"
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self.both = folder / "both.pem"
        authority.cert_pem.write_to_path(self.authority)
        issued.private_key_pem.write_to_path(self.key)
        issued.private_key_and_cert_chain_pem.write_to_path(self.both)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self.certificate, append=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def upstream() -> ThrowawayCertificate:
    return throwaway_certificate()


def trust_in(certificate: ThrowawayCertificate) -> ssl.SSLContext:
    return certificate.client_context()


async def test_tls_on_both_sides(files: Files, upstream: ThrowawayCertificate) -> None:
    tls = server_context(files.certificate, files.key)
    with trio.fail_after(PATIENCE_S):
        async with (
            open_mockserver(tls=upstream.context, gate="held@token:2", tokens=3) as mock,
            open_gateway(mock.url, tls=tls, upstream_tls=trust_in(upstream)) as gateway,
        ):
            assert mock.url.startswith("https://")
            assert gateway.url == f"https://127.0.0.1:{gateway.port}"
            async with await secured(gateway.port, trust(files.authority)) as client:
                await client.send_all(wire("POST /v1/chat/completions", body=CHAT))
                got = b""
                while b"data: " not in got:
                    got += await client.receive_some()
                assert b"[DONE]" not in got, "it comes as it is made, not at the end"
                mock.gates.open("held")
                while data := await client.receive_some():
                    got += data
                assert not client.is_truncated
    assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert [record.outcome for record in gateway.records] == ["ok"]


async def test_a_certificate_with_its_key_in_one_file(files: Files) -> None:
    async with open_gateway("http://127.0.0.1:1", tls=server_context(files.both)) as gateway:
        got = await asked(gateway.port, "GET /_gateway/stats", tls=trust(files.authority))
        assert got.startswith(b"HTTP/1.1 200 ")


async def test_an_upstream_that_is_not_trusted_is_502_and_says_why(upstream: ThrowawayCertificate) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(tls=upstream.context) as mock, open_gateway(mock.url) as gateway:
            got = await asked(gateway.port, "GET /api/version")
    assert got.startswith(b"HTTP/1.1 502 ")
    assert b"certificate is not trusted" in got
    assert [record.outcome for record in gateway.records] == ["unreachable"]


async def test_an_upstream_of_another_name_is_not_trusted() -> None:
    certificate = throwaway_certificate("other.example")
    with trio.fail_after(PATIENCE_S):
        async with (
            open_mockserver(tls=certificate.context) as mock,
            open_gateway(mock.url, upstream_tls=certificate.client_context()) as gateway,
        ):
            got = await asked(gateway.port, "GET /api/version")
    assert b"certificate is not trusted" in got


async def test_an_upstream_without_tls_is_502(upstream: ThrowawayCertificate) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver() as mock:
            url = mock.url.replace("http:", "https:")
            async with open_gateway(url, upstream_tls=trust_in(upstream)) as gateway:
                got = await asked(gateway.port, "GET /api/version")
    assert got.startswith(b"HTTP/1.1 502 ")


async def test_a_client_without_tls_hurts_nobody(files: Files) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_gateway("http://127.0.0.1:1", tls=server_context(files.both)) as gateway:
            with pytest.raises(trio.BrokenResourceError):
                await asked(gateway.port, "GET / ")
            got = await asked(gateway.port, "GET /_gateway/stats", tls=trust(files.authority))
            assert got.startswith(b"HTTP/1.1 200 ")


async def test_the_leaving_of_a_client_is_seen_through_tls(files: Files, upstream: ThrowawayCertificate) -> None:
    with trio.fail_after(PATIENCE_S):
        async with (
            open_mockserver(tls=upstream.context, gate="held@token:2", tokens=3) as mock,
            open_gateway(mock.url, tls=server_context(files.both), upstream_tls=trust_in(upstream)) as gateway,
        ):
            client = await secured(gateway.port, trust(files.authority))
            await client.send_all(wire("POST /v1/chat/completions", body=CHAT))
            await mock.gates.wait_for("held", 1)
            await client.aclose()
            await until(lambda: len(gateway.records) == 1 and not mock.running)
    assert [record.outcome for record in gateway.records] == ["client-left"]


async def test_tls_connections_that_wait_are_drained(files: Files) -> None:
    with trio.fail_after(PATIENCE_S):
        async with (
            open_gateway("http://127.0.0.1:1", tls=server_context(files.both)) as gateway,
            await secured(gateway.port, trust(files.authority)) as client,
        ):
            gateway.drain()
            assert await client.receive_some() == b""
            assert not client.is_truncated
            await client.aclose()
            await gateway.wait_done()


# -------------------------------------------------------------------------------------------------------- wrong files


def test_files_that_are_no_certificate(files: Files, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no certificate\n")
    cases = {
        (tmp_path / "missing", None): "missing: no such file or directory",
        (files.certificate, tmp_path / "missing"): "missing: no such file or directory",
        (tmp_path, None): f"{tmp_path}: is a directory",
        (text, None): "text: this is no certificate with its key in PEM",
        (files.certificate, None): "certificate.pem: this is no certificate with its key in PEM",
        (files.certificate, text): "text: this is no certificate with its key in PEM",
        (files.certificate, Files(tmp_path).key): "key.pem: this is no certificate with its key in PEM",
    }
    for (certificate, key), words in cases.items():
        with pytest.raises(ConfigError) as error:
            server_context(certificate, key)
        assert words in str(error.value)
        assert "\n" not in str(error.value)


ENCRYPTED = """-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF

AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END RSA PRIVATE KEY-----
"""


def test_nobody_is_asked_for_a_password(files: Files, tmp_path: Path) -> None:
    key = tmp_path / "encrypted.pem"
    key.write_text(ENCRYPTED)
    with pytest.raises(ConfigError, match=r"encrypted\.pem: the key is encrypted; give one that is not"):
        server_context(files.certificate, key)
