"""The relay that people write first: Starlette's StreamingResponse over httpx, under uvicorn. A program of its own.

    python asgi_relay.py UPSTREAM_PORT

It passes each piece on as it comes (`aiter_raw`), keeps its connections to the upstream, writes no access log, and has
no middleware: the cheapest relay of its kind. It prints its URL as a JSON object on stdout when it listens.
"""

from __future__ import annotations

import json
import socket
import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request  # noqa: TC002 - the benchmark's programs stay plain
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

OF_THE_CONNECTION = {b"host", b"connection", b"content-length", b"transfer-encoding", b"keep-alive"}


def application(port: int) -> Starlette:
    """The relay to the upstream on this port."""
    client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        timeout=None,  # noqa: S113 - a stream may be silent as long as it likes
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
    )

    async def relay(request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.raw if name not in OF_THE_CONNECTION]
        outgoing = client.build_request(request.method, request.url.path, headers=headers, content=await request.body())
        incoming = await client.send(outgoing, stream=True)
        response = StreamingResponse(
            incoming.aiter_raw(), incoming.status_code, background=BackgroundTask(incoming.aclose)
        )
        response.raw_headers = [
            (name.lower(), value) for name, value in incoming.headers.raw if name.lower() not in OF_THE_CONNECTION
        ]
        return response

    return Starlette(routes=[Route("/{path:path}", relay, methods=["GET", "POST"])])


def main(port: int) -> None:
    """Listen, say where, relay."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
    config = uvicorn.Config(application(port), log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(int(sys.argv[1]))
