"""How streams of OpenAI's Responses API end, read: why the model stopped, errors, token counts."""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.events import End, Error, Finish, FinishReason, Usage
from tests.dialects.responses_wires import RESPONSE, START, added, call, completed, created, decode, frames


@pytest.mark.parametrize(
    ("terminal", "reason", "word"),
    [
        (completed(), "stop", "completed"),
        (completed("incomplete", incomplete_details={"reason": "max_output_tokens"}), "length", "max_output_tokens"),
        (completed("incomplete", incomplete_details={"reason": "content_filter"}), "content_filter", "content_filter"),
        (completed("incomplete", incomplete_details={"reason": "max_messages"}), "length", "max_messages"),
        (completed("incomplete", incomplete_details={"reason": "steered"}), "pause", "steered"),
        (completed("incomplete", incomplete_details={"reason": "brand_new"}), "other", "brand_new"),
        (completed("incomplete", incomplete_details=None), "pause", "incomplete"),
        (completed("cancelled"), "cancelled", "cancelled"),
        # The status in the response counts.
        ({**completed("cancelled"), "type": "response.incomplete"}, "cancelled", "cancelled"),
        ({**completed("incomplete"), "type": "response.completed"}, "pause", "incomplete"),
        ({"type": "response.completed", "response": RESPONSE}, "stop", "completed"),
        ({"type": "response.incomplete", "response": {**RESPONSE, "status": "in_progress"}}, "pause", "incomplete"),
    ],
)
def test_why_a_response_stops(terminal: dict[str, Any], reason: FinishReason, word: str) -> None:
    assert decode(frames(created(), terminal)) == [START, Finish(reason, word), End()]


def test_a_call_that_is_cut_short_is_no_tool_call() -> None:
    wire = frames(created(), added(0, call("fc_a", "f")), completed("incomplete"))
    assert decode(wire)[-2:] == [Finish("pause", "incomplete"), End()]


NESTED = {"type": "error", "error": {"type": "rate", "code": "rate_limit_exceeded", "message": "Slow", "param": None}}

FLAT = {"type": "error", "code": "rate_limit_exceeded", "message": "Slow", "param": None}

FAILED = completed("failed", error={"code": "rate_limit_exceeded", "message": "Slow"})


@pytest.mark.parametrize(
    ("records", "error"),
    [
        ((NESTED, FAILED), Error("Slow", "rate", "rate_limit_exceeded")),
        ((NESTED,), Error("Slow", "rate", "rate_limit_exceeded")),
        ((FLAT,), Error("Slow", "", "rate_limit_exceeded")),
        ((FLAT, FAILED), Error("Slow", "", "rate_limit_exceeded")),
        ((FAILED,), Error("Slow", "", "rate_limit_exceeded")),
        ((completed("failed"),), Error("the response failed")),
        (({"type": "error", "error": "Slow"},), Error("Slow")),
        (
            ({"type": "error", "error": {"code": 429, "message": None}},),
            Error('{"code":429,"message":null}', "", "429"),
        ),
    ],
)
def test_errors_nested_flat_and_in_the_response(records: tuple[dict[str, Any], ...], error: Error) -> None:
    wire = frames(created(), added(0, {"id": "msg_1", "type": "message"}), *records)
    assert decode(wire) == [START, error]


def test_an_error_without_a_type_is_one() -> None:
    assert decode(frames(created()) + b'data: {"error":{"message":"Slow","type":"rate"}}\n\n')[-1] == Error(
        "Slow", "rate"
    )
    assert decode(b'event: error\ndata: {"message":"Slow"}\n\n') == [Error("Slow")]


def test_a_failed_response_says_what_it_has_cost() -> None:
    wire = frames(created(), completed("failed", usage={"input_tokens": 5, "output_tokens": 0}))
    assert decode(wire)[1:] == [Usage(5, 0), Error("the response failed")]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}, Usage(5, 7)),
        ({"input_tokens": 5, "output_tokens": 7, "input_tokens_details": None}, Usage(5, 7)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 7}, Usage(5, 7, 3)),
        ({"output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 6}}, Usage(None, 7, reasoning=6)),
    ],
)
def test_token_counts_are_totals_and_their_parts(usage: dict[str, Any], expected: Usage) -> None:
    assert decode(frames(created(), completed(usage=usage)))[1] == expected
