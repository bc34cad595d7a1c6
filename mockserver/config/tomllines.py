"""On which line of a TOML file each key stands, which `tomllib` does not tell. Pure.

This reads only as much as that needs, and only what `tomllib` has read without an error. Where it should lose its way
all the same, it returns what it has found so far: a message then names a line that is less exact, or none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

__all__ = ["TOMLPath", "line_at", "lines_of"]

TOMLPath = tuple[str | int, ...]
"""The keys, and the numbers of list items, that lead to a value: `("scenario", 0, "when", "path")`."""

SPACE: Final = re.compile(r"[ \t]*")
BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
KEY: Final = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
SCALAR: Final = re.compile(r"[^,\]}#\n]+")


class _LostError(Exception):
    """The text is not what it should be."""


def lines_of(text: str) -> dict[TOMLPath, int]:
    """Return the line, from 1, of each key, table and list item of a TOML file."""
    scanner = _Scanner(text)
    with suppress(_LostError, RecursionError):
        scanner.scan()
    return scanner.lines


def line_at(lines: Mapping[TOMLPath, int], path: TOMLPath) -> int | None:
    """Return the line of a value, or of the nearest table or list around it whose line is known."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


class _Scanner:
    """Goes through a text once."""

    def __init__(self, text: str) -> None:
        self.lines: dict[TOMLPath, int] = {}
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer(r"\n", text))]
        self._items: dict[TOMLPath, int] = {}
        """How many `[[tables]]` of each name have begun."""

    def scan(self) -> None:
        table: TOMLPath = ()
        self._take(BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                self._at += 2
                *above, name = self._keys()
                listed = (*self._found(above), name)
                number = self._items.get(listed, 0)
                self._items[listed] = number + 1
                self._note(listed)
                table = (*listed, number)
                self._note(table)
                self._expect("]]")
            elif self._text.startswith("[", self._at):
                self._at += 1
                table = self._found(self._keys())
                self._note(table)
                self._expect("]")
            else:
                self._pair(table)
            self._take(BLANK)

    def _pair(self, table: TOMLPath) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._expect("=")
        self._value(path)

    def _value(self, path: TOMLPath) -> None:
        self._take(SPACE)
        match self._text[self._at : self._at + 1]:
            case "[":
                self._at += 1
                number = 0
                self._take(BLANK)
                while not self._is_over("]"):
                    self._note((*path, number))
                    self._value((*path, number))
                    number += 1
                    self._comma()
            case "{":
                self._at += 1
                self._take(BLANK)
                while not self._is_over("}"):
                    self._pair(path)
                    self._comma()
            case '"' | "'":
                self._take(STRING)
            case _:
                self._take(SCALAR)

    def _keys(self) -> list[str]:
        import tomllib

        keys = []
        while True:
            self._take(SPACE)
            key = self._take(KEY)
            if key[0] in "\"'":
                try:
                    key = tomllib.loads(f"key = {key}")["key"]
                except tomllib.TOMLDecodeError:
                    raise _LostError from None
            keys.append(key)
            self._take(SPACE)
            if not self._is_over("."):
                return keys

    def _found(self, keys: list[str]) -> TOMLPath:
        """Return the path of a table's name, in which the name of a list of tables means its last one."""
        path: TOMLPath = ()
        for key in keys:
            path = (*path, key)
            if path in self._items:
                path = (*path, self._items[path] - 1)
        return path

    def _comma(self) -> None:
        self._take(BLANK)
        self._is_over(",")
        self._take(BLANK)

    def _is_over(self, sign: str) -> bool:
        """Go past a sign, if it is there."""
        if self._at >= len(self._text):
            raise _LostError
        is_there = self._text.startswith(sign, self._at)
        self._at += len(sign) * is_there
        return is_there

    def _expect(self, sign: str) -> None:
        if not self._is_over(sign):
            raise _LostError

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _LostError
        self._at = match.end()
        return match[0]

    def _note(self, path: TOMLPath) -> None:
        self.lines.setdefault(path, self._line())

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)
