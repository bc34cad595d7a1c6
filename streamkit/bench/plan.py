"""What a run is to do, as one value that goes to other processes as JSON. Pure.

A plan is one load on one or more servers. A sweep is several plans.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from streamkit.http.redact import redacted_target

__all__ = ["Arrivals", "Concurrency", "Limits", "Load", "Plan", "Replay", "Server"]


class Concurrency(msgspec.Struct, frozen=True, tag="concurrency"):
    """A closed loop: so many requests at any time, of all servers together; each begins when another one has ended."""

    concurrency: int


class Arrivals(msgspec.Struct, frozen=True, tag="rate"):
    """An open loop: requests begin when they are due, whatever has become of the others.

    Attributes:
        process: how the gaps between them are drawn.
        per_s: the mean rate, of all servers together.
        cv: the coefficient of variation of gamma's gaps; 1 is what Poisson's have.
    """

    process: Literal["poisson", "constant", "gamma"]
    per_s: float
    cv: float = 1.0


class Replay(msgspec.Struct, frozen=True, tag="trace"):
    """An open loop whose requests begin at given times.

    Attributes:
        at_ns: since the beginning, in order.
        prompts: of each, the index of its prompt in `Plan.prompts`.
        max_tokens: of each; 0 for that of the plan.
        characters: of each, how many of its prompt's are sent; 0, or an empty list, for all of them. So made-up prompts
            of many lengths are one text.
    """

    at_ns: list[int]
    prompts: list[int]
    max_tokens: list[int]
    characters: list[int] = []


Load: TypeAlias = Concurrency | Arrivals | Replay


class Server(msgspec.Struct, frozen=True, omit_defaults=True):
    """A server that is asked. Its `repr` shows no key, and of headers the names.

    Attributes:
        name: unique in the plan; "direct", "proxy", or what the user calls it.
        url: of the endpoint, or of a base.
        dialect: a name of the registry, with `/framing` where it is another one; never "auto".
        model: the model that is asked.
        headers: the user's, sent with every request.
        api_key: goes into the header that the dialect has for it.
        authorities: a PEM file of what is trusted; empty for what the system trusts.
    """

    name: str
    url: str
    dialect: str
    model: str = ""
    headers: list[tuple[str, str]] = []
    api_key: str = ""
    authorities: str = ""

    def __repr__(self) -> str:
        names = [name for name, _ in self.headers]
        key = "..." if self.api_key else ""
        return (
            f"Server({self.name!r}, {redacted_target(self.url)!r}, {self.dialect!r}, model={self.model!r},"
            f" headers={names!r}, api_key={key!r}, authorities={self.authorities!r})"
        )


class Limits(msgspec.Struct, frozen=True):
    """How long things may take, in seconds, and how many requests may run.

    Attributes:
        connect_s, first_token_s, idle_s, total_s: of one request; first token, idle and total count from the sending.
        drain_s: how long requests that run may go on behind the end of the run. What remains then has had its time, and
            is an error ("no-first-token" or "timeout"); "unfinished" where it is 0.
        max_in_flight: of an open loop. One that would be too many waits, and its dispatch delay says so.
    """

    connect_s: float = 10.0
    first_token_s: float = 120.0
    idle_s: float = 120.0
    total_s: float = 600.0
    drain_s: float = 30.0
    max_in_flight: int = 10_000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One load.

    Attributes:
        servers: who is asked. With more than one every prompt goes to each of them, in an order drawn anew each time.
        load: how many at once, or how many a second.
        requests: how many in all, of all shares; None for no such end. The last pair is done whole: see `all_requests`.
        duration_s: how long requests may begin; None for no such end.
        prompts: texts, used in turn.
        same_prompt: whether to send them as they are; otherwise each request's prompt begins with words that no other
            has, so that the server's prefix cache does not answer.
        max_tokens: of each answer.
        seed: what schedule and order are drawn from.
        share, shares: of an open loop this process does every `shares`-th pair, from the `share`-th on; with one server
            a pair is a request. A closed loop's concurrency is spread likewise, and its pairs as that is.
        limits: see there.
    """

    servers: list[Server]
    load: Load
    prompts: list[str]
    requests: int | None = None
    duration_s: float | None = None
    same_prompt: bool = False
    max_tokens: int | None = None
    seed: int = 0
    share: int = 0
    shares: int = 1
    limits: Limits = Limits()

    @property
    def all_requests(self) -> int | None:
        """`requests`, and as many more as the last pair wants where that is no multiple of the servers."""
        return None if self.requests is None else -(-self.requests // len(self.servers)) * len(self.servers)


NS: Final = 1_000_000_000
