"""The stages that bring events into a stricter target's order: what they hold, and that it is nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given

from streamkit.dialects.arrange import OneAtATime, WholeCalls
from streamkit.dialects.events import (
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    PartEnd,
    PartStart,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
)
from streamkit.dialects.jsonprogress import JSONProgress
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import EncodeError
from tests.dialects.neutral import whole_of
from tests.dialects.strategies import streams

A, B = PartStart(0, "tool", "a", "f"), PartStart(1, "tool", "b", "g")


def fed(stage: OneAtATime | WholeCalls, *events: Event) -> list[list[Event]]:
    """What comes out of each feed."""
    return [stage.feed(event) for event in events]


class TestWholeCalls:
    def test_a_call_leaves_whole_with_its_end(self) -> None:
        out = fed(WholeCalls(), A, ToolArgs(0, '{"a"'), ToolArgs(0, ":1}"), PartEnd(0))
        assert out == [[], [], [], [A, ToolArgs(0, '{"a":1}'), PartEnd(0)]]

    def test_calls_leave_in_the_order_in_which_they_opened(self) -> None:
        out = fed(WholeCalls(), A, B, ToolArgs(1, "{}"), PartEnd(1), ToolArgs(0, "{}"), PartEnd(0))
        assert out[:-1] == [[], [], [], [], []]
        assert out[-1] == [A, ToolArgs(0, "{}"), PartEnd(0), B, ToolArgs(1, "{}"), PartEnd(1)]

    def test_text_does_not_wait(self) -> None:
        assert fed(WholeCalls(), A, PartStart(1, "text"), Text(1, "x"))[1:] == [[PartStart(1, "text")], [Text(1, "x")]]

    def test_a_call_without_arguments_has_an_empty_object(self) -> None:
        assert fed(WholeCalls(), A, PartEnd(0))[-1] == [A, ToolArgs(0, "{}"), PartEnd(0)]

    @pytest.mark.parametrize("reason", ["length", "content_filter", "context_overflow"])
    def test_arguments_cut_with_the_answer_are_a_loss(self, reason: FinishReason) -> None:
        stage = WholeCalls()
        finish = Finish(reason)
        assert fed(stage, A, ToolArgs(0, '{"a'), PartEnd(0), finish) == [[], [], [], [finish]]
        assert stage.losses == {"tool-arguments": 1}

    @pytest.mark.parametrize("text", ['{"a', "[]", "1", '{"a":1}{"b":2}', "nonsense"])
    def test_arguments_that_are_no_object_are_an_error(self, text: str) -> None:
        stage = WholeCalls()
        fed(stage, A, ToolArgs(0, text), PartEnd(0))
        with pytest.raises(EncodeError, match="'f'") as caught:
            stage.feed(Finish("tool_calls"))
        (error,) = caught.value.items
        assert isinstance(error, Error)

    def test_what_is_held_is_bounded(self) -> None:
        stage = WholeCalls(max_held_bytes=10)
        fed(stage, A, ToolArgs(0, '{"a":1}'), PartEnd(0), B)
        stage.feed(ToolArgs(1, "x" * 10))
        with pytest.raises(EncodeError, match="10 bytes"):
            stage.feed(ToolArgs(1, "x"))

    @given(events=streams())
    def test_nothing_else_changes(self, events: list[Event]) -> None:
        stage = WholeCalls()
        out = stage.feed_many(events) + stage.finish()
        assert whole_of(out) == whole_of(events)
        for choice in (0, 1):
            texts = [e for e in events if isinstance(e, (Text, Reasoning, Refusal)) and e.choice == choice]
            assert [e for e in out if isinstance(e, (Text, Reasoning, Refusal)) and e.choice == choice] == texts


class TestOneAtATime:
    def test_parts_that_do_not_overlap_pass_untouched(self) -> None:
        events: list[Event] = [
            *(Start(), PartStart(0, "text"), Text(0, "a"), PartEnd(0, signature="s")),
            *(PartStart(1, "tool", "b", "g"), ToolArgs(1, '{"x":'), ToolArgs(1, "1}"), PartEnd(1)),
            *(Finish("tool_calls"), End()),
        ]
        stage = OneAtATime()
        assert stage.feed_many(events) == events

    def test_a_second_call_waits_for_the_first(self) -> None:
        out = fed(OneAtATime(), A, B, ToolArgs(1, "{"), ToolArgs(1, "}"), PartEnd(1), PartEnd(0))
        assert out[:-1] == [[A], [], [], [], []]
        assert out[-1] == [PartEnd(0), B, ToolArgs(1, "{"), ToolArgs(1, "}"), PartEnd(1)]

    def test_a_call_that_is_whole_lets_the_second_one_go_on_before_its_own_end(self) -> None:
        out = fed(OneAtATime(), A, ToolArgs(0, "{}"), B, ToolArgs(1, "{"), ToolArgs(1, "}"), PartEnd(0), PartEnd(1))
        assert out[2:] == [[PartEnd(0), B], [ToolArgs(1, "{")], [ToolArgs(1, "}")], [], [PartEnd(1)]]
        late = fed(OneAtATime(), A, B, ToolArgs(1, "{"), ToolArgs(0, "{}"), ToolArgs(1, "}"), PartEnd(1), PartEnd(0))
        assert late[3:] == [[ToolArgs(0, "{}"), PartEnd(0), B, ToolArgs(1, "{")], [ToolArgs(1, "}")], [PartEnd(1)], []]

    def test_the_second_call_streams_once_the_first_has_ended(self) -> None:
        out = fed(OneAtATime(), A, B, ToolArgs(1, "{"), PartEnd(0), ToolArgs(1, "}"), PartEnd(1))
        assert out[3:] == [[PartEnd(0), B, ToolArgs(1, "{")], [ToolArgs(1, "}")], [PartEnd(1)]]

    def test_a_text_closes_a_call_that_is_complete(self) -> None:
        out = fed(OneAtATime(), A, ToolArgs(0, "{}"), PartStart(1, "text"), Text(1, "x"), PartEnd(0), PartEnd(1))
        assert out[3] == [PartEnd(0), PartStart(1, "text"), Text(1, "x")]
        assert out[4:] == [[], [PartEnd(1)]]

    def test_a_text_inside_unfinished_arguments_overlaps_rather_than_waits(self) -> None:
        out = fed(OneAtATime(), A, ToolArgs(0, "{"), PartStart(1, "text"), Text(1, "x"), ToolArgs(0, "}"), PartEnd(0))
        assert out[3:] == [[PartStart(1, "text"), Text(1, "x")], [ToolArgs(0, "}")], [PartEnd(0)]]

    def test_a_text_closes_the_second_call_too(self) -> None:
        stage = OneAtATime()
        text: list[Event] = [PartStart(2, "text"), Text(2, "x")]
        out = fed(stage, A, B, ToolArgs(1, "{}"), ToolArgs(0, "{}"), *text, PartEnd(1), PartEnd(0), PartEnd(2))
        assert out[3] == [ToolArgs(0, "{}"), PartEnd(0), B, ToolArgs(1, "{}")]
        assert out[5] == [PartEnd(1), PartStart(2, "text"), Text(2, "x")]
        assert out[6:] == [[], [], [PartEnd(2)]]

    def test_a_held_call_takes_the_place_of_a_text_once_the_first_has_ended(self) -> None:
        text: list[Event] = [PartStart(2, "text"), Text(2, "x")]
        out = fed(OneAtATime(), A, ToolArgs(0, "{"), B, ToolArgs(1, "{}"), *text, ToolArgs(0, "}"), PartEnd(2))
        assert out[5] == [PartStart(1, "text"), Text(1, "x")]
        late = PartStart(2, "tool", "b", "g")
        assert out[6] == [ToolArgs(0, "}"), PartEnd(0), PartEnd(1), late, ToolArgs(2, "{}")]
        assert out[7] == []

    def test_texts_that_alternate_become_parts_of_their_own(self) -> None:
        text, thought = PartStart(0, "text"), PartStart(1, "reasoning")
        out = fed(OneAtATime(), text, thought, Text(0, "a"), Reasoning(1, "b"), Text(0, "c"), PartEnd(0), PartEnd(1))
        assert [event for each in out for event in each] == [
            *(PartStart(0, "text"), Text(0, "a"), PartEnd(0)),
            *(PartStart(1, "reasoning"), Reasoning(1, "b"), PartEnd(1)),
            *(PartStart(2, "text"), Text(2, "c"), PartEnd(2)),
        ]

    def test_an_empty_part_is_left_out_unless_it_is_signed(self) -> None:
        assert fed(OneAtATime(), PartStart(0, "text"), PartEnd(0)) == [[], []]
        thought = PartStart(0, "reasoning")
        assert fed(OneAtATime(), thought, PartEnd(0, encrypted="e"))[1] == [thought, PartEnd(0, encrypted="e")]

    def test_a_text_whose_part_is_not_open_is_refused(self) -> None:
        with pytest.raises(EncodeError, match="part 3 of choice 0 is not open"):
            OneAtATime().feed(Text(3, "x"))

    def test_a_call_that_goes_on_after_it_was_complete_is_a_loss(self) -> None:
        stage = OneAtATime()
        fed(stage, A, ToolArgs(0, "{}"), PartStart(1, "text"), Text(1, "x"), ToolArgs(0, " "), ToolArgs(0, "{}"))
        assert stage.losses == {"tool-arguments": 1}

    @given(events=streams())
    def test_nothing_is_lost_and_calls_never_overlap(self, events: list[Event]) -> None:
        stage = OneAtATime()
        out = stage.feed_many(events) + stage.finish()
        assert whole_of(out) == whole_of(events)
        assert stage.losses == {}
        for violation in Lifecycle(sequential=True).feed_many(out):
            opened = out[violation.event - 1]
            assert violation.law == "overlap"
            assert isinstance(opened, PartStart)
            assert opened.kind != "tool"

    @given(events=streams())
    def test_no_text_ever_waits(self, events: list[Event]) -> None:
        stage = OneAtATime()
        for event in events:
            out = stage.feed(event)
            if isinstance(event, (Text, Reasoning, Refusal)):
                assert [e.text for e in out if isinstance(e, (Text, Reasoning, Refusal))] == [event.text]


@pytest.mark.parametrize(
    ("pieces", "complete"),
    [
        (["{}"], True),
        (["{", "}"], True),
        (['{"a', '":"}', '"}'], True),
        (['{"a":"\\', '""}'], True),
        (['{"a":"\\"}'], False),
        (['{"a":[1,', "2]"], False),
        (['{"a":[1,', "2]}"], True),
        ([""], False),
        (["1"], False),
        (["{}", " "], True),
    ],
)
def test_progress_follows_brackets_and_strings(pieces: list[str], complete: bool) -> None:
    progress = JSONProgress()
    for piece in pieces:
        progress.feed(piece)
    assert progress.complete is complete
    whole = JSONProgress()
    for character in "".join(pieces):
        whole.feed(character)
    assert whole.complete is complete


@pytest.mark.parametrize("target", ["ollama-chat", "ollama-generate", "gemini", "anthropic"])
def test_more_arguments_than_may_be_held_end_in_the_targets_error(target: str) -> None:
    encoder = DIALECTS[target].encoder()
    events: list[Event] = [Start(), A, B, *[ToolArgs(1, "x" * 2**20)] * 17]
    with pytest.raises(EncodeError) as caught:
        encoder.feed_many(events)
    written = b"".join(caught.value.items)  # type: ignore[arg-type]  # they are the encoder's bytes
    assert b"tool arguments would have to be held" in written
    assert encoder.over
