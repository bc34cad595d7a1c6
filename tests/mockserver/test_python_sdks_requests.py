"""What the official Python SDKs can ask for is done: limits, choices, tools and their results, models; and refusals.

Each prompt comes back as an echo, so that it shows how the request was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ag_ui.core as ag_ui
import anthropic
import openai
import pytest
from google.genai import types

from mockserver.open import MockInThread, mockserver_in_thread
from tests.dialects.sdks import (
    AG_UI_RUN,
    ANTHROPIC_TOOLS,
    CHAT_TOOLS,
    GEMINI_TOOLS,
    RESPONSES_TOOLS,
    ag_ui_events,
    no_proxies,
    openai_client,
    parsed,
)
from tests.mockserver.sdk_documents import anthropic_client, entries_of, functions_of, gemini_client, ollama_client

if TYPE_CHECKING:
    from ollama import Client

SAID = "Owls from the mock"

HELLO: Any = [{"role": "user", "content": "Hello owl"}]


@pytest.fixture(scope="module")
def server() -> Iterator[MockInThread]:
    with no_proxies(), mockserver_in_thread() as mock:
        yield mock


@pytest.fixture
def mock(server: MockInThread) -> MockInThread:
    """The server, as if it had just been started; it echoes."""
    server.reset()
    server.configure(echo=True)
    return server


@pytest.fixture
def gpt(mock: MockInThread) -> Iterator[openai.OpenAI]:
    with openai_client(f"{mock.url}/v1") as client:
        yield client


@pytest.fixture
def claude(mock: MockInThread) -> Iterator[anthropic.Anthropic]:
    with anthropic_client(mock.url) as client:
        yield client


@pytest.fixture
def llama(mock: MockInThread) -> Iterator[Client]:
    with ollama_client(mock.url) as client:
        yield client


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def test_openai_chat_reads_every_shape_of_message(gpt: openai.OpenAI) -> None:
    pixel = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    shapes: list[Any] = [
        "Hello owl",
        [{"type": "text", "text": "Hello owl"}],
        [{"type": "text", "text": "Hello"}, pixel, {"type": "text", "text": " owl"}],
    ]
    for content in shapes:
        for before in ([], [{"role": "system", "content": "?"}], [{"role": "developer", "content": "?"}]):
            messages: Any = [*before, {"role": "user", "content": content}]
            completion = gpt.chat.completions.create(model="m", messages=messages)
            assert completion.choices[0].message.content == "Hello owl"
            assert completion.usage is not None
            assert completion.usage.prompt_tokens == 2 + len(before)


def test_openai_chat_keeps_to_limits(mock: MockInThread, gpt: openai.OpenAI) -> None:
    mock.configure(say=SAID)
    for limit in ("max_tokens", "max_completion_tokens"):
        options: Any = {limit: 2}
        cut = gpt.chat.completions.create(model="m", messages=HELLO, **options)
        assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("Owls from", "length")
        with (
            gpt.chat.completions.stream(model="m", messages=HELLO, **options) as stream,
            pytest.raises(openai.LengthFinishReasonError),
        ):
            stream.get_final_completion()
    stops: list[Any] = [" the", [" mock", " the"]]
    for stop in stops:
        stopped = gpt.chat.completions.create(model="m", messages=HELLO, stop=stop)
        assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("Owls from", "stop")


def test_openai_chat_gives_several_choices(mock: MockInThread, gpt: openai.OpenAI) -> None:
    mock.configure(tokens=9)
    together = gpt.chat.completions.create(model="m", messages=HELLO, n=3)
    assert [choice.index for choice in together.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in together.choices}) == 3
    assert together.usage is not None
    assert together.usage.completion_tokens == 27
    with gpt.chat.completions.stream(model="m", messages=HELLO, n=3) as stream:
        streamed = stream.get_final_completion()
    assert {len((choice.message.content or "").split()) for choice in streamed.choices} == {9}
    assert [choice.finish_reason for choice in streamed.choices] == ["stop"] * 3


def test_openai_chat_counts_tokens_where_it_is_asked_to(mock: MockInThread, gpt: openai.OpenAI) -> None:
    mock.configure(tokens=9, reasoning=4)
    stream = gpt.chat.completions.create(model="m", messages=HELLO, stream=True, stream_options={"include_usage": True})
    *others, last = list(stream)
    assert {each.usage for each in others} == {None}
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (2, 13, 15)
    details = last.usage.completion_tokens_details
    assert details is not None
    assert details.reasoning_tokens == 4
    assert entries_of(mock)[-1]["tokens"] == 13


def test_openai_chat_calls_tools_and_takes_their_results(mock: MockInThread, gpt: openai.OpenAI) -> None:
    mock.configure(echo=True, call="auto")
    messages: list[Any] = [{"role": "user", "content": "Where is it?"}]
    first = gpt.chat.completions.create(model="m", messages=messages, tools=CHAT_TOOLS).choices[0]
    assert first.finish_reason == "tool_calls"
    (call,) = functions_of(first.message)
    assert call.function.name in {"look", "find"}
    assert isinstance(parsed(call.function.arguments), dict)
    messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "here"}]
    second = gpt.chat.completions.create(model="m", messages=messages, tools=CHAT_TOOLS).choices[0]
    assert (second.message.content, second.finish_reason) == ("Where is it?", "stop")
    named = gpt.chat.completions.create(
        model="m", messages=HELLO, tools=CHAT_TOOLS, tool_choice={"type": "function", "function": {"name": "find"}}
    )
    (call,) = functions_of(named.choices[0].message)
    assert call.function.name == "find"
    none = gpt.chat.completions.create(model="m", messages=HELLO, tools=CHAT_TOOLS, tool_choice="none")
    assert none.choices[0].message.content == "Hello owl"


def test_openai_completions_reads_prompts(mock: MockInThread, gpt: openai.OpenAI) -> None:
    assert gpt.completions.create(model="m", prompt="Once upon").choices[0].text == "Once upon"
    mock.configure(say=SAID)
    cut = gpt.completions.create(model="m", prompt="?", max_tokens=2, n=2)
    assert [(choice.text, choice.finish_reason) for choice in cut.choices] == [("Owls from", "length")] * 2
    assert gpt.completions.create(model="m", prompt="?", stop=" the").choices[0].text == "Owls from"


def test_openai_responses_reads_every_shape_of_input(gpt: openai.OpenAI) -> None:
    shapes: list[Any] = [
        "Hello owl",
        HELLO,
        [{"role": "user", "content": [{"type": "input_text", "text": "Hello owl"}]}],
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello owl"}]}],
    ]
    for shape in shapes:
        assert gpt.responses.create(model="m", input=shape).output_text == "Hello owl"
    told = gpt.responses.create(model="m", input="Hello owl", instructions="Be kind.")
    assert told.usage is not None
    assert (told.output_text, told.usage.input_tokens) == ("Hello owl", 4)


def test_openai_responses_keeps_to_limits(mock: MockInThread, gpt: openai.OpenAI) -> None:
    mock.configure(tokens=40)
    cut = gpt.responses.create(model="m", input="?", max_output_tokens=16)
    assert (len(cut.output_text.split()), cut.status) == (16, "incomplete")
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"


def test_openai_responses_calls_tools_and_takes_their_results(mock: MockInThread, gpt: openai.OpenAI) -> None:
    mock.configure(echo=True, call="auto")
    messages: list[Any] = [{"role": "user", "content": "Where is it?"}]
    with gpt.responses.stream(model="m", input=messages, tools=RESPONSES_TOOLS) as stream:
        first = stream.get_final_response()
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert isinstance(parsed(call.arguments), dict)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "here"}
    again = gpt.responses.create(model="m", input=[*messages, call.to_dict(), result], tools=RESPONSES_TOOLS)  # type: ignore[list-item]
    assert again.output_text == "Where is it?"


def test_openai_lists_models(gpt: openai.OpenAI) -> None:
    assert [model.id for model in gpt.models.list()] == ["mock"]
    assert gpt.models.retrieve("mock").object == "model"


# --- Anthropic --------------------------------------------------------------------------------------------------------


def test_anthropic_reads_every_shape_of_message(claude: anthropic.Anthropic) -> None:
    block = {"type": "text", "text": "Hello owl", "cache_control": {"type": "ephemeral"}}
    contents: list[Any] = ["Hello owl", [block], [{"type": "text", "text": "Hello"}, {"type": "text", "text": " owl"}]]
    for content in contents:
        message = claude.messages.create(
            model="m",
            max_tokens=99,
            messages=[{"role": "user", "content": content}],
            system=[{"type": "text", "text": "?"}],
        )
        assert isinstance(message.content[0], anthropic.types.TextBlock)
        assert message.content[0].text == "Hello owl"
        assert message.usage.input_tokens == 3


def test_anthropic_keeps_to_limits(mock: MockInThread, claude: anthropic.Anthropic) -> None:
    mock.configure(say=SAID)
    with claude.messages.stream(model="m", max_tokens=2, messages=HELLO) as stream:
        cut = stream.get_final_message()
    assert (stream.get_final_text(), cut.stop_reason, cut.usage.output_tokens) == ("Owls from", "max_tokens", 2)
    stopped = claude.messages.create(model="m", max_tokens=99, messages=HELLO, stop_sequences=[" the"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", " the")


def test_anthropic_calls_tools_and_takes_their_results(mock: MockInThread, claude: anthropic.Anthropic) -> None:
    mock.configure(echo=True, call="look")
    messages: list[Any] = [{"role": "user", "content": "Where is it?"}]
    options: Any = {"model": "m", "max_tokens": 99, "tools": ANTHROPIC_TOOLS}
    with claude.messages.stream(**options, messages=messages) as stream:
        first = stream.get_final_message()
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert (call.name, first.stop_reason) == ("look", "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "here"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = claude.messages.create(**options, messages=messages)
    assert [block.text for block in second.content if block.type == "text"] == ["Where is it?"]


def test_anthropic_thinks_and_lists_models(mock: MockInThread, claude: anthropic.Anthropic) -> None:
    mock.configure(say=SAID, reasoning=3)
    thought = claude.messages.create(
        model="m", max_tokens=2048, messages=HELLO, thinking={"type": "enabled", "budget_tokens": 1024}
    )
    assert [block.type for block in thought.content] == ["thinking", "text"]
    plain = claude.messages.create(model="m", max_tokens=99, messages=HELLO, thinking={"type": "disabled"})
    assert [block.type for block in plain.content] == ["text"]
    assert [model.id for model in claude.models.list()] == ["mock"]
    assert claude.messages.count_tokens(model="m", messages=HELLO).input_tokens == 2


# --- Ollama -----------------------------------------------------------------------------------------------------------


def test_ollama_reads_prompts_and_keeps_to_limits(mock: MockInThread, llama: Client) -> None:
    assert llama.chat("m", HELLO).message.content == "Hello owl"
    assert llama.generate("m", "Hello owl").response == "Hello owl"
    mock.configure(say=SAID)
    for options, finish in (({"num_predict": 2}, "length"), ({"stop": [" the"]}, "stop")):
        cut = llama.chat("m", HELLO, options=options)
        assert (cut.message.content, cut.done_reason) == ("Owls from", finish)
        *_, last = llama.generate("m", "?", options=options, stream=True)
        assert (last.eval_count, last.done_reason) == (2, finish)


def test_ollama_calls_tools_and_takes_their_results(mock: MockInThread, llama: Client) -> None:
    mock.configure(echo=True, call="look")
    messages: list[Any] = [{"role": "user", "content": "Where is it?"}]
    first = llama.chat("m", messages, tools=CHAT_TOOLS).message
    (call,) = first.tool_calls or []
    assert (call.function.name, list(call.function.arguments)) == ("look", ["at"])
    messages += [first, {"role": "tool", "content": "here", "tool_name": "look"}]
    assert llama.chat("m", messages, tools=CHAT_TOOLS).message.content == "Where is it?"


def test_ollama_thinks_and_lists_models(mock: MockInThread, llama: Client) -> None:
    mock.configure(say=SAID, reasoning=3)
    assert len((llama.chat("m", HELLO, think=True).message.thinking or "").split()) == 3
    assert llama.chat("m", HELLO, think=False).message.thinking is None
    assert [model.model for model in llama.list().models] == ["mock:latest"]


# --- Gemini -----------------------------------------------------------------------------------------------------------


def test_gemini_reads_every_shape_of_contents(mock: MockInThread) -> None:
    with gemini_client(mock.url) as client:
        shapes: list[Any] = [
            "Hello owl",
            ["Hello", " owl"],
            [types.Content(role="user", parts=[types.Part(text="Hello"), types.Part(text=" owl")])],
        ]
        for contents in shapes:
            assert client.models.generate_content(model="m", contents=contents).text == "Hello owl"
        told = client.models.generate_content(
            model="m", contents="Hello owl", config=types.GenerateContentConfig(system_instruction="Be kind.")
        )
        assert told.usage_metadata is not None
        assert told.usage_metadata.prompt_token_count == 4
        chat = client.chats.create(model="m")
        assert chat.send_message("Hello owl").text == "Hello owl"
        assert "".join(chunk.text or "" for chunk in chat.send_message_stream("Once more")) == "Once more"


def test_gemini_keeps_to_limits_and_gives_several_candidates(mock: MockInThread) -> None:
    mock.configure(say=SAID)
    with gemini_client(mock.url) as client:
        config = types.GenerateContentConfig(max_output_tokens=2, candidate_count=2)
        cut = client.models.generate_content(model="m", contents="?", config=config)
        found = [(each.content and each.content.parts, each.finish_reason) for each in cut.candidates or ()]
        assert found == [([types.Part(text="Owls from")], types.FinishReason.MAX_TOKENS)] * 2
        stopped = types.GenerateContentConfig(stop_sequences=[" the"])
        assert client.models.generate_content(model="m", contents="?", config=stopped).text == "Owls from"
        assert [model.name for model in client.models.list()] == ["models/mock"]
        assert client.models.count_tokens(model="m", contents="Hello owl").total_tokens == 2


def test_gemini_calls_tools_and_takes_their_results(mock: MockInThread) -> None:
    mock.configure(echo=True, call="auto")
    with gemini_client(mock.url) as client:
        config = types.GenerateContentConfig(tools=GEMINI_TOOLS)
        first = client.models.generate_content(model="m", contents="Where is it?", config=config)
        (call,) = first.function_calls or []
        assert call.name in {"look", "find"}
        assert first.candidates
        contents: Any = [
            types.UserContent("Where is it?"),
            first.candidates[0].content,
            types.UserContent([types.Part.from_function_response(name=call.name or "", response={"at": "here"})]),
        ]
        assert client.models.generate_content(model="m", contents=contents, config=config).text == "Where is it?"

        def look(at: str) -> str:
            """Look there."""
            return f"nothing at {at}"

        automatic = types.GenerateContentConfig(tools=[look])
        assert client.models.generate_content(model="m", contents="Look!", config=automatic).text == "Look!"
    assert len(mock.journal) == 4


# --- AG-UI ------------------------------------------------------------------------------------------------------------


def test_ag_ui_reads_the_run_that_its_own_models_write(mock: MockInThread) -> None:
    messages = [
        ag_ui.SystemMessage(id="0", content="?"),
        ag_ui.UserMessage(id="1", content="Hello"),
        ag_ui.AssistantMessage(id="2", content="Hi"),
        ag_ui.UserMessage(id="3", content="Hello owl"),
    ]
    events = ag_ui_events(f"{mock.url}/agui", AG_UI_RUN.model_copy(update={"messages": messages}))
    assert "".join(event.delta for event in events if event.type == "TEXT_MESSAGE_CONTENT") == "Hello owl"
    assert (events[0].thread_id, events[0].run_id) == ("thread", "run")


def test_ag_ui_calls_tools_and_takes_their_results(mock: MockInThread) -> None:
    mock.configure(echo=True, call="look")
    events = ag_ui_events(f"{mock.url}/agui", AG_UI_RUN)
    (start,) = [event for event in events if event.type == "TOOL_CALL_START"]
    assert start.tool_call_name == "look"
    function = ag_ui.FunctionCall(name="look", arguments="{}")
    messages = [
        *AG_UI_RUN.messages,
        ag_ui.AssistantMessage(id="2", tool_calls=[ag_ui.ToolCall(id=start.tool_call_id, function=function)]),
        ag_ui.ToolMessage(id="3", content="here", tool_call_id=start.tool_call_id),
    ]
    events = ag_ui_events(f"{mock.url}/agui", AG_UI_RUN.model_copy(update={"messages": messages}))
    assert [event.type for event in events if event.type.startswith("TOOL")] == []
    assert "".join(event.delta for event in events if event.type == "TEXT_MESSAGE_CONTENT") == "?"
