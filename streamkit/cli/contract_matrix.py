"""`streamkit contract matrix`: the suite on several installed proxies, beside each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from streamkit.cli.contract_run import run_then_tell
from streamkit.cli.contract_setting import REPORTS, bound_of, cases_of, setting_of
from streamkit.cli.edge import IO_FAILED, say
from streamkit.cli.reports import check_places, told_to, write_reports

if TYPE_CHECKING:
    from streamkit.contract.matrix import Matrix
    from streamkit.contract.proxies import Running
    from streamkit.contract.results import Report, Result

__all__ = ["start"]

NEGATIVE: Final = 1

NOT_RUN: Final = "-"

SETUP: Final = ("setup.reach", "setup.forward", "setup.fresh")

UNTOLD: Final = "HARNESS-ERROR"


def start(options: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Do what the command line says, and exit.

    Raises:
        ConfigError: it makes no sense.
    """
    from streamkit.contract.proxies import parse_with

    check_places(options, REPORTS)
    chosen = [parse_with(name) for name in options["names"]]
    setting = setting_of(options)
    cases = cases_of(options, None)  # each proxy is asked for what it claims to be

    async def main() -> Callable[[], int]:
        from streamkit.contract.matrix import run_matrix
        from streamkit.contract.report.progress import Progress
        from streamkit.contract.report.text import counts_of

        shown: list[Progress] = []  # the one whose turn it is, on a terminal

        def on_start(run: Running) -> None:
            say(f"{run.name} {run.product.version} runs at {run.url}")
            if os.isatty(2):
                shown.append(Progress(stream=sys.stderr))

        def on_result(result: Result) -> None:
            for each in shown:
                each.result(result)

        def on_report(name: str, report: Report) -> None:
            while shown:
                shown.pop().close()
            say(f"{name}: {counts_of(report.summary)}, in {report.duration_s:.1f} s")

        profile = setting.profile if "profile" in given else None
        try:
            found = await run_matrix(
                chosen,
                cases,
                setting,
                profile=profile,
                bound_s=bound_of(options),
                on_start=on_start,
                on_result=on_result,
                on_report=on_report,
            )
        finally:
            while shown:
                shown.pop().close()
        return lambda: outcome(found, options)

    run_then_tell(main)


def outcome(found: Matrix, options: Mapping[str, Any]) -> int:
    """Write the reports, print the matrix, and return the exit code: whether any of them fails."""
    from streamkit.contract.report.document import as_json_matrix
    from streamkit.contract.report.expected import is_failing
    from streamkit.contract.report.page import as_html

    is_written = write_reports(
        options,
        {
            "json": lambda: as_json_matrix(found.names, found.reports),
            "html": lambda: as_html(found.reports, titles=found.names),
        },
    )
    for line in table(found):
        click.echo(line, file=told_to(options))
    failing = any(
        is_failing(each.verdict, strict=options["strict"]) for report in found.reports for each in report.results
    )
    if not is_written or any(map(untold, found.reports)):
        return IO_FAILED
    return NEGATIVE if failing else 0


def table(found: Matrix) -> list[str]:
    """Return the matrix as lines of text: a row for each case, a column for each proxy; then the counts of each.

    What could not be tested at all is said below.
    """
    counts_by_verdict = counted(found)
    width = max(map(len, [*(row.id for row in found.rows), *counts_by_verdict]))
    widths = [max(len(name), 17) for name in found.names]
    lines = ["  ".join([" " * width, *(name.ljust(each) for name, each in zip(found.names, widths, strict=True))])]
    for row in found.rows:
        cells = [str(verdict or NOT_RUN).ljust(each) for verdict, each in zip(row.verdicts, widths, strict=True)]
        lines.append("  ".join([row.id.ljust(width), *cells]))
    lines.append("")
    for verdict, counts in counts_by_verdict.items():
        cells = [str(count).ljust(each) for count, each in zip(counts, widths, strict=True)]
        lines.append("  ".join([verdict.ljust(width), *cells]))
    for name, report in zip(found.names, found.reports, strict=True):
        if why := untold(report):
            lines.append(f"{name} cannot be tested: {why}")
    return [line.rstrip() for line in lines]


def untold(report: Report) -> str:
    """Return why nothing could be said of a proxy; empty where something could."""
    return next((each.detail for each in report.results if each.id in SETUP and each.verdict == UNTOLD), "")


def counted(found: Matrix) -> dict[str, list[int]]:
    """Return how many cases there are of each verdict that there is, in each column."""
    summaries = [report.summary for report in found.reports]
    every = {verdict: [summary[verdict] for summary in summaries] for verdict in summaries[0]}
    return {verdict: counts for verdict, counts in every.items() if any(counts)}
