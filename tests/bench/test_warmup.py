"""What is asked before anything is measured."""

from __future__ import annotations

import pytest

from streamkit.bench.loads import parse_rate
from streamkit.bench.plan import Concurrency, Load, Plan, Server
from streamkit.bench.schedule import requests_of
from streamkit.bench.warmup import AUTO, NONE, Warmup, parse_warmup, warmup_plan, warmup_words
from streamkit.errors import ConfigError


def plan_of(load: Load, servers: int = 1) -> Plan:
    asked = [Server(f"s{number}", "http://127.0.0.1:1", "openai-chat") for number in range(servers)]
    return Plan(servers=asked, load=load, prompts=["a"], requests=1000, seed=3, max_tokens=8)


@pytest.mark.parametrize(
    ("text", "warmup", "words"),
    [
        ("20", Warmup(requests=20), "a warm-up of 20 requests"),
        ("1", Warmup(requests=1), "a warm-up of 1 request"),
        ("5s", Warmup(duration_s=5.0), "a warm-up of 5 s"),
        ("1.5m", Warmup(duration_s=90.0), "a warm-up of 90 s"),
        ("none", NONE, "no warm-up"),
        ("0", NONE, "no warm-up"),
        ("0s", NONE, "no warm-up"),
        ("auto", AUTO, "a warm-up of 4 to 64 requests, as many as run at once, within 5 s"),
    ],
)
def test_a_warmup_is_a_number_or_a_time(text: str, warmup: Warmup, words: str) -> None:
    assert parse_warmup(text) == warmup
    assert warmup_words(warmup) == words


@pytest.mark.parametrize("text", ["", "-1", "5 apples", "1000001", "2h", "61m", "1e3", "nan"])
def test_what_is_no_warmup_says_so(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no warm-up|is no number of requests|longer than an hour"):
        parse_warmup(text)


def test_a_warmup_is_the_same_load_with_another_schedule() -> None:
    plan = plan_of(parse_rate("poisson:20"))
    warm = warmup_plan(plan, parse_warmup("5"))
    assert warm is not None
    assert (warm.load, warm.requests, warm.duration_s, warm.max_tokens) == (plan.load, 5, None, 8)
    times = [due.at_ns for due in requests_of(warm)]
    assert len(times) == 5
    assert times[1:] != [due.at_ns for due in requests_of(plan)][1:5]
    assert warmup_plan(plan, NONE) is None


@pytest.mark.parametrize(("concurrency", "requests"), [(1, 4), (16, 16), (500, 64)])
def test_an_automatic_one_follows_the_load_within_bounds(concurrency: int, requests: int) -> None:
    warm = warmup_plan(plan_of(Concurrency(concurrency)), AUTO)
    assert warm is not None
    assert warm.requests == requests
    assert warm.duration_s == 5.0


def test_no_pair_is_left_half() -> None:
    warm = warmup_plan(plan_of(Concurrency(1), servers=3), parse_warmup("4"))
    assert warm is not None
    assert warm.requests == 6
