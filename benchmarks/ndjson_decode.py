"""What does framing NDJSON cost on top of parsing its JSON?

The wire is 50 000 Ollama-like lines (about 118 bytes). We read it in 64 KiB chunks, find the lines, validate and decode
them. The peer gets the lines already split and only calls `orjson.loads` on each: the floor under every Python
program that decodes with orjson. Both count the records and keep none. The ratio is our speed over the peer's.

Rows without a target: other read sizes, `raw=True` (the record's bytes, validated to the same verdicts), and the
standard library's json on lines already split.

What the figures do not say: what the values cost afterwards. Decoded dicts die at once here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from benchmarks.measure import Effort, Figure, alternate, ratio, turn
from benchmarks.report import Row, Target, skipped
from benchmarks.workloads import chunks_of, ollama_chat_lines
from streamkit import NDJSONDecoder, Stage

NAME = "ndjson-decode"
LINES = 50_000
TARGET = Target(">=", 0.8, "x")
MakeDecoder = Callable[[], Stage[bytes, object]]


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    try:
        import orjson
    except ImportError:
        return [skipped(NAME, "framing and decoding", "orjson is not installed")]
    lines = ollama_chat_lines(effort.of(LINES), effort.seed)
    split = [line[:-1] for line in lines]
    wire = b"".join(lines)
    framed: dict[str, tuple[int, MakeDecoder]] = {
        "64 KiB chunks": (65536, NDJSONDecoder),
        "1 KiB chunks": (1024, NDJSONDecoder),
        "64 B chunks": (64, NDJSONDecoder),
        "64 KiB chunks, raw=True": (65536, partial(NDJSONDecoder, raw=True)),
    }
    floor, stdlib = "orjson, lines split", "json, lines split"
    works: dict[str, Callable[[], int]] = {
        what: partial(ours, make, chunks_of(wire, size)) for what, (size, make) in framed.items()
    }
    works[floor] = partial(bare, orjson.loads, split)
    works[stdlib] = partial(bare, json.loads, split)
    check_same(works, len(lines))
    taken = alternate({name: turn(work) for name, work in works.items()}, effort.rounds)
    speeds = {name: Figure.of([len(lines) * 1000 / ns for ns in times], "M lines/s") for name, times in taken.items()}
    return [
        Row(
            NAME,
            what,
            speeds[what],
            speeds[floor],
            floor,
            ratio(taken[floor], taken[what]),
            TARGET if what == "64 KiB chunks" else None,
            detail={stdlib: speeds[stdlib]} if what == "64 KiB chunks" else {},
        )
        for what in framed
    ]


def ours(make: MakeDecoder, chunks: Iterable[bytes]) -> int:
    """Frame and decode the chunks; return the number of records."""
    decoder = make()
    count = 0
    for chunk in chunks:
        for _ in decoder.feed(chunk):
            count += 1
    return count + len(decoder.finish())


def bare(loads: Callable[[bytes], object], lines: Sequence[bytes]) -> int:
    """Decode lines that are already split; return the number of records."""
    count = 0
    for line in lines:
        loads(line)
        count += 1
    return count


def check_same(works: dict[str, Callable[[], int]], count: int) -> None:
    """See that everybody decodes all records.

    Raises:
        RuntimeError: somebody does not.
    """
    counts = {name: work() for name, work in works.items()}
    if set(counts.values()) != {count}:
        msg = f"{count} records went in, but: {counts}"
        raise RuntimeError(msg)
