"""The page by its looks and by the keyboard: contrasts, widths, what has a name; the mock server's settings."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from tests.chromium import ENOUGH, contrasts_of
from tests.watch.page_stand import Visit, Watched, until, visiting

pytestmark = pytest.mark.needs("chromium")

SAYS: Final = "[...element.childNodes].some((node) => node.nodeName === '#text' && node.data.trim())"

CONTRASTS: Final = contrasts_of(f"""
  [...document.body.querySelectorAll('*')]
    .filter((element) => element.checkVisibility() && {SAYS} && !element.closest(':disabled, noscript'))
    .map(withInk('color'))
""")

NAMELESS: Final = """
() => {
  const isNamed = (each) => each.labels?.length || each.textContent.trim() || each.getAttribute('aria-label')
    || each.getAttribute('aria-labelledby');
  return [...document.querySelectorAll('button, input, select, textarea, canvas, summary, [tabindex="0"]')]
    .filter((each) => each.checkVisibility() && !isNamed(each)).map((each) => each.outerHTML);
}
"""

OVER_OTHERS: Final = """
() => {
  const list = '.stream-save, .stream-badge, .stream-state, .stream-facts, .stream-way';
  const boxes = [...document.querySelectorAll(`${list}, #figures table, #inspect, #lanes canvas`)].flatMap((each) => {
    const range = document.createRange();
    range.selectNodeContents(each);
    const found = each.matches('span') ? [...range.getClientRects()] : [each.getBoundingClientRect()];
    return found.map((box) => [each.className || each.id || each.tagName, box]);
  });
  const isOver = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  return boxes.flatMap(([name, box], at) => boxes.slice(at + 1)
    .filter(([other, its]) => other !== name && isOver(box, its)).map(([other]) => `${name} / ${other}`));
}
"""

COVERED: Final = """
() => {
  const box = (selector) => document.querySelector(selector).getBoundingClientRect();
  const [table, inspect] = ['#figures table', '#inspect'].map(box);
  const isBeside = table.right <= inspect.left + 1 || table.left >= inspect.right - 1;
  return !(isBeside || table.bottom <= inspect.top + 1 || table.top >= inspect.bottom - 1);
}
"""


def test_it_can_be_read_in_the_light_and_in_the_dark_at_every_width(browser: Browser, watched: Watched) -> None:
    with visiting(browser, watched, viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as visit:
        page = visit.page
        visit.may_fail = True
        for settings, mood in (({}, "good"), ({"fault": "reset@token:9"}, "bad")):
            watched.set(reasoning=3, split="hostile", **settings)
            visit.ask()
            visit.mood(mood)
            page.locator("#lanes canvas").first.focus()
            page.keyboard.press("Home")
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                weak = {name: round(ratio, 2) for name, ratio in page.evaluate(CONTRASTS) if ratio < ENOUGH}
                assert weak == {}, scheme
        assert page.evaluate(NAMELESS) == []
        page.evaluate("document.getElementById('mock-panel').open = true")
        for width in (320, 390, 768, 1000, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert not page.evaluate(COVERED), width
        page.evaluate("document.getElementById('mock-panel').open = false")
        rows = page.locator("#list [data-number]")
        for width, size in ((1280, ""), (390, ""), (1280, "200%"), (640, "200%")):  # of letters, as users set it
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate(f"document.documentElement.style.fontSize = '{size}'")
            rows.first.scroll_into_view_if_needed()
            assert page.evaluate(OVER_OTHERS) == [], (width, size)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, size)
        rule = "[...document.styleSheets[0].cssRules].find((each) => each.selectorText === ':root').style.fontSize"
        assert page.evaluate(rule).endswith("%")  # of what the browser is set to


def test_all_of_it_is_reached_by_the_keyboard(visit: Visit) -> None:
    page = visit.page
    visit.ask()
    visit.mood("good")
    until(lambda: visit.lane("browser") > 0, "marks", page)
    page.locator("#prompt").focus()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.closest('[id]')?.id || ''"))
    assert reached >= {"feeds", "model", "ask", "mock-panel", "lanes", "list"}


def test_fingers_choose_a_mark_zoom_and_move(browser: Browser, watched: Watched) -> None:
    """On a phone: what the mouse and the keyboard do, a tap, a pinch and a drag do too."""
    watched.set(say="One two three four five.", rate=50)
    with visiting(browser, watched, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        page = visit.page
        visit.ask()
        visit.mood("good")
        until(lambda: visit.lane("browser") > 0, "marks", page)
        canvas = page.locator("#lanes canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        session = page.context.new_cdp_session(page)
        middle_y = box["y"] + box["height"] / 2
        show_all = page.get_by_role("button", name="Show all of the time")

        def touch(kind: str, *shares: float) -> None:
            points = [
                {"x": box["x"] + share * box["width"], "y": middle_y, "id": at} for at, share in enumerate(shares)
            ]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        def swipe(*way: tuple[float, ...]) -> bytes:
            before = canvas.screenshot()
            touch("touchStart", *way[0])
            for shares in way[1:]:
                touch("touchMove", *shares)
            touch("touchEnd")
            return before

        for share in range(0, 100, 2):
            swipe((share / 100,))
            if "data:" in (page.locator("#inspect").text_content() or ""):
                break
        expect(page.locator("#inspect")).to_contain_text("data:")
        expect(show_all).to_be_disabled()
        swipe((0.45, 0.55), (0.4, 0.6), (0.3, 0.7), (0.1, 0.9))
        expect(show_all).to_be_enabled()
        before = swipe((0.8,), (0.7,), (0.5,))
        until(lambda: canvas.screenshot() != before, "it has moved", page)
        swipe((0.05, 0.95), (0.3, 0.7), (0.49, 0.51))
        expect(show_all).to_be_disabled()
        assert page.evaluate("visualViewport.scale") == 1  # the page itself was not zoomed


def test_the_mock_server_is_set_from_the_page(visit: Visit) -> None:
    """By its own grammar: what it refuses is shown at its place, and nothing was asked."""
    page = visit.page
    page.locator("#mock-panel summary").click()
    page.locator("#mock-form [name=say]").fill("Set from the page; and quoted.")
    page.locator("#mock-form [name=reasoning]").fill("3")
    visit.ask()
    visit.mood("good")
    visit.says("Set from the page; and quoted.")
    expect(visit.part("reasoning")).not_to_be_empty()
    answered = len(visit.watched.mock.journal)
    visit.may_fail = True
    page.locator("#mock-form [name=tokens]").fill("many")
    visit.ask()
    visit.mood("bad")
    expect(page.locator("#mock-panel")).to_contain_text("tokens")
    assert len(visit.watched.mock.journal) == answered
