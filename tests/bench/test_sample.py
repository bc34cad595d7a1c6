"""What a sample keeps: the first ones, a fair draw of the others, and the same whoever saw which of them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.bench.record import RequestRecord, TokenRead
from streamkit.bench.sample import MAX_READS, Sample


def records(count: int) -> list[RequestRecord]:
    return [RequestRecord(number=number) for number in range(count)]


def kept(sample: Sample) -> list[int]:
    return [record.number for record in sample.records]


@settings(max_examples=40)
@given(st.data(), st.integers(0, 60), st.integers(0, 2**70))
def test_parts_keep_together_what_one_sample_of_all_of_them_keeps(data: st.DataObject, count: int, seed: int) -> None:
    whole = Sample(first=5, others=7, seed=seed)
    parts = [Sample(first=5, others=7, seed=seed) for _ in range(3)]
    for record in data.draw(st.permutations(records(count))):
        whole.add(record)
        parts[data.draw(st.integers(0, 2))].add(record)
    merged = Sample(first=5, others=7, seed=seed)
    for part in parts:
        merged.merge(part.records)
    assert kept(merged) == kept(whole)
    assert len(kept(whole)) == min(count, 12)
    assert kept(whole)[:5] == [*range(min(count, 5))]


def test_each_of_the_others_has_the_same_chance() -> None:
    seen: Counter[int] = Counter()
    every = records(110)
    for seed in range(400):
        sample = Sample(first=10, others=20, seed=seed)
        for record in every:
            sample.add(record)
        seen.update(kept(sample)[10:])
    # Each is kept with 1 in 5: 80 of 400 times, with a standard deviation of 8.
    assert set(seen) == set(range(10, 110))
    assert all(80 - 5 * 8 < times < 80 + 5 * 8 for times in seen.values())
    spread = sum((seen[number] - 80) ** 2 / 64 for number in range(10, 110))
    assert 50 < spread < 160  # chi-square with 99 degrees of freedom: 0.0001 on either side


def test_nothing_is_kept_of_a_sample_of_nothing() -> None:
    sample = Sample(first=0, others=0)
    for record in records(5):
        sample.add(record)
    assert sample.records == []


def test_one_record_does_not_fill_the_memory_and_its_counts_stay() -> None:
    reads = [TokenRead(number, number, 1, True) for number in range(MAX_READS + 5)]
    long = RequestRecord(number=0, token_reads=reads, visible_tokens=len(reads))
    sample = Sample()
    sample.add(long)
    assert sample.records[0].token_reads == reads[:MAX_READS]
    assert sample.records[0].token_events == MAX_READS + 5
    assert len(long.token_reads) == MAX_READS + 5  # whoever else has the record sees all of it
