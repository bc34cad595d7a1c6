"""What the page may do, and what others may do with it: its policy, other people's pages, rebound names, the key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from mockserver.open import open_mockserver
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.gateway import OnRecord
from streamkit.http.origin import parse_origin
from streamkit.watch.open import OpenWatch, open_watch
from tests.watch.page_stand import FEEDS, Visit, Watched, visiting, watched_in_thread

pytestmark = pytest.mark.needs("chromium")

TRY_FROM_OUTSIDE: Final = """
async (gateway) => {
  const token = {'X-Streamkit-Token': 'guessed'};
  const chat = '{"model":"m","messages":[{"role":"user","content":"Hello"}]}';
  const tries = [
    ['_watch/api/enter', {method: 'POST'}],
    ['_watch/api/enter', {method: 'POST', mode: 'no-cors'}],
    ['_watch/api/streams', {}],
    ['_watch/api/streams', {mode: 'no-cors'}],
    ['_watch/api/about', {headers: token}],
    ['_watch/api/mock', {method: 'PUT', headers: token, body: 'fault=reset'}],
    ['_watch/app.js', {}],
    ['_watch/', {mode: 'no-cors'}],
  ];
  const had = [];
  for (const [path, options] of tries) {
    try {
      const response = await fetch(gateway + path, options);
      had.push(response.type === 'opaque' ? 'opaque' : await response.text());
    } catch (error) {
      had.push(error.name);
    }
  }
  const loads = (tag, set) => new Promise((resolve) => {
    const element = document.createElement(tag);
    set(element);
    element.onload = () => resolve(tag + ' loaded');
    element.onerror = () => resolve(tag + ' refused');
    document.documentElement.append(element);
  });
  had.push(await loads('script', (it) => { it.type = 'module'; it.src = gateway + '_watch/app.js'; }));
  had.push(await loads('script', (it) => { it.src = gateway + '_watch/stream.js'; }));
  return had;
}
"""

TRY_INSIDE: Final = """
() => new Promise((resolve) => {
  const blocked = [];
  const thrown = [];
  document.addEventListener('securitypolicyviolation', (event) => {
    blocked.push(event.effectiveDirective);
    if (event.effectiveDirective === 'connect-src') resolve([thrown, blocked, window.wasRun ?? 'nothing was run']);
  });
  const made = (tag) => document.body.appendChild(document.createElement(tag));
  const acts = {
    markup: () => { document.body.innerHTML = '<b>markup</b>'; },
    script: () => { made('script').textContent = 'window.wasRun = "script"'; },
    handler: () => { made('p').setAttribute('onclick', 'window.wasRun = "handler"'); },
    style: () => { made('p').setAttribute('style', 'color: red'); },
    image: () => { made('img').src = 'http://elsewhere.example/pixel'; },
    frame: () => { made('iframe').src = 'http://elsewhere.example/'; },
    font: () => { made('link').rel = 'stylesheet'; document.body.lastChild.href = 'http://elsewhere.example/f.css'; },
    request: () => { fetch('http://elsewhere.example/').catch(() => {}); },
  };
  for (const [name, act] of Object.entries(acts)) {
    try { act(); } catch { thrown.push(name); }
  }
})
"""


FRAME: Final = """
(url) => {
  const frame = document.createElement('iframe');
  frame.src = url;
  document.documentElement.append(frame);
}
"""

MARKUP: Final = '<script>window.wasRun = 1</script><img src=x onerror="window.wasRun = 2"><b>bold</b> &amp; <!-- so'


@contextmanager
def elsewhere(browser: Browser, url: str) -> Iterator[Page]:
    """A page at this address, that may say what it likes."""
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(url)
        yield page
    finally:
        context.close()


def test_the_policy_holds_inside_of_the_page(browser: Browser, watched: Watched) -> None:
    with elsewhere(browser, watched.page_url) as page:
        thrown, blocked, was_run = page.evaluate(TRY_INSIDE)
        assert was_run == "nothing was run"
        assert thrown == ["markup", "script", "handler"]
        wanted = {"require-trusted-types-for", "style-src-attr", "style-src-elem", "connect-src"}
        assert set(blocked) >= wanted
        assert [frame.url for frame in page.frames[1:] if "elsewhere" in frame.url] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "foreign.example"])
def test_a_page_of_another_origin_gets_nothing(browser: Browser, watched: Watched, host: str) -> None:
    theirs = watched.mock.url.replace("127.0.0.1", host)
    with elsewhere(browser, f"{theirs}/health") as page:
        seen = len(watched.records)
        had = page.evaluate(TRY_FROM_OUTSIDE, f"{watched.url}/")
        assert set(had) <= {"TypeError", "opaque", "script refused"}
        assert had[-2:] == ["script refused"] * 2
        asked = watched.records[seen:]
        refused = [each for each in asked if each.target.startswith("/_watch/api/")]
        assert len(refused) == 6
        assert {(each.outcome, each.status) for each in refused} == {("refused", 403)}
        page.evaluate(FRAME, watched.page_url)
        is_site = host != "127.0.0.1"  # sites have no ports: only then the gateway itself can tell from the request
        shown = "serves no page of another site" if is_site else "refused to connect"
        expect(page.frame_locator("iframe").locator("body")).to_contain_text(shown)


def test_a_rebound_name_is_refused(browser: Browser, watched: Watched) -> None:
    """The name leads to the gateway's own port: to the browser, what such a page asks is of its own origin."""
    context = browser.new_context()
    page = context.new_page()
    response = page.goto(watched.page_url.replace("127.0.0.1", "rebound.example"))
    assert response is not None
    assert response.status == 421
    statuses = page.evaluate(
        """async () => {
          const tries = [['/_watch/api/enter', 'POST'], ['/_watch/api/streams', 'GET'], ['/_watch/app.js', 'GET']];
          tries.push(['/api/chat', 'POST']);
          return Promise.all(tries.map(async ([path, method]) => (await fetch(path, {method})).status));
        }"""
    )
    assert statuses == [421] * 4
    context.close()


