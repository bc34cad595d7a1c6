"""The page in a browser: nothing is asked of any network, the filter filters, and a failure opens by its link."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from streamkit.contract.report.page import as_html
from tests.chromium import ENOUGH, contrasts_of, open_chromium
from tests.contract.reports import report_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.needs("chromium")

SHOWN: Final = "rows => rows.filter(row => row.offsetParent !== null).map(row => row.dataset.case)"

CONTRASTS: Final = contrasts_of("""
  [...document.querySelectorAll('.v, .outcome, .finding, .level, .detail, h3, h4, dt, dd, a, summary, .note')]
    .filter((element) => element.offsetParent !== null).map(withInk('color'))
""")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of two proxies, opened as a file; whatever it says on the console, or asks for, fails the test."""
    file = tmp_path / "report.html"
    file.write_text(as_html([report_of(), report_of()]), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 360, "height": 700})
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(file.as_uri())
    yield opened
    opened.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]


def until(page: Page, true: str) -> None:
    """Wait until an expression is true. The page's policy forbids what playwright would do for that in the page."""
    deadline_s = time.monotonic() + 20
    while not page.evaluate(true):
        assert time.monotonic() < deadline_s, true
        page.wait_for_timeout(10)


def shown(page: Page, rows: str) -> list[str]:
    found: list[str] = page.eval_on_selector_all(rows, SHOWN)
    return found


def test_the_filter_shows_what_it_is_asked_for(page: Page) -> None:
    rows, cases = ".matrix tr[data-case]", "details.case"
    assert len(shown(page, rows)) == 7
    assert page.text_content("output") == "7 cases"
    page.select_option("select[name=group]", "flush")
    assert shown(page, rows) == ["flush.head", "flush.sse.close"]
    assert shown(page, cases) == ["flush.head", "flush.head", "flush.sse.close", "flush.sse.close"]
    assert page.locator("h3:visible").all_text_contents() == ["flush"]
    page.select_option("select[name=verdict]", "FAILED")
    assert shown(page, rows) == ["flush.sse.close"]
    assert page.text_content("output") == "1 of 7 cases"
    page.click("text=Clear")
    until(page, "document.querySelector('output').value === '7 cases'")
    page.select_option("select[name=verdict]", "bad")
    assert shown(page, rows) == ["flush.head", "flush.sse.close", "cancel.idle", "end.clean.cl"]
    page.fill("input[name=text]", "IDLE")
    assert shown(page, rows) == ["cancel.idle"]


def test_a_link_opens_its_case_whatever_the_filter_hides(page: Page) -> None:
    page.fill("input[name=text]", "no such case")
    link = page.locator('.failures a[href="#cancel.idle@2"]')
    link.focus()
    page.keyboard.press("Enter")
    case = page.locator("[id='cancel.idle@2']")
    until(page, "document.activeElement.matches('summary')")
    assert case.evaluate("each => [each.open, each.contains(document.activeElement)]") == [True, True]
    page.keyboard.press("Space")
    until(page, "!document.getElementById('cancel.idle@2').open")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_the_light_and_in_the_dark(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of those words
    page.click("#open-all")
    weak = {name: ratio for name, ratio in page.evaluate(CONTRASTS) if ratio < ENOUGH}
    assert weak == {}


def test_no_width_makes_the_page_scroll_sideways(page: Page) -> None:
    page.click("#open-all")
    for width in (320, 360, 768, 1400):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
