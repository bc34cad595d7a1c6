"""What the commands that ask a server share: how long to wait, whom to trust, what else the request says.

Nothing of it is loaded before an option is used: help does without.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from streamkit.errors import ConfigError

if TYPE_CHECKING:
    import ssl

__all__ = [
    "api_key_in",
    "asking_options",
    "given",
    "has_colours",
    "header_option",
    "timeout_option",
    "trusted",
    "while_read",
]

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

STDOUT_FD: Final = 1


def check_duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return a duration, written with its unit, in seconds; None for 0, which is no limit.

    Raises:
        click.BadParameter: it is none.
    """
    if value is None:
        return None
    from mockserver.durations import parse_duration

    try:
        return parse_duration(value) / 1e9 or None
    except ConfigError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def check_fields(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[tuple[str, str]]:
    """Return header fields, each written NAME=VALUE, as pairs.

    Raises:
        click.BadParameter: one is none. A value is not shown: it may be a secret.
    """
    if not values:
        return []
    from streamkit.http.field import parse_field

    try:
        return [parse_field(each) for each in values]
    except ConfigError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def given(ctx: click.Context) -> dict[str, str]:
    """Return the options that were written on the command line, by the names of their parameters."""
    written = click.core.ParameterSource.COMMANDLINE
    return {
        each.name: each.opts[0]
        for each in ctx.command.params
        if each.name and ctx.get_parameter_source(each.name) is written
    }


def header_option(words: str) -> Callable[[CommandT], CommandT]:
    """Give a command `--header`, which may be repeated."""
    return click.option("--header", "headers", metavar="NAME=VALUE", multiple=True, callback=check_fields, help=words)


def timeout_option(name: str, variable: str, words: str, default: str | None = None) -> Callable[[CommandT], CommandT]:
    """Give a command a timeout, in seconds."""
    return click.option(
        name, variable, callback=check_duration, metavar="TIME", default=default, show_default=True, help=words
    )


def asking_options(command: CommandT) -> CommandT:
    """Give a command `--dialect`, `--model`, `--header`, `--api-key-env`, `--upstream-ca` and two timeouts."""
    options = (
        click.option(
            "--dialect",
            metavar="DIALECT",
            default="auto",
            show_default=True,
            help="What the server speaks: one of `streamkit dialects`; auto tells by the URL (chat: or asks there).",
        ),
        click.option("--model", metavar="NAME", default="", help="The model that is asked."),
        header_option("Send this header too; may be repeated."),
        click.option(
            "--api-key-env",
            metavar="NAME",
            help="The environment variable that holds the API key; it goes where the dialect wants it.",
        ),
        click.option(
            "--upstream-ca",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Trust the authorities in this PEM file instead of the system's.",
        ),
        timeout_option(
            "--connect-timeout", "connect_s", "How long connecting may take, like 500ms or 10s; 0 for ever.", "10s"
        ),
        timeout_option("--timeout", "total_s", "How long all of it may take."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def api_key_in(variable: str | None, option: str = "--api-key-env") -> str:
    """Return the key that an environment variable holds; empty where none is named; `option` is what named it.

    Raises:
        ConfigError: there is no such variable, or nothing in it.
    """
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"{option} {variable}: there is no such environment variable, or nothing is in it")
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"{option} {variable}: its value has characters that no header may have")
    return key


def trusted(authority: Path | None) -> ssl.SSLContext | None:
    """Return what trusts the authorities in a PEM file; None, the system's, where there is no file.

    Raises:
        ConfigError: the file cannot be read, or has no certificate in it.
    """
    if authority is None:
        return None
    from streamkit.http.connect import trust

    return trust(authority)


def has_colours(descriptor: int) -> bool:
    """Tell whether what is written there is seen on a terminal that has colours, by one who wants them."""
    return os.isatty(descriptor) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@asynccontextmanager
async def while_read() -> AsyncIterator[None]:
    """Run the block only as long as somebody reads standard output, also while nothing is written to it.

    Without this a server would go on for a reader that has gone until it says the next word. Only a pipe can tell.

    Raises:
        BrokenResourceError: the reader has gone; the cause is a BrokenPipeError. Inside of an exception group.
    """
    import trio

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_reader)
        yield
        nursery.cancel_scope.cancel()


async def _watch_reader() -> None:
    import trio

    if not stat.S_ISFIFO(os.fstat(STDOUT_FD).st_mode):
        return
    await trio.lowlevel.wait_readable(STDOUT_FD)  # the writing end of a pipe only ever becomes that by an error
    poll = select.poll()
    poll.register(STDOUT_FD, 0)
    if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
        raise trio.BrokenResourceError("the reader of this output has closed it") from BrokenPipeError()
