"""Open the harness: the upstream on its port, the embedded gateway where no other target is named, and a runner."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from mockserver.app import MockServer, ServerConfig
from streamkit.contract.hub import Hub
from streamkit.contract.runner import Runner
from streamkit.contract.setting import Setting
from streamkit.gateway.open import open_gateway
from streamkit.http.background import background
from streamkit.http.connect import dial_of
from streamkit.http.limits import Limits
from streamkit.http.listener import open_listeners, url_of
from streamkit.http.origin import Origin, parse_origin
from streamkit.http.server import serve
from streamkit.http.tls import TLSListener

__all__ = ["open_runner", "open_upstream"]

LIMITS: Final = Limits(max_head_bytes=1 << 20, max_body_bytes=1 << 40, linger_timeout_s=1.0)
"""What is tested is the proxy's limits, not ours."""


@asynccontextmanager
async def open_upstream(
    host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Hub, Origin]]:
    """Listen as the upstream while the block runs; gives the hub, and where it is.

    Raises:
        ConfigError: the port cannot be had.
    """
    hub = Hub(MockServer(ServerConfig()))
    listeners = await open_listeners(port, host)
    scheme = "http" if tls is None else "https"
    origin = parse_origin(url_of(host, listeners[0].port, scheme))
    served = listeners if tls is None else [TLSListener(listener, tls) for listener in listeners]
    async with background() as nursery:
        await nursery.start(partial(serve, served, hub.handle, limits=LIMITS))
        yield hub, origin


@asynccontextmanager
async def open_runner(
    setting: Setting | None = None,
    *,
    hub: Hub | None = None,
    upstream: Origin | None = None,
    target_tls: ssl.SSLContext | None = None,
    upstream_trust: ssl.SSLContext | None = None,
) -> AsyncIterator[Runner]:
    """Make a runner; without a target, one for the embedded gateway, which runs while the block runs.

    Args:
        setting: what is tested; its target is not looked at where `hub` is None.
        hub: of `open_upstream`; None for one of its own, behind an embedded gateway.
        upstream: where that is.
        target_tls: what is trusted as the target.
        upstream_trust: what is trusted as the upstream, for cases that go past the proxy.
    """
    async with AsyncExitStack() as stack:
        setting = setting or Setting(parse_origin("http://127.0.0.1:1"))
        if hub is None or upstream is None:
            own, place = await stack.enter_async_context(open_upstream())
            speaks = setting.upstream_dialect if setting.profile == "gateway" else ""
            opened = await stack.enter_async_context(open_gateway(place.url, speaks=speaks))
            setting = replace(setting, target=parse_origin(opened.url))
        else:
            own, place = hub, upstream
        yield Runner(
            setting,
            own,
            dial_of(setting.target, target_tls),
            dial_of(place, upstream_trust),
            place.authority,
            secrets.token_hex(4),
        )
