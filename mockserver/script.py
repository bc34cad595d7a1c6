"""A script: what the server does on one connection for one request, action by action. A value.

Everything that is chosen (text, times, cuts, faults) has become actions by now. The server performs them and decides
nothing. Actions come lazily where there are many, and always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

__all__ = ["Action", "Actions", "Again", "Close", "Gate", "Reset", "Script", "Stall", "Until", "Write"]


T = TypeVar("T")


class Write(msgspec.Struct, frozen=True, gc=False):
    """Hand these bytes to the kernel, in one call if it takes them.

    Attributes:
        tokens: how many tokens of the answer are complete once these bytes are sent.
    """

    data: bytes
    tokens: int = 0


class Until(msgspec.Struct, frozen=True, gc=False):
    """Wait until `at_ns` after the origin: the arrival of the request, moved by every `Gate` and `Stall` since."""

    at_ns: int


class Gate(msgspec.Struct, frozen=True, gc=False):
    """Wait until somebody opens the gate `name`. The rest of the schedule moves by as long as that took."""

    name: str


class Stall(msgspec.Struct, frozen=True, gc=False):
    """Do nothing for `for_ns`, or, where that is None, until the client leaves or the server stops."""

    for_ns: int | None = None


class Reset(msgspec.Struct, frozen=True, gc=False):
    """End the connection with RST, now. Nothing follows."""


class Close(msgspec.Struct, frozen=True, gc=False):
    """End the connection with FIN, now, although more was promised. Nothing follows."""


Action = Write | Until | Gate | Stall | Reset | Close


@dataclass(frozen=True)
class Again(Generic[T]):
    """Things that can be gone through again and again, always the same, without all of them being in memory.

    A thousand streams are answered at once; a list of all that is sent in each would be most of the memory.
    """

    make: Callable[[], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        return self.make()


class Actions(Again[Action]):
    """The actions of a script, made one by one."""


@dataclass(frozen=True)
class Script:
    """What is done for one request.

    Attributes:
        actions: in order; iterating twice gives the same actions twice.
        keep_alive: whether another request may follow on this connection once the actions are done. After a `Reset`
            or `Close` among them, which may not have been known before, none does.
    """

    actions: Iterable[Action]
    keep_alive: bool = True
