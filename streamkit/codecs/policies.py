"""Where to cut a byte stream: one class a policy, and its row in `POLICIES`.

Adding a policy is adding a class here and its row: the option of `streamkit rechunk`, its help and the laws in the
tests come from the row. A policy is a value; `cutter()` starts it on a stream.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Final

from streamkit.codecs.lines import CR, LF
from streamkit.errors import ConfigError

__all__ = [
    "POLICIES",
    "Coalesce",
    "Cutter",
    "Events",
    "EveryByte",
    "Hostile",
    "Lines",
    "Policy",
    "RandomSize",
    "Size",
]


class Cutter(ABC):
    """The state of one policy on one stream."""

    def __init__(self) -> None:
        self.held = bytearray()

    @abstractmethod
    def cut(self, data: bytes) -> list[bytes]:
        """Take input, return the pieces that are now complete, and keep the rest in `held`."""


@dataclass(frozen=True)
class Policy(ABC):
    """Where the cuts are. A value: equal policies cut alike."""

    holds: ClassVar[bool] = True
    """Whether complete records may be held back."""
    takes: ClassVar[str] = ""
    """What its text form looks like, for people; empty for a policy without parameters."""
    summary: ClassVar[str]
    """One sentence for a list of policies."""

    @classmethod
    def parse(cls, text: str, seed: int) -> Policy:  # noqa: ARG003 - most policies need neither
        """Make one from its text form, for instance "1:16", and the seed of whatever it draws.

        Raises:
            ConfigError: the text does not look like `takes`, or a number is out of range.
        """
        return cls()

    @abstractmethod
    def cutter(self) -> Cutter:
        """Start on a new stream."""


def _integers(text: str, takes: str) -> list[int]:
    """Return the numbers in `text`, which looks like `takes`: as many of them, with colons between."""
    numbers = text.split(":")
    if len(numbers) != len(takes.split(":")) or not all(re.fullmatch("-?[0-9]{1,18}", number) for number in numbers):
        msg = f"{text!r} is not {takes}"
        raise ConfigError(msg)
    return [int(number) for number in numbers]


class _LengthCutter(Cutter):
    def __init__(self, next_length: Callable[[], int]) -> None:
        super().__init__()
        self._next_length = next_length
        self._length = next_length()

    def cut(self, data: bytes) -> list[bytes]:
        if len(self.held) + len(data) < self._length:
            self.held += data
            return []
        whole = bytes(self.held) + data
        pieces = []
        start = 0
        while len(whole) - start >= self._length:
            pieces.append(whole[start : start + self._length])
            start += self._length
            self._length = self._next_length()
        self.held = bytearray(whole[start:])
        return pieces


@dataclass(frozen=True)
class Size(Policy):
    """Pieces of `size_bytes`, but for the last."""

    takes = "N"
    summary = "Pieces of N bytes."
    size_bytes: int

    @classmethod
    def parse(cls, text: str, seed: int) -> Policy:  # noqa: ARG003 - nothing is drawn
        return cls(*_integers(text, cls.takes))

    def __post_init__(self) -> None:
        if self.size_bytes < 1:
            msg = f"a piece has at least 1 byte, not {self.size_bytes}"
            raise ConfigError(msg)

    def cutter(self) -> Cutter:
        return _LengthCutter(lambda: self.size_bytes)


@dataclass(frozen=True)
class RandomSize(Policy):
    """Pieces of `min_bytes` to `max_bytes`, each length drawn evenly; the same `seed` gives the same lengths."""

    takes = "MIN:MAX"
    summary = "Pieces of MIN to MAX bytes, drawn from --seed."
    min_bytes: int
    max_bytes: int
    seed: int

    @classmethod
    def parse(cls, text: str, seed: int) -> Policy:
        low, high = _integers(text, cls.takes)
        return cls(low, high, seed)

    def __post_init__(self) -> None:
        if not 1 <= self.min_bytes <= self.max_bytes:
            msg = f"the bounds of a piece are {self.min_bytes} to {self.max_bytes} bytes, but 1 <= MIN <= MAX must hold"
            raise ConfigError(msg)

    def cutter(self) -> Cutter:
        rng = Random(self.seed)
        return _LengthCutter(lambda: rng.randint(self.min_bytes, self.max_bytes))


@dataclass(frozen=True)
class EveryByte(Policy):
    """Each byte alone."""

    holds = False
    summary = "Each byte alone."

    def cutter(self) -> Cutter:
        return _LengthCutter(lambda: 1)


class _LineCutter(Cutter):
    def cut(self, data: bytes) -> list[bytes]:
        *lines, rest = data.split(b"\n")
        pieces = [line + b"\n" for line in lines]
        if pieces and self.held:
            pieces[0] = bytes(self.held) + pieces[0]
            self.held.clear()
        self.held += rest
        return pieces


@dataclass(frozen=True)
class Lines(Policy):
    """Each line with its LF; a last line without one comes at the end."""

    summary = "Each line."

    def cutter(self) -> Cutter:
        return _LineCutter()


class _EventCutter(Cutter):
    def __init__(self) -> None:
        super().__init__()
        self._line_is_blank = True
        self._waiting_for_lf = False

    def cut(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        if self._waiting_for_lf:
            self.held.pop()
            data = b"\r" + data
        self._waiting_for_lf = data[-1] == CR
        if self._waiting_for_lf:
            data = data[:-1]
        pieces = []
        for line in data.splitlines(keepends=True):
            self.held += line
            if line.rstrip(b"\r\n"):
                self._line_is_blank = False
            if line[-1] in {CR, LF}:
                if self._line_is_blank:
                    pieces.append(bytes(self.held))
                    self.held.clear()
                self._line_is_blank = True
        if self._waiting_for_lf:
            self.held += b"\r"
        return pieces


@dataclass(frozen=True)
class Events(Policy):
    """Each event of an event stream with its blank line.

    A CR at the end of a read waits for the LF that may follow it.
    """

    summary = "Each server-sent event with its blank line."

    def cutter(self) -> Cutter:
        return _EventCutter()


_HOSTILE_CUT: Final = re.compile(rb"(?<=\\)|(?=[\x80-\xbf\r\n])")


class _HostileCutter(Cutter):
    def cut(self, data: bytes) -> list[bytes]:
        return [piece for piece in _HOSTILE_CUT.split(data) if piece]


@dataclass(frozen=True)
class Hostile(Policy):
    """A cut wherever readers break.

    That is inside each character of several bytes, after each backslash, and before each CR and LF, so each line end
    comes apart from its line, and the two halves of a CRLF apart from each other. Nothing is held: the cuts of the
    input stay, these come on top.
    """

    holds = False
    summary = "Cuts inside characters, after backslashes, before each CR and LF."

    def cutter(self) -> Cutter:
        return _HostileCutter()


class _CoalesceCutter(Cutter):
    def __init__(self, pieces: int) -> None:
        super().__init__()
        self._pieces = pieces
        self._held_pieces = 0

    def cut(self, data: bytes) -> list[bytes]:
        self.held += data
        self._held_pieces += 1
        if self._held_pieces < self._pieces:
            return []
        self._held_pieces = 0
        piece = bytes(self.held)
        self.held.clear()
        return [piece]


@dataclass(frozen=True)
class Coalesce(Policy):
    """Each `pieces` pieces that come in become one.

    After another policy (`Rechunker(Lines()) | Rechunker(Coalesce(3))`) this counts that policy's pieces.
    """

    takes = "K"
    summary = "K pieces in one: reads, or the pieces of another policy."
    pieces: int

    @classmethod
    def parse(cls, text: str, seed: int) -> Policy:  # noqa: ARG003 - nothing is drawn
        return cls(*_integers(text, cls.takes))

    def __post_init__(self) -> None:
        if self.pieces < 1:
            msg = f"at least 1 piece goes into one, not {self.pieces}"
            raise ConfigError(msg)

    def cutter(self) -> Cutter:
        return _CoalesceCutter(self.pieces)


POLICIES: Final[dict[str, type[Policy]]] = {
    "size": Size,
    "random": RandomSize,
    "every-byte": EveryByte,
    "lines": Lines,
    "events": Events,
    "hostile": Hostile,
    "coalesce": Coalesce,
}
"""Every policy by the name that commands and configurations use."""
