"""Whatever goes wrong is counted by its kind, says what it is, and has no part in any latency."""

from __future__ import annotations

import errno
import gzip
import socket
import time

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mockserver.open import open_mockserver
from streamkit.bench.metrics import METRICS
from streamkit.bench.plan import Concurrency, Limits, Replay
from streamkit.bench.record import FAILURES, RequestRecord
from streamkit.bench.tally import Tally
from streamkit.http.stream import SocketStream
from tests.bench.handmade import (
    DONE,
    HEL,
    HELLO,
    LAST,
    LO,
    ROLE,
    SSE,
    STOP,
    Serve,
    Wire,
    answering,
    asked,
    chunk,
    load_on,
    saying,
    serving,
    unaccepted,
)


def assert_no_latency(record: RequestRecord) -> None:
    tally = Tally()
    tally.add(record)
    assert tally.errors == 1
    assert tally.outcomes == {record.outcome: 1}
    assert record.outcome in FAILURES
    assert tally.details[str(record.outcome)] == [record.detail]
    for metric in METRICS:
        assert not tally.distribution(metric.name).n, metric.name
    assert not tally.counts["good"]
    assert not tally.counts["tokens"]


COUNTED = SSE.replace(b"Transfer-Encoding: chunked", b"Content-Length: 5000")
UNTIL_CLOSED = SSE.replace(b"Transfer-Encoding: chunked", b"Connection: close")
NDJSON = SSE.replace(b"text/event-stream", b"application/x-ndjson")
JSON = SSE.replace(b"text/event-stream", b"application/json; charset=utf-8")
PAGE = SSE.replace(b"text/event-stream", b"text/html")
GZIP = SSE.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")

OLLAMA = b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n'
ANTHROPIC = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"i","type":"message","role":"assistant",'
    b'"model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
)
COMPLETIONS = (
    b'data: {"id":"c","object":"text_completion","choices":[{"index":0,"text":"Hi","finish_reason":null}]}\n\n'
)
IN_BAND = b'data: {"error":{"message":"out of memory","type":"server_error","code":507}}\n\n'
DOCUMENT = b'{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"content":"Hi"}}]}'

