"""Much, large, asleep, gone: the page says what happened and stays of use; the gateway keeps no more than it may."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from streamkit.watch.sights import MAX_TOTAL_BYTES
from tests.watch.page_stand import FEEDS, Visit, until, visiting, watched_in_thread

pytestmark = pytest.mark.needs("chromium")

LARGE: Final = 10 << 20


def test_thousands_of_chunks_and_a_stop_in_between(visit: Visit) -> None:
    """The stop is pressed while they come, and the journal says that the rest was never sent."""
    for feed in ("sse", "websocket"):
        visit.watched.set(tokens=60_000, rate=0)
        visit.ask(feed=feed)
        expect(visit.part("text")).not_to_be_empty()
        visit.page.click("#stop")
        until(lambda: visit.watched.entry["outcome"] != "running", "the model has stopped", visit.page)
        assert visit.watched.entry["outcome"] == "client-left"
        assert 0 < visit.watched.entry["tokens"] < 60_000


def test_all_of_thousands_of_chunks_are_counted(visit: Visit) -> None:
    visit.watched.set(tokens=5_000, rate=0)
    visit.ask()
    visit.mood("good")
    assert visit.page.evaluate("document.querySelectorAll('*').length") < 3_000
    until(lambda: visit.lane("browser") > 0 and visit.lane("upstream") > 0, "marks", visit.page)


@pytest.mark.parametrize("feed", ["sse", *(pytest.param(feed, marks=pytest.mark.slow) for feed in FEEDS[1:])])
def test_a_record_of_ten_mebibytes(visit: Visit, feed: str) -> None:
    visit.watched.set(say="One two three.", fault=f"oversized:{LARGE}@token:2")
    visit.ask(feed=feed)
    visit.mood("good")
    visit.says("One two three.")
    assert visit.watched.kept_bytes <= MAX_TOTAL_BYTES


def test_a_page_that_sleeps_holds_up_nobody_and_catches_up(visit: Visit) -> None:
    for feed in FEEDS:
        visit.watched.set(say="One two three four five.", gate="hold@token:2")
        visit.ask(feed=feed)
        visit.says("One two")
        with visit.asleep():
            visit.watched.mock.step_gate("hold")
            until(lambda: visit.watched.entry["outcome"] == "complete", f"{feed}: all was sent", visit.page)
        visit.mood("good")
        visit.says("One two three four five.")


def test_a_page_that_is_left_stops_the_model(visit: Visit) -> None:
    visit.watched.set(say="One two three.", gate="hold@token:2")
    for feed in FEEDS:
        visit.ask(feed=feed)
        visit.says("One two")
        visit.page.goto(visit.url)
        until(lambda: visit.watched.entry["outcome"] != "running", f"{feed}: the model has stopped", visit.page)
        assert visit.watched.entry["outcome"] == "client-left"


def test_a_gateway_that_goes_is_missed(browser: Browser) -> None:
    with ExitStack() as stack, ExitStack() as running:
        watched = running.enter_context(watched_in_thread())
        visit = stack.enter_context(visiting(browser, watched))
        visit.may_fail = True
        watched.set(say="One two three.", gate="hold@token:2")
        visit.ask()
        visit.says("One two")
        running.close()
        visit.mood("bad")
        expect(visit.page.locator("#link-state")).to_have_attribute("data-mood", "bad")
        expect(visit.page.locator('[data-figure="lost"]')).to_contain_text("The gateway has told nothing")
        visit.ask()
        visit.mood("bad")
        expect(visit.page.locator("#ask")).to_be_enabled()
