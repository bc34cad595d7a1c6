"""Clients that are not ours: httpx, curl, and the standard library's."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
import trio

from tests.http.peers import GET, answer, connect, listening, read_exactly


async def test_httpx_keeps_its_connection() -> None:
    httpx = pytest.importorskip("httpx")

    async def pieces() -> object:
        for piece in (b"a", b"b" * 70_000, b"c"):
            yield piece

    async with listening() as listener, httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{listener.port}"
        assert (await client.get(f"{url}/%C3%A4?q")).content == "GET /\xe4 ".encode()
        assert (await client.post(f"{url}/b", content=b"x" * 1_000_000)).content == b"POST /b " + b"x" * 1_000_000
        assert len((await client.put(f"{url}/c", content=pieces())).content) == len("PUT /c ") + 70_002
        assert (await client.options(f"{url}/d", headers={"Connection": "close"})).content == b"OPTIONS /d "
        assert (await client.get(f"{url}/e")).content == b"GET /e "


async def curl(*arguments: str, stdin: bytes = b"") -> bytes:
    done = await trio.run_process(["curl", "-sS", "--max-time", "10", *arguments], capture_stdout=True, stdin=stdin)
    assert isinstance(done.stdout, bytes)
    return done.stdout


@pytest.mark.needs("curl")
async def test_curl_in_all_its_manners(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * 1_500_000)  # curl expects a 100 before it sends as much as this
    async with listening() as listener:
        url = f"http://127.0.0.1:{listener.port}"
        assert await curl(f"{url}/a", f"{url}/b") == b"GET /a GET /b "
        assert await curl("--http1.0", f"{url}/a") == b"GET /a "
        assert await curl("--data-binary", f"@{big}", f"{url}/a") == b"POST /a " + big.read_bytes()
        assert await curl("--http1.0", "--data-binary", f"@{big}", f"{url}/a") == b"POST /a " + big.read_bytes()
        assert await curl("-H", "Transfer-Encoding: chunked", "-d", "@-", f"{url}/a", stdin=b"in") == b"POST /a in"
        assert await curl("-X", "OPTIONS", "--request-target", "*", url) == b"OPTIONS * "
        assert await curl("-x", url, "http://elsewhere.invalid/a?b") == b"GET /a "


async def test_the_standard_library() -> None:
    def ask(port: int) -> list[bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        answers = []
        for body in (b"", b"abc", iter([b"d", b"ef"])):
            connection.request("POST", "/x", body, encode_chunked=not isinstance(body, bytes))
            answers.append(connection.getresponse().read())
        connection.close()
        return answers

    async with listening() as listener:
        answers = await trio.to_thread.run_sync(ask, listener.port)
    assert answers == [b"POST /x ", b"POST /x abc", b"POST /x def"]


@pytest.mark.slow
async def test_a_thousand_connections_at_once() -> None:
    async with listening() as listener:
        clients = [await connect(listener) for _ in range(1000)]
        for client in clients:
            client.send_now(GET)
        for client in clients:
            await read_exactly(client, len(answer(b"GET / ")))
        for client in clients:
            await client.aclose()
