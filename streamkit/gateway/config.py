"""What a gateway is told before it starts. Nothing that a client sends changes it: the upstream least of all."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from streamkit.errors import ConfigError
from streamkit.http.client import MAX_HEAD_BYTES
from streamkit.http.limits import Limits
from streamkit.http.origin import Origin

__all__ = ["GatewayConfig"]


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """The configuration of a gateway.

    Attributes:
        upstream: where every request goes.
        upstream_tls: whom to trust there; by default whom the system trusts.
        upstream_key: sent upstream in place of the key that the client sent; empty: the client.s goes on.
        api_key: what clients have to bring, as a bearer token; it does not go on. Empty: nothing is asked.
        half_close: whether a client that closes its sending side is still served. Otherwise it counts as gone.
        allowed_hosts: names besides `localhost` and addresses by which clients may call us; None: any.
        connect_timeout_s: for a connection to the upstream, TLS included; then 504.
        head_timeout_s: from the request to the head of its response, which for a model includes the whole prompt; then
            504.
        idle_timeout_s: between two reads of a response, then the client's connection is aborted.
        max_response_head_bytes: a longer head from upstream is a 502.
        limits: on clients.

    Raises:
        ConfigError: a time limit is not positive.
    """

    upstream: Origin
    upstream_tls: ssl.SSLContext | None = None
    upstream_key: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    half_close: bool = False
    allowed_hosts: frozenset[str] | None = frozenset()
    connect_timeout_s: float = 10.0
    head_timeout_s: float = 600.0
    idle_timeout_s: float = 600.0
    max_response_head_bytes: int = MAX_HEAD_BYTES
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("connect_timeout_s", "head_timeout_s", "idle_timeout_s", "max_response_head_bytes"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: it has to be more than 0")
