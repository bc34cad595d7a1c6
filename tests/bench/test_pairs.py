from __future__ import annotations

from dataclasses import asdict
from typing import Final, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench import pairs
from streamkit.bench.pairs import DIFFERENCES, Pairing
from streamkit.bench.plan import Concurrency
from streamkit.bench.record import FAILURES, Outcome, RequestRecord, TokenRead
from streamkit.bench.results import Paired

MS: Final = 1_000_000
LOAD: Final = Concurrency(4)
SENT_NS: Final = 5_000 * MS

UNEVEN: Final = [10 * MS, 20 * MS, 50 * MS]
"""When an answer's tokens come."""


def answer(target: str, pair: int, came: list[int], *, late_ns: int = 0, **more: object) -> RequestRecord:
    """Return a request whose tokens came one a read, so long after it was sent, and were read `late_ns` after that."""
    reads = [TokenRead(SENT_NS + each, SENT_NS + each + late_ns, 1, True) for each in came]
    values: dict[str, object] = {
        "outcome": "ok",
        "sent_ns": SENT_NS,
        "token_reads": reads,
        "first_tokens": 1,
        "visible_tokens": len(came),
        "has_kernel": True,
        "is_reused": True,
        "end_ns": reads[-1].at_ns + MS,
        "end_read_ns": reads[-1].read_ns + MS,
    }
    for name, read in (("first_token", reads[0]), ("first_visible", reads[0]), ("last_token", reads[-1])):
        values |= {f"{name}_ns": read.at_ns, f"{name}_read_ns": read.read_ns}
    return msgspec.convert({"number": 0, "target": target, "pair": pair} | values | more, RequestRecord)


def failed(target: str, pair: int, outcome: Outcome = "truncated") -> RequestRecord:
    """Return a request that came to nothing, and had its first token at once."""
    return answer(target, pair, [0], outcome=outcome)


def put_together(records: list[RequestRecord], proxies: tuple[str, ...] = ("proxy",)) -> list[Paired]:
    pairing = Pairing("direct", proxies)
    for record in records:
        pairing.add(record)
    pairing.finish()
    return pairing.paired(LOAD)


def moved(came: list[int], by_ns: int) -> list[int]:
    return [each + by_ns for each in came]


def test_what_a_proxy_adds_is_the_difference_within_each_pair() -> None:
    """Whatever else makes a pair slow makes both of its sides slow."""
    records = []
    for pair in range(9):
        slow = moved(UNEVEN, pair * 1000 * MS)
        records += [
            answer("proxy", pair, moved(slow, 3 * MS), late_ns=2 * MS),
            answer("direct", pair, slow, late_ns=MS),
        ]
    (paired,) = put_together(records)
    assert (paired.pairs, paired.broken, paired.cut, paired.uneven) == (9, 0, 0, 0)
    found = {name: difference.mean.value for name, difference in paired.differences.items()}
    assert found == pytest.approx(
        {
            "ttft_ms": 3,
            "ttft_read_ms": 4,
            "first_visible_ms": 3,
            "event_gap_ms": 0,
            "tpot_ms": 0,
            "e2e_ms": 3,
        }
    )
    p50 = paired.differences["ttft_ms"].p50
    assert p50 is not None
    assert (p50.low, p50.value, p50.high) == pytest.approx((3, 3, 3), rel=1e-3)


def test_a_proxy_may_take_time_away() -> None:
    records = [answer(name, pair, [ns]) for pair in range(9) for name, ns in (("direct", 9 * MS), ("proxy", 2 * MS))]
    (paired,) = put_together(records)
    assert paired.differences["ttft_ms"].mean.value == pytest.approx(-7)


def test_a_gap_is_the_middle_one_of_an_answer_s_known_gaps() -> None:
    """A value for each request: a long answer is still one of a pair."""
    direct = answer("direct", 0, [0, 10 * MS, 30 * MS, 60 * MS])
    assert DIFFERENCES["event_gap_ms"](direct) == 20 * MS
    reads = [*direct.token_reads]
    reads[2] = TokenRead(reads[2].at_ns, reads[2].read_ns, 3, False)
    assert DIFFERENCES["event_gap_ms"](answer("direct", 0, [0, 10 * MS], token_reads=reads)) == 10 * MS


