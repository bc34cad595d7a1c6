"""The mock server's settings on the page, and the list by keyboard: what is not the mouse's, and what is refused."""

from __future__ import annotations

import json

import httpx
import pytest
from playwright.sync_api import expect

from tests.watch.page_stand import Visit, until

pytestmark = pytest.mark.needs("chromium")


def settings_of(visit: Visit) -> list[tuple[str, str]]:
    return visit.watched.mock.call(lambda mock: list(mock.admin_pairs))


def test_the_fields_set_the_next_answer(visit: Visit) -> None:
    page = visit.page
    page.locator("#mock-panel > summary").click()
    page.fill('#mock-form [name="say"]', "One; two, rate=3")
    page.fill('#mock-form [name="rate"]', "200")
    page.select_option('#mock-form [name="split"]', "random")
    page.fill('#mock-form [name="other"]', "finish=length")
    expect(page.locator("#mock-text")).to_have_text(
        'X-Mock: say="One; two, rate=3"; rate=200; split=random:1:16; finish=length'
    )
    visit.ask()
    visit.says("One; two, rate=3")
    assert settings_of(visit) == [
        ("say", "One; two, rate=3"),
        ("rate", "200"),
        ("split", "random:1:16"),
        ("finish", "length"),
    ]

    page.select_option('#mock-form [name="fault"]', "reset")
    page.fill('#mock-form [name="fault-place"]', "token:1")
    visit.ask()
    visit.mood("bad")
    assert settings_of(visit)[-2:] == [("fault", "reset@token:1"), ("finish", "length")]

    page.click("#mock-back")
    until(lambda: settings_of(visit) == [], "nothing is set", page)
    expect(page.locator("#mock-text")).to_have_text("Nothing is set.")
    visit.may_fail = True  # the answer that was reset


def test_a_setting_that_is_wrong_is_shown_where_it_is_and_nothing_is_asked(visit: Visit) -> None:
    page = visit.page
    visit.may_fail = True
    page.locator("#mock-panel > summary").click()
    page.fill('#mock-form [name="rate"]', "quick")
    page.locator("#prompt").click()
    expect(page.locator('#mock-form [data-error="rate"]')).to_contain_text("'quick' is no number of tokens")
    expect(page.locator("#prompt")).to_be_focused()  # who writes on elsewhere is left there
    visit.ask()
    visit.mood("bad")
    expect(page.locator('#mock-form [data-error="rate"]')).to_contain_text("'quick' is no number of tokens")
    expect(page.locator('#mock-form [name="rate"]')).to_have_attribute("aria-invalid", "true")
    expect(page.locator('#mock-form [name="rate"]')).to_be_focused()
    page.fill('#mock-form [name="rate"]', "")
    page.fill('#mock-form [name="other"]', "heartbeet=1s")
    page.locator('#mock-form [name="other"]').press("Enter")
    expect(page.locator('#mock-form [data-error="other"]')).to_contain_text("did you mean heartbeat?")
    expect(page.locator('#mock-form [data-error="rate"]')).to_be_hidden()
    assert settings_of(visit) == []
    assert visit.watched.mock.journal == []


def test_what_is_set_elsewhere_is_shown_and_not_set_over(visit: Visit) -> None:
    page = visit.page
    visit.watched.mock.configure(say="Elsewhere.", heartbeat="2s")
    visit.ask()
    visit.says("Elsewhere.")
    expect(page.locator("#mock-text")).to_have_text("X-Mock: say=Elsewhere.; heartbeat=2s")
    expect(page.locator('#mock-form [name="say"]')).to_have_value("Elsewhere.")
    expect(page.locator('#mock-form [name="other"]')).to_have_value("heartbeat=2s")
    assert settings_of(visit) == [("say", "Elsewhere."), ("heartbeat", "2s")]


def asked(visit: Visit, path: str, body: bytes = b"", method: str = "POST") -> int:
    """The status that another client of the gateway gets."""
    return httpx.request(method, visit.watched.url + path, content=body, timeout=60).status_code


QUESTION = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hello"}]}).encode()


def test_the_list_is_walked_with_the_keys(visit: Visit) -> None:
    page = visit.page
    for _ in range(3):
        assert asked(visit, "/api/chat", QUESTION) == 200
    rows = page.locator("#list [data-number]")
    expect(rows).to_have_count(3)
    assert page.locator('#list button[data-open][tabindex="0"]').count() == 1
    page.locator("#list-filter").focus()
    page.keyboard.press("Tab")
    expect(rows.nth(0).locator("[data-open]")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(2).locator("[data-open]")).to_be_focused()
    assert asked(visit, "/api/chat", QUESTION) == 200  # a new one comes above, and the focus stays with its stream
    expect(rows).to_have_count(4)
    expect(rows.nth(3).locator("[data-open]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows.nth(3).locator("[data-open]")).to_have_attribute("aria-current", "true")
    page.keyboard.press("ArrowRight")
    expect(rows.nth(3).locator("[data-save]")).to_be_focused()
    page.keyboard.press("Home")
    expect(rows.nth(0).locator("[data-open]")).to_be_focused()


def test_what_is_no_stream_is_listed_when_it_is_wanted_and_what_cannot_be_saved_says_why(visit: Visit) -> None:
    page = visit.page
    visit.may_fail = True
    assert asked(visit, "/v1/models", method="GET") == 200
    assert asked(visit, "/api/chat", b"no JSON") == 400
    rows = page.locator("#list [data-number]")
    expect(rows).to_have_count(1)
    expect(rows).to_have_attribute("data-mood", "bad")
    expect(rows).to_contain_text("refused by the gateway")
    rows.locator("[data-save]").click()
    expect(rows.locator(".stream-note")).to_contain_text("nothing to be replayed")
    page.select_option("#list-filter", "all")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("GET /v1/models")
    page.select_option("#list-filter", "live")
    expect(rows).to_have_count(0)
    expect(page.locator("#list")).to_contain_text("Nothing is live.")