BAD: dict[str, tuple[Serve, str, str]] = {
    "a refusal": (saying(b"HTTP/1.1 429 Too Many\r\nContent-Length: 7\r\n\r\nlater!!"), "status", "429"),
    "a refusal in JSON": (
        saying(b'HTTP/1.1 500 No\r\nContent-Length: 32\r\n\r\n{"error":{"message":"it broke"}}'),
        "status",
        "it broke",
    ),
    "a redirect": (
        saying(b"HTTP/1.1 307 R\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"),
        "status",
        "307",
    ),
    "no terminator": (saying(SSE, chunk(ROLE + HEL), LAST), "truncated", "without its terminator"),
    "no terminator, closed": (saying(UNTIL_CLOSED, HEL), "truncated", "without its terminator"),
    "cut inside a record": (saying(UNTIL_CLOSED, HEL + LO[:20]), "truncated", "terminator"),
    "closed in the middle": (saying(SSE, chunk(HEL)), "truncated", "before its last chunk"),
    "reset in the middle": (saying(SSE, chunk(HEL), then="reset"), "truncated", ""),
    "short of its length": (saying(COUNTED, HEL), "truncated", "before its announced end"),
    "closed before any answer": (saying(), "disconnected", "before its response"),
    "reset before any answer": (saying(then="reset"), "disconnected", "lost"),
    "closed inside the head": (saying(SSE[:20]), "disconnected", "inside the head"),
    "closed behind the head": (saying(SSE), "disconnected", "before its last chunk"),
    "an error": (saying(SSE, chunk(HEL + IN_BAND), chunk(DONE), LAST), "in-band-error", "out of memory"),
    "an error at once": (saying(SSE, chunk(IN_BAND), LAST), "in-band-error", "out of memory"),
    "an error at once in one write": (
        saying(SSE + chunk(IN_BAND) + chunk(HEL) + chunk(DONE) + LAST),
        "in-band-error",
        "",
    ),
    "finished in an error": (
        saying(SSE, chunk(HEL), chunk(STOP.replace(b"stop", b"error") + DONE), LAST),
        "in-band-error",
        "",
    ),
    "an error with 200": (
        saying(JSON, chunk(b'{"error":{"message":"no such model"}}'), LAST),
        "in-band-error",
        "no such",
    ),
    "an empty answer": (saying(SSE, chunk(ROLE + STOP + DONE), LAST), "empty", "not one token"),
    "an empty body": (saying(SSE, LAST), "empty", "body is empty"),
    "nothing at all": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "empty", "body is empty"),
    "a status without a body": (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), "empty", "body is empty"),
    "no JSON": (saying(SSE, chunk(HEL), chunk(b"data: {]\n\n")), "undecodable", "record 2"),
    "no JSON, in one write": (saying(SSE + chunk(HEL + b"data: {]\n\n" + LO + DONE) + LAST), "undecodable", "record 2"),
    "no HTTP": (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), "protocol", "no HTTP"),
    "a broken chunk": (saying(SSE, chunk(HEL), b"zz\r\n"), "protocol", "hexadecimal"),
    "another protocol": (
        saying(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
        "protocol",
        "another protocol",
    ),
    "interims without end": (saying(b"HTTP/1.1 102 P\r\n\r\n" * 17), "protocol", "interim"),
    "a coding that is not known": (saying(GZIP.replace(b"gzip", b"br"), chunk(HEL)), "protocol", "br"),
    "no gzip": (saying(GZIP, chunk(HEL)), "undecodable", "gzip"),
    "gzip that is cut": (saying(GZIP, chunk(gzip.compress(HEL + DONE)[:20]), LAST), "truncated", "inside its gzip"),
    "lines of JSON": (saying(NDJSON, chunk(OLLAMA), LAST), "wrong-dialect", "looks like ollama-chat"),
    "lines of JSON, cut": (saying(NDJSON, chunk(OLLAMA)), "wrong-dialect", "looks like ollama-chat"),
    "another vendor's": (saying(SSE, chunk(ANTHROPIC)), "wrong-dialect", "looks like anthropic"),
    "the older sister's": (
        saying(SSE, chunk(COMPLETIONS + DONE), LAST),
        "wrong-dialect",
        "looks like openai-completions",
    ),
    "a document": (saying(JSON, chunk(DOCUMENT), LAST), "wrong-dialect", "does not stream"),
    "a stream that says it is a document": (
        saying(JSON, chunk(OLLAMA), chunk(OLLAMA), LAST),
        "wrong-dialect",
        "looks like ollama-chat",
    ),
    "a page": (saying(PAGE, chunk(b"<!DOCTYPE html><title>Login</title>"), LAST), "wrong-dialect", "HTML page"),
    "a page that says it is a stream": (saying(SSE, chunk(b"<!DOCTYPE html><p>"), LAST), "wrong-dialect", "no record"),
}


@pytest.mark.parametrize(("serve", "outcome", "said"), BAD.values(), ids=BAD)
async def test_what_is_bad_has_its_kind_and_no_latency(serve: Serve, outcome: str, said: str) -> None:
    record = await asked(serve)
    assert (record.outcome, said in record.detail) == (outcome, True), record.detail
    assert_no_latency(record)


async def test_bytes_that_are_no_text_are_replaced_as_every_reader_of_event_streams_does() -> None:
    record = await asked(saying(SSE, chunk(HEL.replace(b"Hel", b"\xff") + DONE), LAST))
    assert record.outcome == "ok"


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    loaded = await load_on(f"http://127.0.0.1:{port}", requests=3)
    assert loaded.outcomes == ["no-connection"] * 3
    assert "connection refused" in loaded.records[0].detail
    assert_no_latency(loaded.records[0])
    assert loaded.records[0].sent_ns is None


