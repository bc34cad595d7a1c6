"""Whether a target is busy, as an ordinary request now and then shows it: on a clock that jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import trio

from streamkit.contract.pulse import Pulse

if TYPE_CHECKING:
    from trio.testing import MockClock

LIMIT_S: Final = 4.0


@pytest.mark.parametrize(("takes_s", "is_slow"), [(0.0, False), (1.9, False), (2.0, True), (9.0, True)])
@pytest.mark.parametrize("waits_s", [0.0, 0.7, 3.3])
async def test_who_is_silent_for_a_limit_while_others_wait_too_is_seen_to(
    takes_s: float, is_slow: bool, waits_s: float, autojump_clock: MockClock
) -> None:
    asked: list[float] = []

    async def ask() -> None:
        asked.append(trio.current_time())
        await trio.sleep(takes_s)

    pulse = Pulse(ask, LIMIT_S)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulse.beat)
        await trio.sleep(waits_s)
        assert not asked, "nothing runs"
        began_s = trio.current_time()
        with pulse.watching():
            await trio.sleep(LIMIT_S)
            assert pulse.was_slow(began_s) == is_slow
        await trio.sleep(50)
        assert not pulse.was_slow(trio.current_time() - 1)
        count = len(asked)
        await trio.sleep(50)
        assert len(asked) == count > 0
        nursery.cancel_scope.cancel()
