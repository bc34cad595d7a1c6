"""The finished message: what a stream of neutral events adds up to.

`MessageAccumulator` passes events through and keeps what they say, within a bound. A dialect's own non-streaming
response is made from the `Message` by the dialect (`Dialect.document`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES, check_limit
from streamkit.codecs.stage import Stage
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    PartEnd,
    PartKind,
    PartStart,
    Ping,
    Raw,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.errors import LimitExceeded

__all__ = ["Choice", "Message", "MessageAccumulator", "Part"]


BLOCK_PIECES: Final = 1024
"""How many pieces of a text are kept apart before they are joined."""


class Part(msgspec.Struct):
    """One part of a message.

    Attributes:
        text: the part's text; of a tool call the JSON text of its arguments.
        complete: whether its end was seen.
        extra: what the events of this part had besides; of lists, all elements.
    """

    kind: PartKind
    text: str = ""
    tool_id: str = ""
    tool_name: str = ""
    signature: str = ""
    encrypted: str = ""
    complete: bool = False
    extra: dict[str, object] = {}

    @property
    def arguments(self) -> dict[str, object] | None:
        """A tool call's arguments, or None if their text is not that of a JSON object. No text at all is an empty one.

        Text that is not JSON is what a model cut short leaves; `text` has it.
        """
        try:
            value = decode_checked(self.text.encode()) if self.text.strip() else {}
        except JSONTextError:
            return None
        return value if isinstance(value, dict) else None


class Choice(msgspec.Struct):
    """One of the answers of a message; `reason` is None if it did not finish."""

    index: int = 0
    parts: list[Part] = []
    reason: FinishReason | None = None
    raw_reason: str = ""
    stop_sequence: str = ""
    extra: dict[str, object] = {}

    def joined(self, kind: PartKind) -> str:
        """Return the text of all parts of one kind."""
        return "".join([part.text for part in self.parts if part.kind == kind])

    @property
    def text(self) -> str:
        return self.joined("text")

    @property
    def reasoning(self) -> str:
        return self.joined("reasoning")

    @property
    def refusal(self) -> str:
        return self.joined("refusal")

    @property
    def tool_calls(self) -> list[Part]:
        return [part for part in self.parts if part.kind == "tool"]


class Message(msgspec.Struct):
    """What a stream adds up to. `text`, `reasoning`, `refusal` and `tool_calls` are those of the first choice.

    Attributes:
        complete: whether the stream's terminator was seen. If not, everything here may be only a beginning.
        error: the error that ended the stream, or None.
        customs: the `Custom` events.
        extra: what `Start` had besides.
    """

    id: str = ""
    model: str = ""
    role: str = "assistant"
    created_ns: int | None = None
    choices: list[Choice] = []
    usage: Usage = Usage()
    complete: bool = False
    error: Error | None = None
    customs: list[Custom] = []
    extra: dict[str, object] = {}

    @property
    def first(self) -> Choice:
        """The first choice, an empty one if there is none."""
        return self.choices[0] if self.choices else Choice()

    @property
    def text(self) -> str:
        return self.first.text

    @property
    def reasoning(self) -> str:
        return self.first.reasoning

    @property
    def refusal(self) -> str:
        return self.first.refusal

    @property
    def tool_calls(self) -> list[Part]:
        return self.first.tool_calls

    @property
    def reason(self) -> FinishReason | None:
        return self.first.reason


class PartInProgress:
    """A part and the pieces of its text."""

    def __init__(self, start: PartStart) -> None:
        self._pieces: list[str] = []
        self._blocks: list[str] = []  # earlier pieces, joined: a short string takes many times its length
        self.part = Part(start.kind, tool_id=start.tool_id, tool_name=start.tool_name)
        merge(self.part.extra, start.extra)

    def add(self, piece: str) -> None:
        """Add a piece of the text."""
        self._pieces.append(piece)
        if len(self._pieces) == BLOCK_PIECES:
            self._blocks.append("".join(self._pieces))
            self._pieces = []

    def built(self) -> Part:
        """Return the part as it is now."""
        text = "".join((*self._blocks, *self._pieces))
        return msgspec.structs.replace(self.part, text=text, extra=copied(self.part.extra))


class MessageAccumulator(Stage[Event, Event]):
    """Pass events through untouched, and have the message afterwards.

    Attributes:
        size_bytes: the size of everything kept: of texts in UTF-8, of all else as JSON.
    """

    name = "message"

    def __init__(self, *, max_bytes: int | None = DEFAULT_LIMIT_BYTES) -> None:
        """Make an accumulator of messages up to `max_bytes`; None lifts the bound. Over it, `feed` raises.

        Raises:
            ConfigError: the bound is zero or negative.
        """
        self._limit_bytes = check_limit(max_bytes, "max_bytes")
        self._begin()

    def _begin(self) -> None:
        self.size_bytes = 0
        self._message = Message()
        self._choices: dict[int, Choice] = {}
        self._parts: dict[tuple[int, int], PartInProgress] = {}

    def reset(self) -> None:
        super().reset()
        self._begin()

    def feed(self, event: Event, /) -> list[Event]:
        """Take one event.

        Raises:
            LimitExceeded: the message is over the bound.
        """
        return self.feed_many((event,))

    def feed_many(self, items: Iterable[Event], /) -> list[Event]:
        if self._closed is not None:
            self._check_open()
        out: list[Event] = []
        for event in items:
            self._keep(event)
            if self.size_bytes > self._limit_bytes:
                limit = self._limit_bytes
                error = LimitExceeded(limit_bytes=limit, stage=self.name, record=1, offset=limit, what="message")
                raise self._fail(error, out)
            out.append(event)
        return out

    @property
    def message(self) -> Message:
        """The message as far as it has come; a value of its own, which later events do not change."""
        choices = []
        for index in sorted(self._choices):
            choice = self._choices[index]
            parts = [part.built() for (owner, _), part in sorted(self._parts.items()) if owner == index]
            choices.append(msgspec.structs.replace(choice, parts=parts, extra=copied(choice.extra)))
        message = self._message
        return msgspec.structs.replace(
            message, choices=choices, customs=list(message.customs), extra=copied(message.extra)
        )

    def _keep(self, event: Event) -> None:
        message = self._message
        if isinstance(event, (Text, Reasoning, Refusal, ToolArgs)):
            self._keep_piece(event)
            return
        if not isinstance(event, (Usage, End, Ping, Raw)):
            self.size_bytes += len(msgspec.json.encode(event))
        if isinstance(event, PartStart):
            self._choice(event)
            self._parts[event.choice, event.part] = PartInProgress(event)
        elif isinstance(event, PartEnd):
            part = self._in_progress(event, "text").part
            part.signature, part.encrypted, part.complete = event.signature, event.encrypted, True
            merge(part.extra, event.extra)
        elif isinstance(event, Finish):
            choice = self._choice(event)
            choice.reason, choice.raw_reason = event.reason, event.raw_reason
            choice.stop_sequence = event.stop_sequence
            merge(choice.extra, event.extra)
        elif isinstance(event, Usage):
            message.usage = message.usage.updated(event)
        elif isinstance(event, Start):
            message.id, message.model, message.role = event.id, event.model, event.role
            message.created_ns = event.created_ns
            merge(message.extra, event.extra)
        elif isinstance(event, Custom):
            message.customs.append(event)
        elif isinstance(event, End):
            message.complete = True
        elif isinstance(event, Error):
            message.error = event

    def _keep_piece(self, event: Text | Reasoning | Refusal | ToolArgs) -> None:
        kind: PartKind = "tool" if isinstance(event, ToolArgs) else "text"
        text = event.json_text if isinstance(event, ToolArgs) else event.text
        part = self._in_progress(event, kind)
        part.add(text)
        self.size_bytes += size_of(text)
        if event.extra:
            merge(part.part.extra, event.extra)
            self.size_bytes += len(msgspec.json.encode(event.extra))

    def _choice(self, event: Event) -> Choice:
        if event.choice not in self._choices:
            self._choices[event.choice] = Choice(event.choice)
        return self._choices[event.choice]

    def _in_progress(self, event: Text | Reasoning | Refusal | ToolArgs | PartEnd, kind: PartKind) -> PartInProgress:
        """Return the part of the event, and make one where an unlawful stream has none."""
        key = event.choice, event.part
        if key not in self._parts:
            self._choice(event)
            self._parts[key] = PartInProgress(PartStart(event.part, kind, choice=event.choice))
        return self._parts[key]


def merge(into: dict[str, object], more: dict[str, object]) -> None:
    """Add `more` to `into`, whose lists belong to it: lists are joined, of anything else the later value counts."""
    for key, value in more.items():
        known = into.get(key)
        if isinstance(value, list) and isinstance(known, list):
            known += value
        else:
            into[key] = list(value) if isinstance(value, list) else value


def copied(extra: dict[str, object]) -> dict[str, object]:
    """Return a copy whose lists are copies too."""
    return {key: list(value) if isinstance(value, list) else value for key, value in extra.items()}


def size_of(text: str) -> int:
    """Return the length in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
