"""The list: other clients' streams, live and finished, opened and saved; and what hundreds of them do to the page."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, expect

from mockserver.app import ServerConfig
from mockserver.open import mockserver_in_thread
from mockserver.recording.replay import Replay
from streamkit.io.cassette import read_cassette
from tests.watch.page_stand import PATIENCE_S, Visit, Watched, until, visiting

pytestmark = pytest.mark.needs("chromium")


def question(prompt: str) -> bytes:
    return json.dumps({"model": "llama3.2", "messages": [{"role": "user", "content": prompt}]}).encode()


def answer_to(url: str, body: bytes) -> bytes:
    with urlopen(Request(url, body), timeout=PATIENCE_S) as answer:  # noqa: S310 - our own server
        got: bytes = answer.read()
    return got


def asked(url: str, prompt: str = "Hello") -> bytes:
    """What another client of the gateway gets."""
    return answer_to(f"{url}/api/chat", question(prompt))


def test_another_client_s_stream_is_there_while_it_runs(visit: Visit) -> None:
    watched, page = visit.watched, visit.page
    watched.set(say="One two three.", gate="hold@token:2")
    client = threading.Thread(target=asked, args=(watched.url,))
    client.start()
    watched.mock.wait_at_gate("hold")
    row = page.locator("#list [data-number]").first
    expect(row).to_have_attribute("data-live", "true")
    expect(row).to_contain_text("ollama")
    row.click()
    until(lambda: visit.lane("upstream") > 0, "its marks so far", page)
    so_far = visit.lane("upstream")
    assert visit.lane("browser") == 0
    watched.mock.open_gate("hold")
    client.join()
    expect(row).to_have_attribute("data-live", "false")
    until(lambda: visit.lane("upstream") > so_far, "the rest", page)


def test_a_finished_stream_is_saved_and_replayed(visit: Visit, tmp_path: Path) -> None:
    """What the button saves plays the model's own bytes to whoever asks as the gateway did."""
    watched, page = visit.watched, visit.page
    watched.set(say="Größe zählt 🐢.", split="hostile", framing="close")
    asked(watched.url)
    row = page.locator("#list [data-number]").first
    expect(row).to_have_attribute("data-live", "false")
    row.click()
    with page.expect_download() as download:
        row.get_by_role("button", name="Save").click()
    file = tmp_path / download.value.suggested_filename
    assert file.suffix == ".cassette"
    download.value.save_as(file)
    entry = watched.entry
    question = json.dumps(entry["body"]).encode()
    with mockserver_in_thread(ServerConfig(replay=Replay(read_cassette(file), speed=0))) as mock:
        again = answer_to(mock.url + entry["target"], question)
    assert again == entry["sent"].encode("latin-1").partition(b"\r\n\r\n")[2]
    assert b"data: [DONE]" in again


def test_a_stream_of_its_own_is_opened_again_with_all_lanes(visit: Visit) -> None:
    watched, page = visit.watched, visit.page
    watched.set(say="One two three.")
    visit.ask()
    visit.mood("good")
    until(lambda: visit.lane("browser") > 0, "its marks", page)
    expect(page.locator('[data-figure="gateway-held-now"]')).to_be_hidden()  # all of them were told
    had = [visit.lane(name) for name in ("upstream", "gateway", "browser")]
    asked(watched.url)
    other = page.locator("#list [data-number]").first
    expect(page.locator("#list [data-number]")).to_have_count(2)
    other.click()
    until(lambda: visit.lane("browser") == 0 and visit.lane("upstream") > 0, "the other's", page)
    own = page.locator("#list [data-number]").nth(1)
    own.click()
    until(lambda: [visit.lane(name) for name in ("upstream", "gateway", "browser")] == had, "all of its own", page)


def test_how_its_own_streams_ended_is_what_the_page_has_seen(visit: Visit) -> None:
    """The gateway passes them on unread, and knows no more than that the response came to its end."""
    watched, page = visit.watched, visit.page
    row = page.locator("#list [data-number]").first
    for number, (settings, mood, words) in enumerate(
        (
            ({}, "good", "complete"),
            ({"fault": "end@token:2"}, "bad", "cut"),
            ({"fault": "error:no@token:2"}, "bad", "failed"),
        )
    ):
        watched.set(say="One two three.", **settings)
        visit.ask()
        visit.mood(mood)
        expect(page.locator("#list [data-number]")).to_have_count(number + 1)
        expect(row).to_have_attribute("data-mood", mood)
        expect(row.locator(".stream-state")).to_have_text(words)
    page.select_option("#list-filter", "failed")
    expect(page.locator("#list [data-number]")).to_have_count(2)


@pytest.mark.slow
def test_hundreds_of_streams_at_once(browser: Browser, watched: Watched) -> None:
    """They are all begun before the first goes on: the page has them all as live, and not all of them in its tree."""
    count = 200
    watched.set(say="One two.", gate="hold@token:1")
    with ThreadPoolExecutor(count) as pool, visiting(browser, watched) as visit:
        answers = [pool.submit(asked, watched.url, f"Hello {number}") for number in range(count)]
        watched.mock.wait_at_gate("hold", count)
        rows = visit.page.locator('#list [data-number][data-live="true"]')
        until(lambda: rows.count() > 20, "rows", visit.page)
        watched.mock.open_gate("hold")
        assert {len(answer.result().splitlines()) for answer in answers} == {3}
        expect(rows).to_have_count(0)
        visit.ask()
        visit.mood("good")
