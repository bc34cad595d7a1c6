"""The opening of a WebSocket, and the key in it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.gateway.websocket_handshake import accept_head, chosen_protocol, handshake_refusal, keys_in
from streamkit.http.exchange import Request
from streamkit.http.head import read_request, split_target
from tests.gateway.websocket_peers import ACCEPT, Stage, opening, standing


def asked(data: bytes) -> Request:
    head = read_request(data)
    path, query = split_target(head.target)
    return Request(head.method, head.target, path, query, head.version, head.headers, data, 1, 1, 0, None)


def offering(value: str) -> Request:
    return asked(opening(Sec_WebSocket_Protocol=value))


def test_the_example_of_the_rfc_is_answered_as_it_says() -> None:
    assert handshake_refusal(asked(opening())) is None
    assert accept_head(asked(opening())) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"Connection": "keep-alive, upgrade"},
        {"Upgrade": "WebSocket"},
        {"Upgrade": "h2c, websocket"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Origin": "http://localhost:1"},
    ],
)
def test_what_real_clients_send_is_understood_and_no_extension_agreed_to(fields: dict[str, str]) -> None:
    request = asked(opening(**fields))
    assert handshake_refusal(request) is None
    assert b"extensions" not in accept_head(request).lower()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (opening().replace(b"GET", b"POST"), 405),
        (opening().replace(b"GET", b"HEAD"), 405),
        (opening().replace(b"HTTP/1.1", b"HTTP/1.0"), 426),
        (opening(Upgrade=None), 426),
        (opening(Upgrade="h2c"), 426),
        (opening(Connection="keep-alive"), 426),
        (opening(Sec_WebSocket_Version=None).replace(b"Sec-WebSocket-Version: 13\r\n", b""), 426),
        (opening().replace(b": 13", b": 8"), 426),
        (opening().replace(b": 13", b": 8, 13"), 426),
        (opening().replace(b"Sec-WebSocket-Key: ", b"X: "), 400),
        (opening().replace(b"dGhl", b"dG=l"), 400),
        (opening().replace(b"25j", b""), 400),
        (opening().replace(b"Host", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nHost"), 400),
    ],
)
def test_everything_else_is_refused(data: bytes, status: int) -> None:
    refusal = handshake_refusal(asked(data))
    assert refusal is not None
    assert refusal.status == status
    request = asked(data)
    head, _, body = refusal.response(request, [("Vary", "Origin")]).partition(b"\r\n\r\n")
    whole = refusal.reason.encode() + b"\n"
    assert body == (b"" if request.method == "HEAD" else whole)
    assert b"Content-Length: %d\r\n" % len(whole) in head
    assert b"\r\nVary: Origin\r\n" in head
    assert (b"Sec-WebSocket-Version: 13\r\n" in head) == (status == 426)
    assert (b"Upgrade: websocket\r\n" in head) == (status == 426)


def test_a_body_is_refused() -> None:
    refusal = handshake_refusal(asked(opening()), has_body=True)
    assert refusal is not None
    assert refusal.status == 400


async def test_the_connection_of_a_refused_request_is_closed() -> None:
    async with standing(is_open=False) as stage:
        await stage.hand.send(opening(Upgrade="h2c"))
        head = await stage.hand.head()
        assert head.startswith("HTTP/1.1 426 ")
        assert "\r\nConnection: Upgrade, close" in head
        assert await stage.hand.end() == b"this is for a WebSocket: connect with ws:// or wss://\n"
        await stage.hand.stream.aclose()
    assert (stage.record.status, stage.record.outcome) == (426, "refused")


async def test_a_request_with_a_body_is_not_taken_for_frames() -> None:
    async with standing(is_open=False) as stage:
        await stage.hand.send(opening(Content_Length="5"), b"hello")
        assert (await stage.hand.head()).startswith("HTTP/1.1 400 ")
        await closed(stage)


async def test_the_head_of_an_open_one_says_what_was_chosen() -> None:
    async with standing(is_open=False) as stage:
        await stage.hand.send(opening(Sec_WebSocket_Protocol="streamkit, streamkit.key.c2VjcmV0"))
        head = await stage.hand.head()
        assert head.split("\r\n")[0] == "HTTP/1.1 101 Switching Protocols"
        assert f"Sec-WebSocket-Accept: {ACCEPT}" in head
        assert "Sec-WebSocket-Protocol: streamkit" in head.split("\r\n")
        assert "c2VjcmV0" not in head
        await closed(stage)


async def closed(stage: Stage) -> None:
    await stage.hand.stream.send_eof()
    try:
        await stage.hand.end()
    except OSError:
        pytest.fail("it was no end")
    except Exception:  # noqa: BLE001 - a reset ends it as well
        return


def test_the_protocol_is_spoken_where_it_is_offered() -> None:
    assert chosen_protocol(asked(opening())) is None
    assert chosen_protocol(offering("chat, streamkit")) == "streamkit"
    assert chosen_protocol(offering("Streamkit")) is None
    assert chosen_protocol(offering("streamkit.key.abc")) is None


@pytest.mark.parametrize(
    ("offered", "key"),
    [
        ("streamkit", None),
        ("streamkit.key.", None),
        ("streamkit, streamkit.key.c2VjcmV0", "secret"),
        ("streamkit.key.c2VjcmV0,streamkit", "secret"),
        ("streamkit.key.sk-proj-4711", "sk-proj-4711"),
        ("streamkit.key.a~b", "a~b"),
        ("streamkit.key.c2VjcmV0=", "c2VjcmV0="),
        ("streamkit.key._w", "_w"),
        ("streamkit.key.first, streamkit.key.second", "second"),
    ],
)
def test_a_key_among_the_protocols(offered: str, key: str | None) -> None:
    found = [*keys_in(offering(offered))]
    assert found[-1:] == ([] if key is None else [key])


def test_where_nothing_is_offered_there_is_no_key() -> None:
    assert [*keys_in(asked(opening()))] == []


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_any_key_can_be_sent_encoded(key: str) -> None:
    token = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    *_, found = keys_in(offering(f"streamkit, streamkit.key.{token}"))
    assert found.encode("latin-1") == key.encode()


def test_a_key_that_can_be_read_in_two_ways_is_told_in_both_and_so_are_all_that_are_offered() -> None:
    offered = offering("streamkit, streamkit.key.wrong!, streamkit.key.c2VjcmV0")
    assert [*keys_in(offered)] == ["wrong!", "c2VjcmV0", "secret"]
