from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import assert_no_checkpoints, wait_all_tasks_blocked

from streamkit.client.chat import Chat
from streamkit.dialects.events import End, Event, Finish, Start, Text, Usage
from streamkit.errors import TruncatedError
from streamkit.http.stream import TimedRead
from tests.client.peers import DONE, HEL, HELLO, LAST, LO, NDJSON, ROLE, Server, answering, chunk, serving, texts


async def test_a_chat_is_pulled_to_its_end() -> None:
    async with serving(answering(*HELLO)) as served, served.chat() as chat:
        events = [event async for event in chat]
    assert texts(events) == ["Hel", "lo"]
    assert isinstance(events[0], Start)
    assert isinstance(events[-1], End)
    assert [event.reason for event in events if isinstance(event, Finish)] == ["stop"]
    assert chat.text == "Hello"
    assert chat.message.complete
    assert chat.message.error is None
    assert chat.message.reason == "stop"
    assert chat.dialect == "ollama-chat"
    assert chat.repairs == []


async def test_an_answer_that_has_ended_stays_ended() -> None:
    async with serving(answering(*HELLO)) as served, served.chat() as chat:
        assert len([event async for event in chat]) > 2
        assert [event async for event in chat] == []
        with pytest.raises(trio.EndOfChannel):
            await chat.receive_batch()


async def test_text_and_message_are_there_while_it_goes_on() -> None:
    async with serving(answering(NDJSON, chunk(HEL))) as served, served.chat() as chat:
        assert chat.text == ""
        assert not chat.message.complete
        while chat.text != "Hel":
            await anext(chat)
        assert not chat.message.complete
        assert chat.message.error is None


async def test_every_event_is_there_as_soon_as_its_bytes_are() -> None:
    now = trio.Event()

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(HEL))
        await now.wait()
        await server.send(chunk(LO), chunk(DONE), LAST)
        await server.left()

    async with serving(serve) as served, served.chat() as chat:
        seen: list[Event] = []
        while texts(seen) != ["Hel"]:
            seen.append(await anext(chat))
        now.set()
        seen += [event async for event in chat]
    assert texts(seen) == ["Hel", "lo"]


async def test_the_events_of_one_read_come_out_without_a_checkpoint_between() -> None:
    async with serving(answering(NDJSON, chunk(ROLE + HEL + LO + DONE) + LAST)) as served, served.chat() as chat:
        first = await anext(chat)
        with assert_no_checkpoints():
            events = [first]
            while not isinstance(events[-1], End):
                events.append(await anext(chat))
    assert texts(events) == ["Hel", "lo"]


async def test_one_read_is_one_batch() -> None:
    async with serving(answering(NDJSON, chunk(HEL + LO), chunk(DONE) + LAST)) as served, served.chat() as chat:
        assert texts(await chat.receive_batch()) == ["Hel", "lo"]
        assert isinstance((await chat.receive_batch())[-1], End)


async def test_a_cancelled_read_loses_nothing() -> None:
    wire = b"".join(HELLO)
    pieces = [wire[at : at + 7] for at in range(len(NDJSON), len(wire), 7)]
    go, gone = trio.open_memory_channel[None](0)

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON)
        for piece in pieces:
            await gone.receive()
            await server.send(piece)
        await server.left()

    async with serving(serve) as served, served.chat() as chat:
        events: list[Event] = []
        for _ in pieces:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(read_until_cancelled, chat, events)
                    await wait_all_tasks_blocked()
                    scope.cancel()
            await go.send(None)
        events += [event async for event in chat]
    assert texts(events) == ["Hel", "lo"]
    assert isinstance(events[-1], End)


async def read_until_cancelled(chat: Chat, events: list[Event]) -> None:
    async for event in chat:
        events.append(event)  # noqa: PERF401 - each has to be there when the next read is cancelled


async def test_only_one_task_may_read() -> None:
    async with serving(answering(NDJSON)) as served, served.chat() as chat, trio.open_nursery() as nursery:
        nursery.start_soon(anext, chat)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(chat)
        nursery.cancel_scope.cancel()


async def test_a_chat_whose_block_is_left_cannot_be_read() -> None:
    async with serving(answering(NDJSON, chunk(HEL))) as served:
        async with served.chat() as chat:
            await chat.receive_batch()
        with pytest.raises(trio.ClosedResourceError):
            await anext(chat)


@given(cuts=st.lists(st.integers(0, len(b"".join(HELLO))), max_size=12))
async def test_how_the_bytes_are_cut_changes_nothing(cuts: list[int]) -> None:
    wire = b"".join(HELLO)
    places = [0, *sorted(set(cuts) - {0, len(wire)}), len(wire)]
    pieces = [wire[start:end] for start, end in pairwise(places)]
    async with serving(answering(*pieces)) as served, served.chat() as chat:
        events = [event async for event in chat]
    assert texts(events) == ["Hel", "lo"]
    assert isinstance(events[-1], End)
    assert chat.message.complete


# ---------------------------------------------------------------------------------------- leaving, and what is left


async def test_leaving_early_resets_the_connection_at_once() -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(HEL), chunk(LO))
        left.append(await server.left())

    async with serving(serve) as served:
        async with served.chat() as chat:
            async for event in chat:
                if isinstance(event, Text):
                    break
        await wait_all_tasks_blocked()
        assert left == ["reset"]


async def test_an_exception_in_the_block_comes_out_bare_and_closes_the_connection() -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON)
        left.append(await server.left())

    async with serving(serve) as served:
        with pytest.raises(KeyError):
            async with served.chat():
                raise KeyError
        await wait_all_tasks_blocked()
        assert left == ["reset"]


