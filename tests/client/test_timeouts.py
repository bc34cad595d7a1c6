"""Each limit by itself, in virtual time: what it counts from, what it counts to, and which error it is."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamkit.client.own import HTTPTransport
from streamkit.client.timeouts import GRACE_S, Deadlines, Timeouts
from streamkit.dialects.events import End, Event, Finish, PartStart, Ping, Reasoning, Start, Text, ToolArgs, Usage
from streamkit.errors import (
    ConfigError,
    ConnectTimeout,
    DecodeError,
    FirstTokenTimeout,
    IdleTimeout,
    StatusError,
    StreamTimeout,
    TotalTimeout,
)
from streamkit.http.memory import MemoryStream
from streamkit.http.stream import TimedRead
from tests.client.peers import DONE, HEL, LAST, LO, NDJSON, ROLE, SSE, Server, chunk, serving

PING = b": still here\n\n"
HELLO = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
OPENAI_ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
OPENAI_DONE = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def at(*steps: tuple[float, bytes]) -> Callable[[Server], Awaitable[None]]:
    """What sends each piece at its time after the request, and then stays silent."""

    async def serve(server: Server) -> None:
        await server.request()
        began = trio.current_time()
        for second, piece in steps:
            await trio.sleep_until(began + second)
            await server.send(piece)
        await server.left()

    return serve


async def timing(
    serve: Callable[[Server], Awaitable[None]], timeouts: Timeouts, dialect: str = "ollama-chat"
) -> tuple[list[Event], StreamTimeout | None, float]:
    """Return what came, the error, and the time that it took."""
    events: list[Event] = []
    async with serving(serve) as served:
        began = trio.current_time()
        try:
            async with served.chat(timeouts=timeouts, dialect=dialect) as chat:
                while True:
                    events += await chat.receive_batch()
        except trio.EndOfChannel:
            return events, None, trio.current_time() - began
        except StreamTimeout as error:
            return events, error, trio.current_time() - began


ANSWER = ((1, NDJSON), (2, chunk(ROLE)), (5, chunk(HEL)), (7, chunk(LO)), (10, chunk(DONE) + LAST))

LIMITS = {
    "none": (ANSWER, {}, None, 10),
    "first token, before the head": (ANSWER, {"first_token_s": 0.5}, FirstTokenTimeout, 0.5),
    "first token, before the body": (ANSWER, {"first_token_s": 1.5}, FirstTokenTimeout, 1.5),
    "first token, the role is none": (ANSWER, {"first_token_s": 4.5}, FirstTokenTimeout, 4.5),
    "first token in time": (ANSWER, {"first_token_s": 5.5}, None, 10),
    "idle, in the middle": (ANSWER, {"idle_s": 2.5, "first_token_s": 6}, IdleTimeout, 9.5),
    "idle, from the request on": (ANSWER, {"idle_s": 0.5}, IdleTimeout, 0.5),
    "idle, before the first token": (ANSWER, {"idle_s": 2.5}, IdleTimeout, 4.5),
    "idle long enough": (ANSWER, {"idle_s": 3.5}, None, 10),
    "total, before the head": (ANSWER, {"total_s": 0.5}, TotalTimeout, 0.5),
    "total, in the middle": (ANSWER, {"total_s": 6}, TotalTimeout, 6),
    "total before first token": (ANSWER, {"total_s": 3, "first_token_s": 4}, TotalTimeout, 3),
    "first token before total": (ANSWER, {"total_s": 4, "first_token_s": 3}, FirstTokenTimeout, 3),
    "total long enough": (ANSWER, {"total_s": 10.5}, None, 10),
    "a finish is as good as a token": (((1, NDJSON), (2, chunk(DONE) + LAST)), {"first_token_s": 2.5}, None, 2),
}


@pytest.mark.parametrize(("steps", "limits", "kind", "seconds"), LIMITS.values(), ids=LIMITS)
async def test_a_limit_counts_from_and_to_what_it_says(
    autojump_clock: MockClock,
    steps: tuple[tuple[float, bytes], ...],
    limits: dict[str, float],
    kind: type[StreamTimeout] | None,
    seconds: float,
) -> None:
    events, error, took_s = await timing(at(*steps), Timeouts(**limits))
    assert (None if error is None else type(error)) is kind
    assert took_s == pytest.approx(seconds, abs=0.01)
    if error is None:
        assert isinstance(events[-1], End)
    else:
        assert not any(isinstance(event, (End, Finish)) for event in events)
        assert error.limit_s in limits.values()


@pytest.mark.parametrize("piece", [PING, OPENAI_ROLE], ids=["ping", "role"])
async def test_what_is_no_token_shows_that_the_server_lives_and_no_more(
    autojump_clock: MockClock, piece: bytes
) -> None:
    steps = [(0.0, SSE), *((float(second), chunk(piece)) for second in range(1, 20)), (20.0, chunk(HELLO))]
    events, error, took_s = await timing(at(*steps), Timeouts(first_token_s=9.5), "openai-chat")
    assert isinstance(error, FirstTokenTimeout)
    assert took_s == pytest.approx(9.5, abs=0.01)
    assert len([event for event in events if isinstance(event, Ping)]) == (9 if piece is PING else 0)
    _, error, took_s = await timing(at(*steps), Timeouts(idle_s=2.5), "openai-chat")
    assert isinstance(error, IdleTimeout)
    assert took_s == pytest.approx(22.5, abs=0.01)


async def test_the_limit_of_a_connection_has_an_error_of_its_own(autojump_clock: MockClock) -> None:
    closed: list[bool] = []

    async def dial() -> MemoryStream:
        try:
            await trio.sleep_forever()
        finally:
            closed.append(True)
        raise AssertionError

    async with serving() as served:
        with pytest.raises(ConnectTimeout, match=re.escape("within 10 s")):
            async with served.chat(transport=HTTPTransport(dial=lambda _: dial)):
                pytest.fail("the block must not begin")
        assert trio.current_time() == pytest.approx(10, abs=0.01)
        with pytest.raises(TotalTimeout):
            async with served.chat(transport=HTTPTransport(dial=lambda _: dial), timeouts=Timeouts(total_s=3)):
                pytest.fail("the block must not begin")
    assert trio.current_time() == pytest.approx(13, abs=0.01)
    assert closed == [True, True]


async def test_the_time_to_connect_is_none_of_the_first_tokens(autojump_clock: MockClock) -> None:
    async with serving(at((1, NDJSON), (2, chunk(HEL)), (3, chunk(DONE) + LAST))) as served:
        served.connect_s = 8
        async with served.chat(timeouts=Timeouts(first_token_s=2.5)) as chat:
            assert isinstance([event async for event in chat][-1], End)
    assert trio.current_time() == pytest.approx(11, abs=0.01)


async def test_a_slow_reader_is_not_a_silent_server(autojump_clock: MockClock) -> None:
    limits = Timeouts(first_token_s=3, idle_s=3)
    serve = at((1, NDJSON), (2, chunk(HEL)), (3, chunk(LO)), (4, chunk(DONE) + LAST))
    async with serving(serve) as served, served.chat(timeouts=limits) as chat:
        await trio.sleep(60)  # the first token came in time: only we did not look
        events = []
        async for event in chat:
            events.append(event)
            await trio.sleep(60)
    assert [event.text for event in events if isinstance(event, Text)] == ["Hel", "lo"]
    assert isinstance(events[-1], End)


async def test_a_chat_that_took_too_long_is_closed_and_stays_failed(autojump_clock: MockClock) -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(HEL))
        left.append(await server.left())

    async with serving(serve) as served:
        async with served.chat(timeouts=Timeouts(idle_s=2)) as chat:
            await chat.receive_batch()
            with pytest.raises(IdleTimeout):
                await anext(chat)
            with pytest.raises(IdleTimeout):
                await anext(chat)
            assert trio.current_time() == pytest.approx(2, abs=0.01)
            assert chat.message.error is not None
            assert chat.message.error.type == "idle"
        await wait_all_tasks_blocked()
        assert left == ["reset"]


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [({}, 10), ({"first_token_s": 3}, 3), ({"idle_s": 3}, 5), ({"total_s": 3}, 3), ({"total_s": 30}, 10)],
    ids=str,
)
async def test_a_refusal_that_never_ends_is_told_in_time(
    autojump_clock: MockClock, limits: dict[str, float], seconds: float
) -> None:
    head = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 500\r\nRetry-After: 7\r\n\r\n"
    async with serving(at((0, head + b'{"error":'), (2, b'"slow down'))) as served:
        with pytest.raises(StatusError, match="429") as caught:
            async with served.chat(timeouts=Timeouts(**limits)):
                pytest.fail("the block must not begin")
    assert caught.value.retry_after_s == 7
    assert "slow down" in caught.value.message
    assert trio.current_time() == pytest.approx(seconds, abs=0.01)


INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"


async def test_a_head_that_comes_in_pieces_is_no_silence(autojump_clock: MockClock) -> None:
    head = [(2.0 * number, piece) for number, piece in enumerate([INTERIM, INTERIM, NDJSON[:9], NDJSON[9:]], 1)]
    _, error, took_s = await timing(at(*head, (10, chunk(DONE) + LAST)), Timeouts(idle_s=2.5))
    assert error is None
    assert took_s == pytest.approx(10, abs=0.01)
    _, error, took_s = await timing(at(*head), Timeouts(idle_s=2.5))
    assert isinstance(error, IdleTimeout)
    assert took_s == pytest.approx(8 + 2.5, abs=0.01)


async def test_a_document_that_comes_in_pieces_is_no_silence(autojump_clock: MockClock) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n"
    steps = [(0.0, head), *((float(second), b" ") for second in (2, 4, 6, 8)), (10.0, b"[1]")]
    with pytest.raises(DecodeError, match="one document"):
        await timing(at(*steps), Timeouts(idle_s=2.5), "openai-chat")


@pytest.mark.parametrize(
    ("limits", "kind", "seconds"),
    [({"first_token_s": 0.5}, FirstTokenTimeout, 0.5), ({"total_s": 2}, TotalTimeout, 2)],
    ids=str,
)
async def test_a_server_that_never_pauses_does_not_outlast_a_limit(
    autojump_clock: MockClock, limits: dict[str, float], kind: type[StreamTimeout], seconds: float
) -> None:
    async def serve(server: Server) -> None:
        await server.request()
        await server.send(SSE, *([chunk(PING)] * 500), chunk(OPENAI_DONE) + LAST)
        await server.left()

    def takes_a_while(_: TimedRead) -> None:
        autojump_clock.jump(0.01)

    async with serving(serve) as served:
        with pytest.raises(kind):
            async with served.chat(dialect="openai-chat", timeouts=Timeouts(**limits), on_read=takes_a_while) as chat:
                assert [event async for event in chat]
    assert trio.current_time() == pytest.approx(seconds + GRACE_S, abs=0.03)


async def test_what_came_in_time_is_read_however_slowly(autojump_clock: MockClock) -> None:
    deadlines = Deadlines(Timeouts(total_s=1))
    deadlines.sending()
    for _ in range(100):
        await trio.sleep(60)
        with deadlines.waiting():
            autojump_clock.jump(GRACE_S / 100.5)
    with pytest.raises(TotalTimeout), deadlines.waiting():
        await trio.sleep_forever()
    with pytest.raises(TotalTimeout), deadlines.waiting():
        pytest.fail("there is no grace left")


NO_TOKENS: list[Event] = [Start(), PartStart(0, "text"), Text(0, ""), Reasoning(0, ""), Usage(input_total=7), Ping()]
TOKENS: list[Event] = [Text(0, "a"), Reasoning(0, "a"), PartStart(0, "tool"), ToolArgs(0, "{}"), Finish("stop")]


@pytest.mark.parametrize(
    "events", [NO_TOKENS, *([*NO_TOKENS, token] for token in TOKENS)], ids=lambda events: type(events[-1]).__name__
)
async def test_what_is_a_token_and_what_is_none(autojump_clock: MockClock, events: list[Event]) -> None:
    deadlines = Deadlines(Timeouts(first_token_s=1, idle_s=5))
    deadlines.sending()
    deadlines.saw(events)
    with pytest.raises(IdleTimeout if events[-1] in TOKENS else FirstTokenTimeout), deadlines.waiting():
        await trio.sleep_forever()


@pytest.mark.parametrize("name", ["connect_s", "first_token_s", "idle_s", "total_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_is_more_than_nothing(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        Timeouts(**{name: value})
