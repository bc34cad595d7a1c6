"""Where bytes are cut, at one of three levels, and how many tokens are through after each piece. Pure.

The policies are those of `streamkit.codecs.policies`. A level is a policy at work: it may hold bytes back, and it
knows at which byte each token is complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mockserver.seeds import sub_seed
from mockserver.wording import close_to, shown
from streamkit.codecs.policies import POLICIES, Policy
from streamkit.errors import ConfigError

__all__ = ["NO_CUT", "Cuts", "Level", "Mark", "Piece", "parse_cut"]

NO_CUT: Final = "none"
"""How a level without cuts is written out; an empty text means the same."""

MAX_HELD_BYTES: Final = 1 << 20
"""What a level holds at most. A policy that wants more (`size:1000000000`) gets its pieces in this size."""

Mark = tuple[int, int]
"""A place in some bytes, and how many tokens are complete there."""

Piece = tuple[bytes, list[Mark]]
"""Bytes, and the marks in them, in order; a mark at 3 is reached with the third byte."""


def parse_cut(text: str, seed: int = 0) -> Policy | None:
    """Make a policy from its text, `NAME[:ARGUMENTS]`; None for "" and "none".

    Args:
        text: for instance "random:1:16".
        seed: of whatever the policy draws.

    Raises:
        ConfigError: there is no such policy, or its arguments are wrong.
    """
    if not text or text == NO_CUT:
        return None
    name, colon, arguments = text.partition(":")
    policy = POLICIES.get(name)
    if policy is None:
        there_are = ", ".join(f"{each}:{row.takes}" if row.takes else each for each, row in POLICIES.items())
        guess = close_to(name, (*POLICIES, NO_CUT))
        raise ConfigError(f"{shown(text)} is no way to cut{guess}; there are {NO_CUT}, {there_are}")
    if colon and not policy.takes:
        raise ConfigError(f"{shown(text)} is too much: {name} takes nothing")
    try:
        return policy.parse(arguments, seed)
    except ConfigError as error:
        hint = "" if colon else f"; write {name}:{policy.takes}"
        raise ConfigError(f"{shown(text)}: {error}{hint}") from None


@dataclass(frozen=True)
class Cuts:
    """Where a response is cut, at three levels that know nothing of each other.

    Attributes:
        records: the bytes of records into pieces of the body; empty: a record is a piece.
        chunks: pieces into HTTP chunks; empty: a piece is a chunk. Without chunks there is nothing to cut.
        split: the wire, head and framing included, into writes; empty: the head and each chunk are one write each.

    Raises:
        ConfigError: one of them is no policy's text.
    """

    records: str = ""
    chunks: str = ""
    split: str = ""

    def __post_init__(self) -> None:
        for level in ("records", "chunks", "split"):
            if getattr(self, level):
                try:
                    parse_cut(getattr(self, level))
                except ConfigError as error:
                    raise ConfigError(f"{level}: {error}") from None

    @property
    def are_natural(self) -> bool:
        """Whether nothing is cut but where a record ends."""
        return all(not text or text == NO_CUT for text in (self.records, self.chunks, self.split))


class Level:
    """A policy at work on one response. Without a policy each piece that comes in goes out."""

    def __init__(self, text: str, seed: int) -> None:
        """Start.

        Args:
            text: the policy's.
            seed: of what it draws. After each `flush` it draws anew, from a seed that follows from this one.

        Raises:
            ConfigError: the text is no policy's.
        """
        self._text = text
        self._seed = seed
        self._starts = 0
        self._start()

    def _start(self) -> None:
        policy = parse_cut(self._text, sub_seed(self._seed, f"start {self._starts}")) if self._text else None
        self._cutter = policy.cutter() if policy else None
        self._starts += 1
        self._marks: deque[Mark] = deque()
        self._taken_bytes = 0
        self._given_bytes = 0

    def push(self, data: bytes, marks: Iterable[Mark]) -> list[Piece]:
        """Take bytes with their marks, return the pieces that are complete."""
        cutter = self._cutter
        if cutter is None:
            return [(data, list(marks))] if data else []
        self._marks.extend((self._taken_bytes + place, tokens) for place, tokens in marks)
        self._taken_bytes += len(data)
        pieces = [self._marked(piece) for piece in cutter.cut(data)]
        if len(cutter.held) > MAX_HELD_BYTES:
            pieces += self.flush()
        return pieces

    def flush(self) -> list[Piece]:
        """Give up what is held, as one piece; what comes next is cut as if it were the beginning."""
        if self._cutter is None:
            return []
        held = bytes(self._cutter.held)
        pieces = [self._marked(held)] if held else []
        self._start()
        return pieces

    def _marked(self, piece: bytes) -> Piece:
        start = self._given_bytes
        self._given_bytes += len(piece)
        marks = []
        while self._marks and self._marks[0][0] <= self._given_bytes:
            place, tokens = self._marks.popleft()
            marks.append((place - start, tokens))
        return piece, marks