async def test_no_such_host() -> None:
    (record,) = (await load_on("http://no-such-host.invalid")).records
    assert record.outcome == "no-connection"
    assert "no-such-host.invalid" in record.detail


async def test_a_server_that_speaks_no_tls() -> None:
    async def refuse(wire: Wire) -> None:
        await wire.stream.receive_some()
        await wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with serving(refuse) as served:
        (record,) = (await load_on(served.url.replace("http:", "https:"))).records
    assert record.outcome == "no-connection"
    assert_no_latency(record)


SOON = Limits(connect_s=30, first_token_s=0.2, idle_s=30, total_s=30)
IDLE = Limits(connect_s=30, first_token_s=30, idle_s=0.2, total_s=30)
WHOLE = Limits(connect_s=30, first_token_s=30, idle_s=30, total_s=0.5)
CONNECTED = Limits(connect_s=0.2)


async def heartbeats(wire: Wire) -> None:
    await wire.request()
    await wire.send(SSE)
    while True:
        await wire.send(chunk(b": still here\n\n"))
        await trio.sleep(0.02)


async def tokens_without_end(wire: Wire) -> None:
    await wire.request()
    await wire.send(SSE)
    while True:
        await wire.send(chunk(HEL))
        await trio.sleep(0.02)


async def lines_without_end(wire: Wire) -> None:
    await wire.request()
    await wire.send(NDJSON)
    while True:
        await wire.send(chunk(OLLAMA))
        await trio.sleep(0.02)


async def mute(wire: Wire) -> None:
    await wire.left()


LATE: dict[str, tuple[Serve, Limits, str, str]] = {
    "no answer": (mute, SOON, "no-first-token", "within 0.2 s"),
    "a head alone": (saying(SSE, then="stay"), SOON, "no-first-token", "within 0.2 s"),
    "a role and no token": (saying(SSE, chunk(ROLE), then="stay"), SOON, "no-first-token", "within 0.2 s"),
    "heartbeats without end": (heartbeats, SOON, "no-first-token", "within 0.2 s"),
    "another dialect without end": (lines_without_end, SOON, "wrong-dialect", "looks like ollama-chat"),
    "a token and nothing more": (saying(SSE, chunk(HEL), then="stay"), IDLE, "idle", "nothing came for 0.2 s"),
    "a token with the head and nothing more": (
        saying(SSE + chunk(HEL), then="stay"),
        IDLE,
        "idle",
        "nothing came for 0.2 s",
    ),
    "tokens without end": (tokens_without_end, WHOLE, "timeout", "not whole after 0.5 s"),
    "a refusal that does not end": (
        saying(b"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nbusy", then="stay"),
        WHOLE,
        "status",
        "503",
    ),
    "a broken chunk and nothing more": (
        saying(SSE + chunk(HEL), b"zz\r\n", then="stay"),
        WHOLE,
        "protocol",
        "hexadecimal",
    ),
    "a broken chunk at once": (saying(SSE + chunk(HEL) + b"zz\r\n", then="stay"), WHOLE, "protocol", "hexadecimal"),
}


@pytest.mark.parametrize(("serve", "limits", "outcome", "said"), LATE.values(), ids=LATE)
async def test_what_does_not_come_in_time(serve: Serve, limits: Limits, outcome: str, said: str) -> None:
    record = await asked(serve, limits=limits)
    assert (record.outcome, said in record.detail) == (outcome, True), record.detail
    assert_no_latency(record)


async def test_a_server_that_does_not_read_the_question() -> None:
    async def deaf(wire: Wire) -> None:
        await trio.sleep_forever()

    record = await asked(deaf, limits=SOON, prompts=["word " * 3_000_000])
    assert record.outcome == "no-first-token"
    assert_no_latency(record)


