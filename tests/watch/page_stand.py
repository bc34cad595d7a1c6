"""What the tests of the page stand on: the watched gateway in a thread of its own, and the page in a browser.

No test here waits for a time to pass: the mock server's gates hold an answer until the page has shown what came before,
and its journal says what it really sent. `PATIENCE_S` ends what would wait for ever, and says nothing about speed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, expect

from mockserver.app import MockServer, ServerConfig
from mockserver.open import MockInThread, Setting, configured
from streamkit.gateway.record import Record
from streamkit.http.in_thread import in_thread
from streamkit.watch.open import OpenWatch, open_watch

__all__ = ["FEEDS", "NAMES_TO_HERE", "PATIENCE_S", "Visit", "Watched", "until", "visiting", "watched_in_thread"]

PATIENCE_S: Final = 60

FEEDS: Final = ("sse", "eventsource", "ndjson", "websocket")

NAMES_TO_HERE: Final = (
    "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
)
"""Chromium's way of having no network but this machine, and names of other people's that lead to it."""

STATUS_IS_AN_ERROR: Final = "Failed to load resource"
"""What Chromium itself writes on the console where a request was answered with 400 and up, or was cut."""

expect.set_options(timeout=PATIENCE_S * 1000)


def until(true: Callable[[], object], what: str, page: Page) -> None:
    """Wait until something is true; the browser goes on meanwhile, and what it tells is heard."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s, what
        page.wait_for_timeout(10)


@dataclass
class Watched:
    """A gateway that is watched, in a thread of its own.

    Attributes:
        url: of the gateway.
        mock: the model behind it.
        records: what the gateway noted of each request, as it ended.
    """

    url: str
    mock: MockInThread
    records: list[Record]
    _watch: OpenWatch

    @property
    def page_url(self) -> str:
        return f"{self.url}/_watch/"

    def set(self, **settings: Setting) -> None:
        """Start the mock server's next answers with these settings. What the page itself sets comes on top of them."""
        config = configured(ServerConfig(seed=7), settings)
        self.mock.call(partial(_start_with, config))

    @property
    def entry(self) -> dict[str, Any]:
        """What the mock server has written down of the last answer."""
        return self.mock.journal[-1]

    @property
    def kept_bytes(self) -> int:
        return self.mock.call(lambda _: self._watch.sights.kept_bytes)


def _start_with(config: ServerConfig, mock: MockServer) -> None:
    mock.config = config


@contextmanager
def watched_in_thread(
    opening: Callable[[Callable[[Record], None]], AbstractAsyncContextManager[OpenWatch]] | None = None,
) -> Iterator[Watched]:
    """Run a watched gateway in a thread while the block runs; its model is an embedded mock server, unless said."""
    records: list[Record] = []
    opens = opening or (lambda on_record: open_watch(on_record=on_record))
    with in_thread(lambda: opens(records.append), "watched") as (watch, token):
        assert watch.mock is not None
        yield Watched(watch.gateway.url, MockInThread(watch.mock, token), records, watch)


@dataclass
class Visit:
    """The page, opened.

    Attributes:
        page: playwright's.
        url: of the page.
        said: the errors and warnings on its console, and those that nobody caught.
        asked: the addresses of all that it asked for, WebSockets included.
        may_fail: whether requests of it are meant to fail: Chromium says so on the console.
    """

    page: Page
    watched: Watched
    url: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    may_fail: bool = False

    def begin_again(self) -> None:
        """Make the model forget, and the page too where a test has left it in the middle of an answer."""
        self.watched.mock.reset()
        self.watched.set()
        if not self.page.locator("#ask").is_enabled():
            self.page.goto(self.url)

    def check(self) -> None:
        """Assert that the page asked for nothing elsewhere, and said nothing wrong."""
        self.page.evaluate("0")  # what was told before its answer is known by then
        origins = {urlsplit(each).netloc for each in self.asked if not each.startswith(("data:", "blob:"))}
        assert origins <= {urlsplit(self.url).netloc}
        assert [each for each in self.said if not (self.may_fail and STATUS_IS_AN_ERROR in each)] == []

    @property
    def state(self) -> Locator:
        return self.page.locator("#answer-state")

    def part(self, name: str) -> Locator:
        return self.page.locator(f'#answer [data-part="{name}"]')

    def choose(self, feed: str) -> None:
        """Say how the browser is to be fed, as a user does: by its label."""
        self.page.locator("#feeds label", has=self.page.locator(f'input[value="{feed}"]')).click()

    def ask(self, prompt: str = "What is there?", feed: str = "sse") -> None:
        """Ask. The mood of the answer before is taken away, so that it is not taken for the next one's."""
        self.choose(feed)
        self.page.fill("#prompt", prompt)
        self.state.evaluate("(state) => delete state.dataset.mood")
        self.page.click("#ask")

    def mood(self, mood: str) -> None:
        """Wait until the answer's state is of this mood."""
        expect(self.state).to_have_attribute("data-mood", mood)

    def says(self, text: str, part: str = "text") -> None:
        """Wait until a part of the answer is exactly this; what comes is drawn with the next frame."""
        here = self.part(part)
        until(lambda: here.count() > 0 and here.text_content() == text, f"{part} is {text!r}", self.page)

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Let no script of the page run while the block does. Until the end of it nothing can be asked of the page."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Debugger.enable")
        session.send("Debugger.pause")
        yield
        session.send("Debugger.disable")

    def lane(self, name: str) -> int:
        """How many marks are drawn on a lane."""
        return int(self.page.get_attribute("#lanes", f"data-{name}") or 0)

    def until(self, true: str) -> None:
        """Wait until an expression of the page is true. Playwright's own way of waiting would want an eval there."""
        until(lambda: self.page.evaluate(true), true, self.page)


@contextmanager
def visiting(browser: Browser, watched: Watched, url: str = "", **options: Any) -> Iterator[Visit]:  # noqa: ANN401
    """Open the page while the block runs.

    Args:
        browser: opens it.
        watched: whose page it is.
        url: another address of it.
        options: of the browser's context, for instance `viewport`.
    """
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_S * 1000)
    visit = Visit(context.new_page(), watched, url or watched.page_url)
    listen(visit)
    try:
        visit.page.goto(visit.url)
        expect(visit.page.locator("#link-state, #key-dialog[open]").first).not_to_be_empty()
        yield visit
        visit.check()
    finally:
        context.close()


def listen(visit: Visit) -> None:
    """Keep what the page says and asks for."""
    page = visit.page
    page.on("console", lambda said: visit.said.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: visit.said.append(str(error)))
    page.on("request", lambda request: visit.asked.append(request.url))
    page.on("websocket", lambda socket: visit.asked.append(socket.url))
