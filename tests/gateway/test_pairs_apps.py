"""What applications do with the official Python SDKs works whatever the upstream speaks.

Answers that have to fit a model of pydantic's, tools that the SDK calls itself, chats that it remembers, several
choices, new attempts; and the key that goes up in the header of the upstream's own vendor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from google.genai import types

from tests.dialects.referees import View
from tests.dialects.sdks import ANTHROPIC_TOOLS, openai_client
from tests.gateway.pairs import ANSWERS, READERS, UPSTREAMS, Pairs, asked_in, open_pairs, url_below
from tests.mockserver.sdk_documents import anthropic_client, gemini_client, ollama_client
from tests.mockserver.test_python_sdks_refusals import SDKS, Asking, name_of
from tests.mockserver.test_python_sdks_structured import HELLO, Nest, Owl

if TYPE_CHECKING:
    from pydantic import BaseModel

every_upstream = pytest.mark.parametrize("upstream", UPSTREAMS)


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    with open_pairs() as running:
        yield running


# --------------------------------------------------------------------------------------------------- structured answers


def chat_parses(url: str, model: type[BaseModel]) -> object:
    with openai_client(f"{url}/v1") as client:
        return client.chat.completions.parse(model="m", messages=HELLO, response_format=model).choices[0].message.parsed


def chat_streams(url: str, model: type[BaseModel]) -> object:
    with (
        openai_client(f"{url}/v1") as client,
        client.chat.completions.stream(model="m", messages=HELLO, response_format=model) as stream,
    ):
        return stream.get_final_completion().choices[0].message.parsed


def responses_parse(url: str, model: type[BaseModel]) -> object:
    with openai_client(f"{url}/v1") as client:
        return client.responses.parse(model="m", input="Which owl?", text_format=model).output_parsed


def responses_stream(url: str, model: type[BaseModel]) -> object:
    with (
        openai_client(f"{url}/v1") as client,
        client.responses.stream(model="m", input="Which owl?", text_format=model) as stream,
    ):
        return stream.get_final_response().output_parsed


def anthropic_parses(url: str, model: type[BaseModel]) -> object:
    with anthropic_client(url) as client:
        return client.messages.parse(model="m", max_tokens=9999, messages=HELLO, output_format=model).parsed_output


def anthropic_streams(url: str, model: type[BaseModel]) -> object:
    options: Any = {"model": "m", "max_tokens": 9999, "messages": HELLO, "output_format": model}
    with anthropic_client(url) as client, client.messages.stream(**options) as stream:
        return stream.get_final_message().parsed_output


def ollama_fits(url: str, model: type[BaseModel]) -> object:
    with ollama_client(url) as client:
        parts = client.chat("m", HELLO, format=model.model_json_schema(), stream=True)
        return model.model_validate_json("".join(part.message.content or "" for part in parts))


def generate_fits(url: str, model: type[BaseModel]) -> object:
    with ollama_client(url) as client:
        return model.model_validate_json(client.generate("m", "?", format=model.model_json_schema()).response or "")


def gemini_parses(url: str, model: type[BaseModel]) -> object:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=model)
    with gemini_client(url) as client:
        return client.models.generate_content(model="m", contents="Which owl?", config=config).parsed


def gemini_json_schema(url: str, model: type[BaseModel]) -> object:
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_json_schema=model.model_json_schema()
    )
    with gemini_client(url) as client:
        answer = client.models.generate_content(model="m", contents="Which owl?", config=config)
    return model.model_validate_json(answer.text or "")


PARSERS: tuple[Callable[[str, type[BaseModel]], object], ...] = (
    *(chat_parses, chat_streams, responses_parse, responses_stream),
    *(anthropic_parses, anthropic_streams, ollama_fits, generate_fits, gemini_parses, gemini_json_schema),
)


@every_upstream
@pytest.mark.parametrize("parse", PARSERS)
def test_an_answer_fits_the_model_that_was_asked_for(
    parse: Callable[[str, type[BaseModel]], object], upstream: str, pairs: Pairs
) -> None:
    for model in (Owl, Nest):
        if parse is gemini_parses and model is Nest:  # that form of schema cannot refer to itself
            continue
        pairs.set()
        assert type(parse(pairs.gateways[upstream].url, model)) is model
        assert asked_in(pairs.entries()[0]).response_format is not None


# ------------------------------------------------------------------------------------------- tools that the SDK calls


@every_upstream
def test_googles_sdk_calls_functions_itself(upstream: str, pairs: Pairs) -> None:
    looked: list[str] = []

    def look(at: str) -> str:
        """Look there."""
        looked.append(at)
        return f"nothing at {at}"

    pairs.set(say="All is well", call='look:{"at":"x y"}')
    with gemini_client(pairs.gateways[upstream].url) as client:
        config = types.GenerateContentConfig(tools=[look])
        answer = client.models.generate_content(model="m", contents="Look!", config=config)
    assert (answer.text, looked) == ("All is well", ["x y"])
    if upstream == "gemini":  # it is told what the function returns, which there is no neutral word for
        return
    asked = [asked_in(entry) for entry in pairs.entries()]
    assert [tool.name for tool in asked[0].tools] == ["look"]
    assert [message.text for message in asked[1].messages if message.role == "tool"] == ['{"result":"nothing at x y"}']


@every_upstream
def test_anthropics_sdk_runs_tools_itself(upstream: str, pairs: Pairs) -> None:
    """It would rather leave the conversation with Anthropic's servers, and does without where that is refused."""
    looked: list[str] = []

    @anthropic.beta_tool
    def look(at: str) -> str:
        """Look there."""
        looked.append(at)
        return f"nothing at {at}"

    pairs.set(say="All is well", call='look:{"at":"x y"}', reasoning=2)
    with anthropic_client(pairs.gateways[upstream].url) as client:
        messages: Any = [{"role": "user", "content": "Look!"}]
        runner = client.beta.messages.tool_runner(model="m", max_tokens=99, tools=[look], messages=messages)
        last = runner.until_done()
    assert looked == ["x y"]
    assert [block.text for block in last.content if block.type == "text"] == ["All is well"]
    if upstream == "anthropic":
        return
    asked = [asked_in(entry) for entry in pairs.entries()]
    assert [message.text for message in asked[1].messages if message.role == "tool"] == ["nothing at x y"]


