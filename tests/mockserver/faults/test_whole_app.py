"""Every fault with every framing, through the whole server: nothing breaks it, and the journal says what was sent."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from random import Random

import h11
import pytest
import trio

from mockserver.app import MockServer, ServerConfig
from mockserver.faults.table import FAULTS, fault_of
from mockserver.journal import Entry, Journal
from mockserver.open import configured
from streamkit.errors import ConfigError
from streamkit.http.memory import memory_pair
from streamkit.http.server import serve_connection
from streamkit.http.stream import WireStream
from tests.mockserver.talk import request_bytes

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Say it."}]}
CONTENTS = {"contents": [{"parts": [{"text": "Say it."}]}]}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}

ASKED: dict[str, tuple[str, str, object]] = {
    "openai-chat": ("POST", "/v1/chat/completions", {**CHAT, "stream": True, "tools": [TOOL]}),
    "openai-completions": ("POST", "/v1/completions", {"model": "m", "prompt": "a", "stream": True}),
    "openai-responses": ("POST", "/v1/responses", {"model": "m", "input": "a", "stream": True}),
    "anthropic": ("POST", "/v1/messages", {**CHAT, "max_tokens": 9, "stream": True}),
    "ollama-chat": ("POST", "/api/chat", CHAT),
    "ollama-generate": ("POST", "/api/generate", {"model": "m", "prompt": "a"}),
    "gemini": ("POST", "/v1beta/models/m:streamGenerateContent?alt=sse", CONTENTS),
    "json-array": ("POST", "/v1beta/models/m:streamGenerateContent", CONTENTS),
    "ag-ui": ("POST", "/agui", {"threadId": "t", "runId": "r", "messages": [{"id": "1", **CHAT["messages"][0]}]}),  # type: ignore[dict-item]
    "agent-poc": ("POST", "/chat", CHAT),
    "text": ("GET", "/generate", None),
    "document": ("POST", "/v1/chat/completions", CHAT),
    "models": ("GET", "/v1/models", None),
    "error": ("POST", "/v1/chat/completions", {"model": "m"}),
    "head": ("HEAD", "/generate", None),
    "head of models": ("HEAD", "/v1/models", None),
}
ANY = ("openai-chat", "ollama-chat", "json-array", "text", "document", "models", "error", "head", "head of models")
ARGUMENTS = {"status": ":500:1", "length": ":+3", "oversized": ":5000", "garbage": ":16"}

PATIENCE_S = 20
"""Longer than any fault lasts that does not last for ever, shorter than a connection may be idle."""

BREAKS_HTTP = {"bad-chunk", "garbage", "interim:100"}


@dataclass
class Talk:
    """A server with one connection to it."""

    mock: MockServer
    client: WireStream
    errors: list[Exception] = field(default_factory=list)

    async def say(self, request: bytes) -> tuple[bytes, str]:
        """Send a request; return all that comes, and how it ends: "fin", "reset", or "quiet"."""
        got = b""
        await self.client.send_all(request)
        with trio.move_on_after(PATIENCE_S):
            try:
                while data := (await self.client.receive()).data:
                    got += data
            except trio.BrokenResourceError:
                return got, "reset"
            return got, "fin"
        return got, "quiet"


@asynccontextmanager
async def talking(**settings: str | int | list[str]) -> AsyncIterator[Talk]:
    config = configured(ServerConfig(seed=1, created_ns=0), settings)  # type: ignore[arg-type]  # a test's own
    mock = MockServer(config, Journal(keep_bytes=1 << 22))
    client, server = memory_pair()
    talk = Talk(mock, client)
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await serve_connection(server, mock.handle, on_error=talk.errors.append)

        nursery.start_soon(run)
        yield talk
        await client.aclose()
        nursery.cancel_scope.cancel()


def parsed(method: str, wire: bytes, *, is_closed: bool) -> tuple[h11.Response | None, bytes, bool]:
    """Return head, body, and whether that is one whole response and nothing else."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    head, body = None, b""
    try:
        client.receive_data(wire)
        if is_closed:
            client.receive_data(b"")
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return head, body, not client.trailing_data[0]
            elif not isinstance(event, h11.InformationalResponse):
                return head, body, False
    except h11.RemoteProtocolError:
        return head, body, False