async def test_a_connection_that_does_not_come_in_time() -> None:
    async with unaccepted() as url:
        (record,) = (await load_on(url, limits=CONNECTED)).records
    assert record.outcome == "connect-timeout"
    assert record.detail == "no connection within 0.2 s"
    assert_no_latency(record)


async def test_a_record_that_is_too_long() -> None:
    async def serve(wire: Wire) -> None:
        await wire.request()
        await wire.send(SSE, chunk(HEL), b"5000000\r\ndata: ")
        for _ in range(0x5000000 >> 20):
            await wire.send(bytes(1 << 20).replace(b"\0", b"x"))

    record = await asked(serve)
    assert record.outcome == "undecodable"
    assert "limit" in record.detail
    assert_no_latency(record)


async def test_the_good_ones_are_counted_beside_the_bad() -> None:
    serves = [saying(SSE, chunk(HEL)), saying(), answering(HELLO)]
    async with serving(*serves) as served:
        loaded = await load_on(served.url, requests=5)
    assert loaded.tally.outcomes == {"truncated": 1, "disconnected": 1, "ok": 3}
    assert loaded.tally.errors == 2
    assert loaded.tally.distribution("ttft_ms").n == 3


async def test_nothing_that_is_said_shows_a_secret() -> None:
    async def echo(wire: Wire) -> None:
        request = await wire.request()
        body = request.replace(b"\r\n", b" ")
        await wire.send(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n" % len(body), body)

    record = await asked(echo, api_key="sk-very-secret-key", headers=[("X-Api-Token", "another-secret-value")])
    assert record.outcome == "status"
    assert "401" in record.detail
    assert "very-secret" not in record.detail
    assert "another-secret" not in record.detail


async def test_an_error_that_repeats_a_secret() -> None:
    said = b'data: {"error":{"message":"the key sk-very-secret-key is none"}}\n\n'
    record = await asked(saying(SSE, chunk(said), LAST), api_key="sk-very-secret-key")
    assert record.outcome == "in-band-error"
    assert "is none" in record.detail
    assert "very-secret" not in record.detail


@pytest.mark.parametrize("upper", [False, True])
async def test_what_a_preview_has_cut_shows_no_piece_of_a_secret(upper: bool) -> None:
    key = "sk-TOPsecret0123456789abcdefghijklmnopqrstuvwxyz"

    async def echo(wire: Wire) -> None:
        await wire.request()
        said = f"data: not json key={key.upper() if upper else key}\n\n"
        await wire.send(SSE, chunk(said.encode()), LAST)

    record = await asked(echo, api_key=key)
    assert record.outcome == "undecodable"
    assert "not json key=[redacted]" in record.detail
    assert "topsecret" not in record.detail.lower()


# ----------------------------------------------------------------------------------- what is odd, and nevertheless good

ODD: dict[str, Serve] = {
    "interims": saying(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + HELLO),
    "interim apart": saying(b"HTTP/1.1 103 Early Hints\r\n\r\n", HELLO),
    "gzip": saying(GZIP, chunk(gzip.compress(ROLE + HEL + LO + STOP + DONE)), LAST),
    "gzip, cut": saying(GZIP, *(chunk(bytes([each])) for each in gzip.compress(ROLE + HEL + LO + STOP + DONE)), LAST),
    "until closed": saying(UNTIL_CLOSED, ROLE + HEL, LO + STOP + DONE),
    "what comes behind the end": saying(SSE, chunk(HEL + LO + DONE), chunk(b"data: {]\n\n"), LAST),
    "reset behind the end": saying(SSE, chunk(HEL + LO + DONE), then="reset"),
    "an open body behind the end": saying(SSE, chunk(HEL + LO + DONE), then="stay"),
    "broken framing behind the end": saying(SSE + chunk(HEL + LO + DONE), b"zz\r\n"),
    "a stream that says it is a document": saying(JSON, chunk(ROLE + HEL), chunk(LO + DONE), LAST),
    "a stream that says it is a page": saying(PAGE, chunk(b": hello\n\n"), chunk(HEL + LO + DONE), LAST),
    "every byte apart": saying(*(HELLO[at : at + 1] for at in range(len(HELLO)))),
}


@pytest.mark.parametrize("serve", ODD.values(), ids=ODD)
async def test_what_is_odd_and_good(serve: Serve) -> None:
    record = await asked(serve)
    assert (record.outcome, record.detail) == ("ok", "")
    assert record.visible_tokens == 2
    assert record.status == 200
    assert not record.stale_connections


# ----------------------------------------------------------------------------------------------------- kept connections


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with serving(answering(HELLO)) as served:
        loaded = await load_on(served.url, requests=3)
    assert loaded.outcomes == ["ok"] * 3
    assert [record.is_reused for record in loaded.records] == [False, True, True]
    assert [record.connected_ns is None for record in loaded.records] == [False, True, True]
    assert served.connections == loaded.ran.connections == 1


async def test_an_answer_from_before_its_question_is_not_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with bytes waiting is not used again; where they come at the last moment, the kernel's stamp tells."""
    monkeypatch.setattr(SocketStream, "is_quiet", lambda _: True)

    async def eager(wire: Wire) -> None:
        await wire.request()
        await wire.send(HELLO)
        await wait_all_tasks_blocked(0.002)
        await wire.send(HELLO)
        await wire.left()

    async with serving(eager) as served:
        load = Replay(at_ns=[0, 200_000_000], prompts=[0, 0], max_tokens=[0, 0])
        loaded = await load_on(served.url, load=load, requests=None)
    assert loaded.outcomes == ["ok", "protocol"]
    assert loaded.records[1].detail == "the answer came before its question was sent"
    assert not loaded.records[1].clock_jumped
    assert_no_latency(loaded.records[1])


async def one_and_away(wire: Wire) -> None:
    """Answer one question, and close: whoever had not looked would ask the next one here."""
    await wire.request()
    await wire.send(HELLO)


async def test_one_that_died_while_it_waited_is_nobodys_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SocketStream, "is_quiet", lambda _: True)
    async with serving(one_and_away, answering(HELLO)) as served:
        load = Replay(at_ns=[0, 100_000_000], prompts=[0, 0], max_tokens=[0, 0])
        loaded = await load_on(served.url, load=load, requests=None)
    assert loaded.outcomes == ["ok", "ok"]
    record = loaded.records[1]
    assert (record.is_reused, record.stale_connections) == (False, 1)
    assert record.connected_ns is not None
    assert record.sent_ns is not None
    assert record.sent_ns < record.connected_ns  # what it took counts
    assert loaded.tally.counts["stale_connections"] == 1


