# ruff: noqa: ARG002 - a hook is given whatever one of the mutants needs
"""Relays that are wrong about heads: lost and changed headers, limits, interim responses, requests."""

from __future__ import annotations

from typing import Final

import trio

from tests.contract.mutants.link import Body, Framing, Gone, Head, Link, Pairs, framed, last_of
from tests.contract.mutants.relay import At, Relay, Same
from tests.contract.mutants.row import cases, mutant
from tests.contract.mutants.sets import SAME_CONNECTION

__all__: list[str] = []

OF_THIS_HOP: Final = {"transfer-encoding", "content-length"}


class Without(Relay):
    """Drops headers of answers."""

    dropped: frozenset[str] = frozenset()

    def response_head(self, at: At, response: Head) -> Head:
        head = super().response_head(at, response)
        return Head(head.line, self.changed(head.headers))

    def changed(self, headers: Pairs) -> Pairs:
        return [(name, value) for name, value in headers if name.lower() not in self.dropped]


@mutant(cases("hdr.request-id"))
class NoRequestId(Without):
    """Drops x-request-id."""

    dropped = frozenset({"x-request-id"})


@mutant(cases("hdr.retry-after"), is_slow=True)
class NoRetryAfter(Without):
    """Drops retry-after."""

    dropped = frozenset({"retry-after"})


@mutant(cases("hdr.cache-control"), is_slow=True)
class NoCacheControl(Without):
    """Drops cache-control."""

    dropped = frozenset({"cache-control"})


@mutant(cases("hdr.ratelimit"), is_slow=True)
class RenamedLimits(Without):
    """Gives the headers of rate limits names of its own."""

    def changed(self, headers: Pairs) -> Pairs:
        return [
            (f"llm_provider-{name}" if name.lower().startswith("x-ratelimit") else name, value)
            for name, value in headers
        ]


@mutant(cases("hdr.set-cookie"))
class JoinedCookies(Without):
    """Joins all Set-Cookie headers with commas, which may not be done with these."""

    def changed(self, headers: Pairs) -> Pairs:
        cookies = [value for name, value in headers if name.lower() == "set-cookie"]
        rest = [(name, value) for name, value in headers if name.lower() != "set-cookie"]
        return [*rest, ("Set-Cookie", ", ".join(cookies))] if cookies else rest


@mutant(cases("hdr.content-type"), is_slow=True)
class PlainType(Without):
    """Calls everything text/plain."""

    def changed(self, headers: Pairs) -> Pairs:
        return [(name, "text/plain" if name.lower() == "content-type" else value) for name, value in headers]


@mutant(non_strict=cases("hdr.hop.{request,response}"), is_slow=True)
class HopByHop(Relay):
    """Passes on every header, also those that are for it alone."""

    def headers(self, head: Head, framing: Framing) -> Pairs:
        kept = [(name, value) for name, value in head.headers if name.lower() not in OF_THIS_HOP]
        return [*kept, *(each for each in super().headers(head, framing) if each[0].lower() in OF_THIS_HOP)]


@mutant(cases("limit.head.{16k,32k}"), cases("req.large-head"), is_slow=True)
class SmallHeads(Relay):
    """Takes no head of more than 8 KiB, in either direction."""

    async def response(self, at: At) -> Head:
        if len(at.request.encode()) > 8192:
            await refuse(at, "431 Request Header Fields Too Large")
        head = await super().response(at)
        if len(head.encode()) > 8192:
            raise Gone(at.upstream)
        return head

    async def ask(self, at: At) -> None:
        if len(at.request.encode()) <= 8192:
            await super().ask(at)


async def refuse(at: At, status: str) -> None:
    """Answer by ourselves."""
    await at.client.send(Head(f"HTTP/1.1 {status}", [("Content-Length", "0"), ("Connection", "close")]).encode())
    raise Gone(at.client)


