"""Each filter as a process: what a piece completes is readable downstream before the next piece is released.

Hypothesis draws the records, how they are spelled, and where the wire is cut. The output that is due after each piece
is computed here, from the rules and not with streamkit's code. A held byte is a wait that never ends, hence a failure.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.cli.harness import Kept


@dataclass(frozen=True, slots=True)
class Script:
    """Pieces to send, and the output that each one completes."""

    pieces: list[bytes]
    due: list[bytes]


def cut(wire: bytes, at: set[int], output_of: Callable[[int], bytes]) -> Script:
    """Cut `wire` after the bytes numbered `at`; `output_of(n)` is the whole output that the first n bytes determine."""
    ends = sorted({min(max(end, 1), len(wire)) for end in at} | {len(wire)})
    starts = [0, *ends[:-1]]
    pieces = [wire[start:end] for start, end in zip(starts, ends, strict=True)]
    due = [output_of(end)[len(output_of(start)) :] for start, end in zip(starts, ends, strict=True)]
    return Script(pieces, due)


CUTS = st.sets(st.integers(1, 400), max_size=12)

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spelled(draw: st.DrawFn) -> bytes:
    """A JSON value as one line, with or without escapes, with or without white space."""
    value = draw(VALUES)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :  ")]))
    return json.dumps(value, ensure_ascii=draw(st.booleans()), separators=separators).encode()


# ------------------------------------------------------------------------------------------------------------- ndjson


def frames(lines: list[bytes]) -> bytes:
    """Each record as an SSE frame; a raw CR inside one is white space and splits its data in two lines."""
    out = b""
    for line in lines:
        record = line.removesuffix(b"\r")
        if record.strip(b" \t\r"):
            out += b"".join(b"data: %b\n" % part for part in record.split(b"\r")) + b"\n"
    return out


@st.composite
def ndjson(draw: st.DrawFn) -> Script:
    wire = b""
    for record in draw(st.lists(spelled() | st.sampled_from([b"", b" ", b'{"a":\r[1,\r2]}']), min_size=1, max_size=6)):
        wire += record + draw(st.sampled_from([b"\n", b"\r\n"]))
    return cut(wire, draw(CUTS), lambda end: frames(wire[:end].split(b"\n")[:-1]))


# ---------------------------------------------------------------------------------------------------------------- sse


@st.composite
def sse(draw: st.DrawFn, line_of: Callable[[bytes], bytes], done: bytes) -> Script:
    """Events in every line end, and things that are none. A blank line dispatches at its first byte, also at a CR."""
    wire = b""
    dispatched: list[tuple[int, bytes]] = []  # how many bytes it takes, and what comes out
    last_end = b""

    def line(content: bytes) -> None:
        nonlocal wire, last_end
        end = draw(st.sampled_from([b"\n", b"\r", b"\r\n"]))
        if not content and last_end == b"\r" and end == b"\n":
            end = b"\r"  # CR and LF would be one line end, not two
        wire += content + end
        last_end = end

    for data in draw(st.lists(spelled() | st.sampled_from([b"[DONE]", None]), min_size=1, max_size=6)):
        for extra in draw(st.lists(st.sampled_from([b": ping", b"event: x", b"retry: 5", b"unknown"]), max_size=2)):
            line(extra)
        if data is not None:
            line(b"data: " + data)
        start = len(wire)
        line(b"")
        if data is not None:
            dispatched.append((start + 1, done if data == b"[DONE]" else line_of(data)))
    return cut(wire, draw(CUTS), lambda end: b"".join(out for at, out in dispatched if at <= end))


def as_record(data: bytes) -> bytes:
    return data + b"\n"


# ------------------------------------------------------------------------------------------------------------ rechunk


@st.composite
def chunks(draw: st.DrawFn, boundary: bytes) -> Script:
    """Pieces end after each `boundary`; what follows the last one waits for its end."""
    part = st.binary(max_size=8).map(lambda data: data.translate(None, b"\r\n"))
    wire = b"".join(data + boundary for data in [*draw(st.lists(part, max_size=6)), b"x"])

    def output_of(end: int) -> bytes:
        before, found, _ = wire[:end].rpartition(boundary)
        return before + found

    return cut(wire, draw(CUTS), output_of)


@st.composite
def sized(draw: st.DrawFn, size: int) -> Script:
    wire = draw(st.binary(min_size=1, max_size=60))
    wire += bytes(-len(wire) % size)
    return cut(wire, draw(CUTS), lambda end: wire[: end - end % size])


# ------------------------------------------------------------------------------------------------------------ dialects

PLAIN_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)

SEPARATORS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


@st.composite
def generated(draw: st.DrawFn) -> Script:
    """Lines of Ollama's generate, each of which becomes one of its chat; one without text becomes nothing."""
    wire = b""
    lines: list[tuple[int, bytes]] = []
    for text in draw(st.lists(PLAIN_TEXT, min_size=1, max_size=6)):
        record = {"model": "m", "created_at": "2026-11-20T09:14:03.123456789Z", "response": text, "done": False}
        wire += json.dumps(record, ensure_ascii=draw(st.booleans())).encode() + draw(st.sampled_from([b"\n", b"\r\n"]))
        content = json.dumps(text, ensure_ascii=False).translate(SEPARATORS)
        line = (
            '{"model":"m","created_at":"2026-11-20T09:14:03.123456789Z",'
            f'"message":{{"role":"assistant","content":{content}}},"done":false}}\n'
        )
        lines.append((len(wire), line.encode() if text else b""))
    return cut(wire, draw(CUTS), lambda end: b"".join(line for at, line in lines if at <= end))


