"""What is shown while a run goes on: a live table on a terminal, plain lines anywhere else.

On a terminal each finished case is printed with its verdict in colour, and below stands what runs now, for how long,
and how many cases there are of each verdict. Anywhere else a line is printed for each case as it finishes, in the form
of `text.plain_line`; what is not run for one reason is one line, at the end. `NO_COLOR` takes the colours away, and
`TERM=dumb` the live table. rich is loaded for the table alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, Self, TextIO

from streamkit.contract.report.text import counts_of, not_run_line, plain_line
from streamkit.contract.results import Result
from streamkit.contract.verdicts import Verdict

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

__all__ = ["Progress"]

STYLES: Final[dict[Verdict, str]] = {
    Verdict.OK: "green",
    Verdict.NON_STRICT: "yellow",
    Verdict.INFORMATIONAL: "cyan",
    Verdict.UNIMPLEMENTED: "bright_black",
    Verdict.FAILED: "bold red",
    Verdict.HARNESS_ERROR: "bold magenta",
    Verdict.DEPENDENCY_FAILED: "magenta",
}

VERDICT_WIDTH: Final = max(map(len, Verdict))

ID_WIDTH: Final = 22

MAX_RUNNING: Final = 12
"""How many running cases are shown; how many more there are is said."""

REFRESH_HZ: Final = 8


class Progress:
    """Shows a run as it goes on. `start` and `result` may be given to a runner as they are.

    Leave it as a context manager, or call `close`: a terminal is then as it was.

    Attributes:
        is_live: whether this is a live table.
        total: how many cases there will be; 0 where that is not known.
    """

    def __init__(self, total: int = 0, *, stream: TextIO | None = None, is_live: bool | None = None) -> None:
        """Begin to show.

        Args:
            total: how many cases there will be; 0 where that is not known.
            stream: where to; by default standard output.
            is_live: whether a live table is wanted; by default, where the stream is a terminal that can show it.
        """
        self._stream = stream or sys.stdout
        self.total = total
        self._running: dict[str, float] = {}
        self._counts: Counter[Verdict] = Counter()
        self._not_run: dict[str, list[Result]] = {}
        self._began_s = time.monotonic()
        self.is_live = _can_be_live(self._stream) if is_live is None else is_live
        self._live: Live | None = self._open() if self.is_live else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, case_id: str) -> None:
        """Show that a case runs."""
        self._running[case_id] = time.monotonic()

    def result(self, result: Result) -> None:
        """Show what was found about a case."""
        self._running.pop(result.id, None)
        self._counts[result.verdict] += 1
        if result.verdict is Verdict.DEPENDENCY_FAILED:
            self._not_run.setdefault(result.detail, []).append(result)
        else:
            self._print(result.verdict, plain_line(result))

    def _print(self, verdict: Verdict, line: str) -> None:
        if self._live is None:
            print(line, file=self._stream, flush=True)
            return
        from rich.text import Text

        _, case_id, detail = ([*line.split("  ", 2), "", ""])[:3]
        shown = Text(f"{verdict:{VERDICT_WIDTH}}", style=_styled(STYLES[verdict]))
        shown.append(f"  {case_id:<{ID_WIDTH}}  ", style="default")
        shown.append(detail, style="default" if verdict in LOUD else _styled("bright_black"))
        self._live.console.print(shown)

    def close(self) -> None:
        """Say what was not run, and end the live table; may be called again."""
        not_run, self._not_run = self._not_run, {}
        for detail, results in not_run.items():
            line = plain_line(results[0]) if len(results) == 1 else not_run_line(len(results), detail)
            self._print(Verdict.DEPENDENCY_FAILED, line)
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _open(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False)
        live = Live(_Now(self), console=console, refresh_per_second=REFRESH_HZ, transient=True, redirect_stdout=False)
        live.start()
        return live

    def lines(self) -> list[str]:
        """Return what stands below the finished cases, as text: the counts, then what runs now."""
        now_s = time.monotonic()
        done = sum(self._counts.values())
        of = f" of {self.total}" if self.total else ""
        counts = counts_of({str(verdict): self._counts[verdict] for verdict in Verdict}) if done else "no result yet"
        running = [*self._running.items()]
        shown = [f"  {now_s - began_s:6.1f} s  {case_id}" for case_id, began_s in running[:MAX_RUNNING]]
        more = [f"  and {len(running) - MAX_RUNNING} more"] if len(running) > MAX_RUNNING else []
        return [f"{done}{of} cases in {now_s - self._began_s:.1f} s: {counts}", *shown, *more]


LOUD: Final = frozenset({Verdict.FAILED, Verdict.NON_STRICT, Verdict.HARNESS_ERROR})
"""Verdicts whose detail is to be read."""


class _Now:
    """The present state of a run, drawn anew whenever rich asks for it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        first, *rest = self._progress.lines()
        yield Text(first, style=_styled("bold"), no_wrap=True, overflow="ellipsis")
        for line in rest[: max(0, options.size.height - 2)]:
            yield Text(line, style=_styled("bright_black"), no_wrap=True, overflow="ellipsis")


def _styled(style: str) -> str:
    """Return a style where any is wanted: without colours nothing is bold either."""
    return "default" if os.environ.get("NO_COLOR") else style


def _can_be_live(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") not in {"dumb", "", None}
