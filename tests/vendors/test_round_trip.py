"""Whatever is asked keeps all that a dialect can say, through any vendor's form and back, and what it cannot is named.

`tests/dialects/test_requests.py` has each vendor's form by hand, `test_request_mock.py` what a server understands of it.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.dialects.requests import ChatRequest
from streamkit.gateway.config import SPEAKABLE
from tests.vendors.round_trip import DRAWN, ORDERLY, read, written
from tests.vendors.round_trip_says import SAYS, normal, projected

some = settings(max_examples=settings().max_examples // 2)  # each dialect draws its own
few = settings(max_examples=settings().max_examples // 4)

CONVERSING = [dialect for dialect in DRAWN if DRAWN[dialect] is DRAWN["openai-chat"]]


def through(dialect: str, request: ChatRequest) -> ChatRequest:
    """What is read of a request that was written in a dialect."""
    reading = read(written(dialect, request))
    assert reading.dialect == dialect
    assert reading.leftovers == ()
    return reading.request


def test_every_dialect_that_has_requests_goes_there_and_back() -> None:
    assert set(DRAWN) == set(SAYS)


@some
@pytest.mark.parametrize("dialect", DRAWN)
@given(st.data())
def test_there_and_back_all_is_left_that_the_dialect_can_say_and_the_rest_is_named(
    dialect: str, data: st.DataObject
) -> None:
    request = data.draw(DRAWN[dialect])
    document = written(dialect, request)
    left, named = projected(dialect, request, document)
    assert normal(through(dialect, request)) == left
    assert set(document.dropped) == named


@some
@pytest.mark.parametrize("dialect", DRAWN)
@given(st.data())
def test_what_was_read_is_written_whole_and_stays_the_same_from_then_on(dialect: str, data: st.DataObject) -> None:
    once = through(dialect, data.draw(DRAWN[dialect]))
    document = written(dialect, once)
    assert document.dropped == []
    assert written(dialect, through(dialect, once)).content == document.content


@few
@pytest.mark.parametrize("dialect", CONVERSING)
@given(ORDERLY)
def test_a_conversation_that_takes_turns_is_written_in_the_same_bytes_again(dialect: str, request: ChatRequest) -> None:
    document = written(dialect, request)
    again = written(dialect, through(dialect, request))
    assert (again.path, again.content) == (document.path, document.content)


@few
@pytest.mark.parametrize("client", DRAWN)
@given(st.data())
def test_through_two_dialects_all_is_left_that_both_can_say(client: str, data: st.DataObject) -> None:
    request = data.draw(DRAWN[client])
    asked = through(client, request)
    first, _ = projected(client, request, written(client, request))
    for upstream in SPEAKABLE:
        document = written(upstream, asked)
        left, named = projected(upstream, first, document)
        assert normal(through(upstream, asked)) == left
        assert set(document.dropped) == named
