"""A watched gateway before a mock server, for the tests: a client beside it, and what a page would ask."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from mockserver.app import MockServer, ServerConfig
from mockserver.open import open_mockserver
from streamkit.gateway.config import GatewayConfig
from streamkit.http.limits import Limits
from streamkit.http.origin import parse_origin
from streamkit.http.stream import SocketStream
from streamkit.watch.moments import Sight
from streamkit.watch.open import OpenWatch, open_watch
from streamkit.watch.sights import Sights
from tests.gateway.peers import PATIENCE_S, Complaints, connected
from tests.gateway.readers import Client, Ending, Head

__all__ = ["CHAT", "ENVELOPE", "REQUEST", "Row", "WatchStand", "asking", "rows_in", "watching"]

Row = dict[str, Any]

REQUEST: Final = {"model": "m", "messages": [{"role": "user", "content": "How is the weather?"}], "stream": True}

CHAT: Final = json.dumps(REQUEST).encode()

ENVELOPE: Final = json.dumps({"dialect": "openai-chat", "request": REQUEST}).encode()


def asking(line: str, *headers: str, body: bytes = b"", host: str = "127.0.0.1") -> bytes:
    """Write a request."""
    lines = [f"{line} HTTP/1.1", f"Host: {host}", *headers]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def rows_in(data: bytes) -> list[Row]:
    return [json.loads(line) for line in data.splitlines()]


@dataclass
class WatchStand:
    """What runs.

    Attributes:
        watched: the gateway.
        mock: its upstream, where that is a mock server.
        token: the page's.
        key: the gateway's, where it has one.
    """

    watched: OpenWatch
    mock: MockServer
    token: str = ""
    key: str = ""
    _open: list[SocketStream] = field(default_factory=list)

    def close(self) -> None:
        for stream in self._open:
            stream.abort()

    @property
    def port(self) -> int:
        return self.watched.gateway.port

    @property
    def sights(self) -> Sights:
        return self.watched.sights

    async def client(self, *, receive_bytes: int = 0) -> Client:
        stream = await connected(self.port, receive_bytes=receive_bytes)
        self._open.append(stream)
        return Client(stream)

    async def ask(
        self, line: str, *headers: str, body: bytes = b"", host: str = "127.0.0.1"
    ) -> tuple[Head, bytes, Ending]:
        """One request on a connection of its own, and the whole answer."""
        client = await self.client()
        async with client.stream:
            return await client.ask(asking(line, *headers, body=body, host=host))

    def page(self) -> list[str]:
        """The headers of a page that was let in."""
        return [f"X-Streamkit-Token: {self.token}", *([f"Authorization: Bearer {self.key}"] if self.key else [])]

    async def api(self, path: str, method: str = "GET", body: bytes = b"") -> tuple[Head, bytes]:
        """What the page is answered."""
        head, got, _ = await self.ask(f"{method} /_watch/api/{path}", *self.page(), body=body)
        return head, got

    async def follow(self, path: str = "streams") -> Client:
        """A page that follows lines, behind the head of the answer."""
        client = await self.client()
        await client.send(asking(f"GET /_watch/api/{path}", *self.page()))
        assert (await client.head()).status == 200
        return client

    async def line(self, client: Client) -> Row:
        """The next line that is news."""
        while True:
            line = b""
            while not line.endswith(b"\n"):
                line += await client.read(1)
            row: Row = json.loads(line)
            if row["kind"] != "ping":
                return row

    async def line_of(self, client: Client, is_it: Callable[[Row], bool]) -> Row:
        """The next line that is like this."""
        while not is_it(row := await self.line(client)):
            pass
        return row

    async def rows(self, number: int) -> list[Row]:
        """All that there is to say of a stream, up to its end."""
        head, got = await self.api(f"streams/{number}")
        assert head.status == 200, got
        rows = rows_in(got)
        assert rows[0]["kind"] == "stream"
        assert rows[-1]["kind"] == "end"
        return rows

    async def until(self, is_it: Callable[[], bool]) -> None:
        """Wait until something is true of what is seen."""
        while not is_it():
            version = self.sights.version
            await self.sights.wait_changed(version)

    async def seen(self, count: int = 1) -> list[Sight]:
        """The streams that were seen, once there are so many and all are over."""
        await self.until(lambda: len(self.sights) >= count and not any(each.is_live for each in self.sights))
        return list(self.sights)

    async def sight(self) -> Sight:
        """The only stream that was seen, once it is over."""
        (sight,) = await self.seen()
        return sight


@asynccontextmanager
async def watching(
    mock: dict[str, Any] | None = None,
    *,
    server: ServerConfig | None = None,
    sights: Sights | None = None,
    url: str = "",
    tls: Any = None,  # noqa: ANN401 - a context, or None
    **options: Any,  # noqa: ANN401 - those of a `GatewayConfig`
) -> AsyncIterator[WatchStand]:
    """A watched gateway before a mock server with these settings. It may meet no error of its own.

    Args:
        mock: settings of the mock server.
        server: what the mock server is started with.
        sights: where what is seen is kept.
        url: of another upstream than the mock server.
        tls: for clients.
        options: of the gateway.
    """
    complaints = Complaints()
    logging.getLogger("streamkit.http").addHandler(complaints)
    options = {"speaks": "openai-chat", "limits": Limits(linger_timeout_s=0.2), "allowed_hosts": frozenset(), **options}
    try:
        with trio.fail_after(PATIENCE_S):
            async with open_mockserver(server, **mock or {}) as upstream:
                config = GatewayConfig(parse_origin(url or upstream.url), **options)
                model = None if url else upstream
                async with open_watch(config, mock=model, sights=sights, tls=tls) as watched:
                    stand = WatchStand(watched, upstream, key=config.api_key)
                    if tls is None:
                        headers = [f"Authorization: Bearer {stand.key}"] if stand.key else []
                        head, body, _ = await stand.ask("POST /_watch/api/enter", *headers)
                        assert head.status == 200, body
                        stand.token = json.loads(body)["token"]
                    try:
                        yield stand
                        assert [record.getMessage() for record in complaints.records] == []
                        assert "failed" not in {record.outcome for record in watched.gateway.records}
                    finally:
                        stand.close()
    finally:
        logging.getLogger("streamkit.http").removeHandler(complaints)
