"""`ndjson-to-sse`: one record a line in, one event a record out. Framing only: the record's bytes stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import click

from streamkit.cli.edge import (
    SkipBad,
    filter_command,
    limit_option,
    run,
    skip_bad_option,
    source_of,
)
from streamkit.codecs.ndjson import NDJSONDecoder
from streamkit.codecs.records import OnError
from streamkit.codecs.sse_encoder import SSEEncoder
from streamkit.codecs.sse_events import SSEComment, SSEEvent
from streamkit.codecs.stage import Stage
from streamkit.errors import ConfigError

__all__ = ["command", "labeller"]


class FieldError(ValueError):
    """A record's field cannot be the event's type or id."""

    code = "bad-field"


def labeller(
    event: str | None, event_field: str | None, id_field: str | None
) -> Callable[[object, bytes], Sequence[SSEEvent]]:
    """Return a function from a record to its event, whose type and id are taken from the record's own fields.

    A record without the field, or with null in it, keeps the type `event`, or has no id line; a field that cannot be
    one (not a string; for the id an integer will do too) is a `FieldError`.
    """
    last_id = ""

    def label(value: object, record: bytes) -> Sequence[SSEEvent]:
        nonlocal last_id
        fields = value if isinstance(value, dict) else {}
        name = event or "message"
        if event_field is not None and fields.get(event_field) is not None:
            name = _text(fields[event_field], event_field, numbers=False) or name
        if id_field is not None and fields.get(id_field) is not None:
            last_id = _text(fields[id_field], id_field, numbers=True)
        return [SSEEvent(name, record.decode(), last_id)]

    return label


def _text(value: object, field: str, *, numbers: bool) -> str:
    if numbers and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        kind = "a string or an integer" if numbers else "a string"
        msg = f"the field {field!r} is not {kind}"
        raise FieldError(msg)
    if any(character in value for character in "\r\n\0"):
        msg = f"the field {field!r} has a line break or NUL, which no event stream can carry there"
        raise FieldError(msg)
    return value


@filter_command("ndjson-to-sse")
@click.option("--event", metavar="NAME", help="The type of every event.")
@click.option("--event-field", metavar="KEY", help="Take the type from the record's field KEY, where it has one.")
@click.option("--id-field", metavar="KEY", help="Take the id from the record's field KEY, where it has one.")
@click.option("--done", metavar="TEXT", help="Write a last event with this data after a clean end, e.g. [DONE].")
@click.option(
    "--retry", "retry_ms", type=click.IntRange(min=0), metavar="MS", help="Ask readers to reconnect after MS."
)
@click.option(
    "--keepalive",
    "keepalive_s",
    type=click.FloatRange(min=0.001),
    metavar="SECONDS",
    help="Write a comment whenever nothing came for so long.",
)
@limit_option("--max-record-bytes", "record")
@skip_bad_option
def command(
    event: str | None,
    event_field: str | None,
    id_field: str | None,
    done: str | None,
    retry_ms: int | None,
    keepalive_s: float | None,
    max_record_bytes: int,
    skip_bad: bool,
    file: str | None,
) -> NoReturn:
    """Turn newline-delimited JSON into server-sent events.

    Each record leaves as one event as soon as its newline is there, its bytes unchanged. Reads FILE or standard input.

    \b
    Examples:
      curl -sN localhost:11434/api/chat -d @chat.json | streamkit ndjson-to-sse
      ndjson-to-sse --event token --done '[DONE]' chat.ndjson
    """
    from streamkit.io.idle import idle
    from streamkit.io.items import Items
    from streamkit.io.run import pull, pump
    from streamkit.io.sink import stdout_sink

    try:
        encoder = SSEEncoder(event=event, retry_ms=retry_ms, done=done)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    decoder: Stage[bytes, object]
    on_error: OnError = "item" if skip_bad else "raise"
    if event_field is None and id_field is None:
        decoder = NDJSONDecoder(max_record_bytes=max_record_bytes, raw=True, on_error=on_error)
    else:
        label = labeller(event, event_field, id_field)
        decoder = NDJSONDecoder(max_record_bytes=max_record_bytes, on_error=on_error, convert=label)
    source = source_of(file)

    async def main() -> None:
        records: Items[object] = pull(source, decoder | SkipBad() if skip_bad else decoder)
        if keepalive_s is not None:
            records = idle(records, keepalive_s, keepalive=SSEComment("keep-alive"))
        await pump(records, encoder, stdout_sink())

    run(main)
