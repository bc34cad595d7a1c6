"""What a request leaves behind: nothing that the garbage collector would have to find."""

from __future__ import annotations

import gc

from tests.gateway.peers import answer, request, standing

REQUESTS = 30


async def test_an_exchange_leaves_no_ring_of_objects() -> None:
    """Rings are freed in bursts: memory would grow in between, and tokens would be late while they are looked for."""
    async with standing() as stand:
        client = await stand.client()

        async def ask() -> None:
            await client.send(request("POST", body=b"question"))
            await server.request()
            await server.send(answer(b"answer"))
            await client.head()
            assert await client.rest() == (b"answer", "complete")

        await client.send(request("POST", body=b"question"))
        server = await stand.server()
        await server.request()
        await server.send(answer(b"answer"))
        await client.head()
        assert await client.rest() == (b"answer", "complete")
        await ask()
        gc.collect()
        gc.disable()
        try:
            for _ in range(REQUESTS):
                await ask()
            assert gc.collect() < REQUESTS  # a ring for each would be at least two objects each
        finally:
            gc.enable()
        assert stand.gateway.pool.opened == 1
