"""What one run of the suite is about: the proxy under test, and what it claims to be. Values; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from streamkit.contract.verdicts import Profile
from streamkit.http.origin import Origin

__all__ = ["DEFAULT_LIMIT_S", "Setting", "Sizes"]

DEFAULT_LIMIT_S: Final = 5.0
"""How long a piece is waited for. It decides no verdict (a piece that is late is told from one that is held by what
makes it come), so it is generous: proxies that stream need less than 3 ms, those that do not never deliver."""


@dataclass(frozen=True)
class Sizes:
    """How much is sent where the amount is the point. Smaller ones make the harness's own tests quick.

    Attributes:
        random_bytes: the body whose digest is compared.
        absorb_bytes: the two lengths of a stream whose client does not read.
        events: how many events make many.
        idle_s: how long a stream is silent, or its reader slow, in the slow group: a little over the usual 60 s.
        heartbeat_s: between two heartbeats.
        duration_s: how long a stream flows without an end.
        stress_runs: how often the flush cases are repeated while all processors are busy.
        gaps_ms: between the pieces whose latency shows whether a timer holds them.
        lines: the longest line that `limit.line.*` sends; longer variants are left out.
    """

    random_bytes: int = 10 << 20
    absorb_bytes: tuple[int, int] = (64 << 20, 192 << 20)
    events: int = 100_000
    idle_s: float = 65.0
    heartbeat_s: float = 15.0
    duration_s: float = 120.0
    stress_runs: int = 20
    gaps_ms: tuple[int, ...] = (0, 1, 5, 20, 50, 120, 300)


@dataclass(frozen=True)
class Setting:
    """What is tested, and as what.

    Attributes:
        target: where the proxy listens; its path stands before every request's.
        client_dialect, upstream_dialect: what the client speaks to the proxy, and the proxy to its upstream.
        model: the model's name in requests; `{case}` in it becomes the case's id, for gateways that stop asking a model
            that has failed.
        headers: sent with every request: credentials, for instance.
        path: of every request, where it is not the dialect's own.
        limit_s: how long a piece is waited for.
    """

    target: Origin
    profile: Profile = "pipe"
    client_dialect: str = "openai-chat"
    upstream_dialect: str = "openai-chat"
    model: str = "streamkit"
    headers: tuple[tuple[str, str], ...] = ()
    path: str = ""
    limit_s: float = DEFAULT_LIMIT_S
    seed: int = 0
    sizes: Sizes = field(default_factory=Sizes)

    @property
    def by_bytes(self) -> bool:
        """Whether bytes are compared, or what they mean."""
        return self.profile != "gateway"
