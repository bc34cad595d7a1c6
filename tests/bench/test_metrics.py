"""Every figure, read off records that were made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given

from streamkit.bench.metrics import BY_NAME, METRICS, unresolved_gaps
from streamkit.bench.record import RequestRecord, TokenRead
from tests.bench.records import MS, at, record_of, records


def figure(name: str, record: RequestRecord) -> list[float]:
    metric = BY_NAME[name]
    return [value / metric.scale for value in metric.values(record)]


def full_record() -> RequestRecord:
    """Return an answer, due 30 ms before it was sent: reasoning at 50, text at 70 and 80, a tool call at 100."""
    record = record_of((50, 1), (70, 1), (80, 2), (100, 1), due_ms=-30, began_ms=-4, end_ms=101, read_late_ms=0.5)
    record.connecting_ns, record.connected_ns, record.is_reused = at(-3), at(-1), False
    record.reasoning_tokens, record.visible_tokens, record.tool_tokens = 1, 3, 1
    record.headers_ns, record.first_event_ns = at(2), at(3)
    record.first_visible_ns, record.first_tool_ns = at(70), at(100)
    return record


EXPECTED: dict[str, Sequence[float]] = {
    "ttft_ms": [50],
    "ttft_read_ms": [50.5],
    "ttft_from_schedule_ms": [80],
    "first_visible_ms": [70],
    "first_tool_ms": [100],
    "tpot_ms": [12.5],  # 50 ms for the four behind the first
    "event_gap_ms": [20, 10, 20],
    "read_gap_ms": [20, 10, 20],
    "e2e_ms": [101],
    "e2e_from_schedule_ms": [131],
    "headers_ms": [2],
    "first_event_ms": [3],
    "connect_ms": [2],
    "dispatch_delay_ms": [26],
    "tokens_per_s": [50],  # 5 tokens in 100 ms
    "events_per_read": [1, 1, 2, 1],
}


def test_every_metric_has_its_expected_value_here() -> None:
    assert EXPECTED.keys() == BY_NAME.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_figure_is_what_it_says(name: str) -> None:
    assert figure(name, full_record()) == pytest.approx(EXPECTED[name])


def test_names_are_unique_with_and_without_units() -> None:
    assert len(BY_NAME) == len(METRICS) == len({metric.short for metric in METRICS})


def test_what_did_not_happen_has_no_figure() -> None:
    """No token, no schedule, no connecting: no zero stands for it."""
    record = RequestRecord(number=0, outcome="ok", sent_ns=at(0), headers_ns=at(1))
    assert {metric.name for metric in METRICS if metric.values(record)} == {"headers_ms"}
    assert not any(metric.values(RequestRecord(number=0)) for metric in METRICS)


def test_a_closed_loop_has_nothing_from_schedule() -> None:
    record = record_of((50, 1))
    for name in ("ttft_from_schedule_ms", "e2e_from_schedule_ms", "dispatch_delay_ms"):
        assert figure(name, record) == []


# ------------------------------------------------------------------------------------------------------ resolution


def test_gaps_within_a_read_are_counted_and_are_no_gap() -> None:
    """Four events a read, 40 ms apart: a median gap of 0 is what others make of it."""
    record = record_of((50, 1), (90, 4), (130, 4))
    assert figure("event_gap_ms", record) == [40, 40]
    assert unresolved_gaps(record) == 6
    assert figure("events_per_read", record) == [1, 4, 4]


def test_no_gap_is_made_of_a_read_whose_time_is_not_known() -> None:
    record = record_of((50, 1), (60, 2, False), (70, 1), (80, 1))
    assert figure("event_gap_ms", record) == [10]
    assert unresolved_gaps(record) == 3
    assert figure("read_gap_ms", record) == [10, 10, 10]


@given(records())
def test_every_gap_is_either_known_or_counted(record: RequestRecord) -> None:
    gaps = figure("event_gap_ms", record)
    assert len(gaps) + unresolved_gaps(record) == record.token_events - 1
    assert all(gap > 0 for gap in gaps)


@given(records())
def test_no_figure_is_below_zero_and_no_duration_of_tokens_is_zero(record: RequestRecord) -> None:
    for metric in METRICS:
        assert all(value >= 0 for value in metric.values(record)), metric.name
    assert all(value > 0 for value in figure("tpot_ms", record))


# ------------------------------------------------------------------------------------------------ tokens and their rate


def test_an_answer_in_one_read_has_no_time_per_token() -> None:
    assert figure("tpot_ms", record_of((50, 1))) == []
    assert figure("tpot_ms", record_of((50, 32))) == []
    assert figure("tpot_ms", record_of((50, 1, False), (50, 3, False))) == []  # two reads of one moment


def test_the_servers_count_is_preferred() -> None:
    """Two tokens an event: 7 events behind the first one, which are 14 tokens, in 70 ms."""
    record = record_of(*((50 + 10 * number, 1) for number in range(8)), said=16)
    assert figure("tpot_ms", record) == [5]
    assert figure("tokens_per_s", record) == pytest.approx([16 / 0.12], abs=0.001)
    record.output_tokens = None
    assert figure("tpot_ms", record) == [10]
    assert record.tokens == 8


def test_a_server_that_says_none_has_not_counted() -> None:
    record = record_of((50, 1), (60, 1), said=0)
    assert record.tokens == 2
    assert figure("tpot_ms", record) == [10]


def test_reasoning_that_is_not_shown_has_no_part_in_the_time_per_token() -> None:
    """The server thinks for a second, counts 400 tokens for it, shows none of them, and then sends 11 in 100 ms."""
    record = record_of(*((1000 + 10 * number, 1) for number in range(11)), said=411)
    record.said_reasoning_tokens = 400
    assert figure("tpot_ms", record) == [10]
    assert figure("tokens_per_s", record) == pytest.approx([411 / 1.1], abs=0.001)
    record.said_reasoning_tokens = 500  # more than it says in all
    assert figure("tpot_ms", record) == [10]


def test_reasoning_that_is_shown_is_tokens_like_others() -> None:
    record = record_of((50, 1), (60, 1), (70, 1), said=3)
    record.reasoning_tokens, record.visible_tokens, record.said_reasoning_tokens = 2, 1, 2
    assert figure("tpot_ms", record) == [10]


# ------------------------------------------------------------------------------------------- a clock that was set


def test_without_its_trust_a_kernel_stamp_has_no_part_in_anything() -> None:
    record = record_of((50, 1), (60, 2, False), (70, 1), read_late_ms=3, end_ms=70)
    record.headers_ns, record.headers_read_ns = at(1), at(2)
    record.end_read_ns = at(75)
    record.distrust_kernel()
    assert record.clock_jumped
    assert not record.has_kernel
    assert figure("ttft_ms", record) == figure("ttft_read_ms", record) == [53]
    assert figure("headers_ms", record) == [2]
    assert figure("e2e_ms", record) == [75]
    assert figure("event_gap_ms", record) == []
    assert record.token_reads[1] == TokenRead(at(63), at(63), 2, is_resolved=False)
    assert record.first_tool_ns is None
    assert record.last_token_ns == at(0) + 73 * MS


def test_a_summary_of_reasoning_is_not_the_reasoning() -> None:
    """One event that sums up 1,000 tokens, and ten tokens 50 ms apart: what was not streamed took no time of these."""
    record = record_of(*((100 + 50 * each, 1) for each in range(11)), said=1010)
    record.visible_tokens, record.reasoning_tokens, record.said_reasoning_tokens = 10, 1, 1000
    assert record.streamed_tokens == 11
    assert BY_NAME["tpot_ms"].values(record) == (50 * MS,)


@pytest.mark.parametrize("said", [0, 1, 9])
def test_a_server_that_counts_fewer_tokens_than_came_has_not_counted(said: int) -> None:
    record = record_of(*((100 + 2 * each, 1) for each in range(10)), said=said)
    assert record.tokens == 10
    assert BY_NAME["tpot_ms"].values(record) == (2 * MS,)
