"""Every stage obeys the laws of `streamkit.codecs.stage`: on a wire with its expected output, and on drawn ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit import (
    Accumulator,
    Coalesce,
    Events,
    EveryByte,
    Hostile,
    JSONArrayDecoder,
    JSONArrayEncoder,
    LimitExceeded,
    Lines,
    LineScanner,
    NDJSONDecoder,
    NDJSONEncoder,
    RandomSize,
    Rechunker,
    Size,
    SSEComment,
    SSEDecoder,
    SSEEncoder,
    SSEEvent,
    Stage,
    Utf8Decoder,
)
from streamkit.testing import check_items, check_limit, check_stage, outcome, splits

Make = Callable[[], Stage[Any, Any]]

# (name, how to make the stage, the wire as steps, what each step brings and last what the end brings)
STEPS: list[tuple[str, Make, Sequence[bytes], Sequence[Sequence[Any]]]] = [
    (
        "lines",
        LineScanner,
        [b"a\r\n", b"\n", b"b\rc\n", b"caf\xc3\xa9"],
        [[b"a"], [b""], [b"b\rc"], [], [b"caf\xc3\xa9"]],
    ),
    (
        "lines, any end",
        lambda: LineScanner(newline="any"),
        [b"a\r", b"\n", b"\r", b"b\n", b"\n", b"c"],
        [[b"a"], [], [b""], [b"b"], [b""], [], [b"c"]],
    ),
    (
        "utf-8",
        Utf8Decoder,
        [b"\xef\xbb\xbf", b"a", b"\xf0\x9f\x99", b"\x82", b"\xe6\x97", b"\xa5"],
        [[], ["a"], [], ["🙂"], [], ["日"]],
    ),
    (
        "utf-8, replacing",
        lambda: Utf8Decoder(errors="replace"),
        [b"a\xff", b"\xc3", b"(", b"\xf0\x9f"],
        [["a�"], [], ["�("], [], ["�"]],
    ),
    (
        "ndjson",
        NDJSONDecoder,
        [b'\xef\xbb\xbf{"a":', b"1}\n", b"\r\n \n", b"18446744073709551616\r\n", b'"caf\xc3', b'\xa9"'],
        [[], [{"a": 1}], [], [2**64], [], [], ["café"]],
    ),
    (
        "ndjson, raw",
        lambda: NDJSONDecoder(raw=True),
        [b'\xef\xbb\xbf {"a":\r', b"1}\n", b"\r\n", b"1e3\r\n", b"[1,2]"],
        [[], [b' {"a":\r1}'], [], [b"1e3"], [], [b"[1,2]"]],
    ),
    (
        "sse",
        lambda: SSEDecoder(comments=True),
        [
            b"\xef\xbb\xbfdata: a\n",
            b"\n",
            b": ping\n",
            b"id: 7\r\r",
            b"data\r\n",
            b"\r",
            b"\nevent: x\ndata:b\ndata: \xe6\x97\xa5\n",
            b"\n",
            b"data: dropped",
        ],
        [
            [],
            [SSEEvent(data="a")],
            [SSEComment("ping")],
            [],
            [],
            [SSEEvent(data="", id="7")],
            [],
            [SSEEvent("x", "b\n日", "7")],
            [],
        ],
    ),
    (
        "sse, flushing",
        lambda: SSEDecoder(flush_partial=True),
        [b"data: a\n\n", b"data: b"],
        [[SSEEvent(data="a")], [], [SSEEvent(data="b")]],
    ),
    (
        "json array",
        JSONArrayDecoder,
        [
            b"\xef\xbb\xbf [",
            b'{\n "a": "]\\"}"',
            b"}",
            b"\n,\r\n tru",
            b"e",
            b", 12",
            b" ",
            b',"x\\\\"',
            b", [{}]",
            b"]\n",
        ],
        [[], [], [{"a": ']"}'}], [], [True], [], [12], ["x\\"], [[{}]], []],
    ),
    (
        "json array, raw",
        lambda: JSONArrayDecoder(raw=True),
        [b'[{"a" : 1}', b" ,-1.5e3", b"]"],
        [[b'{"a" : 1}'], [], [b"-1.5e3"]],
    ),
    ("json array, empty", JSONArrayDecoder, [b" [", b" ] "], [[], []]),
    (
        "ndjson to sse",
        lambda: NDJSONDecoder(raw=True) | SSEEncoder(done="[DONE]"),
        [b'{"a":1', b"}\n", b'{"b":"\xc3', b'\xa9"}\r\n'],
        [[], [b'data: {"a":1}\n\n'], [], [b'data: {"b":"\xc3\xa9"}\n\n'], [b"data: [DONE]\n\n"]],
    ),
    (
        "sse to ndjson",
        lambda: SSEDecoder(convert=lambda event: [event.data.encode()]) | NDJSONEncoder(),
        [b'data: {"a":\ndata: 1}\n', b"\n", b"data: 2\r\n\r", b"\n"],
        [[], [b'{"a": 1}\n'], [b"2\n"], []],
    ),
]
# Output that is itself a stream: only the concatenation counts.
JOINED: list[tuple[str, Make, bytes, list[bytes]]] = [
    (policy_name, lambda policy=policy: Rechunker(policy), wire, [wire])
    for policy_name, policy in [
        ("every byte", EveryByte()),
        ("hostile", Hostile()),
    ]
    for wire in [b"data: caf\xc3\xa9\r\n\r\n: \\u00e9 \xf0\x9f\x99\x82\n\n"]
] + [("accumulator", Accumulator, b"caf\xc3\xa9", [b"caf\xc3\xa9"])]

DECODERS: dict[str, Make] = {
    "lines": LineScanner,
    "lines, any end": lambda: LineScanner(newline="any"),
    "lines, limited": lambda: LineScanner(max_line_bytes=5),
    "lines, any end, limited": lambda: LineScanner(newline="any", max_line_bytes=5, on_error="item"),
    "utf-8": Utf8Decoder,
    "ndjson": NDJSONDecoder,
    "ndjson, raw": lambda: NDJSONDecoder(raw=True),
    "ndjson, limited": lambda: NDJSONDecoder(max_record_bytes=6),
    "ndjson, going on": lambda: NDJSONDecoder(max_record_bytes=6, on_error="item", blank="error"),
    "sse": lambda: SSEDecoder(comments=True),
    "sse, limited": lambda: SSEDecoder(max_event_bytes=12),
    "sse, going on": lambda: SSEDecoder(max_event_bytes=12, on_error="item", flush_partial=True),
    "json array": JSONArrayDecoder,
    "json array, going on": lambda: JSONArrayDecoder(max_record_bytes=6, on_error="item"),
    "rechunk size": lambda: Rechunker(Size(3)),
    "rechunk random": lambda: Rechunker(RandomSize(1, 5, seed=1)),
    "rechunk lines": lambda: Rechunker(Lines()),
    "rechunk events": lambda: Rechunker(Events()),
    "pipeline": lambda: NDJSONDecoder(raw=True) | SSEEncoder() | Rechunker(Size(7)),
}
ATOMS = [
    b"\n", b"\r", b"\r\n", b"\n\n", b" ", b"\xef\xbb\xbf", b"\xc3", b"\xa9", b"\xff", b"\x00",
    b"data: ", b"data", b"id: 1", b"event: x", b": c", b"retry: 5", b"12345678",
    b'{"a":1}', b'"\xc3\xa9"', b"[", b"]", b"{", b"}", b",", b'"', b"\\", b"1", b"1e400", b"null", b"tru", b"e",
]  # fmt: skip
wires = st.lists(st.sampled_from(ATOMS), max_size=14).map(b"".join)


@pytest.mark.parametrize(("make", "wire", "items"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_every_law_on_a_wire_with_its_output(make: Make, wire: Sequence[bytes], items: Sequence[Sequence[Any]]) -> None:
    check_stage(make, wire, items, joined=make().name in {"utf-8", "pipeline"})


@pytest.mark.parametrize(("make", "wire", "items"), [row[1:] for row in JOINED], ids=[row[0] for row in JOINED])
def test_every_law_on_a_stage_that_passes_bytes(make: Make, wire: bytes, items: list[bytes]) -> None:
    check_stage(make, wire, items, joined=True)


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.data())
def test_no_cut_changes_items_or_error(name: str, data: st.DataObject) -> None:
    make = DECODERS[name]
    joined = name in {"utf-8", "pipeline"}
    wire = data.draw(wires)
    pieces = data.draw(splits(wire))
    assert outcome(make(), pieces, joined=joined) == outcome(make(), [wire], joined=joined)


@pytest.mark.parametrize("name", DECODERS)
@given(wire=wires)
def test_a_byte_at_a_time_gives_what_each_prefix_gives(name: str, wire: bytes) -> None:
    make = DECODERS[name]
    joined = name in {"utf-8", "pipeline"}
    check_stage(make, wire, outcome(make(), [wire], joined=joined).items, joined=joined)


@pytest.mark.parametrize(
    ("make", "inputs", "outputs"),
    [
        (
            lambda: SSEEncoder(retry_ms=5, done="[DONE]"),
            [b"1", "a\nb", SSEEvent("x", "y", "7"), SSEEvent("x", "z", "7"), SSEComment("c"), SSEEvent()],
            [
                [b"retry: 5\n\ndata: 1\n\n"],
                [b"data: a\ndata: b\n\n"],
                [b"event: x\nid: 7\ndata: y\n\n"],
                [b"event: x\ndata: z\n\n"],
                [b": c\n\n"],
                [b"id: \ndata: \n\n"],
                [b"data: [DONE]\n\n"],
            ],
        ),
        (SSEEncoder, [b"1", b"2", b"3"], [[b"data: 1\n\n"], [b"data: 2\n\n"], [b"data: 3\n\n"]]),
        (
            NDJSONEncoder,
            [{"a": 2**70}, b'{"a":\r\n1}', None, "é"],
            [[b'{"a":1180591620717411303424}\n'], [b'{"a":  1}\n'], [b"null\n"], ['"é"\n'.encode()]],
        ),
        (JSONArrayEncoder, [1, b"[2]"], [[b"[\n1"], [b",\n[2]"], [b"\n]\n"]]),
        (lambda: Rechunker(Coalesce(2)), [b"a", b"b", b"c"], [[], [b"ab"], [], [b"c"]]),
        (lambda: Accumulator(str), ["a", "b"], [["a"], ["b"]]),
    ],
    ids=["sse", "sse, records", "ndjson", "json array", "coalesce", "accumulator"],
)
def test_stages_that_take_items(make: Make, inputs: Sequence[Any], outputs: Sequence[Sequence[Any]]) -> None:
    check_items(make, inputs, outputs, joined=True)


@pytest.mark.parametrize(
    ("make", "start", "filler"),
    [
        (lambda: LineScanner(max_line_bytes=1000), b"", b"x" * 10),
        (lambda: LineScanner(max_line_bytes=1000, newline="any"), b"", b"x" * 10),
        (lambda: NDJSONDecoder(max_record_bytes=1000), b'"', b"x" * 10),
        (lambda: SSEDecoder(max_event_bytes=1000), b"data: ", b"x" * 10),
        (lambda: SSEDecoder(max_event_bytes=1000), b"", b"data:\n"),
        (lambda: SSEDecoder(max_event_bytes=1000), b"", b"id: 123\n"),
        (lambda: SSEDecoder(max_event_bytes=1000), b":", b"comment"),
        (lambda: JSONArrayDecoder(max_record_bytes=1000), b"[", b"[[1],"),
        (lambda: JSONArrayDecoder(max_record_bytes=1000), b'["', b"\\n"),
        (lambda: JSONArrayDecoder(max_record_bytes=1000), b"[", b"1"),
        (lambda: Rechunker(Lines(), max_held_bytes=1000), b"", b"x" * 10),
        (lambda: Rechunker(Events(), max_held_bytes=1000), b"", b"data: x\n"),
        (lambda: Rechunker(Coalesce(10**9), max_held_bytes=1000), b"", b"x"),
    ],
)
def test_a_record_without_end_is_refused(make: Make, start: bytes, filler: bytes) -> None:
    check_limit(make, start, filler, 1000)


@pytest.mark.parametrize("chunk_bytes", [1, 7, 64])
@pytest.mark.parametrize(
    ("make", "wire", "offset"),
    [
        (lambda: LineScanner(max_line_bytes=4), b"ab\n1234\n12345\nx\n", 12),
        (lambda: LineScanner(max_line_bytes=4, newline="any"), b"ab\r\n1234\r12345\nx\n", 13),
        (lambda: NDJSONDecoder(max_record_bytes=4), b"12\n1234\n12345\n1\n", 12),
        (lambda: SSEDecoder(max_event_bytes=8), b"data: ab\n\ndata: abc\n\n", 18),
        (lambda: SSEDecoder(max_event_bytes=16), b"data: ab\ndata: ab\n\n", 16),
        (lambda: JSONArrayDecoder(max_record_bytes=4), b"[1234,12345]", 10),
    ],
)
def test_the_limit_names_the_first_byte_too_many(make: Make, wire: bytes, offset: int, chunk_bytes: int) -> None:
    pieces = [wire[at : at + chunk_bytes] for at in range(0, len(wire), chunk_bytes)]
    error = outcome(make(), pieces).error
    assert error is not None
    assert (error[0], error[3]) == (LimitExceeded, offset)


@pytest.mark.parametrize("size", [1, 63, 64, 1000, 4096, 5000, 65536])
@pytest.mark.parametrize(
    "wire",
    [
        b"data: " + b"x" * 9000 + b"\n\ndata: a\n\ndata: b",
        b"data: " + b"\xf0\x9f\x99\x82" * 3000 + b"\n\n",
        b"data: " + b"x" * 9000 + b"\xff" + b"y" * 9000 + b"\n\ndata: a\n\n",
        b"event: " + b"x" * 9000 + b"\ndata: " + b"y" * 9000 + b"\n\n",
        b"data:" + b"x" * 9000 + b"\r\n\r\n",
        b": " + b"x" * 9000 + b"\n\ndata: a\n\n",
        b"".join(b"data: %d\n\n" % number for number in range(3000)) + b"data: caf\xc3\xa9\ndata: \xff\n\ndata: z\n\n",
    ],
    ids=["ascii", "emoji", "invalid", "two fields", "crlf", "comment", "many"],
)
def test_long_lines_and_long_reads_give_what_single_bytes_give(wire: bytes, size: int) -> None:
    """The SSE decoder keeps long lines, and takes long reads, in other ways than short ones."""
    first = SSEEvent(data="first")
    pieces = [b"data: first\n\n", *(wire[at : at + size] for at in range(0, len(wire), size))]
    got = outcome(SSEDecoder(comments=True), pieces)
    assert got.items[0] == first
    assert got.items[1:] == outcome(SSEDecoder(comments=True), [wire]).items
