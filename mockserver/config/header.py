r"""The request header `X-Mock: rate=50; split=every-byte; fault=reset@token:5`, as pairs of key and text. Pure.

Settings are parted by semicolons. A value is taken as it is, or is a JSON string: `say="one; two\n"`. Inside a value
that does not begin with a quote, quotes protect semicolons too, so JSON can stand there: `call=find:{"q": "a; b"}`.

HTTP may join several headers of one name with a comma and a space. Such a comma parts settings too, where the key of
another setting follows (`rate=50, split=every-byte`); any other comma belongs to its value. For `say`, whose text might
well go on like that, this is an error and the text wants quotes.

A header is bytes that servers read as Latin-1; what is UTF-8 is taken as that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from mockserver.config.keys import SETTINGS, Setting
from mockserver.config.values import close_to, shown
from streamkit.errors import ConfigError

__all__ = ["Pair", "header_text", "parse_header", "setting_of"]

Pair = tuple[str, str]
"""A setting's key and the text of its value. A bare key has the text "true"."""

BETWEEN: Final = re.compile(r"[\s;,]*")
KEY: Final = re.compile(r"([^\s=;,\"]+)[ \t]*(=?)[ \t]*")
QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
PLAIN: Final = re.compile(r'[^";,]+')
END: Final = re.compile(r"[ \t]*(?:[;,]|\Z)")
NEXT_KEY: Final = re.compile(r",[ \t]+([a-z][a-z_-]*)[ \t]*(=|(?=[;,]|\Z))")
UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\xbf]")
"""What a header cannot have, and without which no Latin-1 text could be taken for UTF-8."""


def setting_of(key: str) -> Setting:
    """Return the setting with this key.

    Raises:
        ConfigError: there is none.
    """
    setting = SETTINGS.get(key)
    if setting is None:
        guess = close_to(key, SETTINGS) or f"; there are {', '.join(SETTINGS)}"
        raise ConfigError(f"there is no setting {shown(key)}{guess}")
    return setting


def parse_header(text: str) -> list[Pair]:
    """Read the value of the header.

    Raises:
        ConfigError: a setting is not known or has no value, a quote is not closed, or the end of a text is not clear.
    """
    text = _decoded(text)
    pairs = []
    at = BETWEEN.match(text).end()  # type: ignore[union-attr]  # it matches nothing too
    while at < len(text):
        match = KEY.match(text, at)
        if match is None:
            raise ConfigError(f"{shown(text[at:])} should be KEY=VALUE")
        key, equals = match[1], match[2]
        setting = setting_of(key)
        at = match.end()
        if equals:
            value, at = _value(text, at, key, setting)
        elif setting.takes:
            raise ConfigError(f"{key} needs a value: write {key}={setting.takes}")
        elif not END.match(text, at):
            raise ConfigError(f"{key} is followed by {shown(text[at:])}: settings are parted by ;")
        else:
            value = "true"
        pairs.append((key, value))
        at = BETWEEN.match(text, at).end()  # type: ignore[union-attr]
    return pairs


def header_text(pairs: Iterable[Pair]) -> str:
    """Return how settings are written in a header: as they are where that is read as the same again, else quoted."""
    return "; ".join([_written(key, value) for key, value in pairs])


def _written(key: str, value: str) -> str:
    if not UNSAFE.search(value):
        plain = f"{key}={value}"
        try:
            if parse_header(plain) == [(key, value)]:
                return plain
        except ConfigError:
            pass
    quoted = UNSAFE.sub(lambda each: "\\u" + f"{ord(each[0]):04x}", json.dumps(value, ensure_ascii=False))
    return f"{key}={quoted}"


def _value(text: str, at: int, key: str, setting: Setting) -> tuple[str, int]:
    """Return the value that begins here, and where it ends."""
    quoted = QUOTED.match(text, at)
    if quoted is None:
        return _plain_value(text, at, key, setting)
    if not END.match(text, quoted.end()):
        raise ConfigError(
            f'{key}: after the closing quote comes {shown(text[quoted.end() :])}; a quote inside is written \\"'
        )
    try:
        return msgspec.json.decode(quoted[0], type=str), quoted.end()
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ConfigError(f"{key}: {shown(quoted[0])} is not quoted as JSON does it: {error}") from None


def _plain_value(text: str, at: int, key: str, setting: Setting) -> tuple[str, int]:
    start = at
    while at < len(text) and text[at] != ";":
        if text[at] == ",":
            if _is_next(text, at, key, setting):
                break
            at += 1
            continue
        match = (QUOTED if text[at] == '"' else PLAIN).match(text, at)
        if match is None:
            raise ConfigError(f'{key}: the quote in {shown(text[at:])} is not closed; quote all of it, with \\" inside')
        at = match.end()
    return text[start:at].rstrip(), at


def _is_next(text: str, at: int, key: str, setting: Setting) -> bool:
    """Tell whether the comma here is followed by another setting."""
    match = NEXT_KEY.match(text, at)
    if match is None:
        return False
    is_known = match[1] in SETTINGS and (bool(match[2]) or not SETTINGS[match[1]].takes)
    if is_known and key == "say":
        raise ConfigError(
            f"say: does the text end before {shown(text[at:])}? Put it in quotes, or part settings by a semicolon"
        )
    return is_known or (bool(match[2]) and not setting.has_commas)


def _decoded(text: str) -> str:
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
