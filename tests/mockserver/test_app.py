"""The whole server over in-memory streams and virtual time: every setting does what it says, to the nanosecond."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio

from mockserver.app import ServerConfig
from mockserver.config.scenarios import Scenarios
from mockserver.open import MemoryMock, open_mockserver_in_memory
from mockserver.plan import Asked, Plan, plan_of
from streamkit.dialects.convert import decoder_of
from streamkit.dialects.events import End, Error, Event, Finish, Text
from streamkit.http.clock import now_ns
from streamkit.http.limits import Limits
from streamkit.vendors.question import Question
from tests.mockserver.talk import Answer, ask, request_bytes

MS = 1_000_000
PATIENCE_S = 20

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Say it."}]}
STREAM = {**CHAT, "stream": True}


async def asked(
    memory: MemoryMock, path: str = "/v1/chat/completions", body: object = STREAM, mock: str = "", **more: object
) -> Answer:
    """Ask on a connection of its own."""
    stream = memory.connect()
    answer = await ask(stream, request_bytes(path, body, mock=mock, **more))  # type: ignore[arg-type]  # a test's own
    await stream.aclose()
    return answer


def events_of(answer: Answer, dialect: str = "openai-chat") -> list[Event]:
    decoder = decoder_of(dialect)
    return [*decoder.feed(answer.body), *decoder.finish()]


def text_of(answer: Answer, dialect: str = "openai-chat") -> str:
    return "".join(event.text for event in events_of(answer, dialect) if isinstance(event, Text))


async def test_the_same_seed_says_the_same_and_another_something_else(autojump_clock: trio.testing.MockClock) -> None:
    texts = []
    for seed in (1, 1, 2):
        async with open_mockserver_in_memory(ServerConfig(seed=seed, created_ns=0)) as memory:
            first, second = await asked(memory), await asked(memory)
            texts.append((first.body, second.body))
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    assert texts[0][0] != texts[0][1]  # an equal request later is another one, which the seed knows too


async def test_the_order_of_different_requests_changes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    other = {**STREAM, "messages": [{"role": "user", "content": "Other."}]}
    said = []
    for bodies in ((STREAM, other), (other, STREAM)):
        async with open_mockserver_in_memory(ServerConfig(seed=1, created_ns=0)) as memory:
            answers = {id(body): (await asked(memory, body=body)).body for body in bodies}
        said.append((answers[id(STREAM)], answers[id(other)]))
    assert said[0] == said[1]


async def test_tokens_come_at_the_rate_after_the_ttft(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ttft="50ms", rate=100, tokens=5) as memory:
        await asked(memory)
        entry = memory.mock.journal[-1]
    due = [((done.began_ns - entry.origin_ns) / MS, done.tokens) for done in entry.writes]
    head, role, *tokens, finish, terminator, last = due
    assert (head, role) == ((0, 0), (50, 0))
    assert tokens == [(50, 1), (60, 2), (70, 3), (80, 4), (90, 5)]
    assert (finish, terminator, last) == ((90, 5), (90, 5), (90, 5))
    assert entry.outcome == "complete"


async def test_an_early_start_is_there_before_the_first_token(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ttft="50ms", early_start=True, tokens=1) as memory:
        await asked(memory)
        entry = memory.mock.journal[-1]
    assert [(done.began_ns - entry.origin_ns) // MS for done in entry.writes[:3]] == [0, 0, 50]


async def test_heartbeats_come_while_nothing_else_does(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ttft="3.5s", heartbeat="1s", tokens=1) as memory:
        answer = await asked(memory)
        entry = memory.mock.journal[-1]
    assert answer.body.count(b": ping\n\n") == 3
    assert [(done.began_ns - entry.origin_ns) // MS for done in entry.writes[1:4]] == [1000, 2000, 3000]
    assert End() in events_of(answer)


async def test_a_document_comes_when_its_last_token_would(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ttft="50ms", rate=10, say="one two three") as memory:
        began_ns = now_ns()
        answer = await asked(memory, body=CHAT)
        took_ns = now_ns() - began_ns
    assert took_ns == 250 * MS
    value = answer.value
    assert isinstance(value, dict)
    assert value["choices"][0]["message"]["content"] == "one two three"
    assert value["usage"]["completion_tokens"] == 3


async def test_the_header_lies_on_the_admin_on_the_scenario_on_the_command_line(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scenarios = Scenarios.load_text('[[scenario]]\nname="x"\nwhen={model="m"}\nsay="scenario"')
    async with open_mockserver_in_memory(ServerConfig(scenarios=scenarios), say="command") as memory:
        other = {**STREAM, "model": "other"}
        assert text_of(await asked(memory, body=other)) == "command"
        assert text_of(await asked(memory)) == "scenario"
        assert memory.mock.journal[-1].scenario == "x"
        memory.mock.configure([("say", "admin")])
        assert text_of(await asked(memory)) == "admin"
        assert text_of(await asked(memory, mock="say=header")) == "header"


async def test_a_bad_header_is_told_in_the_vendors_form(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory() as memory:
        for path, body in (("/v1/chat/completions", STREAM), ("/api/chat", CHAT)):
            answer = await asked(memory, path, body, mock="rate=fast")
            assert answer.status == 400
            assert b"rate: 'fast' is" in answer.body or b"rate" in answer.body
            assert memory.mock.journal[-1].status == 400


async def test_the_first_requests_fail_and_the_next_does_not(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(fault="status:429:7,first:2") as memory:
        answers = [await asked(memory) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert b'"rate_limit' in answers[0].body or b"rate" in answers[0].body


async def test_a_share_of_requests_fails_and_the_seed_says_which(autojump_clock: trio.testing.MockClock) -> None:
    statuses = []
    for _ in range(2):
        async with open_mockserver_in_memory(ServerConfig(seed=3), fault="status:500,share:0.4", tokens=1) as memory:
            statuses.append([(await asked(memory)).status for _ in range(50)])
    assert statuses[0] == statuses[1]
    assert 10 < statuses[0].count(500) < 30


async def test_a_reset_after_five_tokens_gives_five_tokens(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ServerConfig(created_ns=0), fault="reset@token:5") as memory:
        cut = await asked(memory)
        entry = memory.mock.journal[-1]
        memory.mock.configure([("fault", "none")])
        memory.mock.forget()
        whole = await asked(memory)
    assert (cut.error, cut.is_whole) == ("reset", False)
    assert whole.body.startswith(cut.body)
    assert sum(isinstance(event, Text) for event in events_of(cut)) == 5
    assert isinstance(events_of(cut)[-1], Error)
    assert (entry.outcome, entry.tokens, entry.faults) == ("reset", 5, ("reset@token:5",))


async def test_a_gate_holds_a_stream_until_it_is_opened(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(gate="mid@token:2", tokens=4) as memory:
        answers: list[Answer] = []

        async def run() -> None:
            answers.append(await asked(memory))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await memory.mock.gates.wait_for("mid")
            assert memory.mock.journal[-1].tokens == 2
            assert answers == []
            memory.mock.gates.open("mid")
        assert End() in events_of(answers[0])


async def test_cuts_change_no_byte(autojump_clock: trio.testing.MockClock) -> None:
    wires = set()
    for cuts in ("", "split=every-byte", "chunks=size:7; split=hostile", "records=coalesce:3; split=random:1:16"):
        async with open_mockserver_in_memory(ServerConfig(seed=1, created_ns=0), tokens=6) as memory:
            answer = await asked(memory, mock=cuts)
            wires.add(answer.body)
            entry = memory.mock.journal[-1]
            assert answer.wire == bytes(entry.sent)
            assert sum(done.size_bytes for done in entry.writes) == entry.sent_bytes == len(answer.wire)
    assert len(wires) == 1


async def test_gzip_when_asked(autojump_clock: trio.testing.MockClock) -> None:
    import zlib

    async with open_mockserver_in_memory(say="hello", gzip="accepted") as memory:
        plain = await asked(memory)
        packed = await asked(memory, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    packed.body = zlib.decompress(packed.body, 31)
    assert text_of(plain) == text_of(packed) == "hello"


async def test_an_old_client_is_answered_in_its_way(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(say="hello") as memory:
        answer = await asked(memory, version="1.0")
    assert "transfer-encoding" not in answer.headers
    assert answer.is_whole
    assert text_of(answer) == "hello"


async def test_an_event_source_goes_on_where_it_was(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ServerConfig(created_ns=0), ids=True, retry="3s", tokens=6) as memory:
        whole = await asked(memory, "/chat", CHAT)
        blocks = whole.body.split(b"\n\n")
        assert blocks[0] == b"retry: 3000"
        ids = [line[4:].decode() for line in whole.body.split(b"\n") if line.startswith(b"id: ")]
        rest = await asked(memory, "/chat", CHAT, headers={"Last-Event-ID": ids[3]})
        assert rest.body == b"\n\n".join(blocks[5:])  # the reader knows the reconnection time
        done = await asked(memory, "/chat", CHAT, headers={"Last-Event-ID": ids[-1]})
        assert (done.status, done.body) == (204, b"")


async def test_secrets_are_not_in_the_journal(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory() as memory:
        path = "/v1beta/models/m:streamGenerateContent?alt=sse&key=SECRET1"
        body = {"contents": [{"parts": [{"text": "hi"}]}]}
        headers = {"Authorization": "Bearer SECRET2", "x-api-key": "SECRET3", "Cookie": "SECRET4"}
        answer = await asked(memory, path, body, headers=headers)
        assert answer.status == 200
        assert "SECRET" not in str(memory.mock.journal[-1].as_json())


async def test_the_admin_api_shows_sets_and_resets(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ServerConfig(seed=5), tokens=2) as memory:
        await asked(memory)
        state = (await asked(memory, "/_mock/state", None)).value
        assert isinstance(state, dict)
        assert (state["seed"], state["requests"], state["running"]) == (5, 1, 0)
        put = await asked(memory, "/_mock/config", {"say": "set", "fault": ["ping@token:0"]}, method="PUT")
        assert put.value == {"say": "set", "fault": "ping@token:0"}
        assert text_of(await asked(memory)) == "set"
        journal = (await asked(memory, "/_mock/journal?since=1", None)).value
        assert isinstance(journal, list)
        assert [entry["number"] for entry in journal] == [2]
        assert len(journal[0]["writes"]) > 3
        lines = (await asked(memory, "/_mock/journal?format=ndjson", None)).body
        assert lines.count(b"\n") == 2
        assert (await asked(memory, "/_mock/reset", b"")).value == {}
        assert len(memory.mock.journal) == 0
        assert text_of(await asked(memory)) != "set"


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/_mock/state", "GET", {"Host": "evil.example"}, 403),
        ("/_mock/state", "GET", {"Origin": "http://evil.example"}, 403),
        ("/_mock/state", "GET", {"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:2"}, 403),
        ("/_mock/state", "GET", {"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1"}, 200),
        ("/_mock/state", "GET", {"Host": "localhost:99"}, 200),
        ("/_mock/state", "GET", {"Host": "[::1]:99"}, 200),
        ("/_mock/state", "POST", {}, 405),
        ("/_mock/none", "GET", {}, 404),
        ("/_mock/journal?since=x", "GET", {}, 400),
        ("/_mock/gates/a/kick", "POST", {}, 404),
    ],
)
async def test_the_admin_api_refuses(
    autojump_clock: trio.testing.MockClock, path: str, method: str, headers: dict[str, str], status: int
) -> None:
    async with open_mockserver_in_memory() as memory:
        answer = await asked(memory, path, None, method=method, headers=headers)
    assert answer.status == status
    assert answer.is_whole


async def test_a_wrong_config_is_refused_and_changes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory() as memory:
        for body in ({"rat": 5}, {"rate": "x"}, [1], b"{", {"text": "/etc/passwd"}, {"fault": "nonsense"}):
            answer = await asked(memory, "/_mock/config", body, method="PUT")
            assert (answer.status, b"error" in answer.body) == (400, True), body
        assert memory.mock.admin_pairs == []


async def test_an_admin_token_is_wanted(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ServerConfig(admin_token="t0k")) as memory:  # noqa: S106 - no secret
        assert (await asked(memory, "/_mock/state", None)).status == 401
        assert (await asked(memory, "/_mock/state", None, headers={"X-Mock-Token": "no"})).status == 401
        assert (await asked(memory, "/_mock/state", None, headers={"X-Mock-Token": "t0k"})).status == 200


async def test_gates_over_http(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(gate="g@token:1", tokens=2) as memory:
        answers: list[Answer] = []

        async def run() -> None:
            answers.append(await asked(memory))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await memory.mock.gates.wait_for("g")
            assert (await asked(memory, "/_mock/gates", None)).value == {"g": {"open": False, "waiting": 1}}
            assert (await asked(memory, "/_mock/gates/g/step", b"")).status == 200
        assert Finish("stop") in [
            event for event in events_of(answers[0]) if isinstance(event, Finish)
        ] or End() in events_of(answers[0])


async def test_a_reader_that_is_cut_off_again_and_again_gets_on(autojump_clock: trio.testing.MockClock) -> None:
    """A place counts from where the connection begins: nobody stays at the fifth token for ever."""
    async with open_mockserver_in_memory(ids=True, tokens=12, fault="reset@token:5") as memory:
        last_id, texts, connections = "", "", 0
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            answer = await asked(memory, "/chat", CHAT, headers=headers)
            connections += 1
            assert connections < 10
            ids = [line[4:].decode() for line in answer.body.split(b"\n") if line.startswith(b"id: ")]
            last_id = ids[-1] if ids else last_id
            texts += "".join(event.text for event in events_of(answer, "agent-poc") if isinstance(event, Text))
            if not answer.error:
                break
    assert connections == 3
    assert len(texts.split()) == 12


async def test_a_reconnection_time_is_told_once_and_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(tokens=1, ttft="30ms", heartbeat="10ms", ids=True, retry="100ms") as memory:
        answer = await asked(memory)
        entry = memory.mock.journal[-1]
    assert answer.body.startswith(b"retry: 100\n\n: ping\n\n")
    assert answer.body.count(b"retry:") == 1
    assert [(done.began_ns - entry.origin_ns) // MS for done in entry.writes[:4]] == [0, 0, 10, 20]


async def test_heartbeats_cost_nothing_where_there_are_none(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(tokens=1, ttft="10000m", heartbeat="1ms") as memory:
        answer = await asked(memory, "/api/chat", CHAT)
    assert answer.body.count(b"\n") == 2


@pytest.mark.parametrize("headers", [{"Host": "["}, {"Origin": "http://["}, {"Host": ""}])
async def test_half_an_address_is_refused(autojump_clock: trio.testing.MockClock, headers: dict[str, str]) -> None:
    async with open_mockserver_in_memory() as memory:
        assert (await asked(memory, "/_mock/state", None, headers=headers)).status == 403


async def test_a_body_over_the_limit_is_refused_in_the_vendors_words(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ServerConfig(limits=Limits(max_body_bytes=100))) as memory:
        answer = await asked(memory, "/v1/messages", b"x" * 1000)
        assert (answer.status, answer.headers["content-type"]) == (413, "application/json")
        assert b'"type":"error"' in answer.body
        entry = memory.mock.journal[-1]
        assert (entry.method, entry.target, entry.status, entry.outcome) == ("POST", "/v1/messages", 413, "refused")


async def test_what_is_no_request_is_in_the_journal_too(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory() as memory:
        answer = await ask(memory.connect(), b"GET / HTTP/9.9\r\nHost: h\r\n\r\n")
        assert answer.status == 505
        entry = memory.mock.journal[-1]
        assert (entry.status, entry.outcome, bytes(entry.sent)) == (505, "refused", answer.wire)
        assert entry.error


async def test_a_fault_of_one_scenario_is_not_counted_for_another(autojump_clock: trio.testing.MockClock) -> None:
    text = "".join(f'[[scenario]]\nwhen={{path="{path}"}}\nfault="status:500,first:1"\n' for path in ("/v1/*", "/chat"))
    async with open_mockserver_in_memory(ServerConfig(scenarios=Scenarios.load_text(text))) as memory:
        statuses = [(await asked(memory, path, CHAT)).status for path in ("/v1/chat/completions", "/chat") * 2]
        assert statuses == [500, 500, 200, 200]
        for _ in range(2):  # each PUT begins anew
            memory.mock.configure([("fault", "status:429,first:1")])
            assert [(await asked(memory)).status for _ in range(2)] == [429, 200]


async def test_a_reset_by_the_admin_shuts_gates_and_releases_who_waits(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(gate="g@token:1", tokens=2) as memory:
        memory.mock.gates.step("other")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asked, memory)
            await memory.mock.gates.wait_for("g")
            await asked(memory, "/_mock/reset", b"")
        assert memory.mock.gates.state() == {}


async def test_only_answers_need_a_slot(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ServerConfig(slots=1), fault="stall@token:1", tokens=2) as memory:
        with trio.move_on_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(asked, memory)
                await trio.sleep(1)
                began_ns = now_ns()
                for path, body, mock, status in (
                    ("/v1/models", None, "fault=none", 200),
                    ("/health", None, "fault=none", 200),
                    ("/v1/chat/completions", {}, "fault=none", 400),
                    ("/v1/chat/completions", STREAM, "fault=status:429", 429),
                ):
                    assert (await asked(memory, path, body, mock)).status == status
                assert now_ns() == began_ns
                with trio.move_on_after(1) as scope:
                    await asked(memory, mock="fault=none")
                assert scope.cancelled_caught
                nursery.cancel_scope.cancel()


async def test_with_a_free_slot_the_schedule_counts_from_the_arrival(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(ServerConfig(slots=1)) as memory:
        await asked(memory)
        entry = memory.mock.journal[-1]
        assert (entry.queued_ns, entry.origin_ns) == (
            0,
            entry.arrived_ns if entry.kernel_ns is None else entry.kernel_ns,
        )


async def test_what_takes_long_to_plan_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is planned in a thread. Here that thread waits for another request to be answered: nobody else may."""
    began, answered = threading.Event(), threading.Event()

    def slow_plan(question: Question, asked: Asked, *rest: Any) -> Plan:  # noqa: ANN401 - it only hands them on
        if asked.ask is not None and not asked.ask.stream:
            began.set()
            assert answered.wait(PATIENCE_S), "the other request was not answered"
        return plan_of(question, asked, *rest)

    monkeypatch.setattr("mockserver.app.plan_of", slow_plan)
    async with open_mockserver_in_memory(tokens=20) as memory, trio.open_nursery() as nursery:
        documents: list[Answer] = []

        async def long_one() -> None:
            documents.append(await asked(memory, body=CHAT, mock="tokens=20000"))

        nursery.start_soon(long_one)
        assert await trio.to_thread.run_sync(began.wait, PATIENCE_S)
        assert len(text_of(await asked(memory))) > 20
        answered.set()
    assert documents[0].status == 200


@pytest.mark.parametrize(
    ("header", "is_packed"),
    [("gzip", True), ("GZIP", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("br", False)],
)
async def test_gzip_is_negotiated(autojump_clock: trio.testing.MockClock, header: str, is_packed: bool) -> None:
    async with open_mockserver_in_memory(gzip="accepted") as memory:
        answer = await asked(memory, headers={"Accept-Encoding": header})
    assert ("content-encoding" in answer.headers) == is_packed


async def test_the_journal_comes_as_it_is_asked_for(autojump_clock: trio.testing.MockClock) -> None:
    async with open_mockserver_in_memory(tokens=1) as memory:
        assert (await asked(memory, "/_mock/journal", None)).value == []
        assert (await asked(memory, "/_mock/journal?format=ndjson", None)).body == b""
        for _ in range(5):
            await asked(memory)
        value = (await asked(memory, "/_mock/journal?limit=2&writes=0", None)).value
        assert isinstance(value, list)
        assert [entry["number"] for entry in value] == [4, 5]
        assert "writes" not in value[0]
