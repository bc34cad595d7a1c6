"""The official Python SDKs see through the gateway what they see without: answers, errors, and early ends.

What there is to see is in `tests/mockserver/test_python_sdks*.py` and `test_fault_sdks.py`. JavaScript's are in
`test_node_sdks.py`.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import ollama
import openai
import pytest
import trio

from mockserver.open import MockInThread, mockserver_in_thread, open_mockserver
from streamkit.gateway.open import open_gateway
from tests.dialects.referees import Failed, View
from tests.dialects.sdks import CHAT_TOOLS, QUESTION, REFEREES, TIMEOUT_S, Referee, no_proxies, openai_client
from tests.gateway.in_thread import GatewayInThread, gateway_in_thread
from tests.mockserver.sdk_documents import DOCUMENTS, anthropic_client, entries_of, gemini_client, ollama_client
from tests.mockserver.test_fault_sdks import reader_of
from tests.mockserver.test_python_sdks import ASYNC, READERS, expected, shortened
from tests.mockserver.test_python_sdks_refusals import SDKS, Asking, name_of
from tests.mockserver.verdicts import ANSWERS, PATHS, RAISES, Row, judged
from tests.mockserver.verdicts_generic import GENERIC


class Pair(NamedTuple):
    """A mock server, and a gateway before it."""

    mock: MockInThread
    gateway: GatewayInThread

    def both(self, ask: Callable[[str], Any], **settings: Any) -> tuple[Any, Any]:  # noqa: ANN401 - the mock's own words
        """Ask twice, as if it were the first time: without the gateway, and through it."""
        found = []
        for url in (self.mock.url, self.gateway.url):
            self.mock.reset()
            self.mock.configure(**settings)
            found.append(ask(url))
        return found[0], found[1]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with no_proxies(), mockserver_in_thread() as mock, gateway_in_thread(mock.url) as gateway:
        yield Pair(mock, gateway)
        assert "failed" not in {record.outcome for record in gateway.records}


# -------------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", READERS)
def test_an_sdk_sees_the_same_through_the_gateway(name: str, answer: str, pair: Pair) -> None:
    dialect, read = READERS[name]
    direct, through = pair.both(lambda url: read(url + PATHS.get(dialect, "")), **ANSWERS[answer])
    assert through == direct
    assert shortened(through) == expected(dialect, answer)
    (entry,) = entries_of(pair.mock)
    # An SDK that goes at [DONE] may be gone before the last chunk.
    assert entry["outcome"] in {"complete", "client-left"}


CUTS: list[dict[str, str]] = [
    {"split": "hostile"},
    {"chunks": "size:3"},
    {"gzip": "accepted"},
    {"framing": "close"},
    {"framing": "length"},
    {"split": "random:1:16", "writes": "joined", "framing": "close", "gzip": "accepted"},
]


@pytest.mark.parametrize("cuts", CUTS, ids=lambda cuts: "-".join(f"{key}-{value}" for key, value in cuts.items()))
def test_an_sdk_sees_the_same_however_the_bytes_are_cut(cuts: dict[str, str], pair: Pair) -> None:
    said = "Grüße 🦉\u2028 from\nthe mock"
    for dialect, readers in REFEREES.items():
        for read in (*readers, *([DOCUMENTS[dialect]] if dialect in DOCUMENTS else [])):
            pair.mock.configure(say=said, **cuts)
            found = read(pair.gateway.url + PATHS.get(dialect, ""))
            assert isinstance(found, View), found
            assert found.text == said, dialect


# --------------------------------------------------------------------------------------------------------------- errors

ROWS = [row for row in GENERIC if row.py is not None]
"""What is wrong with single records is for the SDKs alone: the gateway does not look at them."""


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_sdk_makes_the_same_of_a_fault(row: Row, pair: Pair) -> None:
    read: Referee = reader_of(row.sdk)
    path = PATHS.get(row.dialect, "")
    direct, through = pair.both(lambda url: read(url + path), **ANSWERS[row.answer], fault=row.fault)
    if row.fault == "bad-chunk":  # the gateway sends none: it breaks the connection
        assert isinstance(through, Failed)
    else:
        assert through == direct


PLACES = [
    ("chunked", "reset@before-head"),
    ("chunked", "reset@event:3+5"),
    ("chunked", "close@before-terminator"),
    ("length", "close@event:3+5"),
    ("length", "close@before-terminator"),
]


@pytest.mark.parametrize(("framing", "fault"), PLACES)
@pytest.mark.parametrize("sdk", REFEREES)
def test_an_answer_that_is_cut_is_never_taken_for_a_whole_one(sdk: str, fault: str, framing: str, pair: Pair) -> None:
    pair.mock.reset()
    pair.mock.configure(**ANSWERS["text"], fault=fault, framing=framing)
    assert judged(RAISES, reader_of(sdk)(pair.gateway.url + PATHS.get(sdk, "")), View("")) == []


class Raised(NamedTuple):
    """What an SDK raises for an error status."""

    kind: type[Exception]
    message: str
    status: int | None
    retry_after: str | None
    request_id: str | None


def raised(ask: Asking, url: str, *, stream: bool, retries: int = 0) -> Raised:
    """Have an SDK ask in vain; all that it wants to know of a server is the URL."""

    class At(NamedTuple):
        url: str

    with pytest.raises(Exception) as caught:  # noqa: PT011 - each SDK has its own
        ask(cast("MockInThread", At(url)), stream, retries)
    error: Any = caught.value
    headers = getattr(getattr(error, "response", None), "headers", {}) or {}
    return Raised(
        type(error),
        str(error),
        getattr(error, "status_code", None) or getattr(error, "code", None),
        headers.get("retry-after"),
        getattr(error, "request_id", None),
    )


REFUSED = [(ask, status) for ask in SDKS for status in (400, 429, 529)]


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize(("ask", "status"), REFUSED, ids=[f"{name_of(ask)}-{status}" for ask, status in REFUSED])
def test_an_error_status_raises_the_same(ask: Asking, status: int, stream: bool, pair: Pair) -> None:
    direct, through = pair.both(lambda url: raised(ask, url, stream=stream), fault=f"status:{status}:7")
    assert through == direct
    assert through.kind is SDKS[ask][status]
    assert through.status == status
    assert f"told to answer {status}" in through.message
    if name_of(ask) in {"chat", "complete", "respond", "message"}:
        assert through.retry_after == "7"
        assert through.request_id


def test_a_bad_request_is_explained_in_the_vendors_words(pair: Pair) -> None:
    def ask_openai(url: str) -> object:
        with openai_client(f"{url}/v1") as client, pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="m", messages=QUESTION, tools=CHAT_TOOLS, tool_choice="always")  # type: ignore[call-overload]
        return caught.value.body

    def ask_ollama(url: str) -> object:
        with ollama_client(url) as client, pytest.raises(ollama.ResponseError) as caught:
            client.embed("m", "?")
        return caught.value.status_code, caught.value.error

    direct, through = pair.both(ask_openai)
    assert through == direct
    assert through["param"] == "tool_choice"
    direct, through = pair.both(ask_ollama)
    assert through == direct
    assert through[0] == 404


@pytest.mark.parametrize("ask", SDKS, ids=name_of)
def test_where_there_is_no_upstream_the_sdk_is_told_502(ask: Asking) -> None:
    with no_proxies(), socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and does not listen
        with gateway_in_thread(f"http://127.0.0.1:{silent.getsockname()[1]}") as gateway:
            found = raised(ask, gateway.url, stream=True)
            assert found.status == 502
            assert gateway.wait_for_record(1).outcome == "unreachable"


def test_an_sdk_tries_again_when_the_server_says_so(pair: Pair) -> None:
    pair.mock.reset()
    pair.mock.configure(say="Owls", fault=["status:503:0,first:1", "reset@before-head,first:1"])
    with openai_client(f"{pair.gateway.url}/v1").with_options(max_retries=3) as client:
        answer = client.chat.completions.create(model="m", messages=QUESTION)
    assert answer.choices[0].message.content == "Owls"
    outcomes = [(entry["status"], entry["outcome"]) for entry in entries_of(pair.mock)]
    assert outcomes[-1] == (200, "complete")
    assert len(outcomes) >= 2


# -------------------------------------------------------------------------------------------------------------- leaving


def leave_openai_chat(url: str) -> None:
    with openai_client(f"{url}/v1") as client:
        stream = client.chat.completions.create(model="m", messages=QUESTION, stream=True)
        assert any(chunk.choices[0].delta.content for chunk in stream)
        stream.close()


def leave_openai_responses(url: str) -> None:
    with openai_client(f"{url}/v1") as client, client.responses.create(model="m", input="?", stream=True) as stream:
        assert any(event.type == "response.output_text.delta" for event in stream)


def leave_anthropic(url: str) -> None:
    with (
        anthropic_client(url) as client,
        client.messages.stream(model="m", max_tokens=99, messages=QUESTION) as stream,
    ):
        assert next(iter(stream.text_stream))


def leave_ollama(url: str) -> None:
    with ollama_client(url) as client:
        parts = client.chat("m", QUESTION, stream=True)
        assert next(parts).message.content
        parts.close()


def leave_gemini(url: str) -> None:
    with gemini_client(url) as client:
        chunks = client.models.generate_content_stream(model="m", contents="?")
        assert next(chunks).text
        chunks.close()  # type: ignore[attr-defined]  # it is a generator


LEAVING = (leave_openai_chat, leave_openai_responses, leave_anthropic, leave_ollama, leave_gemini)


@pytest.mark.parametrize("leave", LEAVING)
def test_a_stream_that_is_left_early_is_cancelled_upstream(leave: Callable[[str], None], pair: Pair) -> None:
    pair.mock.reset()
    pair.mock.configure(tokens=9, gate="never-opened@token:3")
    leave(pair.gateway.url)
    (entry,) = entries_of(pair.mock)
    assert entry["outcome"] == "client-left"
    assert 1 <= entry["tokens"] <= 3  # an SDK may be content with the first


# ----------------------------------------------------------------------------------------------------------- under trio


# The SDKs stop at the terminator and leave their generators to the garbage collector, of which trio warns.
@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
@pytest.mark.parametrize("dialect", ASYNC)
async def test_an_async_client_shares_a_loop_with_the_gateway(dialect: str) -> None:
    with no_proxies(), trio.fail_after(TIMEOUT_S):
        async with (
            open_mockserver(**ANSWERS["calls"], split="random:1:16") as mock,
            open_gateway(mock.url) as gateway,
        ):
            found = await ASYNC[dialect](gateway.url)
            assert not isinstance(found, Failed), found
            assert shortened(found) == expected(dialect, "calls")
    gc.collect()
