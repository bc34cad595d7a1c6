"""When tokens are due: every distribution keeps its mean and has its shape, and deadlines are sums that never go back.

The statistics have fixed seeds: they hold or they do not, on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice, pairwise
from math import erf, exp, log, log1p, sqrt
from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.pacing import (
    CONSTANT,
    GAPS,
    Constant,
    Exponential,
    Gamma,
    Gaps,
    LogNormal,
    Normal,
    Schedule,
    Trace,
    Uniform,
    parse_gaps,
    parse_trace,
)
from streamkit.errors import ConfigError

MEAN_NS = 10_000_000.0
DRAWS = 20_000

TRACE = Trace((1_000_000, 0, 5_000_000), "t")

DRAWN: list[tuple[Gaps, float]] = [
    (Constant(), 0.0),
    (Uniform(0.0), 0.0),
    (Uniform(0.5), 0.5 / sqrt(3)),
    (Uniform(1.0), 1 / sqrt(3)),
    (Normal(0.0), 0.0),
    (Normal(0.2), 0.2),
    (Normal(0.5), 0.4398),  # of a normal cut at two deviations
    (Normal(1.0), 0.5396),  # of a normal cut at one
    (LogNormal(0.0), 0.0),
    (LogNormal(0.5), 0.5),
    (LogNormal(1.0), 1.0),
    (Gamma(0.0), 0.0),
    (Gamma(0.3), 0.3),
    (Gamma(1.0), 1.0),
    (Gamma(2.0), 2.0),
    (Exponential(), 1.0),
]
"""Distributions, each with the deviation that it has as a share of its mean."""

anything = st.sampled_from([gaps for gaps, _ in DRAWN] + [TRACE])


def gaps_of(gaps: Gaps, seed: int = 1, count: int = DRAWS) -> list[float]:
    """Return drawn gaps as shares of the mean."""
    return [gap / MEAN_NS for gap in islice(gaps.series(Random(seed), MEAN_NS), count)]


@pytest.mark.parametrize(("gaps", "deviation"), DRAWN, ids=str)
def test_the_mean_is_kept_and_the_deviation_is_the_one_that_is_claimed(gaps: Gaps, deviation: float) -> None:
    drawn = gaps_of(gaps)
    assert min(drawn) >= 0
    assert fmean(drawn) == pytest.approx(1, abs=4 * deviation / sqrt(DRAWS) + 1e-9)
    assert pstdev(drawn) == pytest.approx(deviation, rel=0.06, abs=1e-9)


def normal_share(x: float) -> float:
    """Return which share of a standard normal distribution lies below `x`."""
    return (1 + erf(x / sqrt(2))) / 2


def lognormal_share(x: float) -> float:
    variance = log1p(0.25)
    return normal_share((log(x) + variance / 2) / sqrt(variance))


def cut_normal_share(x: float) -> float:
    low, high = normal_share(-2), normal_share(2)
    return (normal_share((x - 1) / 0.5) - low) / (high - low)


@pytest.mark.parametrize(
    ("gaps", "share_below"),
    [
        (Uniform(0.5), lambda x: min(max(x - 0.5, 0), 1)),
        (Normal(0.5), cut_normal_share),
        (LogNormal(0.5), lognormal_share),
        (Exponential(), lambda x: 1 - exp(-x)),
        (Gamma(1.0), lambda x: 1 - exp(-x)),
        (Gamma(sqrt(0.5)), lambda x: 1 - exp(-2 * x) * (1 + 2 * x)),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
def test_the_shape_is_the_one_that_is_claimed(gaps: Gaps, share_below: Callable[[float], float]) -> None:
    """Kolmogorov and Smirnov's distance, which a wrong shape exceeds many times over (see the next test)."""
    assert distance(gaps_of(gaps), share_below) < 1.63 / sqrt(DRAWS)


def test_a_wrong_shape_is_found() -> None:
    assert distance(gaps_of(Gamma(0.5)), lognormal_share) > 3 * 1.63 / sqrt(DRAWS)


def distance(drawn: list[float], share_below: Callable[[float], float]) -> float:
    ordered = sorted(drawn)
    return max(abs(share_below(gap) - place / len(ordered)) for place, gap in enumerate(ordered))


