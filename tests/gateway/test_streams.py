"""Resumable streams over HTTP: how they begin, how they are read, how they end, and what is refused."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing

from streamkit.http.limits import Limits
from streamkit.http.redact import redacted_target
from tests.gateway.streaming import ENVELOPE, REQUEST, RETRY, events_of, in_memory, on_sockets, text_of, wire

WORDS = "The weather is fine today, and it will stay so."

GATES = [f"t{number}@token:{number}" for number in range(1, 6)]


async def test_a_stream_is_asked_once_and_read_to_its_end() -> None:
    async with on_sockets({"say": WORDS}) as place:
        stream_id = await place.post()
        got = await place.read(stream_id)
        events = events_of(got)
        assert [number for number, _ in events] == [*range(1, len(events) + 1)]
        assert events[0][1]["streamkit"] == "start"
        assert events[-1][1]["streamkit"] == "end"
        assert text_of(got) == WORDS
        assert await place.read(stream_id) == got  # as long as it is kept, byte for byte
        assert len(place.mock.journal) == 1
        assert place.mock.journal[0].outcome == "complete"


async def test_each_token_is_at_the_reader_before_the_next_one_leaves_the_upstream() -> None:
    async with on_sockets({"tokens": 6, "gate": GATES}) as place:
        client = await place.begin(await place.post())
        got = b""
        for number in range(1, 6):
            await place.mock.gates.wait_for(f"t{number}")
            while len([1 for _, event in events_of(got) if event["streamkit"] == "text"]) < number:
                got += await client.read(1)
            place.mock.gates.open(f"t{number}")
        rest, ending = await client.rest()
        assert ending == "complete"
        assert events_of(got + rest)[-1][1]["streamkit"] == "end"


async def test_the_post_is_answered_with_the_head_of_the_answer() -> None:
    async with on_sockets({"gate": "held@before-head"}) as place, trio.open_nursery() as nursery:
        answered: list[str] = []

        async def post() -> None:
            answered.append(await place.post())

        nursery.start_soon(post)
        await place.mock.gates.wait_for("held")
        assert answered == []
        place.mock.gates.open("held")


async def test_frames_of_one_read_come_in_one_write() -> None:
    async with in_memory({"say": WORDS, "gate": "held@after-head", "writes": "joined"}) as place:
        client = await place.begin(await place.post())
        await place.mock.gates.wait_for("held")
        place.mock.gates.open("held")
        read = (await client.stream.receive()).data  # in memory a write is a read
        assert len(events_of(read)) > 3


@pytest.mark.parametrize("how", ["header", "query"])
async def test_who_comes_back_goes_on_behind_the_last_event(how: str) -> None:
    async with on_sockets({"say": WORDS}) as place:
        stream_id = await place.post()
        whole = await place.read(stream_id)
        last = events_of(whole)[-1][0]
        for number in range(last):
            behind = whole[whole.index(b"id: %d\n" % (number + 1)) :]
            if how == "header":
                got = await place.read(stream_id, number)
            else:
                line = f"GET /streams/{stream_id}/events?a=b&last-event-id={number}"
                head, body = await place.ask(line)
                assert head.status == 200
                got = body.removeprefix(RETRY)
            assert got == behind
        assert await place.status(f"GET /streams/{stream_id}/events", f"Last-Event-ID: {last}") == 204
        assert await place.status(f"GET /streams/{stream_id}/events?last-event-id={last}") == 204


async def test_the_header_goes_before_the_query() -> None:
    async with on_sockets() as place:
        stream_id = await place.post()
        last = events_of(await place.read(stream_id))[-1][0]
        line = f"GET /streams/{stream_id}/events?last-event-id=1"
        assert await place.status(line, f"Last-Event-ID: {last}") == 204


@pytest.mark.parametrize("given", ["x", "-1", "01", "1.0", "1, 2", "99", "999999999999999999999", "١", "1\u00a0"])
async def test_an_id_that_is_none_of_the_stream_is_gone(given: str) -> None:
    async with in_memory() as place:
        stream_id = await place.post()
        head, body = await place.ask(f"GET /streams/{stream_id}/events", f"Last-Event-ID: {given}")
        assert head.status == 410
        assert json.loads(body)["error"]["message"]
        assert (await place.record(2)).outcome == "refused"


async def test_a_running_stream_that_the_reader_has_all_of_goes_on() -> None:
    async with on_sockets({"tokens": 4, "gate": "held@token:2"}) as place:
        stream_id = await place.post()
        await place.mock.gates.wait_for("held")
        client = await place.begin(stream_id)
        got = b""
        while len(events_of(got)) < 4:
            got += await client.read(1)
        client.stream.abort()
        again = await place.begin(stream_id, 4)
        place.mock.gates.open("held")
        rest, ending = await again.rest()
        assert ending == "complete"
        assert rest.startswith(b"id: 5\n")


async def test_two_readers_each_get_all_of_it() -> None:
    async with on_sockets({"tokens": 6, "gate": "held@token:3"}) as place:
        stream_id = await place.post()
        first = await place.begin(stream_id)
        await place.mock.gates.wait_for("held")
        second = await place.begin(stream_id)
        place.mock.gates.open("held")
        assert await first.rest() == await second.rest()
        assert len(place.mock.journal) == 1


async def test_heartbeats_cross_as_comments() -> None:
    async with on_sockets({"say": WORDS, "fault": ["ping@token:2", "comment:still here@token:3"]}) as place:
        got = await place.read(await place.post())
        assert b"\n\n: still here\n\n" in got
        assert text_of(got) == WORDS


@pytest.mark.parametrize(
    ("fault", "kind"), [("reset@token:2", ""), ("end@token:2", "truncated"), ("error:too much@token:2", "")]
)
async def test_an_answer_that_fails_ends_with_its_error_and_is_over(fault: str, kind: str) -> None:
    async with on_sockets({"tokens": 5, "fault": fault}) as place:
        stream_id = await place.post()
        got = await place.read(stream_id)
        events = events_of(got)
        number, error = events[-1]
        assert error["streamkit"] == "error"
        assert not kind or error["type"] == kind
        assert "end" not in [event["streamkit"] for _, event in events]
        assert len([1 for _, event in events if event["streamkit"] == "text"]) == 2
        assert await place.status(f"GET /streams/{stream_id}/events", f"Last-Event-ID: {number}") == 204


@pytest.mark.parametrize(
    ("fault", "status", "outcome"),
    [
        ("status:429:7", 429, "ok"),
        ("status:401", 401, "ok"),
        ("status:500", 500, "ok"),
        ("reset@before-head", 502, "upstream-cut"),
    ],
)
async def test_what_the_upstream_refuses_is_refused_to_the_post(fault: str, status: int, outcome: str) -> None:
    async with on_sockets({"fault": fault}) as place:
        head, body = await place.ask("POST /streams", body=ENVELOPE)
        assert head.status == status
        assert json.loads(body)["error"]["message"]
        assert head.get("retry-after") == ("7" if status == 429 else None)
        assert (await place.record(1)).outcome == outcome
        assert place.streams.open == place.streams.begun == 0


async def test_an_upstream_that_does_not_answer_is_a_timeout(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory({"gate": "held@before-head"}, head_timeout_s=5) as place:
        assert await place.status("POST /streams", body=ENVELOPE) == 504
        assert trio.current_time() == pytest.approx(5, abs=1)
        assert (await place.record(1)).outcome == "timeout"
        await place.over()
        assert place.streams.open == 0


async def test_a_client_that_leaves_before_the_answer_begins_takes_the_question_with_it() -> None:
    async with on_sockets({"gate": "held@before-head"}) as place:
        client = await place.client()
        await client.send(wire("POST /streams", body=ENVELOPE))
        await place.mock.gates.wait_for("held")
        client.stream.abort()
        await place.over()
        assert place.mock.journal[0].left is not None
        assert (await place.record(1)).outcome == "client-left"
        assert place.streams.open == 0


BAD: list[tuple[object, int]] = [
    (b"", 400),
    (b"{", 400),
    ([], 400),
    ({}, 400),
    ({"dialect": "klingon", "request": {}}, 400),
    ({"dialect": "openai-chat"}, 400),
    ({"dialect": "openai-chat", "request": []}, 400),
    ({"dialect": "openai-chat", "request": {"model": "m", "messages": "x"}}, 400),
    (b"x" * 2000, 413),
]


@pytest.mark.parametrize(("body", "status"), BAD)
async def test_what_is_no_envelope_is_refused(body: object, status: int) -> None:
    async with in_memory(limits=Limits(max_body_bytes=1000)) as place:
        head, got = await place.ask("POST /streams", body=body)
        assert head.status == status
        assert json.loads(got)["error"]["message"]
        assert (await place.record(1)).outcome == ("bad-request" if status == 413 else "refused")
        assert len(place.mock.journal) == 0


@pytest.mark.parametrize(
    ("line", "status", "allow"),
    [
        ("GET /streams", 405, "POST"),
        ("PUT /streams", 405, "POST"),
        ("POST /streams/{id}/events", 405, "GET, HEAD"),
        ("DELETE /streams/{id}/events", 405, "GET, HEAD"),
        ("GET /streams/{id}", 405, "DELETE"),
        ("POST /streams/{id}", 405, "DELETE"),
        ("GET /streams/", 404, None),
        ("GET /streams/{id}/other", 404, None),
        ("GET /streams/{id}/events/", 404, None),
        ("GET /streams/AAAAAAAAAAAAAAAAAAAAAA/events", 404, None),
        ("GET /streams//events", 404, None),
        ("DELETE /streams/AAAAAAAAAAAAAAAAAAAAAA", 404, None),
    ],
)
async def test_other_methods_and_paths_are_refused(line: str, status: int, allow: str | None) -> None:
    async with in_memory() as place:
        stream_id = await place.post()
        head, _ = await place.ask(line.format(id=stream_id))
        assert (head.status, head.get("allow")) == (status, allow)
        assert (await place.record(2)).outcome == "refused"


async def test_a_head_request_gets_the_head_and_is_no_reader(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory(stream_grace_s=10) as place:
        stream_id = await place.post()
        await trio.sleep(6)
        head, body = await place.ask(f"HEAD /streams/{stream_id}/events")
        assert (head.status, head.get("content-type"), body) == (200, "text/event-stream", b"")
        assert await place.status(f"HEAD /streams/{stream_id}/events", "Last-Event-ID: 999") == 410
        await trio.sleep(6)
        assert await place.status(f"HEAD /streams/{stream_id}/events") == 404


async def test_what_is_deleted_ends_with_an_error_and_is_over() -> None:
    async with on_sockets({"tokens": 5, "gate": "held@token:2"}) as place:
        stream_id = await place.post()
        client = await place.begin(stream_id)
        await place.mock.gates.wait_for("held")
        assert await place.status(f"DELETE /streams/{stream_id}") == 204
        got, ending = await client.rest()
        assert ending == "complete"
        number, error = events_of(got)[-1]
        assert (error["streamkit"], error["error_code"]) == ("error", "cancelled")
        assert await place.status(f"GET /streams/{stream_id}/events", f"Last-Event-ID: {number}") == 204
        await place.over()
        assert place.mock.journal[0].left is not None
        assert await place.read(stream_id) == got
        assert await place.status(f"DELETE /streams/{stream_id}") == 204  # what is over is forgotten
        assert await place.status(f"GET /streams/{stream_id}/events") == 404


async def test_the_gateways_own_headers_and_what_was_dropped_are_told() -> None:
    async with on_sockets() as place:
        place.added = (("Access-Control-Allow-Origin", "https://app.example"),)
        asked = {"dialect": "anthropic", "request": {**REQUEST, "max_tokens": 5, "top_k": 3}}
        head, body = await place.ask("POST /streams", body=asked)
        assert (head.status, head.get("x-streamkit-dropped")) == (201, "top_k")
        document = json.loads(body)
        told = [head, (await place.ask(f"GET {document['events']}"))[0], (await place.ask("GET /streams"))[0]]
        assert [each.get("access-control-allow-origin") for each in told] == ["https://app.example"] * 3
        assert [each.get("cache-control") for each in told] == ["no-store"] * 3
        assert document["dialect"] == "json"


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with on_sockets() as place:
        client = await place.client()
        async with client.stream:
            head, body, _ = await client.ask(wire("POST /streams", body=ENVELOPE))
            assert head.get("connection") == "keep-alive"
            events = json.loads(body)["events"]
            head, got, ending = await client.ask(wire(f"GET {events}"))
            assert (head.status, ending) == (200, "complete")
            last = events_of(got)[-1][0]
            head, got, ending = await client.ask(wire(f"GET {events}", f"Last-Event-ID: {last}"))
            assert (head.status, got, ending) == (204, b"", "complete")
            head, _, _ = await client.ask(wire("GET /streams"))
            assert head.status == 405


async def test_http_1_0_gets_the_events_up_to_the_close() -> None:
    async with on_sockets({"say": WORDS}) as place:
        stream_id = await place.post()
        client = await place.client()
        async with client.stream:
            await client.send(f"GET /streams/{stream_id}/events HTTP/1.0\r\n\r\n".encode())
            head = await client.head()
            assert head.get("transfer-encoding") is None
            got, ending = await client.rest()
            assert ending == "closed"
            assert text_of(got) == WORDS


async def test_who_drains_takes_nothing_new_and_lets_the_rest_finish() -> None:
    async with on_sockets({"say": WORDS, "gate": "held@token:2"}) as place:
        stream_id = await place.post()
        client = await place.begin(stream_id)
        place.is_draining = True
        head, _ = await place.ask("POST /streams", body=ENVELOPE)
        assert (head.status, head.get("connection"), head.get("retry-after")) == (503, "close", "1")
        place.mock.gates.open("held")
        got, ending = await client.rest()
        assert (text_of(got), ending) == (WORDS, "complete")


async def test_stopping_aborts_upstream_and_readers() -> None:
    async with on_sockets({"tokens": 5, "gate": "held@token:2"}) as place:
        client = await place.begin(await place.post())
        await place.mock.gates.wait_for("held")
        place.nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            _, ending = await client.rest()
            assert ending == "reset"
            await place.over()
    assert place.mock.journal[0].outcome != "complete"
    assert place.streams.open == 0


async def test_an_id_is_not_written_down() -> None:
    async with in_memory() as place:
        stream_id = await place.post()
        for target in (f"/streams/{stream_id}/events", f"http://a/streams/{stream_id}/events?last-event-id=3"):
            shown = redacted_target(target)
            assert stream_id[:4] in shown
            assert stream_id[4:] not in shown
            assert shown.endswith(target[target.index("/events") :])
        assert redacted_target(f"/streams/{stream_id}") == f"/streams/{stream_id[:4]}[redacted]"
        assert redacted_target("/streams") == "/streams"


async def test_records_say_what_became_of_each_request() -> None:
    async with on_sockets({"tokens": 5, "gate": "held@token:2"}) as place:
        stream_id = await place.post()
        made = await place.record(1)
        assert (made.status, made.outcome, made.dialect, made.upstream_dialect) == (
            201,
            "ok",
            "openai-chat",
            "openai-chat",
        )
        assert made.head_ns is not None
        assert made.request_bytes == len(json.dumps(ENVELOPE))
        client = await place.begin(stream_id)
        await place.mock.gates.wait_for("held")
        client.stream.abort()
        left = await place.record(2)
        assert (left.status, left.outcome) == (200, "client-left")
        place.mock.gates.open("held")
        got = await place.read(stream_id)
        read = await place.record(3)
        assert (read.status, read.outcome, read.response_bytes) == (200, "ok", len(RETRY + got))
        assert read.first_ns is not None
        assert (place.streams.begun, place.streams.open, place.streams.abandoned) == (1, 1, 0)
