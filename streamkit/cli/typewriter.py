"""The text of an answer as bytes for a person or a pipe; what `streamkit text` writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streamkit.codecs.stage import Stage
from streamkit.dialects.events import Event, Reasoning, Refusal, Text

__all__ = ["CONTROLS", "Typewriter"]

CONTROLS: Final = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""C0 and C1 controls and DEL, which a terminal may take for a command, and what turns the direction of writing."""

ESCAPES: Final = {
    ord(each): f"\\x{ord(each):02x}" if each < "\u0100" else f"\\u{ord(each):04x}"
    for each in CONTROLS
    if each not in "\n\t"
}

DIM, NORMAL = "\x1b[2m", "\x1b[22m"


class Typewriter(Stage[Event, bytes]):
    """Events to the text of the first choice, a refusal's included.

    Attributes:
        other_choices: the choices that were left out.
    """

    name = "text"

    def __init__(self, *, reasoning: bool, escape: bool, dim: bool) -> None:
        """Make a stage.

        Args:
            reasoning: write reasoning too, a blank line between it and the text.
            escape: write control characters other than line ends and tabs as escapes.
            dim: dim the reasoning, by the codes of ECMA-48. They are closed within each piece, so that a terminal is
                never left dim.
        """
        self.other_choices: set[int] = set()
        self._reasoning = reasoning
        self._escape = escape
        self._dim = dim
        self._last = ""  # the last characters written, up to two
        self._was_reasoning = False

    @property
    def line_end(self) -> bytes:
        """What is missing to end the last line: a line end, or nothing."""
        return b"\n" if self._last and not self._last.endswith("\n") else b""

    def feed(self, event: Event, /) -> list[bytes]:
        return self.feed_many((event,))

    def feed_many(self, items: Iterable[Event], /) -> list[bytes]:
        out: list[str] = []
        for event in items:
            if isinstance(event, (Text, Refusal, Reasoning)):
                if event.choice:
                    self.other_choices.add(event.choice)
                elif self._reasoning or not isinstance(event, Reasoning):
                    self._write(event.text, out, is_reasoning=isinstance(event, Reasoning))
        return ["".join(out).encode()] if out else []

    def finish(self) -> list[bytes]:
        if self._closed is not None:
            return []
        super().finish()
        line_end = self.line_end
        return [line_end] if line_end else []

    def _write(self, text: str, out: list[str], *, is_reasoning: bool) -> None:
        if not text:
            return
        if is_reasoning != self._was_reasoning:
            if self._last:
                out.append("\n\n"[len(self._last) - len(self._last.rstrip("\n")) :])
            self._was_reasoning = is_reasoning
        self._last = (self._last + text)[-2:]
        if self._escape:
            text = text.translate(ESCAPES)
        out.append(f"{DIM}{text}{NORMAL}" if is_reasoning and self._dim else text)
