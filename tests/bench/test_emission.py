from __future__ import annotations

from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.emission import Emission
from streamkit.bench.plan import Concurrency
from streamkit.bench.prepare import mark_of
from streamkit.bench.record import RequestRecord, TokenRead
from streamkit.bench.results import Paired, TokenDelay
from streamkit.bench.truth import Entry, Written

MS: Final = 1_000_000
SENT_NS: Final = 5_000 * MS
ARRIVED_NS: Final = SENT_NS + 2 * MS
RUN: Final = 0x123456789ABC

STEADY: Final = [100 * MS, 110 * MS, 120 * MS, 130 * MS]
"""When an upstream writes its tokens, since the request was sent."""


def mark(number: int) -> str:
    return mark_of(RUN, number)


def came(number: int, *reads: tuple[int, int, bool], target: str = "direct", pair: int | None = None) -> RequestRecord:
    """Return a request that is ok, whose tokens came so long after it was sent, so many in each read."""
    return RequestRecord(
        number=number,
        target=target,
        pair=number if pair is None else pair,
        outcome="ok",
        sent_ns=SENT_NS,
        request_id=mark(number),
        token_reads=[TokenRead(SENT_NS + ns, SENT_NS + ns, tokens, resolved) for ns, tokens, resolved in reads],
    )


def one_by_one(number: int, at: list[int], *, late_ns: int = 0, **more: object) -> RequestRecord:
    record = came(number, *((ns + late_ns, 1, True) for ns in at))
    return msgspec.structs.replace(record, **more)


def wrote(
    request_id: str, at: list[int], *, each: int = 1, outcome: str = "complete", body: object = None, status: int = 200
) -> Entry:
    """Return the journal of a request whose tokens were written so long after it was sent, `each` in a write."""
    head_ns = ARRIVED_NS + MS
    writes = [Written(head_ns, head_ns, head_ns, 200, 0)]
    for number, ns in enumerate(at, start=1):
        at_ns = SENT_NS + ns
        writes.append(Written(at_ns, at_ns, at_ns + 1000, 100, number * each))
    return Entry(
        number=1,
        headers=[("X-Request-ID", request_id)] if request_id else [],
        status=status,
        outcome=outcome,
        arrived_ns=ARRIVED_NS + MS,
        kernel_ns=ARRIVED_NS,
        tokens=len(at) * each,
        writes=writes,
        body=msgspec.Raw(msgspec.json.encode(body)),
    )


def pair_of(proxy: str = "proxy") -> Paired:
    return Paired("direct", proxy, Concurrency(1), {}, 0, 0, events_per_read_in=9.0, events_per_read_out=9.0)


def completed(records: list[RequestRecord], entries: list[Entry], **more: int) -> Paired:
    emission = Emission(**more)
    for record in records:
        emission.add(record)
    for entry in entries:
        emission.wrote(entry)
    paired = pair_of()
    emission.complete([paired])
    return paired


def middle(delay: TokenDelay) -> float:
    assert delay.p50 is not None
    return delay.p50.value


def test_a_token_s_delay_is_from_its_writing_to_its_coming() -> None:
    records = [one_by_one(number, STEADY, late_ns=number * MS) for number in range(10)]
    paired = completed(records, [wrote(mark(number), STEADY) for number in range(10)])
    delay = paired.token_delay["direct"]
    assert (delay.n, delay.requests, delay.unresolved) == (40, 10, 0)
    assert middle(delay) == pytest.approx(4, rel=1e-3), "the 20th of 0, 0, 0, 0, 1, 1, 1, 1, ... 9 ms"
    assert delay.p50 is not None
    assert (delay.p50.low, delay.p50.high) == pytest.approx((1, 8), rel=1e-3), "as wide as ten values have it, not 40"
    assert middle(paired.request_delay["direct"]) == pytest.approx(2, rel=1e-3), "to the kernel, not to the read"
    assert paired.unmatched["direct"] == 0


def test_the_proxy_s_share_is_what_it_adds_to_the_other_side_of_its_pair() -> None:
    records, entries = [], []
    for pair in range(8):
        slow = [ns + pair * 500 * MS for ns in STEADY]
        records.append(one_by_one(2 * pair, slow, late_ns=MS, pair=pair))
        behind = came(2 * pair + 1, *((ns + (7 if ns == slow[0] else 4) * MS, 1, True) for ns in slow))
        records.append(msgspec.structs.replace(behind, target="proxy", pair=pair))
        entries += [wrote(mark(2 * pair), slow), wrote(mark(2 * pair + 1), slow)]
    paired = completed(records, entries)
    means = {name: difference.mean.value for name, difference in paired.shares.items()}
    assert means == pytest.approx({"request_delay_ms": 0, "first_token_delay_ms": 6, "token_delay_ms": 3})
    assert middle(paired.token_delay["direct"]) == pytest.approx(1, rel=1e-3)
    assert middle(paired.token_delay["proxy"]) == pytest.approx(4, rel=1e-3)


