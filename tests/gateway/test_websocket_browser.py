"""A web page's own `WebSocket`: its key among the subprotocols, its close codes, and what a foreign page may not."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
import trio

from mockserver.open import open_mockserver
from tests.chromium import open_chromium
from tests.gateway.peers import gateway_to
from tests.gateway.websocket_stand import QUESTION

CONVERSE: Final = """
([url, protocols, questions, wait]) => new Promise((resolve) => {
    const seen = [];
    const socket = new WebSocket(url, protocols);
    const done = (how) => resolve({how, seen, protocol: socket.protocol, extensions: socket.extensions});
    setTimeout(() => done("nothing more came"), wait);
    socket.onopen = () => socket.send(questions.shift());
    socket.onmessage = (message) => {
        seen.push(message.data);
        if (JSON.parse(message.data).streamkit === "end") {
            if (questions.length) socket.send(questions.shift());
            else socket.close(4711, "enough");
        }
    };
    socket.onclose = (event) => done(`${event.code} ${event.wasClean}`);
})
"""

WAIT_MS: Final = 30_000

WORDS: Final = "Größe zählt 🐢."


def seen_by_page(page_url: str, cases: list[list[Any]]) -> list[dict[str, Any]]:
    """What a page of this server sees of each of these WebSockets."""
    with open_chromium() as browser:
        page = browser.new_page()
        page.goto(page_url)
        return [page.evaluate(CONVERSE, [*case, WAIT_MS]) for case in cases]


@pytest.mark.needs("chromium")
async def test_a_page_asks_and_closes() -> None:
    async with open_mockserver(say=WORDS) as mock, gateway_to(mock.url, speaks="anthropic", api_key="secret") as stand:
        url = f"ws://127.0.0.1:{stand.port}/ws"
        page_url = f"{mock.url}/health"
        cases: list[list[Any]] = [
            [url, ["streamkit", "streamkit.key.c2VjcmV0"], [QUESTION, QUESTION]],
            [url, ["streamkit", "streamkit.key.c2VjcmV0"], ["no JSON"]],
            [url, ["streamkit", "streamkit.key.d3Jvbmc"], [QUESTION]],
        ]
        good, bad, locked = await trio.to_thread.run_sync(seen_by_page, page_url, cases)

        records = [json.loads(each) for each in good["seen"]]
        assert "".join(each.get("text", "") for each in records) == WORDS * 2
        assert [each["streamkit"] for each in records].count("end") == 2
        assert (good["how"], good["protocol"], good["extensions"]) == ("4711 true", "streamkit", "")
        assert (await stand.record(1)).outcome == "ok"

        assert [json.loads(each)["streamkit"] for each in bad["seen"]] == ["error"]
        assert bad["how"] == "1007 true"
        assert (locked["how"], locked["seen"]) == ("1006 false", [])
        assert (await stand.record(3)).status == 401
