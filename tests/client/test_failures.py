"""However an answer fails: everything good that came before it first, then a bare error, and never an end."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from streamkit.client.chat import Chat
from streamkit.dialects.events import End, Error, Event, Finish, Text
from streamkit.errors import (
    ConnectError,
    DecodeError,
    DisconnectedError,
    LimitExceeded,
    ProtocolError,
    RemoteError,
    ReportedError,
    StreamkitError,
    TruncatedError,
)
from tests.client.peers import DONE, HEL, LAST, LO, NDJSON, SSE, Server, answering, chunk, serving

COUNTED = NDJSON.replace(b"Transfer-Encoding: chunked", b"Content-Length: 5000")
UNTIL_CLOSED = NDJSON.replace(b"Transfer-Encoding: chunked", b"Connection: close")

HELLO = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
REFUSAL = b'data: {"error":{"message":"out of memory","type":"server_error","code":507}}\n\n'


async def failure(chat: Chat) -> tuple[list[Event], StreamkitError]:
    """Read to the error; return what came, and the error, which comes again when asked again."""
    events: list[Event] = []
    error = await _read_into(events, chat)
    with pytest.raises(type(error)) as again:
        await anext(chat)
    assert again.value is error
    return events, error


async def _read_into(events: list[Event], chat: Chat) -> StreamkitError:
    try:
        async for event in chat:
            events.append(event)  # noqa: PERF401 - they are wanted although the loop fails
    except StreamkitError as error:
        return error
    pytest.fail("the chat came to an end")


Leave = Callable[[Server], Awaitable[None]]


async def reset(server: Server) -> None:
    server.stream.abort()


async def close(server: Server) -> None:
    await server.stream.aclose()


async def stay(server: Server) -> None:
    await server.left()


ENDINGS: dict[str, tuple[tuple[bytes, ...], Leave, type[Exception], str]] = {
    "reset in the middle": ((NDJSON, chunk(HEL)), reset, DisconnectedError, "was lost"),
    "closed in the middle": ((NDJSON, chunk(HEL)), close, DisconnectedError, "before its last chunk"),
    "closed in a chunk": ((NDJSON, chunk(HEL + LO)[:-30]), close, DisconnectedError, "before its last chunk"),
    "short of its length": ((COUNTED, HEL), close, DisconnectedError, "before its announced end"),
    "reset, of a length": ((COUNTED, HEL), reset, DisconnectedError, "was lost"),
    "no terminator": ((NDJSON, chunk(HEL), LAST), stay, TruncatedError, "without its terminator"),
    "no terminator, closed": ((UNTIL_CLOSED, HEL), close, TruncatedError, "without its terminator"),
    "cut inside a record": ((UNTIL_CLOSED, HEL + LO[:20]), close, TruncatedError, "ends inside"),
    "broken chunk": ((NDJSON, chunk(HEL) + b"zz\r\n"), stay, ProtocolError, "chunk"),
    "broken record": ((NDJSON, chunk(HEL + b"{]}\n" + LO)), stay, DecodeError, "record 2"),
    "broken record later": ((NDJSON, chunk(HEL), chunk(b"{]}\n")), stay, DecodeError, "record 2"),
    "an error": ((NDJSON, chunk(HEL + b'{"error":"out of memory"}\n')), stay, ReportedError, "out of memory"),
    "an error later": ((NDJSON, chunk(HEL), chunk(b'{"error":"oom"}\n')), stay, ReportedError, "oom"),
}


@pytest.mark.parametrize(("pieces", "leave", "kind", "said"), ENDINGS.values(), ids=ENDINGS)
async def test_the_error_comes_after_everything_good(
    pieces: tuple[bytes, ...], leave: Leave, kind: type[Exception], said: str
) -> None:
    async def serve(server: Server) -> None:
        await server.request()
        await server.send(*pieces)
        await leave(server)

    async with serving(serve) as served, served.chat() as chat:
        events, error = await failure(chat)
    assert type(error) is kind
    assert said in str(error)
    assert next(event.text for event in events if isinstance(event, Text)) == "Hel"
    assert not any(isinstance(event, (End, Error, Finish)) for event in events)
    message = chat.message
    assert message.text == "Hel"
    assert not message.complete
    assert message.error is not None
    assert message.error.message in str(error) or str(error) in message.error.message


@pytest.mark.parametrize("is_reset", [True, False])
async def test_a_disconnection_says_whether_it_was_a_reset(is_reset: bool) -> None:
    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(HEL))
        await (reset if is_reset else close)(server)

    async with serving(serve) as served, served.chat() as chat:
        _, error = await failure(chat)
    assert isinstance(error, DisconnectedError)
    assert error.is_reset == is_reset


async def test_the_errors_of_an_sse_dialect_have_the_vendors_words() -> None:
    wire = answering(SSE, chunk(HELLO + REFUSAL))
    async with serving(wire) as served, served.chat(dialect="openai-chat") as chat:
        events, error = await failure(chat)
    assert isinstance(error, ReportedError)
    assert "out of memory" in str(error)
    assert error.error_type == "server_error"
    assert [event.text for event in events if isinstance(event, Text)] == ["Hello"]
    assert chat.message.error is not None
    assert chat.message.error.type == "server_error"


async def test_an_answer_that_finished_in_an_error_is_no_end() -> None:
    wire = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\ndata: [DONE]\n\n'
    async with (
        serving(answering(SSE, chunk(HELLO + wire) + LAST)) as served,
        served.chat(dialect="openai-chat") as chat,
    ):
        events, error = await failure(chat)
    assert isinstance(error, ReportedError)
    assert error.error_type == "finish_error"
    assert not any(isinstance(event, End) for event in events)
    assert not chat.message.complete


async def test_what_is_wrong_behind_the_end_is_not_the_answers(autojump_clock: MockClock) -> None:
    async with serving(answering(NDJSON, chunk(HEL + DONE + b"{]}\n"))) as served, served.chat() as chat:
        events = [event async for event in chat]
    assert isinstance(events[-1], End)
    assert chat.message.complete


async def test_a_message_over_its_bound_fails_after_what_fits() -> None:
    async with serving(answering(NDJSON, chunk(HEL * 300))) as served, served.chat(max_message_bytes=500) as chat:
        events, error = await failure(chat)
    assert isinstance(error, LimitExceeded)
    assert 100 < len([event for event in events if isinstance(event, Text)]) < 169
    assert "".join([event.text for event in events if isinstance(event, Text)]) == chat.text
    assert chat.message.error is not None
    assert not chat.message.complete


async def test_a_record_over_its_bound_fails_without_being_kept() -> None:
    wire = answering(NDJSON, chunk(HEL + b'{"a":"' + b"x" * 3000))
    async with serving(wire) as served, served.chat(max_record_bytes=2000) as chat:
        events, error = await failure(chat)
    assert isinstance(error, LimitExceeded)
    assert [event.text for event in events if isinstance(event, Text)] == ["Hel"]


async def test_a_gzip_bomb_stops_at_the_bound_of_a_record() -> None:
    head = NDJSON.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer")
    bomb = gzip.compress(b'{"a":"' + b"x" * 20_000_000)
    assert len(bomb) < 60_000
    async with serving(answering(head, chunk(bomb))) as served, served.chat(max_record_bytes=2_000_000) as chat:
        _, error = await failure(chat)
    assert isinstance(error, LimitExceeded)


async def test_what_inflates_to_many_times_its_size_comes_piece_by_piece() -> None:
    head = SSE.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer")
    bomb = gzip.compress(b":\n\n" * 100_000)
    assert len(bomb) < 1000
    async with serving(answering(head, chunk(bomb))) as served, served.chat(dialect="openai-chat") as chat:
        batch = await chat.receive_batch()
        assert 1000 < len(batch) <= 65536 / 3 + 1
        with trio.CancelScope() as scope:
            scope.cancel()
            await chat.receive_batch()
        assert scope.cancelled_caught
        count = len(batch)
        while count < 100_000:
            with assert_checkpoints():
                batch = await chat.receive_batch()
            assert len(batch) <= 65536 / 3 + 1
            count += len(batch)
        assert count == 100_000


async def test_bytes_that_are_not_in_their_coding_are_an_error() -> None:
    head = NDJSON.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer")
    async with serving(answering(head, chunk(HEL))) as served, served.chat() as chat:
        _, error = await failure(chat)
    assert isinstance(error, DecodeError)
    assert error.code == "bad-coding"


async def test_a_failed_answer_does_not_keep_its_connection() -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(b"{]}\n"))
        left.append(await server.left())

    async with serving(serve) as served:
        with pytest.raises(DecodeError):
            async with served.chat() as chat:
                await anext(chat)
        await wait_all_tasks_blocked()
        assert left == ["reset"]


BEFORE: dict[str, tuple[tuple[bytes, ...], Leave, type[Exception], str]] = {
    "closed": ((), close, DisconnectedError, "closed the connection"),
    "reset": ((), reset, DisconnectedError, "was lost"),
    "closed in the head": ((NDJSON[:30],), close, DisconnectedError, "closed the connection"),
    "no http": ((b"SSH-2.0-OpenSSH_9.2\r\n",), stay, ProtocolError, "head of the response"),
    "two lengths": ((COUNTED.replace(b"\r\n\r\n", b"\r\nContent-Length: 6\r\n\r\n"),), stay, ProtocolError, "differ"),
    "another protocol": ((b"HTTP/1.1 101 Switching\r\nUpgrade: a\r\n\r\n",), stay, ProtocolError, "another protocol"),
    "hints without end": ((b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40,), stay, ProtocolError, "interim responses"),
    "a head without end": ((b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 12000,), stay, ProtocolError, "longer than"),
    "a coding": (
        (NDJSON.replace(b"Transfer", b"Content-Encoding: br\r\nTransfer"),),
        stay,
        ProtocolError,
        "none was asked for",
    ),
}


@pytest.mark.parametrize(("pieces", "leave", "kind", "said"), BEFORE.values(), ids=BEFORE)
async def test_what_goes_wrong_before_the_answer_is_raised_by_the_block(
    pieces: tuple[bytes, ...], leave: Leave, kind: type[Exception], said: str
) -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(*pieces)
        await leave(server)
        left.append("left")

    async with serving(serve) as served:
        with pytest.raises(RemoteError, match=said) as caught:
            async with served.chat():
                pytest.fail("the block must not begin")
        assert type(caught.value) is kind
        await wait_all_tasks_blocked()
        assert left == ["left"]


async def test_no_connection_is_an_error_of_its_own() -> None:
    async with serving() as served:
        with pytest.raises(ConnectError, match="nobody is left there"):
            async with served.chat():
                pytest.fail("the block must not begin")
