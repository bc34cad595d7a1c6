"""The vendors' endpoints: requests of any dialect, answered by an upstream of another, as long as their clients stay.

Where both sides speak the same dialect nothing is converted (`streamkit.gateway.relay` passes it on).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from streamkit.gateway.asker import Asker
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.job import Job
from streamkit.gateway.record import Record
from streamkit.http.exchange import Exchange
from streamkit.http.head import BadHead
from streamkit.vendors import Found
from streamkit.vendors.question import RefusedError

__all__ = ["Translator"]


class Translator:
    """Answers requests in the manner of their vendors.

    Args:
        config: the gateway's.
        asker: asks its upstream.
    """

    def __init__(self, config: GatewayConfig, asker: Asker) -> None:
        self._config = config
        self._asker = asker

    async def handle(
        self,
        exchange: Exchange,
        record: Record,
        found: Found,
        *,
        added: Sequence[tuple[str, str]] = (),
        dropped: frozenset[str] = frozenset(),
        is_last: Callable[[], bool] = bool,
    ) -> None:
        """Answer one request.

        Args:
            exchange: the client's.
            record: is filled in.
            found: its endpoint.
            added: headers of the response that the gateway has of its own.
            dropped: names, in lower case, of request headers that are meant for the gateway alone.
            is_last: tells whether the client's connection closes behind the response in any case.

        Raises:
            BrokenResourceError: the client is gone.
        """
        record.dialect, record.upstream_dialect = found.dialect, self._config.speaks
        try:
            body = await exchange.read_body()
        except BadHead as error:
            await self.refuse(exchange, record, found, error, added=added, is_last=is_last)
            return
        job = Job(exchange, record, found, self._config, self._asker, added=added, dropped=dropped, is_last=is_last)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, job, nursery.cancel_scope)
            await job.run(body)
            nursery.cancel_scope.cancel()
        if job.is_left and record.outcome != "ok":
            record.outcome = "client-left"
            exchange.stream.abort()

    async def refuse(
        self,
        exchange: Exchange,
        record: Record,
        found: Found,
        error: BadHead,
        *,
        added: Sequence[tuple[str, str]] = (),
        is_last: Callable[[], bool] = bool,
    ) -> None:
        """Answer a request whose body is broken, late or too long, in the manner of its vendor."""
        job = Job(exchange, record, found, self._config, self._asker, added=added, dropped=frozenset(), is_last=is_last)
        await job.refuse(RefusedError(error.status, error.reason), "bad-request")

    async def _watch(self, job: Job, scope: trio.CancelScope) -> None:
        """Wait for the client's leaving."""
        if await job.exchange.wait_gone(half_close=self._config.half_close):
            job.is_left = True
            scope.cancel()