@every_upstream
def test_googles_sdk_remembers_a_chat(upstream: str, pairs: Pairs) -> None:
    pairs.set(echo=True, reasoning=2)
    with gemini_client(pairs.gateways[upstream].url) as client:
        chat = client.chats.create(model="m", config=types.GenerateContentConfig(system_instruction="Be kind."))
        assert chat.send_message("Hello owl").text == "Hello owl"
        assert "".join(chunk.text or "" for chunk in chat.send_message_stream("Once more")) == "Once more"
    _, asked = map(asked_in, pairs.entries())
    said = [(message.role, message.text) for message in asked.messages if message.text]
    assert said == [("system", "Be kind."), ("user", "Hello owl"), ("assistant", "Hello owl"), ("user", "Once more")]


@every_upstream
def test_thoughts_go_back_only_to_who_has_sealed_them(upstream: str, pairs: Pairs) -> None:
    """A seal that is not the upstream's own would be refused there."""
    pairs.set(reasoning=3, call='look:{"at":"x y"}', say="All is well")
    options: Any = {"model": "m", "max_tokens": 99, "tools": ANTHROPIC_TOOLS}
    messages: list[Any] = [{"role": "user", "content": "Look!"}]
    with anthropic_client(pairs.gateways[upstream].url) as client:
        first = client.messages.create(**options, messages=messages)
        (call,) = [block for block in first.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "nothing"}
        messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        client.messages.create(**options, messages=messages)
    before, after = pairs.entries()
    back = [message.signature or message.encrypted for message in asked_in(after).messages if message.is_sealed]
    assert len(back) == (upstream in {"anthropic", "gemini"})  # the mock seals nothing in its other dialects
    assert all(f'"{seal}"' in before["sent"] for seal in back)


# ------------------------------------------------------------------------------------------------------ several choices


