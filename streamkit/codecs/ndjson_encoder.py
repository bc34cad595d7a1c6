"""Newline-delimited JSON, written: one JSON text a line, ended by LF (ndjson-spec 1.0.0, JSON Lines)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streamkit.codecs.jsontext import encode_value
from streamkit.codecs.stage import Stage
from streamkit.errors import EncodeError

__all__ = ["NDJSONEncoder"]

LINE_BREAKS_TO_SPACE: Final = bytes.maketrans(b"\r\n", b"  ")


class NDJSONEncoder(Stage[object, bytes]):
    """Records to bytes: one line each, ended by LF.

    A record is a JSON value, or the bytes of a JSON text, which go out as they are except that a CR or LF in them
    (legal white space between tokens, and nowhere else) becomes a space. In values, U+0085, U+2028 and U+2029 are
    escaped: clients that split at `str.splitlines` break on them (langgenius/dify#39008).
    """

    name = "ndjson-encoder"

    def __init__(self) -> None:
        self._records = 0

    def feed(self, item: object, /) -> list[bytes]:
        """Return the record's line.

        Raises:
            EncodeError: JSON has no form for the value: NaN, an infinity, a lone surrogate, an unknown type.
        """
        if self._closed is not None:
            self._check_open()
        self._records += 1
        if isinstance(item, bytes):
            text = item.translate(LINE_BREAKS_TO_SPACE) if b"\n" in item or b"\r" in item else item
            return [text + b"\n"]
        try:
            return [encode_value(item) + b"\n"]
        except ValueError as error:
            raise self._fail(EncodeError(str(error), stage=self.name, record=self._records)) from None

    def feed_many(self, items: Iterable[object], /) -> list[bytes]:
        """The same bytes as one piece: a driver joins them anyway."""
        lines = super().feed_many(items)
        return [b"".join(lines)] if lines else lines

    def reset(self) -> None:
        super().reset()
        self._records = 0
