"""`streamkit chat`: what it prints and when, how it ends, what it leaves behind; against the mock server."""

from __future__ import annotations

import json
import os
import pty
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import trio

from mockserver import mockserver_in_thread
from mockserver.open import MockInThread
from streamkit.cli.answering import Answering
from streamkit.dialects.events import End, Event, Finish, PartStart, Ping, Start, Text, ToolArgs, Usage
from streamkit.io.cassette import read_cassette
from streamkit.io.items import Items
from streamkit.io.recorded import body_of
from tests.cli.harness import Filter, Result, linux_only, run
from tests.cli.inside import Inside, inside_of
from tests.cli.served import Served
from tests.cli.servedonce import served_once

if TYPE_CHECKING:
    from streamkit.client.chat import Chat

CHAT = ("streamkit", "chat")
TEXT = "Grüße aus 東京"
LINE = f"{TEXT}\n"


@pytest.fixture(scope="module")
def shared() -> Iterator[MockInThread]:
    with mockserver_in_thread(say=TEXT) as mock:
        yield mock


@pytest.fixture
def mock(shared: MockInThread) -> MockInThread:
    shared.reset()
    return shared


@pytest.fixture
def inside(capfdbinary: pytest.CaptureFixture[bytes]) -> Inside:
    return inside_of(capfdbinary)


def chat(
    runs: Inside,
    mock: MockInThread,
    *arguments: str,
    path: str = "/v1/chat/completions",
    mocked: str = "",
    **more: Any,  # noqa: ANN401 - of what runs it
) -> Result:
    header = ("--header", f"X-Mock={mocked}") if mocked else ()
    return runs(*CHAT, mock.url + path, *arguments, "--model", "m", *header, **more)


def until_journal(process: Filter, mock: MockInThread, key: str, value: object) -> dict[str, Any]:
    """Wait until the newest entry of the journal says so."""
    process.until(lambda: bool(mock.journal) and mock.journal[-1][key] == value, f"make {key} {value!r}")
    return mock.journal[-1]


