"""The entry points of the installed scripts. They import nothing heavy before they can catch Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

__all__ = ["ndjson_to_sse", "sse_to_ndjson", "streamkit"]

INTERRUPTED = 130


def streamkit() -> NoReturn:
    """Run `streamkit COMMAND`."""
    _run(_group)


def ndjson_to_sse() -> NoReturn:
    """Run the filter `ndjson-to-sse`."""
    _run(_ndjson_to_sse)


def sse_to_ndjson() -> NoReturn:
    """Run the filter `sse-to-ndjson`."""
    _run(_sse_to_ndjson)


def _group() -> object:
    from streamkit.cli.group import group

    return group(prog_name="streamkit")


def _ndjson_to_sse() -> object:
    from streamkit.cli.ndjson_to_sse import command

    return command(prog_name="ndjson-to-sse")


def _sse_to_ndjson() -> object:
    from streamkit.cli.sse_to_ndjson import command

    return command(prog_name="sse-to-ndjson")


def _run(command: Callable[[], object]) -> NoReturn:
    try:
        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(0)
