"""The laws that streamkit ships catch the stages that break them; each law here with a stage that breaks just that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from streamkit import DecodeError, Stage
from streamkit.testing import LawBroken, ScriptedStream, check_items, check_limit, check_stage, splits


class Words(Stage[bytes, bytes]):
    """Words, each ended by a space. Keeps the laws."""

    name = "words"

    def __init__(self) -> None:
        self.held = b""

    def feed(self, data: bytes, /) -> list[bytes]:
        self._check_open()
        *words, self.held = (self.held + data).split(b" ")
        return words

    def finish(self) -> list[bytes]:
        if self._closed:
            return []
        super().finish()
        return [self.held] if self.held else []

    def reset(self) -> None:
        super().reset()
        self.held = b""


class ForgetsTheRest(Words):
    def feed(self, data: bytes, /) -> list[bytes]:
        self._check_open()
        *words, self.held = data.split(b" ")
        return words


class OneBehind(Words):
    """Holds each word back until the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[bytes] = []

    def feed(self, data: bytes, /) -> list[bytes]:
        words = [*self.waiting, *super().feed(data)]
        self.waiting = words[-1:]
        return words[:-1]

    def finish(self) -> list[bytes]:
        last, self.waiting = self.waiting, []
        return [*last, *super().finish()]


class LooksAtReads(Words):
    """Holds a word back if it came in more than one read."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[bytes] = []

    def feed(self, data: bytes, /) -> list[bytes]:
        was_held = bool(self.held)
        words = super().feed(data)
        late, self.late = self.late, words if was_held else []
        return [*late, *([] if was_held else words)]

    def finish(self) -> list[bytes]:
        late, self.late = self.late, []
        return [*late, *super().finish()]


class FinishesTwice(Words):
    def finish(self) -> list[bytes]:
        self._closed = self._closed or "it has finished"
        return [self.held] if self.held else []


class NeverCloses(Words):
    def finish(self) -> list[bytes]:
        last, self.held = self.held, b""
        return [last] if last else []


class NeverForgets(Words):
    def reset(self) -> None:
        self._closed = None


class ForgetsBatches(Words):
    def feed_many(self, items: Iterable[bytes], /) -> list[bytes]:  # noqa: ARG002 - that is what is wrong with it
        return []


class CountsFromHere(Words):
    """An error's offset that depends on the cut."""

    def feed(self, data: bytes, /) -> list[bytes]:
        self._check_open()
        if b"!" in data:
            place = data.index(b"!")
            raise self._fail(DecodeError("no", stage=self.name, record=1, offset=place), super().feed(data[:place]))
        return super().feed(data)


def test_a_stage_that_keeps_the_laws_passes() -> None:
    check_stage(Words, b"one two  three", [b"one", b"two", b"", b"three"])
    check_stage(Words, [b"one ", b"tw", b"o three"], [[b"one"], [], [b"two"], [b"three"]])
    check_items(Words, [b"one ", b"tw", b"o "], [[b"one"], [], [b"two"]])


@pytest.mark.parametrize(
    ("make", "wire", "items", "law"),
    [
        (Words, b"one two ", [b"one", b"tow"], "in one piece: expected"),
        (ForgetsTheRest, b"one two ", [b"one", b"two"], "split invariance"),
        (LooksAtReads, b"one two ", [b"one", b"two"], "promptness"),
        (OneBehind, [b"one ", b"two "], [[b"one"], [b"two"]], "promptness"),
        (FinishesTwice, b"one two", [b"one", b"two"], "finish.. gives items a second time"),
        (NeverCloses, b"one two", [b"one", b"two"], "takes more input"),
        (NeverForgets, b"one two", [b"one", b"two"], "reset"),
        (CountsFromHere, b"one !", [b"one"], "split invariance"),
        (ForgetsBatches, b"one two", [b"one", b"two"], "batches"),
    ],
)
def test_each_law_catches_the_stage_that_breaks_it(
    make: Callable[[], Stage[bytes, Any]], wire: bytes | list[bytes], items: Sequence[Any], law: str
) -> None:
    with pytest.raises(LawBroken, match=law):
        check_stage(make, wire, items)


@pytest.mark.parametrize(
    ("make", "outputs", "law"),
    [
        (Words, [[b"one"], [], []], "expected"),
        (NeverForgets, [[b"one"], [], [b"two"]], "reset"),
        (ForgetsBatches, [[b"one"], [], [b"two"]], "batches"),
    ],
)
def test_each_law_of_items_catches_the_stage_that_breaks_it(
    make: Callable[[], Stage[bytes, Any]], outputs: list[list[bytes]], law: str
) -> None:
    with pytest.raises(LawBroken, match=law):
        check_items(make, [b"one ", b"two"], outputs)


def test_a_record_without_end_that_is_taken_breaks_the_law() -> None:
    with pytest.raises(LawBroken, match="bounded memory"):
        check_limit(Words, b"", b"x", 50)


@given(data=st.data())
def test_splits_are_all_of_the_data(data: st.DataObject) -> None:
    wire = data.draw(st.binary(max_size=20))
    pieces = data.draw(splits(wire, max_pieces=5))
    assert b"".join(pieces) == wire
    assert 1 <= len(pieces) <= 5


async def test_a_scripted_stream_plays_its_script() -> None:
    gate = trio.Event()
    stream = ScriptedStream([b"abc", gate, b"d", OSError("cut"), b"e"])
    assert await stream.receive_some(2) == b"ab"
    assert await stream.receive_some() == b"c"
    with trio.move_on_after(0.01) as scope:
        await stream.receive_some()
    assert scope.cancelled_caught
    gate.set()
    assert await stream.receive_some() == b"d"
    with pytest.raises(OSError, match="cut"):
        await stream.receive_some()
    assert [await stream.receive_some(), await stream.receive_some()] == [b"e", b""]
    await stream.aclose()
    assert stream.closed
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