async def test_one_that_is_closed_is_not_asked() -> None:
    async with serving(one_and_away, answering(HELLO)) as served:
        load = Replay(at_ns=[0, 40_000_000], prompts=[0, 0], max_tokens=[0, 0])
        loaded = await load_on(served.url, load=load, requests=None)
    assert loaded.outcomes == ["ok", "ok"]
    assert loaded.records[1].stale_connections == 0


def dying(after_s: float, how: str) -> tuple[Serve, list[float]]:
    """Return what dies of the second question on a connection, and when it had each of those."""
    questions: list[float] = []

    async def die(wire: Wire) -> None:
        await wire.request()
        await wire.send(HELLO)
        await wire.request()
        questions.append(time.monotonic())
        await trio.sleep(after_s)
        if how == "reset":
            wire.reset()

    return die, questions


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_one_that_dies_of_the_question_has_failed(how: str) -> None:
    """It is not asked again: that would hide the failure, and cost a second answer."""
    die, questions = dying(0.1, how)
    async with serving(die) as served:
        loaded = await load_on(served.url, requests=4)
    assert loaded.outcomes == ["ok", "disconnected"] * 2
    assert len(questions) == 2
    assert not loaded.tally.counts["stale_connections"]


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_one_that_is_closed_as_the_question_comes_is_nobodys_failure(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("streamkit.bench.lane.AT_ONCE_NS", 10**10)  # however slow this machine is
    die, _ = dying(0, how)
    async with serving(die) as served:
        loaded = await load_on(served.url, requests=4)
    assert loaded.outcomes == ["ok"] * 4
    assert [record.stale_connections for record in loaded.records] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("limits", "outcome"), [(Limits(total_s=0.005), "timeout"), (Limits(first_token_s=0.005), "no-first-token")]
)
async def test_what_was_too_late_between_two_looks_is_too_late(limits: Limits, outcome: str) -> None:
    async def slow(wire: Wire) -> None:
        await wire.request()
        await trio.sleep(0.01)
        await wire.send(HELLO)
        await wire.left()

    record = await asked(slow, limits=limits)
    assert record.outcome == outcome
    assert "within 0.005 s" in record.detail or "after 0.005 s" in record.detail


