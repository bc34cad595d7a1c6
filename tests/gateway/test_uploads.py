"""A request's body on its way up: who may pause, who may leave, and what is said when nobody wants the rest."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from streamkit.gateway.open import open_gateway
from streamkit.http.stream import WireStream
from tests.gateway.peers import answer, connected, exchange, framed, request, settled, standing
from tests.gateway.readers import VISIBLE, Client

UPLOAD = request("POST", fields=[("Content-Length", str(30 << 20))])


async def upload_until_blocked(client: Client) -> None:
    """Send until nothing more is taken: by the client's kernel, the gateway, and the upstream, which does not read."""
    stream = client.stream

    async def send() -> None:
        while True:
            stream.send_now(bytes(1 << 16))
            await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await settled(lambda: stream.sent_bytes)
        nursery.cancel_scope.cancel()


async def test_a_reset_reaches_an_upstream_that_takes_no_more_of_the_body() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, UPLOAD)
        await upload_until_blocked(client)
        client.stream.abort()
        assert await server.until_left() in VISIBLE
        record = await stand.record(1)
        assert (record.outcome, record.status) == ("client-left", None)


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_client_that_leaves_inside_its_body_has_left(framing: str) -> None:
    field = ("Transfer-Encoding", "chunked") if framing == "chunked" else ("Content-Length", "100")
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[field]))
        await client.send(framed(framing, b"abc"))
        assert await server.read(3) == b"abc"
        await client.stream.send_eof()
        assert await server.until_left() in VISIBLE
        record = await stand.record(1)
        assert (record.outcome, record.status) == ("client-left", None)


async def test_with_half_close_a_body_that_ends_too_early_is_a_bad_request() -> None:
    async with standing(half_close=True) as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", "100")]) + b"abc")
        assert await server.read(3) == b"abc"
        await client.stream.send_eof()
        assert await server.until_left() in VISIBLE
        assert (await client.head()).status == 400
        assert await stand.outcome(1) == "bad-request"


async def test_a_client_that_leaves_while_we_connect_asks_nothing() -> None:
    """Its body is there and was not read, so that only the kernel knows of the FIN behind it."""
    is_cancelled = trio.Event()
    is_dialling = trio.Event()

    async def dial() -> WireStream:
        is_dialling.set()
        try:
            await trio.sleep_forever()
        finally:
            is_cancelled.set()

    async with open_gateway("http://127.0.0.1:1", dial=dial, allowed_hosts=None) as gateway:
        client = await connected(gateway.port)
        with trio.fail_after(30):
            await client.send_all(request("POST", fields=[("Content-Length", "5")]))
            await is_dialling.wait()
            await client.send_all(b"hello")
            await client.aclose()
            await is_cancelled.wait()


async def test_the_time_for_an_answer_stands_still_while_the_client_owes_its_body() -> None:
    async with standing(head_timeout_s=2) as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", "6")]) + b"abc")
        assert await server.read(3) == b"abc"
        await trio.sleep(2.5)
        await client.send(b"def")
        assert await server.read(3) == b"def"
        await server.send(answer(b"whole"))
        await client.head()
        assert await client.rest() == (b"whole", "complete")


async def test_it_runs_again_once_the_body_is_there() -> None:
    async with standing(head_timeout_s=0.2) as stand:
        client, _, _ = await exchange(stand, request("POST", fields=[("Content-Length", "6")]) + b"abc")
        await client.send(b"def")
        assert (await client.head()).status == 504
        assert await stand.outcome(1) == "timeout"


@pytest.mark.parametrize("fields", [[], [("Expect", "100-continue")]], ids=["sent on", "not sent"])
async def test_an_answer_that_leaves_some_of_the_body_unread_says_that_it_is_the_last(
    fields: list[tuple[str, str]],
) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", "100"), *fields]))
        await server.send(answer(b"no", status="413 Content Too Large"))
        head = await client.head()
        assert (head.status, head.get("connection")) == (413, "close")
        assert await client.rest() == (b"no", "complete")
