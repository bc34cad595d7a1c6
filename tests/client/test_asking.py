"""From what a caller says to a request, and what is said to what makes no sense."""

from __future__ import annotations

import re

import msgspec
import pytest

from streamkit.client.asking import headers_of, request_of, split_url, tools_of
from streamkit.client.open import open_chat
from streamkit.dialects.events import Text
from streamkit.dialects.registry import get_dialect
from streamkit.dialects.requests import ChatMessage, ChatRequest, Tool
from streamkit.errors import ConfigError, StatusError
from tests.client.peers import LAST, SSE, Server, answering, chunk, serving

ASKED = ChatRequest(model="m", messages=[ChatMessage("user", "Hi")], max_tokens=10)

TARGETS = {
    ("ollama-chat", "http://a:11434"): "/api/chat",
    ("ollama-chat", "http://a/api/chat"): "/api/chat",
    ("openai-chat", "https://a/v1"): "/v1/chat/completions",
    ("openai-chat", "https://a/v1/"): "/v1/chat/completions",
    ("openai-chat", "https://a"): "/v1/chat/completions",
    ("openai-chat", "https://a/v1/chat/completions?api-version=7"): "/v1/chat/completions?api-version=7",
    ("anthropic", "https://a"): "/v1/messages",
    ("gemini", "https://a"): "/v1beta/models/m:streamGenerateContent?alt=sse",
    ("gemini/json-array", "https://a"): "/v1beta/models/m:streamGenerateContent",
    ("gemini", "https://a/?key=k"): "/v1beta/models/m:streamGenerateContent?key=k&alt=sse",
}


GEMINI = "http://server.test/v1beta/models/m:streamGenerateContent"

FRAMINGS = {
    GEMINI: "json-array",
    f"{GEMINI}?alt=sse": "sse",
    f"{GEMINI}?key=k&alt=sse": "sse",
    f"{GEMINI}?alt=json": "json-array",
}


@pytest.mark.parametrize("dialect", ["auto", "gemini", "gemini/json-array"])
@pytest.mark.parametrize(("url", "framing"), FRAMINGS.items(), ids=FRAMINGS)
async def test_a_url_that_names_its_framing_is_read_in_it(url: str, framing: str, dialect: str) -> None:
    document = b'{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP","index":0}]}'
    wire = b"data: %b\r\n\r\n" % document if framing == "sse" else b"[%b]" % document
    media_type = b"text/event-stream" if framing == "sse" else b"application/json"
    head = SSE.replace(b"text/event-stream", media_type)
    async with serving(answering(head + chunk(wire) + LAST)) as served, served.chat(url, dialect=dialect) as chat:
        assert [event.text async for event in chat if isinstance(event, Text)] == ["Hi"]
    assert chat.request.url == url
    assert ("Accept", media_type.decode()) in chat.request.headers


@pytest.mark.parametrize(("dialect", "key"), [("ag-ui", "threadId"), ("vercel-ui", "id")])
async def test_two_who_begin_alike_do_not_share_a_conversation(dialect: str, key: str) -> None:
    ids: list[str] = []

    async def serve(server: Server) -> None:
        request = await server.request()
        ids.append(msgspec.json.decode(request.partition(b"\r\n\r\n")[2])[key])
        await server.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await server.left()

    async with serving(serve, serve, serve) as served:
        for options in ({}, {}, {"id": "mine"}):
            with pytest.raises(StatusError):
                async with served.chat(dialect=dialect, **options):
                    pytest.fail("the block must not begin")
    assert len(set(ids)) == 3
    assert re.fullmatch(r"[0-9a-f]{32}", ids[0])
    assert ids[2] == "mine"


@pytest.mark.parametrize(("asked", "target"), TARGETS.items(), ids=map(str, TARGETS))
def test_the_target_is_the_dialects_below_the_url(asked: tuple[str, str], target: str) -> None:
    dialect, framing = get_dialect(asked[0])
    origin, url_path = split_url(asked[1])
    request, _ = request_of(dialect, framing, ASKED, origin=origin, url_path=url_path)
    assert request.method == "POST"
    assert request.target == target
    assert request.origin.path == ""
    assert dict(request.headers)["Accept"] == dialect.media_type(framing)


KEYS = {
    "ollama-chat": ("Authorization", "Bearer k-1"),
    "openai-chat": ("Authorization", "Bearer k-1"),
    "anthropic": ("x-api-key", "k-1"),
    "gemini": ("x-goog-api-key", "k-1"),
}


@pytest.mark.parametrize(("name", "header"), KEYS.items(), ids=KEYS)
def test_the_key_goes_where_the_dialect_wants_it_and_is_never_shown(name: str, header: tuple[str, str]) -> None:
    dialect, framing = get_dialect(name)
    origin, url_path = split_url("https://a.test")
    request, _ = request_of(dialect, framing, ASKED, origin=origin, url_path=url_path, api_key="k-1")
    assert header in request.headers
    assert "k-1" not in repr(request)


