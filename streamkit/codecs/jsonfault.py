"""Where a JSON text first goes wrong: the first byte that no JSON text could have there (RFC 8259's grammar).

Only for texts that the decoder has refused. The decoder knows that they are wrong; the place that it names depends on
its version and is off by a byte or two in escapes, in literals and after the value. Linear, without recursion.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["first_fault"]

TOO_SHORT: Final = "it ends too early"

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING_BODY = re.compile(rb'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_PART_OF_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_PART_OF_NUMBER = re.compile(rb"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[eE][+-]?[0-9]*)?)?|[eE][+-]?[0-9]*)?)?")
_LITERALS: Final = {b"t": b"true", b"f": b"false", b"n": b"null"}


class _Scanner:
    """A place in the text and, once something is wrong there, what."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.fault: str | None = None

    def next_byte(self) -> bytes:
        """Skip white space and return the byte after it, b"" at the end."""
        self.at = self._end_of(_SPACE)
        return self.text[self.at : self.at + 1]

    def string(self) -> None:
        self.at += 1
        self.at = self._end_of(_STRING_BODY)
        byte = self.text[self.at : self.at + 1]
        if byte == b'"':
            self.at += 1
        elif byte == b"\\":
            self.at = self._end_of(_PART_OF_ESCAPE)
            self.fault = "an unknown escape"
        else:
            self.fault = "a control character in a string"

    def number(self) -> None:
        whole = _NUMBER.match(self.text, self.at)
        part = self._end_of(_PART_OF_NUMBER)
        if whole is None or whole.end() < part:
            self.fault = "an unfinished number"
        self.at = part

    def literal(self, word: bytes) -> None:
        for letter in word:
            if self.text[self.at : self.at + 1] != bytes([letter]):
                self.fault = "an unknown word"
                return
            self.at += 1

    def _end_of(self, pattern: re.Pattern[bytes]) -> int:
        found = pattern.match(self.text, self.at)
        return found.end() if found else self.at


def first_fault(text: bytes) -> tuple[int, str]:
    """Return the position of the first wrong byte of `text`, and what is wrong with it.

    A text that is only too short gives its length. So does one in which no byte is wrong.
    """
    scanner = _Scanner(text)
    brackets: list[bytes] = []
    state = "value"  # or: first value, key, first key, colon, after
    while scanner.fault is None:
        byte = scanner.next_byte()
        if state == "after" and not brackets:
            return (scanner.at, "something after the value") if byte else (len(text), TOO_SHORT)
        state = _step(scanner, byte, state, brackets)
    return (scanner.at, scanner.fault) if scanner.at < len(text) else (len(text), TOO_SHORT)


def _step(scanner: _Scanner, byte: bytes, state: str, brackets: list[bytes]) -> str:
    """Take one token, and return what must follow it; or set the scanner's fault."""
    if byte and byte in b"]}" and _may_close(byte, state, brackets):
        brackets.pop()
        scanner.at += 1
        return "after"
    if state in {"first key", "key"}:
        if byte == b'"':
            scanner.string()
            return "colon"
        scanner.fault = "a key has to be a string"
    elif state == "colon":
        if byte == b":":
            scanner.at += 1
            return "value"
        scanner.fault = "expected ':'"
    elif state == "after":
        if byte == b",":
            scanner.at += 1
            return "key" if brackets[-1] == b"{" else "value"
        scanner.fault = f"expected ',' or '{'}' if brackets[-1] == b'{' else ']'}'"
    elif byte in {b"{", b"["}:
        brackets.append(byte)
        scanner.at += 1
        return "first key" if byte == b"{" else "first value"
    else:
        _scalar(scanner, byte)
    return "after"


def _may_close(byte: bytes, state: str, brackets: list[bytes]) -> bool:
    if not brackets or brackets[-1] != (b"{" if byte == b"}" else b"["):
        return False
    return state in {"after", "first key", "first value"}


def _scalar(scanner: _Scanner, byte: bytes) -> None:
    if byte == b'"':
        scanner.string()
    elif byte in _LITERALS:
        scanner.literal(_LITERALS[byte])
    elif byte and byte in b"-0123456789":
        scanner.number()
    else:
        scanner.fault = "expected a value"
