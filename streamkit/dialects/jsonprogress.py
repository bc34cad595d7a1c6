"""Whether a JSON text that comes in pieces is complete, without keeping it."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["JSONProgress"]

_TOKEN: Final = re.compile(r'["\[\]{}]')
_IN_STRING: Final = re.compile(r'[^"\\]*+')


class JSONProgress:
    """Follows the brackets and strings of an object or array. It is no validator.

    Attributes:
        complete: whether the last bracket that was opened first has been closed.
    """

    def __init__(self) -> None:
        self.complete = False
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, piece: str) -> None:
        """Take the next piece of the text."""
        at = 0
        while at < len(piece):
            if self._escaped:
                self._escaped = False
                at += 1
            elif self._in_string:
                at = _IN_STRING.match(piece, at).end()  # type: ignore[union-attr]  # the pattern matches anywhere
                if at < len(piece):
                    self._escaped = piece[at] == "\\"
                    self._in_string = self._escaped
                    at += 1
            else:
                token = _TOKEN.search(piece, at)
                if token is None:
                    return
                at = token.end()
                if token[0] == '"':
                    self._in_string = True
                else:
                    self._depth += 1 if token[0] in "[{" else -1
                    self.complete = self._depth == 0
