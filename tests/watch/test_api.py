"""What the page asks, and who may: the token, Host, Origin and key; lines that go on; bad requests."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import count

import pytest
import trio
import trio.testing

from streamkit.gateway.record import Record
from streamkit.http.clock import now_ns
from streamkit.watch import api, following, rows, sending
from streamkit.watch.moments import Moment, Sight
from streamkit.watch.rows import StreamRow
from streamkit.watch.sights import Sights
from tests.watch.stand import CHAT, ENVELOPE, asking, rows_in, watching

WORDS = "The weather is fine today."


@pytest.mark.parametrize("path", ["about", "clock", "streams", "streams/1", "streams/1/cassette", "mock"])
@pytest.mark.parametrize("token", [None, "", "wrong", "ü", "X-Streamkit-Token"])
async def test_nothing_is_told_without_the_pages_token(path: str, token: str | None) -> None:
    async with watching() as stand:
        headers = [] if token is None else [f"X-Streamkit-Token: {token}"]
        head, body, _ = await stand.ask(f"GET /_watch/api/{path}", *headers)
        assert head.status == 403
        assert stand.token not in body.decode()
        assert set(json.loads(body)) == {"error"}


async def test_the_mock_is_not_set_without_the_token() -> None:
    async with watching() as stand:
        head, _, _ = await stand.ask("PUT /_watch/api/mock", body=b"tokens=3")
        assert head.status == 403
        assert stand.mock.admin_pairs == []


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /_watch/api/", 404),
        ("GET /_watch/api/streams/0000000000000000001", 404),
        ("GET /_watch/api/nothing", 404),
        ("GET /_watch/api/about/", 404),
        ("GET /_watch/api/streams/999", 404),
        ("GET /_watch/api/streams/-1", 404),
        ("GET /_watch/api/streams/1e3", 404),
        ("GET /_watch/api/streams/%F0%9F%90%A2", 404),
        (f"GET /_watch/api/streams/{'9' * 5000}", 404),
        ("GET /_watch/api/streams/999/cassette", 404),
        ("GET /_watch/api/streams/1/other", 404),
        ("GET /_watch/api/streams/1/cassette/x", 404),
        ("GET /_watch/api/enter", 405),
        ("POST /_watch/api/about", 405),
        ("DELETE /_watch/api/streams/1", 405),
        ("HEAD /_watch/api/about", 405),
        ("PUT /_watch/api/streams", 405),
    ],
)
async def test_what_is_not_there_is_refused(line: str, status: int) -> None:
    async with watching() as stand:
        head, body, ending = await stand.ask(line, *stand.page())
        assert (head.status, ending) == (status, "complete")
        assert (head.get("allow") is not None) == (status == 405)
        assert line.startswith("HEAD") or json.loads(body)["error"]
        assert head.get("cache-control") == "no-store"
        assert head.get("x-content-type-options") == "nosniff"


WAYS = ["GET /_watch/", "GET /_watch", "GET /_watch/style.css", "GET /_watch/api/about", "POST /_watch/api/enter"]


@pytest.mark.parametrize("line", WAYS)
@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        (["Origin: https://evil.example"], "127.0.0.1", 403),
        (["Origin: http://127.0.0.1:1"], "127.0.0.1", 403),
        (["Origin: null"], "127.0.0.1", 403),
        (["Sec-Fetch-Site: cross-site"], "127.0.0.1", 403),
        ([], "rebound.example", 421),
        (["Origin: http://rebound.example"], "rebound.example", 421),
    ],
)
async def test_a_page_of_another_site_gets_nothing(line: str, headers: list[str], host: str, status: int) -> None:
    async with watching(cors_origins=frozenset({"https://friend.example"})) as stand:
        head, body, _ = await stand.ask(line, *stand.page(), *headers, host=host)
        if line == "GET /_watch" and "Origin: http://127.0.0.1:1" in headers:
            assert (head.status, body) == (308, b"")  # which says nothing
        else:
            assert head.status == status
        assert stand.token.encode() not in body
        assert head.get("access-control-allow-origin") is None


async def test_a_page_that_may_ask_the_gateway_may_not_look_on() -> None:
    friend = "Origin: https://friend.example"
    async with watching({"say": WORDS}, cors_origins=frozenset({"https://friend.example"})) as stand:
        assert (await stand.ask("POST /v1/chat/completions", friend, body=CHAT))[0].status == 200
        for line in ("POST /_watch/api/enter", "GET /_watch/api/streams", "GET /_watch/"):
            head, _, _ = await stand.ask(line, *stand.page(), friend)
            assert head.status == 403
        asked = [friend, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-streamkit-token"]
        head, _, _ = await stand.ask("OPTIONS /_watch/api/streams", *asked)
        assert head.status == 403
        assert head.get("access-control-allow-headers") is None


async def test_with_a_key_only_the_pages_files_are_open() -> None:
    async with watching(api_key="sesame") as stand:
        for path in ("/_watch/", "/_watch/style.css", "/_watch"):
            assert (await stand.ask(f"GET {path}"))[0].status in {200, 308}
        for line in ("POST /_watch/api/enter", "GET /_watch/api/about", "GET /_watch/none", "POST /_watch/"):
            for headers in ([], ["Authorization: Bearer wrong"], [f"X-Streamkit-Token: {stand.token}"]):
                head, body, _ = await stand.ask(line, *headers)
                assert head.status == 401
                assert stand.token.encode() not in body
        head, body = await stand.api("about")
        assert head.status == 200
        assert b"sesame" not in body


async def test_the_clock_is_the_one_of_the_marks() -> None:
    async with watching() as stand:
        before = now_ns()
        _, body = await stand.api("clock")
        times = json.loads(body)
        assert before <= times["received_ns"] <= times["sent_ns"] <= now_ns()


async def test_the_list_is_told_as_it_changes() -> None:
    async with watching({"say": WORDS, "gate": "held@token:2"}) as stand:
        page = await stand.follow()
        client = await stand.client()
        await client.send(asking("POST /v1/chat/completions", "X-Streamkit-Watch: t", body=CHAT))
        await client.head()
        row = await stand.line_of(page, lambda row: row["reads"] > 0)
        assert (row["tag"], row["is_live"], row["outcome"]) == ("t", True, "")
        await stand.mock.gates.wait_for("held")
        stand.mock.gates.open("held")
        await client.rest()
        row = await stand.line_of(page, lambda row: not row["is_live"])
        assert (row["outcome"], row["status"]) == ("ok", 200)


async def test_the_first_words_are_told_before_the_last_token_is_there() -> None:
    async with watching({"say": WORDS, "gate": "held@token:2"}) as stand:
        client = await stand.client()
        await client.send(asking("POST /v1/chat/completions", body=CHAT))
        await client.head()
        (sight,) = stand.sights
        page = await stand.follow(f"streams/{sight.record.number}")
        for lane in ("upstream", "gateway"):
            await stand.line_of(page, lambda row: row["kind"] == "mark" and row["lane"] == lane)  # noqa: B023 - at once
        await stand.mock.gates.wait_for("held")
        assert sight.is_live
        stand.mock.gates.open("held")
        await client.rest()
        await stand.line_of(page, lambda row: row["kind"] == "end")
        assert await page.rest() == (b"", "complete")


async def test_lines_of_http_1_0_end_with_the_connection() -> None:
    async with watching({"say": WORDS}) as stand:
        await stand.ask("POST /v1/chat/completions", body=CHAT)
        number = (await stand.sight()).record.number
        client = await stand.client()
        request = asking(f"GET /_watch/api/streams/{number}", *stand.page()).replace(b"HTTP/1.1", b"HTTP/1.0")
        _, body, ending = await client.ask(request)
        assert ending == "closed"
        assert rows_in(body)[-1]["kind"] == "end"


async def test_a_connection_serves_the_page_again_behind_a_stream_that_is_over() -> None:
    async with watching({"say": WORDS}) as stand:
        await stand.ask("POST /v1/chat/completions", body=CHAT)
        number = (await stand.sight()).record.number
        client = await stand.client()
        for _ in range(2):
            head, body, ending = await client.ask(asking(f"GET /_watch/api/streams/{number}", *stand.page()))
            assert (head.status, ending, rows_in(body)[-1]["kind"]) == (200, "complete", "end")


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_page_that_leaves_is_let_go(how: str) -> None:
    async with watching() as stand:
        page = await stand.follow()
        if how == "reset":
            page.stream.abort()
        else:
            await page.stream.aclose()
        records = stand.watched.gateway.records
        while not any(record.outcome == "client-left" for record in records):  # noqa: ASYNC110 - it has no event
            await trio.sleep(0.001)


async def test_a_page_that_is_gone_while_lines_are_on_their_way_is_let_go() -> None:
    async with watching({"say": WORDS * 400}) as stand:
        await stand.ask("POST /v1/chat/completions", body=CHAT)
        number = (await stand.sight()).record.number
        for _ in range(20):
            client = await stand.client(receive_bytes=2048)
            await client.send(asking(f"GET /_watch/api/streams/{number}", *stand.page()))
            await client.head()
            client.stream.abort()
        records = stand.watched.gateway.records
        asked = f"/_watch/api/streams/{number}"
        while sum(record.target == asked for record in records) < 20:  # noqa: ASYNC110 - it has no event
            await trio.sleep(0.001)
        assert {record.outcome for record in records if record.target == asked} <= {"client-left", "ok"}


@pytest.mark.parametrize("resumable", [False, True])
async def test_a_gateway_that_drains_tells_the_rest_of_what_it_still_sends(resumable: bool) -> None:
    async with watching({"say": WORDS, "gate": "held@token:2"}) as stand:
        client = await stand.client()
        if resumable:
            _, got, _ = await stand.ask("POST /streams", body=ENVELOPE)
            await client.send(asking(f"GET {json.loads(got)['events']}"))
        else:
            await client.send(asking("POST /v1/chat/completions", body=CHAT))
        await client.head()
        (sight,) = stand.sights
        page, news = await stand.follow(), await stand.follow(f"streams/{sight.record.number}")
        await stand.mock.gates.wait_for("held")
        stand.watched.gateway.drain()
        assert (await page.rest())[1] in {"reset", "cut"}  # so that nobody takes it for whole
        stand.mock.gates.open("held")
        got, ending = await client.rest()
        assert ending == "complete"
        told, ending = await news.rest()
        assert ending == "complete"
        rows = rows_in(told)
        assert sum(row["bytes"] for row in rows if row["kind"] == "mark" and row["lane"] == "gateway") == len(got)
        assert rows[-1]["kind"] == "end"
        await stand.watched.gateway.wait_done()


async def test_a_gateway_that_drains_waits_for_no_stream_that_nobody_reads() -> None:
    async with watching({"say": WORDS, "gate": "held@token:2"}) as stand:
        await stand.ask("POST /streams", body=ENVELOPE)
        (sight,) = stand.sights
        news = await stand.follow(f"streams/{sight.record.number}")
        await stand.mock.gates.wait_for("held")
        stand.watched.gateway.drain()
        assert (await news.rest())[1] in {"reset", "cut"}
        await stand.watched.gateway.wait_done()


async def test_a_page_that_does_not_read_costs_nothing_but_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FRAME_S", 0)
    async with watching({"say": WORDS * 2000, "rate": 0}) as stand:
        slow = await stand.client(receive_bytes=2048)
        await stand.ask("POST /v1/chat/completions", body=CHAT)
        number = (await stand.sight()).record.number
        await slow.send(asking(f"GET /_watch/api/streams/{number}", *stand.page()))
        await slow.head()
        _, got, ending = await stand.ask("POST /v1/chat/completions", body=CHAT)  # is not held up
        assert ending == "complete"
        assert got.endswith(b"data: [DONE]\n\n")
        body, ending = await slow.rest()
        assert (ending, rows_in(body)[-1]["kind"]) == ("complete", "end")


async def test_who_saves_and_does_not_read_holds_up_others_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "SAVE_WAIT_S", 0.1)
    async with watching({"say": "a b c", "fault": "oversized:8000000@token:1"}) as stand:
        await stand.ask("POST /v1/chat/completions", body=CHAT)
        path = f"streams/{(await stand.sight()).record.number}/cassette"
        stalled = [await stand.client(receive_bytes=2048) for _ in range(api.MAX_SAVING)]
        for client in stalled:
            await client.send(asking(f"GET /_watch/api/{path}", *stand.page()))
            await client.head()
        head, body = await stand.api(path)
        assert (head.status, head.get("retry-after")) == (503, "5")
        assert "try again" in json.loads(body)["error"]
        for client in stalled:
            client.stream.abort()
        monkeypatch.setattr(api, "SAVE_WAIT_S", 30)
        monkeypatch.setattr(sending, "TAKE_S", 0.1)
        slow = await stand.client(receive_bytes=2048)
        await slow.send(asking(f"GET /_watch/api/{path}", *stand.page()))
        await slow.head()
        await slow.stream.wait_reset()
        monkeypatch.setattr(sending, "TAKE_S", 30)
        assert (await stand.api(path))[0].status == 200


async def test_silence_is_broken_where_all_that_is_new_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PING_S", 0.1)
    sights = Sights()
    sight = sights.begin(Record(1, 0, "client", 1000), method="POST")
    sight.lost_moments = 1
    lines: list[bytes] = []
    is_enough = trio.Event()

    async def send(data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        lines.append(data)
        if len(lines) == 4:
            is_enough.set()

    async def go_on() -> None:
        while True:
            sight.see(Moment("upstream", "read", 0, 2000, b"x"))
            await trio.sleep(0.01)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_on)
            nursery.start_soon(following.follow_one, sights, sight, send)
            await is_enough.wait()
            nursery.cancel_scope.cancel()
    assert rows_in(b"".join(lines[1:])) == [{"kind": "ping"}] * (len(lines) - 1)


async def test_a_page_that_was_away_is_told_of_all_that_is_gone(autojump_clock: trio.testing.MockClock) -> None:
    sights = Sights(max_sights=10)
    numbers = count(1)

    def pass_by(many: int) -> None:
        for _ in range(many):
            sight = sights.begin(Record(next(numbers), 0, "client", 1000), method="POST")
            sight.is_live = False
            sight.change()

    listed: set[int] = set()
    calls = 0

    async def send(data: bytes) -> None:
        nonlocal calls
        calls += 1
        for row in rows_in(data):
            if row["kind"] == "stream":
                listed.add(row["number"])
            elif row["kind"] == "dropped":
                listed.remove(row["number"])
        await trio.lowlevel.checkpoint()
        if calls == 1:  # away; meanwhile many come and go
            pass_by(200)
            await trio.sleep(5)

    pass_by(10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(following.List(sights).follow, send)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert listed == {*range(201, 211)}


async def test_a_row_is_written_once_for_all_pages_and_they_are_told_more_rarely_where_there_are_many(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    made = 0

    def row_of(sight: Sight) -> StreamRow:
        nonlocal made
        made += 1
        return rows.row_of(sight)

    monkeypatch.setattr(following, "row_of", row_of)
    sights = Sights()
    live = [sights.begin(Record(number, 0, "client", 1000), method="POST") for number in range(200)]
    followed = following.List(sights)
    told = 0

    async def send(data: bytes) -> None:
        nonlocal told
        assert data.count(b"\n") <= following.TURN_ROWS
        told += data.count(b"\n")
        await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(followed.follow, send)
        for _ in range(100):
            for sight in live:
                sight.see(Moment("upstream", "read", 0, 2000, b"x"))
            await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert made <= 101 * 200
    # 10 s of them, and the list as it was at first.
    assert 10_000 < told < 200 * 100 + 14 * following.ROWS_PER_S


async def test_the_mock_is_set_for_the_next_request() -> None:
    async with watching() as stand:
        head, body = await stand.api("mock", "PUT", b"tokens=3; split=every-byte")
        assert head.status == 200
        assert json.loads(body)["settings"] == "tokens=3; split=every-byte"
        await stand.ask("POST /v1/chat/completions", body=CHAT)
        assert stand.mock.journal[-1].tokens == 3
        _, body = await stand.api("mock", "PUT")  # nothing: back to how it was started
        assert json.loads(body)["settings"] == ""


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        (b"tokens=many", 400),
        (b"no-such=1", 400),
        (b"tokens", 400),
        (b"tokens=3; fault=bogus", 400),
        (b"\xff\xfe", 400),
        (b"tokens=3\r\nrate=4", 400),
        (b"say=" + b"a" * 70_000, 413),
        (b"say=" + b"a" * (8 << 20), 413),
    ],
)
async def test_settings_that_are_wrong_change_nothing(settings: bytes, status: int) -> None:
    async with watching() as stand:
        await stand.api("mock", "PUT", b"tokens=2")
        client = await stand.client()
        request = asking("PUT /_watch/api/mock", *stand.page(), body=settings)
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                with suppress(trio.BrokenResourceError):  # it was refused before its end
                    await client.send(request)

            nursery.start_soon(send)
            head = await client.head("PUT")
            body, _ = await client.rest()
            nursery.cancel_scope.cancel()
        assert head.status == status
        assert json.loads(body)["error"]
        assert json.loads((await stand.api("mock"))[1])["settings"] == "tokens=2"


async def test_a_real_model_has_no_settings() -> None:
    async with watching(url="http://127.0.0.1:1", speaks="ollama-chat") as stand:
        assert (await stand.api("mock"))[0].status == 404
        assert (await stand.api("mock", "PUT", b"tokens=2"))[0].status == 404
        about = json.loads((await stand.api("about"))[1])
        assert (about["is_mock"], about["upstream"], about["speaks"]) == (False, "http://127.0.0.1:1", "ollama-chat")


async def test_an_upstream_that_is_gone_is_told() -> None:
    async with watching(url="http://127.0.0.1:1") as stand:
        head, _, _ = await stand.ask("POST /v1/chat/completions", body=CHAT)
        assert head.status == 502
        sight = await stand.sight()
        end = (await stand.rows(sight.record.number))[-1]["stream"]
        assert (end["outcome"], end["first_read_ns"]) == ("unreachable", None)
        assert end["detail"]
