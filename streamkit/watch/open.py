"""Watch the streams of a gateway while a block of a program runs: the page is at `OpenGateway.url` + `/_watch/`.

::

    async with open_watch() as watched:  # the embedded mock server is the model
        print(watched.page_url)
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from mockserver.app import MockServer
from mockserver.open import open_mockserver
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.gateway import OnRecord
from streamkit.gateway.open import OpenGateway, open_gateway
from streamkit.http.origin import parse_origin
from streamkit.watch.api import API
from streamkit.watch.model import MockModel, Model
from streamkit.watch.onlooker import Watch
from streamkit.watch.prefix import PREFIX
from streamkit.watch.sights import Sights

__all__ = ["SPEAKS", "OpenWatch", "open_watch", "watch_of"]

SPEAKS: Final = "openai-chat"
"""What the embedded mock server is asked in."""


@dataclass
class OpenWatch:
    """A gateway that is watched.

    Attributes:
        gateway: runs.
        sights: what is seen.
        mock: the model, where it is the embedded one.
    """

    gateway: OpenGateway
    sights: Sights
    mock: MockServer | None = None

    @property
    def page_url(self) -> str:
        """Where the page is."""
        return f"{self.gateway.url}{PREFIX}"


def watch_of(config: GatewayConfig, mock: MockServer | None = None, sights: Sights | None = None) -> Watch:
    """Return an onlooker for a gateway with this configuration."""
    sights = Sights() if sights is None else sights
    model = Model(config) if mock is None else MockModel(config, mock)
    return Watch(API(sights, model), sights, grace_s=config.stream_grace_s)


@asynccontextmanager
async def open_watch(
    config: GatewayConfig | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    on_record: OnRecord | None = None,
    speaks: str = SPEAKS,
    sights: Sights | None = None,
    mock: MockServer | None = None,
) -> AsyncIterator[OpenWatch]:
    """Run a gateway that is watched while the block runs.

    Args:
        config: the gateway's; without one its upstream is an embedded mock server.
        host: the address to listen on.
        port: 0 for any that is free.
        tls: speak TLS to clients, with the certificate in here.
        on_record: called with the record of each request once it is over.
        speaks: in which dialect the embedded mock server is asked.
        sights: where what is seen is kept, with bounds of its own.
        mock: the mock server that `config` leads to, so that the page can set it.

    Raises:
        ConfigError: something in the configuration is wrong, or the port cannot be had.
    """
    if config is None:
        async with (
            open_mockserver() as embedded,
            open_watch(
                GatewayConfig(parse_origin(embedded.url), speaks=speaks),
                host=host,
                port=port,
                tls=tls,
                on_record=on_record,
                sights=sights,
                mock=embedded,
            ) as watched,
        ):
            yield watched
        return
    watch = watch_of(config, mock, sights)
    async with open_gateway(config, host=host, port=port, tls=tls, on_record=on_record, onlooker=watch) as gateway:
        yield OpenWatch(gateway, watch.sights, mock)
