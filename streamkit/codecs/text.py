"""UTF-8 bytes to text, right for every cut (RFC 3629; replacement as in the WHATWG Encoding Standard).

For streams that are plain text. Event streams and NDJSON do not need it: their decoders cut at ASCII bytes first, which
are never part of a longer sequence.
"""

from __future__ import annotations

import codecs
from typing import Literal

from streamkit.codecs.records import check_choice
from streamkit.codecs.stage import Stage
from streamkit.errors import DecodeError, TruncatedError, excerpt_of

__all__ = ["Utf8Decoder"]


class Utf8Decoder(Stage[bytes, str]):
    """Bytes to text. At most the first three bytes of one character are held, and none once it is complete."""

    name = "utf-8"

    def __init__(
        self, *, errors: Literal["strict", "replace"] = "strict", bom: Literal["strip", "keep"] = "strip"
    ) -> None:
        """Make a decoder.

        Args:
            errors: "strict" raises a `DecodeError` for bytes that are not UTF-8; "replace" puts U+FFFD in their place.
            bom: "strip" drops one byte-order mark at the very start; "keep" passes it on as U+FEFF.

        Raises:
            ConfigError: an option has another value.
        """
        check_choice(errors, "errors", ("strict", "replace"))
        check_choice(bom, "bom", ("strip", "keep"))
        self._errors = errors
        self._strip_bom = bom == "strip"
        self._start()

    def _start(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(self._errors)
        self._at_start = self._strip_bom
        self._end = 0

    def feed(self, data: bytes, /) -> list[str]:
        if self._closed is not None:
            self._check_open()
        held = self._held()
        self._end += len(data)
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError as error:
            whole = held + data
            start = self._end - len(whole) + error.start
            raise self._fail(
                DecodeError(
                    f"invalid UTF-8: {error.reason}",
                    code="invalid-utf8",
                    stage=self.name,
                    record=1,
                    offset=start,
                    excerpt=excerpt_of(whole, error.start),
                ),
                self._items(whole[: error.start].decode()),
            ) from None
        return self._items(text)

    def finish(self) -> list[str]:
        if self._closed is not None:
            return []
        super().finish()
        held = self._held()
        if not held:
            return []
        if self._errors == "replace":
            return self._items(self._decoder.decode(b"", final=True))
        raise self._fail(
            TruncatedError(
                f"the input ends inside a character, {len(held)} bytes of it were there",
                dropped_bytes=len(held),
                stage=self.name,
                record=1,
                offset=self._end - len(held),
                excerpt=excerpt_of(held),
            )
        )

    def reset(self) -> None:
        super().reset()
        self._start()

    def _held(self) -> bytes:
        return self._decoder.getstate()[0]

    def _items(self, text: str) -> list[str]:
        if text and self._at_start:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        return [text] if text else []