@mutant(cases("interim.103"), is_slow=True)
class FinalHints(Relay):
    """Takes a 103 for the answer."""

    async def response(self, at: At) -> Head:
        head = await at.upstream.head()
        if head is None:
            raise Gone(at.upstream)
        while head is not None and head.status == 100:
            await at.client.send(head.encode())
            head = await at.upstream.head()
        if head is None:
            raise Gone(at.upstream)
        return head


@mutant(cases("interim.103"), is_slow=True)
class LostFinal(Relay):
    """Loses the final response behind a 103."""

    async def interim(self, at: At, head: Head) -> None:
        await super().interim(at, head)
        if head.status == 103:
            await trio.sleep_forever()


@mutant(cases("req.expect"))
class NoContinue(Relay):
    """Neither passes `Expect: 100-continue` on nor answers it."""

    def request_head(self, at: At) -> Head:
        head = super().request_head(at)
        return Head(head.line, [(name, value) for name, value in head.headers if name.lower() != "expect"])


@mutant(cases("req.head"))
class HeadWaits(Relay):
    """Waits for the body of an answer to HEAD."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        if at.request.method == "HEAD":
            await body.link.fill()
        await super().pump(at, body, stage)


@mutant(cases("req.head"), is_slow=True)
class HeadWithoutLength(Relay):
    """Drops the Content-Length of an answer to HEAD, as it has no body."""

    def response_head(self, at: At, response: Head) -> Head:
        head = super().response_head(at, response)
        if at.request.method == "HEAD":
            head.headers = [each for each in head.headers if each[0].lower() != "content-length"]
        return head


@mutant(non_strict=cases("req.stream"), is_slow=True)
class BodyFirst(Relay):
    """Reads the whole body of a request before it asks; promises to, where it is asked whether it will."""

    async def ask(self, at: At) -> None:
        if "100-continue" in at.request.tokens("expect"):
            await at.client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            at.request.headers = [each for each in at.request.headers if each[0].lower() != "expect"]
        whole = b""
        while data := await at.asked.receive():
            whole += data
        await at.upstream.send(self.request_head(at).encode() + framed(at.asked.framing, whole))
        await at.upstream.send(last_of(at.asked.framing, at.asked.trailers))


@mutant(cases("req.body"), is_slow=True)
class ShortRequest(Relay):
    """Passes on 64 KiB of a request's body, and loses the rest."""

    def request_head(self, at: At) -> Head:
        return Head(super().request_head(at).line, self.headers(at.request, "chunked"))

    async def ask(self, at: At) -> None:
        await at.upstream.send(self.request_head(at).encode())
        left = 64 << 10
        while data := await at.asked.receive():
            if left:
                await at.upstream.send(framed("chunked", data[:left]))
            left = max(0, left - len(data))
        await at.upstream.send(last_of("chunked", at.asked.trailers))


@mutant(SAME_CONNECTION | cases("end.abort.rst"), is_slow=True)
class FirstsRest(Relay):
    """Keeps one buffer for a connection, and begins the second answer with the end of the first."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        last = b""
        if at.framing == "chunked" and (rest := self.rests.get(at.client)):
            await self.send(at, rest)
        while data := await body.receive():
            last = data
            await self.send(at, data)
        self.rests[at.client] = last
        await self.end(at, body.trailers)

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.rests: dict[Link, bytes] = {}


@mutant(SAME_CONNECTION, is_slow=True)
class Leftover(Relay):
    """Leaves the end of a chunked answer unread, and takes it for the beginning of the next one."""

    async def end(self, at: At, trailers: Pairs) -> None:
        await super().end(at, trailers)
        if at.framing == "chunked":
            at.upstream.buffer[:0] = b"0\r\n\r\n"

    def is_fresh(self, upstream: Link) -> bool:
        return bool(upstream.buffer) or super().is_fresh(upstream)


@mutant(cases("conn.close-race"), is_slow=True)
class Stale(Relay):
    """Asks on a connection that the upstream has closed meanwhile, and says that the upstream is broken."""

    def is_fresh(self, upstream: Link) -> bool:
        return True
