"""The files that commands with reports read and write: what cannot be written is said, and keeps nothing else back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from streamkit.cli.edge import say
from streamkit.errors import ConfigError

__all__ = ["check_places", "read_file", "told_to", "write_file", "write_reports"]


def check_places(options: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse files that cannot be written, before the time that it takes to find something to write.

    Args:
        options: of the command line; `json_path` is that of `--json`.
        names: of the options. `--json` alone may be `-`.

    Raises:
        ConfigError: there is one.
    """
    for name in names:
        path = options.get(f"{name}_path")
        if path is None:
            continue
        if str(path) == "-":
            if name != "json":
                raise ConfigError(f"--{name} - would stand among the lines of the run: name a file, or /dev/stderr")
        elif not path.absolute().parent.is_dir():
            raise ConfigError(f"--{name} {path}: there is no such directory")
        elif path.is_dir():
            raise ConfigError(f"--{name} {path}: it is a directory")
        elif not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
            raise ConfigError(f"--{name} {path}: it cannot be written")


def write_reports(options: Mapping[str, Any], made: Mapping[str, Callable[[], str]]) -> bool:
    """Write each report that is asked for, and tell whether all could be; what could not is said."""
    wanted = {name: path for name in made if (path := options.get(f"{name}_path")) is not None}
    written = [write_file(path, made[name]().encode(), f"--{name}") for name, path in wanted.items()]
    return all(written)


def told_to(options: Mapping[str, Any]) -> TextIO:
    """Return where people read how it goes: standard output, but where that is for JSON."""
    return sys.stderr if str(options["json_path"]) == "-" else sys.stdout


def read_file(path: Path, option: str) -> bytes:
    """Return what is in a file, or comes on standard input where it is `-`.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{option} {path}: {error.strerror}") from error


def write_file(path: Path, data: bytes, option: str) -> bool:
    """Write a file, or standard output where it is `-`; tell whether that could be done, and say so where not."""
    try:
        if str(path) == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            path.write_bytes(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        say(f"{option} {path}: {error.strerror}")
        return False
    return True