def request_of(asked: str, version: str = "1.1", *, keep: bool = True) -> bytes:
    method, path, body = ASKED[asked]
    headers = {"Connection": "keep-alive"} if keep and version == "1.0" else {}
    return request_bytes(path, body, method=method, headers=headers, version=version)


def fault_text(kind: str, place: str = "") -> str:
    return kind + ARGUMENTS.get(kind, "") + place


def asked_with(kind: str) -> list[str]:
    dialects = FAULTS[kind].dialects
    return [name for name in ASKED if name in dialects] if dialects else list(ANY)


def check(talk: Talk, asked: str, kind: str, got: bytes, how: str) -> Entry:
    """Check what is true whatever the fault is."""
    entry = talk.mock.journal[-1]
    assert talk.errors == []
    assert bytes(entry.sent) == got
    assert entry.sent_bytes == len(got)
    method = ASKED[asked][0]
    head, _, is_whole = parsed(method, got, is_closed=how == "fin")
    if how == "quiet" and entry.outcome == "complete":
        assert is_whole or kind in BREAKS_HTTP
    if how == "fin":
        said = dict(head.headers) if head else {}
        is_told = said.get(b"connection") == b"close"
        assert entry.outcome == "closed" or is_told or "length:+3" in entry.notes, (entry.outcome, entry.notes)
    if how == "reset":
        assert entry.outcome == "reset"
    return entry


@pytest.mark.parametrize("kind", FAULTS)
async def test_no_fault_breaks_the_server(autojump_clock: trio.testing.MockClock, kind: str) -> None:
    ways = [*product(("chunked", "length", "close"), ("1.1", "1.0"), ("never", "always"))]
    if FAULTS[kind].dialects:  # they change records only
        ways = [("chunked", "1.1", "never"), ("length", "1.0", "always"), ("close", "1.1", "always")]
    for asked in asked_with(kind):
        for framing, version, gzip in ways:
            fault = {"gate": "g@token:1"} if kind == "gate" else {"fault": fault_text(kind)}
            async with talking(tokens=4, framing=framing, gzip=gzip, **fault) as talk:
                got, how = await talk.say(request_of(asked, version))
                entry = check(talk, asked, kind, got, how)
                if how == "quiet" and entry.outcome == "complete":
                    talk.mock.configure([("fault", "none")])
                    again, how = await talk.say(request_of(asked, version))
                    method = ASKED[asked][0]
                    assert parsed(method, again, is_closed=how == "fin")[2]
                    assert talk.errors == []
                    assert bytes(talk.mock.journal[-1].sent) == again


GENERIC = [kind for kind, row in FAULTS.items() if not row.dialects and kind != "gate"]
PLACES = ("before-head", "after-head", "token:2", "event:1", "event:2+3", "before-terminator")
STATUSES = ("200", "204", "205", "304", "429:1", "999")


def drawn_fault(rng: Random) -> str:
    kind = rng.choice(GENERIC)
    argument = f":{rng.choice(STATUSES)}" if kind == "status" else ARGUMENTS.get(kind, "")
    if kind == "length":
        argument = f":{rng.choice(['+3', '-3', '-99999'])}"
    for place in ("", *rng.sample(PLACES, len(PLACES))):
        with suppress(ConfigError):
            fault_of(text := kind + argument + (f"@{place}" if place and rng.random() < 0.8 else ""))
            if place:
                return text
    return kind + argument


