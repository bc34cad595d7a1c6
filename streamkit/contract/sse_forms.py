"""Server-sent events in other forms that the specification allows: line ends, fields, comments, several lines. Pure.

Each takes a piece of whole events as our encoders write them (lines end with LF, a blank line ends an event, data is
one line) and returns one that means the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from streamkit.contract.content import Part
from streamkit.contract.setting import Setting
from streamkit.dialects.registry import get_dialect

__all__ = ["BOM", "is_sse", "with_comments", "with_fields", "with_line_ends", "with_lines_of_data"]

BOM: Final = b"\xef\xbb\xbf"

DATA: Final = b"data: "


def is_sse(setting: Setting) -> bool:
    """Tell whether the upstream's stream is one of server-sent events: what is about their form needs one."""
    return get_dialect(setting.upstream_dialect)[1] == "sse"


def with_line_ends(part: Part, end: bytes) -> Part:
    """Return a piece whose lines end with CR LF, or CR."""
    return replace(part, data=part.data.replace(b"\n", end))


def with_comments(part: Part) -> Part:
    """Return a piece with comments before, in and behind each event; some of them look like data."""
    lines = [b": before" if line.startswith(DATA) else b"" for line in part.data.split(b"\n")]
    out = bytearray()
    for comment, line in zip(lines, part.data.split(b"\n")[:-1], strict=False):
        if comment:
            out += comment + b"\n:\n"
        out += line + b"\n"
        if comment:
            out += b':data: {"no":"data"}\n'
        elif not line:
            out += b": keep-alive\n\n"
    return replace(part, data=bytes(out))


def with_fields(part: Part, number: int) -> Part:
    """Return a piece whose events have an id, a time to wait before a new attempt, and a field that nobody knows."""
    fields = b"id: %d\nretry: 3000\nstreamkit-unknown: x\n" % number
    return replace(part, data=part.data.replace(DATA, fields + DATA))


def with_lines_of_data(part: Part) -> Part:
    """Return a piece whose JSON documents stand in three lines of data each, as JSON may."""
    events = part.data.split(b"\n\n")
    return replace(part, data=b"\n\n".join(_in_lines(event) for event in events))


def _in_lines(event: bytes) -> bytes:
    lines = event.split(b"\n")
    for at, line in enumerate(lines):
        if line.startswith(DATA + b"{") and line.endswith(b"}") and len(line) > len(DATA) + 2:
            inner = line[len(DATA) + 1 : -1]
            lines[at] = b"data: {\ndata:" + inner + b"\ndata: }"
    return b"\n".join(lines)
