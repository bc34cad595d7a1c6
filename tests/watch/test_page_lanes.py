"""The lanes: a mark for each chunk at each hop while it happens, the bytes of a mark with their cut, the figures."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, expect

from tests.watch.page_stand import FEEDS, Visit, until

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture
def visit(shared: Visit) -> Visit:
    return shared


WORDS: Final = "One two three four five."

HOPS: Final = ("upstream", "gateway", "browser")


def body_writes(entry: dict[str, Any]) -> int:
    """How many of the mock server's writes have brought some of the body; none of them is of head and body."""
    sent, at, found = entry["sent"].encode("latin-1"), 0, 0
    for _, _, _, size, _ in entry["writes"]:
        piece = sent[at : at + size]
        at += size
        found += not piece.startswith((b"HTTP/1.1 ", b"0\r\n"))
    return found


def events_of(entry: dict[str, Any]) -> int:
    return sum(line.startswith("data: ") for line in entry["sent"].splitlines())


def lanes_have(visit: Visit, count: int, *hops: str) -> None:
    until(lambda: [visit.lane(hop) for hop in hops] == [count] * len(hops), f"{count} marks on {hops}", visit.page)


@pytest.mark.parametrize("feed", FEEDS)
def test_the_lanes_hold_as_many_marks_as_the_journal(visit: Visit, feed: str) -> None:
    """Record by record: the next one is sent only when the page has drawn the marks of this one."""
    visit.watched.set(say=WORDS)
    visit.ask(feed=feed)
    visit.mood("good")
    records = events_of(visit.watched.entry)
    visit.watched.set(say=WORDS, gate=[f"step@event:{number}" for number in range(1, records)])
    visit.ask(feed=feed)
    for number in range(1, records):
        visit.watched.mock.wait_at_gate("step")
        lanes_have(visit, number, *(HOPS if feed == "sse" else HOPS[:1]))
        assert body_writes(visit.watched.entry) == number
        visit.watched.mock.step_gate("step")
    visit.mood("good")
    lanes_have(visit, records, *(HOPS if feed == "sse" else HOPS[:1]))
    assert body_writes(visit.watched.entry) == records
    assert visit.lane("gateway") > 0
    assert visit.lane("browser") > 0


def selected(visit: Visit, cut: str) -> Locator:
    return visit.page.locator(f'#inspect [data-cut="{cut}"][data-side="end"]')


def test_a_mark_shows_its_bytes_and_where_they_are_cut(visit: Visit) -> None:
    """The mock server stops behind a record, in the middle of a character, and in the middle of a record."""
    say, keyboard = "ßßßß", visit.page.keyboard
    visit.watched.set(say=say)
    visit.ask()
    visit.mood("good")
    body = visit.watched.entry["sent"].encode("latin-1").partition(b"\r\n\r\n")[2]
    record = b"data: " + body.split(b"data: ")[2].partition(b"\n\n")[0]
    inside = record.index("ß".encode()) + 1
    for plus, cut in ((inside, "character"), (inside + 1, "record")):
        visit.watched.mock.reset()
        visit.watched.set(say=say, gate=["hold@event:1", f"hold@event:1+{plus}"])
        visit.ask()
        for number in (1, 2):
            visit.watched.mock.wait_at_gate("hold")
            lanes_have(visit, number, *HOPS)
            if number == 1:
                visit.watched.mock.step_gate("hold")
        visit.page.locator("#lanes canvas").first.focus()
        for key in ("Home", "ArrowDown", "ArrowDown"):
            keyboard.press(key)
            keyboard.press("Home")
            expect(selected(visit, "between")).to_have_count(1)
            expect(visit.page.locator("#inspect")).to_contain_text("assistant")
            keyboard.press("ArrowRight")
            expect(selected(visit, cut)).to_have_count(1)
            expect(visit.page.locator("#inspect")).not_to_contain_text("assistant")
        visit.watched.mock.step_gate("hold")
        visit.mood("good")


def test_pointing_at_a_mark_is_choosing_it(visit: Visit) -> None:
    visit.watched.set(say=WORDS)
    visit.ask()
    visit.mood("good")
    until(lambda: visit.lane("browser") > 0, "marks", visit.page)
    box = visit.page.locator("#lanes canvas").first.bounding_box()
    assert box is not None
    inspect = visit.page.locator("#inspect")
    for x in range(0, int(box["width"]), 12):
        visit.page.mouse.click(box["x"] + x, box["y"] + box["height"] / 2)
        if "data:" in (inspect.text_content() or ""):
            break
    expect(inspect).to_contain_text("data:")


def test_figures_are_there_for_each_hop(visit: Visit) -> None:
    """Times, for each hop; and as many reads and writes as were drawn."""
    visit.watched.set(say=WORDS, rate=200)
    visit.ask()
    visit.mood("good")
    until(lambda: figure(visit, "browser-records") == str(events_of(visit.watched.entry)), "all records", visit.page)
    for hop in HOPS:
        assert re.fullmatch(r"[\d.]+ (µs|ms|s)", figure(visit, f"{hop}-first-byte"))
        assert re.fullmatch(r"[\d.]+ (µs|ms|s)", figure(visit, f"{hop}-first-token"))
        assert figure(visit, f"{hop}-marks") == str(visit.lane(hop))
        assert figure(visit, f"{hop}-records") == str(events_of(visit.watched.entry))
    told = visit.page.locator("#figures").inner_text()
    assert not re.search("NaN|undefined|Infinity|null", told)


def test_who_held_it_back_is_named(visit: Visit) -> None:
    """The page sleeps while the rest is sent: the model and the gateway were quick, and the browser was not."""
    page = visit.page
    visit.watched.set(say=WORDS, gate="hold@token:2")
    visit.ask()
    visit.says("One two")
    with visit.asleep():
        visit.watched.mock.step_gate("hold")
        until(lambda: visit.watched.entry["outcome"] == "complete", "all was sent", page)
        page.wait_for_timeout(1500)  # so long at least: longer than a busy machine holds anything up anywhere else
    visit.mood("good")
    visit.says(WORDS)
    until(lambda: "from the gateway to the browser" in figure(visit, "verdict"), "the browser is named", page)


def figure(visit: Visit, name: str) -> str:
    return visit.page.locator(f'#figures [data-figure="{name}"]').text_content() or ""
