"""The grammar of `--until`, and that stopping by it does not make the figure wrong more often than it says."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from streamkit.bench.distribution import Distribution
from streamkit.bench.plan import Arrivals, Concurrency
from streamkit.bench.record import RequestRecord, TokenRead
from streamkit.bench.statistics import CONFIDENCE
from streamkit.bench.until import Until, Watch, check_until, parse_until
from streamkit.errors import ConfigError

P99 = Until("ttft_ms", 0.99, 0.05)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("p99 ttft ±5%", P99),
        ("p99 ttft +-5%", P99),
        ("p99 ttft +/-5%", P99),
        ("  P99  TTFT_ms 5% ", P99),
        ("ttft p99 ± 5%", P99),
        ("5% p99 ttft", P99),
        ("p99.9 e2e 0.5%", Until("e2e_ms", 0.999, 0.005)),
        ("p50 ttft-from-schedule 10%", Until("ttft_from_schedule_ms", 0.5, 0.1)),
        ("p50 tokens_per_s 10%", Until("tokens_per_s", 0.5, 0.1)),
        ("p50 itl 10%", Until("tpot_ms", 0.5, 0.1)),
    ],
)
def test_what_is_asked_for(text: str, until: Until) -> None:
    assert parse_until(text) == until
    assert parse_until(str(until)) == until


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lacks a quantile"),
        ("ttft ±5%", "lacks a quantile"),
        ("p99 ±5%", "lacks a metric"),
        ("p99 ttft", "lacks a tolerance"),
        ("p99 ttft 5", "besides"),
        ("p99 ttft ±5% please", "besides"),
        ("p99 p50 ttft 5%", "besides|no metric"),
        ("p99 tfft 5%", "did you mean ttft"),
        ("p100 ttft 5%", "no metric"),
        ("p0 ttft 5%", "no quantile"),
        ("p99 ttft 0%", "above 0"),
        ("p99 ttft 100%", "below 100"),
        ("p99 ttft -5%", "besides"),
    ],
)
def test_what_cannot_be_asked_for(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_until(text)


MS = 1_000_000


def ended(number: int, ttft_ms: float = 50, *, server: str = "s", gaps: int = 0, outcome: str = "ok") -> RequestRecord:
    """A request that has ended; the tokens behind the first one are 10 ms apart."""
    at_ns = [round(ttft_ms * MS) + 10 * MS * each for each in range(1 + gaps)]
    return RequestRecord(
        number=number,
        target=server,
        outcome=outcome,  # type: ignore[arg-type]
        sent_ns=0,
        first_token_ns=at_ns[0],
        token_reads=[TokenRead(each, each, 1, is_resolved=True) for each in at_ns],
        visible_tokens=1 + gaps,
    )


def watching(until: Until, records: Iterable[RequestRecord]) -> Watch:
    watch = Watch(until)
    for record in records:
        watch.add(record)
    return watch


def test_it_looks_at_samples_that_grow_and_not_as_often_as_it_is_asked() -> None:
    watch = Watch(Until("ttft_ms", 0.5, 0.001))
    sizes = []
    for number, ms in enumerate(np.random.default_rng(5).integers(1, 1000, 2000).tolist()):
        watch.add(ended(number, ms))
        watch.is_met(["s"])
        sizes.append(watch.servers["s"].n)
    looked = sorted({*sizes} - {0})
    assert watch.servers["s"].looks == len(looked)
    assert looked[0] == 30
    assert all(after >= before * 1.5 for before, after in pairwise(looked))


def test_all_looks_together_have_the_doubt_of_one() -> None:
    watch = Watch(P99, 0.9)
    doubts = [1 - watch.confidence_of(look) for look in range(1, 5000)]
    assert sum(doubts) == pytest.approx(0.1, rel=1e-3)
    assert sum(doubts) <= 0.1
    with pytest.raises(ConfigError, match="confidence"):
        Watch(P99, 1.0)


def test_every_server_has_to_be_known() -> None:
    watch = Watch(Until("ttft_ms", 0.5, 0.05))
    assert not watch.is_met([])
    for number in range(200):
        watch.add(ended(number, *((50,) if number % 2 else (1 + 10 * number,)), server="ba"[number % 2]))
    assert not watch.is_met(["a", "b"])
    assert watch.servers["a"].is_met
    assert not watch.servers["b"].is_met
    assert "not reached; next look at n = 150" in watch.words("b")
    for number in range(200, 1600):
        watch.add(ended(number, 950, server="b"))
    assert watch.is_met(["a", "b"])
    assert watch.words("a") == "p50 ttft: 50 ms ±0% (±5% wanted), n = 100"


def test_a_figure_is_not_known_before_the_sample_can_support_it() -> None:
    watch = watching(P99, map(ended, range(504)))
    assert not watch.is_met(["s"])
    assert watch.words("s") == "p99 ttft: not known before n = 505 (±5% wanted); n = 504"
    assert watch.servers["s"].looks == 0
    watch.add(ended(504))
    assert watch.is_met(["s"])


def test_of_gaps_the_answers_are_counted() -> None:
    until = Until("event_gap_ms", 0.99, 0.05)
    assert not watching(until, (ended(number, gaps=30) for number in range(100))).is_met(["s"])
    assert watching(until, (ended(number, gaps=5) for number in range(600))).is_met(["s"])


def test_of_answers_that_are_not_equally_long_fewer_are_counted() -> None:
    watch = watching(
        Until("event_gap_ms", 0.99, 0.05), (ended(number, gaps=1 if number % 10 else 100) for number in range(600))
    )
    assert not watch.is_met(["s"])
    assert watch.servers["s"].independent < 100


def test_a_look_does_not_take_the_fast_answers_for_all_of_them() -> None:
    """One answer in ten takes 40 s: of those that have ended while these still run, all are fast."""
    until = Until("ttft_ms", 0.95, 0.2)
    watch = watching(until, (ended(number, 25) for number in range(2000) if number % 10))
    assert not watch.is_met(["s"])
    assert watch.servers["s"].answers == 0
    for number in range(0, 1000, 10):
        watch.add(ended(number, 40_000))
    assert watch.is_met(["s"])
    found = watch.servers["s"].estimate
    assert found is not None
    assert watch.servers["s"].n == 1000
    assert found.value == pytest.approx(40_000, rel=0.001)
    assert watch.words("s") == "p95 ttft: 40,000 ms ±0.0078% (±20% wanted), n = 1000"


def test_first_tokens_that_were_read_with_others_may_have_come_sooner() -> None:
    def late(number: int) -> RequestRecord:
        record = ended(number, 50)
        record.first_token_read_ns = record.first_token_ns
        record.is_first_resolved = False
        record.lag_ns = lag_ms * MS
        return record

    lag_ms = 4  # and a turn: by 10 ms at most
    watch = watching(Until("ttft_ms", 0.5, 0.05), map(late, range(60)))
    assert not watch.is_met(["s"])
    found = watch.servers["s"].estimate
    assert found is not None
    assert found.low == pytest.approx(40, rel=0.001)
    assert found.value == 50
    lag_ms = 0  # by no more than a turn
    assert watching(Until("ttft_ms", 0.5, 0.05), map(late, range(60))).is_met(["s"])


def test_requests_that_fail_tell_nothing_and_hold_nothing_up() -> None:
    until = Until("ttft_ms", 0.5, 0.05)
    watch = watching(until, (ended(number, outcome="ok" if number % 2 else "status") for number in range(60)))
    assert watch.is_met(["s"])
    assert watch.servers["s"].n == 30


def test_the_last_look_is_at_all_that_there_is() -> None:
    watch = watching(Until("ttft_ms", 0.5, 0.05), map(ended, range(20)))
    assert not watch.is_met(["s"]), "30 are the least of a look on the way"
    assert watch.settle("s")
    none = watching(Until("first_tool_ms", 0.5, 0.05), map(ended, range(20)))
    assert not none.settle("s")
    assert none.words("s") == "p50 first_tool: not known before n = 30 (±5% wanted); n = 0"


def test_one_that_never_ends_does_not_make_it_keep_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamkit.bench.until.MAX_HELD", 100)
    watch = watching(Until("ttft_ms", 0.5, 0.05), map(ended, range(1, 100)))
    assert watch.held == 99
    for number in range(100, 300):
        watch.add(ended(number))
    assert not watch.settle("s")
    assert watch.held == 0


def test_a_closed_loop_has_no_schedule_to_count_from() -> None:
    late = parse_until("p99 ttft_from_schedule 5%")
    check_until(late, [Arrivals("poisson", 5.0)])
    check_until(P99, [Concurrency(1)])
    with pytest.raises(ConfigError, match="ttft_from_schedule, and requests of a closed loop"):
        check_until(late, [Arrivals("poisson", 5.0), Concurrency(1)])


class Naive(Watch):
    """Takes every look for the only one."""

    def confidence_of(self, look: int) -> float:
        return CONFIDENCE + 0 * look


def test_stopping_when_it_looks_good_is_wrong_no_more_often_than_it_says() -> None:
    draw = np.random.default_rng(6)
    runs, truth = 200, 30e6 * math.log(2)
    wrong: dict[type[Watch], int] = {Naive: 0, Watch: 0}
    for _ in range(runs):
        values = draw.exponential(30e6, 8_000).astype(np.int64).tolist()
        for kind in (Naive, Watch):
            watch = kind(Until("ttft_ms", 0.5, 0.15))
            distribution = Distribution()
            while not watch.judge("s", distribution):
                more = values[distribution.n : max(1, watch.servers["s"].next_n)]
                assert more
                for value in more:
                    distribution.add(value)
            found = watch.servers["s"].estimate
            assert found is not None
            assert max(found.value - found.low, found.high - found.value) <= 0.15 * found.value
            is_wrong = not found.low <= truth / 1e6 <= found.high
            wrong[kind] += is_wrong
    assert wrong[Watch] <= runs * (1 - CONFIDENCE)
    assert wrong[Naive] > wrong[Watch]  # the correction is what does it
