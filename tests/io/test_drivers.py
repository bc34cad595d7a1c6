"""pull, pump and push: what goes out when, what an error, a cancellation or an early exit leaves behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from streamkit import (
    DecodeError,
    End,
    Failed,
    Item,
    Items,
    NDJSONDecoder,
    Rechunker,
    Size,
    SSEEncoder,
    TruncatedError,
    pull,
    pump,
    push,
)
from streamkit.io.sink import path_sink
from streamkit.testing import ScriptedStream, splits

LINES = b'{"a":1}\n{"b":"\xc3\xa9"}\n[2]\n'


class Collector(trio.abc.SendStream):
    """A sink that keeps each write, and may wait at a gate before it takes the next."""

    def __init__(self, gate: trio.Semaphore | None = None) -> None:
        self.writes: list[bytes] = []
        self.gate = gate
        self.closed = False
        self.changed = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.gate is not None:
            await self.gate.acquire()
        await trio.lowlevel.checkpoint()
        self.writes.append(bytes(data))
        self.changed.set()
        self.changed = trio.Event()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


async def test_pump_writes_what_one_read_completed_in_one_write() -> None:
    source = ScriptedStream([b"1\n2\n3\n4", b"4\n5", b"5\n"])
    sink = Collector()
    await pump(source, NDJSONDecoder(raw=True) | SSEEncoder(done="[DONE]"), sink)
    assert sink.writes == [
        b"data: 1\n\ndata: 2\n\ndata: 3\n\n",
        b"data: 44\n\n",
        b"data: 55\n\n",
        b"data: [DONE]\n\n",
    ]
    assert source.closed
    assert not sink.closed


async def test_pump_can_write_each_piece_on_its_own() -> None:
    sink = Collector()
    await pump(ScriptedStream([b"abcde"]), Rechunker(Size(2)), sink, join=False)
    assert sink.writes == [b"ab", b"cd", b"e"]


async def test_pump_without_a_stage_forwards_each_read() -> None:
    sink = Collector()
    await pump(ScriptedStream([b"ab", b"c"]), None, sink)
    assert sink.writes == [b"ab", b"c"]


async def test_pump_writes_the_good_records_before_the_error_and_nothing_that_ends_the_stream() -> None:
    source = ScriptedStream([b"1\n2\n{,}\n3\n", b"4\n"])
    sink = Collector()
    with pytest.raises(DecodeError) as caught:
        await pump(source, NDJSONDecoder(raw=True) | SSEEncoder(done="[DONE]"), sink)
    assert caught.value.record == 3
    assert sink.writes == [b"data: 1\n\ndata: 2\n\n"]
    assert source.closed


async def test_a_cut_stream_never_looks_finished() -> None:
    sink = Collector()
    with pytest.raises(TruncatedError):
        await pump(ScriptedStream([b'1\n{"a":']), NDJSONDecoder(raw=True) | SSEEncoder(done="[DONE]"), sink)
    assert sink.writes == [b"data: 1\n\n"]


async def test_pump_closes_its_source_when_the_sink_breaks() -> None:
    class Broken(Collector):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:  # noqa: ARG002 - the interface
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError

    source = ScriptedStream([LINES])
    with pytest.raises(trio.BrokenResourceError):
        await pump(source, None, Broken())
    assert source.closed


async def test_pump_closes_its_source_when_it_is_cancelled() -> None:
    source = ScriptedStream([b"1\n", trio.Event()])
    sink = Collector()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump, source, None, sink)
        await sink.changed.wait()
        nursery.cancel_scope.cancel()
    assert source.closed


@given(data=st.data())
async def test_piece_n_is_downstream_before_piece_n_plus_1_is_released(data: st.DataObject) -> None:
    pieces = data.draw(splits(LINES))
    gates = [trio.Event() for _ in pieces]
    source = ScriptedStream(
        [entry for gate, piece in zip(gates, pieces, strict=True) if piece for entry in (gate, piece)]
    )
    sink = Collector()
    reference = NDJSONDecoder(raw=True) | SSEEncoder()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump, source, NDJSONDecoder(raw=True) | SSEEncoder(), sink)
            due = b""
            for gate, piece in zip(gates, pieces, strict=True):
                gate.set()
                due += b"".join(reference.feed(piece))
                while b"".join(sink.writes) != due:
                    await sink.changed.wait()
    assert due.count(b"data: ") == 3


async def test_pull_gives_items_one_by_one_and_closes_the_source() -> None:
    source = ScriptedStream([LINES[:10], LINES[10:]])
    async with pull(source, NDJSONDecoder()) as records:
        assert [record async for record in records] == [{"a": 1}, {"b": "é"}, [2]]
    assert source.closed


async def test_pull_left_early_closes_the_source_at_once() -> None:
    source = ScriptedStream([LINES, trio.Event()])
    async with pull(source, NDJSONDecoder()) as records:
        async for _ in records:
            break
    assert source.closed
    assert source.reads == 1


async def test_pull_gives_the_good_items_then_the_error_every_time() -> None:
    async with pull(ScriptedStream([b"1\n2\n", b"3\n{,}\n4\n"]), NDJSONDecoder()) as records:
        assert await records.receive_batch() == [1, 2]
        assert await records.receive_batch() == [3]
        for _ in range(2):
            with pytest.raises(DecodeError, match="record 4"):
                await records.receive_batch()


async def test_pull_batches_are_the_reads() -> None:
    async with pull(ScriptedStream([b"1\n2", b"2\n3\n4\n"]), NDJSONDecoder()) as records:
        assert await records.receive_batch() == [1]
        assert await anext(records) == 22
        assert await records.receive_batch() == [3, 4]
        with pytest.raises(trio.EndOfChannel):
            await records.receive_batch()
        with pytest.raises(StopAsyncIteration):
            await anext(records)


async def test_items_already_there_come_without_a_checkpoint_and_reads_with_one() -> None:
    async with pull(ScriptedStream([b"1\n2\n"]), NDJSONDecoder()) as records:
        with trio.testing.assert_checkpoints():
            await anext(records)
        with trio.testing.assert_no_checkpoints():
            await anext(records)


@given(data=st.data())
async def test_a_cancelled_read_loses_nothing(data: st.DataObject) -> None:
    pieces = [piece for piece in data.draw(splits(LINES)) if piece]
    script: list[bytes | trio.Event | Exception] = []
    gates = []
    for piece in pieces:
        gates.append(trio.Event())
        script += [gates[-1], piece]
    records: list[object] = []
    async with pull(ScriptedStream(script), NDJSONDecoder()) as items:
        for gate in gates:
            with trio.CancelScope() as scope:
                scope.cancel()
                await items.receive_batch()
            assert scope.cancelled_caught
            gate.set()
            with trio.move_on_after(0.001) as scope:
                records += await items.receive_batch()
        try:
            while True:
                records += await items.receive_batch()
        except trio.EndOfChannel:
            pass
    assert records == [{"a": 1}, {"b": "é"}, [2]]


async def received(
    channel: trio.MemoryReceiveChannel[Item[object] | End | Failed],
) -> list[Item[object] | End | Failed]:
    async with channel:
        return [message async for message in channel]


async def test_push_sends_items_then_the_end() -> None:
    send, receive = trio.open_memory_channel[Item[object] | End | Failed](0)
    source = ScriptedStream([LINES])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(push, source, NDJSONDecoder(), send)
        assert await received(receive) == [Item({"a": 1}), Item({"b": "é"}), Item([2]), End()]
    assert source.closed


@pytest.mark.parametrize("broken", [OSError("gone"), trio.BrokenResourceError("reset"), RuntimeError("odd")])
async def test_push_sends_what_broke_the_source(broken: Exception) -> None:
    send, receive = trio.open_memory_channel[Item[object] | End | Failed](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(push, ScriptedStream([b"1\n", broken]), NDJSONDecoder(), send)
        assert await received(receive) == [Item(1), Failed(broken)]


async def test_push_sends_the_good_items_then_the_decode_error() -> None:
    send, receive = trio.open_memory_channel[Item[object] | End | Failed](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(push, ScriptedStream([b"1\n{,}\n2\n"]), NDJSONDecoder(), send)
        first, last = await received(receive)
    assert first == Item(1)
    assert isinstance(last, Failed)
    assert isinstance(last.error, DecodeError)


async def test_push_ends_quietly_and_closes_the_source_when_the_receiver_leaves() -> None:
    send, receive = trio.open_memory_channel[Item[object] | End | Failed](0)
    source = ScriptedStream([LINES, trio.Event()])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(push, source, NDJSONDecoder(), send)
        assert await receive.receive() == Item({"a": 1})
        receive.close()
    assert source.closed


async def test_push_cancelled_closes_the_source_and_sends_no_end() -> None:
    send, receive = trio.open_memory_channel[Item[object] | End | Failed](5)
    source = ScriptedStream([b"1\n", trio.Event()])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(push, source, NDJSONDecoder(), send)
        assert await receive.receive() == Item(1)
        nursery.cancel_scope.cancel()
    assert source.closed
    assert await received(receive) == []


async def test_items_of_one_pull_feed_another() -> None:
    numbers: Items[object] = pull(ScriptedStream([b"1\n2\n"]), NDJSONDecoder(raw=True))
    sink = Collector()
    await pump(numbers, SSEEncoder(), sink)
    assert sink.writes == [b"data: 1\n\ndata: 2\n\n"]


async def test_an_async_generator_as_source_runs_its_cleanup_in_this_task() -> None:
    cleaned = []

    async def generate() -> AsyncIterator[bytes]:
        try:
            yield b"1\n"
            yield b""
            yield b"2\n3\n"
        finally:
            cleaned.append(trio.lowlevel.current_task())

    async with pull(generate(), NDJSONDecoder()) as records:
        assert await anext(records) == 1
        assert await anext(records) == 2
    assert cleaned == [trio.lowlevel.current_task()]


async def test_path_to_path(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(LINES * 20000)
    async with path_sink(tmp_path / "out") as sink:
        await pump(str(tmp_path / "in"), NDJSONDecoder(raw=True) | SSEEncoder(), sink)
    expected = b"".join(b"data: %b\n\n" % line for line in LINES.splitlines()) * 20000
    assert (tmp_path / "out").read_bytes() == expected
