"""The official Python SDKs read our streams over a real HTTP response, and see what the vendor's own SDK sees.

The law (L12): what SDK A sees of a stream in dialect A, SDK B sees of its conversion to dialect B, as far as B can
carry it. A stream that has failed or was cut looks like a success to none of them.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable

import anthropic
import ollama
import openai
import pytest
import trio

from streamkit.dialects.convert import decoder_of
from streamkit.dialects.events import Error
from streamkit.dialects.message import MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.loopback import Loopback
from tests.dialects.referees import (
    OWN_FRAMING,
    UNFINISHED,
    UNREADABLE,
    Failed,
    View,
    carried,
    converted,
    records_of,
    view,
    without_calls,
)
from tests.dialects.sdks import (
    QUESTION,
    REFEREES,
    TIMEOUT_S,
    ChatPieces,
    view_of_gemini,
    view_of_message,
    view_of_parts,
)

DISTINCT = {"plain", "reasoning", "tool", "length"}
"""The cases that are read by everybody also without the slow tests."""

READABLE = [each for each in OWN_FRAMING if each.dialect in REFEREES]
"""The examples that have a Python SDK."""

CLEAN = [each for each in READABLE if each.ends_cleanly]
FAILED = [each for each in EXAMPLES if not each.ends_cleanly]
TARGETS = [name for name in DIALECTS if name in REFEREES]

ERRORS = {
    "ollama-chat": {"ResponseError"},
    "ollama-generate": {"ResponseError"},
    "openai-chat": {"APIError"},
    "openai-completions": {"APIError"},
    "openai-responses": {"APIError"},
    "anthropic": {"APIStatusError", "APIError", "OverloadedError", "InternalServerError"},
    "gemini": {"ServerError", "ClientError", "APIError"},
    "ag-ui": {"RunError"},
}
"""What each SDK raises when the stream says that it has failed. Anything else it raises is our mistake."""

BLIND = {"ollama-chat", "ollama-generate", "openai-chat", "openai-completions", "anthropic", "gemini", "ag-ui"}
"""The dialects whose SDKs take the end of the body for the end of the answer. Ours do not."""


def ours(example: Example) -> View:
    """What our own decoder sees."""
    decoder = decoder_of(example.source)
    accumulator = MessageAccumulator()
    accumulator.feed_many(decoder.feed(example.wire) + decoder.finish())
    message = accumulator.message
    return view(
        [message.text, message.refusal],
        [message.reasoning],
        [(call.tool_name, call.arguments) for call in message.tool_calls],
        message.reason,
        (message.usage.input_total, message.usage.output_total),
    )


# --- The vendor's own -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", CLEAN, ids=str)
def test_the_vendors_sdk_reads_the_example(example: Example, server: Loopback, seen: dict[Example, View]) -> None:
    expected = seen[example]
    for read in REFEREES[example.dialect]:
        found = read(server.offer(example.source, example.wire))
        if (example.dialect, example.case) in UNREADABLE:
            assert found != expected, "it can read this now"
        else:
            assert found == expected
    assert expected.text or expected.reasoning or expected.calls
    if "finish" in DIALECTS[example.dialect].carries:
        finishes = {"length": "length", "filter": "content_filter"}
        has_calls = bool(expected.calls)
        assert expected.finish == finishes.get(example.case, "tool_calls" if has_calls else expected.finish)
        assert expected.finish != UNFINISHED
    if example.case.endswith(("tool", "tools")):
        assert expected.calls or "tools" not in DIALECTS[example.dialect].carries


@pytest.mark.parametrize("example", CLEAN, ids=str)
def test_our_decoder_sees_what_the_vendors_sdk_sees(example: Example, seen: dict[Example, View]) -> None:
    assert ours(example) == seen[example]


@pytest.mark.parametrize("example", [each for each in READABLE if each.case == "error"], ids=str)
def test_the_vendors_sdk_raises_at_the_error_form_of_its_vendor(example: Example, server: Loopback) -> None:
    for read in REFEREES[example.dialect]:
        found = read(server.offer(example.source, example.wire))
        assert isinstance(found, Failed)
        assert found.kind in ERRORS[example.dialect]


@pytest.mark.parametrize("dialect", TARGETS)
def test_a_cut_between_records_goes_unnoticed_by_most_sdks_and_never_by_us(dialect: str, server: Loopback) -> None:
    for example in CLEAN:
        if example.dialect != dialect or example.case != "plain":
            continue
        half = records_of(example)
        cut = b"".join(half[: len(half) // 2])
        for read in REFEREES[dialect]:
            found = read(server.offer(dialect, cut))
            assert isinstance(found, View if dialect in BLIND else Failed)
            assert isinstance(found, Failed) or found.finish == UNFINISHED
        decoder = decoder_of(dialect)
        last = (decoder.feed(cut) + decoder.finish())[-1]
        assert isinstance(last, Error)
        assert last.type == "truncated"


# --- Everybody else's -------------------------------------------------------------------------------------------------

PAIRS = [
    pytest.param(
        example, target, id=f"{example}-to-{target}", marks=[] if example.case in DISTINCT else [pytest.mark.slow]
    )
    for example in CLEAN
    for target in TARGETS
]


@pytest.mark.parametrize(("example", "target"), PAIRS)
def test_every_sdk_sees_in_the_conversion_what_the_vendors_sees_in_the_source(
    example: Example, target: str, server: Loopback, seen: dict[Example, View]
) -> None:
    wire, error = converted(example.source, target, example.wire)
    assert error is None
    expected = carried(seen[example], target)
    if target == "ollama-generate":  # it has them, but its SDK has no types for them
        expected = without_calls(expected)
    for read in REFEREES[target]:
        assert read(server.offer(target, wire)) == expected


OTHERS = [each for each in EXAMPLES if each.ends_cleanly and each not in CLEAN]


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("example", OTHERS, ids=str)
def test_every_sdk_sees_in_the_conversion_of_what_has_no_sdk_what_our_decoder_sees(
    example: Example, target: str, server: Loopback
) -> None:
    wire, error = converted(example.source, target, example.wire)
    assert error is None
    expected = carried(ours(example), target)
    if target == "ollama-generate":
        expected = without_calls(expected)
    for read in REFEREES[target]:
        assert read(server.offer(target, wire)) == expected


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("example", FAILED, ids=str)
def test_no_sdk_takes_the_conversion_of_a_failure_for_a_success(
    example: Example, target: str, server: Loopback
) -> None:
    wire, error = converted(example.source, target, example.wire)
    assert error is not None
    for read in REFEREES[target]:
        found = read(server.offer(target, wire))
        assert isinstance(found, Failed)
        assert found.kind in ERRORS[target], found.message


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("example", [each for each in CLEAN if each.case in {"plain", "tool", "reasoning"}], ids=str)
def test_no_sdk_sees_a_success_where_the_last_record_is_missing(
    example: Example, target: str, server: Loopback
) -> None:
    """All text is there, for most dialects even the reason to stop; only the terminator is not."""
    wire, error = converted(example.source, target, b"".join(records_of(example)[:-1]))
    assert error is not None
    for read in REFEREES[target]:
        found = read(server.offer(target, wire))
        assert isinstance(found, Failed)
        assert found.kind in ERRORS[target], found.message


# --- Under trio -------------------------------------------------------------------------------------------------------


async def ask_openai(base_url: str) -> View:
    pieces = ChatPieces()
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=TIMEOUT_S)
    async with client, await client.chat.completions.create(model="m", messages=QUESTION, stream=True) as stream:
        async for chunk in stream:
            pieces.add(chunk)
    return pieces.view()


async def ask_anthropic(base_url: str) -> View:
    client = anthropic.AsyncAnthropic(base_url=base_url, api_key="none", max_retries=0, timeout=TIMEOUT_S)
    async with client, client.messages.stream(model="m", max_tokens=9, messages=QUESTION) as stream:
        return view_of_message(await stream.get_final_message())


async def ask_ollama(base_url: str) -> View:
    async with ollama.AsyncClient(host=base_url, timeout=TIMEOUT_S) as client:
        return view_of_parts([part async for part in await client.chat(model="m", messages=QUESTION, stream=True)])


async def ask_gemini(base_url: str) -> View | Failed:
    """Its async client needs asyncio; the other one works in a thread."""
    return await trio.to_thread.run_sync(view_of_gemini, base_url)


Ask = Callable[[str], Awaitable[View | Failed]]


# The SDKs stop at the terminator and leave their generators to the garbage collector, of which trio warns.
@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
@pytest.mark.parametrize(
    ("target", "ask"),
    [("openai-chat", ask_openai), ("anthropic", ask_anthropic), ("ollama-chat", ask_ollama), ("gemini", ask_gemini)],
)
async def test_the_sdks_read_conversions_under_trio(
    target: str, ask: Ask, server: Loopback, seen: dict[Example, View]
) -> None:
    if target not in DIALECTS:
        return
    for example in CLEAN:
        if example.case in {"plain", "tool"}:
            wire, _ = converted(example.source, target, example.wire)
            with trio.fail_after(TIMEOUT_S):
                assert await ask(server.offer(target, wire)) == carried(seen[example], target)
    gc.collect()
