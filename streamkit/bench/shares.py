"""How a load is dealt out to several processes, or machines. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from streamkit.bench.plan import Concurrency, Plan

__all__ = ["shares_of"]


def shares_of(plan: Plan, count: int) -> list[Plan]:
    """Return the plans that together are one plan, or what a share of it is dealt out to in turn.

    A closed loop with fewer requests at once than `count` is dealt out to fewer. An open loop's bound on requests at
    once is divided, too.
    """
    limits = plan.limits
    if isinstance(plan.load, Concurrency):
        count = min(count, len(range(plan.share, plan.load.concurrency, plan.shares)))
    else:
        limits = replace(limits, max_in_flight=max(1, limits.max_in_flight // count))
    return [
        replace(plan, share=plan.share + plan.shares * number, shares=plan.shares * count, limits=limits)
        for number in range(count)
    ]
