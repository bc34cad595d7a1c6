"""What a server says that it took, beside ours: by hand, and with the mock's Ollama on the wire."""

from __future__ import annotations

import pytest

from mockserver import open_mockserver
from streamkit.bench.measure import measure
from streamkit.bench.ollama import cross_checks
from streamkit.bench.plan import Concurrency, Plan, Server
from streamkit.bench.record import RequestRecord, ServerTimes
from streamkit.bench.tally import Tally
from tests.bench.results_made import MS, record_of


def tally_of(*records: RequestRecord) -> Tally:
    tally = Tally()
    for record in records:
        tally.add(record)
    return tally


TIMES = ServerTimes(load_ns=5 * MS, prompt_ns=40 * MS, eval_ns=28 * MS, total_ns=80 * MS)


def test_each_span_is_beside_ours() -> None:
    # 50 ms to the first token, three gaps of 10 ms, and 1 ms to the end.
    found = {each.name: each for each in cross_checks(tally_of(record_of(0, server=TIMES)).counts)}
    assert [(name, each.theirs_ms, each.ours_ms) for name, each in found.items()] == [
        ("total", 80, 81),
        ("first_token", 45, 50),
        ("generation", 28, 31),
    ]
    assert [(each.n, each.difference_ms, each.sooner) for each in found.values()] == [(1, 1, 0), (1, 5, 0), (1, 3, 0)]


def test_means_are_of_the_answers_in_which_both_ends_know_it() -> None:
    some = ServerTimes(total_ns=100 * MS)
    tally = tally_of(
        record_of(0, server=TIMES), record_of(1, server=some), record_of(2), record_of(3, server=TIMES, outcome="idle")
    )
    total, first_token, _ = cross_checks(tally.counts)
    assert (total.n, total.theirs_ms, total.ours_ms, total.sooner) == (2, 90, 81, 1)
    assert (first_token.n, first_token.theirs_ms) == (1, 45)


def test_nothing_is_said_of_servers_that_say_nothing() -> None:
    assert cross_checks(tally_of(record_of(0)).counts) == []


def test_a_server_without_loading_has_loaded_in_no_time() -> None:
    tally = tally_of(record_of(0, server=ServerTimes(prompt_ns=40 * MS)))
    assert [(each.name, each.theirs_ms) for each in cross_checks(tally.counts)] == [("first_token", 40)]


def test_what_two_processes_have_added_up_is_what_one_would_have() -> None:
    records = [record_of(number, ttft_ms=50 + number, server=TIMES) for number in range(6)]
    whole, part, other = tally_of(*records), tally_of(*records[:2]), tally_of(*records[2:])
    part.merge(other.packed())
    assert cross_checks(part.counts) == cross_checks(whole.counts)


@pytest.mark.parametrize("dialect", ["ollama-chat", "ollama-generate"])
async def test_the_mocks_durations_are_ours_but_for_the_way(dialect: str) -> None:
    async with open_mockserver(ttft="20ms", rate=200, tokens=6) as mock:
        server = Server("direct", mock.url, dialect, "m")
        plan = Plan(servers=[server], load=Concurrency(2), prompts=["Why?"], requests=6, max_tokens=6)
        measured = await measure(plan)
    tally = measured.tallies["direct"]
    assert tally.outcomes["ok"] == 6, tally.details
    total, first_token, generation = cross_checks(tally.counts)
    assert {each.n for each in (total, first_token, generation)} == {6}
    assert first_token.theirs_ms == pytest.approx(20)
    assert total.theirs_ms == pytest.approx(20 + 5 * 5)
    assert total.difference_ms > -1, "the mock says what it plans: ours can only be later"
