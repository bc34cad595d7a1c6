"""What all commands share at the process's edge: input, exit codes, and one line for what went wrong.

Exit codes: 0 ok, 2 usage, 3 input not decodable or cut, 4 reading or writing failed, 130 interrupted, 141 the output's
reader is gone. An error of the input, the network or the user never gives a traceback; a traceback is a bug of ours.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from streamkit import __version__
from streamkit.cli.main import CLOSED_PIPE, INTERRUPTED
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES
from streamkit.codecs.stage import BadRecord, Stage
from streamkit.errors import ConfigError, DecodeError, EncodeError, StreamkitError

if TYPE_CHECKING:
    import trio

__all__ = [
    "CONTEXT",
    "EXIT_CODES",
    "SkipBad",
    "fail",
    "filter_command",
    "limit_option",
    "run",
    "say",
    "skip_bad_option",
    "source_of",
]

USAGE: Final = 2
BAD_INPUT: Final = 3
IO_FAILED: Final = 4

EXIT_CODES: Final = "Exit codes: 0 ok, 2 usage, 3 input not decodable or cut, 4 I/O, 130 Ctrl-C, 141 closed pipe."
"""The last line of every help text."""

CONTEXT: Final = {"help_option_names": ["-h", "--help"]}

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def filter_command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function the command `name`, with what all filters have: FILE, `--version`, `-h`, the exit codes."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        with_file = click.argument("file", required=False)(function)
        with_version = click.version_option(__version__, prog_name=name)(with_file)
        return click.command(name, context_settings=CONTEXT, epilog=EXIT_CODES)(with_version)

    return decorate


def skip_bad_option(command: CommandT) -> CommandT:
    """Give a command `--skip-bad`."""
    return click.option(
        "--skip-bad", is_flag=True, help="Report a bad record on stderr and go on. A cut at the end is still exit 3."
    )(command)


def limit_option(name: str, what: str) -> Callable[[CommandT], CommandT]:
    """Give a command the limit on one record."""
    return click.option(
        name,
        type=click.IntRange(min=1),
        metavar="N",
        default=DEFAULT_LIMIT_BYTES,
        show_default=True,
        help=f"The most bytes that one {what} may have.",
    )


def fail(message: str, code: int) -> NoReturn:
    """Say in one line what went wrong, and exit."""
    say(message)
    sys.exit(code)


def say(message: str) -> None:
    """Write one line on stderr, whatever is in the message: a file's name may hold line ends and terminal codes."""
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in message)
    with contextlib.suppress(OSError):  # nobody can be told that nobody can be told
        click.echo(f"{_name()}: {shown}", err=True)


def source_of(file: str | None) -> trio.abc.ReceiveStream:
    """Return the source that FILE names: standard input for none and for `-`. Exits where there is nothing to read."""
    from streamkit.io.source import as_source, stdin_source

    if file is not None and file != "-":
        path = Path(file)
        if file and path.is_dir():
            fail(f"{file}: it is a directory", USAGE)
        if not os.access(file, os.R_OK):
            fail(f"{file or 'FILE'}: {'it may not be read' if path.exists() else 'no such file'}", USAGE)
        return as_source(file)
    if sys.__stdin__ is None:  # how Python shows that descriptor 0 was closed when it started; it may be another's now
        fail("standard input is closed", IO_FAILED)
    if file is None and os.isatty(0):
        fail(
            f"standard input is a terminal: pipe a stream in, name a FILE, or give - to type one ({_name()} --help)",
            USAGE,
        )
    return stdin_source()


class SkipBad(Stage[object, object]):
    """Takes the bad records out of a stream and reports each in a line on stderr."""

    name = "skip-bad"

    def feed(self, item: object, /) -> list[object]:
        if not isinstance(item, BadRecord):
            return [item]
        say(f"skipped: {item.error}")
        return []

    def feed_many(self, items: Iterable[object], /) -> list[object]:
        items = list(items)
        return items if BadRecord not in map(type, items) else super().feed_many(items)


def run(main: Callable[[], Awaitable[None]]) -> NoReturn:
    """Run a command's async part and exit with the code that fits how it ended."""
    if sys.__stdout__ is None:  # descriptor 1 was closed when Python started; it may be another's now
        fail("standard output is closed", IO_FAILED)
    import trio

    code = 0
    try:
        trio.run(main)
    except* KeyboardInterrupt:
        code = INTERRUPTED
    except* trio.BrokenResourceError as group:
        code = code or _broken(group)
    except* (DecodeError, EncodeError) as group:
        code = code or _report(group, BAD_INPUT)
    except* ConfigError as group:
        code = code or _report(group, USAGE)
    except* (StreamkitError, OSError) as group:
        code = code or _report(group, IO_FAILED)
    sys.exit(code)


def _broken(group: BaseExceptionGroup[Any]) -> int:
    """A closed output ends a filter in silence, as it ends every other program in a pipeline."""
    first = _first(group)
    return (
        CLOSED_PIPE
        if isinstance(first.__cause__, BrokenPipeError | ConnectionResetError)
        else _report(group, IO_FAILED)
    )


def _report(group: BaseExceptionGroup[Any], code: int) -> int:
    first = _first(group)
    say(first.strerror if isinstance(first, OSError) and first.strerror else str(first))
    return code


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _name() -> str:
    context = click.get_current_context(silent=True)
    return context.command_path if context else Path(sys.argv[0]).name
