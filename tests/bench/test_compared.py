"""Errors of the tool by hand: each metric against a truth that is known to the ns."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamkit.bench.compared import UNTOLD, Compared, Errors, compare, tool_errors
from streamkit.bench.metrics import BY_NAME, METRICS
from streamkit.bench.record import RequestRecord, TokenRead
from streamkit.bench.results import ToolError
from streamkit.bench.statistics import smallest_n
from streamkit.bench.truth import Truth

US = 1_000
MS = 1_000_000

SENT_NS = 10_000 * MS
ARRIVED_NS = SENT_NS + 20 * US
WRITTEN_NS = [ARRIVED_NS + (50 + 10 * number) * MS for number in range(4)]
TRUTH = Truth("id", ARRIVED_NS, ARRIVED_NS + MS, WRITTEN_NS, WRITTEN_NS[-1] + 5 * US)


def read_at(late_ns: int, *tokens: int, read_late_ns: int = 300 * US, is_resolved: bool = True) -> TokenRead:
    """Return the read of these tokens, so much later than the last of them was written."""
    at_ns = WRITTEN_NS[tokens[-1]] + late_ns
    return TokenRead(at_ns, at_ns + read_late_ns, len(tokens), is_resolved)


def record_of(reads: Sequence[TokenRead], **changes: object) -> RequestRecord:
    first, last = reads[0], reads[-1]
    end_ns = last.at_ns + 5 * US
    fields: dict[str, object] = {
        "number": 0,
        "outcome": "ok",
        "request_id": "id",
        "sent_ns": SENT_NS,
        "headers_ns": ARRIVED_NS + MS + 40 * US,
        "first_token_ns": first.at_ns,
        "first_token_read_ns": first.read_ns,
        "first_visible_ns": first.at_ns,
        "last_token_ns": last.at_ns,
        "end_ns": end_ns,
        "token_reads": [*reads],
        "first_tokens": first.tokens,
        "visible_tokens": sum(each.tokens for each in reads),
        "has_kernel": True,
    }
    return RequestRecord(**(fields | changes))  # type: ignore[arg-type]


LATE = [read_at(30 * US, 0), read_at(50 * US, 1), read_at(10 * US, 2), read_at(30 * US, 3)]


def errors_in(compared: Compared, name: str) -> list[int]:
    errors = compared.errors[name]
    assert errors.n <= 10, "or the buckets round"
    return sorted(
        [value for value, count in errors.over.buckets() for _ in range(count)]
        + [-value for value, count in errors.under.buckets() for _ in range(count)]
    )


def bucketed(value_ns: int) -> int:
    errors = Errors()
    errors.add(value_ns)
    return next(errors.absolute.buckets())[0] * (-1 if value_ns < 0 else 1)


@pytest.mark.parametrize(
    ("name", "error_ns"),
    [
        # From our stamp of the sending to the server's kernel it is 20 us, and that is our error too.
        ("ttft_ms", 50 * US),
        ("ttft_read_ms", 350 * US),
        ("first_visible_ms", 50 * US),
        ("headers_ms", 60 * US),
        ("e2e_ms", 50 * US),
        ("tpot_ms", 0),
    ],
)
def test_a_figure_is_compared_with_what_the_server_did(name: str, error_ns: int) -> None:
    compared = compare([record_of(LATE)], {"id": TRUTH})
    assert errors_in(compared, name) == [bucketed(error_ns)]
    assert compared.counts["requests"] == 1


def test_gaps_are_compared_one_by_one_and_keep_their_signs() -> None:
    compared = compare([record_of(LATE)], {"id": TRUTH})
    assert errors_in(compared, "event_gap_ms") == [bucketed(each * US) for each in (-40, 20, 20)]
    assert errors_in(compared, "read_gap_ms") == [bucketed(each * US) for each in (-40, 20, 20)]
    assert compared.counts["gaps"] == 3
    assert compared.counts["unresolved_gaps"] == 0


def test_of_tokens_that_came_in_one_read_no_gap_is_compared_and_none_is_zero() -> None:
    reads = [read_at(30 * US, 0), read_at(30 * US, 1, 2, is_resolved=False), read_at(40 * US, 3)]
    compared = compare([record_of(reads)], {"id": TRUTH})
    assert "event_gap_ms" not in compared.errors
    assert compared.counts["unresolved_gaps"] == 3
    # The read was that of token 2: beside token 0 it is right, and so is token 3 beside it, but for 10 us.
    assert errors_in(compared, "read_gap_ms") == [bucketed(0), bucketed(10 * US)]


def test_two_tokens_of_one_write_have_no_gap_between_them_and_the_next_gap_is_right() -> None:
    written = [WRITTEN_NS[0], WRITTEN_NS[1], WRITTEN_NS[1], WRITTEN_NS[3]]
    truth = Truth("id", ARRIVED_NS, ARRIVED_NS, written, WRITTEN_NS[3])
    reads = [
        read_at(0, 0),
        TokenRead(WRITTEN_NS[1], WRITTEN_NS[1], 2, is_resolved=True),
        read_at(7, 3),
    ]
    compared = compare([record_of(reads)], {"id": truth})
    assert errors_in(compared, "event_gap_ms") == [0, 7]
    assert compared.counts["unresolved_gaps"] == 1


def test_a_gap_of_zero_that_the_server_did_not_make_is_counted() -> None:
    at_ns = WRITTEN_NS[1]
    reads = [read_at(0, 0), TokenRead(at_ns, at_ns, 1, True), TokenRead(at_ns, at_ns, 1, True), read_at(0, 3)]
    compared = compare([record_of(reads)], {"id": TRUTH})
    assert compared.counts["false_zero_gaps"] == 1
    same = replace(TRUTH, token_ns=[WRITTEN_NS[0], at_ns, at_ns, WRITTEN_NS[3]])
    assert compare([record_of(reads)], {"id": same}).counts["false_zero_gaps"] == 0


def test_tpot_is_that_of_the_server_whatever_came_together_with_us() -> None:
    reads = [read_at(0, 0, 1, is_resolved=False), read_at(0, 2), read_at(1_500, 3)]
    compared = compare([record_of(reads)], {"id": TRUTH})
    # Ours has the span of two gaps, each of them 10 ms, the second 1.5 us too long.
    assert errors_in(compared, "tpot_ms") == [750]


def test_beginning_late_is_an_error_of_ours_and_connecting_is_none() -> None:
    scheduled_ns = SENT_NS - 5 * MS
    waits = {"scheduled_ns": scheduled_ns, "began_ns": scheduled_ns + 2 * MS}
    connecting = {"connecting_ns": scheduled_ns + 2 * MS, "connected_ns": scheduled_ns + 4 * MS}
    compared = compare([record_of(LATE, **waits)], {"id": TRUTH})
    assert errors_in(compared, "ttft_from_schedule_ms") == [bucketed(5 * MS + 50 * US)]
    compared = compare([record_of(LATE, **waits, **connecting)], {"id": TRUTH})
    assert errors_in(compared, "ttft_from_schedule_ms") == [bucketed(3 * MS + 50 * US)]
    assert errors_in(compared, "e2e_from_schedule_ms") == [bucketed(3 * MS + 50 * US)]


def test_a_closed_loop_has_no_error_from_the_schedule() -> None:
    assert "ttft_from_schedule_ms" not in compare([record_of(LATE)], {"id": TRUTH}).errors


def test_what_cannot_be_compared_is_counted_and_never_taken_for_right() -> None:
    records = [
        record_of(LATE, outcome="truncated"),
        record_of(LATE, request_id="another"),
        record_of(LATE[:3]),  # a token was lost on the way
        record_of(LATE),
    ]
    compared = compare(records, {"id": TRUTH})
    counts = compared.counts
    assert (counts["failed"], counts["unmatched"], counts["miscounted"], counts["requests"]) == (1, 1, 1, 1)
    assert compared.errors["ttft_ms"].n == 1


def test_where_tokens_that_are_read_together_are_one_event_only_the_ends_are_compared() -> None:
    compared = Compared()
    compared.add(record_of(LATE[:3]), TRUTH, may_merge=True)
    assert compared.counts["requests"] == 1
    assert compared.counts["unresolved_gaps"] == 3
    assert errors_in(compared, "ttft_ms") == [bucketed(50 * US)]
    assert "tpot_ms" not in compared.errors
    assert "event_gap_ms" not in compared.errors
    compared.add(record_of([*LATE, read_at(0, 3)]), TRUTH, may_merge=True)
    assert compared.counts["miscounted"] == 1, "more than there were is never right"


def test_the_parts_of_a_ttfts_error() -> None:
    parts = compare([record_of(LATE)], {"id": TRUTH}).parts
    values = {name: next(errors.over.buckets())[0] // US for name, errors in parts.items()}
    assert values == {"sending": 20, "receiving": 30, "receiving_read": 329}  # in buckets 0.05 % wide


def test_every_metric_in_which_the_tool_has_a_part_has_an_error_or_a_reason() -> None:
    connecting = {"connecting_ns": SENT_NS - 2, "connected_ns": SENT_NS - 1, "scheduled_ns": SENT_NS - 3}
    records = [record_of(LATE, **connecting) for _ in range(400)]
    have = set(tool_errors(compare(records, {"id": TRUTH})))
    assert {metric.name for metric in METRICS if metric.tool} - have == UNTOLD
    assert have <= set(BY_NAME)


def test_a_ToolError_is_in_the_metrics_unit_and_has_no_p99_that_nobody_knows() -> None:  # noqa: N802
    enough = smallest_n(0.99)
    for n, has_p99 in ((enough - 1, False), (enough, True)):
        error = tool_errors(compare([record_of(LATE)] * n, {"id": TRUTH}))["ttft_ms"]
        assert error.n == n
        assert error.p50 == pytest.approx(0.05, rel=0.001)
        assert error.bias == pytest.approx(0.05, rel=0.001)
        assert (error.p99 is not None) is has_p99
    few = tool_errors(compare([record_of(LATE)] * 5, {"id": TRUTH}))
    assert {name: error.n for name, error in few.items()} == {"event_gap_ms": 15, "read_gap_ms": 15}


@given(st.lists(st.integers(-(10**9), 10**9), min_size=400, max_size=600))
def test_errors_are_those_of_numpy_with_their_signs_and_without(values: list[int]) -> None:
    errors = Errors()
    for value in values:
        errors.add(value)
    found = errors.tool_error(1)
    assert found is not None
    absolute = np.abs(values)
    for q, ours in ((0.5, found.p50), (0.99, found.p99)):
        assert ours == pytest.approx(np.quantile(absolute, q, method="inverted_cdf"), rel=0.0006, abs=0.5)
    assert found.bias == pytest.approx(np.quantile(values, 0.5, method="inverted_cdf"), rel=0.0006, abs=0.5)


def test_a_tool_that_is_early_as_often_as_late_has_an_error_and_no_bias() -> None:
    errors = Errors()
    for value in (-5, 5) * 50 + (0,):
        errors.add(value)
    assert errors.tool_error(1) == ToolError(101, 5, None, 0)


def test_parts_add_up_to_the_whole() -> None:
    draw = random.Random(8)
    records = []
    for _ in range(60):
        late = [draw.randrange(-50 * US, 90 * US) for _ in range(4)]
        records.append(record_of([read_at(each, number) for number, each in enumerate(late)]))
    records += [record_of(LATE, outcome="idle"), record_of(LATE[:2])]
    truths = {"id": TRUTH}
    whole = compare(records, truths)
    merged = Compared()
    for some in (records[:20], records[20:25], records[25:]):
        merged.merge(compare(some, truths))
    assert tool_errors(merged) == tool_errors(whole)
    assert merged.counts == whole.counts
    assert {name: each.n for name, each in merged.parts.items()} == {name: each.n for name, each in whole.parts.items()}
