"""Short ways to write a wire by hand and to see what comes of it, for the tests of single dialects."""

from __future__ import annotations

import json
from collections.abc import Iterable

from streamkit.dialects.convert import Converter, decoder_of, encoder_of
from streamkit.dialects.events import Event
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.errors import DecodeError


def sse(*records: object, done: bool = True) -> bytes:
    """Data-only events, with `[DONE]` after them; a string is the data itself."""
    data = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return "".join([f"data: {each}\n\n" for each in [*data, *(["[DONE]"] if done else [])]]).encode()


def lines(*records: object) -> bytes:
    return "".join([json.dumps(record) + "\n" for record in records]).encode()


def decode(dialect: str, wire: bytes, *, strict: bool = False) -> list[Event]:
    """The events of a whole wire, which are lawful."""
    decoder = decoder_of(dialect, strict=strict)
    events = [*decoder.feed(wire), *decoder.finish()]
    checker = Lifecycle()
    assert [*checker.feed_many(events), *checker.finish()] == []
    return events


def repairs_of(dialect: str, wire: bytes) -> dict[str, int]:
    """How often each repair was made."""
    decoder = decoder_of(dialect)
    decoder.feed(wire)
    decoder.finish()
    return {repair.code: repair.count for repair in decoder.repairs}


def refusal_of(dialect: str, wire: bytes, *, strict: bool = True) -> str:
    """The code of the error by which a decoder refuses a wire."""
    decoder = decoder_of(dialect, strict=strict)
    try:
        decoder.feed(wire)
        decoder.finish()
    except DecodeError as error:
        return error.code
    return ""


def encode(dialect: str, events: Iterable[Event], *, include_usage: bool = True) -> bytes:
    encoder = encoder_of(dialect, include_usage=include_usage)
    return b"".join([*encoder.feed_many(events), *encoder.finish()])


def convert(source: str, target: str, wire: bytes) -> tuple[bytes, Converter]:
    """What a converter writes, also of a stream that fails, and the converter."""
    converter = Converter(source, target)
    out: list[bytes] = []
    try:
        out += converter.feed(wire)
        out += converter.finish()
    except DecodeError as error:
        out += error.items  # type: ignore[arg-type]  # they are the converter's
    return b"".join(out), converter


def records(wire: bytes) -> list[dict[str, object]]:
    """The JSON records of NDJSON, or of data-only events; the terminator is left out."""
    texts = [line.removeprefix("data: ") for line in wire.decode().splitlines() if line and not line.startswith(":")]
    return [json.loads(text) for text in texts if text != "[DONE]"]