@pytest.mark.parametrize("group", range(8))
async def test_no_faults_together_break_the_server(autojump_clock: trio.testing.MockClock, group: int) -> None:
    rng = Random(group)
    for _ in range(40):
        faults = [drawn_fault(rng) for _ in range(rng.randint(1, 4))]
        cuts = {level: rng.choice(["none", "size:3", "random:1:40"]) for level in ("records", "chunks", "split")}
        framing, gzip = rng.choice(["chunked", "length", "close"]), rng.choice(["never", "always"])
        asked, version = rng.choice(ANY), rng.choice(["1.0", "1.1"])
        async with talking(tokens=4, framing=framing, gzip=gzip, fault=faults, **cuts) as talk:
            got, how = await talk.say(request_of(asked, version))
            entry = talk.mock.journal[-1]
            assert talk.errors == [], (faults, asked)
            assert bytes(entry.sent) == got
            assert entry.outcome in {"complete", "closed", "reset", "stalled"}
            assert len(entry.faults) + sum("did nothing" in note for note in entry.notes) == len(faults)
            if (how, entry.outcome) == ("quiet", "complete") and not any(
                fault.startswith(("bad-chunk", "garbage", "interim:100")) for fault in entry.faults
            ):
                assert parsed(ASKED[asked][0], got, is_closed=False)[2], (faults, asked, framing, version)


BREAKS = {"reset": "reset", "close": "fin", "stall": "quiet"}


@pytest.mark.parametrize("place", ["@before-head", "@after-head", "@event:0+3", "@before-terminator", ""])
@pytest.mark.parametrize("kind", BREAKS)
async def test_a_break_ends_the_connection_wherever_it_is(
    autojump_clock: trio.testing.MockClock, kind: str, place: str
) -> None:
    for asked in ANY:
        for framing in ("chunked", "length", "close"):
            for gzip in ("never", "always"):
                async with talking(tokens=4, framing=framing, gzip=gzip, fault=fault_text(kind, place)) as talk:
                    got, how = await talk.say(request_of(asked))
                    entry = check(talk, asked, kind, got, how)
                    if "did nothing" in entry.notes[0]:
                        assert asked.startswith("head")
                        assert entry.outcome == "complete"
                        continue
                    assert how == BREAKS[kind]
                    if framing == "length" and place != "@before-head" and not asked.startswith("head"):
                        is_packed = gzip == "always"
                        has_terminator = asked in {"openai-chat", "ollama-chat", "json-array"}
                        is_at_end = place == "@before-terminator" and not is_packed and not has_terminator
                        assert parsed("GET", got, is_closed=True)[2] == is_at_end


CHUNKS = re.compile(rb"xyz\r\n|(?:^|\n)[0-9a-f]+\r\n")


@pytest.mark.parametrize("kind", ["bad-chunk", "junk-after-end", "slow-close", "no-last-chunk", "trailers"])
@pytest.mark.parametrize("then", ["", "length:+3"])
async def test_where_nothing_claims_chunks_no_bytes_of_them_are_in_the_body(
    autojump_clock: trio.testing.MockClock, kind: str, then: str
) -> None:
    faults = [kind, then] if then else [kind]
    for asked in ("openai-chat", "text", "document"):
        for version, framing in (
            ("1.0", "auto"),
            ("1.0", "close"),
            ("1.0", "length"),
            ("1.1", "length"),
            ("1.1", "close"),
        ):
            async with talking(tokens=4, framing=framing, fault=faults) as talk:
                got, how = await talk.say(request_of(asked, version))
                notes = check(talk, asked, kind, got, how).notes
            head, _, body = got.partition(b"\r\n\r\n")
            assert b"chunked" not in head
            assert not CHUNKS.search(body)
            async with talking(tokens=4, framing=framing) as talk:
                plain, _ = await talk.say(request_of(asked, version))
            expected = plain.partition(b"\r\n\r\n")[2]
            if notes[0] == "junk-after-end":
                expected += b"junk"
            assert body == expected
            assert how == "fin" or b"Content-Length" in head


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("kind", ["junk-after-end", "slow-close", "no-last-chunk", "trailers", "bad-chunk", "ping"])
async def test_compressed_bodies_have_their_end_before_what_follows_them(
    autojump_clock: trio.testing.MockClock, kind: str, framing: str
) -> None:
    async with talking(tokens=4, framing=framing, gzip="always", fault=kind) as talk:
        got, how = await talk.say(request_of("openai-chat"))
        check(talk, "openai-chat", kind, got, how)
    head, _, wire = got.partition(b"\r\n\r\n")
    if framing == "chunked":
        wire = wire.replace(b"xyz\r\n", b"")
        body, rest = b"", wire
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            if not int(size, 16):
                break
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    else:
        length = re.search(rb"Content-Length: (\d+)", head)
        body = wire[: int(length[1])] if length else wire
    unpacked = zlib.decompressobj(31)
    text = unpacked.decompress(body)
    assert unpacked.eof
    assert unpacked.unused_data == b""
    assert text.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("gzip", ["never", "always"])