def test_another_name_of_this_machine_is_served(browser: Browser, watched: Watched) -> None:
    with visiting(browser, watched, watched.page_url.replace("127.0.0.1", "localhost")) as visit:
        visit.ask(feed="websocket")
        visit.mood("good")


def test_what_the_model_says_is_text(visit: Visit) -> None:
    watched = visit.watched
    for settings in ({"say": MARKUP}, {"fault": f"error:{MARKUP}"}):
        watched.set(**settings)
        for feed in FEEDS:
            visit.ask(f"Say: {MARKUP}", feed)
            visit.mood("good" if "say" in settings else "bad")
            if "say" in settings:
                visit.says(MARKUP)
            else:
                expect(visit.page.locator("#answer-panel")).to_contain_text("window.wasRun = 1")
    assert visit.page.evaluate("window.wasRun ?? 'nothing was run'") == "nothing was run"
    assert visit.page.locator("main :is(img, b, script)").count() == 0


def test_the_gateway_s_key_is_asked_for_and_kept_in_the_tab(browser: Browser) -> None:
    with watched_in_thread(keyed) as watched, visiting(browser, watched) as visit:
        visit.may_fail = True
        page = visit.page
        for key in ("wrong", "secret"):
            expect(page.locator("#key-dialog")).to_be_visible()
            expect(page.locator("#link-state")).to_have_text("The gateway wants its key")
            page.fill("#key", key)
            page.keyboard.press("Enter")
        expect(page.locator("#key-dialog")).not_to_be_visible()
        watched.set(say="It is open.")
        for feed in FEEDS:
            visit.ask(feed=feed)
            visit.mood("good")
            visit.says("It is open.")
        assert "secret" not in "".join(visit.asked) + page.url
        assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
        page.reload()
        expect(page.locator("#key-dialog")).to_be_visible()
        sent = [value for entry in watched.mock.journal for _, value in entry["headers"]]
        assert "secret" not in "".join(sent)


@asynccontextmanager
async def keyed(on_record: OnRecord) -> AsyncIterator[OpenWatch]:
    async with open_mockserver() as mock:
        config = GatewayConfig(parse_origin(mock.url), speaks="openai-chat", api_key="secret")
        async with open_watch(config, mock=mock, on_record=on_record) as watch:
            yield watch
