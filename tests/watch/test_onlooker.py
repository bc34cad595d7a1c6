"""Whose is what: requests, resumable streams and who reads them, questions of a WebSocket, and the page's names."""

from __future__ import annotations

import json
from base64 import b64decode
from itertools import count
from typing import Any

import pytest

from streamkit.http.listener import open_listeners
from streamkit.http.tls import TLSStream, throwaway_certificate
from streamkit.watch.lanes import Lanes, Mark
from streamkit.watch.moments import Moment, Sight
from tests.gateway.peers import answer, connected
from tests.gateway.readers import Client, Server
from tests.gateway.websocket_peers import Hand, close_of, opening
from tests.gateway.websocket_stand import QUESTION
from tests.watch.stand import CHAT, ENVELOPE, REQUEST, WatchStand, asking, watching

WORDS = "The weather is fine today, and it will stay so."


def tail_of(row: dict[str, Any]) -> tuple[object, ...]:
    stream = row["stream"]
    return stream["is_live"], stream["outcome"], stream["is_resumable"]


async def begun(stand: WatchStand, *headers: str) -> tuple[str, Client]:
    """Begin a resumable stream; return where its events are, and the client that asked."""
    client = await stand.client()
    await client.send(asking("POST /streams", *headers, body=ENVELOPE))
    head = await client.head("POST")
    got, _ = await client.rest()
    assert head.status == 201, got
    return str(json.loads(got)["events"]), client


async def test_a_stream_is_seen_from_both_sides() -> None:
    async with watching({"say": WORDS}) as stand:
        _, got, _ = await stand.ask("POST /v1/chat/completions", "X-Streamkit-Watch: my_tag-1", body=CHAT)
        sight = await stand.sight()
        rows = await stand.rows(sight.record.number)
        for lane in ("upstream", "gateway"):
            marks = [row for row in rows if row["kind"] == "mark" and row["lane"] == lane]
            assert sum(mark["bytes"] for mark in marks) == len(got)
            for mark in marks:
                head, tail = b64decode(mark["head"]), b64decode(mark["tail"])
                assert got[mark["start"] : mark["start"] + len(head)] == head
                assert got[: mark["start"] + mark["bytes"]].endswith(tail)
        first, last = rows[0], rows[-1]["stream"]
        assert (first["tag"], first["is_live"], first["outcome"], first["status"]) == ("my_tag-1", False, "ok", 200)
        assert (last["reads"], last["writes"]) == (sight.reads, sight.writes)
        heads = [(row["lane"], row["status"], row["media_type"]) for row in rows if row["kind"] == "head"]
        assert heads == [("upstream", 200, "text/event-stream"), ("gateway", 200, "text/event-stream")]
        assert "watch" not in stand.mock.journal[0].head.lower()


@pytest.mark.parametrize("tag", ["", "a b", "<script>", "a" * 65, "ü"])
async def test_a_name_that_is_none_is_not_taken_and_goes_no_further(tag: str) -> None:
    async with watching({"say": WORDS}) as stand:
        await stand.ask("POST /v1/chat/completions", f"X-Streamkit-Watch: {tag}", body=CHAT)
        assert (await stand.sight()).tag == ""
        assert "watch" not in stand.mock.journal[0].head.lower()


@pytest.mark.parametrize("path", ["/_watch/", "/_watch", "/_watch/api/about", "/_watch/nothing", "/_gateway/stats"])
async def test_what_is_the_gateways_own_is_no_stream(path: str) -> None:
    async with watching() as stand:
        await stand.ask(f"GET {path}", *stand.page())
        await stand.ask("GET /v1/models")
        assert [each.record.target for each in await stand.seen()] == ["/v1/models"]


async def test_over_tls_the_same_is_seen_as_without() -> None:
    pytest.importorskip("trustme")
    certificate = throwaway_certificate()
    async with watching({"say": WORDS}, tls=certificate.context) as stand:
        stream = TLSStream(await connected(stand.port), certificate.client_context(), server_hostname="localhost")
        client = Client(stream)  # type: ignore[arg-type]  # which has all that is used of a socket
        _, got, ending = await client.ask(asking("POST /v1/chat/completions", body=CHAT))
        assert ending == "complete"
        sight = await stand.sight()
        lanes = Lanes(sight.method)
        marks = [row for each in sight.moments for row in lanes.feed(each) if isinstance(row, Mark)]
        for lane in ("upstream", "gateway"):
            assert sum(mark.bytes for mark in marks if mark.lane == lane) == len(got)
        stream.abort()