@st.composite
def spoken(draw: st.DrawFn) -> Script:
    """Frames of OpenAI's chat, of which only the text is left."""
    wire = b""
    texts: list[tuple[int, bytes]] = []
    for text in draw(st.lists(TEXT, min_size=1, max_size=6)):
        chunk = {"choices": [{"index": 0, "delta": {"content": text}}]}
        wire += draw(st.sampled_from([b"", b": ping\n\n"]))
        wire += b"data: " + json.dumps(chunk, ensure_ascii=draw(st.booleans())).encode() + b"\n\n"
        texts.append((len(wire), text.encode()))
    return cut(wire, draw(CUTS), lambda end: b"".join(text for at, text in texts if at <= end))


PHASES = [phase for phase in Phase if phase is not Phase.shrink]
"""Shrinking would wait out the harness's deadline at every step; the scripts are short enough as drawn."""

FILTERS: list[object] = [
    pytest.param(("ndjson-to-sse",), ndjson(), id="ndjson-to-sse"),
    pytest.param(("ndjson-to-sse", "--skip-bad", "--event-field", "no"), ndjson(), id="ndjson-to-sse-skip-bad"),
    pytest.param(("ndjson-to-sse", "--keepalive", "60"), ndjson(), id="ndjson-to-sse-keepalive"),
    pytest.param(("sse-to-ndjson",), sse(as_record, b""), id="sse-to-ndjson"),
    pytest.param(("sse-to-ndjson", "--skip-bad", "--require-done"), sse(as_record, b""), id="sse-to-ndjson-skip-bad"),
    pytest.param(("streamkit", "rechunk", "--every-byte"), sized(1), id="rechunk-every-byte"),
    pytest.param(("streamkit", "rechunk", "--hostile"), sized(1), id="rechunk-hostile"),
    pytest.param(("streamkit", "rechunk", "--size", "3"), sized(3), id="rechunk-size"),
    pytest.param(("streamkit", "rechunk", "--lines"), chunks(b"\n"), id="rechunk-lines"),
    pytest.param(("streamkit", "rechunk", "--events"), chunks(b"\n\n"), id="rechunk-events"),
    pytest.param(("streamkit", "rechunk", "--events", "--gap", "0"), chunks(b"\n\n"), id="rechunk-gap"),
    pytest.param(
        ("streamkit", "convert", "--from", "ollama-generate", "--to", "ollama-chat"), generated(), id="convert"
    ),
    pytest.param(("streamkit", "convert", "--to", "ollama-chat", "--report-loss"), generated(), id="convert-auto"),
    pytest.param(("streamkit", "text"), spoken(), id="text"),
    pytest.param(("streamkit", "text", "--from", "openai-chat", "--reasoning"), spoken(), id="text-reasoning"),
]


@pytest.mark.parametrize(("argv", "scripts"), FILTERS)
def test_lockstep(argv: tuple[str, ...], scripts: st.SearchStrategy[Script]) -> None:
    with Kept(*argv) as kept:

        @settings(max_examples=15, deadline=None, phases=PHASES)
        @given(scripts)
        def check(script: Script) -> None:
            with kept.case() as process:
                for piece, due in zip(script.pieces, script.due, strict=True):
                    process.send(piece)
                    process.expect(due)

        check()


@pytest.mark.parametrize(
    ("argv", "record", "due"),
    [
        pytest.param(
            ("ndjson-to-sse",), b'{"n":"\xe2\x82\xac"}\r\n', b'data: {"n":"\xe2\x82\xac"}\n\n', id="ndjson-to-sse"
        ),
        pytest.param(
            ("sse-to-ndjson",), b'data: {"n":"\xe2\x82\xac"}\r\r', b'{"n":"\xe2\x82\xac"}\n', id="sse-to-ndjson"
        ),
    ],
)
def test_every_cut_of_one_record(argv: tuple[str, ...], record: bytes, due: bytes) -> None:
    """Two pieces, cut at each place in turn, then one byte at a time."""
    with Kept(*argv) as kept, kept.case() as process:
        for at in range(1, len(record)):
            process.send(record[:at])
            process.send(record[at:])
            process.expect(due)
        for byte in record:
            process.send(bytes([byte]))
        process.expect(due)
