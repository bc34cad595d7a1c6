"""A gateway in a thread of its own, for clients that block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Unpack

import trio

from streamkit.gateway.open import GatewayOptions, open_gateway
from streamkit.gateway.record import Record
from streamkit.http.in_thread import in_thread

__all__ = ["GatewayInThread", "gateway_in_thread"]


class GatewayInThread:
    """A gateway that runs in a thread; made by `gateway_in_thread`.

    Attributes:
        url: where it listens.
    """

    def __init__(self, url: str, token: trio.lowlevel.TrioToken, records: list[Record]) -> None:
        self.url = url
        self._token = token
        self._records = records
        self._noted = trio.Event()

    @property
    def records(self) -> list[Record]:
        """What it wrote down about the requests that are over."""
        return trio.from_thread.run_sync(self._records.copy, trio_token=self._token)

    def wait_for_record(self, number: int) -> Record:
        """Return the record of a request, counted from 1 by their ends, once it is over."""

        async def wait() -> Record:
            while len(self._records) < number:
                await self._noted.wait()
            return self._records[number - 1]

        return trio.from_thread.run(wait, trio_token=self._token)

    def note(self, record: Record) -> None:
        """Keep a record, in the gateway's own thread."""
        self._records.append(record)
        self._noted.set()
        self._noted = trio.Event()


@contextmanager
def gateway_in_thread(upstream: str, **options: Unpack[GatewayOptions]) -> Iterator[GatewayInThread]:
    """Run a gateway before this upstream while the block runs; `options` are what `GatewayConfig` takes."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[GatewayInThread]:
        def note(record: Record) -> None:
            running.note(record)

        async with open_gateway(upstream, on_record=note, **options) as gateway:
            running = GatewayInThread(gateway.url, trio.lowlevel.current_trio_token(), [])
            yield running

    with in_thread(opening, "gateway") as (gateway, _):
        yield gateway
