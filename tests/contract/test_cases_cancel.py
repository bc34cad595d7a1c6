"""cancel: what the judges say of traces, and relays that do not notice that their client has left."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
import trio

from streamkit.contract.cases.cancel import judge_cancel, judge_half_close, judge_then_next
from streamkit.contract.client_end import ClientEnd
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Exchanged, Head, Trace
from streamkit.http.memory import memory_pair
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.leaving import NeverCancels, OnlyFlowing
from tests.contract.mutants.link import Gone, Link
from tests.contract.mutants.relay import At, Relay

MS = 1_000_000

GATEWAY = replace(SETTING, profile="gateway", client_dialect="anthropic", upstream_dialect="ollama-chat")


def left(*, client_ms: int = 10, upstream_ms: int = 0, limit_ms: int = 0, **facts: object) -> Trace:
    """A client left, the proxy left the upstream, and the limit was over: each at its time, 0 for never."""
    exchanged = Exchanged(
        client_left_ns=client_ms * MS, left_ns=upstream_ms * MS, left_how="fin" if upstream_ms else ""
    )
    trace = Trace(exchanges=[exchanged], facts=facts)
    if limit_ms:
        trace.mark(limit_ms * MS, "limit")
    return trace


# ----------------------------------------------------------------------------------------------------------- judges


def test_the_time_until_the_upstream_saw_it_is_a_fact() -> None:
    finding = judge_cancel(left(upstream_ms=13))
    assert finding.holds
    assert finding.facts["noticed_ms"] == 3
    assert "closed 3.0 ms after" in finding.detail


@pytest.mark.parametrize(
    ("trace", "words"),
    [
        (left(limit_ms=1010, probes=20), "still open, and so it was when 20 more chunks were sent"),
        (left(limit_ms=1010, upstream_ms=1040, probes=2), "only when the upstream went on to write (chunks: 2)"),
        (left(limit_ms=1010, chunks_after=34), "although 34 chunks were sent into it"),
        (left(upstream_ms=4), "by itself, 6.0 ms before its client left"),
    ],
    ids=["never", "by its writes", "never while flowing", "before the client"],
)
def test_not_noticed_says_why(trace: Trace, words: str) -> None:
    finding = judge_cancel(trace)
    assert finding.holds is False
    assert words in finding.detail


def test_a_proxy_that_notices_late_and_by_itself_is_told_how_late() -> None:
    trace = left(upstream_ms=810)
    trace.mark(510 * MS, "late")
    finding = judge_cancel(trace)
    assert (finding.holds, finding.is_late) == (False, True)
    assert "closed 800.0 ms after the client had left, in silence" in finding.detail


def test_what_comes_next_has_to_be_whole() -> None:
    first, ok = Exchanged(), Exchanged(units=5, expected_units=5, client_end="complete", upstream_end="clean")
    assert judge_then_next(Trace(exchanges=[first, ok])).holds
    assert judge_then_next(Trace(exchanges=[first, replace(ok, units=4)])).holds is False
    assert judge_then_next(Trace(exchanges=[first, replace(ok, client_end="cut")])).holds is False
    assert judge_then_next(Trace(exchanges=[first])).holds is False
    refused = Trace(exchanges=[first, Exchanged(head=Head(1, "HTTP/1.1 503 Busy", []))])
    refused.mark(1, "refused")
    assert "HTTP/1.1 503 Busy" in judge_then_next(refused).detail


def test_half_close_is_only_recorded() -> None:
    went_on = judge_half_close(Trace(exchanges=[Exchanged(units=5, expected_units=5)]))
    assert (went_on.holds, went_on.facts["goes_on"]) == (None, True)
    trace = Trace(exchanges=[Exchanged(units=2, expected_units=5, left_ns=30 * MS)])
    trace.mark(10 * MS, "half-close")
    assert judge_half_close(trace).facts == {"goes_on": False, "left_ms": 20.0}


# ----------------------------------------------------------------------------------------------------------- proxies


class OneAtATime(OnlyFlowing):
    """Serves one request of a place at a time, and does not notice that whose client has left: so it waits for ever."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.turns: dict[str, trio.Lock] = {}

    async def relay(self, at: At) -> None:
        async with self.turns.setdefault(at.request.target, trio.Lock()):
            await super().relay(at)

    async def send(self, at: At, data: bytes) -> None:
        if b"under3" in data:  # a chunk that nobody is there for
            await trio.sleep_forever()
        await super().send(at, data)