async def test_of_a_connection_that_is_kept_each_request_has_its_own() -> None:
    async with watching({"say": WORDS}) as stand:
        client = await stand.client()
        for tag in "ab":
            await client.ask(asking("POST /v1/chat/completions", f"X-Streamkit-Watch: {tag}", body=CHAT))
        first, second = await stand.seen(2)
        assert second.record.reused
        assert [sight.tag for sight in (first, second)] == ["a", "b"]
        for sight in (first, second):
            sent = [each.data for each in sight.moments if each.side == "upstream" and each.what == "sent"]
            assert b"".join(sent).count(b"POST /v1") == 1
            assert b"".join([each.data for each in sight.moments if each.what == "read"]).count(b"HTTP/1.1 200") == 1
        assert first.moments[0].connection == second.moments[0].connection


async def test_a_resumable_stream_has_those_who_read_it() -> None:
    async with watching({"say": WORDS, "gate": "held@token:2"}) as stand:
        events, _ = await begun(stand, "X-Streamkit-Watch: es")
        await stand.mock.gates.wait_for("held")
        (sight,) = stand.sights
        assert sight.is_live
        reader, other = await stand.client(), await stand.client()
        for client in (reader, other):
            await client.send(asking(f"GET {events}"))
            await client.head()
        await other.read(40)
        assert sight.visitors == 2
        await other.stream.aclose()
        await stand.until(lambda: sight.visitors == 1)
        stand.mock.gates.open("held")
        got, _ = await reader.rest()
        assert await stand.sight() is sight
        rows = await stand.rows(sight.record.number)
        marks = [row for row in rows if row["kind"] == "mark" and row["lane"] == "gateway"]
        by_connection: dict[int, int] = {}
        for mark in marks:
            by_connection[mark["connection"]] = by_connection.get(mark["connection"], 0) + mark["bytes"]
        assert by_connection[1] == len(got)  # 0 was the answer to the POST, which has no marks
        assert 40 <= by_connection[2] < len(got)
        assert tail_of(rows[-1]) == (False, "ok", True)
        assert (rows[0]["tag"], rows[0]["status"]) == ("es", 201)


async def test_a_resumable_stream_is_awaited_until_somebody_has_read_its_end() -> None:
    async with watching({"say": WORDS}) as stand:
        events, _ = await begun(stand)
        await stand.until(lambda: not next(iter(stand.sights)).is_live)  # before anybody has read any of it
        sight = await stand.sight()
        page = await stand.follow(f"streams/{sight.record.number}")
        assert (await stand.line(page))["is_live"] is False
        _, got, _ = await stand.ask(f"GET {events}")
        sizes = 0
        while (row := await stand.line(page))["kind"] != "end":
            sizes += row["bytes"] if row["kind"] == "mark" and row["lane"] == "gateway" else 0
        assert sizes == len(got)
        assert row["stream"]["ended_ns"] is not None
        assert await page.rest() == (b"", "complete")


async def test_an_unread_stream_is_awaited_no_longer_than_the_gateway_keeps_it() -> None:
    async with watching({"say": WORDS}, stream_grace_s=0.05) as stand:
        await begun(stand)
        sight = await stand.sight()
        assert tail_of((await stand.rows(sight.record.number))[-1]) == (False, "ok", True)


@pytest.mark.parametrize("has_reader", [True, False])
async def test_a_resumable_stream_that_is_cancelled_is_over(has_reader: bool) -> None:
    async with watching({"say": WORDS, "gate": "held@token:2"}) as stand:
        events, _ = await begun(stand)
        await stand.mock.gates.wait_for("held")
        reader = await stand.client()
        if has_reader:
            await reader.send(asking(f"GET {events}"))
            await reader.head()
        head, _, _ = await stand.ask(f"DELETE {events.removesuffix('/events')}")
        assert head.status == 204
        if has_reader:
            assert b"cancelled" in (await reader.rest())[0]
        sight = await stand.sight()  # and the DELETE is none of its own
        rows = await stand.rows(sight.record.number)
        assert rows[-1]["kind"] == "end"
        assert [row["how"] for row in rows if row["kind"] == "gone"] == ["abort"]


