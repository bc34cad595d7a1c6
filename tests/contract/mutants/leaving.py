# ruff: noqa: ARG002 - a hook is given whatever one of the mutants needs
"""Relays that do not notice, or do not say, that the client has left; and one that does not survive it."""

from __future__ import annotations

from contextlib import suppress

import trio

from tests.contract.mutants.link import Body, Gone, Head
from tests.contract.mutants.relay import At, Relay, Same
from tests.contract.mutants.row import cases, mutant
from tests.contract.mutants.sets import ABORTS_CHUNKED

__all__: list[str] = []


@mutant(cases("cancel.{idle,ttft}"), cases("cancel.nonstream"), is_slow=True)
class OnlyFlowing(Relay):
    """Does not watch its client, and learns from a failing write that it has left."""

    async def watch(self, at: At) -> None:
        return


@mutant(cases("cancel.{flow,idle,ttft,rst}"), cases("cancel.nonstream"))
class NeverCancels(OnlyFlowing):
    """Does not watch its client, and where writing fails it reads the rest of the answer all the same."""

    async def send(self, at: At, data: bytes) -> None:
        with suppress(Gone):
            await super().send(at, data)


@mutant(cases("cancel.ttft"), cases("cancel.nonstream"), is_slow=True)
class NoWatchBeforeHead(Relay):
    """Begins to watch its client when the answer has begun."""

    async def watch(self, at: At) -> None:
        await self.begun.setdefault(at, trio.Event()).wait()
        await super().watch(at)

    async def send_head(self, at: At, head: Head) -> None:
        await super().send_head(at, head)
        self.begun.setdefault(at, trio.Event()).set()

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.begun: dict[At, trio.Event] = {}


@mutant(non_strict=cases("cancel.nonstream"))
class OnlyStreams(Relay):
    """Watches the clients of streams only: an answer in one piece is not worth it."""

    async def watch(self, at: At) -> None:
        if at.request.method == "GET" or b'"stream":true' in self.bodies.get(at, b"").replace(b" ", b""):
            await super().watch(at)

    async def ask(self, at: At) -> None:
        receive = at.asked.receive

        async def kept() -> bytes:
            data = await receive()
            self.bodies[at] = self.bodies.get(at, b"") + data
            return data

        at.asked.receive = kept  # type: ignore[method-assign]  # to see what is asked for on its way
        await super().ask(at)

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.bodies: dict[At, bytes] = {}


@mutant(ABORTS_CHUNKED | cases("cancel.{idle,ttft}"), cases("cancel.nonstream"), is_slow=True)
class Middleware(OnlyFlowing):
    """Hides that the client has left, and that the upstream broke off: one BaseHTTPMiddleware of Starlette."""

    async def break_off(self, at: At) -> None:
        if at.response is None:
            await super().break_off(at)
        else:
            await self.end(at, [])
            at.framing, at.is_done = "close", True


@mutant(cases("cancel.rst"), is_slow=True)
class OnlyFin(Relay):
    """Takes a reset of its client for an error of no interest, and goes on."""

    async def watch(self, at: At) -> None:
        try:
            while await at.client.fill():
                pass
        except Gone:
            await trio.sleep_forever()
        at.scope.cancel()

    async def send(self, at: At, data: bytes) -> None:
        with suppress(Gone):
            await super().send(at, data)


@mutant(cases("cancel.then-next"))
class KeepsLock(Relay):
    """Keeps a lock when a client has left in the middle of an answer; who asks at the same place waits for ever."""

    async def watch(self, at: At) -> None:
        await super().watch(at)
        if at.response is not None:
            self.locked.add(at.request.target)

    async def ask(self, at: At) -> None:
        if at.request.target in self.locked:
            await trio.sleep_forever()
        await super().ask(at)

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.locked: set[str] = set()


@mutant(cases("flush.concurrent.8"), is_slow=True)
class OneLock(Relay):
    """Has one lock for all answers of a place, and writes one at a time: where one client does not read, all wait."""

    async def send(self, at: At, data: bytes) -> None:
        async with self.locks.setdefault(at.request.target, trio.Lock()):
            await super().send(at, data)

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.locks: dict[str, trio.Lock] = {}


@mutant(cases("bp.absorb"))
class Unbounded(Relay):
    """Reads as fast as the upstream sends, and keeps in memory what its client has not taken."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        sending, receiving = trio.open_memory_channel[bytes](1 << 30)
        gone: Gone | None = None

        async def send() -> None:
            with suppress(Gone):
                async for data in receiving:
                    await self.send(at, data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            async with sending:
                try:
                    while data := await body.receive():
                        sending.send_nowait(data)
                except Gone as error:
                    gone = error
        if gone is not None:
            raise gone
        await self.end(at, body.trailers)
