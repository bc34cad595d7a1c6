"""interim: relays that take a 103 for the answer, lose what follows it, or do not know what `Expect` is for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from streamkit.contract.cases.interim import judge_100, judge_103
from streamkit.contract.trace import Exchanged, Head, Trace
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.heads import FinalHints, LostFinal, NoContinue
from tests.contract.mutants.link import Head as Sent
from tests.contract.mutants.relay import At, Relay

OK = Head(1, "HTTP/1.1 200 OK", [])

TOLD = Head(1, "HTTP/1.1 100 Continue", [])

WHOLE = Exchanged(head=OK, client_end="complete", upstream_end="clean")

QUICK = replace(SETTING, limit_s=0.5)


@pytest.mark.parametrize(
    ("exchanged", "holds"),
    [
        (WHOLE, True),
        (replace(WHOLE, interim=[Head(1, "HTTP/1.1 103 Early Hints", [])]), True),
        (replace(WHOLE, client_end="hang"), False),
        (replace(WHOLE, head=Head(1, "HTTP/1.1 503 Unavailable", [])), False),
        (replace(WHOLE, problem="byte 0 is wrong"), False),
    ],
)
def test_behind_a_103_the_answer_has_to_come(exchanged: Exchanged, holds: bool) -> None:
    assert judge_103(Trace(exchanges=[exchanged])).holds is holds


@pytest.mark.parametrize(
    ("exchanged", "is_expect_forwarded", "holds", "told_by"),
    [
        (replace(WHOLE, interim=[TOLD]), True, None, "upstream"),
        (replace(WHOLE, interim=[TOLD]), False, None, "proxy"),
        (WHOLE, False, None, "nobody"),
        (replace(WHOLE, head=Head(1, "HTTP/1.1 417 Expectation Failed", [])), False, None, "nobody"),
        (Exchanged(client_end="hang"), False, False, "nobody"),
        (replace(WHOLE, client_end="cut"), True, False, "nobody"),
    ],
)
def test_who_said_100_is_recorded(
    exchanged: Exchanged,
    is_expect_forwarded: bool,
    holds: bool | None,
    told_by: str,
) -> None:
    finding = judge_100(Trace(exchanges=[exchanged], facts={"is_expect_forwarded": is_expect_forwarded}))
    assert finding.holds is holds
    assert finding.facts["continue_from"] == told_by


class OldFashioned(Relay):
    """Asks with HTTP/1.0."""

    def request_head(self, at: At) -> Sent:
        head = super().request_head(at)
        return Sent(head.line.replace("HTTP/1.1", "HTTP/1.0"), head.headers)


class WaitsForBody(Relay):
    """Waits for the body before it says that it may come, and does not take it afterwards."""

    async def relay(self, at: At) -> None:
        if at.request.all("expect"):
            await trio.sleep_forever()
        await super().relay(at)


async def test_gateway_does_it_right() -> None:
    results = await found("interim", setting=SETTING)
    assert verdicts(results) == {"interim.103": "OK", "interim.100": "INFORMATIONAL"}
    assert results["interim.103"].facts["is_forwarded"] is True
    assert results["interim.100"].facts["continue_from"] == "upstream"


@pytest.mark.parametrize("relay", [FinalHints, LostFinal])
async def test_answer_that_is_lost_behind_a_103(relay: type[Relay]) -> None:
    assert verdicts(await found("interim.103", relay=relay, setting=QUICK)) == {"interim.103": "FAILED"}


async def test_no_103_is_sent_to_who_may_not_get_one() -> None:
    assert verdicts(await found("interim.103", relay=OldFashioned)) == {"interim.103": "UNIMPLEMENTED"}


async def test_client_that_is_not_told_sends_its_body_all_the_same() -> None:
    result = (await found("interim.100", relay=NoContinue, setting=QUICK))["interim.100"]
    assert result.verdict == "INFORMATIONAL"
    assert result.facts["continue_from"] == "nobody"


async def test_who_waits_for_what_does_not_come_hangs() -> None:
    assert verdicts(await found("interim.100", relay=WaitsForBody, setting=QUICK)) == {"interim.100": "FAILED"}
