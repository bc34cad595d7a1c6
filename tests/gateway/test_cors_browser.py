"""A browser's own idea of who may read what: a page of another origin asks a gateway that has a key.

The page is the mock server's, which is another origin by its port.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from mockserver import MockInThread, mockserver_in_thread
from tests.chromium import open_chromium
from tests.gateway.in_thread import gateway_in_thread

if TYPE_CHECKING:
    from playwright.sync_api import Page

KEY: Final = "our-key"

ASK: Final = """
async ([gateway, key, wait]) => {
    const headers = {Authorization: `Bearer ${key}`, "Content-Type": "application/json", "X-Any": "thing"};
    const request = {model: "m", user: "me", messages: [{role: "user", content: "Hi"}]};
    const envelope = JSON.stringify({dialect: "openai-chat", request});
    const post = (path, body) => fetch(gateway + path, {method: "POST", headers, body});
    const textOf = (events) => events.map(data => JSON.parse(data).text ?? "").join("");
    const seen = {};
    const attempt = async (name, what) => {
        const late = new Promise((_, reject) => setTimeout(() => reject(new Error("nothing more came")), wait));
        try { seen[name] = await Promise.race([what(), late]); } catch (error) { seen[name] = `${error}`; }
    };
    await attempt("fetch", async () => {
        const answer = await post("/v1/chat/completions", JSON.stringify(request));
        const document = await answer.json();
        return [answer.status, document.choices[0].message.content, answer.headers.get("X-Streamkit-Dropped")];
    });
    await attempt("refusal", async () => {
        const answer = await fetch(gateway + "/v1/models");
        return [answer.status, (await answer.json()).error.type];
    });
    await attempt("events", async () => {
        const {events} = await (await post("/streams", envelope)).json();
        return await new Promise(resolve => {
            const got = [];
            const source = new EventSource(new URL(events, gateway));
            source.onmessage = event => got.push(event.data);
            source.onerror = () => source.readyState === EventSource.CLOSED && resolve(textOf(got));
        });
    });
    await attempt("websocket", async () => await new Promise(resolve => {
        const got = [];
        const socket = new WebSocket(gateway.replace("http", "ws") + "/ws", ["streamkit", "streamkit.key." + key]);
        socket.onopen = () => socket.send(envelope);
        socket.onmessage = ({data}) => {
            got.push(data);
            if (JSON.parse(data).streamkit === "end") { resolve([textOf(got), socket.protocol]); socket.close(); }
        };
        socket.onclose = () => resolve("closed");
    }));
    await attempt("stats", async () => (await fetch(gateway + "/_gateway/stats", {headers})).status);
    return seen;
}
"""

WAIT_MS: Final = 30_000


@pytest.fixture(scope="module")
def mock() -> Iterator[MockInThread]:
    with mockserver_in_thread(say="Hi there.") as running:
        yield running


@pytest.fixture
def page(mock: MockInThread) -> Iterator[Page]:
    """A page of the mock server's origin, in the system's Chromium."""
    with open_chromium() as browser:
        page = browser.new_page()
        page.goto(f"{mock.url}/health")
        yield page


def seen_by(page: Page, upstream: str, *origins: str) -> dict[str, Any]:
    """What the page gets of a gateway that allows these origins."""
    with gateway_in_thread(upstream, speaks="ollama-chat", api_key=KEY, cors_origins=frozenset(origins)) as gateway:
        seen: dict[str, Any] = page.evaluate(ASK, [gateway.url, KEY, WAIT_MS])
        return seen


@pytest.mark.needs("chromium")
def test_a_page_of_an_allowed_origin_asks_in_every_way(page: Page, mock: MockInThread) -> None:
    for origin in (mock.url, "*"):
        assert seen_by(page, mock.url, origin) == {
            "fetch": [200, "Hi there.", "user"],
            "refusal": [401, "invalid_request_error"],
            "events": "Hi there.",
            "websocket": ["Hi there.", "streamkit"],
            "stats": "TypeError: Failed to fetch",
        }


@pytest.mark.needs("chromium")
def test_a_page_of_any_other_reads_nothing_but_where_the_key_opens(page: Page, mock: MockInThread) -> None:
    mock.reset()
    for origins in ((), ("https://app.example",)):
        seen = seen_by(page, mock.url, *origins)
        assert {seen[name] for name in ("fetch", "refusal", "events", "stats")} == {"TypeError: Failed to fetch"}
        assert seen["websocket"] == ["Hi there.", "streamkit"], "no browser asks whether it may; the key is what counts"
    asked = [entry for entry in mock.journal if entry["method"] == "POST"]
    assert len(asked) == 2, "only the WebSockets have asked the upstream"
