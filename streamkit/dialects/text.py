"""Plain text: the answer's text and nothing else, as `text/plain` (AI SDK's text stream, `curl -N`, a pipe).

Each read's text is a piece. The end of the input is the end of the answer, so a cut cannot be told from an end, unless
it falls inside a character. There is no form for an error either: nothing is written for one, and whoever sends the
bytes has to break the connection instead of ending it (`Converter` raises, so that a driver does).

A byte-order mark at the very start is dropped by the decoder, as everywhere; the encoder writes one before a text that
begins with U+FEFF, so that the text keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamkit.dialects.decoder import Decoder
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.encoder import Encoder
from streamkit.dialects.events import Event, Finish, FinishReason, PartEnd, PartStart, Raw, Text, ToolArgs
from streamkit.dialects.failure import plain_failure
from streamkit.dialects.message import Message
from streamkit.dialects.request_text import request_document

__all__ = ["DIALECT"]

FINISH_WORDS: Final[Mapping[FinishReason, str]] = dict.fromkeys(
    ("stop", "stop_sequence", "length", "context_overflow", "tool_calls", "content_filter", "pause", "other"), ""
)
"""After these the text just ends. Of the others (error, cancelled) the stream is broken off."""

BOM: Final = "\ufeff"


class TextDecoder(Decoder):
    """Bytes to events: one part of text."""

    name = "text"
    framings = ("text",)
    terminator = "a whole character at its end"

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:  # noqa: ARG002 - all is text
        self.start(out)
        self.choice(0).text(out, "text", str(value))

    def at_end(self, out: list[Event]) -> None:
        self.start(out)
        self.choice(0).finish(out, "stop")
        self.end(out)


class TextEncoder(Encoder):
    """Events to bytes: the text, and a refusal's."""

    name = "text"
    framings = ("text",)
    finish_words = FINISH_WORDS

    def _begin(self) -> None:
        super()._begin()
        self._at_start = True

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:  # noqa: ARG002 - nothing is written
        if start.kind == "tool":
            self.lose("tool-call")

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        """Write nothing: the call was counted when it began."""

    def on_text(self, event: Text, out: list[bytes]) -> None:
        try:
            data = event.text.encode()
        except UnicodeEncodeError:
            msg = "a text with a lone surrogate has no UTF-8 form"
            raise ValueError(msg) from None
        if self._at_start and data:
            self._at_start = False
            if event.text.startswith(BOM):
                out.append(BOM.encode())
        out.append(data)

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:  # noqa: ARG002
        for word in ("signature", "encrypted"):
            if getattr(end, word):
                self.lose(word)

    def _on_raw(self, raw: Raw, out: list[bytes]) -> None:  # noqa: ARG002 - there is no record that is not text
        self.lose("raw")

    def on_finish(self, finish: Finish, out: list[bytes]) -> None:  # noqa: ARG002 - nothing is written
        if finish.reason not in {"stop", "stop_sequence", "tool_calls"}:
            self.lose("finish")


def looks_like(value: object, name: str) -> bool:  # noqa: ARG001 - text has no types
    """Whether a record may be of this dialect: any text may, and nothing else can."""
    return isinstance(value, str)


def response(message: Message) -> object:
    """Return the text, as far as it came: there is no form for what is missing."""
    return "".join([part.text for part in message.first.parts if part.kind in {"text", "refusal"}])


DIALECT = Dialect(
    name="text",
    summary="The answer's text alone, without any frame, error or end.",
    decoder=TextDecoder,
    encoder=TextEncoder,
    carries=frozenset({"text"}),
    looks_like=looks_like,
    document=response,
    failure=plain_failure,
    request=request_document,
)
