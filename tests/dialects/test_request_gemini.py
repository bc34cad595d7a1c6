"""Requests to Gemini: where a signature has to stand, and what stands there if there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import ChatMessage, ChatRequest, ToolCall

NONE = "skip_thought_signature_validator"

HI = ChatMessage("user", "Hi")


def called(*ids: str, signature: str = "") -> ChatMessage:
    return ChatMessage("assistant", tool_calls=[ToolCall(each, "f", "{}") for each in ids], signature=signature)


def result(call_id: str) -> ChatMessage:
    return ChatMessage("tool", "done", tool_call_id=call_id)


def signatures(messages: Sequence[ChatMessage], model: str = "gemini-3-pro-preview") -> list[str | None]:
    """The signature of every call that goes out."""
    body: Any = DIALECTS["gemini"].request(ChatRequest(model=model, messages=[*messages])).body
    parts = [part for content in body["contents"] for part in content["parts"]]
    return [part.get("thoughtSignature") for part in parts if "functionCall" in part]


def test_the_first_call_of_each_step_says_that_it_has_no_signature() -> None:
    said = [HI, called("a", "b"), result("a"), result("b"), called("c"), result("c")]
    assert signatures(said) == [NONE, None, NONE]


def test_a_signature_that_is_there_stays() -> None:
    said = [HI, called("a", "b", signature="c2VhbA=="), result("a"), result("b"), called("c"), result("c")]
    assert signatures(said) == ["c2VhbA==", None, NONE]


def test_a_step_of_several_messages_is_one() -> None:
    begun = ChatMessage("assistant", "Let me see.", reasoning="Hm.")
    assert signatures([HI, begun, called("a"), called("b"), result("a"), result("b")]) == [NONE, None]


def test_turns_that_are_over_are_not_checked() -> None:
    said = [HI, called("a"), result("a"), ChatMessage("assistant", "Done."), ChatMessage("user", "More"), called("b")]
    assert signatures(said) == [None, NONE]


@pytest.mark.parametrize(
    ("model", "is_sealing"),
    [
        *(("gemini-3-pro-preview", True), ("models/gemini-3.1-flash-lite", True), ("google/gemini-3-flash", True)),
        *(("gemini-4", True), ("gemini-10-pro", True), ("gemini-2.5-pro", False), ("gemini-1.5-flash", False)),
        *(("gemini-flash-latest", False), ("gemma-3-27b", False), ("m", False)),
    ],
)
def test_only_models_that_insist_on_one_are_told_so(model: str, is_sealing: bool) -> None:
    assert signatures([HI, called("a"), result("a")], model) == [NONE if is_sealing else None]
