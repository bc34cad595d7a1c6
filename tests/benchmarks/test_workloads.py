"""The inputs of the benchmarks are what their names say: a figure is worth what its workload is."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from statistics import mean
from typing import Any, cast

import pytest

from benchmarks import workloads
from benchmarks.wires import Wire, frames, lines_from_crlf_events, lines_from_events, re_encoded, records, untouched

COUNT = 10_000
Make = Callable[[int, int], list[bytes]]
Value = dict[str, Any]

RECORDS: dict[Make, tuple[bytes, bytes, float]] = {
    workloads.openai_chat_events: (b"data: ", b"\n\n", 195),
    workloads.anthropic_text_deltas: (b"event: content_block_delta\ndata: ", b"\n\n", 121),
    workloads.ollama_chat_lines: (b"", b"\n", 118),
}
SCENARIOS = pytest.mark.parametrize("make", RECORDS, ids=lambda make: make.__name__)


def values(make: Make, count: int = COUNT, seed: int = 1) -> list[Value]:
    head, tail, _ = RECORDS[make]
    return [json.loads(record.removeprefix(head).removesuffix(tail)) for record in make(count, seed)]


def text_of(value: Value) -> str:
    """The token of any of the three."""
    if "choices" in value:
        return cast("str", value["choices"][0]["delta"]["content"])
    return cast("str", value["delta"]["text"] if "delta" in value else value["message"]["content"])


@SCENARIOS
def test_every_record_is_json_in_its_framing_and_carries_the_tokens(make: Make) -> None:
    head, tail, _ = RECORDS[make]
    wire = make(COUNT, 1)
    assert len(wire) == COUNT
    assert all(record.startswith(head) and record.endswith(tail) for record in wire)
    assert all(record.count(b"\n") == head.count(b"\n") + tail.count(b"\n") for record in wire)
    assert [text_of(value) for value in values(make)] == workloads.tokens(COUNT, 1)


@SCENARIOS
def test_records_have_the_size_that_the_questions_name(make: Make) -> None:
    assert mean(map(len, make(COUNT, 1))) == pytest.approx(RECORDS[make][2], abs=2)


@SCENARIOS
def test_three_tokens_in_a_hundred_are_not_ascii(make: Make) -> None:
    foreign = sum(not text_of(value).isascii() for value in values(make))
    assert foreign / COUNT == pytest.approx(0.03, abs=0.005)


@SCENARIOS
def test_a_seed_gives_the_same_bytes_and_another_seed_others(make: Make) -> None:
    assert make(500, 7) == make(500, 7)
    assert make(500, 7) != make(500, 8)


def test_every_answer_of_ollama_ends_with_its_statistics() -> None:
    lines = values(workloads.ollama_chat_lines, 1500)
    assert [number for number, line in enumerate(lines, start=1) if line["done"]] == [500, 1000, 1500]
    assert all(line["total_duration"] >= 10**9 for line in lines if line["done"])


@pytest.mark.parametrize("size", [117, 100_000, 5_000_000])
def test_a_sized_file_has_about_its_size_in_whole_lines(size: int) -> None:
    data = b"".join(workloads.sized_ndjson(size, 1))
    assert len(data) == pytest.approx(size, rel=0.3)
    assert data.endswith(b"\n")
    assert all("message" in json.loads(line) for line in data.splitlines()[:2000])


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("size", [64, 65536, 1 << 20])
def test_a_long_line_is_one_record_of_exactly_its_size(size: int, ascii_only: bool) -> None:
    line = workloads.json_line(size, ascii_only=ascii_only)
    assert len(line) == size
    assert b"\n" not in line
    assert list(json.loads(line)) == ["text"]
    assert line.isascii() or not ascii_only


@pytest.mark.parametrize("size", [1, 7, 64, 10**9])
def test_chunks_hold_the_wire_and_all_but_the_last_are_full(size: int) -> None:
    wire = b"".join(workloads.openai_chat_events(20, 1))
    chunks = workloads.chunks_of(wire, size)
    assert b"".join(chunks) == wire
    assert {len(chunk) for chunk in chunks[:-1]} <= {size}


class TestWires:
    """The oracles of the forwarding question."""

    @pytest.mark.parametrize(
        "make", [records, frames, re_encoded, lines_from_events, lines_from_crlf_events, untouched]
    )
    def test_due_grows_to_all_output_and_only_with_whole_units(self, make: Callable[[int, int], Wire]) -> None:
        wire = make(3, 1)
        due = [wire.due(given) for given in range(len(wire.input) + 1)]
        assert due == sorted(due)
        assert (due[0], due[-1]) == (0, len(wire.output))
        assert set(due) == {
            0,
            *(len(b"".join(out for _, out in wire.units[:n])) for n in range(1, len(wire.units) + 1)),
        }

    def test_a_record_is_due_with_its_line_feed_and_not_before(self) -> None:
        wire = Wire([(b"1\n", b"one"), (b"22\n", b"two")])
        assert [wire.due(given) for given in range(6)] == [0, 0, 3, 3, 3, 6]

    def test_with_crlf_the_event_is_due_with_the_carriage_return_of_its_blank_line(self) -> None:
        wire = lines_from_crlf_events(2, 1)
        end = wire.input.index(b"\r\n\r\n") + 3
        assert wire.due(end) == len(wire.units[0][1]) > wire.due(end - 1) == 0

    def test_the_output_of_frames_is_the_output_of_records_framed(self) -> None:
        framed, bare = frames(5, 1), records(5, 1)
        assert framed.output == b"".join(b"data: " + out + b"\n\n" for _, out in bare.units)
        assert [json.loads(line) for line in framed.input.splitlines()] == [json.loads(out) for _, out in bare.units]

    def test_pieces_are_the_input_and_depend_on_the_seed_alone(self) -> None:
        wire = frames(20, 1)
        assert b"".join(chain(wire.pieces(3))) == wire.input
        assert wire.pieces(3) == wire.pieces(3) != wire.pieces(4)
