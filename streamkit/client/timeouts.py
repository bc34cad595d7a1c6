"""How long a chat may take: to connect, to the first token, from one read to the next, and in all.

Each limit has an error of its own. A heartbeat, an empty delta that only names the role, or a usage record says that
the server lives, and not that the model has begun: it is no first token.

No task and no cancel scope stays between two events. The reader's own time is not the server's: silence is counted only
while something is asked for, and what has come in time is read even by a reader that comes late.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import trio

from streamkit.dialects.events import Event, Finish, PartStart, Reasoning, Refusal, Text, ToolArgs
from streamkit.errors import ConfigError, FirstTokenTimeout, IdleTimeout, StreamTimeout, TotalTimeout
from streamkit.http.client import Tap
from streamkit.http.stream import TimedRead

__all__ = ["Deadlines", "Timeouts"]

GRACE_S: Final = 0.05
"""How long, in all, a chat may read on behind a deadline: enough for what is there, not for what is still to come."""

Limit: TypeAlias = tuple[float, type[StreamTimeout], float]
"""When it is reached, the error of whoever does, and what was set, in seconds."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The limits of a chat, in seconds; None lifts one.

    Attributes:
        connect_s: to connect, TLS included.
        first_token_s: from the request to the first token of the answer.
        idle_s: from one read to the next. Where `first_token_s` is given, that alone counts before the first token;
            where it is not, silence counts from the request on.
        total_s: from the beginning, connecting included, to the end of the answer.

    Raises:
        ConfigError: one of them is not positive.
    """

    connect_s: float | None = 10.0
    first_token_s: float | None = None
    idle_s: float | None = None
    total_s: float | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"timeout {name} is {value:g}: it has to be more than 0, or None for no limit")


class Deadlines:
    """The limits of one chat that has begun, on trio's clock. `waiting` holds everything to them.

    A deadline may have passed before something is asked for: the reader was elsewhere. What has come meanwhile is read,
    as far as `GRACE_S` goes. That is counted down by what is spent here, and once for the whole chat: a server that
    always has something more does not outlast its deadline.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self._began = trio.current_time()
        self._sent: float | None = None
        self._has_token = False
        self._quiet_since = self._began
        self._grace_s = GRACE_S
        self._is_late = False
        self._scope: trio.CancelScope | None = None

    def sending(self) -> None:
        """Note that the request begins to go out: from here the first token is waited for."""
        self._sent = trio.current_time()
        self.heard()

    def heard(self) -> None:
        """Note that something has come: the silence begins anew."""
        self._quiet_since = trio.current_time()
        if self._scope is not None and not self._is_late:
            self._scope.deadline = self._next()[0]

    def hearing(self, on_read: Tap | None) -> Tap | None:
        """Return what notes every read, where that makes a difference, and then shows it to `on_read`."""
        if self.timeouts.idle_s is None:
            return on_read

        def tap(read: TimedRead) -> None:
            self.heard()
            if on_read is not None:
                on_read(read)

        return tap

    def saw(self, events: Iterable[Event]) -> None:
        """Note what it was."""
        if not self._has_token:
            self._has_token = any(map(_carries_token, events))

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait, in the block, no longer than is left; what the block does with what comes counts too.

        Raises:
            FirstTokenTimeout, IdleTimeout, TotalTimeout: that was too long.
        """
        began = self._quiet_since = trio.current_time()
        deadline, kind, limit_s = self._next()
        self._is_late = deadline <= began
        if self._is_late:
            if self._grace_s <= 0:
                raise kind(limit_s)
            deadline = began + self._grace_s
        try:
            with trio.CancelScope(deadline=deadline) as scope:
                self._scope = scope
                yield
        finally:
            self._scope = None
            if self._is_late:
                self._grace_s -= trio.current_time() - began
        if scope.cancelled_caught:
            _, kind, limit_s = self._next()
            raise kind(limit_s)

    def _next(self) -> Limit:
        """Return the limit that is reached next."""
        limits = self.timeouts
        found: Limit = math.inf, TotalTimeout, math.inf
        if limits.total_s is not None:
            found = self._began + limits.total_s, TotalTimeout, limits.total_s
        if self._sent is None:
            return found
        silent: Limit
        if limits.first_token_s is not None and not self._has_token:
            silent = self._sent + limits.first_token_s, FirstTokenTimeout, limits.first_token_s
        elif limits.idle_s is not None:
            silent = self._quiet_since + limits.idle_s, IdleTimeout, limits.idle_s
        else:
            return found
        return silent if silent[0] < found[0] else found


def _carries_token(event: Event) -> bool:
    """Tell whether the model has said something, or that it says nothing."""
    if isinstance(event, (Text, Reasoning, Refusal)):
        return bool(event.text)
    if isinstance(event, PartStart):
        return event.kind == "tool"
    return isinstance(event, (ToolArgs, Finish))