def events(*chunks: object) -> list[bytes]:
    """An OpenAI stream of these deltas, as an answer that ends with its connection."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return [
        head,
        *(b"data: %b\n\n" % (each if isinstance(each, bytes) else json.dumps(each).encode()) for each in chunks),
    ]


def delta(content: dict[str, object], finish: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": content, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


# ---------------------------------------------------------------------------------------------------------------- text

PATHS = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
    "/api/chat",
    "/v1beta/models/m:streamGenerateContent?alt=sse",
    "",
]


@pytest.mark.parametrize("path", PATHS)
def test_the_text_and_nothing_else(inside: Inside, mock: MockInThread, path: str) -> None:
    """At every endpoint that the URL names, and at a server that has to be asked what it speaks."""
    result = chat(inside, mock, "Hello", path=path)
    assert (result.code, result.out.decode(), result.err) == (0, LINE, "")


def test_the_dialect_that_is_named_and_a_base_url(inside: Inside, mock: MockInThread) -> None:
    assert chat(inside, mock, "Hello", "--dialect", "anthropic", path="").out.decode() == LINE
    assert mock.journal[-1]["target"] == "/v1/messages"


def test_a_token_is_there_before_the_next_one_is_sent() -> None:
    gates = [f"g{number}@token:{number}" for number in range(1, 4)]
    with mockserver_in_thread(say="one two three four", gate=gates) as mock:
        url = f"{mock.url}/v1/chat/completions"
        with Filter(*CHAT, url, "Hello", "--model", "m") as process:
            for number in range(1, 4):
                mock.wait_at_gate(f"g{number}")
                sent = said_in(mock.journal[-1])
                assert sent
                process.until(lambda wanted=sent: process.out.decode() == wanted, f"print {sent!r}")  # type: ignore[misc]
                mock.open_gate(f"g{number}")
            assert process.wait().out == b"one two three four\n"


def said_in(entry: dict[str, Any]) -> str:
    """The text of the tokens that were sent."""
    number = int(entry["tokens"])
    return ["one", "one two", "one two three", "one two three four"][number - 1]


def test_the_request_says_what_was_asked_for(inside: Inside, mock: MockInThread) -> None:
    options = ("--system", "Be brief.", "--max-tokens", "9", "--temperature", "0.5", "--header", "X-Team=blue")
    assert chat(inside, mock, "Hello", *options).code == 0
    entry = mock.journal[-1]
    body = entry["body"]
    assert [each["role"] for each in body["messages"]] == ["system", "user"]
    assert (body["messages"][0]["content"], body["messages"][1]["content"]) == ("Be brief.", "Hello")
    assert (body["model"], body["temperature"]) == ("m", 0.5)
    assert 9 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert ["X-Team", "blue"] in entry["headers"]


def test_the_key_goes_out_and_is_never_shown(inside: Inside, mock: MockInThread) -> None:
    result = chat(
        inside, mock, "Hello", "--api-key-env", "A_KEY", env={"A_KEY": "sk-s3cr3t"}, mocked="fault=status:401"
    )
    assert result.code == 4
    assert "s3cr3t" not in result.err
    assert "authorization" in {name.lower() for name, _ in mock.journal[-1]["headers"]}


@pytest.mark.parametrize("prompt", [(), ("-",)])
def test_the_prompt_comes_from_stdin(mock: MockInThread, prompt: tuple[str, ...]) -> None:
    result = chat(run, mock, *prompt, stdin=["Was heißt ".encode(), "東京?\n".encode()])
    assert (result.code, result.out.decode()) == (0, LINE)
    assert mock.journal[-1]["body"]["messages"] == [{"role": "user", "content": "Was heißt 東京?"}]


def test_reasoning_is_shown_when_asked_for(inside: Inside, mock: MockInThread) -> None:
    silent = chat(inside, mock, "Hello", mocked="reasoning=4")
    assert silent.out.decode() == LINE
    shown = chat(inside, mock, "Hello", "--reasoning", mocked="reasoning=4").out.decode()
    thought, _, answer = shown.partition("\n\n")
    assert (bool(thought), answer) == (True, LINE)


def test_a_terminal_gets_escapes_and_a_last_line_end() -> None:
    ours, theirs = pty.openpty()
    try:
        with (
            mockserver_in_thread(say="red \x1b[31m text") as mock,
            Filter(*CHAT, f"{mock.url}/api/chat", "Hello", "--model", "m", stdout=theirs) as process,
        ):
            assert process.wait().code == 0
        shown = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown == b"red \\x1b[31m text\r\n"


def test_tool_calls_are_lines_on_stderr(inside: Inside) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    wire = events(
        delta({"role": "assistant", "content": "Let me see."}),
        delta({"tool_calls": [call]}),
        delta({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
        delta({"tool_calls": [{"index": 0, "function": {"arguments": ' "Köln\\u001b"}'}}]}),
        delta({}, "tool_calls"),
        b"[DONE]",
    )
    with served_once(*wire) as url:
        result = inside(*CHAT, f"{url}/v1/chat/completions", "Hello", "--model", "m")
    assert (result.code, result.out) == (0, b"Let me see.\n")
    assert result.err == '[tool weather {"city": "Köln\\u001b"}]\n'


def test_a_refusal_is_text_and_an_early_end_is_told(inside: Inside) -> None:
    with served_once(*events(delta({"refusal": "I will not."}), delta({}, "length"), b"[DONE]")) as url:
        result = inside(*CHAT, f"{url}/v1/chat/completions", "Hello", "--model", "m")
    assert (result.code, result.out) == (0, b"I will not.\n")
    assert result.complaint == "streamkit chat: the answer ends early: length"


def test_the_other_transport_says_the_same(inside: Inside, mock: MockInThread) -> None:
    result = chat(inside, mock, "Hello", "--transport", "httpx", "--timing")
    assert (result.code, result.out.decode()) == (0, LINE)
    assert "timing: first token " in result.complaint


def test_a_certificate_is_checked_against_the_authority_that_is_named(inside: Inside, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with Served("--tls", "--tls-ca", str(path), "--say", TEXT) as server:
        arguments = (*CHAT, f"{server.url}/api/chat", "Hello", "--model", "m")
        trusting = inside(*arguments, "--upstream-ca", str(path))
        assert (trusting.code, trusting.out.decode()) == (0, LINE)
        doubting = inside(*arguments)
        assert (doubting.code, doubting.out) == (4, b"")
        assert "not trusted" in doubting.complaint


# ---------------------------------------------------------------------------------------------------------------- JSON


def test_json_is_what_convert_makes_of_the_same_stream(inside: Inside, mock: MockInThread, tmp_path: Path) -> None:
    path = tmp_path / "c.cassette"
    result = chat(inside, mock, "Hello", "--json", "--record", str(path))
    assert (result.code, result.err) == (0, "")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [line["streamkit"] for line in (lines[0], lines[-1])] == ["start", "end"]
    assert "".join(line["text"] for line in lines if line["streamkit"] == "text") == TEXT
    body = raw_body(path)
    converted = run("streamkit", "convert", "--from", "openai-chat", "--to", "json", stdin=body)
    assert converted.out == result.out


def raw_body(path: Path) -> bytes:
    return b"".join(read.data for read in body_of(read_cassette(path).exchanges[0]).reads)


def test_json_of_a_cut_answer_ends_with_its_error(inside: Inside, mock: MockInThread) -> None:
    result = chat(inside, mock, "Hello", "--json", mocked="fault=reset@token:2")
    assert result.code == 3
    assert result.complaint
    *_, last = (json.loads(line) for line in result.out.splitlines())
    assert last["streamkit"] == "error"


# --------------------------------------------------------------------------------------------------------- how it ends

FAULTS = [
    ("fault=reset@token:2", 3, "connection"),
    ("fault=close@token:2", 3, ""),
    ("fault=end@token:2", 3, ""),
    ("fault=no-terminator", 3, "terminator"),
    ("fault=bad-json@token:2", 3, "JSON"),
    ("fault=bad-chunk@token:2", 3, "chunk"),
    ("fault=error:Overloaded@token:2", 3, "Overloaded"),
    ("fault=status:429:7", 4, "429"),
    ("fault=status:500", 4, "500"),
    ("fault=reset@before-head", 4, ""),
    ("fault=content-type:text/html", 0, ""),
]


@pytest.mark.parametrize(("fault", "code", "complaint"), FAULTS)
def test_exit_codes(inside: Inside, mock: MockInThread, fault: str, code: int, complaint: str) -> None:
    result = chat(inside, mock, "Hello", mocked=fault)
    assert result.code == code
    if code:
        assert result.complaint.startswith("streamkit chat: ")
        assert complaint in result.complaint


def test_what_came_before_a_cut_is_printed(inside: Inside, mock: MockInThread) -> None:
    result = chat(inside, mock, "Hello", mocked="fault=reset@token:2")
    assert result.code == 3
    assert result.out
    assert TEXT.startswith(result.out.decode().removesuffix("\n"))
    assert result.out.endswith(b"\n")


TIMEOUTS = [
    (("--first-token-timeout", "200ms"), "fault=stall@before-head", "no token came within 0.2 s"),
    (("--idle-timeout", "200ms"), "fault=stall@token:1", "nothing came for 0.2 s"),
    (("--timeout", "200ms"), "fault=stall@token:1", "not finished within 0.2 s"),
]


@pytest.mark.parametrize(("options", "fault", "complaint"), TIMEOUTS)
def test_timeouts(inside: Inside, mock: MockInThread, options: tuple[str, ...], fault: str, complaint: str) -> None:
    result = chat(inside, mock, "Hello", *options, mocked=fault)
    assert result.code == 4
    assert complaint in result.complaint


def test_nobody_listens(inside: Inside) -> None:
    result = inside(*CHAT, "http://127.0.0.1:1/api/chat", "Hello", "--model", "m")
    assert (result.code, result.out) == (4, b"")
    assert "cannot connect" in result.complaint


def test_a_reader_that_leaves_ends_it_and_the_server_sees_it_at_once() -> None:
    """While the server is silent, so that no write could have told."""
    with mockserver_in_thread(say=TEXT, gate="hold@token:1") as mock:
        with Filter(*CHAT, f"{mock.url}/api/chat", "Hello", "--model", "m") as process:
            mock.wait_at_gate("hold")
            process.until(lambda: bool(process.out), "print the first token")
            process.stop_reading()
            result = process.wait()
            assert (result.code, result.err) == (141, "")
            until_journal(process, mock, "outcome", "client-left")
        mock.open_gate("hold")


def test_ctrl_c_ends_it_and_the_server_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "c.cassette"
    with mockserver_in_thread(say=TEXT, gate="hold@token:1") as mock:
        arguments = ("Hello", "--model", "m", "--record", str(path))
        with Filter(*CHAT, f"{mock.url}/api/chat", *arguments) as process:
            mock.wait_at_gate("hold")
            process.until(lambda: bool(process.out), "print the first token")
            process.interrupt()
            result = process.wait()
            assert (result.code, result.err) == (130, "")
            until_journal(process, mock, "outcome", "client-left")
        mock.open_gate("hold")
    (recorded,) = read_cassette(path).exchanges
    assert recorded.ended is not None
    assert recorded.ended.how == "left"


@linux_only
def test_a_full_device(mock: MockInThread) -> None:
    result = chat(run, mock, "Hello", via='"$@" >/dev/full')
    assert result.code == 4
    assert "No space" in result.complaint


# -------------------------------------------------------------------------------------------------------------- record


def test_what_was_recorded_can_be_played(inside: Inside, mock: MockInThread, tmp_path: Path) -> None:
    path = tmp_path / "c.cassette"
    options = ("Hello", "--api-key-env", "A_KEY", "--record", str(path))
    first = chat(inside, mock, *options, env={"A_KEY": "sk-s3cr3t"})
    assert (first.code, first.out.decode(), first.err) == (0, LINE, "")
    assert b"s3cr3t" not in path.read_bytes()
    (recorded,) = read_cassette(path).exchanges
    assert recorded.ended is not None
    assert (recorded.ended.how, recorded.ended.keep_alive) == ("complete", True)
    times = [read.at_ns for read in recorded.reads]
    assert times == sorted(times)
    assert times[0] > 0
    with Served("--replay", str(path)) as server:
        again = inside(*CHAT, f"{server.url}/v1/chat/completions", "Hello", "--model", "m")
    assert (again.code, again.out.decode()) == (0, LINE)


@pytest.mark.parametrize("cut", [0, 1, 5, 15])
def test_a_key_that_the_server_repeats_is_not_recorded(inside: Inside, tmp_path: Path, cut: int) -> None:
    key = b"my-own-key-12345"
    head, *records = events(delta({"content": f"You said {key.decode()}."}), delta({}, "stop"), b"[DONE]")
    wire = head.replace(b"Connection", b"X-Echo: " + key + b"\r\nConnection") + b"".join(records)
    at = wire.rindex(key) + cut
    path = tmp_path / "c.cassette"
    with served_once(wire[:at], wire[at:]) as url:
        options = ("--model", "m", "--api-key-env", "A_KEY", "--record", str(path))
        target = f"{url}/v1/chat/completions?x={key.decode()}"
        result = inside(*CHAT, target, "Hello", *options, env={"A_KEY": key.decode()})
    assert result.code == 0
    (recorded,) = read_cassette(path).exchanges
    assert b"".join([read.data for read in recorded.reads]) == wire.replace(key, b"*" * len(key))
    assert key not in path.read_bytes()


def test_the_question_for_the_dialect_is_not_recorded(inside: Inside, mock: MockInThread, tmp_path: Path) -> None:
    path = tmp_path / "c.cassette"
    assert chat(inside, mock, "Hello", "--record", str(path), path="").code == 0
    assert [entry["method"] for entry in mock.journal][-2:] == ["GET", "POST"]
    assert [recorded.method for recorded in read_cassette(path).exchanges] == ["POST"]


def test_a_refusal_is_an_event_where_events_are_printed(inside: Inside, mock: MockInThread) -> None:
    result = chat(inside, mock, "Hello", "--json", mocked="fault=status:429")
    assert result.code == 4
    (event,) = [json.loads(line) for line in result.out.splitlines()]
    assert (event["streamkit"], event["status"]) == ("error", 429)


@pytest.mark.parametrize("option", ["--max-record-bytes", "--max-message-bytes"])
def test_a_limit_can_be_set(inside: Inside, mock: MockInThread, option: str) -> None:
    result = chat(inside, mock, "Hello", option, "10")
    assert result.code == 3
    assert "longer than the limit of 10 bytes" in result.err


def test_a_tool_call_with_broken_arguments_is_told(inside: Inside) -> None:
    call: dict[str, object] = {
        "tool_calls": [{"index": 0, "id": "c1", "function": {"name": "get", "arguments": '{"city":"K'}}]
    }
    with served_once(*events(delta(call), delta({}, "tool_calls"), b"[DONE]")) as url:
        result = inside(*CHAT, f"{url}/v1/chat/completions", "Hello", "--model", "m")
    assert "[tool get" in result.err
    assert "the arguments of get are no JSON object" in result.err


def test_on_a_terminal_json_is_escaped_too() -> None:
    ours, theirs = pty.openpty()
    try:
        with (
            mockserver_in_thread(say="a\x9b\x7f\u202eb") as mock,
            Filter(*CHAT, f"{mock.url}/api/chat", "Hello", "--model", "m", "--json", stdout=theirs) as process,
        ):
            assert process.wait().code == 0
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert not set("\x9b\x7f\u202e") & set(shown)
    texts = [json.loads(line).get("text", "") for line in shown.splitlines()]
    assert "a\x9b\x7f\u202eb" in "".join(texts)


RECORDED_ENDS = [("fault=reset@token:2", "reset"), ("fault=close@token:2", "fin"), ("fault=status:500", "complete")]


@pytest.mark.parametrize(("fault", "how"), RECORDED_ENDS)
def test_a_recording_has_the_end_that_it_had(
    inside: Inside, mock: MockInThread, tmp_path: Path, fault: str, how: str
) -> None:
    path = tmp_path / "c.cassette"
    assert chat(inside, mock, "Hello", "--record", str(path), mocked=fault).code in {3, 4}
    (recorded,) = read_cassette(path).exchanges
    assert recorded.ended is not None
    assert recorded.ended.how == how


def test_a_recording_of_nobody(inside: Inside, tmp_path: Path) -> None:
    path = tmp_path / "c.cassette"
    assert inside(*CHAT, "http://127.0.0.1:1/api/chat", "Hello", "--model", "m", "--record", str(path)).code == 4
    (recorded,) = read_cassette(path).exchanges
    assert recorded.ended is not None
    assert recorded.ended.how == "unreachable"


def test_a_cassette_that_exists_is_left_alone(inside: Inside, mock: MockInThread, tmp_path: Path) -> None:
    path = tmp_path / "c.cassette"
    path.write_text("precious")
    result = chat(inside, mock, "Hello", "--record", str(path))
    assert result.code == 2
    assert "exists" in result.complaint
    assert (path.read_text(), mock.journal) == ("precious", [])


# -------------------------------------------------------------------------------------------------------------- timing


def test_timing_is_a_line_at_the_end(inside: Inside, mock: MockInThread) -> None:
    result = chat(inside, mock, "Hello", "--timing")
    assert re.fullmatch(r"streamkit chat: timing: first token [\d.]+ ms; last [\d.]+ ms; \d tokens.*", result.complaint)


class Told(Items[Event]):
    """A chat whose events come in these batches."""

    dialect = "openai-chat"
    dropped: Sequence[str] = ()
    repairs: Sequence[object] = ()

    def __init__(self, *batches: list[Event]) -> None:
        super().__init__()
        self._batches = [*batches]

    async def _receive(self) -> list[Event]:
        await trio.lowlevel.checkpoint()
        if not self._batches:
            raise trio.EndOfChannel
        return self._batches.pop(0)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


MS = 1_000_000


@pytest.mark.usefixtures("capfdbinary")
async def test_timing_counts_reads_that_bring_some_of_the_answer() -> None:
    told: list[tuple[int, list[Event]]] = [
        (90, [Start(), PartStart(part=0, kind="text")]),
        (100, [Text(part=0, text="one")]),
        (105, [Ping()]),
        (110, [Text(part=0, text=" two"), Text(part=0, text=" three")]),
        (150, [ToolArgs(part=1, json_text="{}")]),
        (200, [Usage(output_total=6), Finish("stop"), End()]),
    ]
    arrivals = iter([at_ms * MS for at_ms, events in told if at_ms in {100, 110, 150}])
    answering = Answering(as_json=False, reasoning=False, escape=False, dim=False, arrived_ns=lambda: next(arrivals))
    await answering.print_all(cast("Chat", Told(*(events for _, events in told))))
    # Five tokens in the 50 ms after the first one.
    assert answering.timing(20 * MS) == (
        "timing: first token 80.0 ms; last 130.0 ms; 6 tokens (100.0 a second);"
        " gaps p50 10.0 ms, p90 40.0 ms, p99 40.0 ms, max 40.0 ms"
    )


def test_timing_of_nothing() -> None:
    answering = Answering(as_json=False, reasoning=False, escape=False, dim=False, arrived_ns=lambda: 0)
    assert answering.timing(0) == "timing: no token came"


# --------------------------------------------------------------------------------------------------------------- usage

MISTAKES = [
    (["ftp://x", "Hello"], "http"),
    (["http://127.0.0.1:1/api/chat", " "], "prompt is empty"),
    (["http://127.0.0.1:1/api/chat", "Hello", "--dialect", "nope"], "nope"),
    (["http://127.0.0.1:1/api/chat", "Hello", "--timeout", "3"], "no unit"),
    (["http://127.0.0.1:1/api/chat", "Hello", "--api-key-env", "NOT_THERE_AT_ALL"], "NOT_THERE_AT_ALL"),
    (["http://127.0.0.1:1/api/chat", "Hello", "--record", "x", "--transport", "httpx"], "--record needs"),
    (["http://127.0.0.1:1/api/chat", "Hello", "--upstream-ca", "/nope"], "no such file"),
    (["http://127.0.0.1:1/api/chat", "Hello", "--header", "Connection=close"], "Connection"),
]


@pytest.mark.parametrize(("arguments", "complaint"), MISTAKES)
def test_a_mistake_is_told_in_words(inside: Inside, arguments: list[str], complaint: str) -> None:
    result = inside(*CHAT, *arguments)
    assert (result.code, result.out) == (2, b"")
    assert complaint.lower() in result.err.lower()


def test_a_terminal_without_a_prompt() -> None:
    ours, theirs = pty.openpty()
    try:
        with Filter(*CHAT, "http://127.0.0.1:1/api/chat", stdin=theirs) as process:
            result = process.wait()
    finally:
        os.close(ours)
        os.close(theirs)
    assert result.code == 2
    assert "there is no PROMPT" in result.complaint


def test_a_prompt_that_is_no_text() -> None:
    result = run(*CHAT, "http://127.0.0.1:1/api/chat", stdin=b"caf\xe9")
    assert result.code == 3
    assert "not UTF-8" in result.complaint
