"""The file of all records: what is in it, what never is, and what becomes of a disk that fails or is slow."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import cast

import msgspec
import pytest
import trio

from streamkit.bench.plan import Concurrency, Plan, Replay, Server
from streamkit.bench.rawfile import RawFile, header_of, open_raw_file
from streamkit.bench.record import RequestRecord, TokenRead
from streamkit.errors import ConfigError

PLAN = Plan(
    servers=[
        Server(
            "direct",
            "https://user:hunter2@example.test/v1?key=abc",
            "openai-chat",
            "m",
            headers=[("X-Tenant", "hunter2")],
            api_key="sk-hunter2",
        )
    ],
    load=Concurrency(2),
    prompts=["the user's own words"],
    requests=2,
)
RECORD = RequestRecord(
    number=7, target="direct", outcome="ok", sent_ns=1, token_reads=[TokenRead(5, 6, 2, True)], visible_tokens=2
)


def lines_in(path: Path) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


async def test_a_record_comes_back_as_it_was_between_a_header_and_an_end(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    for number in range(2):  # a sweep's loads follow one another
        async with open_raw_file(path, PLAN) as raw:
            assert raw is not None
            raw.add(msgspec.structs.replace(RECORD, number=number))
        assert raw.notes == []
    lines = path.read_bytes().splitlines()
    assert len(lines) == 6
    assert msgspec.json.decode(lines[1], type=RequestRecord) == msgspec.structs.replace(RECORD, number=0)
    assert msgspec.json.decode(lines[4], type=RequestRecord) == msgspec.structs.replace(RECORD, number=1)
    assert msgspec.json.decode(lines[2]) == {"end": True, "records": 1, "dropped": 0}


def test_the_header_has_both_clocks_and_the_plan_and_neither_secrets_nor_prompts() -> None:
    header = header_of(PLAN, 123, 456)
    assert b"hunter2" not in header
    assert b"abc" not in header
    assert b"own words" not in header
    value = msgspec.json.decode(header)
    assert (value["monotonic_ns"], value["unix_ns"]) == (123, 456)
    assert value["plan"]["requests"] == 2
    assert value["plan"]["load"] == {"type": "concurrency", "concurrency": 2}
    assert value["plan"]["servers"][0]["headers"] == [["X-Tenant", "[redacted]"]]


def test_a_trace_of_a_million_requests_is_not_in_the_header() -> None:
    load = Replay([*range(10**6)], [0] * 10**6, [0] * 10**6)
    assert len(header_of(msgspec.structs.replace(PLAN, load=load), 1, 2)) < 1000


async def test_no_file_is_none() -> None:
    async with open_raw_file(None, PLAN) as raw:
        assert raw is None


@pytest.mark.parametrize("name", ["missing/raw", "."])
async def test_a_file_that_cannot_be_opened_is_said_before_anything_begins(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        async with open_raw_file(tmp_path / name, PLAN):
            pytest.fail("the block has run")


async def test_a_disk_that_is_full_at_once_keeps_nothing_from_being_measured() -> None:
    async with open_raw_file(Path("/dev/full"), PLAN) as raw:
        assert raw is not None
        raw.add(RECORD)
    assert raw.notes == ["/dev/full: it cannot be written: No space left on device; 1 records are not in it"]


class Disk(BytesIO):
    """Takes so many bytes, a few at a time."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: object) -> int:
        piece = bytes(cast("memoryview", data))[:100]
        if self.tell() + len(piece) > self.room:
            raise OSError(28, "No space left on device")
        return super().write(piece)


async def test_a_disk_that_fills_up_ends_the_file_and_not_the_run() -> None:
    raw = RawFile(Disk(1000), Path("raw"))
    for _ in range(3):
        raw.add(RECORD)
    await raw.flush()
    assert (raw.written, raw.notes) == (3, [])
    for _ in range(50):
        raw.add(RECORD)
    await raw.flush()
    raw.add(RECORD)
    await raw.end()
    assert raw.notes == ["raw: it cannot be written: No space left on device; 51 records are not in it"]


async def test_records_that_a_slow_disk_cannot_take_are_counted_and_the_memory_is_bounded() -> None:
    disk = Disk(10**6)
    raw = RawFile(disk, Path("raw"), max_buffered_bytes=500)
    for _ in range(100):
        raw.add(RECORD)
    await raw.end()
    lines = disk.getvalue().splitlines()
    assert raw.dropped == 100 - raw.written > 90
    assert len(lines) == raw.written + 1
    assert msgspec.json.decode(lines[-1]) == {"end": True, "records": raw.written, "dropped": raw.dropped}
    assert f"{raw.dropped} records are not in it" in raw.notes[0]


async def test_what_was_done_before_a_cancel_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    with trio.CancelScope() as scope:
        async with open_raw_file(path, PLAN) as raw:
            assert raw is not None
            raw.add(RECORD)
            scope.cancel()
            await trio.sleep_forever()
    assert lines_in(path)[-1] == {"end": True, "records": 1, "dropped": 0}
