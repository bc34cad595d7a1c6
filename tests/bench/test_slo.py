"""Objectives as the command line has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.loads import parse_concurrency, parse_rate
from streamkit.bench.metrics import METRICS
from streamkit.bench.slo import ITL_NOTE, SLO_NAMES, check_slo, parse_slo, slo_words
from streamkit.bench.tally import Bound
from streamkit.errors import ConfigError


def test_objectives_are_bounds_in_ns() -> None:
    bounds, notes = parse_slo("ttft=200ms, E2E=5s,event-gap=1.5ms,connect_ms=80us")
    assert bounds == [
        Bound("ttft_ms", 200_000_000),
        Bound("e2e_ms", 5_000_000_000),
        Bound("event_gap_ms", 1_500_000),
        Bound("connect_ms", 80_000),
    ]
    assert notes == []
    assert slo_words(bounds) == "ttft <= 200 ms, e2e <= 5,000 ms, event_gap <= 1.5 ms, connect <= 0.08 ms"


def test_itl_is_taken_for_tpot_and_says_so() -> None:
    slo = parse_slo("ttft=200ms,itl=30ms")
    assert slo.bounds[1] == Bound("tpot_ms", 30_000_000)
    assert slo.notes == [ITL_NOTE]
    assert "tpot" in ITL_NOTE


def test_every_time_may_be_bounded() -> None:
    assert {*SLO_NAMES} == {"itl", *(metric.short for metric in METRICS if metric.name.endswith("_ms"))}
    for name in SLO_NAMES:
        assert parse_slo(f"{name}=1s").bounds[0].limit == 10**9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no objective: write METRIC=TIME, like ttft=200ms"),
        ("ttft", "is no objective"),
        ("ttft=", "is no objective"),
        ("=5ms", "is no objective"),
        ("ttft=5ms,", "is no objective"),
        ("ttft=200", "has no unit"),
        ("ttft=-1ms", "is no duration"),
        ("ttft=0", "write a time above 0"),
        ("ttft=8000000s", "more than a week"),
        ("ttfb=5ms", "did you mean ttft"),
        ("tokens=5ms", "tokens cannot be in an SLO"),
        ("events_per_read=5ms", "events_per_read cannot be in an SLO"),
        ("ttft=5ms,ttft=6ms", "has ttft twice"),
        ("itl=5ms,tpot=6ms", "has tpot twice"),
    ],
)
def test_what_is_no_objective_says_so(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_slo(text)
    assert words in str(caught.value)


def test_an_objective_from_schedule_needs_one() -> None:
    """In a closed loop nothing is ever due: every request would keep it."""
    bounds = parse_slo("ttft=1s,ttft_from_schedule=1s").bounds
    check_slo(bounds, [parse_rate("poisson:2")])
    check_slo(bounds[:1], parse_concurrency("1"))
    with pytest.raises(ConfigError, match=r"the SLO has ttft_from_schedule, and requests of a closed loop"):
        check_slo(bounds, parse_concurrency("1"))


@given(st.text(st.sampled_from("ttft=,12ms ü\x1b")))
def test_any_text_is_an_objective_or_a_config_error(text: str) -> None:
    said = ""
    try:
        parse_slo(text)
    except ConfigError as error:
        said = str(error)
    assert said.isprintable()