def test_kernel_stamps_are_not_compared_with_read_stamps() -> None:
    records = [
        one_by_one(
            2 * pair + side, STEADY, late_ns=side * MS, pair=pair, target=target, has_kernel=pair < 3 or not side
        )
        for pair in range(5)
        for side, target in enumerate(("direct", "proxy"))
    ]
    paired = completed(records, [wrote(mark(number), STEADY) for number in range(10)])
    assert {difference.n for difference in paired.shares.values()} == {3}
    assert paired.token_delay["proxy"].requests == 5, "each for itself is what it is"


ASKED: Final = f"[{mark(0)}] Why is the sky blue?"
OTHERS: Final = f"[{mark(7)}] Who has asked this?"


@pytest.mark.parametrize("sent_id", ["", "set-by-the-proxy", mark(77)])
@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "messages": [{"role": "user", "content": ASKED}]},
        {"system": "Be brief.", "messages": [{"role": "user", "content": [{"type": "text", "text": ASKED}]}]},
        {"contents": [{"parts": [{"text": ASKED}]}], "x": mark(77)},
        f"prompt={ASKED}",
    ],
)
def test_a_request_whose_id_the_proxy_dropped_is_known_by_the_beginning_of_its_prompt(
    sent_id: str, body: object
) -> None:
    paired = completed([one_by_one(0, STEADY)], [wrote(sent_id, STEADY, body=body)])
    assert paired.unmatched["direct"] == 0
    assert paired.token_delay["direct"].n == 4


@pytest.mark.parametrize("body", [None, "Why is the sky blue?", f"a{ASKED[1:]}", [ASKED, OTHERS]])
def test_a_request_that_nobody_can_tell_is_not_guessed(body: object) -> None:
    paired = completed([one_by_one(0, STEADY), one_by_one(7, STEADY)], [wrote("", STEADY, body=body)])
    assert paired.unmatched["direct"] == 2
    assert not paired.token_delay


def test_a_failed_try_and_its_repetition_are_one_answer_but_two_answers_are_none() -> None:
    first = wrote(mark(0), [], status=503)
    cut = wrote(mark(0), STEADY[:2], outcome="reset")
    again = wrote(mark(0), STEADY)
    emission = Emission()
    emission.add(one_by_one(0, STEADY))
    for entry, missing in ((first, 1), (cut, 1), (again, 0)):
        emission.wrote(entry)
        assert emission.missing == missing
    assert completed([one_by_one(0, STEADY)], [first, cut, again]).unmatched["direct"] == 0
    twice = completed([one_by_one(0, STEADY)], [again, wrote(mark(0), [ns + MS for ns in STEADY])])
    assert twice.unmatched["direct"] == 1
    assert not twice.token_delay


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(came(0, (STEADY[1], 1, True), (STEADY[3], 1, True)), id="joined"),
        pytest.param(one_by_one(0, [*STEADY, 140 * MS]), id="more"),
        pytest.param(one_by_one(0, STEADY, late_ns=-5 * MS), id="before-it-was-written"),
    ],
)
def test_tokens_that_are_not_the_upstream_s_have_no_delay(record: RequestRecord) -> None:
    paired = completed([record], [wrote(mark(0), STEADY)])
    assert paired.unmatched["direct"] == 1
    assert not paired.token_delay


def test_an_answer_that_failed_has_no_part() -> None:
    paired = completed([one_by_one(0, STEADY, outcome="truncated")], [wrote(mark(0), STEADY)])
    assert not paired.token_delay
    assert paired.unmatched == {"direct": 0, "proxy": 0}


def test_tokens_held_back_and_read_together_count_as_late_as_they_came_and_as_early_as_they_can_have() -> None:
    """Without them a proxy that sends in bursts would look as prompt as the last token of each."""
    records = [came(number, (150 * MS, 1, True), (160 * MS, 3, False)) for number in range(10)]
    paired = completed(records, [wrote(mark(number), STEADY) for number in range(10)])
    delay = paired.token_delay["direct"]
    assert (delay.n, delay.unresolved) == (40, 30)
    assert delay.p50 is not None
    assert delay.p50.value == pytest.approx(40, rel=1e-3), "30, 40, 50, 50 ms at most"
    assert delay.p50.high == pytest.approx(50, rel=1e-3)
    assert delay.p50.low == pytest.approx(20, rel=1e-3), "20, 30, 40, 50 ms at least: the read before was at 150"


def test_the_last_token_of_a_read_may_be_known_where_those_before_it_are_not() -> None:
    records = [came(number, (150 * MS, 1, True), (160 * MS, 3, False)) for number in range(10)]
    for record in records:
        record.token_reads[1] = msgspec.structs.replace(record.token_reads[1], is_last_known=True)
    paired = completed(records, [wrote(mark(number), STEADY) for number in range(10)])
    delay = paired.token_delay["direct"]
    assert (delay.n, delay.unresolved) == (40, 20)
    assert delay.p50 is not None
    assert (delay.p50.low, delay.p50.high) == pytest.approx((30, 50), rel=1e-3), "30, 30, 40, 50 ms at least"


