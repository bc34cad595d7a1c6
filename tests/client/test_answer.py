"""What comes in place of a stream: refusals, redirects, pages, documents; and streams that are only mislabelled."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from streamkit.dialects.events import End, Text
from streamkit.errors import DecodeError, DisconnectedError, ReportedError, StatusError
from tests.client.peers import DONE, HEL, LAST, NDJSON, SSE, Server, answering, chunk, serving

OPENAI = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def plain(status: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status, *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


async def refusal(wire: bytes, dialect: str = "openai-chat") -> StatusError:
    async with serving(answering(wire)) as served:
        with pytest.raises(StatusError) as caught:
            async with served.chat(dialect=dialect):
                pytest.fail("the block must not begin")
        await wait_all_tasks_blocked()
    return caught.value


async def test_a_refusal_has_the_vendors_message_and_what_it_says_about_coming_back() -> None:
    body = b'{"error":{"message":"Slow down.","type":"rate_limit_error","code":"rate_limit_exceeded"}}'
    error = await refusal(
        plain(b"429 Too Many Requests", body, b"Content-Type: application/json", b"Retry-After: 7", b"x-request-id: r1")
    )
    assert error.status == 429
    assert error.message == "Slow down."
    assert error.error_type == "rate_limit_error"
    assert error.error_code == "rate_limit_exceeded"
    assert error.retry_after_s == 7
    assert error.request_id == "r1"
    assert ("Retry-After", "7") in error.headers


async def test_a_refusal_in_gzip_is_read() -> None:
    body = gzip.compress(b'{"error":{"message":"No such model."}}')
    error = await refusal(plain(b"404 Not Found", body, b"Content-Encoding: gzip"))
    assert error.message == "No such model."


@pytest.mark.parametrize("headers", [(b"Content-Encoding: br",), (b"Content-Encoding: gzip",)], ids=["br", "no gzip"])
async def test_a_refusal_that_cannot_be_read_keeps_its_status(headers: tuple[bytes, ...]) -> None:
    assert (await refusal(plain(b"500 Oh", b"\x8b\x02\x80", *headers))).status == 500


async def test_a_refusal_that_breaks_off_tells_what_came() -> None:
    async def serve(server: Server) -> None:
        await server.request()
        await server.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 5000\r\n\r\nall workers are busy")
        server.stream.abort()

    async with serving(serve) as served:
        with pytest.raises(StatusError, match="all workers are busy"):
            async with served.chat():
                pytest.fail("the block must not begin")


async def test_a_refusal_without_end_is_read_for_a_while_only() -> None:
    async def serve(server: Server) -> None:
        await server.request()
        await server.send(b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await server.send(chunk(b"no " * 20_000))

    async with serving(serve) as served:
        with pytest.raises(StatusError, match="no no no") as caught:
            async with served.chat():
                pytest.fail("the block must not begin")
    assert len(str(caught.value)) < 1000


async def test_a_refusal_in_a_coding_that_is_not_known_is_not_said_to_be_empty() -> None:
    error = await refusal(plain(b"500 Oh", b"\x8b\x02\x80\x00\x01\x02", b"Content-Encoding: br"))
    assert error.message == "Internal Server Error (a body of 6 bytes that says nothing readable)"


async def test_a_refusal_that_is_not_in_its_coding_is_read_as_it_is() -> None:
    error = await refusal(plain(b"404 Not Found", b'{"error":"No such model."}', b"Content-Encoding: gzip"))
    assert error.message == "No such model."


KEY = "my-own-key-12345"

ECHOES = {
    "refusal": plain(b"401 Unauthorized", b'{"error":{"message":"Bad key %b.","code":"%b"}}' % ((KEY.encode(),) * 2)),
    "document": plain(b"200 OK", b'{"error":"Bad key %b."}' % KEY.encode(), b"Content-Type: application/json"),
    "page": plain(b"200 OK", b"<p>Bad key %b." % KEY.encode(), b"Content-Type: text/html"),
    "redirect": plain(b"302 Found", b"", b"Location: /login?next=%b" % KEY.encode()),
    "stream": SSE + chunk(b'data: {"error":{"message":"Bad key %b."}}\n\n' % KEY.encode()),
}


@pytest.mark.parametrize("where", ["api_key", "header", "query"])
@pytest.mark.parametrize("wire", ECHOES.values(), ids=ECHOES)
async def test_a_key_that_the_server_repeats_is_not_in_the_error(wire: bytes, where: str) -> None:
    url = "http://server.test/v1/chat/completions" + (f"?key={KEY}" if where == "query" else "")
    given: dict[str, dict[str, Any]] = {"api_key": {"api_key": KEY}, "header": {"headers": {"X-Auth-Token": KEY}}}
    options = given.get(where, {})
    async with serving(answering(wire)) as served:
        with pytest.raises((StatusError, DecodeError), match=r"\[a key\]") as caught:
            async with served.chat(url, dialect="openai-chat", **options) as chat:
                await anext(chat)
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)


async def test_a_key_that_is_a_common_word_does_not_make_words_disappear() -> None:
    wire = plain(b"404 Not Found", b'{"error":"ollama has no such model"}')
    async with serving(answering(wire)) as served:
        with pytest.raises(StatusError, match="ollama has no such model"):
            async with served.chat(api_key="ollama"):
                pytest.fail("the block must not begin")


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent"])
async def test_a_redirect_is_not_followed_and_says_where_to(status: bytes) -> None:
    error = await refusal(plain(status, b"", b"Location: https://other.test/v1/chat?api_key=hush"))
    assert error.status == int(status[:3])
    assert "https://other.test/v1/chat" in error.message
    assert "hush" not in str(error)


async def test_a_refusal_on_another_status_without_a_body() -> None:
    assert (await refusal(b"HTTP/1.1 304 Not Modified\r\n\r\n")).status == 304


# ------------------------------------------------------------------------------------------ a success that is none

NO_STREAMS = {
    "page": (b"text/html", b"<!DOCTYPE html><title>Welcome</title>", DecodeError, "an HTML page"),
    "page, ndjson": (b"text/html; charset=utf-8", b"<html>", DecodeError, "an HTML page"),
    "document": (b"application/json", b'{"choices":[{"message":{"content":"Hi"}}]}', DecodeError, "does not stream"),
    "list": (b"application/json", b'[{"a":1}]', DecodeError, "does not stream"),
    "nothing": (b"application/json", b"", DecodeError, "does not stream"),
    "no json": (b"application/json", b"{oops", DecodeError, "does not stream"),
    "error": (b"application/json", b'{"error":{"message":"Overloaded.","type":"busy"}}', ReportedError, "Overloaded."),
    "error as text": (b"application/json", b'{"error":"Overloaded."}', ReportedError, "Overloaded."),
    "problem": (b"application/problem+json", b'{"type":"error","message":"Oh."}', ReportedError, "Oh."),
    "error in a list": (b"application/json", b'[{"error":{"message":"Quota."}}]', ReportedError, "Quota."),
}


@pytest.mark.parametrize(("media_type", "body", "kind", "said"), NO_STREAMS.values(), ids=NO_STREAMS)
async def test_a_success_that_is_no_stream_says_what_it_is(
    media_type: bytes, body: bytes, kind: type[Exception], said: str
) -> None:
    wire = plain(b"200 OK", body, b"Content-Type: " + media_type)
    async with serving(answering(wire)) as served:
        with pytest.raises(DecodeError, match=said) as caught:
            async with served.chat(dialect="openai-chat"):
                pytest.fail("the block must not begin")
    assert type(caught.value) is kind


async def test_a_page_in_place_of_ndjson_is_found_out_too() -> None:
    wire = plain(b"200 OK", b"<html><body>Welcome", b"Content-Type: text/html")
    async with serving(answering(wire)) as served:
        with pytest.raises(DecodeError, match="an HTML page"):
            async with served.chat():
                pytest.fail("the block must not begin")


async def test_a_page_without_end_is_read_for_a_while_only(autojump_clock: MockClock) -> None:
    head = SSE.replace(b"text/event-stream", b"text/html")
    async with serving(answering(head, chunk(b"<html>"))) as served:
        with pytest.raises(DecodeError, match="an HTML page"):
            async with served.chat(dialect="openai-chat"):
                pytest.fail("the block must not begin")


async def test_a_document_that_breaks_off_is_a_broken_connection() -> None:
    async def serve(server: Server) -> None:
        await server.request()
        await server.send(SSE.replace(b"text/event-stream", b"application/json"))
        server.stream.abort()

    async with serving(serve) as served:
        with pytest.raises(DisconnectedError):
            async with served.chat(dialect="openai-chat"):
                pytest.fail("the block must not begin")


# -------------------------------------------------------------------------------------------- a label that is wrong


@pytest.mark.parametrize("label", [b"application/json", b"text/html", b"text/plain", b"application/octet-stream"])
@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_a_stream_whose_label_is_wrong_is_a_stream(label: bytes, size: int) -> None:
    pieces = [chunk(OPENAI[at : at + size]) for at in range(0, len(OPENAI), size)]
    head = SSE.replace(b"text/event-stream", label)
    async with serving(answering(head, *pieces, LAST)) as served, served.chat(dialect="openai-chat") as chat:
        events = [event async for event in chat]
    assert [event.text for event in events if isinstance(event, Text)] == ["Hello"]
    assert isinstance(events[-1], End)


@pytest.mark.parametrize("label", [b"application/json", b"text/plain", b"application/json; charset=utf-8"])
async def test_ollamas_lines_come_under_every_label(label: bytes) -> None:
    head = NDJSON.replace(b"application/x-ndjson", label)
    async with serving(answering(head, chunk(HEL), chunk(DONE) + LAST)) as served, served.chat() as chat:
        assert [event.text async for event in chat if isinstance(event, Text)] == ["Hel"]


async def test_a_response_without_a_label_is_taken_for_the_stream() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(head, HEL, DONE)

    async with serving(serve) as served, served.chat() as chat:
        assert [event.text async for event in chat if isinstance(event, Text)] == ["Hel"]
    assert chat.response.http_version == "1.1"