async def test_what_comes_behind_an_answer_does_not_meet_the_next_question() -> None:
    """Also where it comes a little later than the answer."""

    async def eager(wire: Wire) -> None:
        await wire.request()
        await wire.send(HELLO)
        await wait_all_tasks_blocked(0.001)
        await wire.send(b"junk")
        await wire.left()

    async with serving(eager, answering(HELLO)) as served:
        load = Replay(at_ns=[0, 40_000_000], prompts=[0, 0], max_tokens=[0, 0])
        loaded = await load_on(served.url, load=load, requests=None)
    assert loaded.outcomes == ["ok", "ok"]
    assert served.connections == 2


async def test_descriptors_that_run_out_are_no_failure_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        each = OSError(errno.EMFILE, "Too many open files")
        raise OSError("all attempts to connect failed") from ExceptionGroup("of two addresses", [each, each])

    async with serving(answering(HELLO)) as served:
        monkeypatch.setattr(trio, "open_tcp_stream", full)
        (record,) = (await load_on(served.url)).records
    assert record.outcome == "tool-limit"
    assert "too many open files: that is a limit of this machine" in record.detail
    assert_no_latency(record)


async def test_what_comes_unasked_is_nobodys_answer() -> None:
    async def eager(wire: Wire) -> None:
        await wire.request()
        await wire.send(HELLO + HELLO)
        await wire.left()

    async with serving(eager, answering(HELLO)) as served:
        loaded = await load_on(served.url, requests=2)
    assert loaded.outcomes == ["ok", "ok"]
    assert served.connections == 2


# ------------------------------------------------------------------------------------------------ the mock's own faults

FAULTS = {
    "reset@token:2": "truncated",
    "close@token:2": "truncated",
    "end@token:2": "truncated",
    "no-terminator": "truncated",
    "no-last-chunk": "ok",  # what comes behind the terminator is not looked at
    "status:503": "status",
    "bad-json@token:2": "undecodable",
    "bad-chunk@token:2": "protocol",
    "error@token:2": "in-band-error",
    "interim:103": "ok",
    "content-type:text/html": "ok",
    "ping@token:2": "ok",
}


@pytest.mark.parametrize(("fault", "outcome"), FAULTS.items(), ids=FAULTS)
@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "ollama-chat"])
async def test_the_mocks_faults(dialect: str, fault: str, outcome: str) -> None:
    async with open_mockserver(fault=fault, tokens=5) as mock:
        loaded = await load_on(mock.url, dialect=dialect, requests=3, load=Concurrency(2))
    assert loaded.outcomes == [outcome] * 3, [record.detail for record in loaded.records]
    if outcome != "ok":
        assert_no_latency(loaded.records[0])
        assert all(record.detail for record in loaded.records)