@pytest.mark.parametrize("setting", [SETTING, GATEWAY], ids=["pipe", "gateway"])
async def test_gateway_lets_no_upstream_work_for_nobody(setting: Setting) -> None:
    results = await found("cancel", setting=setting)
    assert {id_: verdict for id_, verdict in verdicts(results).items() if verdict != "OK"} == {
        "cancel.half-close": "INFORMATIONAL"
    }
    assert all(result.facts["noticed_ms"] < 1000 for result in results.values() if "noticed_ms" in result.facts)  # type: ignore[operator]


async def test_relay_that_learns_from_its_writes_alone() -> None:
    results = await found("cancel", relay=OnlyFlowing)
    assert verdicts(results) == {
        "cancel.flow": "OK",
        "cancel.idle": "FAILED",
        "cancel.ttft": "FAILED",
        "cancel.rst": "OK",
        "cancel.then-next": "OK",
        "cancel.half-close": "INFORMATIONAL",
        "cancel.nonstream": "NON-STRICT",
    }
    assert results["cancel.rst"].facts["by_silence"] is False
    assert "went on to write" in results["cancel.idle"].detail
    assert results["cancel.half-close"].facts["goes_on"] is True


async def test_relay_that_reads_on_for_nobody() -> None:
    results = await found("cancel.flow", "cancel.rst", relay=NeverCancels)
    assert verdicts(results) == {"cancel.flow": "FAILED", "cancel.rst": "FAILED"}
    assert "nothing ever stops the upstream" in results["cancel.flow"].detail


async def test_relay_that_what_is_left_behind_blocks() -> None:
    results = await found("cancel.then-next", relay=OneAtATime)
    assert verdicts(results) == {"cancel.then-next": "FAILED"}
    assert "did not reach the upstream" in results["cancel.then-next"].detail


async def test_right_relay_notices_a_reset_in_silence() -> None:
    results = await found("cancel.rst", relay=Relay)
    assert results["cancel.rst"].facts["by_silence"] is True


class Deaf(Relay):
    """Does not notice that the client of some answers has left, and reads on for it."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.sent_bytes: Counter[At] = Counter()
        self.requests: Counter[Link] = Counter()

    async def relay(self, at: At) -> None:
        self.requests[at.client] += 1
        await super().relay(at)

    async def watch(self, at: At) -> None:
        with suppress(Gone):
            while await at.client.fill():
                pass
        if self.is_one(at):
            await trio.sleep_forever()
        at.scope.cancel()

    async def send(self, at: At, data: bytes) -> None:
        self.sent_bytes[at] += len(data)
        with suppress(*([Gone] if self.is_one(at) else [])):
            await super().send(at, data)

    def is_one(self, at: At) -> bool:
        """Tell whether this is one of them."""
        raise NotImplementedError


class DeafOnGet(Deaf):
    """Those to GET."""

    def is_one(self, at: At) -> bool:
        return at.request.method == "GET"


class DeafLater(Deaf):
    """Those on a connection that had served one."""

    def is_one(self, at: At) -> bool:
        return self.requests[at.client] > 1


class DeafForLong(Deaf):
    """Those of which a lot has passed."""

    def is_one(self, at: At) -> bool:
        return self.sent_bytes[at] > 64 << 10


@pytest.mark.parametrize(
    ("relay", "case_id", "words"),
    [
        (DeafOnGet, "cancel.idle", "the client of a GET left"),
        (DeafLater, "cancel.idle", "the client left"),
        (DeafForLong, "cancel.flow", "nothing ever stops the upstream"),
    ],
)
async def test_who_does_not_notice_that_some_clients_leave_is_found(
    relay: type[Relay], case_id: str, words: str
) -> None:
    result = (await found(case_id, relay=relay, setting=replace(SETTING, limit_s=0.3)))[case_id]
    assert result.verdict == "FAILED"
    assert words in result.detail


async def test_a_proxy_that_is_gone_before_the_half_close_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS says goodbye first; a proxy that leaves for that resets what comes behind it."""

    async def gone(_: object) -> None:
        raise trio.BrokenResourceError

    stream, _ = memory_pair()
    monkeypatch.setattr(type(stream), "send_eof", gone)
    trace = Trace()
    await ClientEnd(stream, 1, trace, decodes=False).half_close()
    assert [(event.what, event.note) for event in trace.events[-2:]] == [
        ("close", "sending side only"),
        ("mark", "the proxy was gone"),
    ]