def test_an_answer_in_one_read_has_no_gap_and_none_is_made_up() -> None:
    lump = [TokenRead(SENT_NS + MS, SENT_NS + MS, 30, True)]
    records = [
        answer(name, pair, [MS], token_reads=reads, first_tokens=len(reads), visible_tokens=30)
        for pair in range(3)
        for name, reads in (
            ("direct", [TokenRead(SENT_NS + each * MS, SENT_NS + each * MS, 1, True) for each in range(1, 31)]),
            ("proxy", lump),
        )
    ]
    (paired,) = put_together(records)
    assert paired.pairs == 3
    assert "event_gap_ms" not in paired.differences
    assert "tpot_ms" not in paired.differences
    assert (paired.events_per_read_in, paired.events_per_read_out) == (1, 30)
    assert (paired.events_per_segment_in, paired.events_per_segment_out) == (1, 30)


def test_what_our_own_lateness_joined_is_told_from_what_the_proxy_joined() -> None:
    """Four segments in one read are ours; four events in one segment are not."""
    late = [
        TokenRead(SENT_NS + MS, SENT_NS + 40 * MS, 4, False),
        TokenRead(SENT_NS + 50 * MS, SENT_NS + 50 * MS, 1, True),
    ]
    lumpy = [TokenRead(SENT_NS + ms * MS, SENT_NS + ms * MS, 4, True) for ms in (1, 40)]
    records = [
        answer("direct", 0, [MS], token_reads=late, visible_tokens=5),
        answer("proxy", 0, [MS], token_reads=lumpy, visible_tokens=8),
    ]
    (paired,) = put_together(records)
    assert (paired.events_per_read_in, paired.events_per_read_out) == (2.5, 4)
    assert (paired.events_per_segment_in, paired.events_per_segment_out) == (1, 4)


@pytest.mark.parametrize("outcome", FAILURES)
@pytest.mark.parametrize("broken", ["direct", "proxy"])
def test_a_pair_with_a_side_that_failed_counts_as_broken_and_has_no_part(outcome: Outcome, broken: str) -> None:
    whole = {"direct": "proxy", "proxy": "direct"}[broken]
    records = [failed(broken, 0, outcome), answer(whole, 0, [500 * MS])]
    records += [answer(name, pair, [10 * MS]) for pair in (1, 2) for name in ("direct", "proxy")]
    (paired,) = put_together(records)
    assert (paired.pairs, paired.broken, paired.cut) == (2, 1, 0)
    assert paired.differences["ttft_ms"].n == 2
    assert paired.differences["ttft_ms"].mean.value == 0
    assert paired.events_per_read_in == paired.events_per_read_out == 1


def test_a_pair_that_the_run_s_end_cut_off_is_nobody_s_failure() -> None:
    records = [
        answer("direct", 0, [MS]),
        answer("direct", 1, [MS]),
        answer("proxy", 1, [MS], outcome="unfinished"),
        answer("direct", 2, [MS]),
        answer("proxy", 2, [MS], outcome=None),
        failed("proxy", 3),
    ]
    (paired,) = put_together(records)
    assert (paired.pairs, paired.broken, paired.cut) == (0, 1, 3)
    assert not paired.differences
    assert (paired.events_per_read_in, paired.events_per_read_out) == (0, 0)


def test_each_of_several_proxies_is_compared_with_the_server_itself() -> None:
    records = []
    for pair in range(4):
        records += [answer("direct", pair, [MS]), answer("near", pair, [2 * MS])]
        records.append(failed("far", pair) if pair == 3 else answer("far", pair, [9 * MS]))
    near, far = put_together(records, ("near", "far"))
    assert (near.direct, near.proxy, far.proxy) == ("direct", "near", "far")
    assert (near.pairs, near.broken) == (4, 0), "one proxy's failure is not the other one's"
    assert (far.pairs, far.broken) == (3, 1)
    assert near.differences["ttft_ms"].mean.value == pytest.approx(1)
    assert far.differences["ttft_ms"].mean.value == pytest.approx(8)