@pytest.mark.parametrize("asked", ["openai-chat", "text", "document", "models", "error"])
async def test_a_body_that_breaks_off_promises_what_it_would_have_been(
    autojump_clock: trio.testing.MockClock, asked: str, gzip: str
) -> None:
    lengths = set()
    faults = ["none", "reset@after-head", "reset@before-terminator", "slow-close", "junk-after-end"]
    if gzip == "never":  # a cut inside of a record makes two of it, each of which is compressed apart
        faults.append("close@event:0+5")
    for fault in faults:
        async with talking(tokens=4, framing="length", gzip=gzip, fault=fault) as talk:
            got, _ = await talk.say(request_of(asked))
        lengths.add(re.search(rb"Content-Length: (\d+)", got)[1])  # type: ignore[index]
    assert len(lengths) == 1


async def test_a_longer_body_that_breaks_off_promises_the_longer_one(autojump_clock: trio.testing.MockClock) -> None:
    for faults in (["reset@token:3", "comment@token:1"], ["comment@token:1", "reset@token:3"]):
        async with talking(tokens=4, framing="length", fault=faults) as talk:
            got, how = await talk.say(request_of("openai-chat"))
        async with talking(tokens=4, framing="length", fault="comment@token:1") as talk:
            whole, _ = await talk.say(request_of("openai-chat"))
        assert how == "reset"
        assert whole.startswith(got)


async def test_a_status_has_one_way_to_tell_its_end(autojump_clock: trio.testing.MockClock) -> None:
    for fault in ("status:503", "length:+3"):
        async with talking(tokens=4, framing="chunked", fault=fault) as talk:
            got, _ = await talk.say(request_of("openai-chat", "1.0"))
        head = got.partition(b"\r\n\r\n")[0].lower()
        assert b"content-length" in head
        assert b"transfer-encoding" not in head


async def test_an_error_does_not_wait_for_the_answer_that_it_replaces(autojump_clock: trio.testing.MockClock) -> None:
    async with talking(tokens=4, ttft="5s", rate=1, fault="status:503") as talk:
        for asked in ("openai-chat", "document"):
            await talk.say(request_of(asked))
            entry = talk.mock.journal[-1]
            assert entry.writes[-1].began_ns == entry.origin_ns


# What faults befall


@pytest.mark.parametrize("asked", ["models", "error", "head of models", "head", "text", "document", "openai-chat"])
async def test_faults_befall_every_answer(autojump_clock: trio.testing.MockClock, asked: str) -> None:
    async with talking(fault=["status:503:7,first:1", "reset@before-head,first:2"]) as talk:
        first, how = await talk.say(request_of(asked))
        assert (first, how) == (b"", "reset")
        assert talk.mock.journal[-1].faults == ("status:503:7,first:1", "reset@before-head,first:2")
    async with talking(fault="status:503:7,first:1") as talk:
        first, _ = await talk.say(request_of(asked))
        second, _ = await talk.say(request_of(asked))
    assert first.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 7" in first
    assert not second.startswith(b"HTTP/1.1 503 ")


async def test_no_answer_but_a_model_s_waits_for_a_first_token(autojump_clock: trio.testing.MockClock) -> None:
    async with talking(ttft="5s") as talk:
        for asked in ("models", "error"):
            await talk.say(request_of(asked))
            entry = talk.mock.journal[-1]
            assert entry.writes[-1].began_ns == entry.origin_ns


