"""The bare byte relay: what trio itself costs between two sockets, and nothing more. A program of its own.

    python relay.py UPSTREAM_PORT

It knows no HTTP: a connection of a client is a connection to the upstream, and the end of either ends both. It prints
its URL as a JSON object on stdout when it listens.
"""

from __future__ import annotations

import json
import sys
from functools import partial

import trio


async def forward(source: trio.SocketStream, sink: trio.SocketStream, scope: trio.CancelScope) -> None:
    """One direction; its end ends the other."""
    while data := await source.receive_some():
        await sink.send_all(data)
    scope.cancel()


async def relay(port: int, client: trio.SocketStream) -> None:
    """One connection."""
    try:
        async with client, await trio.open_tcp_stream("127.0.0.1", port) as upstream, trio.open_nursery() as nursery:
            nursery.start_soon(forward, client, upstream, nursery.cancel_scope)
            nursery.start_soon(forward, upstream, client, nursery.cancel_scope)
    except* trio.BrokenResourceError:
        pass


async def main(port: int) -> None:
    """Listen, say where, relay."""
    async with trio.open_nursery() as nursery:
        start = partial(trio.serve_tcp, partial(relay, port), 0, host="127.0.0.1")
        (listener,) = await nursery.start(start)
        print(json.dumps({"url": f"http://127.0.0.1:{listener.socket.getsockname()[1]}"}), flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
