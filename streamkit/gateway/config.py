"""What a gateway is told before it starts. Nothing that a client sends changes it: the upstream least of all."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from streamkit.errors import ConfigError
from streamkit.http.client import MAX_HEAD_BYTES
from streamkit.http.limits import Limits
from streamkit.http.origin import Origin
from streamkit.vendors.endpoint import Facts

__all__ = ["SPEAKABLE", "GatewayConfig"]

SERVICE: Final = "streamkit"
"""What the gateway calls itself where a vendor's server says its name."""

ANY_MODEL: Final = "*"

SPEAKABLE: Final = ("ollama-chat", "openai-chat", "openai-responses", "anthropic", "gemini")
"""The dialects in which an upstream can be asked whatever any client asks."""

POSITIVE: Final = (
    *("connect_timeout_s", "head_timeout_s", "idle_timeout_s", "max_response_head_bytes"),
    *("max_streams", "stream_buffer_bytes", "stream_grace_s"),
)


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
        speaks: the dialect of the upstream, one of `SPEAKABLE`; then clients may come in any dialect. Empty: the
            gateway passes bytes on and knows no dialect.
        model_map: what models are called upstream, by the names that clients use; `*` stands for every other name.
        cors_origins: the origins whose pages browsers let read the answers, `*` for those of any.
        max_streams: how many resumable streams there may be at once.
        stream_buffer_bytes: how much of a resumable stream is kept for those who come back.
        stream_grace_s: how long a resumable stream that nobody reads lives on.

    Raises:
        ConfigError: a limit is not positive, or there is no such dialect.
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
    speaks: str = ""
    model_map: Mapping[str, str] = field(default_factory=dict)
    cors_origins: frozenset[str] = frozenset()
    max_streams: int = 1000
    stream_buffer_bytes: int = 1 << 20
    stream_grace_s: float = 30.0

    def __post_init__(self) -> None:
        if self.speaks and self.speaks not in SPEAKABLE:
            raise ConfigError(f"no server can be asked in {self.speaks!r}; one speaks {', '.join(SPEAKABLE)}")
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: it has to be more than 0")

    def facts(self, now_ns: int, *, models: tuple[str, ...] | None = None, is_healthy: bool = True) -> Facts:
        """Return what the vendors' endpoints have to know of this gateway; `now_ns` is in ns since 1970."""
        return Facts(
            models,
            now_ns,
            service=SERVICE,
            is_healthy=is_healthy,
            default_model="",
            is_model_optional=ANY_MODEL in self.model_map,
            lists_own=False,
        )

    def upstream_model(self, name: str) -> str:
        """Return what a model is called upstream: by `model_map`, else as it is. No name is one like others."""
        return self.model_map.get(name, self.model_map.get(ANY_MODEL, name))
