"""Reading the files that a user names: a scenario file, and the texts and traces that settings name.

The only I/O of the grammar, and all of it happens at the start. A file is UTF-8, and has a bound.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mockserver.config.scenarios import Scenarios
from mockserver.config.values import ReadFile
from streamkit.errors import ConfigError

__all__ = ["load_scenarios", "read_text", "reader"]

MAX_FILE_BYTES: Final = 64 << 20


def read_text(path: str | Path) -> str:
    """Return the text of a file, line ends as they are, without a byte order mark.

    Raises:
        ConfigError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"the file {str(path)!r} cannot be read: {reason}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"the file {str(path)!r} has more than {MAX_FILE_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"the file {str(path)!r} is not UTF-8: byte {error.start} is wrong") from None


def reader(folder: str | Path = ".") -> ReadFile:
    """Return a function that reads files whose names are relative to a folder."""
    return lambda name: read_text(Path(folder) / name)


def load_scenarios(path: str | Path) -> Scenarios:
    """Read a scenario file, and the files that it names, relative to it.

    Raises:
        ConfigError: as `Scenarios.load_text`, or a file cannot be read.
    """
    return Scenarios.load_text(read_text(path), file=str(path), read_file=reader(Path(path).parent))
