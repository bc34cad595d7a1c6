"""`sse-to-ndjson`: one event in, one record a line out. Framing only: the data is passed on, not translated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NoReturn

import click

from streamkit.cli.edge import (
    BAD_INPUT,
    SkipBad,
    fail,
    filter_command,
    limit_option,
    run,
    skip_bad_option,
    source_of,
)
from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.codecs.ndjson_encoder import NDJSONEncoder
from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.sse_events import SSEEvent

__all__ = ["Unframer", "command"]

OnText = Literal["error", "string", "skip"]


class NotJSONError(ValueError):
    """An event's data is not JSON."""

    code = "not-json"


class Unframer:
    """From an event to its record.

    Attributes:
        events: how many events there were.
        done: whether the terminator has been seen.
    """

    def __init__(self, *, envelope: bool, done_text: str, on_text: OnText) -> None:
        self.events = 0
        self.done = False
        self._envelope = envelope
        self._done_text = done_text
        self._on_text = on_text

    def __call__(self, event: SSEEvent) -> Sequence[object]:
        """Return the event's record, as JSON bytes or as a value, or nothing.

        Raises:
            NotJSONError: the data is not JSON, and `on_text` is "error".
        """
        self.events += 1
        is_done = event.data == self._done_text
        self.done = self.done or is_done
        if self._envelope:
            return [{"event": event.event, "data": event.data, "id": event.id}]
        if is_done:
            return []
        record = event.data.encode()
        try:
            decode_checked(record)
        except JSONTextError as error:
            if self._on_text == "string":
                return [event.data]
            if self._on_text == "skip":
                return []
            msg = f"the event's data is not JSON ({error.reason}); see --on-text"
            raise NotJSONError(msg) from None
        return [record]


@filter_command("sse-to-ndjson")
@click.option(
    "--envelope", is_flag=True, help='Print {"event":..,"data":..,"id":..} for every event, its data as a string.'
)
@click.option(
    "--done",
    "done_text",
    metavar="TEXT",
    default="[DONE]",
    show_default=True,
    help="Data that ends the stream; dropped.",
)
@click.option(
    "--on-text",
    type=click.Choice(["error", "string", "skip"]),
    default="error",
    show_default=True,
    help="What to do with data that is not JSON: stop, write it as a JSON string, or leave it out.",
)
@click.option(
    "--flush-partial", is_flag=True, help="Take an event without its last blank line at the end of the input."
)
@click.option("--require-done", is_flag=True, help="Exit 3 if the input ends without the text of --done.")
@limit_option("--max-event-bytes", "event")
@skip_bad_option
def command(
    envelope: bool,
    done_text: str,
    on_text: OnText,
    flush_partial: bool,
    require_done: bool,
    max_event_bytes: int,
    skip_bad: bool,
    file: str | None,
) -> NoReturn:
    """Turn server-sent events into newline-delimited JSON.

    Each event leaves as one line as soon as its blank line is there. Data of several lines becomes one line. Reads FILE
    or standard input.

    \b
    Examples:
      curl -sN localhost:8000/v1/chat/completions -d @chat.json | streamkit sse-to-ndjson
      sse-to-ndjson --envelope events.txt
    """
    from streamkit.io.run import pull, pump
    from streamkit.io.sink import stdout_sink

    unframer = Unframer(envelope=envelope, done_text=done_text, on_text=on_text)
    decoder = SSEDecoder(
        max_event_bytes=max_event_bytes,
        on_error="item" if skip_bad else "raise",
        flush_partial=flush_partial,
        convert=unframer,
    )
    source = source_of(file)

    async def main() -> None:
        await pump(pull(source, decoder | SkipBad() if skip_bad else decoder), NDJSONEncoder(), stdout_sink())
        if decoder.dropped_bytes:
            dropped = f"of which {decoder.dropped_bytes} bytes were dropped"
            fail(f"the input ends inside an event, {dropped}; see --flush-partial", BAD_INPUT)
        if decoder.ignored_lines and not unframer.events:
            fail("no event in the input, only lines that event streams do not have: is it one?", BAD_INPUT)
        if require_done and not unframer.done:
            fail(f"the input ends without {done_text!r}", BAD_INPUT)

    run(main)
