"""One JSON text, decoded strictly, with errors that say where and why; and one value, encoded as strictly.

The one place that turns bytes into JSON values: NDJSON, JSON arrays and SSE data all come here, so they share one
verdict. It is RFC 8259's grammar over strict UTF-8, and beyond the grammar it refuses what no consumer can hold
exactly: numbers outside the range of a double (1e400), integers of more than 4300 digits (CPython's own limit), lone
surrogates, nesting deeper than `MAX_DEPTH`. Integers are exact at any size below that. Of equal keys the last wins, as
everywhere.

The decoder is msgspec's; the standard library's accepts NaN, Infinity, lone surrogates, raw surrogate bytes and UTF-16
without being asked.
"""

from __future__ import annotations

import re
from itertools import accumulate
from math import isfinite, isinf
from typing import Final

import msgspec

from streamkit.codecs.jsonfault import first_fault

__all__ = [
    "MAX_DEPTH",
    "SAFE_BYTES",
    "JSONTextError",
    "decode",
    "decode_checked",
    "encode_string",
    "encode_value",
    "too_deep_at",
]

MAX_DEPTH: Final = 512
"""The deepest nesting. Fixed here because the decoder's own limit depends on the Python version and on how deep the
caller's stack is. Peers: serde_json 128, jq 1.6 256, orjson 1024."""

SAFE_BYTES: Final = 2 * MAX_DEPTH
"""A text shorter than this cannot be nested too deep: each level needs an opening and a closing byte."""

MAX_INT_DIGITS: Final = 4300

WINDOW_BYTES: Final = 64 * 1024
"""How much of a text is searched at once for what is nested too deep: so many strings take little room."""

MASK: Final = b"\0\0"
"""Stands for an escape with which a string's end could be mistaken; no JSON has these bytes."""

UP: Final = b"\1"
STEPS: Final = bytes.maketrans(b"[{]}", b"\1\1\xff\xff")
"""What a bracket does to the depth, as a signed byte."""

NO_BRACKETS: Final = bytes(each for each in range(256) if each not in b"[]{}")

SCANNED_BYTES: Final = 256 * 1024
"""How much of a refused text is searched for the exact byte, at up to 1.6 us a byte. In what comes after that the
decoder's own place is named, which may be off by a few bytes, or the text's start or end."""

decode = msgspec.json.Decoder().decode
"""The bare decoder, for texts known to be shorter than `SAFE_BYTES`. Raises ValueError or RecursionError;
`decode_checked` then says why."""

_encode = msgspec.json.Encoder().encode
_FLOAT_TRACES: Final = (b"null", b'"nan"', b'inf"')
_LINE_SEPARATORS: Final = (
    ("\u0085".encode(), rb"\u0085"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)

# Possessive, because sre otherwise keeps 60 bytes for each escape in case it has to go back.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_BRACKET = re.compile(rb"%s|[\[\]{}]" % _STRING, re.DOTALL)
_NUMBER = re.compile(rb"%s|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?" % _STRING, re.DOTALL)
_POSITION = re.compile(r"\(byte ([0-9]+)\)$")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})(?:\\u([0-9a-fA-F]{4}))?|.)", re.DOTALL)


