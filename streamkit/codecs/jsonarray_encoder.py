"""One JSON array, written as a stream of its elements: what Gemini sends without `alt=sse`."""

from __future__ import annotations

from streamkit.codecs.jsontext import encode_value
from streamkit.codecs.stage import Stage
from streamkit.errors import EncodeError

__all__ = ["JSONArrayEncoder"]


class JSONArrayEncoder(Stage[object, bytes]):
    """Values to the bytes of one array, an element a piece. `finish` closes the array.

    An element is a JSON value, or the bytes of a JSON text, which go out as they are.
    """

    name = "json-array-encoder"

    def __init__(self) -> None:
        self._elements = 0

    def feed(self, item: object, /) -> list[bytes]:
        """Return the element with the bracket or comma before it.

        Raises:
            EncodeError: JSON has no form for the value.
        """
        if self._closed is not None:
            self._check_open()
        self._elements += 1
        try:
            text = item if isinstance(item, bytes) else encode_value(item)
        except ValueError as error:
            raise self._fail(EncodeError(str(error), stage=self.name, record=self._elements)) from None
        return [(b"[\n" if self._elements == 1 else b",\n") + text]

    def finish(self) -> list[bytes]:
        if self._closed is not None:
            return []
        super().finish()
        return [b"\n]\n" if self._elements else b"[]\n"]

    def reset(self) -> None:
        super().reset()
        self._elements = 0
