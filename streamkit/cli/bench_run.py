"""What `streamkit bench` does: run the job, show how it goes, write the reports, and say what was found."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import click

from streamkit.cli.bench_job import job_of
from streamkit.cli.edge import IO_FAILED, run, say
from streamkit.cli.main import INTERRUPTED
from streamkit.cli.reports import told_to, write_reports
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from typing import TextIO

    from streamkit.bench.job import Job
    from streamkit.bench.report.cells import Block
    from streamkit.bench.results import Result

__all__ = ["print_blocks", "start"]

NEGATIVE: Final = 1

SIGNALLED: Final = 128
"""What is added to a signal's number, as shells do."""


def start(options: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Do what the command line says, and exit.

    Raises:
        ConfigError: it makes no sense.
    """
    if options["html_path"] is not None:
        from streamkit.bench.report.page_plotly import MISSING, has_plotly

        if not has_plotly():
            raise ConfigError(f"--html: {MISSING}")
    job = job_of(options, given)
    raise_descriptors(job)
    found: list[Result] = []
    signalled: list[int] = []

    async def main() -> None:
        found.append(await watched(job, signalled))

    try:
        run(main)
    except SystemExit as end:
        if end.code or not found:
            raise
    sys.exit(outcome(found[0], job, options, signalled))


def raise_descriptors(job: Job) -> None:
    """Let there be as many connections as the job may want, as far as the system allows."""
    from streamkit.bench.plan import Concurrency
    from streamkit.cli.serving import SPARE_DESCRIPTORS, allow_descriptors

    wanted = max(
        load.concurrency if isinstance(load, Concurrency) else job.limits.max_in_flight for load in job.loads
    ) * max(1, len(job.servers))
    possible = allow_descriptors(wanted)
    closed = [load.concurrency for load in job.loads if isinstance(load, Concurrency)]
    if closed and possible < max(closed):
        files = (
            f"up to {max(closed) + SPARE_DESCRIPTORS} open files, and this system allows {possible + SPARE_DESCRIPTORS}"
        )
        raise ConfigError(f"--concurrency {max(closed)} takes {files} (ulimit -n)")


async def watched(job: Job, signalled: list[int]) -> Result:
    """Run a job; a signal ends it, and what there is by then is the result. A second one ends that, too."""
    import trio

    from streamkit.bench.report.progress import ProgressView
    from streamkit.bench.report.veil import Veil
    from streamkit.bench.runner import Control, benchmark

    with (
        trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals,
        ProgressView(stream=listener(), veil=Veil(job.servers)) as view,
    ):
        control = Control(view.begin, view.update)
        results: list[Result] = []
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                async for number in signals:
                    if signalled:
                        raise KeyboardInterrupt
                    signalled.append(number)
                    control.interrupt()

            nursery.start_soon(listen)
            results.append(await benchmark(job, control))
            nursery.cancel_scope.cancel()
    return results[0]


class Hearsay(io.TextIOBase):
    """Standard error for what nobody has to hear: that it cannot be written ends no measurement."""

    def write(self, text: str, /) -> int:
        with contextlib.suppress(OSError):
            click.echo(text, nl=False, err=True)
        return len(text)


def listener() -> TextIO:
    """Return where progress is told: standard error, as far as there is one."""
    return sys.stderr if sys.stderr is not None and sys.stderr.isatty() else cast("TextIO", Hearsay())


def outcome(result: Result, job: Job, options: Mapping[str, Any], signalled: list[int]) -> int:
    """Write the reports, say what was found, and return the exit code."""
    from streamkit.bench.loads import load_words
    from streamkit.bench.report.blocks import blocks_of

    is_written = write_reports(
        options, {"json": lambda: json_of(result), "html": lambda: html_of(result), "hlog": lambda: hlog_of(result)}
    )
    print_blocks(blocks_of(result), told_to(options))
    if signalled:
        return INTERRUPTED if signalled[0] == signal.SIGINT else SIGNALLED + signalled[0]
    if not any(each.tally.outcomes["ok"] for each in result.runs):
        say("no request was answered well: there are no figures")
        return IO_FAILED
    silent = silent_servers(result)
    if silent:
        say(f"{', '.join(silent)} answered no request well: there is nothing to compare")
    for lost in result.lost:
        say(f"--raw {lost}")
    if silent or result.lost or not is_written:
        return IO_FAILED
    unknown = [f"{each.server}, {load_words(each.load)}" for each in result.runs if each.is_goal_met is False]
    if unknown:
        say(f"--until {options['until']}: not known well enough for {'; '.join(unknown)}")
        return NEGATIVE
    if job.is_strict:
        from streamkit.bench.runner import doubts

        doubtful = [f"{of.server}: {each}" for of in result.runs for each in doubts(of, result)]
        untold = [of.server for of in result.runs if not of.tool_error]
        if doubtful or untold:
            say(f"too uncertain for --strict: {'; '.join(doubtful) or 'there was no calibration'}")
            return NEGATIVE
    return 0


def silent_servers(result: Result) -> list[str]:
    """Return those servers of a comparison that answered nothing well, whatever the load."""
    answered = Counter[str]()
    for each in result.runs:
        answered[each.server] += each.tally.outcomes["ok"]
    return [server for server, ok in answered.items() if not ok]


def json_of(result: Result) -> str:
    """Return the JSON document."""
    from streamkit.bench.report.document import as_json

    return as_json(result)


def html_of(result: Result) -> str:
    """Return the page."""
    from streamkit.bench.report.document import as_document
    from streamkit.bench.report.page import as_html
    from streamkit.bench.report.page_plotly import plotly_source

    return as_html(result, as_document(result), plotly_source())


def hlog_of(result: Result) -> str:
    """Return the histograms of all runs as a log."""
    from streamkit.bench.hlog import log_of, write_hlog

    return write_hlog(log_of(result))


def print_blocks(blocks: list[Block], stream: TextIO) -> None:
    """Print blocks: a table on a terminal, plain lines anywhere else."""
    from streamkit.bench.report import table

    if stream.isatty() and os.environ.get("TERM") not in {"dumb", "", None}:
        from rich.console import Console

        table.print_blocks(blocks, Console(file=stream, highlight=False))
        return
    for line in table.plain_lines_of(blocks):
        click.echo(line, file=stream)
