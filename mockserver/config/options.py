"""The command line's options for all settings, made from their rows.

A setting `ttft` is the option `--ttft`; one that is a yes-or-no has a `--no-` form, which overrules a scenario file.
What the texts mean is checked by `mockserver.config.grammar`, as everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from mockserver.config.grammar import Pair
from mockserver.config.keys import GROUPS, SETTINGS, Setting

__all__ = ["click_options", "group_of"]

Command = Callable[..., Any]

PREFIX: Final = "setting_"


def click_options(argument: str = "pairs") -> Callable[[Command], Command]:
    """Return a decorator that gives a command an option for each setting that may stand on the command line.

    The command gets all that were given as one keyword argument: a list of pairs for
    `mockserver.config.grammar.layer_of`.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_pairs(*args: object, **options: Any) -> object:  # noqa: ANN401 - whatever other options give
            pairs = [pair for key in _keys() for pair in _pairs(key, options.pop(_name(key)))]
            return command(*args, **options, **{argument: pairs})

        decorated: Command = with_pairs
        for key in reversed(_keys()):
            decorated = _option(key, SETTINGS[key])(decorated)
        return decorated

    return decorate


def group_of(argument: str) -> str | None:
    """Return the heading of the group that an option's setting is in, or None for an option that is no setting.

    Args:
        argument: the option by its name as an argument, which is what click calls it.
    """
    return next((heading for heading, group in GROUPS.items() if argument in map(_name, group)), None)


def _keys() -> list[str]:
    return [key for key, setting in SETTINGS.items() if "command" in setting.scopes]


def _name(key: str) -> str:
    return PREFIX + key.replace("-", "_")


def _option(key: str, setting: Setting) -> Callable[[Command], Command]:
    import click

    text = setting.summary
    if setting.default and setting.takes:
        text += f"  [default: {setting.default}]"
    if setting.repeats:
        text += "  May be repeated."
    if setting.takes:
        return click.option(f"--{key}", _name(key), metavar=setting.takes, multiple=setting.repeats, help=text)
    names = f"--{key}/--no-{key}" if setting.may_be_false else f"--{key}"
    return click.option(names, _name(key), is_flag=True, default=None, help=text)


def _pairs(key: str, value: object) -> list[Pair]:
    match value:
        case None:
            return []
        case bool():
            return [(key, "true" if value else "false")]
        case tuple():
            return [(key, str(text)) for text in value]
        case _:
            return [(key, str(value))]
