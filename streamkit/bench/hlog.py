"""Histogram logs (`.hlog`): many histograms in one text file, a tag each, as HdrHistogram's tools read them. Pure.

A line is `Tag=NAME,START,LENGTH,MAX,HISTOGRAM`: times in seconds since the base time that the head names, the greatest
value divided by a million (ms, for values in ns), and the histogram as `streamkit.bench.hdr` writes it. A log of ours
has a line for each metric and connection of each run, as `direct/concurrency-8/ttft_ms/new`. Source: the Java
implementation's log format 1.3.

Logs are merged by tag. A histogram has no unit in this format: those of ours are in the whole numbers of the metric
(`Metric.scale`), ns for whatever ends in `_ms`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from streamkit.bench.distribution import Distribution
from streamkit.bench.hdr import from_hdr, to_hdr
from streamkit.bench.plan import Arrivals, Concurrency, Load
from streamkit.bench.results import Result
from streamkit.errors import ConfigError, DecodeError, excerpt_of

__all__ = ["Logged", "log_of", "merge_hlogs", "read_hlog", "write_hlog"]

VERSION: Final = "1.3"
MAX_UNIT: Final = 1_000_000
"""By which the greatest value of a line is divided: its readers take values for ns."""

YEAR_S: Final = 365 * 24 * 3600.0
LEGEND: Final = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
TAG: Final = re.compile(r"[^,\s]+")
TIME_LINE: Final = re.compile(r"#\[(StartTime|BaseTime): *([0-9.]+) ")


class Logged(msgspec.Struct, frozen=True):
    """A line of a log.

    Attributes:
        tag: what it is of; empty for a line without one. No commas, no spaces.
        start_unix_s: when its values began.
        length_s: how long they went on.
        distribution: the values.
    """

    tag: str
    start_unix_s: float
    length_s: float
    distribution: Distribution


def log_of(result: Result) -> list[Logged]:
    """Return the lines of a benchmark: a line for each run, metric and connection that has values.

    Runs begin when their first process did, as far behind the first run as that is on this machine's clock.
    """
    begins_ns = [min((ran.began_ns for ran in run.ran), default=0) for run in result.runs]
    first_ns = min((at_ns for at_ns in begins_ns if at_ns), default=0)
    return [
        Logged(
            "/".join(_word(part) for part in (run.server, _load_word(run.load), metric, connection)),
            result.began_unix_s + max(0, at_ns - first_ns) / 1e9,
            run.duration_s,
            distribution,
        )
        for at_ns, run in zip(begins_ns, result.runs, strict=True)
        for metric, apart in run.tally.distributions.items()
        for connection, distribution in apart.items()
        if distribution.n
    ]


def _load_word(load: Load) -> str:
    if isinstance(load, Concurrency):
        return f"concurrency-{load.concurrency}"
    if isinstance(load, Arrivals):
        return f"{load.process}-{load.per_s:g}" + (f"-{load.cv:g}" if load.process == "gamma" else "")
    return "trace"


def _word(text: str) -> str:
    """Return a part of a tag: without what would end it."""
    return re.sub(r"[,/\s]+", "_", text)


def write_hlog(lines: Iterable[Logged], comments: Iterable[str] = ()) -> str:
    """Return the text of a log, its lines in the order of their times, as readers want them.

    Raises:
        ConfigError: a tag has a comma or a space in it.
    """
    ordered = sorted(lines, key=lambda line: line.start_unix_s)
    base_s = ordered[0].start_unix_s if ordered else 0.0
    text = [f"#[{' '.join(comment.split())}]" for comment in comments]
    text += [
        f"#[Histogram log format version {VERSION}]",
        f"#[StartTime: {base_s:.3f} (seconds since epoch)]",
        f"#[BaseTime: {base_s:.3f} (seconds since epoch)]",
        LEGEND,
    ]
    for line in ordered:
        if line.tag and not TAG.fullmatch(line.tag):
            raise ConfigError(f"a tag has no comma and no space in it: {line.tag!r}")
        tag = f"Tag={line.tag}," if line.tag else ""
        since_s = line.start_unix_s - float(f"{base_s:.3f}")
        high = line.distribution.high / MAX_UNIT
        text.append(f"{tag}{max(0.0, since_s):.3f},{line.length_s:.3f},{high:.3f},{to_hdr(line.distribution)}")
    return "\n".join(text) + "\n"


def read_hlog(text: str) -> list[Logged]:
    """Return the lines of a log, one of another tool's too.

    Times count from the base time, where there is one. Where there is none but a start time, and a line's time is more
    than a year before that, they count from the start time (so says the format).

    Raises:
        DecodeError: a line is none of a histogram log.
    """
    found: list[Logged] = []
    start_s: float | None = None
    base_s: float | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            named = TIME_LINE.match(line)
            if named is not None:
                at_s = _number(named[2], number)
                start_s, base_s = (at_s, base_s) if named[1] == "StartTime" else (start_s, at_s)
            continue
        if not line.strip() or line.startswith('"'):
            continue
        tag, rest = "", line
        if line.startswith("Tag="):
            tag, _, rest = line.removeprefix("Tag=").partition(",")
        fields = rest.split(",")
        if len(fields) != 4:
            raise _wrong("it is not TIME,LENGTH,MAX,HISTOGRAM", number, line)
        at_s, length_s = (_number(field, number) for field in fields[:2])
        if base_s is None:
            is_relative = start_s is not None and at_s < start_s - YEAR_S
            base_s = start_s if is_relative and start_s is not None else 0.0
        try:
            distribution = from_hdr(fields[3].strip())
        except DecodeError as error:
            raise _wrong(error.reason, number, line) from error
        found.append(Logged(tag, base_s + at_s, length_s, distribution))
    return found


def merge_hlogs(logs: Iterable[Iterable[Logged]]) -> list[Logged]:
    """Return one line for each tag: all its values, from the earliest beginning to the latest end."""
    merged: dict[str, Logged] = {}
    for log in logs:
        for line in log:
            before = merged.get(line.tag)
            every = Distribution()
            every.merge(line.distribution)
            start_s, end_s = line.start_unix_s, line.start_unix_s + line.length_s
            if before is not None:
                every.merge(before.distribution)
                start_s, end_s = min(start_s, before.start_unix_s), max(end_s, before.start_unix_s + before.length_s)
            merged[line.tag] = Logged(line.tag, start_s, end_s - start_s, every)
    return [*merged.values()]


def _number(text: str, line: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise _wrong("a time or a length is not a number of seconds", line, text)
    return number


def _wrong(reason: str, number: int, line: str) -> DecodeError:
    excerpt = excerpt_of(line.encode(errors="replace"))
    return DecodeError(f"not a histogram log: {reason}", stage="hlog", record=number, offset=None, excerpt=excerpt)
