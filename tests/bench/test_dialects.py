"""Every dialect of the registry against the mock: what we count is what it has written down."""

from __future__ import annotations

import pytest

from mockserver.app import MockServer
from mockserver.journal import Entry
from mockserver.open import open_mockserver
from streamkit.bench.metrics import BY_NAME, METRICS, unresolved_gaps
from streamkit.bench.plan import Concurrency
from streamkit.bench.record import RequestRecord
from streamkit.dialects.registry import DIALECTS
from tests.bench.handmade import Loaded, load_on

NAMES = [
    name if framing == row.framings[0] else f"{name}/{framing}"
    for name, row in DIALECTS.items()
    for framing in row.framings
    if name != "json"  # streamkit's own, which no server speaks
]

TOKENS = 6


def pairs_of(mock: MockServer, loaded: Loaded) -> list[tuple[RequestRecord, Entry]]:
    """Each record with what the mock has written down of it."""
    entries = {dict(entry.headers).get("X-Request-ID"): entry for entry in mock.journal}
    assert len(entries) == len(loaded.records)
    return [(record, entries[record.request_id]) for record in loaded.records]


@pytest.mark.parametrize("dialect", NAMES)
async def test_what_is_counted_is_what_was_sent(dialect: str) -> None:
    async with open_mockserver(tokens=TOKENS, rate=400, ttft="5ms", early_start=True) as mock:
        url = f"{mock.url}/ui/chat" if dialect == "vercel-ui" else mock.url  # whose endpoint may be anywhere
        loaded = await load_on(url, dialect=dialect, requests=4, load=Concurrency(2))
        for record, entry in pairs_of(mock, loaded):
            assert (record.outcome, record.detail) == ("ok", "")
            assert entry.outcome == "complete"
            assert entry.tokens == TOKENS
            if dialect == "text":  # of which every read is a piece
                assert 1 <= record.visible_tokens <= TOKENS
            else:
                assert record.visible_tokens == TOKENS
            assert record.token_events == record.visible_tokens
            if record.output_tokens is not None:
                assert record.output_tokens == TOKENS
            assert sum(each.tokens for each in record.token_reads) == record.token_events
            assert_ordered(record)
            if record.token_events == TOKENS:
                assert_true(record, entry)


def assert_ordered(record: RequestRecord) -> None:
    """All that is known happened in its order."""
    for suffix in ("_ns", "_read_ns"):
        names = ("headers", "first_byte", "first_event", "first_token", "last_token", "end")
        times = [getattr(record, name + suffix) for name in names]
        assert None not in times
        assert times == sorted(times)
        assert record.sent_ns is not None
        assert times[0] > record.sent_ns
    for metric in METRICS:
        assert all(value > 0 for value in metric.values(record)), metric.name
    assert record.first_visible_ns == record.first_token_ns


def assert_true(record: RequestRecord, entry: Entry) -> None:
    """No token is said to have come before the mock began to write it."""
    before = 0
    began: list[int] = []
    for write in entry.writes:
        began += [write.began_ns] * (write.tokens - before)
        before = write.tokens
    place = 0
    for each in record.token_reads:
        place += each.tokens
        assert each.at_ns > began[place - 1]
        assert each.read_ns >= each.at_ns
    assert record.sent_ns is not None
    assert record.sent_ns < (entry.kernel_ns or entry.arrived_ns)


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "ollama-chat", "openai-responses", "gemini"])
async def test_reasoning_comes_before_what_is_visible(dialect: str) -> None:
    async with open_mockserver(tokens=3, reasoning=4, rate=200) as mock:
        loaded = await load_on(mock.url, dialect=dialect, requests=2)
        for record, entry in pairs_of(mock, loaded):
            assert record.outcome == "ok", record.detail
            assert (record.reasoning_tokens, record.visible_tokens) == (4, 3)
            assert record.token_events == entry.tokens
            assert record.first_token_ns is not None
            assert record.first_visible_ns is not None
            assert record.first_token_ns < record.first_visible_ns


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "ollama-chat", "openai-responses"])
async def test_tokens_that_come_together_are_flagged(dialect: str) -> None:
    """What was written in one go has no gaps that anybody knows."""
    async with open_mockserver(tokens=8, rate=0, writes="joined") as mock:
        loaded = await load_on(mock.url, dialect=dialect, requests=3)
        for record, _ in pairs_of(mock, loaded):
            assert record.outcome == "ok", record.detail
            assert record.visible_tokens == 8
            gaps = len(record.token_reads) - 1
            assert unresolved_gaps(record) >= 7 - gaps
            assert unresolved_gaps(record) > 0
    distribution = loaded.tally.distribution("event_gap_ms")
    assert distribution.n == 0 or distribution.low > 0
    assert loaded.tally.counts["unresolved_gaps"] > 0


@pytest.mark.parametrize("split", ["every-byte", "random:1:9"])
async def test_how_the_mock_cuts_its_writes_changes_no_count(split: str) -> None:
    async with open_mockserver(tokens=5, split=split) as mock:
        loaded = await load_on(mock.url, requests=2)
        assert loaded.outcomes == ["ok", "ok"]
        assert [record.visible_tokens for record in loaded.records] == [5, 5]
        assert all(gap > 0 for record in loaded.records for gap in BY_NAME["event_gap_ms"].values(record))
