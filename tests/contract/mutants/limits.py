# ruff: noqa: ARG002 - a hook is given whatever one of the mutants needs
"""Relays that take no line beyond a length."""

from __future__ import annotations

from tests.contract.mutants.link import Gone, Head
from tests.contract.mutants.relay import At, Relay, Same
from tests.contract.mutants.row import cases, mutant
from tests.contract.mutants.sets import LINES

__all__: list[str] = []


class TooLong(Exception):
    """A line is longer than a buffer."""


class LimitedLines(Same):
    """Counts, and holds nothing back."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0

    def feed(self, data: bytes) -> bytes:
        for line in data.splitlines(keepends=True):
            self.size += len(line)
            if self.size > self.limit:
                raise TooLong
            self.size = 0 if line.endswith((b"\n", b"\r")) else self.size
        return data


class LineLimit(Relay):
    """Gives up where a line is too long."""

    limit = 0

    def stage(self, at: At, response: Head) -> Same:
        return LimitedLines(self.limit)

    async def answer(self, at: At) -> None:
        try:
            await super().answer(at)
        except TooLong:
            raise Gone(at.upstream) from None


@mutant(cases("limit.line.{128k,512k}"), cases("limit.line.{1m,2m}"))
class Line128K(LineLimit):
    """Breaks off at a line of more than 128 KiB, as aiohttp's line iteration did."""

    limit = 1 << 17


@mutant(non_strict=cases("limit.line.{1m,2m}"), is_slow=True)
class Line1M(LineLimit):
    """Breaks off at a line of more than 1 MiB."""

    limit = 1 << 20


@mutant(LINES, cases("limit.line.{1m,2m}"), is_slow=True)
class Scanner(LineLimit):
    """Ends at a line of more than 64 KiB, as if all were well: Go's `bufio.Scanner`, whose error nobody looks at."""

    limit = 1 << 16

    async def answer(self, at: At) -> None:
        try:
            await Relay.answer(self, at)
        except TooLong:
            await self.end(at, [])
            at.framing, at.is_done = "close", True