async def test_the_admin_api_has_no_faults(autojump_clock: trio.testing.MockClock) -> None:
    async with talking(fault="status:503") as talk:
        got, _ = await talk.say(request_bytes("/_mock/state"))
    assert got.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("fault", "cannot"),
    [
        ("bad-json@token:1,first:1", "text"),
        ("reset@token:1,first:1", "models"),
        ("reset@token:1,first:1", "error"),
        ("reset@token:1,first:1", "head"),
        ("no-finish,first:1", "ollama-chat"),
        ("error,first:1", "document"),
        ("reset@token:999,first:1", "ollama-chat"),
    ],
)
async def test_only_requests_that_a_fault_befell_are_counted(
    autojump_clock: trio.testing.MockClock, fault: str, cannot: str
) -> None:
    async with talking(tokens=4, fault=fault) as talk:
        await talk.say(request_of(cannot))
        entry = talk.mock.journal[-1]
        assert entry.outcome == "complete"
        assert entry.faults == ()
        assert "did nothing" in entry.notes[0]
    if "999" in fault:
        return
    for asked in (cannot, "openai-chat"):
        async with talking(tokens=4, fault=fault) as talk:
            await talk.say(request_of(cannot))
            await talk.say(request_of(asked))
            assert bool(talk.mock.journal[-1].faults) == (asked == "openai-chat")


async def test_an_old_client_gets_no_interim_response_and_is_not_counted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with talking(tokens=1, fault="interim:103,first:1") as talk:
        old, _ = await talk.say(request_of("models", "1.0"))
        new, _ = await talk.say(request_of("models"))
    assert old.startswith(b"HTTP/1.1 200 ")
    assert new.startswith(b"HTTP/1.1 103 ")


# Headers


@pytest.mark.parametrize("text", ["a\r\nX-Bad: 1", "a\nX-Bad: 1", "a\x00", "€", "\u2028", "a\x85b", "😀", "\x7f", ""])
async def test_no_setting_puts_a_line_into_a_head(autojump_clock: trio.testing.MockClock, text: str) -> None:
    import json

    for fault in (f"content-type:{text}", f"trailers:A={text}", f"trailers:{text}=a"):
        for asked in ("openai-chat", "models"):
            async with talking(tokens=1) as talk:
                method, path, body = ASKED[asked]
                header = ("fault=" + json.dumps(fault)).encode().decode("latin-1")
                request = request_bytes(path, body, method=method).replace(
                    b"\r\nHost", b"\r\nX-Mock: " + header.encode("latin-1") + b"\r\nHost", 1
                )
                got, _ = await talk.say(request)
                assert talk.errors == []
                assert b"\nX-Bad" not in got
                is_default = fault == "content-type:"
                assert got.startswith(b"HTTP/1.1 200 " if is_default else b"HTTP/1.1 400 "), got
                assert is_default or b"takes" in got.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("name", ["a\r\nX-Bad: 1", "€", "\x00", "😀\u2028", "\ud800"])
async def test_no_name_in_a_request_puts_a_line_into_a_head(autojump_clock: trio.testing.MockClock, name: str) -> None:
    requests = [
        request_bytes("/v1/chat/completions", {**CHAT, "model": name, "stream": True}),
        request_bytes("/v1/chat/completions", {**CHAT, "model": name}),
        request_bytes("/v1/messages", {**CHAT, "model": name, "max_tokens": 5}),
        request_bytes("/api/chat", {**CHAT, "model": name}),
        request_bytes("/chat", CHAT, headers={"Last-Event-ID": "1f-%0d%0aX-Bad: 1"}),
        request_bytes("/v1/models/a%0d%0aX-Bad:%201%e2%82%ac"),
        request_bytes("/v1beta/models/a%0d%0aX-Bad:%201%ff:generateContent", CONTENTS),
    ]
    async with talking(tokens=1, ids="true") as talk:
        for request in requests:
            got, _ = await talk.say(request)
            assert talk.errors == []
            assert got
            assert b"\nX-Bad" not in got.partition(b"\r\n\r\n")[0]
            assert not got.startswith(b"HTTP/1.1 500 ")
