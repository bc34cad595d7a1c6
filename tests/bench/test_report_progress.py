"""What is shown while a load runs: a bar on a terminal, and lines that do not fill a log anywhere else."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from streamkit.bench.progress import Pace, Progress, ServerProgress
from streamkit.bench.report.progress import ProgressView
from streamkit.bench.report.veil import Veil
from streamkit.bench.tally import Tally
from tests.bench.results_made import KEY, SERVER, failed, records_of


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def tally_of(count: int) -> Tally:
    tally = Tally()
    for record in records_of(count):
        tally.add(record)
    tally.add(failed(count, "status", "503"))
    tally.add(failed(count + 1, "empty", ""))
    return tally


TALLY = tally_of(20)


def progress_at(
    elapsed_s: float,
    *,
    requests: int | None = 100,
    duration_s: float | None = None,
    is_last: bool = False,
    names: tuple[str, ...] = ("direct",),
) -> Progress:
    servers = {name: ServerProgress(22, 20, 2, 3.5, TALLY) for name in names}
    return Progress(elapsed_s, 4, servers, requests, duration_s, 2, is_last)


def lines_after(*times_s: float, is_last: bool = False) -> list[str]:
    """Return what is printed for progress at these times."""
    stream = io.StringIO()
    with ProgressView(stream=stream) as view:
        assert not view.is_live
        view.begin("4 at once")
        for time_s in times_s:
            view.update(progress_at(time_s, is_last=is_last and time_s == times_s[-1]))
    return stream.getvalue().splitlines()


def test_a_line_says_how_far_it_is_and_what_is_known_by_now() -> None:
    what, line = lines_after(1.5)
    assert what == "4 at once"
    assert re.fullmatch(
        r"  1\.5 s: 22 of 100 requests, 4 in flight, 2 processes; 20 ok, 2 errors \(1 status, 1 empty\), 3\.500/s, "
        r"ttft p50 \d\d\.\d\d ms, tpot p50 10\.00 ms",
        line,
    ), line
    assert "p99" not in line, "20 values are not enough"


def test_lines_come_at_most_once_a_second_and_less_often_in_long_runs() -> None:
    assert [line[:7] for line in lines_after(0.5, 0.9, 1.0, 1.5, 1.9, 2.1)[1:]] == ["  1.0 s", "  2.1 s"]
    assert len(lines_after(*(number / 2 for number in range(1200)))) < 60


def test_the_end_is_always_said() -> None:
    assert lines_after(0.1, is_last=True)[1].startswith("  0.1 s: ")


def test_each_load_counts_anew() -> None:
    stream = io.StringIO()
    with ProgressView(stream=stream) as view:
        for words in ("1 at once", "8 at once"):
            view.begin(words)
            view.update(progress_at(1.2))
    assert [line[:9] for line in stream.getvalue().splitlines()] == ["1 at once", "  1.2 s: ", "8 at once", "  1.2 s: "]


def test_servers_are_apart() -> None:
    stream = io.StringIO()
    with ProgressView(stream=stream) as view:
        view.update(progress_at(2, names=("direct", "proxy")))
    assert "; direct: 20 ok, " in stream.getvalue()
    assert "; proxy: 20 ok, " in stream.getvalue()


@pytest.mark.parametrize(
    ("requests", "duration_s", "share"),
    [(100, None, 0.22), (None, 8.0, 0.25), (100, 8.0, 0.25), (100, 80.0, 0.22), (None, None, None), (None, 1.0, 1.0)],
)
def test_the_share_is_of_what_ends_first(requests: int | None, duration_s: float | None, share: float | None) -> None:
    view = ProgressView(stream=io.StringIO())
    view.update(progress_at(2, requests=requests, duration_s=duration_s))
    assert view.share == share


def test_on_a_terminal_there_is_a_bar_and_behind_it_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with ProgressView(stream=stream) as view:
        assert view.is_live
        view.begin("4 at once")
        view.update(progress_at(2))
        view.say("a line that stays")
    text = stream.getvalue()
    assert "━" in text
    assert "22 of 100 requests" in text
    assert "a line that stays" in text
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h"), "the cursor is there again"
    view.close()


def test_without_an_end_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with ProgressView(stream=stream) as view:
        view.update(progress_at(2, requests=None))
    assert "━" not in stream.getvalue()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_can_do_nothing_gets_lines(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)
    assert not ProgressView(stream=Terminal()).is_live


def test_the_rate_is_of_answers_since_the_load_began() -> None:
    pace, second = Pace(), 10**9
    assert pace.at(5 * second, 0, 0) == 0, "nobody knows when it began"
    assert pace.at(11 * second, 4, 10 * second) == 4, "the first second counts"
    assert pace.at(12 * second, 8, 10 * second) == 4
    rates = [pace.at((12 + at) * second, 8 + 10 * at, 10 * second) for at in range(1, 9)]
    assert rates[-1] == 10, "and later only the last few"


def test_no_secret_is_shown() -> None:
    stream = io.StringIO()
    with ProgressView(stream=stream, veil=Veil([SERVER])) as view:
        view.begin(f"with {KEY}")
        view.say(f"\x1b[2Jagain {KEY}")
    assert stream.getvalue() == "with [redacted]\n\\x1b[2Jagain [redacted]\n"


def test_plain_lines_load_no_rich() -> None:
    program = (
        "import io, sys; from streamkit.bench.report.progress import ProgressView;"
        "from streamkit.bench.report.table import plain_lines; from streamkit.bench.results import Result;"
        "ProgressView(stream=io.StringIO()).begin('x'); plain_lines(Result([])); print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
