"""`streamkit contract matrix`: the suite on several installed proxies, beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from streamkit.cli.contract_run import run_then_tell, told_to, write_file
from streamkit.cli.contract_setting import bound_of, cases_of, check_places, setting_of
from streamkit.cli.edge import say

if TYPE_CHECKING:
    from streamkit.contract.matrix import Matrix
    from streamkit.contract.proxies import Running

__all__ = ["start"]

NEGATIVE: Final = 1

NOT_RUN: Final = "-"


def start(options: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Do what the command line says, and exit.

    Raises:
        ConfigError: it makes no sense.
    """
    from streamkit.contract.proxies import parse_with

    check_places(options)
    chosen = [parse_with(name) for name in options["names"]]
    setting = setting_of(options)
    cases = cases_of(options, None)  # each proxy is asked for what it claims to be

    async def main() -> Callable[[], int]:
        from streamkit.contract.matrix import run_matrix

        def on_start(run: Running) -> None:
            say(f"{run.name} {run.product_version} runs at {run.url}")

        profile = setting.profile if "profile" in given else None
        found = await run_matrix(chosen, cases, setting, profile=profile, bound_s=bound_of(options), on_start=on_start)
        return lambda: outcome(found, options)

    run_then_tell(main)


def outcome(found: Matrix, options: Mapping[str, Any]) -> int:
    """Write the reports, print the matrix, and return the exit code: whether any of them fails."""
    from streamkit.contract.report.document import as_json_matrix
    from streamkit.contract.report.expected import is_failing
    from streamkit.contract.report.page import as_html

    if options["json_path"] is not None:
        write_file(options["json_path"], as_json_matrix(found.names, found.reports).encode(), "--json")
    if options["html_path"] is not None:
        write_file(options["html_path"], as_html(found.reports, titles=found.names).encode(), "--html")
    for line in table(found):
        click.echo(line, file=told_to(options))
    failing = any(
        is_failing(each.verdict, strict=options["strict"]) for report in found.reports for each in report.results
    )
    return NEGATIVE if failing else 0


def table(found: Matrix) -> list[str]:
    """Return the matrix as lines of text: a row for each case, a column for each proxy."""
    width = max(len(row.id) for row in found.rows)
    widths = [max(len(name), 17) for name in found.names]
    lines = ["  ".join([" " * width, *(name.ljust(each) for name, each in zip(found.names, widths, strict=True))])]
    for row in found.rows:
        cells = [str(verdict or NOT_RUN).ljust(each) for verdict, each in zip(row.verdicts, widths, strict=True)]
        lines.append("  ".join([row.id.ljust(width), *cells]))
    return [line.rstrip() for line in lines]