def test_kernel_stamps_are_not_compared_with_read_stamps() -> None:
    direct = answer("direct", 0, [10 * MS], late_ns=5 * MS)
    proxy = answer("proxy", 0, [10 * MS], late_ns=5 * MS, clock_jumped=True)
    proxy.distrust_kernel()
    (paired,) = put_together([direct, proxy] + [answer(name, 1, [MS]) for name in ("direct", "proxy")])
    assert paired.differences["ttft_ms"].mean.value == 0
    assert paired.differences["e2e_ms"].mean.value == 0
    assert direct.has_kernel, "what others count with is left as it was"
    assert direct.first_token_ns == SENT_NS + 10 * MS


def test_tokens_that_one_server_counted_are_not_compared_with_events_that_we_counted() -> None:
    records = [
        answer(name, pair, UNEVEN, **({"output_tokens": 30} if name == "direct" else {}))
        for pair in range(3)
        for name in ("direct", "proxy")
    ]
    (paired,) = put_together(records)
    assert "tpot_ms" not in paired.differences
    assert "ttft_ms" in paired.differences
    assert paired.uneven == 0, "nobody knows"


def test_answers_of_different_lengths_are_counted() -> None:
    records = [answer("direct", 0, UNEVEN), answer("proxy", 0, UNEVEN[:2])]
    (paired,) = put_together(records)
    assert (paired.pairs, paired.uneven) == (1, 1)
    assert not paired.differences, "of one pair alone no mean has an interval"


def test_pairs_on_connections_that_were_there_stand_apart() -> None:
    records = []
    for pair in range(6):
        cold = pair < 2
        records.append(answer("direct", pair, [MS]))
        records.append(answer("proxy", pair, [50 * MS if cold else 2 * MS], is_reused=not cold))
    (paired,) = put_together(records)
    assert paired.differences["ttft_ms"].n == 6
    assert paired.differences_reused["ttft_ms"].n == 4
    assert paired.differences_reused["ttft_ms"].mean.value == pytest.approx(1)


def test_only_pairs_that_still_run_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "MAX_WAITING", 10)
    pairing = Pairing("direct", ["proxy"])
    for pair in range(1000):
        pairing.add(answer("direct", pair, [MS]))
        assert pairing.waiting <= 10
    for pair in range(990, 1000):
        pairing.add(answer("proxy", pair, [MS]))
    assert pairing.waiting == 0
    (paired,) = pairing.paired(LOAD)
    assert (paired.pairs, paired.cut) == (10, 990)


def test_every_server_has_a_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="name of its own"):
        Pairing("direct", ["proxy", "proxy"])


outcomes = st.sampled_from([*get_args(Outcome), "ok", "ok", "ok", "ok"])
times = st.lists(st.integers(0, 10**12), min_size=1, max_size=4).map(sorted)


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), outcomes, outcomes, outcomes, times, times), max_size=12), data=st.data()
)
def test_the_order_in_which_requests_end_changes_nothing_and_no_pair_is_lost(
    rows: list[tuple[int, Outcome, Outcome, Outcome, list[int], list[int]]], data: st.DataObject
) -> None:
    records = []
    for pair, (missing, direct, near, far, came, other) in enumerate(rows):
        sides = [("direct", direct, came), ("near", near, other), ("far", far, came)]
        records += [answer(name, pair, at, outcome=outcome) for name, outcome, at in sides[: 3 - missing]]
    shuffled = data.draw(st.permutations(records))
    found = put_together(records, ("near", "far"))
    assert [asdict(each) for each in found] == [asdict(each) for each in put_together(shuffled, ("near", "far"))]
    for paired, server in zip(found, ("near", "far"), strict=True):
        assert paired.pairs + paired.broken + paired.cut == len(rows)
        ok = {each.pair for each in records if each.target == server and each.is_ok}
        ok &= {each.pair for each in records if each.target == "direct" and each.is_ok}
        assert paired.pairs == len(ok)
        assert all(difference.n <= len(ok) for difference in paired.differences.values())
