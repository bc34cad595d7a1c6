"""The laws of what is kept of a stream: nothing twice, nothing lost, nothing without being told; and the frames."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from httpx_sse._decoders import SSEDecoder
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Ping,
    Raw,
    Start,
    Text,
    Usage,
)
from streamkit.gateway.stream_buffer import Frame, Frames, GoneError, StreamBuffer

frames = st.tuples(st.binary(min_size=1, max_size=12), st.booleans())
batches = st.lists(frames, max_size=6)


@dataclass
class Model:
    """The same by the book: all frames that there ever were."""

    frames: list[Frame] = field(default_factory=list)

    @property
    def whole(self) -> bytes:
        return b"".join(data for data, _ in self.frames)

    def behind(self, last_id: int) -> bytes:
        """Everything behind an event."""
        seen = 0
        for index, (_, is_event) in enumerate(self.frames):
            if seen == last_id:
                return b"".join(data for data, _ in self.frames[index:])
            seen += is_event
        assert seen == last_id
        return b""

    def is_without_loss(self, rest: bytes, last_id: int) -> bool:
        """Whether this is everything behind an event, but for comments right behind it."""
        seen = 0
        for index, (_, is_event) in enumerate(self.frames):
            if seen == last_id and b"".join(data for data, _ in self.frames[index:]) == rest:
                return True
            seen += is_event
            if seen > last_id:
                return False
        return seen == last_id and rest == b""

    @property
    def places(self) -> list[int]:
        """All places between two frames."""
        found = [0]
        for data, _ in self.frames:
            found.append(found[-1] + len(data))
        return found

    @property
    def events(self) -> int:
        return sum(is_event for _, is_event in self.frames)


@given(st.lists(batches, max_size=20), st.integers(1, 100), st.data())
def test_what_is_kept_is_whole_and_bounded_where_it_may_be(
    fed: list[list[Frame]], max_bytes: int, data: st.DataObject
) -> None:
    buffer, model = StreamBuffer(max_bytes), Model()
    place = 0
    for batch in fed:
        buffer.append(batch)
        model.frames += batch
        assert buffer.end == len(model.whole)
        assert buffer.last_id == model.events
        place = data.draw(st.sampled_from([each for each in model.places if each >= place]))
        before = buffer.start
        buffer.trim(place)
        assert before <= buffer.start <= max(place, before)  # nothing that may not be dropped
        kept = buffer.end - buffer.start
        assert buffer.is_full == (kept > max_bytes)
        if place == buffer.end:
            assert not buffer.is_full  # who has taken everything stops nobody
        assert buffer.read(place) == model.whole[place:]
        for last_id in range(buffer.last_id + 1):
            try:
                rest = buffer.read(buffer.place_behind(last_id))
            except GoneError:
                assert model.behind(last_id) != model.whole[buffer.start :]
                assert len(model.behind(last_id)) > kept
            else:
                assert model.is_without_loss(rest, last_id)


@given(st.lists(batches, max_size=20))
def test_below_the_bound_everybody_gets_byte_for_byte_what_he_would_have_got(fed: list[list[Frame]]) -> None:
    buffer, model = StreamBuffer(10_000), Model()
    for batch in fed:
        buffer.append(batch)
        model.frames += batch
        buffer.trim(buffer.end)
    for last_id in range(model.events + 1):
        assert buffer.read(buffer.place_behind(last_id)) == model.behind(last_id)


@given(st.lists(st.binary(min_size=1, max_size=12), min_size=1), st.integers(1, 100))
def test_no_more_is_dropped_than_has_to_be(fed: list[bytes], max_bytes: int) -> None:
    buffer = StreamBuffer(max_bytes)
    for frame in fed:
        buffer.append([(frame, True)])
        before, kept = buffer.start, buffer.end - buffer.start
        buffer.trim(buffer.end)
        if kept <= max_bytes:
            assert buffer.start == before
        else:
            assert buffer.end - buffer.start <= max_bytes
            assert buffer.end - buffer.start > max_bytes - max_bytes // 16 - 12


def test_an_event_that_is_not_there_yet_is_no_place() -> None:
    buffer = StreamBuffer(100)
    buffer.append([(b"one", True)])
    with pytest.raises(GoneError, match="no event 2 yet, its last one is 1"):
        buffer.place_behind(2)


def test_what_was_dropped_is_named() -> None:
    buffer = StreamBuffer(4)
    buffer.append([(b"one", True), (b"two", True), (b"three", True)])
    buffer.trim(6)
    with pytest.raises(GoneError, match="event 1 of this stream is not kept any more; what is kept begins at 3"):
        buffer.place_behind(0)
    with pytest.raises(GoneError, match="behind what is kept"):
        buffer.read(0)
    assert buffer.read(buffer.place_behind(2)) == b"three"
    buffer.trim(3)  # of a reader that was left behind
    assert buffer.read(buffer.place_behind(2)) == b"three"


def test_endless_heartbeats_fill_nothing_that_a_reader_has_taken() -> None:
    buffer = StreamBuffer(20)
    buffer.append([(b"event", True)])
    for _ in range(100):
        buffer.append([(b": ping\n\n", False)])
        buffer.trim(buffer.end)
        assert not buffer.is_full
    assert buffer.place_behind(1) == buffer.start
    buffer.append([(b"another", True)])
    assert buffer.read(buffer.place_behind(1)).endswith(b"another")
    assert buffer.last_id == 2


# --- Frames ----------------------------------------------------------------------------------------------------------

STREAM: list[Event] = [
    Start(id="a", model="m"),
    PartStart(0, "text"),
    Text(0, "Hel"),
    Ping("still here"),
    Text(0, "lo\n\r\u2028\x85🐢"),
    Raw("openai-chat", "", '{"x": 1}'),
    PartEnd(0),
    Usage(output_total=2),
    Finish("stop"),
    End(),
]


def read_by_the_book(data: bytes) -> list[tuple[str, object]]:
    """What a foreign reader of event streams makes of it: ids and data."""
    decoder = SSEDecoder()
    found = [decoder.decode(line) for line in data.decode().split("\n")]
    return [(event.id, json.loads(event.data)) for event in found if event is not None and event.data]


def test_each_event_is_a_frame_with_its_number_and_heartbeats_are_comments() -> None:
    made = Frames().of(STREAM)
    assert made[2] == (b'id: 3\ndata: {"streamkit":"text","part":0,"text":"Hel"}\n\n', True)
    assert made[3] == (b": still here\n\n", False)
    assert [is_event for _, is_event in made] == [type(event) is not Ping for event in STREAM]
    seen = read_by_the_book(b"".join(data for data, _ in made))
    assert [number for number, _ in seen] == [str(number) for number in range(1, len(STREAM))]
    assert seen[3] == ("4", {"streamkit": "text", "part": 0, "text": "lo\n\r\u2028\x85🐢"})
    assert seen[-1] == (str(len(STREAM) - 1), {"streamkit": "end"})


def test_a_heartbeat_without_words_is_a_comment_too() -> None:
    made = Frames()
    assert made.of([Ping()]) == [(b": ping\n\n", False)]
    assert made.of([Ping("two\nlines")]) == [(b": two\n: lines\n\n", False)]


@pytest.mark.parametrize("last", [End(), Error("it broke", "overloaded_error")], ids=["end", "error"])
def test_nothing_comes_behind_the_end(last: Event) -> None:
    made = Frames()
    assert not made.is_over
    made.of([*STREAM[:-1], last])
    assert made.is_over
    assert made.of([Text(0, "more"), Ping(), Error("late")]) == []


def test_what_has_no_record_ends_the_stream_with_an_error() -> None:
    made = Frames()
    got = made.of([Start(), Custom("", 1), Text(0, "more")])
    seen = read_by_the_book(b"".join(data for data, _ in got))
    assert [event["streamkit"] for _, event in seen if isinstance(event, dict)] == ["start", "error"]
    assert made.is_over


@given(st.data())
def test_how_the_events_come_changes_no_byte(data: st.DataObject) -> None:
    whole = b"".join(frame for frame, _ in Frames().of(STREAM))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(STREAM)), max_size=5)))
    made = Frames()
    got = [made.of(STREAM[start:end]) for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
    assert b"".join(frame for batch in got for frame, _ in batch) == whole
