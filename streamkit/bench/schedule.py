"""When each request of an open loop is due, and whom each request asks. Pure: all of it is drawn from one seed.

Gaps are drawn first and added up, so that nothing drifts (a late request does not move the ones behind it). Every
process of a run draws the whole schedule and takes its own share, so that the load is the same however many share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, repeat
from random import Random
from typing import Final, NamedTuple

from streamkit.bench.plan import NS, Arrivals, Concurrency, Load, Plan, Replay

__all__ = ["Due", "due_times", "requests_of"]

LEAST_VARIANCE: Final = 1e-12
"""What varies less is as good as constant, and its shape too large to draw from."""


class Due(NamedTuple):
    """One request to come.

    Attributes:
        number: from 0, within the run.
        pair: what it shares with those that ask other servers the same.
        server: the index of whom it asks.
        prompt: the index of what it asks.
        max_tokens: of its answer; None for the plan's.
        at_ns: when it is due, since the beginning; None in a closed loop.
        characters: how many of the prompt's are sent; 0 for all.
    """

    number: int
    pair: int
    server: int
    prompt: int
    max_tokens: int | None
    at_ns: int | None
    characters: int = 0


def due_times(load: Arrivals, seed: int) -> Iterator[int]:
    """Yield when requests are due, in ns since the beginning, without end. The first one is due at once."""
    draw = Random(f"arrivals {seed}")
    mean_s = 1 / load.per_s
    variance = load.cv**2
    if load.process == "constant" or (load.process == "gamma" and variance < LEAST_VARIANCE):
        yield from (round(number * NS / load.per_s) for number in count())
    at_s = 0.0
    while True:
        yield round(at_s * NS)
        if load.process == "poisson":
            at_s += draw.expovariate(load.per_s)
        else:
            at_s += draw.gammavariate(1 / variance, mean_s * variance)


def requests_of(plan: Plan) -> Iterator[Due]:
    """Yield the requests of this process's share, in order, as far as their number goes."""
    every = islice(_all_of(plan), plan.all_requests)
    if plan.shares == 1:
        return every
    # A pair is never done by two processes. In a closed loop each does as many as it has of the concurrency: were they
    # dealt out evenly, 3 on 2 processes would end as 1 on 1, and 1 on 2 would never do the half of them.
    lanes = plan.load.concurrency if isinstance(plan.load, Concurrency) else plan.shares
    if plan.share >= lanes:
        return iter(())
    return (due for due in every if due.pair % lanes % plan.shares == plan.share)


def _all_of(plan: Plan) -> Iterator[Due]:
    draw = Random(f"order {plan.seed}")
    servers = len(plan.servers)
    numbers = iter(count())
    times, prompts, limits, lengths = _rows(plan.load, plan.seed, len(plan.prompts), servers)
    for pair in count():
        order = [*range(servers)]
        draw.shuffle(order)
        prompt = next(prompts, None)
        max_tokens, characters = next(limits, 0), next(lengths, 0)
        if prompt is None:
            return
        for server in order:
            at_ns = next(times, -1)
            if at_ns == -1:
                return
            yield Due(next(numbers), pair, server, prompt, max_tokens or None, at_ns, characters)


def _rows(
    load: Load, seed: int, prompts: int, servers: int
) -> tuple[Iterator[int | None], Iterator[int], Iterator[int], Iterator[int]]:
    """Return the times of all requests, and of each pair the prompt, the most tokens, and the prompt's characters."""
    if isinstance(load, Replay):
        times = (at_ns for at_ns in load.at_ns for _ in range(servers))
        return times, iter(load.prompts), iter(load.max_tokens), iter(load.characters)
    turns = (number % prompts for number in count())
    if isinstance(load, Concurrency):
        return repeat(None), turns, repeat(0), repeat(0)
    return due_times(load, seed), turns, repeat(0), repeat(0)
