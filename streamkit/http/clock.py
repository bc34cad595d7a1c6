"""One clock for everything on the wire: CLOCK_MONOTONIC in ns, or a test's virtual time.

Kernel stamps are on the same scale (`streamkit.http.stream` converts them), so that stamps can be subtracted from each
other. Under `trio.testing.MockClock` the scale is trio's virtual time; a program that has not imported `trio.testing`
cannot have one, and pays nothing for the question.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import trio

__all__ = ["clock_function", "now_ns"]


def now_ns() -> int:
    """Return the present time in ns: monotonic, or trio's own where that is virtual. Works outside of trio as well."""
    return clock_function()()


def clock_function() -> Callable[[], int]:
    """Return what tells the present time in this run of trio, for who asks often: `now_ns` finds it anew each time."""
    testing = sys.modules.get("trio.testing")
    if testing is not None and _is_virtual(testing.MockClock):
        return _virtual_ns
    return time.monotonic_ns


def _virtual_ns() -> int:
    return round(trio.current_time() * 1e9)


def _is_virtual(mock_clock: type) -> bool:
    try:
        return isinstance(trio.lowlevel.current_clock(), mock_clock)
    except RuntimeError:  # outside of trio there is only the real time
        return False
