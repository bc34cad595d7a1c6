# ruff: noqa: ARG002 - a hook is given whatever one of the relays needs
"""conn: what is said of connections that are used again, and relays that get that wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from streamkit.contract.cases.conn import CASES, judge_close_race, judge_pipelined, judge_reuse
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.trace import Exchanged, Head, Trace
from streamkit.http.origin import parse_origin
from tests.contract.against import SETTING, found, listening, verdicts
from tests.contract.mutants.heads import FirstsRest, Stale
from tests.contract.mutants.holding import Held, WholeBody
from tests.contract.mutants.link import Head as LinkHead
from tests.contract.mutants.link import Link
from tests.contract.mutants.relay import At, Relay, Same, relay_raw
from tests.contract.splicing import Splices

QUICK = replace(SETTING, limit_s=0.3)

RIGHT = {"conn.reuse": "OK", "conn.close-race": "OK", "conn.pipelined": "INFORMATIONAL"}

ASKED = Head(1, "POST / HTTP/1.1", [])


# -------------------------------------------------------------------------------------------------------------- judges


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (Exchanged(attempts=[ASKED], problem="byte 3 is wrong"), "byte 3 is wrong"),
        (Exchanged(attempts=[ASKED], client_end="hang"), "it ended hang"),
        (Exchanged(head=Head(2, "HTTP/1.1 400 Bad Request", [])), "answered 400 by itself"),
        (Exchanged(client_end="cut"), "the connection was cut"),
    ],
)
def test_the_stream_that_did_not_come_through_is_told(last: Exchanged, words: str) -> None:
    trace = Trace([Exchanged(), last], facts={"streams": 2, "whole_streams": 1, "upstream_connections": 1})
    finding = judge_reuse(trace)
    assert finding.holds is False
    assert "stream 2 on the same connection" in finding.detail
    assert words in finding.detail


def test_a_proxy_that_closes_after_each_answer_does_not_claim_reuse() -> None:
    once = judge_reuse(Trace([Exchanged()], facts={"streams": 1, "whole_streams": 1, "upstream_connections": 1}))
    assert not once.is_implemented
    twice = judge_reuse(Trace([Exchanged()], facts={"streams": 2, "whole_streams": 2, "upstream_connections": 2}))
    assert twice.holds
    assert "then the proxy closed it" in twice.detail


def test_what_is_lost_at_the_moment_of_the_close_is_nobodys_fault() -> None:
    race = {"is_kept": True, "at_once": False, "at_once_got": "502", "later": True, "after_abort": True}
    finding = judge_close_race(Trace(facts=dict(race)))
    assert finding.holds
    assert "was lost: 502" in finding.detail
    assert judge_close_race(Trace(facts=race | {"later": False, "later_got": "502"})).holds is False
    assert judge_close_race(Trace(facts=race | {"after_abort": False, "after_abort_got": "503"})).holds is False


def test_pipelining_is_only_recorded() -> None:
    assert judge_pipelined(Trace(facts={"answered": 1})).holds is None


# -------------------------------------------------------------------------------------------------------------- relays


class ClosesEach(Relay):
    """Closes its client's connection after each answer, and says so."""

    def response_head(self, at: At, response: LinkHead) -> LinkHead:
        at.request.headers.append(("Connection", "close"))
        return super().response_head(at, response)


class GivesUp(Relay):
    """Asks no more for what an upstream has broken off once."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.broken: set[str] = set()

    async def break_off(self, at: At) -> None:
        self.broken.add(at.request.target)
        await super().break_off(at)

    async def ask(self, at: At) -> None:
        if at.request.target in self.broken:
            await trio.sleep_forever()
        await super().ask(at)


@pytest.mark.parametrize(
    ("relay", "wrong"),
    [
        (Relay, {}),
        (FirstsRest, {"conn.reuse": "FAILED", "conn.close-race": "FAILED"}),
        (Stale, {"conn.close-race": "FAILED"}),
        (GivesUp, {"conn.close-race": "FAILED"}),
        (ClosesEach, {"conn.reuse": "UNIMPLEMENTED"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_relay_that_is_wrong_about_connections_fails_the_case_of_that(
    relay: type[Relay], wrong: dict[str, str]
) -> None:
    assert verdicts(await found("conn.", relay=relay, setting=QUICK)) == RIGHT | wrong


class HoldsSecond(Relay):
    """Collects what answers a second request on a connection."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.served: set[Link] = set()

    def stage(self, at: At, response: LinkHead) -> Same:
        is_first = at.client not in self.served
        self.served.add(at.client)
        return Same() if is_first else Held()


async def test_stream_that_is_held_up_where_the_first_one_was_not() -> None:
    result = (await found("conn.reuse", relay=HoldsSecond, setting=QUICK))["conn.reuse"]
    assert result.verdict == "FAILED"
    assert "stream 2 on the same connection is held up, where the first was not: piece 1 of 6" in result.detail


async def test_relay_that_holds_up_all_streams_is_not_worse_on_the_second() -> None:
    assert verdicts(await found("conn.reuse", relay=WholeBody, setting=QUICK)) == {"conn.reuse": "OK"}


async def test_another_attempt_at_an_aborted_answer_is_not_taken_for_the_next_request() -> None:
    assert verdicts(await found("conn.close-race", relay=Splices, setting=QUICK)) == {"conn.close-race": "OK"}


async def test_relay_that_closes_its_clients_connection_along_with_the_upstreams_is_right() -> None:
    """Neither end of a raw relay knows of requests; its client takes a new connection."""
    async with open_upstream() as (hub, place):

        async def serve(stream: trio.SocketStream) -> None:
            await relay_raw(place.port, stream)

        async with listening(serve) as url:
            setting = replace(QUICK, target=parse_origin(url))
            async with open_runner(setting, hub=hub, upstream=place) as runner:
                results = await runner.run(CASES)
    assert verdicts({each.id: each for each in results if each.id in RIGHT}) == RIGHT


async def test_embedded_gateway_uses_connections_again_in_either_profile() -> None:
    results = await found("conn.")
    assert verdicts(results) == RIGHT
    assert results["conn.reuse"].facts["whole_streams"] == 4
    assert results["conn.close-race"].facts["is_kept"]
    setting = replace(SETTING, profile="gateway", client_dialect="openai-responses", upstream_dialect="ollama-chat")
    assert verdicts(await found("conn.", setting=setting)) == RIGHT
