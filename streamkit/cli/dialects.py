"""`streamkit dialects`: the registry, for people and for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

import click

from streamkit import __version__
from streamkit.cli.edge import CONTEXT, EXIT_CODES, IO_FAILED, fail

__all__ = ["command"]


@click.command("dialects", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: a list with an object for each.")
@click.version_option(__version__, prog_name="dialects")
def command(as_json: bool) -> None:
    """List the dialects that streamkit reads and writes.

    What is marked in the second table survives a conversion to that dialect; `streamkit convert --report-loss` says
    what of a stream did not.

    \b
    Examples:
      streamkit dialects
      streamkit dialects --json | jq -r '.[].name'
    """
    if sys.__stdout__ is None:
        fail("standard output is closed", IO_FAILED)
    click.echo(as_document() if as_json else as_tables())


def as_document() -> str:
    """Return the registry as a JSON text of one line."""
    from streamkit.dialects.dialect import FEATURES
    from streamkit.dialects.registry import DIALECTS

    rows = [
        {
            "name": row.name,
            "summary": row.summary,
            "framings": [{"name": framing, "media_type": row.media_type(framing)} for framing in row.framings],
            "terminator": row.terminator,
            "carries": [feature for feature in FEATURES if feature in row.carries],
        }
        for row in DIALECTS.values()
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def as_tables() -> str:
    """Return the registry as two tables: how each dialect looks, and what it can carry."""
    from streamkit.dialects.dialect import FEATURES
    from streamkit.dialects.registry import DIALECTS

    looks = [
        (row.name if at == 0 else "", framing, row.media_type(framing), row.terminator if at == 0 else "")
        for row in DIALECTS.values()
        for at, framing in enumerate(row.framings)
    ]
    carries = [
        (row.name, *("x" if feature in row.carries else "-" for feature in FEATURES)) for row in DIALECTS.values()
    ]
    heads = [feature.removeprefix("tool-") for feature in FEATURES]
    return "\n\n".join(
        (
            table(("dialect", "framing", "media type", "ends with"), looks),
            table(("carries", *heads), carries, gap=1),
        )
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], gap: int = 2) -> str:
    """Return lines of aligned columns, as narrow as their longest cells."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    joint = " " * gap
    return "\n".join(
        joint.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
