r"""Scripts as files: what the server does, action by action, written down so that people and other tools can. Pure.

A file is one JSON document::

    {"mockserver_script": 1, "keep_alive": false, "actions": [
      {"do": "write", "text": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"do": "gate", "name": "held"},
      {"do": "write", "base64": "//4=", "tokens": 1},
      {"do": "stall", "for_ms": 20},
      {"do": "until", "at_ms": 250},
      {"do": "reset"}]}

The bytes are the whole response, head and framing included. Text stands for its UTF-8; what is no UTF-8 is base64. The
actions are those of `mockserver.script`; a `stall` without `for_ms` lasts until the client leaves.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from mockserver.script import Action, Close, Gate, Reset, Script, Stall, Until, Write
from streamkit.codecs.jsontext import decode_checked
from streamkit.errors import ConfigError

__all__ = ["read_script", "written_script"]

VERSION: Final = 1

MS: Final = 1_000_000

MAX_WAIT_MS: Final = 3_600_000
"""The longest that one action may wait."""


def written_script(script: Script) -> str:
    """Return the file of a script, an action a line."""
    actions = [msgspec.json.encode(_written(action)).decode() for action in script.actions]
    head = f'{{"mockserver_script": {VERSION}, "keep_alive": {"true" if script.keep_alive else "false"}, "actions": ['
    return f"{head}\n  {(',' + chr(10) + '  ').join(actions)}\n]}}\n" if actions else f"{head}]}}\n"


def read_script(data: bytes, name: str = "the script") -> Script:
    """Read a script's file.

    Args:
        data: its bytes.
        name: what errors call it.

    Raises:
        ConfigError: it is none; the text says where and what is wrong.
    """
    try:
        document = decode_checked(data)
    except ValueError as error:
        raise ConfigError(f"{name} is no JSON: {error}") from None
    if not isinstance(document, dict) or document.get("mockserver_script") != VERSION:
        raise ConfigError(f'{name} is no script: it has to be an object with "mockserver_script": {VERSION}')
    known = {"mockserver_script", "keep_alive", "actions"}
    if unknown := sorted(document.keys() - known):
        raise ConfigError(f"{name} has a field {unknown[0]!r}; it may have {', '.join(sorted(known))}")
    keep_alive, actions = document.get("keep_alive", False), document.get("actions")
    if not isinstance(keep_alive, bool):
        raise ConfigError(f"{name}: keep_alive is true or false")
    if not isinstance(actions, list):
        raise ConfigError(f"{name}: actions is a list")
    read = [_read(each, f"{name}: action {number}") for number, each in enumerate(actions, 1)]
    return Script(_checked(read, name), keep_alive)


def _checked(actions: list[Action], name: str) -> list[Action]:
    for number, action in enumerate(actions[:-1], 1):
        if isinstance(action, Reset | Close):
            raise ConfigError(f"{name}: nothing can follow action {number}, which ends the connection")
    return actions


def _written(action: Action) -> dict[str, object]:
    match action:
        case Write():
            tokens = {"tokens": action.tokens} if action.tokens else {}
            try:
                return {"do": "write", "text": action.data.decode(), **tokens}
            except UnicodeDecodeError:
                return {"do": "write", "base64": base64.b64encode(action.data).decode(), **tokens}
        case Until():
            return {"do": "until", "at_ms": action.at_ns / MS}
        case Gate():
            return {"do": "gate", "name": action.name}
        case Stall():
            return {"do": "stall"} if action.for_ns is None else {"do": "stall", "for_ms": action.for_ns / MS}
        case Reset():
            return {"do": "reset"}
        case Close():
            return {"do": "close"}


FIELDS: Final = {
    "write": {"text", "base64", "tokens"},
    "until": {"at_ms"},
    "gate": {"name"},
    "stall": {"for_ms"},
    "reset": set[str](),
    "close": set[str](),
}
"""What each action may have besides `do`."""


def _read(value: Any, where: str) -> Action:  # noqa: ANN401 - JSON
    what = value.get("do") if isinstance(value, dict) else None
    if not isinstance(what, str) or what not in FIELDS:
        raise ConfigError(f"{where} has to be an object whose do is one of {', '.join(FIELDS)}")
    if unknown := sorted(value.keys() - FIELDS[what] - {"do"}):
        raise ConfigError(f"{where} has a field {unknown[0]!r}, which {what} does not know")
    match what:
        case "write":
            return _read_write(value, where)
        case "until":
            return Until(_ns(value.get("at_ms"), f"{where}: at_ms"))
        case "stall":
            return Stall(None if "for_ms" not in value else _ns(value["for_ms"], f"{where}: for_ms"))
        case "gate":
            name = value.get("name")
            if not isinstance(name, str) or not name:
                raise ConfigError(f"{where}: name is the gate's")
            return Gate(name)
        case "reset":
            return Reset()
    return Close()


def _read_write(value: dict[str, Any], where: str) -> Write:
    tokens = value.get("tokens", 0)
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
        raise ConfigError(f"{where}: tokens is how many are complete by then")
    given = [each for each in ("text", "base64") if each in value]
    if len(given) != 1 or not isinstance(value[given[0]], str):
        raise ConfigError(f"{where} writes either text or base64, a string")
    if given == ["text"]:
        return Write(value["text"].encode(), tokens)
    try:
        return Write(base64.b64decode(value["base64"], validate=True), tokens)
    except ValueError:
        raise ConfigError(f"{where}: base64 is none") from None


def _ns(value: object, where: str) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_WAIT_MS:
        raise ConfigError(f"{where} is a number of milliseconds, at most {MAX_WAIT_MS}")
    return round(value * MS)
