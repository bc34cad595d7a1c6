"""Two hundred streams at once through one gateway: none waits for another one."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from mockserver.open import open_mockserver
from tests.gateway.peers import Stand, framed, gateway_to, head_bytes, request, standing, together, whole
from tests.gateway.readers import Client, Server
from tests.gateway.test_lockstep import payload_of
from tests.mockserver.talk import request_bytes

COUNT = 200
FLOOD_MIB = 16

CHAT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Say it."}]}


async def paired(stand: Stand, count: int) -> list[tuple[Client, Server]]:
    """So many streams at once; each client with the server that got its request."""
    clients, servers = [], {}
    for number in range(count):
        client = await stand.client()
        await client.send(request(target=f"/{number}"))
        clients.append(client)
    for _ in range(count):
        server = await stand.server()
        head = await server.head()
        servers[int(head.line.split(" ")[1][1:])] = server
    return [(client, servers[number]) for number, client in enumerate(clients)]


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_two_hundred_streams_in_lockstep_beside_one_that_is_not_read(framing: str) -> None:
    events = [b"data: %d\n\n" % number for number in range(5)]
    size = sum(map(len, events))
    async with standing() as stand:
        lazy = await stand.client(receive_bytes=4096)
        await lazy.send(request(target="/lazy"))
        flooding = await stand.server()
        await flooding.head()
        await flooding.send(head_bytes("length", FLOOD_MIB * 2**20))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(flood, flooding, FLOOD_MIB))
            streams = await paired(stand, COUNT)
            for client, server in streams:
                await server.send(head_bytes(framing, size))
                await client.head()
            for event in events:  # one event everywhere, before the next one anywhere
                for client, server in streams:
                    await server.send(framed(framing, event))
                    assert await client.read(len(event)) == event
            for client, server in streams:
                if framing == "chunked":
                    await server.send(b"0\r\n\r\n")
                await server.stream.aclose()
                assert await client.rest() == (b"", whole(framing))
            await stand.record(COUNT)
            assert len(stand.records) == COUNT  # the one that is not read is not over
            await lazy.head()
            got = 0

            def count(data: bytes) -> None:
                nonlocal got
                got += len(data)

            assert (await lazy.rest(count))[1] == "complete"
            assert got == FLOOD_MIB * 2**20
        await stand.record(COUNT + 1)
        assert {record.outcome for record in stand.records} == {"ok"}


async def flood(server: Server, size_mib: int) -> None:
    for _ in range(size_mib):
        await server.send(bytes(2**20))


async def test_two_hundred_streams_of_the_mock_server_are_what_it_sent() -> None:
    async with (
        open_mockserver(tokens=20, gate="g@token:5", rate=0) as mock,
        gateway_to(mock.url) as stand,
    ):
        clients = [await stand.client() for _ in range(COUNT)]
        bodies: dict[str, bytes] = {}

        async def ask(number: int, client: Client) -> None:
            data = request_bytes("/v1/chat/completions", CHAT, headers={"X-Number": str(number)})
            head, body, ending = await client.ask(data)
            assert (head.status, ending) == (200, "complete")
            bodies[str(number)] = body

        async with trio.open_nursery() as nursery:
            for number, client in enumerate(clients):
                nursery.start_soon(ask, number, client)
            await mock.gates.wait_for("g", COUNT)  # all of them are in the middle of their answer
            assert not bodies
            mock.gates.open("g")
        await stand.record(COUNT)
        sent = {dict(entry.headers)["X-Number"]: payload_of(bytes(entry.sent)) for entry in mock.journal}
        assert len(sent) == COUNT
        assert bodies == sent
        assert {entry.outcome for entry in mock.journal} == {"complete"}


async def test_many_that_leave_harm_none_that_stay() -> None:
    async with standing() as stand:
        streams = await paired(stand, 100)
        for client, server in streams:
            await server.send(head_bytes("chunked"))
            await client.head()
        for client, _ in streams[::2]:
            client.stream.abort()
        for _, server in streams[::2]:
            assert await server.until_left() == "reset"
        for client, server in streams[1::2]:
            await server.send(b"2\r\nok\r\n0\r\n\r\n")
            assert await client.rest() == (b"ok", "complete")
        await stand.record(100)
        assert [record.outcome for record in stand.records].count("client-left") == 50
        assert [record.outcome for record in stand.records].count("ok") == 50


async def test_streams_that_end_together_end_each_for_itself() -> None:
    async with standing() as stand:
        streams = await paired(stand, 60)
        for number, (_, server) in enumerate(streams):
            await server.send(head_bytes("chunked") + framed("chunked", b"%d" % number))

        async def stop(number: int, server: Server) -> None:
            match number % 3:
                case 0:
                    await server.send(b"0\r\n\r\n")
                case 1:
                    await server.stream.send_eof()
                case _:
                    await server.send(b"zzz\r\n")

        for number, (client, _) in enumerate(streams):
            await client.head()
            assert await client.read(len(str(number))) == str(number).encode()
        await together(*(partial(stop, number, server) for number, (_, server) in enumerate(streams)))
        for number, (client, _) in enumerate(streams):
            _, ending = await client.rest()
            assert (ending == "complete") is (number % 3 == 0)
