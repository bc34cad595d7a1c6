"""Open the harness: the upstream on its port, the embedded gateway where no other target is named, and a runner."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from mockserver.app import MockServer, ServerConfig
from streamkit.contract.content import Talk
from streamkit.contract.hub import Hub
from streamkit.contract.runner import BESIDE, Runner
from streamkit.contract.setting import Setting
from streamkit.errors import ConfigError
from streamkit.gateway.config import SPEAKABLE
from streamkit.gateway.open import open_gateway
from streamkit.gateway.route import ALONGSIDE
from streamkit.http.background import background
from streamkit.http.connect import dial_of, trust
from streamkit.http.limits import Limits
from streamkit.http.listener import open_listeners, url_of
from streamkit.http.origin import Origin, parse_origin
from streamkit.http.server import serve
from streamkit.http.tls import TLSListener

__all__ = ["advertised", "open_runner", "open_upstream", "parse_place", "target_trust"]

LIMITS: Final = Limits(max_head_bytes=1 << 20, max_body_bytes=1 << 40, linger_timeout_s=1.0)
"""What is tested is the proxy's limits, not ours."""

PLACES: Final = {"vercel-ui": "/ui/chat"}
"""Where the embedded gateway has the endpoints that are somewhere else: `/api/chat` is Ollama's there."""

ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
"""Where we reach ourselves, listening everywhere."""


def parse_place(text: str, what: str = "--upstream") -> tuple[str, int]:
    """Read HOST:PORT; an IPv6 address stands in brackets, and port 0 is any that is free.

    Raises:
        ConfigError: it is no such thing.
    """
    is_any = text.endswith(":0")
    try:
        origin = parse_origin(f"http://{text}1" if is_any else f"http://{text}", what)
    except ConfigError:
        origin = None
    has_port = is_any or (origin is not None and text.endswith(f":{origin.port}"))
    if origin is None or origin.path or not has_port:
        raise ConfigError(f"{what} {text[:80]!r} is not HOST:PORT; write it like 127.0.0.1:9000")
    return origin.host, 0 if is_any else origin.port


def advertised(place: Origin, advertise: str) -> Origin:
    """Return where the proxy is told that the upstream is.

    Raises:
        ConfigError: `advertise` is not empty, and not HOST:PORT.
    """
    if not advertise:
        return place
    host, port = parse_place(advertise, "--advertise")
    return replace(place, host=host, port=port)


def target_trust(authority: Path | None = None, *, insecure: bool = False) -> ssl.SSLContext:
    """Return what is trusted as the target.

    Args:
        authority: a PEM file; None for what the system trusts.
        insecure: any certificate will do, in anybody's name: for a target of one's own.

    Raises:
        ConfigError: the file cannot be read, or has no certificate in it; or both are given.
    """
    if insecure and authority is not None:
        raise ConfigError("--insecure trusts anything: leave --target-ca out, or --insecure")
    context = trust(authority)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@asynccontextmanager
async def open_upstream(
    host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Hub, Origin]]:
    """Listen as the upstream while the block runs; gives the hub, and where it can be connected to from here.

    Args:
        host: of this machine; `0.0.0.0` or `::` for all of its addresses.
        port: 0 for a free one.
        tls: of `certificate.upstream_certificate`, where the upstream is to speak TLS.

    Raises:
        ConfigError: the port cannot be had.
    """
    mock = MockServer(ServerConfig())
    hub = Hub(mock)
    listeners = await open_listeners(port, host)
    scheme = "http" if tls is None else "https"
    origin = parse_origin(url_of(ANYWHERE.get(host, host), listeners[0].port, scheme))
    mock.url = origin.url
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
    advertise: str = "",
    beside: int = BESIDE,
) -> AsyncIterator[Runner]:
    """Make a runner; without a target, one for the embedded gateway, which runs while the block runs.

    Args:
        setting: what is tested; its target is not looked at where `hub` is None.
        hub: of `open_upstream`; None for one of its own, behind an embedded gateway.
        upstream: where that is.
        target_tls: what is trusted as the target.
        upstream_trust: what is trusted as the upstream, for cases that go past the proxy.
        beside: how many cases run side by side: fewer, where several runs share a processor.
        advertise: HOST:PORT where the proxy finds the upstream, where that is not where it is for us.

    Raises:
        ConfigError: `advertise` is no such place, nobody can ask in the client's dialect, or the embedded gateway
            cannot do what the setting says.
    """
    async with AsyncExitStack() as stack:
        setting = setting or Setting(parse_origin("http://127.0.0.1:1"))
        Talk(setting, "setup", "").request()  # where a dialect has no form for a question, it is said before any case
        if hub is None or upstream is None:
            own, place = await stack.enter_async_context(open_upstream())
            setting = at_home(setting)
            opened = await stack.enter_async_context(open_gateway(place.url, speaks=spoken_by_gateway(setting)))
            setting = replace(setting, target=parse_origin(opened.url))
        else:
            own, place = hub, upstream
        yield Runner(
            setting,
            own,
            dial_of(setting.target, target_tls),
            dial_of(place, upstream_trust),
            advertised(place, advertise).url,
            secrets.token_hex(4),
            beside=beside,
        )


def spoken_by_gateway(setting: Setting) -> str:
    """Return what the embedded gateway has to be told that its upstream speaks: nothing, where it passes bytes on.

    Raises:
        ConfigError: it translates nothing between these two.
    """
    client, upstream = setting.client_dialect, setting.upstream_dialect
    speaks = upstream.partition("/")[0]
    if setting.profile != "gateway" or (client == upstream and speaks not in SPEAKABLE):
        return ""
    if client != upstream and ALONGSIDE.get(client, client.partition("/")[0]) == speaks:
        msg = f"the embedded gateway passes {client} on as it is to a server of {speaks}; give it as both dialects"
        raise ConfigError(msg)
    return speaks


def at_home(setting: Setting) -> Setting:
    """Return the setting for the embedded gateway, whose endpoints are not all where a dialect has its own."""
    if setting.path or not spoken_by_gateway(setting):
        return setting
    return replace(setting, path=PLACES.get(setting.client_dialect, ""))
