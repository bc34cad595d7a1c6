"""An answer on its way to standard output: its text or its events; and what else there is to say of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import click

from streamkit.cli.edge import say
from streamkit.cli.typewriter import CONTROLS, Typewriter
from streamkit.dialects.convert import encoder_of
from streamkit.dialects.events import (
    Error,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Reasoning,
    Refusal,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.request_parts import object_of
from streamkit.errors import RemoteError, StatusError, StreamkitError
from streamkit.io.readlog import quantile_of
from streamkit.io.sink import stdout_sink

if TYPE_CHECKING:
    from streamkit.client.chat import Chat

__all__ = ["Answering"]

USUAL: Final = frozenset({"stop", "stop_sequence", "tool_calls"})
"""Reasons to stop that need no word."""


ESCAPES: Final = {ord(each): f"\\u{ord(each):04x}" for each in CONTROLS if each > "\x1f"}
"""What a terminal may take for a command and JSON lets through, as JSON's escapes."""


class Answering:
    """Prints an answer as it comes.

    Attributes:
        failure: why the answer is not whole, where that is told at the end; empty otherwise.
    """

    def __init__(
        self, *, as_json: bool, reasoning: bool, escape: bool, dim: bool, arrived_ns: Callable[[], int]
    ) -> None:
        """Begin an answer.

        Args:
            as_json: print events, one a line, and not text.
            reasoning: print the reasoning too.
            escape: show control characters as escapes, for a terminal.
            dim: dim the reasoning.
            arrived_ns: tells when the newest read came.
        """
        self.failure = ""
        self._typewriter = Typewriter(reasoning=reasoning, escape=escape, dim=dim)
        self._escape = escape
        self._encoder = encoder_of("json") if as_json else None
        self._arrived_ns = arrived_ns
        self._chat: Chat | None = None
        self._calls: dict[tuple[int, int], _Call] = {}
        self._ends_early = ""
        self._usage = Usage()
        self._tokens_ns: list[int] = []

    async def print_all(self, chat: Chat) -> None:
        """Print all events of a chat, those of one read in one write.

        Raises:
            What reading the chat does; everything good before that was printed.
        """
        import trio

        self._chat = chat
        if chat.dropped:
            say(f"{chat.dialect} has no place for {', '.join(chat.dropped)}")
        sink = stdout_sink()
        failure: StreamkitError | None = None
        try:
            while True:
                try:
                    events = await chat.receive_batch()
                except trio.EndOfChannel:
                    break
                self._note(events)
                await sink.send_all(self._written(events))
        except StreamkitError as error:
            failure = error
        if failure is not None:
            await sink.send_all(self._end_of_failed(chat))
            raise failure
        await sink.send_all(b"" if self._encoder is not None else self._typewriter.line_end)

    async def print_refusal(self, error: RemoteError) -> None:
        """Print why there is no answer, where events are printed and there is none yet."""
        if self._encoder is not None and self._chat is None:
            refusal = Error(
                error.message if isinstance(error, StatusError) else str(error),
                getattr(error, "error_type", "") or error.code,
                getattr(error, "error_code", ""),
                getattr(error, "status", None),
            )
            await stdout_sink().send_all(self._written([refusal]))

    def say_rest(self) -> None:
        """Say the rest when the answer is over: calls that never ended, why it stopped early, what was repaired."""
        for call in self._calls.values():
            aside(f"[tool {call.name} {call.arguments} (cut)]")
        self._calls.clear()
        if self._ends_early:
            say(f"the answer ends early: {self._ends_early}")
        for repair in self._chat.repairs if self._chat is not None else ():
            times = f", {repair.count} times" if repair.count > 1 else ""
            say(f"repaired ({repair.code}{times}): {repair.message}")

    def timing(self, sent_ns: int) -> str:
        """Return a line about how fast it was.

        Args:
            sent_ns: when the request began to go out.
        """
        moments = self._tokens_ns
        if not moments:
            return "timing: no token came"
        words = [f"first token {_ms(moments[0] - sent_ns)}", f"last {_ms(moments[-1] - sent_ns)}"]
        count = self._usage.output_total
        span_ns = moments[-1] - moments[0]
        if count is not None:
            rate = f" ({(count - 1) / span_ns * 1e9:.1f} a second)" if count > 1 and span_ns else ""
            words.append(f"{count} token{'' if count == 1 else 's'}{rate}")
        gaps = sorted(later - earlier for earlier, later in pairwise(moments))
        if gaps:
            quantiles = ", ".join(f"p{rank} {_ms(quantile_of(gaps, rank * 10))}" for rank in (50, 90, 99))
            words.append(f"gaps {quantiles}, max {_ms(gaps[-1])}")
        return f"timing: {'; '.join(words)}"

    def _written(self, events: list[Event]) -> bytes:
        if self._encoder is None:
            return b"".join(self._typewriter.feed_many(events))
        data = b"".join(self._encoder.feed_many(events))
        return data.decode().translate(ESCAPES).encode() if self._escape else data

    def _end_of_failed(self, chat: Chat) -> bytes:
        """Return what ends a failed answer: as JSON its error, as text the line."""
        if self._encoder is None:
            return self._typewriter.line_end
        error = chat.message.error
        return b"" if error is None else self._written([error])

    def _note(self, events: list[Event]) -> None:
        if any(map(is_token, events)):
            self._tokens_ns.append(self._arrived_ns())
        for event in events:
            if isinstance(event, Usage):
                self._usage = self._usage.updated(event)
            elif isinstance(event, Finish):
                self._ends_early = "" if event.reason in USUAL else event.reason.replace("_", " ")
            elif self._encoder is None:
                self._note_call(event)

    def _note_call(self, event: Event) -> None:
        """Say a tool call once it is whole."""
        if isinstance(event, PartStart) and event.kind == "tool":
            self._calls[event.choice, event.part] = _Call(event.tool_name)
        elif isinstance(event, ToolArgs):
            call = self._calls.get((event.choice, event.part))
            if call is not None:
                call.pieces.append(event.json_text)
        elif isinstance(event, PartEnd):
            call = self._calls.pop((event.choice, event.part), None)
            if call is not None:
                aside(f"[tool {call.name} {call.arguments}]")
                if object_of(call.arguments) is None:
                    say(f"the arguments of {call.name} are no JSON object: the call is cut, or broken")


class _Call:
    """A tool call that is not whole yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pieces: list[str] = []

    @property
    def arguments(self) -> str:
        return "".join(self.pieces) or "{}"


def is_token(event: Event) -> bool:
    """Tell whether an event brings some of the answer, rather than news of it."""
    return bool(
        event.json_text if isinstance(event, ToolArgs) else isinstance(event, (Text, Reasoning, Refusal)) and event.text
    )


def aside(text: str) -> None:
    """Write a line of the answer's on stderr, as printable text."""
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    with contextlib.suppress(OSError):  # as for all that is said there
        click.echo(shown, err=True)


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.1f} ms"