async def test_a_whole_answer_is_closed_in_peace() -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(*HELLO)
        left.append(await server.left())

    async with serving(serve) as served:
        async with served.chat() as chat:
            assert texts([event async for event in chat]) == ["Hel", "lo"]
        await wait_all_tasks_blocked()
        assert left == ["fin"]


async def test_a_body_that_does_not_end_behind_the_answer_is_not_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(answering(NDJSON, chunk(HEL), chunk(DONE))) as served, served.chat() as chat:
        events = [event async for event in chat]
        assert trio.current_time() < 1
    assert isinstance(events[-1], End)
    assert chat.message.complete


async def test_what_breaks_behind_the_answer_does_not_make_it_less_whole() -> None:
    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(HEL), chunk(DONE))
        server.stream.abort()

    async with serving(serve) as served, served.chat() as chat:
        events = [event async for event in chat]
    assert isinstance(events[-1], End)
    assert chat.message.complete
    assert chat.message.error is None


# ---------------------------------------------------------------------------------------------- what is around it


async def test_the_response_tells_status_headers_ids_and_trailers() -> None:
    head = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 200 Fine\r\nContent-Type: application/x-ndjson; charset=utf-8\r\nx-Request-ID: req_7\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    async with serving(answering(head, chunk(HEL + DONE) + b"0\r\nX-Cost: 3\r\n\r\n")) as served, served.chat() as chat:
        response = chat.response
        assert response.status == 200
        assert response.reason == "Fine"
        assert response.http_version == "1.1"
        assert response.request_id == "req_7"
        assert response.media_type == "application/x-ndjson"
        assert ("x-Request-ID", "req_7") in response.headers
        assert [(interim.status, interim.headers) for interim in response.interims] == [(103, [("Link", "</a>")])]
        assert len([event async for event in chat]) > 2
        assert response.trailers == [("X-Cost", "3")]
        assert response.url == "http://server.test/api/chat"


async def test_a_response_does_not_show_its_cookies() -> None:
    head = NDJSON.replace(b"Transfer", b"Set-Cookie: a=hush\r\nTransfer")
    async with serving(answering(head, chunk(HEL + DONE) + LAST)) as served, served.chat() as chat:
        assert "hush" not in repr(chat.response)
        assert "200" in repr(chat.response)
        assert chat.response.header("Set-Cookie") == "a=hush"


async def test_the_request_is_what_was_sent_and_shows_no_key() -> None:
    asked: list[bytes] = []

    async def serve(server: Server) -> None:
        asked.append(await server.request())
        await server.send(*HELLO)
        await server.left()

    async with serving(serve) as served:
        options = {"api_key": "sk-very-secret", "headers": {"X-Tenant": "7"}, "system": "Be brief.", "seed": 3}
        async with served.chat("http://server.test/api/chat?code=hush&token=hush", **options) as chat:
            assert chat.request.head + chat.request.body == asked[0]
    head, _, body = asked[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /api/chat?code=hush&token=hush HTTP/1.1"
    assert b"Host: server.test" in lines
    assert b"Accept: application/x-ndjson" in lines
    assert b"Accept-Encoding: identity" in lines
    assert b"Authorization: Bearer sk-very-secret" in lines
    assert b"X-Tenant: 7" in lines
    assert b"Content-Length: %d" % len(body) in lines
    sent = msgspec.json.decode(body)
    assert sent["model"] == "m"
    assert [each["content"] for each in sent["messages"]] == ["Be brief.", "Hi"]
    assert "secret" not in repr(chat.request)
    assert "token=hush" not in repr(chat.request)
    assert "token=hush" not in chat.response.url


async def test_every_read_is_seen_as_it_came() -> None:
    reads: list[TimedRead] = []
    async with serving(answering(*HELLO)) as served, served.chat(on_read=reads.append) as chat:
        assert len([event async for event in chat]) > 2
    assert [read.data for read in reads] == [*HELLO]
    stamps = [read.read_ns for read in reads]
    assert stamps == sorted(stamps)


async def test_a_body_in_gzip_is_read_piece_by_piece() -> None:
    head = NDJSON.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer")
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    first = compressor.compress(HEL) + compressor.flush(zlib.Z_SYNC_FLUSH)
    rest = compressor.compress(LO + DONE) + compressor.flush()
    go = trio.Event()

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(head, chunk(first))
        await go.wait()
        await server.send(chunk(rest), LAST)
        await server.left()

    async with serving(serve) as served, served.chat() as chat:
        events = await chat.receive_batch()
        assert texts(events) == ["Hel"]
        go.set()
        events += [event async for event in chat]
    assert texts(events) == ["Hel", "lo"]


async def test_gzip_that_ends_too_early_is_truncated_although_the_body_is_whole() -> None:
    head = NDJSON.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer")
    cut = gzip.compress(HEL + LO)[:-8]
    async with serving(answering(head, chunk(cut) + LAST)) as served, served.chat() as chat:
        events = await chat.receive_batch()
        with pytest.raises(TruncatedError, match="inside its gzip"):
            events += [event async for event in chat]
    assert texts(events) == ["Hel", "lo"]
    assert not chat.message.complete


async def test_usage_is_in_the_message() -> None:
    done = DONE.replace(b'"done_reason"', b'"prompt_eval_count":5,"eval_count":2,"done_reason"')
    async with serving(answering(NDJSON, chunk(HEL + done) + LAST)) as served, served.chat() as chat:
        events = [event async for event in chat]
    assert chat.message.usage.output_total == 2
    assert any(isinstance(event, Usage) for event in events)
