"""What is peculiar to httpx below a chat: redirects, clients of others, its errors as ours."""

from __future__ import annotations

import builtins
import gc
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import trio

from mockserver import open_mockserver
from streamkit.client.chat import Chat
from streamkit.client.httpx_transport import HTTPXTransport
from streamkit.client.open import open_chat
from streamkit.client.timeouts import Timeouts
from streamkit.dialects.events import End, Text
from streamkit.errors import (
    ConfigError,
    ConnectError,
    ConnectTimeout,
    DisconnectedError,
    ProtocolError,
    StatusError,
    StreamkitError,
)
from streamkit.http.stream import TimedRead
from tests.client.peers import DONE, HEL, LO

URL = "http://server.test/api/chat"


class Pieces(httpx.AsyncByteStream):
    """A body of these pieces, and then perhaps an error."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


def answer(*pieces: bytes | Exception) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "application/x-ndjson"}, stream=Pieces(*pieces))


def client_of(handler: object, **options: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handler), **options)  # type: ignore[arg-type]


async def test_a_client_of_ones_own_is_used_and_stays_open() -> None:
    asked: list[httpx.Request] = []
    reads: list[TimedRead] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(HEL, LO + DONE)

    async with client_of(handle, headers={"X-Mine": "1"}) as client:
        for transport in (client, HTTPXTransport(client)):
            async with open_chat(
                URL, model="m", messages="Hi", transport=transport, api_key="k", on_read=reads.append
            ) as chat:
                events = [event async for event in chat]
            assert [event.text for event in events if isinstance(event, Text)] == ["Hel", "lo"]
            assert isinstance(events[-1], End)
        assert not client.is_closed
    assert asked[0].headers["X-Mine"] == "1"
    assert asked[0].headers["Authorization"] == "Bearer k"
    assert asked[0].headers["Accept-Encoding"] == "identity"
    assert asked[0].headers.get_list("Content-Length") == [str(len(asked[0].content))]
    assert [read.data for read in reads] == [HEL, LO + DONE] * 2
    assert all(read.kernel_ns is None and read.read_ns > 0 for read in reads)
    assert chat.response.http_version == "1.1"


def redirecting(status: int, location: str, asked: list[httpx.Request]) -> object:
    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.host == "server.test" and request.url.path == "/api/chat":
            return httpx.Response(status, headers={"Location": location})
        return answer(HEL, DONE)

    return handle


KEYED = {"api_key": "k", "headers": {"x-api-key": "k2", "Cookie": "a=b", "X-Tenant": "7"}}


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_that_keeps_the_method_is_followed_with_the_whole_request(status: int) -> None:
    asked: list[httpx.Request] = []
    async with (
        client_of(redirecting(status, "/moved?token=hush", asked), follow_redirects=True) as client,
        open_chat(URL, model="m", messages="Hi", transport=client, **KEYED) as chat,  # type: ignore[arg-type]
    ):
        assert [event.text async for event in chat if isinstance(event, Text)] == ["Hel"]
    first, second = asked
    assert second.method == "POST"
    assert second.content == first.content
    assert second.headers["Authorization"] == "Bearer k"
    assert second.headers["x-api-key"] == "k2"
    assert chat.response.url == "http://server.test/moved?token=[redacted]"


async def test_no_key_goes_with_a_redirect_to_another_server() -> None:
    asked: list[httpx.Request] = []
    handle = redirecting(307, "https://elsewhere.test/api/chat", asked)
    async with (
        client_of(handle, follow_redirects=True) as client,
        open_chat(URL, model="m", messages="Hi", transport=client, **KEYED) as chat,  # type: ignore[arg-type]
    ):
        assert [event.text async for event in chat if isinstance(event, Text)] == ["Hel"]
    second = asked[1]
    assert second.url.host == "elsewhere.test"
    assert second.headers["Host"] == "elsewhere.test"
    assert second.headers["X-Tenant"] == "7"
    assert not {"authorization", "x-api-key", "cookie"} & set(second.headers)


@pytest.mark.parametrize(("status", "follows"), [(301, True), (302, True), (303, True), (307, False)])
async def test_any_other_redirect_is_a_refusal_that_says_where_to(status: int, follows: bool) -> None:
    async with client_of(redirecting(status, "/moved", []), follow_redirects=follows) as client:
        with pytest.raises(StatusError, match="/moved"):
            async with open_chat(URL, model="m", messages="Hi", transport=client):
                pytest.fail("the block must not begin")


async def test_a_redirect_on_the_same_server_keeps_a_cookie_and_elsewhere_no_http_is_not_followed() -> None:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(307, headers={"Location": "/other" if len(asked) == 1 else "ftp://server.test/x"})

    async with client_of(handle, follow_redirects=True) as client:
        options = {"messages": "Hi", "model": "m", "transport": client, "headers": {"Cookie": "a=b"}}
        with pytest.raises(StatusError, match="ftp://server"):
            async with open_chat(URL, **options):  # type: ignore[arg-type]
                pytest.fail("the block must not begin")
    assert [request.headers["Cookie"] for request in asked] == ["a=b", "a=b"]


async def test_a_redirect_that_changes_the_method_has_no_advice_that_does_not_help() -> None:
    async with client_of(lambda _: httpx.Response(302, headers={"Location": "/x"})) as client:
        with pytest.raises(StatusError) as caught:
            async with open_chat(URL, messages="Hi", model="m", transport=client):
                pytest.fail("the block must not begin")
    assert "httpx" not in str(caught.value)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
async def test_a_request_that_breaks_off_leaves_nothing_to_collect() -> None:
    listener = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def serve() -> None:
        peer = await listener[0].accept()
        await peer.receive_some(1)
        await peer.aclose()

    async with trio.open_nursery() as nursery, listener[0]:
        nursery.start_soon(serve)
        url = f"http://127.0.0.1:{listener[0].socket.getsockname()[1]}/api/chat"
        with pytest.raises(DisconnectedError):
            async with open_chat(url, messages="x" * 16_000_000, model="m", transport="httpx"):
                pytest.fail("the block must not begin")
    gc.collect()


async def test_redirects_in_a_circle_come_to_an_end() -> None:
    async with client_of(redirecting(307, "/api/chat", []), follow_redirects=True) as client:
        with pytest.raises(ProtocolError, match="more than 5 times"):
            async with open_chat(URL, model="m", messages="Hi", transport=client):
                pytest.fail("the block must not begin")


ERRORS: dict[str, tuple[Exception, type[StreamkitError]]] = {
    "refused": (httpx.ConnectError("nobody listens"), ConnectError),
    "proxy": (httpx.ProxyError("403 Forbidden"), ConnectError),
    "connect": (httpx.ConnectTimeout("slow"), ConnectTimeout),
    "pool": (httpx.PoolTimeout("full"), ConnectTimeout),
    "closed": (httpx.RemoteProtocolError("Server disconnected without sending a response."), DisconnectedError),
    "short": (httpx.RemoteProtocolError("peer closed connection without sending complete body"), DisconnectedError),
    "stream reset": (httpx.RemoteProtocolError("<StreamReset stream_id:1, error_code:8>"), DisconnectedError),
    "no http": (httpx.RemoteProtocolError("illegal status line: bytearray(b'SSH-2.0')"), ProtocolError),
    "read": (httpx.ReadError(""), DisconnectedError),
    "write": (httpx.WriteError("broken pipe"), DisconnectedError),
    "not ours": (httpx.UnsupportedProtocol("no gopher"), ConfigError),
}


@pytest.mark.parametrize(("raised", "kind"), ERRORS.values(), ids=ERRORS)
async def test_the_errors_of_httpx_become_ours(raised: Exception, kind: type[StreamkitError]) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise raised

    async with client_of(handle) as client:
        with pytest.raises(StreamkitError) as caught:
            async with open_chat(URL, model="m", messages="Hi", transport=client):
                pytest.fail("the block must not begin")
    assert type(caught.value) is kind


@pytest.mark.parametrize("name", ["closed", "short", "stream reset", "read"])
async def test_they_do_in_the_middle_too_after_everything_good(name: str) -> None:
    async with (
        client_of(lambda _: answer(HEL, LO, ERRORS[name][0])) as client,
        open_chat(URL, model="m", messages="Hi", transport=client) as chat,
    ):
        with pytest.raises(DisconnectedError):
            await read_to_the_end(chat)
    assert chat.text == "Hello"
    assert not chat.message.complete


async def read_to_the_end(chat: Chat) -> None:
    async for _ in chat:
        pass


async def test_a_response_that_a_hook_has_read_is_read_once_more() -> None:
    async def read_it(response: httpx.Response) -> None:
        await response.aread()

    hooks = {"response": [read_it]}
    async with (
        client_of(lambda _: answer(HEL, LO + DONE), event_hooks=hooks) as client,
        open_chat(URL, model="m", messages="Hi", transport=client) as chat,
    ):
        await read_to_the_end(chat)
    assert chat.text == "Hello"


async def test_nobody_listens_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(ConnectError, match=f"cannot connect to {url}"):
            async with open_chat(url, dialect="ollama-chat", model="m", messages="Hi", transport="httpx"):
                pytest.fail("the block must not begin")


async def test_a_connection_that_is_not_answered_has_its_limit() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        fill = [socket.socket() for _ in range(4)]  # what the backlog takes, so that the next one waits
        for each in fill:
            each.setblocking(False)
            each.connect_ex(sock.getsockname())
        try:
            with pytest.raises(ConnectTimeout):
                async with open_chat(
                    f"http://127.0.0.1:{sock.getsockname()[1]}",
                    dialect="ollama-chat",
                    model="m",
                    messages="Hi",
                    transport="httpx",
                    timeouts=Timeouts(connect_s=0.2),
                ):
                    pytest.fail("the block must not begin")
        finally:
            for each in fill:
                each.close()


async def test_first_tokens_are_counted_from_the_request_and_have_their_limit() -> None:
    async with open_mockserver(fault="stall@before-head") as mock:
        with pytest.raises(StreamkitError, match=r"no token came within 0\.2 s"):
            async with open_chat(
                mock.url,
                dialect="ollama-chat",
                model="m",
                messages="Hi",
                transport="httpx",
                timeouts=Timeouts(first_token_s=0.2),
            ):
                pytest.fail("the block must not begin")


async def test_a_proxy_of_the_environment_that_makes_no_sense_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://proxy.test")
    with pytest.raises(ConfigError, match="proxy"):
        async with open_chat(URL, model="m", messages="Hi", transport="httpx"):
            pytest.fail("the block must not begin")


async def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_mockserver(say="It rains.") as mock:
        monkeypatch.setenv("HTTP_PROXY", mock.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with open_chat("http://server.invalid/api/chat", model="m", messages="Hi", transport="httpx") as chat:
            assert len([event async for event in chat]) > 2
        assert chat.text == "It rains."
        assert mock.journal[-1].target == "http://server.invalid/api/chat"


def test_without_httpx_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: object) -> object:
        if name == "httpx":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ConfigError, match=r"pip install 'streamkit\[httpx\]'"):
        HTTPXTransport()
