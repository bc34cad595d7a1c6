"""`streamkit/web/stream.js` at a gateway: real responses and a real WebSocket, in node, before the mock server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.gateway.websocket_stand import before_mock
from tests.web.test_stream_js import HERE, MODULE

pytestmark = pytest.mark.needs("node")

WORDS: Final = "Größe zählt 🐢, und 你好\u2028auch."


async def told_by(feeds: Path, port: int, how: str) -> dict[str, str]:
    """What came to node of each feed."""
    # Node 20 has its WebSocket behind this flag, and later versions know the flag.
    command = [shutil.which("node") or "node", "--experimental-websocket", str(feeds), str(port), how]
    done = await trio.run_process(command, capture_stdout=True)
    return dict(json.loads(done.stdout))


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    for file in (MODULE, HERE / "feeds.mjs"):
        shutil.copy(file, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path / "feeds.mjs"


@pytest.mark.parametrize("split", ["every-byte", "hostile", "coalesce:3"])
async def test_all_feeds_bring_the_same_text(feeds: Path, split: str) -> None:
    async with before_mock("openai-chat", say=WORDS, split=split) as stand:
        assert await told_by(feeds, stand.port, "read") == dict.fromkeys(("sse", "ndjson", "websocket"), WORDS)


async def test_leaving_reaches_the_model(feeds: Path) -> None:
    async with before_mock("openai-chat", tokens=9, gate="never@token:1") as stand:
        told = await told_by(feeds, stand.port, "leave")
        assert all(text.endswith(" AbortError") for text in told.values()), told
        for number in (1, 2, 3):
            entry = await stand.entry(number)
            assert entry.outcome == "client-left"
            assert entry.tokens == 1
