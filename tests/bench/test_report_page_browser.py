"""The page in a browser: its plots are there, nothing is asked of any network, and it can be read everywhere."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from streamkit.bench.plan import Concurrency
from streamkit.bench.report.document import as_document
from streamkit.bench.report.page import as_html
from streamkit.bench.report.page_plotly import plotly_source
from streamkit.bench.results import Result
from tests.bench.results_made import records_of, run_of
from tests.bench.test_report_page import evil_result, proxies_result, sweep_result
from tests.chromium import ENOUGH, contrasts_of, open_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.needs("chromium")

READY: Final = "document.documentElement.dataset.ready === 'yes'"

DRAWN: Final = """
() => [...document.querySelectorAll(".plot")].map(plot => [
  plot.dataset.drawn,
  plot.querySelectorAll(".main-svg .scatterlayer .trace, .main-svg .barlayer .trace").length,
  plot.getBoundingClientRect().width > 200 && plot.getBoundingClientRect().height > 100,
])
"""

OPEN_ALL: Final = "document.querySelectorAll('details').forEach(each => { each.open = true; })"

CONTRASTS: Final = contrasts_of("""
  [
    ...[...document.querySelectorAll('.outcome, .note, .iv, .unit, .none, .mark, .v, h4, dt, dd, th, '
      + 'a:not(.modebar-btn), figcaption, summary, footer')].map(withInk('color')),
    ...[...document.querySelectorAll('.plot text')].map(withInk('fill')),
  ].filter(([element]) => element.getClientRects().length)
""")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as running:
        yield running


def everything() -> Result:
    """Return a sweep of three servers, with the pairs of two of them: all sections of the page."""
    result = proxies_result()
    more = [
        run_of(records_of(60, seed), server=name, load=Concurrency(64)) for seed, name in enumerate(("direct", "proxy"))
    ]
    return replace(result, runs=[*result.runs, *more])


@contextmanager
def opened(browser: Browser, file: Path, result: Result, *, has_scripts: bool = True) -> Iterator[Page]:
    """Open a page as a file; whatever it says on its console, or asks for, fails the test."""
    said: list[str] = []
    asked: list[str] = []
    file.write_text(as_html(result, as_document(result), plotly_source()), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1200, "height": 800}, java_script_enabled=has_scripts)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    if has_scripts:
        until(page, READY)
    yield page
    page.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [file.as_uri()]


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests, because plotly takes its time to load; each brings it where it needs it."""
    with opened(browser, tmp_path_factory.mktemp("page") / "bench.html", everything()) as page:
        yield page
        assert page.url.startswith("file:"), "no link has led away"


def until(page: Page, true: str) -> None:
    """Wait until an expression is true. The page's policy forbids what playwright would do for that in the page."""
    deadline_s = time.monotonic() + 60
    while not page.evaluate(true):
        assert time.monotonic() < deadline_s, true
        page.wait_for_timeout(20)


def test_the_plots_are_there(page: Page) -> None:
    drawn = page.evaluate(DRAWN)
    families = [key.partition(":")[0] for key, _, _ in drawn]
    assert families == ["pairs", "latency", "throughput", "lies", "quantiles", "time", "first"]
    assert all(traces > 0 and is_seen for _, traces, is_seen in drawn)


def test_a_choice_draws_what_was_chosen(page: Page) -> None:
    for metric in ("tpot_ms", "e2e_ms"):
        page.select_option("#metric", metric)
        until(page, f"document.querySelector('[data-family=quantiles]').dataset.drawn === 'quantiles:{metric}'")
        until(page, f"document.querySelector('[data-family=lies]').dataset.drawn === 'lies:{metric}'")
        label = page.get_attribute("[data-family=quantiles]", "aria-label") or ""
        assert label.startswith(f"Quantiles of {metric.removesuffix('_ms')}")
    page.select_option("#run", "2")
    until(page, "document.querySelector('[data-family=first]').dataset.drawn === 'first:2'")
    assert page.get_attribute("[data-family=latency]", "data-drawn") == "latency:ttft_ms"


def test_a_link_opens_what_is_known_of_a_load(page: Page) -> None:
    page.click('a[href="#run-2"]')
    until(page, "document.getElementById('run-2').open")


def test_the_figures_can_be_saved(page: Page) -> None:
    with page.expect_download() as download:
        page.click("#save")
    saved = json.loads(Path(download.value.path()).read_bytes())
    assert saved == json.loads(msgspec.json.encode(as_document(everything())))


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_can_be_read_in_the_light_and_in_the_dark(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of those words
    page.evaluate(OPEN_ALL)
    text = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--text').trim()")
    ink = f"rgb({', '.join(str(int(text[at : at + 2], 16)) for at in (1, 3, 5))})"
    until(page, f"[...document.querySelectorAll('.xtick text')].every(each => getComputedStyle(each).fill === '{ink}')")
    weak = {name: ratio for name, ratio in page.evaluate(CONTRASTS) if ratio < ENOUGH}
    assert weak == {}


def test_no_width_makes_the_page_scroll_sideways(page: Page) -> None:
    page.evaluate(OPEN_ALL)
    for width in (320, 390, 768, 1200):
        page.set_viewport_size({"width": width, "height": 700})
        until(page, f"document.documentElement.scrollWidth <= {width}")
        until(
            page,
            "[...document.querySelectorAll('.plot')].every(each => "
            "each.querySelector('.main-svg').getBoundingClientRect().width <= each.clientWidth + 1)",
        )


def test_what_a_server_said_becomes_no_element(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path / "bench.html", evil_result()) as page:
        assert page.locator("img, iframe, .main-svg a").count() == 0
        assert page.locator(".plot text", has_text="<script>").count() > 0, "it is shown as it is"


def test_without_scripts_the_tables_are_there(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path / "bench.html", sweep_result(), has_scripts=False) as page:
        assert page.locator("noscript p").is_visible()
        assert page.locator("table.figures").first.is_visible()
        assert not page.locator("#save").is_visible()
