"""One timer for many streams: everybody gets what is due, in the order of deadlines, and nobody waits for another."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import trio

from mockserver.journal import Entry, Journal
from mockserver.pacer import Pacer
from mockserver.player import Pause, Player
from mockserver.script import Action, Gate, Until, Write
from streamkit.http.clock import clock_function, now_ns
from streamkit.http.memory import memory_pair

MS = 1_000_000


def player_of(actions: Iterable[Action]) -> tuple[Player, Entry]:
    entry = Journal().begin()
    entry.origin_ns = now_ns()
    _, server = memory_pair()
    return Player(actions, server, entry, "each", clock_function()), entry


async def driven(pacer: Pacer, player: Player) -> Pause:
    """As `perform` does it, without the waiting for anything else."""
    pause = player.send()
    while isinstance(pause, int):
        player.prepare()
        pause = await pacer.drive(player, pause)
    return pause


def tokens(times_ms: Iterable[int]) -> list[Action]:
    return [action for at in times_ms for action in (Until(at * MS), Write(b"x"))]


async def test_each_deadline_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    player, entry = player_of(tokens([10, 20, 25]))
    assert await driven(Pacer(), player) is Pause.END
    assert [(done.began_ns - entry.origin_ns) // MS for done in entry.writes] == [10, 20, 25]


async def test_an_earlier_deadline_of_another_stream_comes_first(autojump_clock: trio.testing.MockClock) -> None:
    pacer = Pacer()
    late, late_entry = player_of(tokens([1000]))
    early, early_entry = player_of(tokens([10, 500]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driven, pacer, late)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(driven, pacer, early)
    assert [(done.began_ns - early_entry.origin_ns) // MS for done in early_entry.writes] == [10, 500]
    assert [(done.began_ns - late_entry.origin_ns) // MS for done in late_entry.writes] == [1000]


async def test_it_works_only_while_somebody_waits(autojump_clock: trio.testing.MockClock) -> None:
    pacer = Pacer()
    for _ in range(3):
        assert not pacer.is_running
        player, _ = player_of(tokens([10]))
        await driven(pacer, player)
        await trio.testing.wait_all_tasks_blocked()
    assert not pacer.is_running


async def test_who_is_cancelled_is_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    pacer = Pacer()
    gone, gone_entry = player_of(tokens([50]))
    stays, stays_entry = player_of(tokens([60]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driven, pacer, stays)
        with trio.move_on_after(0.02):
            await driven(pacer, gone)
    assert gone_entry.writes == []
    assert len(stays_entry.writes) == 1


async def test_what_has_to_be_waited_for_wakes_the_task(autojump_clock: trio.testing.MockClock) -> None:
    player, _ = player_of([*tokens([10]), Gate("g"), *tokens([20])])
    assert await driven(Pacer(), player) is Pause.HOLD
    assert player.held == Gate("g")


async def test_a_client_that_is_gone_is_the_business_of_its_own_task(autojump_clock: trio.testing.MockClock) -> None:
    pacer = Pacer()
    client, server = memory_pair()
    entry = Journal().begin()
    entry.origin_ns = now_ns()
    gone = Player(tokens([10, 20]), server, entry, "each", clock_function())
    stays, stays_entry = player_of(tokens([10, 20, 30]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driven, pacer, stays)
        client.abort()
        with pytest.raises(trio.BrokenResourceError):
            await driven(pacer, gone)
    assert len(stays_entry.writes) == 3


async def test_what_fails_in_making_the_next_piece_is_raised_where_it_belongs(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def failing() -> Iterable[Action]:
        yield from tokens([10])
        yield Until(20 * MS)
        raise ZeroDivisionError

    pacer = Pacer()
    player, _ = player_of(failing())
    other, entry = player_of(tokens([5, 50]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driven, pacer, other)
        with pytest.raises(ZeroDivisionError):
            await driven(pacer, player)
    assert len(entry.writes) == 2


async def test_all_that_is_due_is_sent_before_the_next_is_made(autojump_clock: trio.testing.MockClock) -> None:
    """A hundred first tokens at once: none of them waits until the second token of another was made up."""
    log: list[str] = []

    def actions(name: str) -> Iterable[Action]:
        for number in range(3):
            yield Until((number + 1) * 10 * MS)
            log.append(f"made {number} of {name}")
            yield Write(b"x")

    pacer = Pacer()
    players = [player_of(actions(name)) for name in "abc"]
    async with trio.open_nursery() as nursery:
        for player, _ in players:
            nursery.start_soon(driven, pacer, player)
        await trio.testing.wait_all_tasks_blocked(0.0001)
        assert sorted(log) == ["made 0 of a", "made 0 of b", "made 0 of c"]  # while they wait for their first deadline
