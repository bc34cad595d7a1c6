"""Gates hold streams until they are opened, in order, and forget whoever is cancelled."""

from __future__ import annotations

import trio

from mockserver.gates import Gates


async def test_a_shut_gate_holds_and_an_open_one_does_not(autojump_clock: trio.testing.MockClock) -> None:
    gates = Gates()
    passed: list[int] = []

    async def walk(number: int) -> None:
        await gates.pass_through("a")
        passed.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(walk, 1)
        nursery.start_soon(walk, 2)
        await gates.wait_for("a", 2)
        assert passed == []
        gates.open("a")
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(passed) == [1, 2]
        await walk(3)
        assert passed[-1] == 3
        gates.shut("a")
        nursery.start_soon(walk, 4)
        await gates.wait_for("a")
        assert passed[-1] == 3
        gates.open_all()


async def test_a_step_lets_the_longest_waiting_through_first(autojump_clock: trio.testing.MockClock) -> None:
    gates = Gates()
    passed: list[int] = []

    async def walk(number: int) -> None:
        await gates.pass_through("a")
        passed.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(walk, number)
            await gates.wait_for("a", number + 1)
        gates.step("a", 2)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(passed) == [0, 1]  # both at once; which of them runs first is trio's business
        gates.step("a", 2)  # one for the last that waits, one kept for who comes
        await trio.testing.wait_all_tasks_blocked()
        await walk(9)
        assert sorted(passed[:2]) == [0, 1]
        assert passed[2:] == [2, 9]
        assert gates.state() == {"a": {"open": False, "waiting": 0}} or gates.state() == {}


async def test_who_is_cancelled_waits_no_more(autojump_clock: trio.testing.MockClock) -> None:
    gates = Gates()
    with trio.move_on_after(1):
        await gates.pass_through("a")
    assert gates.waiting("a") == 0
    gates.step("a")
    await gates.pass_through("a")  # the step was not spent on the one who left


async def test_gates_are_apart(autojump_clock: trio.testing.MockClock) -> None:
    gates = Gates()
    gates.open("a")
    await gates.pass_through("a")
    with trio.move_on_after(1) as scope:
        await gates.pass_through("b")
    assert scope.cancelled_caught
    assert gates.state() == {"a": {"open": True, "waiting": 0}}