@pytest.mark.parametrize("gaps", [gaps for gaps, _ in DRAWN if not isinstance(gaps, LogNormal)], ids=str)
def test_one_gap_is_drawn_as_the_series_is(gaps: Gaps) -> None:
    rng = Random(3)
    assert [gaps.draw(rng, MEAN_NS) / MEAN_NS for _ in range(20)] == gaps_of(gaps, 3, 20)


def test_one_lognormal_gap_has_the_same_distribution() -> None:
    rng = Random(3)
    drawn = [LogNormal(0.5).draw(rng, MEAN_NS) / MEAN_NS for _ in range(5000)]
    assert distance(drawn, lognormal_share) < 1.63 / sqrt(5000)


# --------------------------------------------------------------------------------------------------------------- traces


def test_a_trace_is_played_in_order_and_again() -> None:
    schedule = Schedule(7, 0, TRACE, 1)
    assert [schedule.deadline_ns(token) for token in range(1, 8)] == [
        *(7, 1_000_007, 1_000_007, 6_000_007, 7_000_007, 7_000_007, 12_000_007),
    ]
    assert Schedule(7, None, TRACE, 1).deadline_ns(7) == 12_000_007


def test_a_trace_is_scaled_to_a_rate() -> None:
    schedule = Schedule(0, 100, TRACE, 1)
    assert [schedule.deadline_ns(token) for token in range(1, 5)] == [0, 5_000_000, 5_000_000, 30_000_000]


def test_one_gap_of_a_trace_is_one_of_the_recorded() -> None:
    rng = Random(1)
    assert {TRACE.draw(rng, 0) for _ in range(50)} == {0, 1_000_000, 5_000_000}
    assert {TRACE.draw(rng, 2_000_000) for _ in range(50)} == {0, 1_000_000, 5_000_000}
    assert {TRACE.draw(rng, 4_000_000) for _ in range(50)} == {0, 2_000_000, 10_000_000}


def test_a_trace_file_has_a_gap_a_line() -> None:
    text = "\ufeff12ms\r\n\n# a pause\n 2s # long\n7\n0.25\n.5\n80us\n0\n12.34567891234"
    assert parse_trace(text, "gaps.txt") == Trace(
        (12_000_000, 2_000_000_000, 7_000_000, 250_000, 500_000, 80_000, 0, 12_345_679), "gaps.txt"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1ms\n\nsoon", "gaps.txt, line 3: 'soon'"),
        ("1ms\n-2", "gaps.txt, line 2: '-2'"),
        ("nan", "line 1"),
        ("1e999", "line 1"),
        ("inf", "line 1"),
        ("1\n999999999999", "line 2: a gap of more than a week"),
        ("9999m\n99999m", "line 2"),
        ("1 2", "line 1"),
        ("", "gaps.txt: a trace has at least one gap"),
        ("0\n0ms", "at least one gap above 0"),
    ],
)
def test_a_line_that_is_no_gap_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_trace(text, "gaps.txt")


def test_a_trace_in_a_program_cannot_run_backwards() -> None:
    with pytest.raises(ConfigError, match="none below"):
        Trace((5, -1))


# ------------------------------------------------------------------------------------------------------------ schedules


@given(gaps=anything, seed=st.integers(), rate=st.floats(1e-6, 1e9), ttft_ns=st.integers(0, 10**12))
def test_deadlines_begin_at_the_first_token_and_never_go_back(gaps: Gaps, seed: int, rate: float, ttft_ns: int) -> None:
    schedule = Schedule(ttft_ns, rate, gaps, seed, prompt_delay_ns=5)
    deadlines = [schedule.deadline_ns(token) for token in range(1, 30)]
    assert deadlines[0] == ttft_ns + 5
    assert all(type(due) is int for due in deadlines)
    assert all(before <= after for before, after in pairwise(deadlines))