@pytest.mark.parametrize("upstream", ["openai-chat", "gemini"])
def test_several_choices_come_from_those_that_have_them(upstream: str, pairs: Pairs) -> None:
    url = pairs.gateways[upstream].url
    pairs.set(tokens=9)
    with openai_client(f"{url}/v1") as client:
        for endpoint, question in (("chat.completions", {"messages": HELLO}), ("completions", {"prompt": "?"})):
            create = client.chat.completions.create if "chat" in endpoint else client.completions.create
            answer: Any = create(model="m", n=3, **question)
            assert [choice.index for choice in answer.choices] == [0, 1, 2]
        with client.chat.completions.stream(model="m", messages=HELLO, n=3) as stream:
            streamed = stream.get_final_completion()
        texts = [choice.message.content for choice in streamed.choices]
    assert len(set(texts)) == 3
    with gemini_client(url) as google:
        config = types.GenerateContentConfig(candidate_count=3)
        found = google.models.generate_content(model="m", contents="Which owl?", config=config)
        assert {each.content.parts[0].text for each in found.candidates or () if each.content and each.content.parts}


# --------------------------------------------------------------------------------------------------------- new attempts

RETRYING = [ask for ask in SDKS if not name_of(ask).startswith("llama")]  # Ollama's never tries again


@every_upstream
@pytest.mark.parametrize("ask", RETRYING, ids=name_of)
def test_an_sdk_tries_again_when_the_upstream_has_told_it_when(
    ask: Asking, upstream: str, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server:
        url = pairs.gateways[upstream].url

    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    for status in (429, 503):
        waits.clear()
        pairs.set(say="Owls", fault=f"status:{status}:7,first:1")
        server: Any = Server()
        ask(server, True, 1)
        while len(pairs.mock.journal) < 2:  # some SDKs have not read the second answer yet
            pass
        assert [entry["status"] for entry in pairs.entries()] == [status, 200]
        if name_of(ask) != "gemini":  # Google's has a schedule of its own
            assert waits == [7]


# ----------------------------------------------------------------------------------------------------------------- keys

KEY_HEADERS: Mapping[str, str] = {
    "ollama-chat": "authorization",
    "openai-chat": "authorization",
    "openai-responses": "authorization",
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
}

FOREIGN = ("anthropic-", "openai-", "x-stainless", "x-goog-api-client")


@every_upstream
@pytest.mark.parametrize("sdk", ["openai-chat", "openai-responses", "anthropic", "gemini"])
def test_the_key_goes_up_in_the_header_of_the_upstreams_vendor(sdk: str, upstream: str, pairs: Pairs) -> None:
    if sdk == upstream:
        return
    pairs.set(say="Owls")
    assert isinstance(READERS[sdk][1](url_below(pairs.gateways[upstream].url, sdk)), View)
    names = {name.lower() for name, _ in pairs.entries()[0]["headers"]}
    assert names & {*KEY_HEADERS.values()} == {KEY_HEADERS[upstream]}
    assert {name for name in names if name.startswith(FOREIGN)} <= {"anthropic-version"}
    assert ("anthropic-version" in names) == (upstream == "anthropic")


# ------------------------------------------------------------------------------------------- however the bytes are cut

CUTS: tuple[dict[str, str], ...] = (
    {"split": "hostile"},
    {"chunks": "size:3", "gzip": "always"},
    {"framing": "close", "split": "random:1:16"},
    {"framing": "length", "writes": "joined"},
)


@every_upstream
@pytest.mark.parametrize(
    "name", ["ollama-chat", "openai-chat-usage", "openai-responses", "anthropic", "gemini", "ag-ui"]
)
def test_an_sdk_sees_the_same_however_the_upstreams_bytes_are_cut(name: str, upstream: str, pairs: Pairs) -> None:
    dialect, read = READERS[name]
    url = url_below(pairs.gateways[upstream].url, dialect)
    for answer in ("unicode", "calls"):
        pairs.set(**ANSWERS[answer])
        whole = read(url)
        assert isinstance(whole, View)
        for cuts in CUTS:
            pairs.set(**ANSWERS[answer], **cuts)
            assert read(url) == whole, cuts
