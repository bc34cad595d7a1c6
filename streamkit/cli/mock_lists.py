"""`mockserver faults` and `mockserver endpoints`: the mock server's tables, for people and for machines.

What is written is the same on a terminal and in a pipe.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby

import click

from streamkit import __version__
from streamkit.cli.edge import CONTEXT, EXIT_CODES, IO_FAILED, fail

__all__ = ["endpoints", "faults"]

GAP = "  "


@click.command("faults", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: a list with an object for each.")
@click.version_option(__version__, prog_name="faults")
def faults(as_json: bool) -> None:
    """List what can go wrong on purpose.

    A fault is written KIND[:ARGUMENT][@PLACE][,first:N][,share:P]. The list says where each happens when no place is
    given; those below the name of a dialect are for this dialect alone.

    \b
    Examples:
      mockserver faults
      mockserver --fault reset@token:5
      mockserver --fault status:503:1,first:2
    """
    show(faults_document() if as_json else faults_table())


@click.command("endpoints", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: a list with an object for each.")
@click.version_option(__version__, prog_name="endpoints")
def endpoints(as_json: bool) -> None:
    """List the paths that the mock server has.

    A path below another one is the same endpoint at another place. The admin API is below /_mock/.

    \b
    Examples:
      mockserver endpoints
      mockserver endpoints --json | jq -r '.[].path'
    """
    show(endpoints_document() if as_json else endpoints_table())


def show(text: str) -> None:
    """Write a text to standard output."""
    if sys.__stdout__ is None:
        fail("standard output is closed", IO_FAILED)
    click.echo(text)


def document(rows: list[dict[str, object]]) -> str:
    """Return rows as a JSON text of one line."""
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def faults_document() -> str:
    """Return the faults as a JSON text: a dialect or a place that is not restricted is null or empty."""
    from mockserver.faults.spec import place_text
    from mockserver.faults.table import FAULTS

    return document(
        [
            {
                "name": kind.name,
                "takes": kind.takes,
                "default": kind.default,
                "place": None if kind.place is None else place_text(kind.place),
                "places": sorted(kind.places),
                "dialects": list(kind.dialects),
                "summary": kind.summary,
            }
            for kind in FAULTS.values()
        ]
    )


def endpoints_document() -> str:
    """Return the endpoints as a JSON text; `header` is what a request must have besides the path, or null."""
    from streamkit.vendors import ENDPOINTS

    return document(
        [
            {
                "method": row.method,
                "path": row.pattern,
                "header": row.header or None,
                "dialect": row.dialect,
                "summary": row.summary,
            }
            for row in ENDPOINTS
        ]
    )


def faults_table() -> str:
    """Return the faults in aligned columns, those of single dialects below the dialects' names."""
    from mockserver.faults.listing import describe

    rows = describe()
    order = list(dict.fromkeys(["", *(row.dialects for row in rows)]))
    rows.sort(key=lambda row: order.index(row.dialects))
    widths = [max(map(len, column)) for column in zip(*((row.written, row.place) for row in rows), strict=True)]
    lines = [aligned(("fault", "where", "what it does"), widths)]
    for dialects, group in groupby(rows, key=lambda row: row.dialects):
        if dialects:
            lines += ["", f"only {dialects}:"]
        lines += [aligned((row.written, row.place, row.summary), widths) for row in group]
    return "\n".join(lines)


def endpoints_table() -> str:
    """Return the endpoints in aligned columns, each with its other paths below it."""
    from streamkit.vendors.listing import describe

    rows = describe()
    cells = [("method", "path", "dialect"), *((row.method, row.path, row.dialect) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [aligned((*cells[0], "what it is"), widths)]
    for row in rows:
        lines.append(aligned((row.method, row.path, row.dialect, row.summary), widths))
        lines += [aligned(("", path), widths) for path in row.other_paths]
    return "\n".join(lines)


def aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    """Return a line of columns; what comes after the last of the widths may be of any length."""
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return GAP.join((*padded, *cells[len(widths) :])).rstrip()
