"""The rows and the summary of `streamkit inspect`, as text for people and as JSON for programs.

Every cell has its unit and its width, so that the lines are a table by themselves. Of the stream itself only the ends
of reads are shown, as printable ASCII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamkit.io.readlog import ReadRow, Summary

__all__ = ["HEADING", "row_json", "row_text", "summary_json", "summary_text"]

CUTS: Final = {
    "character": "inside a character",
    "cr": "behind a CR",
    "record": "inside a record",
    "between": "between records",
    None: "-",
}

COLOURS: Final = {"character": "31", "cr": "35", "record": "33", "between": "32"}
"""By ECMA-48: red, magenta, yellow, green."""

BOLD: Final = "1"

HEADING: Final = f"{'read':>5} {'at':>15} {'gap':>15} {'bytes':>9} {'records':>9}  {'cut':<18}  its last bytes"


def row_text(row: ReadRow, *, colours: bool) -> str:
    """Return the line for one read."""
    cut = f"{CUTS[row.cut]:<18}"
    if colours and row.cut is not None:
        cut = _painted(cut, COLOURS[row.cut])
    gap = "-" if row.gap_ns is None else f"+{_ms(row.gap_ns)}"
    bad = f"  {row.bad_records} bad" if row.bad_records else ""
    is_together = row.gap_ns is None and row.number > 1
    why = "with the read before" if is_together or row.segments is None else _count(row.segments, "segment")
    unresolved = "" if row.is_resolved else f"  unresolved: {why}"
    return (
        f"{row.number:>5} {_ms(row.at_ns):>15} {gap:>15} {row.bytes:>7} B {row.records:>5} rec  {cut}"
        f"  {row.tail}{bad}{unresolved}\n"
    )


def summary_text(summary: Summary, *, colours: bool) -> str:
    """Return the lines for the whole stream."""
    what = f"{summary.dialect} in {summary.framing}" if summary.dialect else summary.framing
    what = "" if summary.framing in {"none", "auto"} else f" ({what}, {summary.records_per_read:.2f} a read)"
    first = (
        f"{_count(summary.reads, 'read')}, {_count(summary.bytes, 'byte')}, {_count(summary.records, 'record')}{what}"
        + (f", {summary.bad_records} bad" if summary.bad_records else "")
        + (f", {_count(summary.comments, 'comment')}" if summary.comments else "")
    )
    lines = [_painted(first, BOLD) if colours else first]
    lines.append(
        f"first byte {_time(summary.first_byte_ns)}, first record {_time(summary.first_record_ns)},"
        f" end {_ms(summary.ended_ns)}: {summary.how}" + (f" ({summary.detail})" if summary.detail else "")
    )
    if summary.gaps is not None:
        gaps = summary.gaps
        lines.append(
            f"gaps ({gaps.count} resolved) p50 {_ms(gaps.p50_ns)}, p90 {_ms(gaps.p90_ns)},"
            f" p99 {_ms(gaps.p99_ns)}, max {_ms(gaps.max_ns)}"
        )
    cuts = summary.cuts
    if any((cuts.character, cuts.crlf, cuts.record, cuts.between)):
        lines.append(
            f"cuts: {cuts.character} inside a character, {cuts.crlf} between CR and LF, {cuts.record} inside a record,"
            f" {cuts.between} between records"
        )
    if summary.kernel_reads or summary.unresolved_reads:
        lines.append(
            f"times: the kernel's for {summary.kernel_reads} of {_count(summary.reads, 'read')},"
            f" {summary.unresolved_reads} unresolved"
        )
    return "\n" + "".join(f"{line}\n" for line in lines)


def row_json(row: ReadRow) -> bytes:
    """Return the line for one read as JSON."""
    import msgspec

    return msgspec.json.encode(row) + b"\n"


def summary_json(summary: Summary) -> bytes:
    """Return the line for the whole stream as JSON."""
    import msgspec

    return msgspec.json.encode(summary) + b"\n"


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.3f} ms"


def _time(ns: int | None) -> str:
    return "-" if ns is None else _ms(ns)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _painted(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"