def test_no_token_came_before_it_was_written_however_early_its_read_may_have_begun() -> None:
    records = [came(number, (101 * MS, 1, True), (131 * MS, 3, False)) for number in range(10)]
    paired = completed(records, [wrote(mark(number), STEADY) for number in range(10)])
    p50 = paired.token_delay["direct"].p50
    assert p50 is not None
    assert (p50.low, p50.value) == pytest.approx((0, 1), rel=1e-3), "0, 0, 0, 1 ms at least; 1, 1, 11, 21 at most"


def test_a_burst_that_is_one_segment_is_known_token_by_token() -> None:
    records = [came(number, (130 * MS, 4, True)) for number in range(40)]
    paired = completed(records, [wrote(mark(number), STEADY) for number in range(40)])
    delay = paired.token_delay["direct"]
    assert delay.unresolved == 0
    assert delay.p90 is not None
    assert delay.p90.value == pytest.approx(30, rel=1e-3)
    assert middle(delay) == pytest.approx(10, rel=1e-3), "0, 10, 20, 30 ms"


def test_what_the_upstream_itself_coalesces_is_not_the_proxy_s_doing() -> None:
    records = [msgspec.structs.replace(came(0, (130 * MS, 8, True)), target="proxy")]
    paired = completed(records, [wrote(mark(0), STEADY[:2], each=4)])
    assert paired.events_per_write == 4
    assert paired.events_per_read_in == 9, "what we have read ourselves stays"
    assert completed([one_by_one(0, STEADY)], []).events_per_write == 0


def test_a_few_long_answers_do_not_pass_for_many_values() -> None:
    """The tokens of an answer may all be late together."""
    long = [100 * MS + 10 * MS * number for number in range(500)]
    few = completed([one_by_one(n, long) for n in range(5)], [wrote(mark(n), long) for n in range(5)])
    assert few.token_delay["direct"].n == 2500
    assert few.token_delay["direct"].p50 is None
    enough = completed([one_by_one(n, long) for n in range(6)], [wrote(mark(n), long) for n in range(6)])
    assert enough.token_delay["direct"].p50 is not None
    assert enough.token_delay["direct"].p90 is None
    # And where one of a hundred answers has nearly all tokens, it is one answer's figure.
    lengths = [500, *[1] * 99]
    records = [one_by_one(n, long[:length]) for n, length in enumerate(lengths)]
    uneven = completed(records, [wrote(mark(n), long[:length]) for n, length in enumerate(lengths)])
    assert uneven.token_delay["direct"].requests == 100
    assert uneven.token_delay["direct"].p50 is None


def test_a_long_run_is_sampled_evenly_and_whole_pairs_at_a_time() -> None:
    emission = Emission(seed=1, max_tokens=400)
    for pair in range(1000):
        for side, target in enumerate(("direct", "proxy")):
            emission.add(one_by_one(2 * pair + side, STEADY, target=target, pair=pair))
    kept = emission.missing
    assert emission.is_sample
    assert 0 < kept <= 100
    for number in range(2000):
        emission.wrote(wrote(mark(number), STEADY))
    assert emission.missing == 0
    paired = pair_of()
    emission.complete([paired])
    assert paired.token_delay["direct"].requests + paired.token_delay["proxy"].requests == kept
    both = paired.shares["token_delay_ms"].n
    assert kept - 2 * both <= 1, "the last one at most has lost its other side"


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=60), room=st.integers(9, 100), data=st.data())
def test_the_sample_does_not_depend_on_when_requests_end(lengths: list[int], room: int, data: st.DataObject) -> None:
    records = [one_by_one(number, [100 * MS] * length) for number, length in enumerate(lengths)]
    kept = sampled(records, room)
    assert kept == sampled(data.draw(st.permutations(records)), room)
    assert sum(lengths[number] for number in kept) <= room
    assert kept == {*range(len(lengths))} or sum(lengths) > room


def test_the_sample_is_drawn_from_the_seed() -> None:
    records = [one_by_one(number, STEADY) for number in range(100)]
    kept = [sampled(records, 40, seed=seed) for seed in (1, 1, 2)]
    assert [len(each) for each in kept] == [10, 10, 10]
    assert kept[0] == kept[1] != kept[2]


def sampled(records: list[RequestRecord], room: int, seed: int = 0) -> set[int]:
    """Return the numbers of the requests that are kept."""
    emission = Emission(seed=seed, max_tokens=room)
    for record in records:
        emission.add(record)
    return {record.number for record in records if _is_kept(emission, record.number)}


def _is_kept(emission: Emission, number: int) -> bool:
    before = emission.missing
    emission.wrote(wrote(mark(number), STEADY))
    return emission.missing < before
