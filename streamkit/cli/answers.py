"""The options that the commands for answers share: which dialect comes in, which goes out, and under which name.

The dialects are loaded when an option names one, or when a command runs: help does without.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from streamkit.cli.edge import limit_option
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["given_or_drawn", "identity_options", "input_options", "to_option"]

AUTO: Final = "auto"

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def input_options(command: CommandT) -> CommandT:
    """Give a command `--from`, `--strict` and `--max-record-bytes`."""
    command = limit_option("--max-record-bytes", "record")(command)
    command = click.option("--strict", is_flag=True, help="Refuse what would be repaired and reported.")(command)
    return click.option(
        "--from",
        "source",
        metavar="DIALECT",
        default=AUTO,
        show_default=True,
        callback=check_source,
        shell_complete=complete_source,
        help="What comes in: one of `streamkit dialects`, or NAME/FRAMING; auto finds out and says it.",
    )(command)


def to_option(*, required: bool, words: str) -> Callable[[CommandT], CommandT]:
    """Give a command `--to`."""
    return click.option(
        "--to",
        "target",
        metavar="DIALECT",
        required=required,
        callback=check_target,
        shell_complete=complete_target,
        help=words,
    )


def identity_options(command: CommandT) -> CommandT:
    """Give a command `--model` and `--id`."""
    command = click.option(
        "--id",
        "message_id",
        metavar="ID",
        callback=check_text,
        help="The answer's id, where the input has none; otherwise one is drawn if one is needed.",
    )(command)
    return click.option(
        "--model", metavar="NAME", default="", callback=check_text, help="Write this name instead of the model's own."
    )(command)


def check_source(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Return the name of a dialect to read."""
    return value if value == AUTO else check_target(ctx, param, value) or value


def check_target(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return the name of a dialect to write.

    Raises:
        click.BadParameter: there is no such dialect.
    """
    if value is None:
        return None
    from streamkit.dialects.registry import get_dialect

    try:
        get_dialect(value)
    except ConfigError as error:
        raise click.BadParameter(f"{error}.{did_you_mean(value)}", ctx, param) from None
    return value


def check_text(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return a text that is going to be written.

    Raises:
        click.BadParameter: its bytes were not UTF-8.
    """
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not UTF-8", ctx, param) from None
    return value


def did_you_mean(name: str) -> str:
    """Return a sentence with the dialects whose names are close to `name`, empty if there is none."""
    from difflib import get_close_matches

    from streamkit.dialects.registry import DIALECTS

    wanted, slash, framing = name.lower().replace("_", "-").partition("/")
    close = get_close_matches(wanted, DIALECTS)
    if wanted in DIALECTS and slash:
        close = [f"{wanted}/{each}" for each in get_close_matches(framing, DIALECTS[wanted].framings)]
    return f" Did you mean {' or '.join(close)}?" if close else ""


def complete_target(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete the name of a dialect, for shells."""
    from click.shell_completion import CompletionItem

    from streamkit.dialects.registry import DIALECTS

    return [CompletionItem(name, help=row.summary) for name, row in DIALECTS.items() if name.startswith(incomplete)]


def complete_source(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a dialect or `auto`."""
    from click.shell_completion import CompletionItem

    auto = [CompletionItem(AUTO)] if AUTO.startswith(incomplete) else []
    return auto + complete_target(ctx, param, incomplete)


def given_or_drawn(message_id: str | None) -> tuple[str, int]:
    """Return an id and a time for an answer that brings none: a stage has neither clock nor chance."""
    return message_id if message_id is not None else secrets.token_hex(12), time.time_ns()
