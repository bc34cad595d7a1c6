"""No load is collected in its midst: while all goes well there is nothing to be collected, and else it is seldom."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from weakref import ref

import pytest
import trio
import trio.testing

from benchmarks.bench.truth import truth
from streamkit.bench import collecting
from streamkit.bench.collecting import collect_seldom, seldom_collected
from streamkit.bench.engine import run_load
from streamkit.bench.observer import Observer
from streamkit.bench.plan import Arrivals, Concurrency, Load, Plan, Server
from streamkit.bench.record import RequestRecord
from streamkit.dialects.openai_chat import OpenAIChatDecoder
from streamkit.http.stream import TimedRead
from tests.bench.handmade import HEL


class Knot:
    """What no reference count frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def alone() -> Iterator[None]:
    """Leave the collector as it was found, and nothing frozen."""
    yield
    gc.enable()
    gc.unfreeze()


def garbage_of(url: str, load: Load, requests: int) -> int:
    """How many objects a load of good requests leaves to the collector."""
    server = Server("truth", url, "openai-chat", "truth")
    plan = Plan(servers=[server], load=load, prompts=["Why?"], requests=requests, max_tokens=8)
    outcomes = []

    async def main() -> None:
        await run_load(plan, lambda record: outcomes.append(record.outcome))

    gc.collect()
    gc.disable()
    try:
        trio.run(main)
        found = gc.collect()
    finally:
        gc.enable()
    assert outcomes == ["ok"] * requests
    return found


@pytest.mark.parametrize("load", [Concurrency(4), Arrivals("constant", 1000)], ids=["closed", "open"])
def test_good_requests_leave_nothing_to_the_collector(load: Load) -> None:
    """Or it would have to be let in: what ten requests leave is of the connections, of the loop, and no more."""
    with truth(1, 0.1, 8) as server:
        garbage_of(server.url, load, 10)
        few, many = garbage_of(server.url, load, 10), garbage_of(server.url, load, 110)
    assert many - few < 100


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (HEL + b'data: {"id": %b\n\n' % (b"1" * 9000), "undecodable"),
        (b'event: message_start\ndata: {"type":"message_start","message":{}}\n\n', "wrong-dialect"),
    ],
    ids=["undecodable", "wrong-dialect"],
)
def test_bad_records_leave_nothing_either(body: bytes, outcome: str) -> None:
    """A failure's calls hold the record that was bad, and that may have megabytes."""
    decoder = OpenAIChatDecoder()
    found = []
    gc.collect()
    gc.disable()
    for _ in range(5):
        observer = Observer(RequestRecord(number=0, sent_ns=1), decoder)
        observer.saw(TimedRead(body, 2), body)
        found.append(observer.record.outcome)
        decoder.reset()
    del observer
    assert (found, gc.collect()) == ([outcome] * 5, 0)


@pytest.mark.usefixtures("alone")
def test_it_is_off_while_the_block_runs_and_as_before_behind_it() -> None:
    with suppress(KeyError), seldom_collected():
        assert not gc.isenabled()
        with seldom_collected():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    with ExitStack() as first, ExitStack() as second:  # two loads beside each other
        first.enter_context(seldom_collected())
        second.enter_context(seldom_collected())
        first.close()
        assert not gc.isenabled()
        assert gc.get_freeze_count()
    assert gc.isenabled()
    gc.freeze()
    frozen = gc.get_freeze_count()
    with seldom_collected():
        pass
    assert gc.get_freeze_count() > frozen // 2  # what somebody else has frozen stays so
    gc.disable()
    with seldom_collected():
        pass
    assert not gc.isenabled()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("is_much", [False, True])
async def test_it_looks_where_there_is_much(
    is_much: bool, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(collecting, "MOST_NEW", 1000)
    with seldom_collected():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect_seldom)
            lost = ref(Knot())
            kept = [[each] for each in range(2000 if is_much else 20)]
            await trio.sleep(1.5 * collecting.EVERY_S)
            assert (lost() is None) is is_much
            assert (gc.get_count()[0] > 1000) is False
            del kept
            nursery.cancel_scope.cancel()
