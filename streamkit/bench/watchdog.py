"""Deadlines of all requests of a loop, kept by one task: it ends the connection of one that is too late."""

from __future__ import annotations

import time
from typing import Final

import trio

from streamkit.bench.observer import Observer
from streamkit.bench.plan import Limits
from streamkit.bench.reader import Heard, Reader
from streamkit.bench.record import RequestRecord
from streamkit.http.client import ClientConnection

__all__ = ["TIMEOUTS", "InFlight", "Watchdog"]

REST_NS: Final = 500_000_000
"""How long the end of the body is waited for behind the answer's end; then the connection is not used again."""

WATCH_S: Final = 0.05
"""How often deadlines are looked at."""

TIMEOUTS: Final = {
    "connect-timeout": "no connection within {:g} s",
    "no-first-token": "no token came within {:g} s",
    "idle": "nothing came for {:g} s",
    "timeout": "the answer was not whole after {:g} s",
    "disconnected": "the connection was closed here",
    "unfinished": "the run ended before the answer",
    "rest": "the answer is whole, and its body does not end",
}


class InFlight(Heard):
    """A request that runs, as the watchdog sees it."""

    __slots__ = ("_reader", "too_late", "words")

    def __init__(self, connection: ClientConnection, observer: Observer, reader: Reader) -> None:
        super().__init__(connection, observer)
        self.heard_ns = time.monotonic_ns()
        self._reader = reader
        self.too_late = "disconnected"
        self.words = TIMEOUTS["disconnected"]

    def end(self, outcome: str, words: str) -> None:
        """End it, with what it came to: its task sees its connection closed."""
        self.too_late = outcome
        self.words = words
        self.connection.abort()
        self._reader.end(self)


class Watchdog:
    """Keeps the deadlines of all requests that run.

    Attributes:
        running: they.
        connecting: what ends those that are still connecting.
        over: empty, or what a request comes to that is still connecting when the run is over.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._first_ns, self._idle_ns, self._total_ns = (
            round(each * 1e9) for each in (limits.first_token_s, limits.idle_s, limits.total_s)
        )
        self.over = ""
        self.running: set[InFlight] = set()
        self.connecting: set[trio.CancelScope] = set()

    async def run(self) -> None:
        """Look at them until cancelled."""
        while True:
            await trio.sleep(WATCH_S)
            now_ns = time.monotonic_ns()
            for each in [*self.running]:
                if self._late(each, now_ns):
                    each.observer.work()  # what has come, and was not looked at yet, counts
                    late = self._late(each, now_ns)
                    if late:
                        each.end(late, self._words(late))

    def _late(self, each: InFlight, now_ns: int) -> str:
        """Return what a request is too late with; empty for nothing."""
        record = each.observer.record
        sent_ns = record.sent_ns or now_ns
        if each.observer.is_over:
            return "rest" if now_ns - each.heard_ns > REST_NS else ""
        if now_ns - sent_ns > self._total_ns:
            return "timeout"
        if record.first_token_ns is None:
            return "no-first-token" if now_ns - sent_ns > self._first_ns else ""
        return "idle" if now_ns - each.heard_ns > self._idle_ns else ""

    def judge(self, record: RequestRecord) -> None:
        """Say it of a request that has come to its end, and was too late: it may have ended between two looks."""
        if record.outcome != "ok" or record.sent_ns is None:
            return
        if (record.first_token_ns or 0) - record.sent_ns > self._first_ns:
            record.outcome = "no-first-token"
        elif (record.end_ns or 0) - record.sent_ns > self._total_ns:
            record.outcome = "timeout"
        else:
            return
        record.detail = self._words(record.outcome)

    def end_all(self, *, is_drained: bool) -> None:
        """End whatever still runs, or is connecting.

        Args:
            is_drained: whether it had its time behind the end of the run. Then it is too late, and an error: that it
                takes so long is known, and to leave it out would make the server fast. Otherwise it is unfinished.
        """
        self.over = "connect-timeout" if is_drained else "unfinished"
        now_ns = time.monotonic_ns()
        for each in [*self.running]:
            each.observer.work()
            record = each.observer.record
            if not is_drained:
                each.end("unfinished", TIMEOUTS["unfinished"])
                continue
            waited_s = (now_ns - (record.sent_ns or now_ns)) / 1e9
            if record.first_token_ns is None:
                each.end("no-first-token", f"no token had come when the run ended, {waited_s:.1f} s after the question")
            else:
                each.end("timeout", f"the answer was not whole when the run ended, {waited_s:.1f} s after the question")
        for scope in self.connecting:
            scope.cancel()

    def _words(self, outcome: str) -> str:
        """Say what a deadline that is over means."""
        limits = self._limits
        spans = {"no-first-token": limits.first_token_s, "idle": limits.idle_s, "timeout": limits.total_s}
        return TIMEOUTS[outcome].format(spans.get(outcome, 0))