@given(gaps=anything, seed=st.integers(0, 9), tokens=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_in_which_order_tokens_are_asked_for_changes_nothing(gaps: Gaps, seed: int, tokens: list[int]) -> None:
    one_by_one = Schedule(1000, 50, gaps, seed)
    deadlines = [one_by_one.deadline_ns(token) for token in range(1, 41)]
    schedule = Schedule(1000, 50, gaps, seed)
    assert [schedule.deadline_ns(token) for token in tokens] == [deadlines[token - 1] for token in tokens]


@pytest.mark.parametrize("gaps", [gaps for gaps, deviation in DRAWN if deviation], ids=str)
def test_the_seed_decides_what_is_drawn(gaps: Gaps) -> None:
    def deadlines(seed: int) -> list[int]:
        schedule = Schedule(0, 50, gaps, seed)
        return [schedule.deadline_ns(token) for token in range(1, 20)]

    assert deadlines(1) == deadlines(1)
    assert deadlines(1) != deadlines(2)


@pytest.mark.parametrize("rate", [3, 7, 29.97, 100, 12345.678])
def test_constant_gaps_do_not_drift(rate: float) -> None:
    schedule = Schedule(0, rate, CONSTANT, 1)
    assert schedule.deadline_ns(1_000_001) == pytest.approx(1e15 / rate, abs=1)


@pytest.mark.parametrize(("gaps", "deviation"), DRAWN, ids=str)
def test_the_rate_holds_over_many_tokens(gaps: Gaps, deviation: float) -> None:
    last = Schedule(0, 100, gaps, 1).deadline_ns(DRAWS + 1)
    assert last / DRAWS == pytest.approx(MEAN_NS, rel=4 * deviation / sqrt(DRAWS) + 1e-9)


@pytest.mark.parametrize("gaps", [gaps for gaps, _ in DRAWN], ids=str)
@pytest.mark.parametrize("rate", [0, 0.0, None])
def test_without_a_rate_everything_is_due_with_the_first_token(gaps: Gaps, rate: float | None) -> None:
    schedule = Schedule(40, rate, gaps, 1, prompt_delay_ns=2)
    assert [schedule.deadline_ns(token) for token in (0, 1, 2, 10**9)] == [42] * 4


@pytest.mark.parametrize("rate", [-1, 1e-9, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="a rate is"):
        Schedule(0, rate, CONSTANT, 1)


@pytest.mark.parametrize(("ttft_ns", "prompt_ns"), [(-1, 0), (0, -1)])
def test_no_token_is_due_before_its_request(ttft_ns: int, prompt_ns: int) -> None:
    with pytest.raises(ConfigError, match="before its request"):
        Schedule(ttft_ns, 1, CONSTANT, 1, prompt_ns)


# ---------------------------------------------------------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("text", "gaps"),
    [
        ("constant", CONSTANT),
        ("uniform:0.3", Uniform(0.3)),
        ("uniform:1", Uniform(1)),
        ("normal:.25", Normal(0.25)),
        ("lognormal:0.5", LogNormal(0.5)),
        ("gamma:10", Gamma(10)),
        ("exponential", Exponential()),
    ],
)
def test_texts(text: str, gaps: Gaps) -> None:
    assert parse_gaps(text) == gaps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no distribution of gaps: take one of constant, uniform, normal"),
        ("log-normal:1", "did you mean 'lognormal'?"),
        ("normal", "'normal' needs its parameter: normal:CV"),
        ("uniform:", "uniform:SPREAD"),
        ("constant:3", "constant: takes no parameter, not '3'"),
        ("uniform:1.5", "uniform: a spread is 0 to 1, not 1.5"),
        ("uniform:-1", "uniform: '-1' is not a number"),
        ("normal:2", "take lognormal or gamma"),
        ("normal:nan", "normal: 'nan' is not a number"),
        ("lognormal:11", "lognormal: a cv is 0 to 10, not 11"),
        ("gamma:1e1", "gamma: '1e1' is not a number"),
        ("gamma:inf", "gamma: 'inf' is not a number"),
        ("gamma:" + "9" * 400, "is not a number"),
        ("trace:gaps.txt", "trace: the file 'gaps.txt' is not read here"),
    ],
)
def test_a_wrong_text_is_told_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_gaps(text)


def test_every_row_says_what_it_is() -> None:
    assert all(kind.summary.endswith(".") for kind in GAPS.values())
    assert [name for name, kind in GAPS.items() if not kind.takes] == ["constant", "exponential"]
