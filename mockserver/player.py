"""Do the actions of a script as far as they can be done now, without ever waiting. The waiting is `perform`'s business.

A `Player` looks a few actions ahead, so that at a deadline nothing is left to do but to write: of a hundred streams
whose tokens are due at once, none has to wait until the next token of another one has been made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Final

from mockserver.script import Action, Until, Write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.journal import Entry
    from mockserver.settings import Writes
    from streamkit.http.stream import WireStream

__all__ = ["SHORT_TURN_NS", "TURN_NS", "Pause", "Player"]

JOINED_BYTES: Final = 65536
"""The most that goes out in one call where pieces are joined."""

TURN_NS: Final = 200_000
SHORT_TURN_NS: Final = 20_000
"""How long a stream whose pieces are all due may write before others get a turn; short while streams wait for their
deadlines. A turn after each write would cost as much as the writes."""

AHEAD: Final = 8
AHEAD_JOINED: Final = 128
"""How many actions are looked ahead."""


class Pause(Enum):
    """Why a player does not go on by itself; a deadline, in ns, is the other reason."""

    MORE = "more is due: prepare, and send again"
    FULL = "the kernel takes no more: `rest` has to be waited for"
    SENT = "a write has to be acknowledged first"
    HOLD = "`held` has to be done"
    END = "there is nothing left"


class Player:
    """Where a script is, and what was done of it.

    Attributes:
        origin_ns: what deadlines count from; whoever holds the stream moves it.
        due_ns: the deadline that was reached last.
        rest_data, rest_tokens, rest_began_ns: after `FULL`, a write that was not taken whole, and when it began.
        rest: how many bytes of it were taken.
        held: after `HOLD`, the action.
    """

    __slots__ = (
        *("_actions", "_clock", "_entry", "_most", "_ready", "_start_ns", "_stream", "_writes"),
        *("due_ns", "held", "origin_ns", "rest", "rest_began_ns", "rest_data", "rest_tokens"),
    )

    def __init__(
        self, actions: Iterable[Action], stream: WireStream, entry: Entry, writes: Writes, clock: Callable[[], int]
    ) -> None:
        self.origin_ns = self.due_ns = self._start_ns = entry.origin_ns
        self.rest = 0
        self.rest_data = b""
        self.rest_tokens = 0
        self.rest_began_ns = 0
        self.held: Action | None = None
        self._actions: Iterator[Action] | None = iter(actions)
        self._stream = stream
        self._entry = entry
        self._writes = writes
        self._clock = clock
        self._most = AHEAD_JOINED if writes == "joined" else AHEAD
        self._ready: list[Action] = []  # short, and a deque takes 0.7 KB from the start

    def prepare(self) -> None:
        """Look ahead: as far as the next deadline that is not reached yet, or a few actions."""
        ready, actions = self._ready, self._actions
        if actions is None or len(ready) >= self._most:
            return
        most = self._most
        for action in actions:
            ready.append(action)
            count = len(ready)
            if count >= most or (count > 1 and type(action) is Until):
                return
        self._actions = None

    def send(self, turn_ns: int = SHORT_TURN_NS) -> int | Pause:
        """Do what is due, for about `turn_ns` at most. Returns the next deadline, or why it stops.

        Raises:
            BrokenResourceError: the client is gone.
        """
        ready = self._ready
        while ready:
            is_joined = self._writes == "joined" and type(ready[0]) is Write
            if (pause := self._write_joined() if is_joined else self._do(ready.pop(0))) is not None:
                return pause
        return self._go_on(turn_ns)

    def _go_on(self, turn_ns: int) -> int | Pause:
        """Do what comes after all that was ready."""
        if self._actions is None:
            return self._end()
        if self._writes == "joined":
            self.prepare()
            return Pause.MORE if self._ready else self._end()
        clock, send_now, wrote = self._clock, self._stream.send_now, self._entry.wrote
        is_acked, start_ns = self._writes == "acked", self._start_ns
        end_ns = clock() + turn_ns
        for action in self._actions:
            # Nearly all that a busy server does; what `_do` does, by a shorter way.
            if type(action) is Write and not is_acked:
                data = action.data
                began_ns = clock()
                taken = send_now(data)
                if taken < len(data):
                    return self._full(action, began_ns, taken)
                ended_ns = clock()
                due_ns = self.due_ns
                wrote(due_ns if due_ns > start_ns else began_ns, began_ns, ended_ns, data, action.tokens)
                if ended_ns > end_ns:
                    return Pause.MORE if self._has_more() else self._end()
            elif (pause := self._do(action)) is not None:
                return pause
        return self._end()

    def _has_more(self) -> bool:
        """Tell whether anything is left; what comes next is made ready by that."""
        if not self._ready and self._actions is not None:
            following = next(self._actions, None)
            if following is None:
                self._actions = None
            else:
                self._ready.append(following)
        return bool(self._ready)

    def _end(self) -> Pause:
        self._actions = None
        self._entry.outcome = "complete"  # at once: the client may have it all by now, and ask
        return Pause.END

    def _do(self, action: Action) -> int | Pause | None:
        """Do one action; a deadline that is not reached, or what has to be waited for, is given back."""
        if type(action) is Write:
            return self._write(action)
        if type(action) is Until:
            due_ns = self.origin_ns + action.at_ns
            if due_ns > self._clock():
                self._ready.insert(0, action)
                return due_ns
            self.due_ns = due_ns
            return None
        self.held = action
        return Pause.HOLD

    def begin(self, origin_ns: int) -> None:
        """Count from another time, before anything is sent."""
        self.origin_ns = self.due_ns = self._start_ns = origin_ns

    def move(self, by_ns: int) -> None:
        """Make all that follows later."""
        self.origin_ns += by_ns
        self.due_ns += by_ns

    def planned_ns(self, began_ns: int) -> int:
        """Return when a write that began then was due."""
        return self.due_ns if self.due_ns > self._start_ns else began_ns

    def _write(self, action: Write) -> Pause | None:
        data = action.data
        began_ns = self._clock()
        taken = self._stream.send_now(data)
        if taken < len(data):
            return self._full(action, began_ns, taken)
        self._entry.wrote(self.planned_ns(began_ns), began_ns, self._clock(), data, action.tokens)
        if self._writes != "acked":
            return None
        if not self._has_more():
            self._end()
        return Pause.SENT

    def _full(self, action: Write, began_ns: int, taken: int) -> Pause:
        self.rest, self.rest_data, self.rest_tokens, self.rest_began_ns = taken, action.data, action.tokens, began_ns
        return Pause.FULL

    def _write_joined(self) -> Pause | None:
        """Write all that is ready and due as one piece."""
        ready = self._ready
        pieces: list[bytes] = []
        size = tokens = 0
        while ready and size < JOINED_BYTES:
            action = ready[0]
            if type(action) is Write:
                pieces.append(action.data)
                size += len(action.data)
                tokens = action.tokens
            elif type(action) is Until and self.origin_ns + action.at_ns <= self._clock():
                self.due_ns = self.origin_ns + action.at_ns
            else:
                break
            ready.pop(0)
        return self._write(Write(b"".join(pieces), tokens))
