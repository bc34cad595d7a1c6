r"""The shortcut of the SSE decoder: reads of nothing but blocks of one `data: ` line each, with LF ends.

That is what nearly every LLM server sends. Such a read is cut at every `\n\ndata: `, all pieces at once; if no piece
then holds a line feed, each is one data line and nothing else, and looking once through all of them proves it. Line
after line costs 2.5 times as much in reads of 1 KiB, and 4.6 times as much in reads of 64 KiB. Anything else (another
field, a CR, invalid UTF-8) is left to the decoder, with nothing done.

The three ways below differ in what they copy: of a short read a copy is the cheapest operation there is, of 64 KiB or
of an 8 MiB line it is most of the work.
"""

from __future__ import annotations

from itertools import repeat
from typing import Final

from streamkit.codecs.lines import LF
from streamkit.codecs.sse_events import SSEEvent

__all__ = ["SMALL_BYTES", "take_blocks"]

SMALL_BYTES: Final = 4096
"""Up to which length a copy is not worth avoiding. An unfinished line is bytes up to here, then a bytearray."""

_MESSAGE: Final = repeat("message")


def take_blocks(line: bytes | bytearray, data: bytes, event_id: str) -> tuple[list[SSEEvent], bytes] | None:
    """Return the events that the unfinished `line` and `data` make up, and the unfinished line after them.

    Returns None if they are anything but blocks of one data line each. `data` has no CR.
    """
    end, tail = len(data) - 2, b""
    if data[-2:] != b"\n\n":
        last = data.rfind(b"\n")
        if not last or data[last - 1] != LF:
            return None
        end, tail = last - 1, data[last + 1 :]
    try:
        if isinstance(line, bytearray):
            events = _long_line(line, data[:end], event_id)
        elif len(data) > SMALL_BYTES:
            events = _long_read(line, data, end, tail, event_id)
        else:
            if line:
                blocks = b"".join((line, data))
                if blocks[:6] != b"data: ":
                    return None
                blocks = blocks[6 : end - len(data)]
            elif data[:6] == b"data: ":
                blocks = data[6:end]
            else:
                return None
            if LF not in blocks:
                return [SSEEvent("message", blocks.decode(), event_id)], tail
            events = _events(blocks.rsplit(b"\n\ndata: "), event_id)
    except UnicodeDecodeError:
        return None
    return None if events is None else (events, tail)


def _long_read(line: bytes, data: bytes, end: int, tail: bytes, event_id: str) -> list[SSEEvent] | None:
    pieces = data.rsplit(b"\n\ndata: ")
    if tail[:6] == b"data: ":
        pieces.pop()  # the tail, which was cut off with the others
    else:
        pieces[-1] = pieces[-1][: end - len(data)]
    first = line + pieces[0]
    pieces[0] = first[6:]
    return _events(pieces, event_id) if first[:6] == b"data: " else None


def _events(pieces: list[bytes], event_id: str) -> list[SSEEvent] | None:
    # They come from rsplit: the same pieces as split's, in half the time.
    if LF in b"".join(pieces):
        return None
    return [*map(SSEEvent, _MESSAGE, map(bytes.decode, pieces), repeat(event_id))]


def _long_line(line: bytearray, rest: bytes, event_id: str) -> list[SSEEvent] | None:
    """Decode a long unfinished line and its rest in place, and leave the line as it was if that does not do."""
    if line[:6] != b"data: " or LF in rest:
        return None
    held = len(line)
    line += rest
    try:
        with memoryview(line) as whole:
            text = str(whole[6:], "utf-8")
    except UnicodeDecodeError:
        del line[held:]
        return None
    return [SSEEvent("message", text, event_id)]