def test_a_callers_headers_take_the_place_of_ours() -> None:
    dialect, framing = get_dialect("openai-chat")
    origin, url_path = split_url("https://a.test")
    headers = headers_of({"accept": "*/*", "authorization": "Basic eA==", "X-A": "1"})
    request, _ = request_of(
        dialect, framing, ASKED, origin=origin, url_path=url_path, headers=headers, api_key="unused"
    )
    names = [name.lower() for name, _ in request.headers]
    assert len(names) == len(set(names))
    fields = {name.lower(): value for name, value in request.headers}
    assert fields["accept"] == "*/*"
    assert fields["authorization"] == "Basic eA=="
    assert fields["x-a"] == "1"
    assert fields["content-length"] == str(len(request.body))
    assert fields["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nX-B: b"},
        {"X A": "a"},
        {"": "a"},
        {"X-A": "snow \u2603"},
        [("Content-Length", "7")],
        [("transfer-encoding", "chunked")],
        [("Connection", "close")],
    ],
    ids=repr,
)
def test_a_header_that_is_none_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="headers: "):
        headers_of(headers)


def test_an_error_about_a_header_does_not_show_its_value() -> None:
    with pytest.raises(ConfigError) as caught:
        headers_of({"Authorization": "Bearer sk-secret\n"})
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "tool",
    [
        Tool("add", "Adds.", {"type": "object"}),
        {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
        {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}},
        {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}},
    ],
    ids=["Tool", "bare", "anthropic", "openai"],
)
def test_a_tool_is_read_in_every_usual_form(tool: Tool) -> None:
    assert tools_of([tool]) == [Tool("add", "Adds.", {"type": "object"})]


@pytest.mark.parametrize(
    ("tool", "where"),
    [
        (7, r"tools\[1\]: "),
        ({"function": "add"}, r"tools\[1\]: "),
        ({"description": "?"}, r"tools\[1\]\.name"),
        ({"name": ""}, r"tools\[1\]\.name"),
        ({"name": "a", "description": 7}, r"tools\[1\]\.description"),
        ({"name": "a", "parameters": "object"}, r"tools\[1\]\.parameters"),
    ],
)
def test_what_is_no_tool_is_refused_with_its_place(tool: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        tools_of([Tool("good"), tool])


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "url": ({"url": "localhost:11434"}, "http or https"),
    "user": ({"url": "http://me:hush@a.test"}, "user or password"),
    "fragment": ({"url": "http://a.test/#x"}, "no server ever sees"),
    "fragment of a query": ({"url": "http://a.test/?a=b#x"}, "no server ever sees"),
    "query": ({"url": "http://a.test/?q=a b"}, "percent-encoded"),
    "dialect": ({"dialect": "klingon"}, "no dialect 'klingon'"),
    "framing": ({"dialect": "openai-chat/ndjson"}, "not as 'ndjson'"),
    "no requests": ({"dialect": "json"}, "json"),
    "messages": ({"messages": []}, "messages"),
    "message": ({"messages": [{"role": "king", "content": "Hi"}]}, r"messages\[0\]"),
    "transport": ({"transport": "carrier-pigeon"}, "no transport 'carrier-pigeon'"),
    "key": ({"api_key": "k\r\nX: y"}, "the API key has characters"),
    "extra": ({"extra": {"a": float("nan")}}, "JSON"),
    "record": ({"max_record_bytes": 0}, "max_record_bytes"),
    "header": ({"headers": {"A B": ""}}, "headers"),
    "headers": ({"headers": "abc"}, "headers: expected pairs"),
    "header's value": ({"headers": {"A": 7}}, "headers: expected pairs"),
    "no key": ({"api_key": None}, "api_key: expected a text"),
    "no url": ({"url": None}, "url: expected a text"),
    "timeouts": ({"timeouts": 3}, r"timeouts: expected Timeouts"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
async def test_what_makes_no_sense_is_said_before_anything_is_asked(options: dict[str, object], said: str) -> None:
    given = {"url": "http://a.invalid", "dialect": "openai-chat", "model": "m", "messages": "Hi", **options}
    with pytest.raises(ConfigError, match=said) as caught:
        async with open_chat(**given):  # type: ignore[arg-type]
            pytest.fail("the block must not begin")
    assert "hush" not in str(caught.value)


async def test_an_option_that_there_is_not_is_a_mistake_in_the_program() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'temprature'"):
        async with open_chat("http://a.invalid", messages="Hi", temprature=1):  # type: ignore[call-arg]
            pytest.fail("the block must not begin")


def test_what_the_dialect_has_no_place_for_is_told() -> None:
    dialect, framing = get_dialect("anthropic")
    origin, url_path = split_url("https://a.test")
    asked = msgspec.structs.replace(ASKED, seed=7)
    assert request_of(dialect, framing, asked, origin=origin, url_path=url_path)[1] == ["seed"]
