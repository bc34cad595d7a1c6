"""A timer that keeps its time: to 0.1 ms on Linux, where trio's own sleep is rounded up to the next millisecond.

epoll counts in whole milliseconds; a `timerfd` is a descriptor that becomes readable at a time in ns, and any loop can
wait for that. Elsewhere, and under a virtual clock, trio's deadlines serve.
"""

from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from typing import Final

import trio

from streamkit.http.clock import clock_function

__all__ = ["Timer", "open_timer"]

NS: Final = 1_000_000_000
NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | os.O_CLOEXEC
ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME


class Timer(ABC):
    """Wakes one task at a time that may be changed while it waits."""

    @abstractmethod
    def set(self, deadline_ns: int) -> None:
        """Wake the waiting task at `deadline_ns` on the scale of `now_ns`, instead of whenever was set before."""

    @abstractmethod
    async def wait(self) -> None:
        """Wait until the time that is set, which may be past."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the system gave."""


class TrioTimer(Timer):
    """By the deadline of a cancel scope."""

    def __init__(self) -> None:
        self._clock = clock_function()
        self._deadline = trio.current_time()
        self._scope: trio.CancelScope | None = None

    def set(self, deadline_ns: int) -> None:
        self._deadline = trio.current_time() + (deadline_ns - self._clock()) / NS
        if self._scope is not None:
            self._scope.deadline = self._deadline

    async def wait(self) -> None:
        with trio.CancelScope(deadline=self._deadline) as self._scope:
            await trio.sleep_forever()
        self._scope = None

    def close(self) -> None:
        self._scope = None


class FdTimer(Timer):
    """By a `timerfd`."""

    def __init__(self, calls: TimerCalls) -> None:
        self._calls = calls
        self._fd = calls.create()

    def set(self, deadline_ns: int) -> None:
        self._calls.set(self._fd, max(deadline_ns, 1))  # 0 would disarm it

    async def wait(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                os.read(self._fd, 8)
            except BlockingIOError:  # it was set anew between the wake-up and here
                continue
            return

    def close(self) -> None:
        os.close(self._fd)


class TimerCalls(ABC):
    """The system calls of a `timerfd`, on the monotonic clock."""

    @abstractmethod
    def create(self) -> int:
        """Return the descriptor of a new timer."""

    @abstractmethod
    def set(self, fd: int, deadline_ns: int) -> None:
        """Make the descriptor readable at a time."""


class LibcCalls(TimerCalls):
    """By way of the C library: Python has these calls since 3.13."""

    def __init__(self) -> None:
        import ctypes

        class Spec(ctypes.Structure):
            _fields_ = (
                ("interval_s", ctypes.c_long),
                ("interval_ns", ctypes.c_long),
                ("value_s", ctypes.c_long),
                ("value_ns", ctypes.c_long),
            )

        libc = ctypes.CDLL(None, use_errno=True)
        self._create = libc.timerfd_create
        self._settime = libc.timerfd_settime
        self._settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._errno = ctypes.get_errno
        self._spec = Spec()
        self._address = ctypes.addressof(self._spec)

    def create(self) -> int:
        fd: int = self._create(time.CLOCK_MONOTONIC, NONBLOCK_CLOEXEC)
        if fd < 0:
            raise OSError(self._errno(), os.strerror(self._errno()))
        return fd

    def set(self, fd: int, deadline_ns: int) -> None:
        self._spec.value_s, self._spec.value_ns = divmod(deadline_ns, NS)
        self._settime(fd, ABSOLUTE, self._address, None)


_calls: list[TimerCalls | None] = []


def _timer_calls() -> TimerCalls | None:
    """Return the system's calls, None where it has none; found out once."""
    if not _calls:
        try:
            _calls.append(LibcCalls() if sys.platform == "linux" else None)
        except (ImportError, AttributeError, OSError):
            _calls.append(None)
    return _calls[0]


def open_timer() -> Timer:
    """Return the best timer that there is here. Close it after use."""
    calls = _timer_calls() if clock_function() is time.monotonic_ns else None
    if calls is not None:
        try:
            return FdTimer(calls)
        except OSError:  # out of descriptors: less precise is better than not at all
            pass
    return TrioTimer()
