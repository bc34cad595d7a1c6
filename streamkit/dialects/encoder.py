"""What all dialects' encoders share: the order of events, what is lost, and that no failure looks like success.

A dialect's encoder is a subclass with one method for each event that its records can carry (`on_text`, `on_usage`);
what it has no method for is counted in `losses`. What every record needs (ids, model, the usage so far, which parts are
open) is kept here.

A text leaves in the `feed` that brought it. The records that close a stream are written at `End`, when all that belongs
in them is known, and never for a stream that has failed or was cut: then the dialect's error form is, if it has one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final

from streamkit.codecs.jsontext import decode_checked, encode_string, encode_value
from streamkit.codecs.stage import Stage
from streamkit.dialects.arrange import Arranger
from streamkit.dialects.decoder import TRUNCATED, framing_of
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    PartEnd,
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
from streamkit.dialects.framing import FRAMINGS, Framing
from streamkit.errors import EncodeError

__all__ = ["Encoder", "Template", "message_of"]

UNSAFE: Final = re.compile("[\r\n\x85\u2028\u2029]")

MAX_LOSS_WORDS: Final = 100

MARK: Final = "\0streamkit\0"
MARK_TEXT: Final = encode_value(MARK)

Template = tuple[bytes, bytes]
"""The bytes of a framed record before and after the one string in it that changes."""


class Encoder(Stage[Event, bytes]):
    """Neutral events to bytes.

    Attributes:
        text_frame: set by a dialect whose texts of the first choice all have the same bytes before and after them.
        losses: how many events, or parts of them, this dialect could not carry, by a stable word for each kind.
        over: whether `End` or `Error` has come.
    """

    name: ClassVar[str]
    """The dialect's."""
    framings: ClassVar[tuple[str, ...]]
    many_choices: ClassVar[bool] = False
    """Whether more than one choice can be written; if not, the others are lost."""
    arranger: ClassVar[type[Arranger] | None] = None
    """The neutral stage that brings events into an order that this dialect can write, if one is needed."""
    finish_words: ClassVar[Mapping[FinishReason, str]]
    """The dialect's words for why a model stops. A reason that it has none for is written as an error."""
    extras: ClassVar[frozenset[str]] = frozenset()
    """The keys of `extra` that this dialect writes."""
    family: ClassVar[str] = ""
    """What stands before the dot in those of them that are only this dialect's, with the dot."""

    def __init__(
        self,
        *,
        framing: str | None = None,
        model: str = "",
        message_id: str = "",
        created_ns: int | None = None,
        include_usage: bool = True,
        reasoning_key: str = "reasoning_content",
    ) -> None:
        """Make an encoder.

        Args:
            framing: which of the dialect's framings; None for its own.
            model: the model's name to write instead of the stream's own.
            message_id: the id of the answer, where the stream brings none.
            created_ns: when the answer was begun, in ns since 1970, where the stream does not say. Needed because a
                stage has no clock.
            include_usage: whether token counts are written, where the dialect can do without.
            reasoning_key: what openai-chat calls the field for reasoning, of which OpenAI has none: `reasoning_content`
                (DeepSeek, most clients) or `reasoning` (vLLM now, OpenRouter, Groq).

        Raises:
            ConfigError: the dialect does not come in that framing.
        """
        self.framing = framing_of(self.name, self.framings, framing)
        self._model = model
        self._message_id = message_id
        self._created_ns = created_ns
        self.include_usage = include_usage
        self.reasoning_key = reasoning_key
        handlers: dict[type[Event], Callable[[Any, list[bytes]], None]] = {
            Start: self._on_start,
            PartStart: self._on_part_start,
            Text: self.on_text,
            Reasoning: self.on_reasoning,
            Refusal: self.on_refusal,
            ToolArgs: self.on_tool_args,
            PartEnd: self._on_part_end,
            Usage: self._on_usage,
            Finish: self._on_finish,
            End: self._on_end,
            Error: self._on_error,
            Ping: self.on_ping,
            Custom: self.on_custom,
            Raw: self._on_raw,
        }
        self._handlers = handlers
        self._begin()

    def _begin(self) -> None:
        """Set the state of a new stream; a subclass adds its own."""
        self.losses: Counter[str] = Counter()
        self.over = False
        self.frame: Framing = FRAMINGS[self.framing]()
        self._arranger = self.arranger(self.losses) if self.arranger else None
        self.started = False
        self.is_own = False
        self._failed_finish = False
        self.text_frame: Template | None = None
        self.id = self._message_id
        self.model = self._model
        self.created_ns = self._created_ns or 0
        self.usage = Usage()
        self.finishes: dict[int, Finish] = {}
        self.open: dict[tuple[int, int], PartStart] = {}

    def reset(self) -> None:
        super().reset()
        self._begin()

    def feed(self, event: Event, /) -> list[bytes]:
        return self.feed_many((event,))

    def feed_many(self, items: Iterable[Event], /) -> list[bytes]:
        """The bytes of all items as one piece: a driver joins them anyway."""
        if self._closed is not None:
            self._check_open()
        out: list[bytes] = []
        failure: EncodeError | None = None
        if self._arranger is not None:
            try:
                items = self._arranger.feed_many(items)
            except EncodeError as error:
                failure, items = error, [*error.items]  # type: ignore[list-item]  # they are events
        frame = self.text_frame
        try:
            for event in items:
                # The text of every token comes this way: in half the time that it takes by way of `_write`.
                if frame is not None and type(event) is Text and not event.choice and not event.extra:
                    out += (frame[0], encode_string(event.text), frame[1])
                    continue
                self._write(event, out)
                frame = self.text_frame
        except (ValueError, TypeError) as error:
            reason = error.reason if isinstance(error, EncodeError) else str(error)
            failure = EncodeError(reason, stage=self.name)
        if failure is not None and not self.over:
            with suppress(ValueError, TypeError):  # the form of an error may hold what could not be written
                self._write_error(Error(f"the answer cannot be written as {self.name}: {failure.reason}"), out)
        out = [b"".join(out)] if out else []
        if failure is not None:
            failure.stage = self.name
            raise self._fail(failure, out)
        return out

    def finish(self) -> list[bytes]:
        """Take the end of the events. If they had no `End`, the dialect's error form is written."""
        if self._closed is not None:
            return []
        super().finish()
        out: list[bytes] = []
        if not self.over:
            self._write_error(Error("the stream was cut", TRUNCATED), out)
        return [b"".join(out)] if out else []

    # What a dialect writes. Each takes the event and the list to which the bytes go.

    def on_start(self, start: Start, out: list[bytes]) -> None:
        """Begin the answer; `id`, `model` and `created_ns` are set."""

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:
        """Open a part."""

    def on_text(self, event: Text, out: list[bytes]) -> None:
        """Write a piece of text. Every dialect has this, but for one that writes all events in one way (`json`)."""
        raise NotImplementedError

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:  # noqa: ARG002 - nothing is written
        """Write a piece of reasoning."""
        self.lose("reasoning")

    def on_refusal(self, event: Refusal, out: list[bytes]) -> None:
        """Write a piece of a refusal; as text, where the dialect has nothing for it."""
        self.lose("refusal")
        self.on_text(Text(event.part, event.text, choice=event.choice), out)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:  # noqa: ARG002 - nothing is written
        """Write a piece of a tool call's arguments."""
        self.lose("tool-arguments")

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:
        """Close a part; `start` is what opened it."""

    def on_usage(self, event: Usage, out: list[bytes]) -> None:
        """Write token counts at once; `usage` is the snapshot with this one in it."""

    def on_finish(self, finish: Finish, out: list[bytes]) -> None:
        """Write why a choice has stopped, where that does not end the stream."""

    def on_end(self, out: list[bytes]) -> None:
        """Write the closing records; `usage` and `finishes` have what belongs in them."""

    def on_error(self, error: Error, out: list[bytes]) -> None:
        """Write the dialect's error form."""

    def on_ping(self, ping: Ping, out: list[bytes]) -> None:
        """Write a heartbeat: a comment, where the framing has comments."""
        comment = self.frame.comment(ping.comment or "ping")
        if comment:
            out.append(comment)
        else:
            self.lose("ping")

    def on_custom(self, event: Custom, out: list[bytes]) -> None:  # noqa: ARG002 - nothing is written
        """Write an application's own event."""
        self.lose("custom")

    # What those are made of

    def lose(self, what: str, count: int = 1) -> None:
        """Count something that this dialect cannot carry."""
        if what not in self.losses and len(self.losses) >= MAX_LOSS_WORDS:
            what = "extra"  # the words of `extra` are the sender's, and may be endlessly many
        self.losses[what] += count

    def record(self, out: list[bytes], value: object, name: str = "") -> None:
        """Write one record.

        Raises:
            ValueError: JSON has no text for it.
        """
        out.append(self.frame.record(encode_value(value), name))

    def own(self, extra: dict[str, object]) -> dict[str, object]:
        """Return what of `extra` only this dialect knows, by its own names."""
        return {key.removeprefix(self.family): value for key, value in extra.items() if key.startswith(self.family)}

    def template(self, value: object, name: str = "") -> Template:
        """Return the bytes before and after the string `MARK` in the framed record.

        Strings that the network sent may stand before it, none after it: the last mark is the one that counts. Not for
        framings that put something between records.
        """
        head, _, tail = self.frame.record(encode_value(value), name).rpartition(MARK_TEXT)
        return head, tail

    def part(self, event: Text | Reasoning | Refusal | ToolArgs | PartEnd) -> PartStart:
        """Return what opened the part that the event belongs to.

        Raises:
            ValueError: it is not open.
        """
        start = self.open.get((event.choice, event.part))
        if start is None:
            msg = f"part {event.part} of choice {event.choice} is not open"
            raise ValueError(msg)
        return start

    def finish_word(self, finish: Finish) -> str:
        """Return the dialect's word for why the model stopped: the one that it came with, if it came from here."""
        if self.is_own and finish.raw_reason:
            return finish.raw_reason
        return self.finish_words[finish.reason]

    @property
    def finish_event(self) -> Finish:
        """How choice 0 finished."""
        return self.finishes.get(0) or Finish("stop")

    def _write(self, event: Event, out: list[bytes]) -> None:
        if self.over:
            if self._failed_finish:
                return
            msg = f"{type(event).__name__} after the end of the stream"
            raise ValueError(msg)
        if event.choice and not self.many_choices:
            self.lose("choice")
            return
        if event.extra:
            for key in event.extra.keys() - self.extras:
                if not (self.family and key.startswith(self.family)):
                    self.lose(key)
        if not self.started and type(event) not in ANYWHERE:
            self._on_start(event if type(event) is Start else Start(), out)
            if type(event) is Start:
                return
        self._handlers[type(event)](event, out)

    def _on_start(self, start: Start, out: list[bytes]) -> None:
        if self.started:
            msg = "a second Start"
            raise ValueError(msg)
        if start.extra.get("json.implied") and self.name != "json":
            msg = "none of the records is of a dialect that is known; as an answer they would be an empty one"
            raise ValueError(msg)
        self.started = True
        self.is_own = start.dialect == self.name
        self.id = start.id or self.id
        self.model = self.model or start.model
        self.created_ns = start.created_ns or self.created_ns
        self.on_start(start, out)

    def _on_part_start(self, start: PartStart, out: list[bytes]) -> None:
        self.open[start.choice, start.part] = start
        self.on_part_start(start, out)

    def _on_part_end(self, end: PartEnd, out: list[bytes]) -> None:
        start = self.part(end)
        del self.open[end.choice, end.part]
        self.on_part_end(start, end, out)

    def _on_usage(self, usage: Usage, out: list[bytes]) -> None:
        self.usage = self.usage.updated(usage)
        self.on_usage(usage, out)

    def _on_finish(self, finish: Finish, out: list[bytes]) -> None:
        self.finishes[finish.choice] = finish
        if finish.reason in self.finish_words or (self.is_own and finish.raw_reason):
            self.on_finish(finish, out)
        else:
            self._failed_finish = True
            self._write_error(Error(message_of(finish), f"finish_{finish.reason}"), out)

    def _on_end(self, end: End, out: list[bytes]) -> None:  # noqa: ARG002 - it has nothing but its type
        self.over = True
        self.text_frame = None
        self.on_end(out)
        self._close_frame(out)

    def _on_error(self, error: Error, out: list[bytes]) -> None:
        self._write_error(error, out)

    def _on_raw(self, raw: Raw, out: list[bytes]) -> None:
        if raw.dialect != self.name:
            self.lose("raw")
            return
        payload = raw.payload.encode()
        value = decode_checked(payload)
        if UNSAFE.search(raw.payload):  # a record has to stay one line for every reader
            payload = encode_value(value)
        if UNSAFE.search(raw.name):
            msg = f"an event's type cannot hold a line break: {raw.name[:40]!r}"
            raise ValueError(msg)
        out.append(self.frame.record(payload, raw.name))

    def _write_error(self, error: Error, out: list[bytes]) -> None:
        self.over = True
        self.text_frame = None
        self.on_error(error, out)
        self._close_frame(out)

    def _close_frame(self, out: list[bytes]) -> None:
        closing = self.frame.end()
        if closing:
            out.append(closing)


def message_of(finish: Finish) -> str:
    """Return the message of an answer that ended in a reason which is an error in most dialects."""
    what = "the answer was cancelled" if finish.reason == "cancelled" else "the model stopped because of an error"
    return f"{what} ({finish.raw_reason})" if finish.raw_reason else what


ANYWHERE: Final = frozenset({Ping, Custom, Raw, Error})
"""The events that may come before `Start`."""
