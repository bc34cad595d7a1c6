"""Errors in the middle of a stream: in the dialect's own form, and in forms that clients overlook. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockserver.faults.frames import check_framing, frames_in
from mockserver.faults.insertion import Insertion, inserted
from mockserver.faults.kind import BETWEEN, Apply, Context, Kind, place_of
from mockserver.faults.places import InapplicableError
from mockserver.faults.spec import Fault, Place
from mockserver.faults.transport import broken_off, check_unicode
from mockserver.response import Record, Response, Step
from mockserver.script import Close
from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import Error
from streamkit.errors import StreamkitError

__all__ = ["KINDS", "stream_of"]

MIDWAY: Final = Place("token", 1)

ERROR_TEXT: Final = "the mock server was told to fail here"
ERRORS: Final = {"anthropic": ("overloaded_error", None), "gemini": ("UNAVAILABLE", 503)}
"""The vendor's usual type of an error in the middle of a stream, and its status, where it is not a `server_error`."""


class Failure(Insertion):
    """An error as the dialect's own encoder writes it after what it has seen: with the ids and numbers that follow.

    After a record that is broken, by another fault for instance, the error is written as one that comes first.
    """

    def __init__(self, message: str, dialect: Dialect, framing: str) -> None:
        super().__init__()
        kind, status = ERRORS.get(dialect.name, ("server_error", None))
        self._error = Error(message, kind, status=status)
        self._framing = framing
        self._fresh = dialect.encoder(framing=framing)
        self._encoder = dialect.encoder(framing=framing)
        self._decoder = dialect.decoder(framing=framing)
        self._lost = False

    def see(self, step: Step) -> None:
        if self._lost or not isinstance(step, Record):
            return
        try:
            self._encoder.feed_many(self._decoder.feed(step.data))
        except StreamkitError:
            self._lost = True

    def write(self) -> list[bytes]:
        try:
            written = (self._fresh if self._lost else self._encoder).feed(self._error)
        except StreamkitError:
            written = self._fresh.feed(self._error)
        if self._framing == "json-array":
            return written
        return [
            frame.step.data
            for data in written
            for frame in frames_in(Record(data), self._framing)
            if isinstance(frame.step, Record)
        ]


def apply_error(response: Response, fault: Fault, context: Context) -> Response:
    """End with an error in the dialect's own form; where it has none, by breaking the connection."""
    dialect, framing = stream_of(context), context.framing
    if "error" not in dialect.carries:
        return broken_off(response, place_of(fault), Close())
    return inserted(response, place_of(fault), lambda: Failure(fault.argument, dialect, framing), lambda _: ())


def apply_error_then_end(response: Response, fault: Fault, context: Context) -> Response:
    """Send an error, and then say nevertheless that nothing is missing."""
    dialect, framing = stream_of(context), context.framing

    def terminators(rest: Iterator[Step]) -> Iterator[Step]:
        return (step for step in rest if isinstance(step, Record) and step.is_terminator)

    if "error" not in dialect.carries:
        raise InapplicableError(f"{dialect.name} has no form for an error")
    return inserted(response, place_of(fault), lambda: Failure(fault.argument, dialect, framing), terminators)


def stream_of(context: Context) -> Dialect:
    """Return the dialect of a stream.

    Raises:
        InapplicableError: the response is none, or of no dialect.
    """
    if context.dialect is None or not context.framing:
        raise InapplicableError("the answer is no stream of a dialect")
    return context.dialect


def apply_error_string(response: Response, fault: Fault, context: Context) -> Response:
    """End with an error that is a string where clients expect an object."""
    check_framing(context, "sse")
    data = b"data: %b\n\n" % encode_value({"error": fault.argument})
    return inserted(response, place_of(fault), lambda: Insertion(data), lambda _: ())


def apply_flat_error_event(response: Response, fault: Fault, context: Context) -> Response:
    """End with an event of the type "error", whose fields are not inside of `error`."""
    check_framing(context, "sse")
    fields = {"type": "error", "code": "server_error", "message": fault.argument, "param": None}
    data = b"event: error\ndata: %b\n\n" % encode_value(fields)
    return inserted(response, place_of(fault), lambda: Insertion(data), lambda _: ())


OLLAMA: Final = ("ollama-chat", "ollama-generate")
OPENAI: Final = ("openai-chat", "openai-completions")


def _kind(name: str, summary: str, apply: Apply, dialects: tuple[str, ...] = ()) -> Kind:
    """Return the row of an error; all take a message, and stand between records."""
    return Kind(
        name,
        summary,
        apply,
        takes="[MESSAGE]",
        default=ERROR_TEXT,
        check=check_unicode,
        place=MIDWAY,
        places=BETWEEN,
        dialects=dialects,
    )


KINDS: Final = (
    _kind("error", "End with an error in the dialect's own form; break the connection where it has none.", apply_error),
    _kind("error-object", "The same, by the name that tells it from error-string.", apply_error, OPENAI),
    _kind("error-line", "The same, by the name that it has in a stream of lines.", apply_error, OLLAMA),
    _kind("error-then-end", "Send an error in the dialect's own form, and its end after it.", apply_error_then_end),
    _kind("error-string", "End with an error that is a string, not an object.", apply_error_string, OPENAI),
    _kind(
        "flat-error-event",
        "End with an error event whose fields are not inside of an object.",
        apply_flat_error_event,
        (*OPENAI, "openai-responses"),
    ),
)
