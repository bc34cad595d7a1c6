"""What is shown while a load runs: a bar and live figures on a terminal, plain lines anywhere else.

Drawing happens in the loop that measures, so it is rare: when a `Progress` comes (twice a second), and never from a
thread beside it. Anywhere but on a terminal a line comes at most once a second, and in long runs ever less often.
`NO_COLOR` takes the colours away, and `TERM=dumb` the bar. rich is loaded for a terminal alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Self, TextIO

from streamkit.bench.metrics import BY_NAME
from streamkit.bench.progress import Progress, ServerProgress
from streamkit.bench.report.cells import many
from streamkit.bench.report.veil import Veil
from streamkit.bench.report.words import number
from streamkit.bench.statistics import estimate

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

__all__ = ["ProgressView"]

EVERY_S: Final = 1.0
SPREAD: Final = 0.1
"""A plain line comes when `EVERY_S` have gone by since the last one, and this share of the whole time so far."""

FIGURES: Final = (("ttft_ms", 0.5, "ttft p50"), ("ttft_ms", 0.99, "p99"), ("tpot_ms", 0.5, "tpot p50"))

MAX_KINDS: Final = 3

MAX_BAR: Final = 40


class ProgressView:
    """Shows loads as they run. `update` may be given to `measure` as it is.

    Leave it as a context manager, or call `close`: a terminal is then as it was.

    Attributes:
        is_live: whether there is a bar.
    """

    def __init__(self, *, stream: TextIO | None = None, is_live: bool | None = None, veil: Veil | None = None) -> None:
        """Begin to show.

        Args:
            stream: where to; by default standard error.
            is_live: whether a bar is wanted; by default, where the stream is a terminal that can show it.
            veil: keeps secrets out of names.
        """
        self._stream = stream or sys.stderr
        self._veil = veil or Veil(())
        self._words = ""
        self._now: Progress | None = None
        self._shown_s = 0.0
        self.is_live = _can_be_live(self._stream) if is_live is None else is_live
        self._live: Live | None = self._open() if self.is_live else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, words: str) -> None:
        """Say what begins now: a load, a warm-up, a calibration."""
        self._words = self._veil.text(words)
        self._now = None
        self._shown_s = 0.0
        if self._live is not None:
            self._live.refresh()
        else:
            print(self._words, file=self._stream, flush=True)

    def update(self, progress: Progress) -> None:
        """Show how far the load has come."""
        self._now = progress
        if self._live is not None:
            self._live.refresh()
            return
        since_s = progress.elapsed_s - self._shown_s
        if progress.is_last or since_s >= max(EVERY_S, SPREAD * progress.elapsed_s):
            self._shown_s = progress.elapsed_s
            print(f"  {'; '.join(self.lines())}", file=self._stream, flush=True)

    def say(self, line: str) -> None:
        """Print a line that stays."""
        text = self._veil.text(line)
        if self._live is None:
            print(text, file=self._stream, flush=True)
            return
        from rich.text import Text

        self._live.console.print(Text(text))

    def close(self) -> None:
        """End the bar; may be called again."""
        if self._live is not None:
            live, self._live = self._live, None
            self._now, self._words = None, ""
            live.stop()

    @property
    def share(self) -> float | None:
        """How much of the load is done, 0 to 1; None where nobody can know."""
        now = self._now
        if now is None:
            return None
        of_requests = now.done / now.requests if now.requests else 0.0
        of_time = now.elapsed_s / now.duration_s if now.duration_s else 0.0
        return min(1.0, max(of_requests, of_time)) if now.requests or now.duration_s else None

    def lines(self) -> list[str]:
        """Return what is known now as text: the load, then each server."""
        now = self._now
        if now is None:
            return []
        done = f"{now.done:,} of {many(now.requests, 'request')}" if now.requests else many(now.done, "request")
        time_s = f"{now.elapsed_s:.1f} s" + (f" of {now.duration_s:g} s" if now.duration_s else "")
        processes = f", {now.processes} processes" if now.processes > 1 else ""
        is_one = len(now.servers) == 1
        servers = (
            f"{'' if is_one else f'{self._veil.text(name)}: '}{', '.join(_told(each))}"
            for name, each in now.servers.items()
        )
        return [f"{time_s}: {done}, {now.in_flight:,} in flight{processes}", *servers]

    @property
    def words(self) -> str:
        """What runs."""
        return self._words

    def _open(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False)
        live = Live(
            _Now(self),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live


def _told(server: ServerProgress) -> Iterator[str]:
    """Yield what is told of a server: counts, and the figures that its sample supports by now."""
    yield f"{server.ok:,} ok"
    if server.errors:
        kinds = [(kind, n) for kind, n in server.tally.outcomes.most_common() if kind not in {"ok", "unfinished"}]
        named = [f"{n:,} {kind}" for kind, n in kinds[:MAX_KINDS]]
        more = ["..."] if len(kinds) > MAX_KINDS else []
        yield f"{many(server.errors, 'error')} ({', '.join(named + more)})"
    if server.requests_per_s:
        yield f"{number(server.requests_per_s)}/s"
    distributions = {name: server.tally.distribution(name) for name in dict.fromkeys(name for name, _, _ in FIGURES)}
    for name, q, words in FIGURES:
        found = estimate(distributions[name], q, BY_NAME[name].scale)
        if found is not None:
            yield f"{words} {number(found.value)} ms"


class _Now:
    """The present state of a run, drawn when it is asked for."""

    def __init__(self, view: ProgressView) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.progress_bar import ProgressBar
        from rich.segment import Segment
        from rich.text import Text

        if self._view.words:
            yield Text(self._view.words, style=_styled("bold"), no_wrap=True, overflow="ellipsis")
        share = self._view.share
        if share is not None:
            yield ProgressBar(total=1.0, completed=share, width=min(MAX_BAR, options.max_width))
            yield Segment.line()
        for line in self._view.lines()[: max(0, options.size.height - 3)]:
            yield Text(line, style=_styled("bright_black"), no_wrap=True, overflow="ellipsis")


def _styled(style: str) -> str:
    """Return a style where any is wanted: without colours nothing is bold either."""
    return "default" if os.environ.get("NO_COLOR") else style


def _can_be_live(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") not in {"dumb", "", None}
