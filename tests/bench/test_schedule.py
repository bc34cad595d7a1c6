"""When requests are due, and whom they ask: laws that hold for every seed, load, and number of processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby, islice, pairwise
from math import sqrt
from statistics import fmean, pstdev

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.plan import NS, Arrivals, Concurrency, Load, Plan, Replay, Server
from streamkit.bench.progress import planned_requests
from streamkit.bench.schedule import Due, due_times, requests_of
from streamkit.bench.shares import shares_of

SEEDS = st.integers(0, 2**64)

RATES = st.floats(0.01, 10_000)


@st.composite
def replays(draw: st.DrawFn) -> Replay:
    times = sorted(draw(st.lists(st.integers(0, 10**10), min_size=1, max_size=20)))
    rows = len(times)
    lengths = st.lists(st.integers(0, 50), min_size=rows, max_size=rows)
    prompts = draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows))
    return Replay(times, prompts, draw(lengths), draw(st.just([]) | lengths))


ARRIVALS = (
    st.builds(Arrivals, st.sampled_from(["poisson", "constant"]), RATES)
    | st.builds(Arrivals, st.just("gamma"), RATES, st.floats(0, 10))
)  # fmt: skip

LOADS: st.SearchStrategy[Load] = st.builds(Concurrency, st.integers(1, 20)) | ARRIVALS | replays()


@st.composite
def plans(draw: st.DrawFn, shares: st.SearchStrategy[int] = st.just(1)) -> Plan:  # noqa: B008 - a value
    servers = [Server(f"s{number}", "http://x", "openai-chat") for number in range(draw(st.integers(1, 4)))]
    return Plan(
        servers=servers,
        load=draw(LOADS),
        prompts=["a", "b", "c"],
        requests=draw(st.integers(1, 80)),
        seed=draw(SEEDS),
        shares=draw(shares),
    )


def share_of(plan: Plan, share: int) -> list[Due]:
    return [*requests_of(msgspec.structs.replace(plan, share=share))]


def whole_of(plan: Plan) -> list[Due]:
    return [*requests_of(msgspec.structs.replace(plan, shares=1))]


# ------------------------------------------------------------------------------------------------------------- shares


@given(plans(shares=st.integers(1, 7)))
def test_shares_are_the_whole_each_request_once(plan: Plan) -> None:
    parts = [share_of(plan, share) for share in range(plan.shares)]
    assert sorted(due for part in parts for due in part) == whole_of(plan)


@given(plans(shares=st.integers(1, 3)), st.lists(st.integers(1, 4), min_size=3, max_size=3))
def test_a_share_that_is_dealt_out_again_is_still_the_same_share(plan: Plan, workers: list[int]) -> None:
    """Machines with different numbers of processes."""
    machines = [msgspec.structs.replace(plan, share=share) for share in range(plan.shares)]
    parts = [part for each, count in zip(machines, workers, strict=False) for part in shares_of(each, count)]
    assert sorted(due for part in parts for due in requests_of(part)) == whole_of(plan)


@given(plans(shares=st.integers(2, 5)))
def test_a_pair_is_never_done_by_two_processes(plan: Plan) -> None:
    homes: dict[int, set[int]] = {}
    for share in range(plan.shares):
        for due in share_of(plan, share):
            homes.setdefault(due.pair, set()).add(share)
    assert all(len(each) == 1 for each in homes.values())


@given(st.integers(1, 40), st.integers(1, 8), SEEDS)
def test_processes_do_as_much_as_they_have_of_the_concurrency(concurrency: int, shares: int, seed: int) -> None:
    """Each lane, wherever it is, has the same number of requests before it: none waits for another to end."""
    rounds = 6
    plan = Plan(
        servers=[Server("s", "http://x", "text")],
        load=Concurrency(concurrency),
        prompts=["a"],
        requests=rounds * concurrency,
        seed=seed,
        shares=shares,
    )
    for share in range(shares):
        lanes = len(range(share, concurrency, shares))  # as the engine starts them
        assert len(share_of(plan, share)) == rounds * lanes


def test_a_process_without_a_lane_has_nothing_to_do_even_of_an_endless_load() -> None:
    plan = Plan(servers=[Server("s", "http://x", "text")], load=Concurrency(1), prompts=["a"], share=1, shares=2)
    assert [*requests_of(plan)] == []


# -------------------------------------------------------------------------------------------------------------- order


@given(plans())
def test_every_pair_asks_every_server_the_same_once(plan: Plan) -> None:
    dues = whole_of(plan)
    assert [due.number for due in dues] == [*range(len(dues))]
    pairs = [[*each] for _, each in groupby(dues, key=lambda due: due.pair)]
    assert [pair[0].pair for pair in pairs] == [*range(len(pairs))]
    for pair in pairs[:-1]:  # the number of requests may cut the last one
        assert sorted(due.server for due in pair) == [*range(len(plan.servers))]
    for pair in pairs:
        assert len({(due.prompt, due.max_tokens, due.characters) for due in pair}) == 1


@given(plans())
def test_times_never_run_backwards(plan: Plan) -> None:
    times = [due.at_ns for due in whole_of(plan)]
    if isinstance(plan.load, Concurrency):
        assert {*times} <= {None}
    else:
        assert all(before <= after for before, after in pairwise(each or 0 for each in times))


@given(plans())
def test_a_plan_is_the_same_whenever_it_is_drawn(plan: Plan) -> None:
    assert whole_of(plan) == whole_of(plan)


@given(SEEDS, st.integers(2, 4))
def test_the_order_within_pairs_is_balanced(seed: int, servers: int) -> None:
    """Each server comes first in its share of the pairs, within six standard deviations of a fair draw."""
    pairs = 600
    asked = [Server(f"s{number}", "http://x", "text") for number in range(servers)]
    plan = Plan(servers=asked, load=Concurrency(1), prompts=["a"], requests=pairs * servers, seed=seed)
    firsts = Counter(due.server for due in whole_of(plan) if due.number % servers == 0)
    fair = pairs / servers
    slack = 6 * sqrt(pairs * (1 / servers) * (1 - 1 / servers))
    assert all(abs(firsts[server] - fair) < slack for server in range(servers))


def test_another_seed_is_another_order_and_another_schedule() -> None:
    asked = [Server("a", "http://x", "text"), Server("b", "http://x", "text")]
    plan = Plan(servers=asked, load=Arrivals("poisson", 5), prompts=["a"], requests=100)
    other = msgspec.structs.replace(plan, seed=1)
    assert [due.server for due in whole_of(plan)] != [due.server for due in whole_of(other)]
    assert [due.at_ns for due in whole_of(plan)][1:] != [due.at_ns for due in whole_of(other)][1:]


@given(replays(), st.integers(1, 3))
def test_a_trace_is_replayed_row_by_row_for_every_server_at_once(load: Replay, servers: int) -> None:
    asked = [Server(f"s{number}", "http://x", "text") for number in range(servers)]
    dues = whole_of(Plan(servers=asked, load=load, prompts=["a", "b", "c"]))
    assert len(dues) == servers * len(load.at_ns)
    for due in dues:
        assert due.at_ns == load.at_ns[due.pair]
        assert due.prompt == load.prompts[due.pair]
        assert (due.max_tokens or 0) == load.max_tokens[due.pair]
        assert due.characters == (load.characters[due.pair] if load.characters else 0)


# -------------------------------------------------------------------------------------------------------------- times


def gaps_of(load: Arrivals, seed: int, count: int) -> list[float]:
    times: Iterator[int] = due_times(load, seed)
    return [(after - before) / NS for before, after in pairwise(islice(times, count + 1))]


@given(ARRIVALS, SEEDS)
def test_the_first_one_is_due_at_once(load: Arrivals, seed: int) -> None:
    assert next(due_times(load, seed)) == 0


@given(SEEDS, st.floats(0.5, 5000), st.sampled_from([("poisson", 1.0), ("gamma", 0.3), ("gamma", 1.0), ("gamma", 2.0)]))
def test_gaps_have_the_mean_and_the_spread_that_were_asked_for(
    seed: int, per_s: float, shape: tuple[str, float]
) -> None:
    """The mean within six standard errors; the spread more loosely, as its own error depends on the tails."""
    process, cv = shape
    count = 4000
    gaps = gaps_of(Arrivals(process, per_s, cv), seed, count)  # type: ignore[arg-type]
    assert abs(fmean(gaps) * per_s - 1) < 6 * cv / sqrt(count)
    assert pstdev(gaps) * per_s == pytest.approx(cv, rel=0.5)


@pytest.mark.parametrize("load", [Arrivals("constant", 3), Arrivals("gamma", 3, 0.0), Arrivals("gamma", 3, 1e-9)])
def test_constant_times_do_not_drift(load: Arrivals) -> None:
    """The millionth is where it belongs, to the ns."""
    times = due_times(load, 0)
    assert next(islice(times, 1_000_000, None)) == round(1_000_000 * NS / 3)


def test_poisson_gaps_are_exponential() -> None:
    """The share of gaps shorter than the mean is 1 - 1/e, and not that of a gamma distribution of the same mean."""
    gaps = gaps_of(Arrivals("poisson", 10), 7, 20_000)
    assert sum(gap < 0.1 for gap in gaps) / len(gaps) == pytest.approx(0.632, abs=0.015)
    assert sum(gap > 0.3 for gap in gaps) / len(gaps) == pytest.approx(0.0498, abs=0.007)


@pytest.mark.parametrize(("requests", "servers", "done"), [(5, 2, 6), (6, 2, 6), (1, 3, 3), (7, 1, 7)])
def test_the_last_pair_is_done_whole(requests: int, servers: int, done: int) -> None:
    """Half a pair would be asked for nothing."""
    asked = [Server(str(number), "http://a", "openai-chat") for number in range(servers)]
    plan = Plan(servers=asked, load=Concurrency(1), prompts=["a"], requests=requests)
    assert len([*requests_of(plan)]) == done == planned_requests(plan)
