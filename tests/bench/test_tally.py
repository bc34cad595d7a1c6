"""Requests added up, in one process and in several."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.metrics import METRICS
from streamkit.bench.record import FAILURES, Outcome, RequestRecord
from streamkit.bench.tally import MAX_DETAILS, Bound, Packed, Tally
from tests.bench.records import MS, record_of, records

SLO = (Bound("ttft_ms", 200 * MS), Bound("tpot_ms", 30 * MS))


def tally_of(*added: RequestRecord) -> Tally:
    tally = Tally(SLO)
    for record in added:
        tally.add(record)
    return tally


def sent(tally: Tally) -> Packed:
    """Return a tally as another process has it, through JSON."""
    return msgspec.json.decode(msgspec.json.encode(tally.packed()), type=Packed)


@given(st.lists(records(), max_size=12), st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_the_tally_of_the_parts_is_the_tally_of_the_whole(every: list[RequestRecord], parts: list[int]) -> None:
    whole = tally_of(*every)
    merged = Tally(SLO)
    for part in range(3):
        of_it = [record for record, which in zip(every, parts, strict=False) if which == part]
        merged.merge(sent(tally_of(*of_it)))
    assert merged.distributions == whole.distributions
    assert +merged.counts == +whole.counts
    assert merged.outcomes == whole.outcomes
    for outcome, details in merged.details.items():
        assert len(details) == len({*details}) == min(MAX_DETAILS, len({*whole.details[outcome], *details}))


@given(st.lists(records(), max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_requests_changes_no_figure(every: list[RequestRecord], draw: object) -> None:
    shuffled = [*every]
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = tally_of(*every), tally_of(*shuffled)
    assert (one.distributions, one.counts, one.outcomes) == (other.distributions, other.counts, other.outcomes)


@pytest.mark.parametrize("outcome", [*FAILURES, "unfinished"])
def test_what_failed_has_no_part_in_any_figure(outcome: Outcome) -> None:
    """It had a token at 1 ms, and would be the fastest of all."""
    tally = tally_of(record_of((50, 1), (60, 1)), record_of((1, 1), (2, 1), outcome=outcome, said=99))
    assert all(tally.distribution(metric.name).n <= 2 for metric in METRICS)
    assert tally.distribution("ttft_ms").low == 50 * MS
    assert tally.counts["requests"] == 2
    assert tally.counts["good"] == 1
    assert tally.counts["tokens"] == 2
    assert tally.errors == (outcome != "unfinished")


def test_a_request_without_an_outcome_is_unfinished() -> None:
    tally = tally_of(RequestRecord(number=0))
    assert tally.outcomes == {"unfinished": 1}
    assert tally.errors == 0


def test_new_and_reused_connections_are_apart_and_together() -> None:
    tally = tally_of(record_of((50, 1)), record_of((70, 1), is_reused=False))
    apart = tally.distributions["ttft_ms"]
    assert (apart["reused"].high, apart["new"].high) == (50 * MS, 70 * MS)
    both = tally.distribution("ttft_ms")
    assert (both.n, both.low, both.high) == (2, 50 * MS, 70 * MS)
    assert apart["new"].n == 1  # putting them together has changed neither


def test_good_is_what_keeps_every_objective() -> None:
    tally = tally_of(
        record_of((200, 1), (230, 1)),  # just
        record_of((201, 1), (230, 1)),  # too late
        record_of((50, 1), (90, 1)),  # too slow
        record_of((50, 1)),  # one token has no time per token
        record_of((50, 1), outcome="truncated"),
    )
    assert tally.counts["good"] == 2
    without = Tally()
    without.add(record_of((10_000, 1)))
    assert without.counts["good"] == 1


def test_an_answer_whose_gaps_nobody_knows_is_not_taken_for_good() -> None:
    """Its reads are not resolved, so it has no gap at all: that is no reason to call it quick."""
    tally = Tally([Bound("event_gap_ms", 100 * MS)])
    tally.add(record_of((50, 2, False), (150, 2, False)))  # no gap can be longer than 100
    tally.add(record_of((50, 2, False), (151, 2, False), (160, 1, False)))  # one may be
    tally.add(record_of((50, 1), (60, 2, False), (170, 1), (271, 1)))  # one is, and another may be
    assert (tally.counts["good"], tally.counts["unjudged"], tally.outcomes["ok"]) == (1, 1, 3)


def test_gaps_that_nobody_knows_are_counted_and_never_zero() -> None:
    tally = tally_of(record_of((50, 4), (90, 4, False), (130, 4)))
    assert tally.distribution("event_gap_ms").n == 0
    assert tally.counts["unresolved_gaps"] == 11
    assert tally.counts["token_events"] == 12
    assert tally.counts["reads"] == 3
    assert tally_of(record_of((50, 2, False))).counts["unresolved_firsts"] == 1


def test_counts_of_the_server_are_counted_apart_from_ours() -> None:
    tally = tally_of(record_of((50, 1), (60, 1), said=5), record_of((50, 1)))
    assert (tally.counts["tokens"], tally.counts["token_events"]) == (6, 3)
    assert (tally.counts["said_tokens"], tally.counts["said_answers"]) == (5, 1)


def test_of_each_failure_a_few_details_are_kept() -> None:
    tally = Tally()
    for number in range(10):
        record = record_of((50, 1), outcome="status")
        record.detail = f"said {number // 2}"
        tally.add(record)
    assert tally.details == {"status": ["said 0", "said 1", "said 2"]}
    assert tally.outcomes["status"] == tally.errors == 10
    tally.merge(sent(tally))
    assert tally.details == {"status": ["said 0", "said 1", "said 2"]}
    assert tally.errors == 20


def test_what_goes_between_processes_is_small() -> None:
    """A million gaps are some hundred buckets."""
    tally = Tally()
    for _ in range(20):
        tally.add(record_of(*((50 + number * 10.01, 1) for number in range(1000))))
    assert tally.distribution("event_gap_ms").n == 20 * 999
    assert len(json.dumps(msgspec.to_builtins(tally.packed()))) < 10_000


def test_short_lags_are_nobodys_suffering() -> None:
    short, long = record_of((50, 1)), record_of((50, 1))
    short.lag_ns, long.lag_ns = 900_000, 1_100_000
    assert tally_of(short, long).counts["lagged"] == 1


def test_a_server_that_says_none_is_not_among_those_that_count() -> None:
    tally = tally_of(record_of((50, 1), (60, 2), said=0), record_of((50, 1), said=4))
    assert (tally.counts["said_answers"], tally.counts["said_tokens"], tally.counts["tokens"]) == (1, 4, 7)


def test_what_is_only_known_to_be_no_more_is_counted_as_that() -> None:
    tally = tally_of(record_of((50, 1, False), due_ms=-1), record_of((60, 1), due_ms=-1))
    for name in ("ttft_ms", "ttft_from_schedule_ms", "first_visible_ms"):
        assert (tally.distribution(name).n, tally.distribution(name).at_most) == (2, 1), name
    assert not tally.distribution("e2e_ms").at_most


def test_a_visible_token_behind_reasoning_is_known_by_its_own_read() -> None:
    early, late = (record_of((50, 1), (60, 1, which), (70, 1)) for which in (True, False))
    for record in (early, late):
        record.first_visible_ns, record.first_visible_read_ns = (
            record.token_reads[1].at_ns,
            record.token_reads[1].read_ns,
        )
    tally = tally_of(early, late)
    assert (tally.distribution("first_visible_ms").at_most, tally.distribution("ttft_ms").at_most) == (1, 0)


def test_values_of_one_answer_are_said_to_come_together() -> None:
    short, long = record_of((50, 1), (60, 1)), record_of(*((50 + 10 * each, 1) for each in range(10)))
    tally = tally_of(short, long)
    gaps = tally.distribution("event_gap_ms")
    assert (gaps.n, gaps.squares, gaps.independent) == (10, 1 + 81, 1)
    assert tally.distribution("ttft_ms").independent == 2
