"""Requests that we build, read by the JavaScript SDK of the vendor that has no Python one.

It is looked for where `tests/dialects/test_node_sdks.py` looks.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from streamkit.dialects.requests import ChatMessage, ChatRequest, Tool, ToolCall
from tests.dialects.asked import body_of

pytestmark = pytest.mark.needs("node")

HERE = Path(__file__).parent / "node"


def test_the_ai_sdk_takes_vercel_ui_messages_and_understands_them() -> None:
    folder = Path(os.environ.get("NODE_SDKS_DIR", HERE))
    if not (folder / "node_modules" / "ai").is_dir():
        pytest.skip(f"no SDKs in {folder}/node_modules: npm ci in tests/dialects/node puts them there")
    request = ChatRequest(
        messages=[
            ChatMessage("system", "Be brief."),
            ChatMessage("user", "Weather?"),
            ChatMessage("assistant", "Look.", [ToolCall("a", "weather", '{"city":"Rome"}'), ToolCall("b", "time")]),
            ChatMessage("tool", '{"celsius":21}', tool_call_id="a"),
            ChatMessage("tool", "noon", tool_call_id="b"),
            ChatMessage("assistant", "Warm.", reasoning="Hm."),
            ChatMessage("user", "Thanks."),
        ],
        tools=[Tool("weather")],
        tool_choice="none",
    )
    program = (
        "import {convertToModelMessages, validateUIMessages} from 'ai';"
        "const messages = await validateUIMessages({messages: JSON.parse(process.argv[1])});"
        "console.log(JSON.stringify(await convertToModelMessages(messages)));"
    )
    messages = json.dumps(body_of("vercel-ui", request)["messages"])
    ran = subprocess.run(
        ["node", "--input-type=module", "-e", program, messages],  # noqa: S607 - found by the marker
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    understood = json.loads(ran.stdout)
    assert [message["role"] for message in understood] == ["system", "user", "assistant", "tool", "assistant", "user"]
    call, other = understood[2]["content"][1:]
    assert (call["toolCallId"], call["toolName"], call["input"]) == ("a", "weather", {"city": "Rome"})
    assert (other["toolName"], other["input"]) == ("time", {})
    assert [result["output"]["value"] for result in understood[3]["content"]] == [{"celsius": 21}, "noon"]
