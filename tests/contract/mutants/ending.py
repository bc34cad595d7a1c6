# ruff: noqa: ARG002 - a hook is given whatever one of the mutants needs
"""Relays that get the end wrong, and above all the end that is none: an upstream that broke off."""

from __future__ import annotations

from contextlib import suppress

import trio

from tests.contract.mutants.link import Body, Gone, Head, Pairs, last_of
from tests.contract.mutants.relay import At, Relay, Same
from tests.contract.mutants.row import cases, mutant
from tests.contract.mutants.sets import ABORTS, ABORTS_CHUNKED, LINES

__all__: list[str] = []


@mutant(ABORTS_CHUNKED)
class Swallowed(Relay):
    """Catches the error of an upstream that broke off, and ends as if all were well."""

    async def break_off(self, at: At) -> None:
        if at.response is None:
            await super().break_off(at)
        else:
            await self.end(at, [])
            at.is_done = True
            at.framing = "close"


@mutant(ABORTS_CHUNKED | cases("end.abort.cl"), is_slow=True)
class Appended(Swallowed):
    """Writes its own error page behind what has come, and ends as if all were well."""

    async def break_off(self, at: At) -> None:
        if at.response is not None:
            await self.send(at, b"Internal Server Error")
        await super().break_off(at)


@mutant(ABORTS)
class Hangs(Relay):
    """Forgets the client when the upstream has broken off."""

    async def break_off(self, at: At) -> None:
        await trio.sleep_forever()


@mutant(cases("end.abort.before-head"), is_slow=True)
class HangsBeforeHead(Relay):
    """Forgets the client where the upstream has broken off without an answer."""

    async def break_off(self, at: At) -> None:
        if at.response is None:
            await trio.sleep_forever()
        await super().break_off(at)


@mutant(cases("end.abort.{mid,boundary,after-head}"), is_slow=True)
class OnlyReset(Relay):
    """Takes the end of a connection for the end of the answer, whatever was promised; a reset it passes on."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        try:
            await super().pump(at, body, stage)
        except Gone as gone:
            if gone.link is at.client or gone.is_reset:
                raise
            await self.end(at, [])
            at.framing = "close"


@mutant(cases("end.abort.before-head"), is_slow=True)
class ZeroLength(Relay):
    """Answers an upstream that broke off before its head with 200 and nothing."""

    async def break_off(self, at: At) -> None:
        if at.response is None:
            head = Head("HTTP/1.1 200 OK", [("Content-Length", "0"), ("Connection", "close")])
            await at.client.send(head.encode())
            at.framing, at.is_done = "close", True
        else:
            await super().break_off(at)


@mutant(
    LINES
    | cases("bytes.{random,utf8-split,event-split,event-merge,crlf,cr,bom,unicode-newlines,comment,multiline-data}")
    | cases("bytes.{no-final-newline,empty-data,id-retry,order.seq,slow-client}", "limit.head.{8k,16k,32k}")
    | cases("limit.events.1e5", "end.clean.chunked", "trailer.survive"),
    cases("limit.line.{1m,2m}"),
)
class TwoEnds(Relay):
    """Ends a chunked answer twice."""

    async def end(self, at: At, trailers: Pairs) -> None:
        await at.client.send(last_of(at.framing, trailers) * 2)


@mutant(cases("bytes.slow-client"))
class LostTail(Relay):
    """Reads up to 4 MiB ahead, and when the upstream closes its connection it drops what the client has not taken."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        sending, receiving = trio.open_memory_channel[bytes](64)
        gone: Gone | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.send_all, at, receiving)
            async with sending:
                try:
                    while data := await body.receive():
                        await sending.send(data)
                except Gone as error:
                    gone = error
            is_last = at.framing == "chunked" and at.response is not None and not at.response.keeps_alive
            if is_last and receiving.statistics().current_buffer_used:
                nursery.cancel_scope.cancel()
                gone = Gone(at.upstream)
        if gone is not None:
            raise gone
        await self.end(at, body.trailers)

    async def send_all(self, at: At, receiving: trio.MemoryReceiveChannel[bytes]) -> None:
        with suppress(Gone):
            async for data in receiving:
                await self.send(at, data)


@mutant(cases("trailer.survive"))
class TrailersBreak(Relay):
    """Takes trailers for the beginning of nonsense, and breaks off."""

    async def end(self, at: At, trailers: Pairs) -> None:
        if trailers:
            raise Gone(at.upstream)
        await super().end(at, trailers)


class NoTrailers(Relay):
    """Drops trailers, which is allowed."""

    async def end(self, at: At, trailers: Pairs) -> None:
        await super().end(at, [])
