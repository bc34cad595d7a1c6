"""Loads as the command line has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.loads import (
    MAX_CONCURRENCY,
    MAX_LOADS,
    load_size,
    load_words,
    parse_concurrency,
    parse_rate,
    parse_rates,
)
from streamkit.bench.plan import Arrivals, Concurrency, Load, Replay
from streamkit.errors import ConfigError


def test_a_list_of_concurrencies_is_a_sweep_in_its_order() -> None:
    assert parse_concurrency("1,8, 64,2") == [Concurrency(1), Concurrency(8), Concurrency(64), Concurrency(2)]
    assert parse_concurrency(f"{MAX_CONCURRENCY}") == [Concurrency(MAX_CONCURRENCY)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no concurrency: write a whole number from 1 to 60,000"),
        ("8,", "'' is no concurrency"),
        ("0", "'0' is no concurrency"),
        ("60001", "is no concurrency"),
        ("-1", "is no concurrency"),
        ("+1", "is no concurrency"),
        ("1_0", "is no concurrency"),
        ("1e3", "is no concurrency"),
        ("8.0", "is no concurrency"),
        ("٣", "is no concurrency"),
        ("9" * 5000, "is no concurrency"),
        ("1;8", "'1;8' is no concurrency"),
        ("1,8,1", "has 1 twice"),
        (",".join(map(str, range(1, MAX_LOADS + 2))), "has 101 loads; a sweep has at most 100"),
    ],
)
def test_what_is_no_concurrency_says_so(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_concurrency(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("poisson:20", Arrivals("poisson", 20.0)),
        ("constant:.5", Arrivals("constant", 0.5)),
        (" poisson: 0.001 ", Arrivals("poisson", 0.001)),
        ("gamma:20,0.5", Arrivals("gamma", 20.0, 0.5)),
        ("gamma:20,cv=3", Arrivals("gamma", 20.0, 3.0)),
        ("gamma:20,0", Arrivals("gamma", 20.0, 0.0)),
    ],
)
def test_a_rate_says_how_gaps_are_drawn(text: str, load: Arrivals) -> None:
    assert parse_rate(text) == load


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("20", "'20' is no rate: write poisson:20, constant:20, or gamma:20,0.5"),
        ("poison:20", "did you mean poisson?"),
        ("poisson", "is no rate"),
        ("poisson:", "'' is no rate: write a number from 0.001 to 100,000"),
        ("poisson:0", "is no rate"),
        ("poisson:nan", "is no rate"),
        ("poisson:inf", "is no rate"),
        ("poisson:1e2", "is no rate"),
        ("poisson:100001", "is no rate"),
        ("poisson:-1", "is no rate"),
        ("poisson:1,2", "only gamma has a second number"),
        ("gamma:20", "has no cv, which gamma needs: write gamma:20,0.5"),
        ("gamma:20,11", "'11' is no cv: write a number from 0 to 10"),
        ("gamma:20,1,1", "is no cv"),
    ],
)
def test_what_is_no_rate_says_so(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rate(text)
    assert words in str(caught.value)


def test_several_rates_are_a_sweep_and_each_is_run_once() -> None:
    assert [load_size(load) for load in parse_rates(["poisson:20", "constant:20", "gamma:5,2"])] == [20, 20, 5]
    with pytest.raises(ConfigError, match=r"--rate has poisson 20/s twice"):
        parse_rates(["poisson:20", "poisson:20.0"])


def test_loads_have_a_size_and_words() -> None:
    loads: list[Load] = [Concurrency(8), Arrivals("gamma", 2.5, 0.5), Replay([0, 5 * 10**8, 10**9], [0] * 3, [0] * 3)]
    assert [load_size(load) for load in loads] == [8, 2.5, 2]
    assert [load_words(load) for load in loads] == [
        "concurrency 8",
        "gamma 2.5/s, cv 0.5",
        "trace of 3 requests in 1 s",
    ]
    assert load_size(Replay([0, 0], [0, 0], [0, 0])) == 0


@given(st.text() | st.text(st.sampled_from("gamposn:,.10cv=\n\x1b")).map("gamma:{}".format))
def test_any_text_is_a_load_or_a_config_error(text: str) -> None:
    for parse in (parse_concurrency, parse_rate):
        said = ""
        try:
            parse(text)
        except ConfigError as error:
            said = str(error)
        assert said.isprintable()
