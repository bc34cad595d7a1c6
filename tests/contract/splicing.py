"""A relay that asks again where an answer has broken off, for the tests of several groups."""

from __future__ import annotations

from tests.contract.mutants.link import Body, Gone, framed, framing_of, last_of
from tests.contract.mutants.relay import At, Relay, Same

__all__ = ["Splices"]


class Splices(Relay):
    """Asks again where the upstream broke off in the middle, and puts that answer behind what has come."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.asked: dict[At, bytes] = {}

    async def ask(self, at: At) -> None:
        self.asked[at] = self.request_head(at).encode()
        await at.upstream.send(self.asked[at])
        while data := await at.asked.receive():
            self.asked[at] += framed(at.asked.framing, data)
            await at.upstream.send(framed(at.asked.framing, data))
        self.asked[at] += last_of(at.asked.framing, [])
        await at.upstream.send(last_of(at.asked.framing, []))

    async def answer(self, at: At) -> None:
        try:
            await super().answer(at)
        except Gone as gone:
            if gone.link is at.client or at.response is None:
                raise
            at.upstream = await self.connect()
            async with at.upstream.stream:
                await at.upstream.send(self.asked[at])
                response = await self.response(at)
                await self.pump(at, Body(at.upstream, *framing_of(response, at.request.method)), Same())
            at.framing, at.is_done = "close", True
