"""The WHATWG event-stream algorithm, transcribed literally and slowly, to judge the real decoder by.

Written from WHATWG HTML sections 9.2.5 and 9.2.6 (parsing and interpreting an event stream), one character at a time
over text that is decoded as a whole. It shares no code and no idea with the decoder: no chunks, no bytes, no shortcuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Outcome", "dropped_bytes", "interpret"]

MAX_RETRY_DIGITS = 4300
"""Python's own limit for int(); the standard has none. No test draws a number near it."""


@dataclass
class Outcome:
    """What the algorithm did.

    Attributes:
        events: what was dispatched, as (event, data, id).
        comments: the text of each comment line, without the colon.
        order: events and comments as they came, a comment as a plain str.
        last_event_id: the event source's last event ID string.
        retry_ms: its reconnection time, None if the stream never set it.
        pending: whether the end of the stream loses something: an unfinished line, or a field not yet dispatched.
    """

    events: list[tuple[str, str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    order: list[tuple[str, str, str] | str] = field(default_factory=list)
    last_event_id: str = ""
    retry_ms: int | None = None
    pending: bool = False


def interpret(wire: bytes) -> Outcome:  # noqa: C901, PLR0912, PLR0915 - in one piece, as the standard has it
    """Run the algorithm over a whole stream that has ended."""
    # "Streams must be decoded using the UTF-8 decode algorithm", which removes one byte order mark.
    if wire[:3] == b"\xef\xbb\xbf":
        wire = wire[3:]
    stream = wire.decode("utf-8", errors="replace")

    outcome = Outcome()
    data_buffer = ""
    event_type_buffer = ""
    last_event_id_buffer = ""

    line = ""
    position = 0
    while position < len(stream):
        character = stream[position]
        position += 1
        if character not in "\r\n":
            line += character
            continue
        if character == "\r" and position < len(stream) and stream[position] == "\n":
            position += 1

        if line == "":
            # Dispatch the event.
            outcome.last_event_id = last_event_id_buffer
            if data_buffer == "":
                event_type_buffer = ""
                continue
            if data_buffer[-1] == "\n":
                data_buffer = data_buffer[:-1]
            event = (event_type_buffer or "message", data_buffer, outcome.last_event_id)
            outcome.events.append(event)
            outcome.order.append(event)
            data_buffer = ""
            event_type_buffer = ""
            continue

        if line[0] == ":":
            outcome.comments.append(line[1:])
            outcome.order.append(line[1:])
            line = ""
            continue

        name, value, before_colon = "", "", True
        for character in line:
            if before_colon and character == ":":
                before_colon = False
            elif before_colon:
                name += character
            else:
                value += character
        if value != "" and value[0] == " ":
            value = value[1:]
        line = ""

        if name == "event":
            event_type_buffer = value
        elif name == "data":
            data_buffer += value + "\n"
        elif name == "id":
            if "\x00" not in value:
                last_event_id_buffer = value
        elif name == "retry":  # noqa: SIM102 - one step of the algorithm a line
            if value != "" and all(digit in "0123456789" for digit in value) and len(value) <= MAX_RETRY_DIGITS:
                outcome.retry_ms = int(value)

    outcome.pending = bool(line or data_buffer or event_type_buffer or last_event_id_buffer != outcome.last_event_id)
    return outcome


def dropped_bytes(wire: bytes) -> int:
    """Return how many bytes follow the last blank line, or 0 where nothing was pending."""
    if not interpret(wire).pending:
        return 0
    # CR, LF and the colon are never part of a longer UTF-8 sequence, so lines can be found among the bytes.
    after_blank_line = position = 0
    if wire[:3] == b"\xef\xbb\xbf":
        position = 3
    line_is_empty = True
    while position < len(wire):
        byte = wire[position : position + 1]
        position += 1
        if byte not in {b"\r", b"\n"}:
            line_is_empty = False
            continue
        if byte == b"\r" and wire[position : position + 1] == b"\n":
            position += 1
        if line_is_empty:
            after_blank_line = position
        line_is_empty = True
    return len(wire) - after_blank_line
