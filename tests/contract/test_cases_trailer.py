"""trailer: what the judges say of traces, and relays that trip over trailers, or drop them."""

from __future__ import annotations

import pytest

from streamkit.contract.cases.trailer import NAME, VALUE, judge_forward, judge_survive
from streamkit.contract.trace import Exchanged, Head, Pairs, Piece, Trace
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.ending import NoTrailers, TrailersBreak
from tests.contract.mutants.link import Pairs as Trailers
from tests.contract.mutants.relay import At, Relay


@pytest.mark.parametrize(
    ("trailers", "is_forwarded", "words"),
    [
        ([(NAME.lower(), VALUE)], True, "came through"),
        ([], False, "was dropped"),
        ([(NAME, "other")], False, "came as 'other'"),
    ],
)
def test_what_became_of_the_trailer_is_only_recorded(trailers: Pairs, is_forwarded: bool, words: str) -> None:
    exchanged = Exchanged(
        head=Head(1, "HTTP/1.1 200 OK", [("trailer", NAME.lower())]),
        attempts=[Head(1, "POST / HTTP/1.1", [("TE", "trailers")])],
        trailers=trailers,
    )
    finding = judge_forward(Trace(exchanges=[exchanged]))
    assert finding.holds is None
    assert finding.facts == {"is_forwarded": is_forwarded, "is_announced": True, "is_asked_for": True}
    assert words in finding.detail


def test_harm_is_said_to_be_behind_trailers() -> None:
    whole = Exchanged(
        head=Head(1, "HTTP/1.1 200 OK", []), pieces=[Piece(3, 3)], client_end="complete", upstream_end="clean"
    )
    assert judge_survive(Trace(exchanges=[whole, whole])).holds
    broken = judge_survive(Trace(exchanges=[whole, Exchanged(client_end="broken")]))
    assert broken.holds is False
    assert broken.detail.startswith("behind trailers: the connection")


class Leaves(Relay):
    """Writes trailers behind the end of the body, where the next answer begins."""

    async def end(self, at: At, trailers: Trailers) -> None:
        await super().end(at, [])
        if trailers:
            await at.client.send(b"".join(f"{name}: {value}\r\n".encode() for name, value in trailers) + b"\r\n")


async def test_gateway_passes_trailers_on() -> None:
    results = await found("trailer", setting=SETTING)
    assert verdicts(results) == {"trailer.forward": "INFORMATIONAL", "trailer.survive": "OK"}
    assert results["trailer.forward"].facts["is_forwarded"] is True


async def test_relay_may_drop_them() -> None:
    results = await found("trailer", relay=NoTrailers)
    assert verdicts(results) == {"trailer.forward": "INFORMATIONAL", "trailer.survive": "OK"}
    assert results["trailer.forward"].facts["is_forwarded"] is False


@pytest.mark.parametrize("relay", [TrailersBreak, Leaves])
async def test_relay_may_not_trip_over_them(relay: type[Relay]) -> None:
    assert verdicts(await found("trailer.survive", relay=relay)) == {"trailer.survive": "FAILED"}
