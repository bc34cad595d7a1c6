"""Run a gateway on a socket while a block of a program runs.

::

    async with open_gateway("http://127.0.0.1:11434") as gateway:
        ...  # any client, at gateway.url
"""

from __future__ import annotations

import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, TypedDict, Unpack

import trio

from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.gateway import Gateway, OnRecord
from streamkit.gateway.onlooker import Onlooker
from streamkit.gateway.record import Record
from streamkit.gateway.stats import Stats
from streamkit.http.background import background
from streamkit.http.connect import Dial
from streamkit.http.limits import Limits
from streamkit.http.listener import open_listeners, url_of
from streamkit.http.origin import parse_origin
from streamkit.http.server import serve
from streamkit.http.stream import WireStream
from streamkit.http.tls import TLSListener

__all__ = ["GatewayOptions", "OpenGateway", "open_gateway"]

logger = logging.getLogger("streamkit.gateway")

MAX_RECORDS: Final = 1000
"""How many records are kept."""


class GatewayOptions(TypedDict, total=False):
    """What `GatewayConfig` takes beside the upstream; it says what each of them is."""

    upstream_tls: ssl.SSLContext | None
    upstream_key: str
    api_key: str
    half_close: bool
    allowed_hosts: frozenset[str] | None
    connect_timeout_s: float
    head_timeout_s: float
    idle_timeout_s: float
    max_response_head_bytes: int
    limits: Limits
    speaks: str
    model_map: Mapping[str, str]
    cors_origins: frozenset[str]
    max_streams: int
    stream_buffer_bytes: int
    stream_grace_s: float


class OpenGateway:
    """A gateway that runs; made by `open_gateway`.

    Attributes:
        url: where it listens.
        port: the same.
        gateway: what answers.
        records: of the requests that are over, the newest last, up to a bound.
    """

    def __init__(self, gateway: Gateway, url: str, port: int, records: deque[Record]) -> None:
        self.gateway = gateway
        self.url = url
        self.port = port
        self.records = records
        self._done = trio.Event()

    @property
    def stats(self) -> Stats:
        """The counters."""
        return self.gateway.stats

    def drain(self) -> None:
        """Take on no more: close the port and the connections that wait for a request, and let the rest finish."""
        self.gateway.drain.set()

    async def wait_done(self) -> None:
        """Wait until the last request is over, after `drain`."""
        await self._done.wait()

    async def serve(
        self,
        listeners: Sequence[trio.abc.Listener[WireStream]],
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled or drained; `open_gateway` does this."""
        gateway = self.gateway
        await serve(
            listeners,
            gateway.handle,
            limits=gateway.config.limits,
            refuse=gateway.refuse,
            drain=gateway.drain,
            task_status=task_status,
        )
        self._done.set()


@asynccontextmanager
async def open_gateway(
    upstream: str | GatewayConfig,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    on_record: OnRecord | None = None,
    dial: Dial | None = None,
    onlooker: Onlooker | None = None,
    **options: Unpack[GatewayOptions],
) -> AsyncIterator[OpenGateway]:
    """Run a gateway while the block runs. Leaving the block resets what is being answered and closes the rest.

    Args:
        upstream: the URL of the server behind it, or a whole configuration; `options` come on top.
        host: the address to listen on.
        port: 0 for any that is free.
        tls: speak TLS to clients, with the certificate in here.
        on_record: called with the record of each request once it is over; an error of its own is logged.
        dial: makes connections to the upstream in another way, for tests.
        onlooker: sees what passes; see `streamkit.gateway.onlooker`.
        options: see `GatewayConfig`.

    Raises:
        ConfigError: the URL or an option is wrong, or the port cannot be had.
    """
    if isinstance(upstream, str):
        config = GatewayConfig(parse_origin(upstream), **options)
    else:
        config = replace(upstream, **options)
    records: deque[Record] = deque(maxlen=MAX_RECORDS)

    def keep(record: Record) -> None:
        records.append(record)
        if on_record is not None:
            try:
                on_record(record)
            except Exception:
                logger.exception("on_record failed")  # and the client, who got its answer, is not to suffer for it

    gateway = Gateway(config, on_record=keep, dial=dial, onlooker=onlooker)
    listeners = await open_listeners(port, host, stamps=False)
    served: Sequence[trio.abc.Listener[WireStream]] = (
        listeners if tls is None else [TLSListener(listener, tls) for listener in listeners]
    )
    port = listeners[0].port
    running = OpenGateway(gateway, url_of(host, port, "https" if tls else "http"), port, records)
    try:
        async with background() as nursery:
            nursery.start_soon(gateway.pool.reap)
            if gateway.streams is not None:
                await nursery.start(gateway.streams.run)
            await nursery.start(running.serve, served)
            yield running
    finally:
        await gateway.aclose()