async def test_what_is_asked_about_a_stream_and_is_not_its_events_is_no_part_of_it() -> None:
    async with watching({"say": WORDS}) as stand:
        events, _ = await begun(stand)
        await stand.ask(f"GET {events}")
        sight = await stand.sight()
        moments = len(sight.moments)
        for line, status in ((f"GET {events.removesuffix('/events')}", 405), (f"HEAD {events}", 200)):
            assert (await stand.ask(line))[0].status == status
        assert len((await stand.sight()).moments) == moments
        assert len(stand.sights) == 1


async def test_what_became_of_a_resumable_stream_is_told() -> None:
    async with watching({"say": WORDS, "fault": "reset@token:2"}) as stand:
        events, _ = await begun(stand)
        await stand.ask(f"GET {events}")
        sight = await stand.sight()
        end = (await stand.rows(sight.record.number))[-1]["stream"]
        assert end["outcome"] == "upstream-cut"
        assert end["detail"]


@pytest.mark.parametrize("end", ["cut", "late", "cancelled", "given up"])
async def test_what_became_of_a_stream_that_nobody_read_is_told(end: str) -> None:
    mock = {"say": WORDS, "fault": "reset@token:2"} if end == "cut" else {"say": WORDS, "gate": "held@token:2"}
    options: dict[str, Any] = {"late": {"idle_timeout_s": 0.5}, "given up": {"stream_grace_s": 0.05}}.get(end, {})
    async with watching(mock, **options) as stand:
        events, _ = await begun(stand)
        if end == "cancelled":
            await stand.mock.gates.wait_for("held")
            await stand.ask(f"DELETE {events.removesuffix('/events')}")
        sight = await stand.sight()
        await stand.until(lambda: sight.failure is not None)
        page = await stand.follow()
        row = await stand.line(page)
        outcome = {"cut": "upstream-cut", "late": "timeout"}.get(end, "client-left")
        assert (row["is_live"], row["outcome"], row["status"]) == (False, outcome, 201)
        assert {"cancelled": "cancelled", "given up": "nobody read"}.get(end, "") in row["detail"] != ""


async def test_who_comes_too_late_or_may_not_changes_nothing_of_a_stream() -> None:
    async with watching({"say": WORDS}, api_key="secret") as stand:
        key = "Authorization: Bearer secret"
        events, _ = await begun(stand, key)
        path = events.removesuffix("/events")
        await stand.until(lambda: not next(iter(stand.sights)).is_live)
        sight = await stand.sight()
        awaited = sight.awaited_until_ns
        assert awaited > 0
        for line, *headers in ((f"DELETE {path}",), (f"GET {events}", "Host: evil.example")):
            assert (await stand.ask(line, *headers))[0].status >= 400
        assert (sight.is_read, sight.awaited_until_ns) == (False, awaited)
        await stand.ask(f"GET {events}")
        for line, status in ((f"DELETE {path}", 204), (f"GET {events}", 404)):
            assert (await stand.ask(line, key))[0].status == status
        assert sight.awaited_until_ns == 0
        assert tail_of((await stand.rows(sight.record.number))[-1]) == (False, "ok", True)


@pytest.mark.parametrize("goes_on", [False, True])
async def test_a_websocket_that_is_closed_behind_a_cancelled_answer(goes_on: bool) -> None:
    async with watching({"say": WORDS, "gate": "held@token:2"}) as stand:
        hand = Hand((await stand.client()).stream)
        await hand.send(opening(Host="127.0.0.1"))
        await hand.head()
        await hand.ask(QUESTION)
        await stand.mock.gates.wait_for("held")
        await hand.ask('{"cancel": true}')
        await hand.until("error")
        if goes_on:
            stand.mock.gates.open("held")
            await hand.ask(QUESTION)
            await hand.until("end")
        await hand.send(close_of(1000))
        await hand.end()
        record = (await stand.sight()).record
        expected = ("ok", "") if goes_on else ("client-left", "the client has cancelled the answer")
        assert (record.outcome, record.detail) == expected


async def test_a_question_that_is_refused_makes_no_stream_that_goes_on() -> None:
    async with watching({"fault": "status:500"}) as stand:
        head, _, _ = await stand.ask("POST /streams", body=ENVELOPE)
        assert head.status == 500
        sight = await stand.sight()
        assert (sight.stream_id, sight.record.status) == ("", 500)


