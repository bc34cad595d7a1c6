"""Chats with the mock server, for the tests."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import trio

from mockserver.app import MockServer
from streamkit.client.chat import Chat
from streamkit.client.open import open_chat
from streamkit.dialects.events import Event, Text
from streamkit.errors import StreamkitError

DIALECTS = (
    *("ollama-chat", "ollama-generate", "openai-chat", "openai-completions", "openai-responses"),
    *("anthropic", "gemini", "gemini/json-array", "ag-ui", "agent-poc", "text"),
)

Carrier = Literal["own", "httpx"]

TRANSPORTS: tuple[Carrier, ...] = ("own", "httpx")


def chat_with(
    mock: MockServer,
    dialect: str,
    transport: Carrier = "own",
    **options: Any,  # noqa: ANN401 - those of open_chat
) -> AbstractAsyncContextManager[Chat]:
    if dialect == "anthropic":
        options.setdefault("max_tokens", 4000)
    options = {"model": "m", "messages": "How is the weather?", **options}
    return open_chat(mock.url, dialect=dialect, transport=None if transport == "own" else "httpx", **options)


async def told(chat: Chat) -> tuple[list[Event], StreamkitError | None]:
    """Return what a chat gives, and the error that ends it."""
    events: list[Event] = []
    try:
        async for event in chat:
            events.append(event)  # noqa: PERF401 - they are wanted although the loop fails
    except StreamkitError as error:
        return events, error
    return events, None


def text_of(events: list[Event]) -> str:
    return "".join([event.text for event in events if isinstance(event, Text)])


async def until_left(mock: MockServer) -> None:
    """Wait until the mock has seen that its client left, and has let go of the request."""
    with trio.fail_after(10):
        while mock.journal[-1].outcome == "running":  # noqa: ASYNC110 - the journal has no event
            await trio.sleep(0.001)
    assert mock.journal[-1].left is not None