class JSONTextError(ValueError):
    """A text that is not JSON, or not within the limits.

    Attributes:
        reason: for people.
        code: for machines, one of the codes of `DecodeError`.
        position: the byte of the text that is wrong.
    """

    def __init__(self, reason: str, code: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.position = position


def decode_checked(text: bytes) -> object:
    """Return the value of one JSON text.

    Raises:
        JSONTextError: the text has no value. Never RecursionError, never another ValueError.
    """
    if too_deep_at(text) is not None:
        raise _explained(text, RecursionError())
    try:
        return decode(text)
    except (ValueError, RecursionError) as error:
        raise _explained(text, error) from None


def too_deep_at(text: bytes) -> int | None:
    """Return the position of the first bracket that opens level `MAX_DEPTH + 1`, or None. Linear, without recursion."""
    if len(text) < SAFE_BYTES or text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return None
    return _deep_bracket_at(text)


def _deep_bracket_at(text: bytes) -> int | None:
    """Find it at the speed of C: bracket by bracket only in the one window in which the limit is passed.

    Behind an escape outside of a string nothing is searched: that is no JSON, and no decoder gets beyond it.
    """
    masked = text.replace(rb"\\", MASK).replace(rb"\"", MASK) if b"\\" in text else text
    depth, is_inside = 0, False
    for start in range(0, len(masked), WINDOW_BYTES):
        pieces = masked[start : start + WINDOW_BYTES].split(b'"')
        outside = b"".join(pieces[is_inside::2])
        steps = outside.translate(STEPS, NO_BRACKETS)
        is_odd = masked is not text and MASK in outside
        if is_odd or _passes_limit(steps, depth):
            begin = masked.find(b'"', start) + 1 if is_inside else start
            return _counted(text, begin, start + WINDOW_BYTES, depth)
        depth += 2 * steps.count(UP) - len(steps)
        is_inside ^= len(pieces) % 2 == 0
    return None


def _passes_limit(steps: bytes, depth: int) -> bool:
    """Tell whether the depth, changed step by step, is ever beyond the limit."""
    for start in range(0, len(steps), MAX_DEPTH):
        some = steps[start : start + MAX_DEPTH]
        ups = some.count(UP)
        if depth + ups > MAX_DEPTH and max(accumulate(memoryview(some).cast("b"), initial=depth)) > MAX_DEPTH:
            return True
        depth += 2 * ups - len(some)
    return False


def _counted(text: bytes, start: int, end: int, depth: int) -> int | None:
    """Return where the limit is passed between two places; at the first of them the depth is known."""
    for token in _BRACKET.finditer(text, start, end):
        first = text[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return token.start()
        elif first in b"]}":
            depth -= 1
    return None


def encode_value(value: object) -> bytes:
    """Return the compact JSON text of `value`, with U+0085, U+2028 and U+2029 escaped.

    Raises:
        ValueError: JSON has no text for it, with the reason for people.
    """
    try:
        text = _encode(value)
    except UnicodeEncodeError:
        msg = "a string with a lone surrogate has no UTF-8 form"
        raise ValueError(msg) from None
    except RecursionError:
        msg = "a value nested too deep to be written"
        raise ValueError(msg) from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(str(error)) from None
    # msgspec writes NaN and the infinities as null, silently, or as a key's text; only such a text can hold one.
    if any(trace in text for trace in _FLOAT_TRACES) and _has_unwritable_float(msgspec.to_builtins(value)):
        msg = "NaN and the infinities have no JSON form"
        raise ValueError(msg)
    if too_deep_at(text) is not None:
        msg = f"a value nested deeper than {MAX_DEPTH} levels: no decoder of ours would take it"
        raise ValueError(msg)
    if not text.isascii():
        for raw, escaped in _LINE_SEPARATORS:
            text = text.replace(raw, escaped)
    return text


def encode_string(text: str) -> bytes:
    """Return the JSON text of a string, as `encode_value` would; the short way, for the text of every token.

    Raises:
        ValueError: the string has a lone surrogate.
    """
    if text.isascii():
        return _encode(text)
    try:
        encoded = _encode(text)
    except UnicodeEncodeError:
        return encode_value(text)  # says why
    for raw, escaped in _LINE_SEPARATORS:
        encoded = encoded.replace(raw, escaped)
    return encoded


def _has_unwritable_float(value: object) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, float):
            if not isfinite(each):
                return True
        elif isinstance(each, dict):
            waiting += each
            waiting += each.values()
        elif isinstance(each, (list, tuple, set, frozenset)):
            waiting += each
    return False


def _too_deep(position: int) -> JSONTextError:
    return JSONTextError(f"JSON nested deeper than {MAX_DEPTH} levels", "too-deep", position)


def _explained(text: bytes, error: ValueError | RecursionError) -> JSONTextError:
    """Say why `decode` refused `text`: the first byte that is wrong, and in which way."""
    if isinstance(error, msgspec.ValidationError):
        return JSONTextError("a number outside the range of a double", "number-range", _big_number_at(text))
    position, fault = _fault_in(text, error)
    found = JSONTextError(f"invalid JSON: {fault}", "invalid-json", position)
    # Whatever else may be wrong matters only where it comes first, so nothing beyond that place is searched.
    searched = text[: min(position + 1, SCANNED_BYTES)]
    surrogate = _lone_surrogate_at(searched)
    if surrogate is not None and surrogate <= position:
        found = JSONTextError("invalid JSON: a surrogate without its other half", "invalid-json", surrogate)
    try:
        text.decode()
    except UnicodeDecodeError as bad:
        if bad.start <= found.position or isinstance(error, UnicodeDecodeError):
            found = JSONTextError(f"invalid UTF-8: {bad.reason}", "invalid-utf8", bad.start)
    deep = _deep_bracket_at(searched)
    if deep is not None and deep <= found.position:
        found = _too_deep(deep)
    elif isinstance(error, RecursionError) and found.position == len(text):
        found = _too_deep(0)  # too deep further on, or the caller's stack left less room than MAX_DEPTH needs
    return found


def _fault_in(text: bytes, error: ValueError | RecursionError) -> tuple[int, str]:
    position, fault = first_fault(text[:SCANNED_BYTES])
    if position < min(len(text), SCANNED_BYTES):
        return position, fault
    named = _POSITION.search(str(error))
    return (int(named[1]), "it is malformed near here") if named else (len(text), fault)


def _big_number_at(text: bytes) -> int:
    for token in _NUMBER.finditer(text, 0, SCANNED_BYTES):
        number = token[0]
        if number.startswith(b'"'):
            continue
        if number.lstrip(b"-").isdigit():
            if len(number) > MAX_INT_DIGITS:
                return token.start()
        elif isinf(float(number)):
            return token.start()
    return 0


def _lone_surrogate_at(text: bytes) -> int | None:
    position = 0
    while found := _ESCAPE.search(text, position):
        position = found.end()
        if found[1] is None:
            continue
        first = int(found[1], 16)
        if not 0xD800 <= first <= 0xDFFF:
            position = found.end(1)
        elif first >= 0xDC00 or found[2] is None or not 0xDC00 <= int(found[2], 16) <= 0xDFFF:
            return found.start()
    return None