async def test_two_questions_of_a_websocket_are_one_stream() -> None:
    async with watching({"say": WORDS}) as stand:
        hand = Hand((await stand.client()).stream)
        await hand.send(opening(Host="127.0.0.1").replace(b"GET /ws ", b"GET /ws?watch=socket "))
        assert "101" in await hand.head()
        count = 0
        for _ in range(2):
            await hand.ask(QUESTION)
            count += len(await hand.until("end"))
        await hand.send(close_of(1000))
        await hand.end()
        sight = await stand.sight()
        assert sight.tag == "socket"
        assert len(stand.mock.journal) == 2
        rows = await stand.rows(sight.record.number)
        marks = [row for row in rows if row["kind"] == "mark"]
        assert [mark["records"] for mark in marks if mark["lane"] == "gateway"][-1] == count
        assert [row["status"] for row in rows if row["kind"] == "head"] == [101, 200, 200]
        upstream = [mark for mark in marks if mark["lane"] == "upstream"]
        assert [mark["n"] for mark in upstream] == [*range(len(upstream))]
        assert {mark["connection"] for mark in upstream} == {0}  # the second went over the kept connection
        assert sum(mark["bytes"] for mark in upstream) == upstream[-1]["start"] + upstream[-1]["bytes"]


async def test_a_mistake_of_ours_ends_the_looking_and_not_the_stream(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Sight.see
    calls = count(1)

    def see(sight: Sight, moment: Moment) -> None:
        if next(calls) == 2:
            raise MemoryError
        seen(sight, moment)

    async with watching({"say": WORDS}) as stand:
        monkeypatch.setattr(Sight, "see", see)
        _, got, ending = await stand.ask("POST /v1/chat/completions", body=CHAT)
        assert ending == "complete"
        assert got.endswith(b"data: [DONE]\n\n")
        sight = await stand.sight()
        assert (len(sight.moments), sight.lost_moments, sight.record.outcome) == (1, 1, "ok")
    assert [each.getMessage() for each in caplog.records] == ["a stream is not seen any more"]


async def test_a_request_that_is_sent_again_is_one_stream() -> None:
    (listener,) = await open_listeners(0)
    async with listener, watching(url=f"http://127.0.0.1:{listener.port}", speaks="") as stand:
        client = await stand.client()
        await client.send(asking("GET /one"))
        server = Server(await listener.accept())
        await server.request()
        await server.send(answer(b"one"))
        await client.head()
        await client.rest()
        await client.send(asking("GET /two"))
        await server.request()
        server.stream.abort()  # as a server does that was about to close
        again = Server(await listener.accept())
        await again.request()
        await again.send(answer(b"two"))
        await client.head()
        assert await client.rest() == (b"two", "complete")
        _, sight = await stand.seen(2)
        assert sight.record.retries == 1
        rows = await stand.rows(sight.record.number)
        assert [row["how"] for row in rows if row["kind"] == "gone"] == ["reset"]
        assert [(row["lane"], row["connection"]) for row in rows if row["kind"] == "mark"] == [
            ("upstream", 1),
            ("gateway", 0),
        ]
        again.stream.abort()


async def test_a_resumable_stream_that_is_asked_twice_lives_until_the_second_answer_is_over() -> None:
    """A model that cannot think refuses whoever asks it to, and is asked once more without."""
    envelope = json.dumps({"dialect": "openai-chat", "request": {**REQUEST, "reasoning_effort": "low"}}).encode()
    (listener,) = await open_listeners(0)
    async with listener, watching(url=f"http://127.0.0.1:{listener.port}", speaks="ollama-chat") as stand:
        client = await stand.client()
        await client.send(asking("POST /streams", body=envelope))
        server = Server(await listener.accept())
        await server.request()
        await server.send(answer(b'{"error":"\\"m\\" does not support thinking"}', status="400 Bad Request"))
        await server.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
        await server.send(head + b'{"model":"m","message":{"role":"assistant","content":"a"},"done":false}\n')
        assert (await client.head()).status == 201
        await client.rest()
        await stand.until(lambda: next(iter(stand.sights)).is_answered)
        (sight,) = stand.sights
        assert sight.is_live
        await server.send(b'{"model":"m","message":{"role":"assistant","content":""},"done":true}\n')
        await server.stream.aclose()
        assert await stand.sight() == sight
