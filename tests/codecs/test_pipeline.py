"""Stages chained: who gets what when, and what an error in one place means for the others."""

from __future__ import annotations

import pytest

from streamkit import (
    Accumulator,
    ConfigError,
    DecodeError,
    EncodeError,
    JSONArrayEncoder,
    NDJSONDecoder,
    NDJSONEncoder,
    Pipeline,
    Rechunker,
    Size,
    SSEEncoder,
    Stage,
    StageStateError,
    TruncatedError,
)


class Picky(Stage[object, object]):
    """Refuses 13, and says at the end that it was finished."""

    name = "picky"

    def feed(self, item: object, /) -> list[object]:
        self._check_open()
        if item == 13:
            raise self._fail(EncodeError("an unlucky number", stage=self.name))
        return [item, item]

    def finish(self) -> list[object]:
        return [*super().finish(), "end"]


def test_pipelines_are_flat_and_are_stages() -> None:
    first, second, third = NDJSONDecoder(raw=True), SSEEncoder(), Rechunker(Size(4))
    assert (first | (second | third)).stages == ((first | second) | third).stages == (first, second, third)
    assert isinstance(first | second, Pipeline)


def test_a_stage_stands_in_one_place() -> None:
    stage = Accumulator()
    with pytest.raises(ConfigError, match="only once"):
        _ = stage | stage


def test_what_was_good_before_an_error_passes_through_the_later_stages() -> None:
    pipeline = NDJSONDecoder(raw=True) | SSEEncoder()
    with pytest.raises(DecodeError) as caught:
        pipeline.feed(b"1\n2\n{,}\n3\n")
    assert caught.value.items == [b"data: 1\n\ndata: 2\n\n"]
    with pytest.raises(StageStateError, match="it has failed"):
        pipeline.feed(b"4\n")
    assert pipeline.finish() == []


def test_an_error_in_a_later_stage_lies_earlier_in_the_stream() -> None:
    pipeline = NDJSONDecoder() | Picky() | NDJSONEncoder()
    with pytest.raises(EncodeError, match="unlucky") as caught:
        pipeline.feed(b"1\n13\n{,}\n")
    assert caught.value.items == [b"1\n1\n"]


@pytest.mark.parametrize("wire", [b"1\n13\n2\n", b"1\n13\n2"])
def test_an_error_in_the_middle_keeps_what_came_before_it_and_does_not_finish_the_rest(wire: bytes) -> None:
    pipeline = NDJSONDecoder() | Picky() | JSONArrayEncoder()
    with pytest.raises(EncodeError) as caught:
        pipeline.feed(wire)
    assert b"".join(caught.value.items) == b"[\n1,\n1"  # type: ignore[arg-type]


def test_the_end_runs_down_the_chain() -> None:
    pipeline = NDJSONDecoder() | Picky() | NDJSONEncoder()
    assert pipeline.feed(b"1") == []
    assert b"".join(pipeline.finish()) == b'1\n1\n"end"\n'
    assert pipeline.finish() == []
    with pytest.raises(StageStateError, match="it has finished"):
        pipeline.feed(b"2")


def test_a_cut_end_does_not_finish_the_later_stages() -> None:
    pipeline = NDJSONDecoder() | JSONArrayEncoder()
    pipeline.feed(b'{"a":1}\n{"a"')
    with pytest.raises(TruncatedError) as caught:
        pipeline.finish()
    assert caught.value.items == []


def test_an_item_that_fails_at_the_end_keeps_what_came_before_it() -> None:
    pipeline = NDJSONDecoder() | Picky() | NDJSONEncoder()
    pipeline.feed(b"13")
    with pytest.raises(EncodeError):
        pipeline.finish()


def test_reset_resets_every_stage() -> None:
    pipeline = NDJSONDecoder(raw=True) | SSEEncoder(retry_ms=1)
    for _ in range(2):
        assert pipeline.feed(b'1\n"') == [b"retry: 1\n\ndata: 1\n\n"]
        pipeline.reset()


def test_feed_and_feed_many_agree() -> None:
    wire = [b"1\n2", b"\n", b"3\n"]
    one, many = (NDJSONDecoder(raw=True) | SSEEncoder() for _ in range(2))
    assert b"".join(many.feed_many(wire)) == b"".join(piece for data in wire for piece in one.feed(data))
