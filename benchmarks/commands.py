"""The commands under measurement, as argument lists.

The installed script beside this interpreter is what a user runs, so it comes first. In a checkout that is not
installed, this interpreter runs the same entry point; that costs a few milliseconds more or less at the start and
nothing later.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig

from benchmarks.measure import Unavailable

__all__ = ["command", "tool"]

ENTRY_POINTS = {
    "ndjson-to-sse": "ndjson_to_sse",
    "sse-to-ndjson": "sse_to_ndjson",
    "streamkit": "streamkit",
}


def command(name: str, *options: str) -> list[str]:
    """The argument list that runs one of our commands."""
    script = shutil.which(name, path=sysconfig.get_path("scripts"))
    if script is not None:
        return [script, *options]
    entry = ENTRY_POINTS[name]
    return [sys.executable, "-c", f"from streamkit.cli.main import {entry}; {entry}()", *options]


def tool(name: str) -> str:
    """The path of a tool that pip cannot install.

    Raises:
        Unavailable: it is not on the PATH.
    """
    path = shutil.which(name)
    if path is None:
        msg = f"{name} is not on the PATH"
        raise Unavailable(msg)
    return path
