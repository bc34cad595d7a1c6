"""A header field as people write it on a command line: `NAME=VALUE`. Pure (RFC 9110 section 5)."""

from __future__ import annotations

import re
from typing import Final

from streamkit.errors import ConfigError

__all__ = ["parse_field"]

NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")


def parse_field(text: str) -> tuple[str, str]:
    """Return the name, and the value without the blanks around it.

    Raises:
        ConfigError: it is no field. The value is not shown: it may be a secret.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError("write NAME=VALUE")
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!a} is no name of a header")
    if not VALUE.fullmatch(value):
        raise ConfigError(f"the value of {name} has characters that no header may have")
    return name, value.strip(" \t")
