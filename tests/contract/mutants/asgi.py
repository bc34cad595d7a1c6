"""The relay that people write first, of Starlette and httpx under uvicorn, bare or behind one BaseHTTPMiddleware.

A program of its own: asyncio's loop is not trio's. It takes the upstream's port, and `middleware` or `bare`; it prints
the port where it listens, and serves until it is ended.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request  # noqa: TC002 - as Starlette itself imports it
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

__all__ = ["application"]

FOR_ONE_HOP = {"connection", "transfer-encoding", "keep-alive", "host"}


class Nothing(BaseHTTPMiddleware):
    """Does nothing; that it is there is enough."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


def application(upstream_port: int, *, has_middleware: bool) -> Starlette:
    """Return a relay to a port of 127.0.0.1."""
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{upstream_port}", timeout=None)  # noqa: S113 - streams last

    async def relay(request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.items() if name not in FOR_ONE_HOP]
        url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = client.build_request(request.method, url, headers=headers, content=await request.body())
        answer = await client.send(asked, stream=True)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for data in answer.aiter_raw():
                    yield data
            finally:
                await answer.aclose()

        kept = {name: value for name, value in answer.headers.items() if name not in FOR_ONE_HOP}
        return StreamingResponse(body(), answer.status_code, kept)

    route = Route("/{path:path}", relay, methods=["GET", "HEAD", "POST"])
    return Starlette(routes=[route], middleware=[Middleware(Nothing)] if has_middleware else [])


def main() -> None:
    """Listen, say where, and serve."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - the one who started it reads this
    app = application(int(sys.argv[1]), has_middleware=sys.argv[2] == "middleware")
    uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False)).run(sockets=[listener])


if __name__ == "__main__":
    main()
