# ruff: noqa: ARG002 - a hook is given whatever one of the mutants needs
"""Two relays that are right: one small HTTP/1.1 relay, and one that knows nothing of HTTP.

`Relay` streams both directions, holds nothing back and no more than it has read, lets the upstream know at once when
its client leaves, and its client when the upstream breaks off, keeps the framing, passes on trailers and interim
responses, and uses both connections again. It speaks no TLS and no HTTP/1.0 to its clients, and upgrades nothing.

Each of its methods is one idea, so that what is wrong with a mutant is one method.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import trio

from tests.contract.mutants.link import Body, Framing, Gone, Head, Link, Pairs, framed, framing_of, last_of

__all__ = ["At", "Relay", "Same", "relay_raw"]

HOP_BY_HOP: Final = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}

AHEAD_BYTES: Final = 1 << 20
"""How much of the next requests is read while a client waits for an answer."""


class Same:
    """What happens to the bytes of an answer on their way: nothing. Mutants do something."""

    def feed(self, data: bytes) -> bytes:
        """Return what is sent once these bytes have come."""
        return data

    def finish(self) -> bytes:
        """Return what is sent at the end of the body."""
        return b""


@dataclass(eq=False)
class At:
    """One request on its way, and its answer: where both are."""

    client: Link
    upstream: Link
    request: Head
    asked: Body
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    response: Head | None = None
    framing: Framing = "none"
    is_done: bool = False


class Relay:
    """A relay to a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def serve(self, stream: trio.SocketStream) -> None:
        """Take all requests of a client's connection, one after the other."""
        client = Link(stream)
        upstream: Link | None = None
        try:
            while (request := await client.head()) is not None:
                if upstream is None or not self.is_fresh(upstream):
                    await self.close(upstream)
                    upstream = await self.connect()
                at = At(client, upstream, request, Body(client, *framing_of(request)))
                await self.relay(at)
                if not at.is_done:
                    return
                if not (at.asked.is_over and at.framing != "close" and request.keeps_alive):
                    await client.finish()
                    return
                if at.response is None or not at.response.keeps_alive:
                    await self.close(upstream)
                    upstream = None
        except (Gone, OSError):  # an upstream that cannot be connected to, too
            pass
        finally:
            with trio.move_on_after(1, shield=True):
                await self.close(upstream)
                await self.close(client)

    def is_fresh(self, upstream: Link) -> bool:
        """Tell whether another request may be sent on this connection."""
        return not upstream.is_stale()

    async def connect(self) -> Link:
        return Link(await trio.open_tcp_stream("127.0.0.1", self.port))

    async def close(self, link: Link | None) -> None:
        if link is not None:
            await trio.aclose_forcefully(link.stream)

    async def relay(self, at: At) -> None:
        """Pass one request on, and its answer back, at the same time."""
        async with trio.open_nursery() as nursery:
            at.scope = nursery.cancel_scope
            nursery.start_soon(self.ask_and_watch, at)
            try:
                await self.answer(at)
            except Gone as gone:
                if gone.link is at.upstream:
                    with suppress(Gone):
                        await self.break_off(at)
            nursery.cancel_scope.cancel()

    # The request

    async def ask_and_watch(self, at: At) -> None:
        """Pass the request on; from then on, watch whether the client leaves, and give up what is done for it."""
        try:
            await self.ask(at)
        except Gone as gone:
            if gone.link is at.client:
                at.scope.cancel()
                return
        await self.watch(at)

    async def ask(self, at: At) -> None:
        """Pass the request on, as it comes."""
        await at.upstream.send(self.request_head(at).encode())
        while data := await at.asked.receive():
            await at.upstream.send(framed(at.asked.framing, data))
        await at.upstream.send(last_of(at.asked.framing, at.asked.trailers))

    async def watch(self, at: At) -> None:
        """Give everything up once the client has left. What it says meanwhile is its next request."""
        try:
            while await at.client.fill():
                if len(at.client.buffer) > AHEAD_BYTES:
                    return
        except Gone:
            pass
        at.scope.cancel()

    def request_head(self, at: At) -> Head:
        return Head(f"{at.request.line[:-1]}1", self.headers(at.request, at.asked.framing))

    def headers(self, head: Head, framing: Framing) -> Pairs:
        """Return the headers that are for the other side, and those of the framing."""
        dropped = HOP_BY_HOP | head.tokens("connection")
        if framing == "chunked":
            dropped |= {"content-length"}
        kept = [(name, value) for name, value in head.headers if name.lower() not in dropped]
        return [*kept, ("Transfer-Encoding", "chunked")] if framing == "chunked" else kept

    # The answer

    async def answer(self, at: At) -> None:
        """Pass the answer back, as it comes."""
        response = await self.response(at)
        body = Body(at.upstream, *framing_of(response, at.request.method))
        at.framing = self.framing(at, body)
        await self.send_head(at, self.response_head(at, response))
        at.response = response
        await self.pump(at, body, self.stage(at, response))
        at.is_done = True

    async def response(self, at: At) -> Head:
        """Return the final response's head; the interim ones are passed on before it."""
        while True:
            head = await at.upstream.head()
            if head is None:
                raise Gone(at.upstream)
            if not 100 <= head.status < 200:
                return head
            await self.interim(at, head)

    async def interim(self, at: At, head: Head) -> None:
        await at.client.send(head.encode())

    def framing(self, at: At, body: Body) -> Framing:
        """Return how the answer is framed for the client."""
        return body.framing

    def response_head(self, at: At, response: Head) -> Head:
        headers = self.headers(response, at.framing)
        if at.framing == "close" or not at.request.keeps_alive:
            headers.append(("Connection", "close"))
        return Head(f"HTTP/1.1 {response.line.partition(' ')[2]}", headers)

    async def send_head(self, at: At, head: Head) -> None:
        await at.client.send(head.encode())

    def stage(self, at: At, response: Head) -> Same:
        """Return what happens to the bytes."""
        return Same()

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        """Pass the body back, piece by piece, and its end."""
        while data := await body.receive():
            await self.send(at, stage.feed(data))
        await self.send(at, stage.finish())
        await self.end(at, body.trailers)

    async def send(self, at: At, data: bytes) -> None:
        """Send a piece of the body."""
        if data:
            await at.client.send(framed(at.framing, data))

    async def end(self, at: At, trailers: Pairs) -> None:
        await at.client.send(last_of(at.framing, trailers))

    async def break_off(self, at: At) -> None:
        """Let the client know that the upstream broke off: by an answer of our own, or by the connection."""
        if at.response is None:
            body = b"the upstream broke off\n"
            head = Head("HTTP/1.1 502 Bad Gateway", [("Content-Length", str(len(body))), ("Connection", "close")])
            await at.client.send(head.encode() + body)
            at.framing, at.is_done = "close", True
        elif at.framing == "close":
            at.client.abort()


async def relay_raw(port: int, stream: trio.SocketStream) -> None:
    """Pass bytes between a client and a port: ends as ends, resets as resets."""
    client, upstream = Link(stream), Link(await trio.open_tcp_stream("127.0.0.1", port))

    async def pump(source: Link, sink: Link) -> None:
        try:
            while await source.fill():
                data = bytes(source.buffer)
                source.buffer.clear()
                await sink.send(data)
            await sink.stream.send_eof()
        except (Gone, trio.BrokenResourceError):
            nursery.cancel_scope.cancel()
            for link in (client, upstream):
                link.abort()

    async with client.stream, upstream.stream, trio.open_nursery() as nursery:
        nursery.start_soon(pump, client, upstream)
        await pump(upstream, client)
