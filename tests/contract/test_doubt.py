"""What a trace says about where its failure comes from, on traces made by hand; and the room that cases run in."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from streamkit.contract.doubt import Doubt, doubt_of
from streamkit.contract.room import Room
from streamkit.contract.token import foreign_token, token_in, token_of
from streamkit.contract.trace import Exchanged, Head, Trace
from streamkit.contract.verdicts import Verdict

OWN = token_of("0badcafe", 7)

ASKED = [Head(1, "POST / HTTP/1.1", [])]


def head(status: int, *fields: tuple[str, str]) -> Head:
    return Head(2, f"HTTP/1.1 {status} Something", list(fields))


@pytest.mark.parametrize(
    ("exchanged", "doubt"),
    [
        (Exchanged(attempts=ASKED, head=head(200), client_end="complete", upstream_end="clean"), ""),
        (Exchanged(), "silent"),
        (Exchanged(client_left_ns=5), ""),
        (Exchanged(head=head(503), client_end="complete"), "not asked"),
        (Exchanged(client_end="cut"), "not asked"),
        (Exchanged(head=head(200), client_end="complete"), "not asked"),
        (Exchanged(attempts=ASKED, client_end="reset"), "broken off"),
        (Exchanged(attempts=ASKED, client_end="cut", upstream_end="clean"), "broken off"),
        (Exchanged(attempts=ASKED, head=head(503), sent_head=head(200), client_end="complete"), "broken off"),
        (Exchanged(attempts=ASKED, head=head(503), sent_head=head(503), client_end="complete"), ""),
        (Exchanged(attempts=ASKED, client_end="cut", upstream_end="reset"), ""),
        (Exchanged(attempts=ASKED, client_end="reset", upstream_end="closed"), ""),
        (Exchanged(attempts=ASKED, client_end="reset", client_left_ns=5), ""),
        (Exchanged(attempts=ASKED, client_left_ns=5, left_ns=6), ""),
        (Exchanged(attempts=ASKED, client_left_ns=5, left_ns=4), "broken off"),
        (Exchanged(attempts=ASKED, left_ns=4), "broken off"),
        (Exchanged(attempts=ASKED, client_end="closed"), "broken off"),
        (Exchanged(attempts=ASKED, client_end="closed", upstream_end="clean", expected_units=9), "broken off"),
        (Exchanged(attempts=ASKED, client_end="closed", upstream_end="clean"), ""),
        (Exchanged(attempts=ASKED, client_end="closed", upstream_end="reset", expected_units=9), ""),
        (Exchanged(attempts=ASKED, head=head(200), client_end="hang"), "silent"),
        (Exchanged(attempts=ASKED, head=head(200), body=bytearray(b"id answer-skc0123456789ab")), "mixed up"),
        (Exchanged(attempts=ASKED, head=head(200, ("x-case", "skc0123456789ab"))), "mixed up"),
        (Exchanged(attempts=ASKED, head=head(200, ("x-case", OWN)), body=bytearray(OWN.encode())), ""),
    ],
)
def test_what_is_strange_about_an_exchange(exchanged: Exchanged, doubt: Doubt) -> None:
    assert doubt_of(Trace(exchanges=[exchanged]), OWN) == doubt
    well = Exchanged(attempts=ASKED, client_end="complete", upstream_end="clean")
    assert doubt_of(Trace(exchanges=[well, exchanged]), OWN) == doubt


@pytest.mark.parametrize(
    ("verdict", "asked_doubt", "unasked_doubt"),
    [
        (Verdict.OK, "left", ""),
        (Verdict.FAILED, "broken off", "not asked"),
        (Verdict.NON_STRICT, "broken off", "not asked"),
        (Verdict.INFORMATIONAL, "", "not asked"),
        (Verdict.UNIMPLEMENTED, "", "not asked"),
    ],
)
def test_only_what_it_could_have_made_is_doubted(verdict: Verdict, asked_doubt: str, unasked_doubt: str) -> None:
    asked = Trace(exchanges=[Exchanged(attempts=ASKED, client_end="reset")])
    assert doubt_of(asked, OWN, verdict) == asked_doubt
    assert doubt_of(Trace(exchanges=[Exchanged(client_end="reset")]), OWN, verdict) == unasked_doubt


def test_tokens_differ_and_are_found() -> None:
    assert token_of("0badcafe", 1) != token_of("0badcafe", 2)
    assert token_in(b"x" + OWN.encode() + b"y") == OWN
    assert token_in(b"skc0badcafe00") is None
    assert foreign_token(Trace(), OWN) == ""


async def test_who_wants_to_be_alone_goes_first_and_is_alone() -> None:
    room = Room(3)
    loners = {"case 5", "case 8"}
    inside: set[str] = set()
    order: list[str] = []
    leave = trio.Event()
    most = 0

    async def be(name: str) -> None:
        nonlocal most
        alone = name in loners
        async with room.alone() if alone else room.beside():
            inside.add(name)
            order.append(name)
            most = max(most, len(inside))
            if alone:
                assert inside == {name}
            await leave.wait()
            inside.discard(name)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(be, f"case {number}")
                await trio.testing.wait_all_tasks_blocked()
            assert order == ["case 0", "case 1", "case 2"]
            leave.set()
    assert order[3:5] == ["case 5", "case 8"]
    assert sorted(order) == sorted(f"case {number}" for number in range(10))
    assert most == 3


async def test_a_room_may_become_narrow_and_who_gives_up_waiting_is_forgotten() -> None:
    room = Room(2)
    with trio.fail_after(10):
        async with room.beside():
            async with room.beside():
                room.seats = 1
                with trio.CancelScope() as scope:
                    scope.cancel()
                    async with room.alone():
                        pytest.fail("others are inside")
                assert scope.cancelled_caught
            with trio.CancelScope() as scope:
                scope.cancel()
                async with room.beside():
                    pytest.fail("there is no seat")
            assert scope.cancelled_caught
        async with room.alone():
            pass
        async with room.beside():
            pass
