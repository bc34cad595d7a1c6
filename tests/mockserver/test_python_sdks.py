"""The official Python SDKs, pointed at the mock server, see in every endpoint's answers what the settings say.

Streamed and in one piece, however the bytes are cut, on threads and under trio. What they ask for, and how they are
refused, is in `test_python_sdks_requests.py`; faults are in `test_fault_sdks.py`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import anthropic
import ollama
import openai
import pytest
import trio

from mockserver.open import MockInThread, mockserver_in_thread, open_mockserver
from tests.dialects.referees import Failed, View, carried, without_calls
from tests.dialects.sdks import (
    ANTHROPIC_TOOLS,
    CHAT_TOOLS,
    QUESTION,
    REFEREES,
    TIMEOUT_S,
    ChatPieces,
    Referee,
    no_proxies,
    view_of_gemini,
    view_of_message,
    view_of_parts,
)
from tests.mockserver.sdk_documents import DOCUMENTS, entries_of
from tests.mockserver.verdicts import ANSWERS, FIND, LOOK, PATHS, SAID

STREAMS = {
    f"{dialect}-{number}": (dialect, read) for dialect, all_ in REFEREES.items() for number, read in enumerate(all_)
}
READERS: dict[str, tuple[str, Referee]] = {
    **STREAMS,
    **{f"{dialect}-document": (dialect, read) for dialect, read in DOCUMENTS.items()},
}

CALLS = (LOOK, FIND)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockInThread]:
    with no_proxies(), mockserver_in_thread() as server:
        yield server


def seen(mock: MockInThread, name: str) -> View:
    """Let a reader read."""
    dialect, read = READERS[name]
    found = read(mock.url + PATHS.get(dialect, ""))
    assert isinstance(found, View), found
    return found


def expected(dialect: str, answer: str) -> View:
    """Return what a reader sees, but for the words of reasoning, which only the seed knows, and the usage."""
    calls = CALLS if answer == "calls" else ()
    whole = View("" if calls else SAID, "" if answer == "text" else "3", calls, "tool_calls" if calls else "stop")
    found = carried(whole, dialect)
    if answer == "calls" and dialect.endswith(("generate", "completions")):  # no tools can be offered there
        found = replace(without_calls(found), text="64")
    return found


def shortened(found: View) -> View:
    """Return a view with numbers of words instead of words from the seed."""
    return replace(
        found,
        text=found.text if found.text in {SAID, ""} else str(len(found.text.split())),
        reasoning=found.reasoning and str(len(found.reasoning.split())),
        usage=None,
    )


HAS_NO_USAGE = {"openai-chat-0", "openai-chat-1", "openai-completions-0"}
"""The streams in which usage has to be asked for, and these readers do not."""


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", READERS)
def test_an_sdk_sees_what_is_set(name: str, answer: str, mock: MockInThread) -> None:
    mock.configure(**ANSWERS[answer])
    found = seen(mock, name)
    entry = entries_of(mock)[-1]
    assert shortened(found) == expected(READERS[name][0], answer)
    assert found.usage == (None if name in HAS_NO_USAGE else (1, entry["tokens"]))
    assert (entry["dialect"], entry["status"], entry["outcome"]) == (READERS[name][0], 200, "complete")


CUTS: list[dict[str, str]] = [
    {"split": "every-byte"},
    {"chunks": "size:3"},
    {"gzip": "accepted"},
    {"framing": "close"},
    {"framing": "length"},
    {"records": "size:7", "chunks": "size:5", "gzip": "accepted", "framing": "length"},
    {"split": "random:1:16", "writes": "joined", "framing": "close"},
]


@pytest.mark.parametrize("cuts", CUTS, ids=lambda cuts: "-".join(f"{key}-{value}" for key, value in cuts.items()))
def test_an_sdk_sees_the_same_however_the_bytes_are_cut(cuts: dict[str, str], mock: MockInThread) -> None:
    for name, (dialect, _) in READERS.items():
        mock.configure(**ANSWERS["calls"], **cuts)
        assert shortened(seen(mock, name)) == expected(dialect, "calls"), name
        mock.configure(say="Grüße 🦉\u2028 from\nthe mock", **cuts)
        assert seen(mock, name).text == "Grüße 🦉\u2028 from\nthe mock", name


@pytest.mark.parametrize(
    ("finish", "words"), [("length", "length"), ("content_filter", "content_filter"), ("stop", "stop")]
)
@pytest.mark.parametrize("name", READERS)
def test_an_sdk_sees_why_the_answer_ends(name: str, finish: str, words: str, mock: MockInThread) -> None:
    mock.configure(say=SAID, finish=finish)
    assert seen(mock, name).finish == carried(View("", finish=words), READERS[name][0]).finish


def test_an_answer_comes_at_its_pace(mock: MockInThread) -> None:
    """The SDKs hand out each piece when it has come: a client waits for as long as the settings say."""
    mock.configure(tokens=5, ttft="40ms", rate=100)
    for name in STREAMS:
        began = time.monotonic()
        seen(mock, name)
        assert time.monotonic() - began >= 0.04 + 4 * 0.01, name


# --- Under trio -------------------------------------------------------------------------------------------------------


async def ask_openai(base_url: str) -> View:
    pieces = ChatPieces()
    client = openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=0, timeout=TIMEOUT_S)
    question: Any = {"model": "m", "messages": QUESTION, "tools": CHAT_TOOLS}
    options: Any = {"stream_options": {"include_usage": True}}
    async with client, await client.chat.completions.create(**question, **options, stream=True) as stream:
        async for chunk in stream:
            pieces.add(chunk)
    return pieces.view()


async def ask_anthropic(base_url: str) -> View:
    client = anthropic.AsyncAnthropic(base_url=base_url, api_key="none", max_retries=0, timeout=TIMEOUT_S)
    question: Any = {"model": "m", "max_tokens": 999, "messages": QUESTION, "tools": ANTHROPIC_TOOLS}
    async with client, client.messages.stream(**question) as stream:
        return view_of_message(await stream.get_final_message())


async def ask_ollama(base_url: str) -> View:
    async with ollama.AsyncClient(host=base_url, timeout=TIMEOUT_S) as client:
        parts = await client.chat(model="m", messages=QUESTION, tools=CHAT_TOOLS, stream=True)
        return view_of_parts([part async for part in parts])


async def ask_gemini(base_url: str) -> View | Failed:
    """Its async client needs asyncio; the other one works in a thread."""
    return await trio.to_thread.run_sync(view_of_gemini, base_url)


ASYNC: dict[str, Callable[[str], Awaitable[View | Failed]]] = {
    "openai-chat": ask_openai,
    "anthropic": ask_anthropic,
    "ollama-chat": ask_ollama,
    "gemini": ask_gemini,
}


# The SDKs stop at the terminator and leave their generators to the garbage collector, of which trio warns.
@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
@pytest.mark.parametrize("dialect", ASYNC)
async def test_async_clients_share_a_loop_with_the_server(dialect: str) -> None:
    with no_proxies(), trio.fail_after(TIMEOUT_S):
        async with open_mockserver(**ANSWERS["calls"], split="random:1:16") as server:
            found = await ASYNC[dialect](server.url)
            assert isinstance(found, View), found
            assert shortened(found) == expected(dialect, "calls")
            assert found.usage == (1, server.journal[-1].tokens)
    gc.collect()


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
async def test_many_async_clients_at_once_each_see_their_own_answer() -> None:
    with no_proxies(), trio.fail_after(TIMEOUT_S):
        async with open_mockserver(echo=True, rate=2000, gaps="exponential") as server:
            client = anthropic.AsyncAnthropic(base_url=server.url, api_key="none", max_retries=0, timeout=TIMEOUT_S)
            found: dict[int, str] = {}

            async def ask(number: int) -> None:
                messages: Any = [{"role": "user", "content": f"number {number} asks for its own words"}]
                async with client.messages.stream(model="m", max_tokens=99, messages=messages) as stream:
                    found[number] = await stream.get_final_text()

            async with client, trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(ask, number)
            assert found == {number: f"number {number} asks for its own words" for number in range(20)}
    gc.collect()


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
async def test_a_client_that_leaves_is_in_the_journal_and_hurts_nobody() -> None:
    with no_proxies(), trio.fail_after(TIMEOUT_S):
        over = trio.Event()
        async with open_mockserver(tokens=1000, rate=200) as server:
            server.journal.on_end = lambda _: over.set()
            client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=TIMEOUT_S)
            async with (
                client,
                await client.chat.completions.create(model="m", messages=QUESTION, stream=True) as stream,
            ):
                async for chunk in stream:
                    if chunk.choices[0].delta.content:
                        break
            await over.wait()
            assert server.journal[-1].outcome == "client-left"
            assert 0 < server.journal[-1].tokens < 1000
    gc.collect()
