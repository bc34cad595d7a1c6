"""The entry points of the installed scripts. They import nothing heavy before they can catch Ctrl-C."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # without the import of typing, in which a Ctrl-C could not be caught yet
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

__all__ = ["mockserver", "ndjson_to_sse", "sse_to_ndjson", "streamkit"]

INTERRUPTED = 130
CLOSED_PIPE = 141


def streamkit() -> NoReturn:
    """Run `streamkit COMMAND`."""
    _run(_group)


def mockserver() -> NoReturn:
    """Run `mockserver`."""
    _run(_mockserver)


def ndjson_to_sse() -> NoReturn:
    """Run the filter `ndjson-to-sse`."""
    _run(_ndjson_to_sse)


def sse_to_ndjson() -> NoReturn:
    """Run the filter `sse-to-ndjson`."""
    _run(_sse_to_ndjson)


def _group() -> object:
    from streamkit.cli.group import group

    return group.main(prog_name="streamkit", standalone_mode=False)


def _mockserver() -> object:
    from streamkit.cli.mock import command

    return command.main(prog_name="mockserver", standalone_mode=False)


def _ndjson_to_sse() -> object:
    from streamkit.cli.ndjson_to_sse import command

    return command.main(prog_name="ndjson-to-sse", standalone_mode=False)


def _sse_to_ndjson() -> object:
    from streamkit.cli.sse_to_ndjson import command

    return command.main(prog_name="sse-to-ndjson", standalone_mode=False)


def _run(command: Callable[[], object]) -> NoReturn:
    """Run a command without click's own handling of errors, which knows neither our exit codes nor 130."""
    stdout = sys.stdout
    try:
        code = command()
        sys.stdout and sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        # click answers a closed pipe under its help text with another object in stdout's place, and exits 1.
        sys.exit(end.code if sys.stdout is stdout else CLOSED_PIPE)
    except Exception as error:  # noqa: BLE001 - what is not known here is raised again there
        sys.exit(_code_of(error))
    sys.exit(code if isinstance(code, int) else 0)


def _code_of(error: Exception) -> int:
    """Show what click or the system says, and return the exit code; raise what is a bug of ours."""
    import click

    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, click.Abort):  # what click makes of a Ctrl-C
        return INTERRUPTED
    if isinstance(error, OSError):
        from streamkit.cli.edge import IO_FAILED, say

        sys.stdout = None  # what is left in its buffer cannot be written either
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        say(error.strerror or str(error))
        return IO_FAILED
    raise error
