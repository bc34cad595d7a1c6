"""Asking: the answer is there as it comes, by all four ways of feeding a browser; stop stops the model.

What decides is the mock server: its gates hold an answer until the page has shown what there was, and its journal has
what it sent, and how it ended.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from tests.watch.page_stand import FEEDS, Visit, until

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture
def visit(shared: Visit) -> Visit:
    return shared


TEXT: Final = 'Größe 🐢.\n\n"z" \\ data: [DONE]\r\n\u2028 𝔘 \u0007 </b> &amp;'

SPLITS: Final = ("none", "size:11", "random:1:9", "every-byte", "lines", "events", "hostile", "coalesce:3")

FAULTS: Final = (
    # What the mock server does behind the second token; how that ends for the page, and words that have to be there.
    ("reset@token:3", "connection|upstream"),
    ("close@token:3", "connection|upstream"),
    ("end@token:3", "end|cut|terminator"),
    ("error:no more paper@token:3", "no more paper"),
    ("bad-json@token:3", "JSON"),
)


def test_the_first_words_are_there_before_the_last_token(visit: Visit) -> None:
    for feed in FEEDS:
        visit.watched.set(say="One two three four.", gate="hold@token:2")
        visit.ask("Count.", feed)
        visit.watched.mock.wait_at_gate("hold")
        visit.says("One two")
        visit.mood("live")
        entry = visit.watched.entry
        assert (entry["tokens"], entry["outcome"]) == (2, "running"), feed
        visit.watched.mock.step_gate("hold")
        visit.mood("good")
        visit.says("One two three four.")


@pytest.mark.parametrize("split", SPLITS)
def test_every_way_of_feeding_gives_the_same_text(visit: Visit, split: str) -> None:
    visit.watched.set(say=TEXT, split=split, writes="acked")
    for feed in FEEDS:
        visit.ask(feed=feed)
        visit.mood("good")
        visit.says(TEXT)
    assert [entry["outcome"] for entry in visit.watched.mock.journal] == ["complete"] * len(FEEDS)


def test_stop_is_felt_by_the_model(visit: Visit) -> None:
    visit.may_fail = True  # Chromium logs the answer that was given up as one that failed
    for feed, how in [*((feed, "#stop") for feed in FEEDS), ("sse", "Escape")]:
        visit.watched.set(say="One two three four.", gate="hold@token:2")
        visit.ask(feed=feed)
        visit.says("One two")
        if how == "#stop":
            visit.page.click(how)
        else:
            visit.page.keyboard.press(how)
        until(lambda: visit.watched.entry["outcome"] != "running", f"{feed}: the model has stopped", visit.page)
        assert (visit.watched.entry["outcome"], visit.watched.entry["tokens"]) == ("client-left", 2)
        expect(visit.state).to_contain_text(re.compile("stopped", re.IGNORECASE))
        expect(visit.page.locator("#ask")).to_be_enabled()
        visit.says("One two")
        visit.watched.set(say="Once more.")
        visit.ask()
        visit.mood("good")
        visit.says("Once more.")


@pytest.mark.parametrize(("fault", "words"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_a_fault_is_told_as_what_it_is(visit: Visit, fault: str, words: str) -> None:
    """What came before is shown, and stays. It is waited for: Chromium drops what was not read before a reset."""
    visit.may_fail = True
    for feed in FEEDS:
        visit.watched.set(say="One two three four.", gate="hold@token:2", fault=fault)
        visit.ask(feed=feed)
        visit.says("One two")
        visit.watched.mock.step_gate("hold")
        visit.mood("bad")
        expect(visit.page.locator("#answer-panel")).to_contain_text(re.compile(words, re.IGNORECASE))
        text = visit.part("text").text_content() or ""
        assert text.startswith("One two"), feed
        assert "four" not in text, feed
    visit.watched.set(say="All is well.")
    visit.ask(feed="sse")
    visit.mood("good")


def test_a_refusal_of_the_model_is_shown_in_its_own_words(visit: Visit) -> None:
    visit.may_fail = True
    visit.watched.set(fault="status:503:1")
    for feed in FEEDS:
        visit.ask(feed=feed)
        visit.mood("bad")
        expect(visit.page.locator("#answer-panel")).to_contain_text("503")


def test_reasoning_and_tool_calls_are_apart(visit: Visit) -> None:
    visit.watched.set(say="The answer.", reasoning=4)
    for feed in FEEDS:
        visit.ask(feed=feed)
        visit.mood("good")
        visit.says("The answer.")
        assert len((visit.part("reasoning").text_content() or "").split()) >= 4


def test_a_tool_that_is_offered_is_called(visit: Visit) -> None:
    visit.watched.set(call='get_weather:{"city":"Zürich"}')
    visit.page.check("#offer-tool")
    for feed in FEEDS:
        visit.ask(feed=feed)
        visit.mood("good")
        call = visit.part("tool")
        expect(call).to_have_attribute("data-name", "get_weather")
        visit.says('{"city":"Zürich"}', "tool")
        assert visit.part("text").count() == 0
    visit.page.uncheck("#offer-tool")


def test_enter_asks_and_shift_enter_does_not(visit: Visit) -> None:
    prompt = visit.page.locator("#prompt")
    prompt.fill("One")
    prompt.press("Shift+Enter")
    prompt.press_sequentially("two")
    assert visit.watched.mock.journal == []
    prompt.press("Enter")
    visit.mood("good")
    body: dict[str, Any] = visit.watched.entry["body"]
    assert body["messages"][-1]["content"] == "One\ntwo"
