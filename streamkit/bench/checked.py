"""Whether a plan makes sense, before anything is sent. Pure.

What the command line says is checked where it is read, with the words of its options. This is for plans that come from
a program, or from another process.
"""

from __future__ import annotations

from math import isfinite

from streamkit.bench.loads import MAX_CONCURRENCY, MAX_CV, MAX_RATE, MIN_RATE
from streamkit.bench.plan import Arrivals, Concurrency, Limits, Load, Plan, Replay
from streamkit.errors import ConfigError

__all__ = ["check_plan"]

PROCESSES = ("poisson", "constant", "gamma")


def check_plan(plan: Plan) -> None:
    """Refuse a plan that cannot be run as it is.

    Raises:
        ConfigError: there is no server, no prompt, or a number is out of bounds; the first such thing is named.
    """
    names = [server.name for server in plan.servers]
    _check(bool(names), "there is no server to ask")
    _check(len({*names}) == len(names), "two servers have the same name")
    _check(bool(plan.prompts), "there is no prompt")
    _check(all(map(_is_sendable, plan.prompts)), "a prompt has a character that UTF-8 has not")
    _check(plan.requests is None or plan.requests >= 1, "requests: at least one")
    _check(plan.duration_s is None or 0 < plan.duration_s < float("inf"), "duration: a time above 0")
    _check(plan.max_tokens is None or plan.max_tokens >= 1, "max_tokens: at least one")
    _check(0 <= plan.share < plan.shares, f"share {plan.share} of {plan.shares}: there is none")
    _check_load(plan.load, len(plan.prompts))
    _check_limits(plan.limits)


def _is_sendable(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _check_load(load: Load, prompts: int) -> None:
    if isinstance(load, Concurrency):
        _check(1 <= load.concurrency <= MAX_CONCURRENCY, f"concurrency: 1 to {MAX_CONCURRENCY:,}")
    elif isinstance(load, Arrivals):
        _check(load.process in PROCESSES, f"arrivals: one of {', '.join(PROCESSES)}")
        _check(MIN_RATE <= load.per_s <= MAX_RATE, f"rate: {MIN_RATE:g} to {MAX_RATE:,.0f} a second")
        _check(0 <= load.cv <= MAX_CV, f"cv: 0 to {MAX_CV:g}")
    else:
        _check_replay(load, prompts)


def _check_replay(load: Replay, prompts: int) -> None:
    rows = len(load.at_ns)
    _check(rows > 0, "the trace has no row")
    lengths = {len(load.prompts), len(load.max_tokens), len(load.characters) or rows}
    _check(lengths == {rows}, "the trace's lists are not of the same length")
    _check(load.at_ns[0] >= 0 and sorted(load.at_ns) == load.at_ns, "the trace's times are not in order from 0")
    _check(min(load.prompts) >= 0 and max(load.prompts) < prompts, "the trace names a prompt that there is not")
    _check(min(load.max_tokens) >= 0 and min(load.characters, default=0) >= 0, "the trace has a length below 0")


def _check_limits(limits: Limits) -> None:
    spans = (limits.connect_s, limits.first_token_s, limits.idle_s, limits.total_s)
    _check(all(isfinite(each) and each > 0 for each in spans), "limits: times above 0")
    _check(isfinite(limits.drain_s) and limits.drain_s >= 0, "limits: a time to drain of 0 or more")
    _check(limits.max_in_flight >= 1, "limits: room for at least one request")


def _check(holds: bool, words: str) -> None:  # noqa: FBT001 - a sentence and whether it holds
    if not holds:
        raise ConfigError(words)
