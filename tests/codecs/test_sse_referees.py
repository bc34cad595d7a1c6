"""Decoders that other people wrote, as referees on the event-stream table.

Chromium's EventSource is the standard at work: it has to agree in every case. httpx-sse and the official OpenAI and
Anthropic SDKs are what clients of LLM servers really run; they agree except where the tables below say otherwise, by
name and with the reason. The tables are strict: a deviation that is gone fails its test, so that they stay true.
Node's TextDecoder judges the UTF-8 decoding.

Where Chromium does differ from the standard, outside of what the table shows: a `charset` other than UTF-8 in the
Content-Type makes it give up (the standard ignores the parameter), and an empty `retry` brings its default of 3 s back.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from anthropic._streaming import SSEDecoder as AnthropicDecoder
from httpx_sse import EventSource
from openai._streaming import SSEDecoder as OpenAIDecoder

from streamkit.codecs.ndjson import NDJSONDecoder
from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.text import Utf8Decoder
from streamkit.errors import DecodeError
from tests.chromium import open_chromium
from tests.codecs.sse_cases import CASES, EVENT_NAMES, Case, Triple

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def ours(wire: bytes) -> list[Triple]:
    return [(event.event, event.data, event.id) for event in SSEDecoder().feed(wire)]


# --- Python clients --------------------------------------------------------------------------------------------------


def httpx_sse(wire: bytes) -> list[Triple]:
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=wire)
    return [(event.event, event.data, event.id) for event in EventSource(response).iter_sse()]


def openai(wire: bytes) -> list[Triple]:
    events = OpenAIDecoder().iter_bytes(iter([wire]))
    return [(event.event or "message", event.data, event.id or "") for event in events]


def anthropic(wire: bytes) -> list[Triple]:
    events = AnthropicDecoder().iter_bytes(iter([wire]))
    return [(event.event or "message", event.data, event.id or "") for event in events]


@dataclass(frozen=True)
class Deviation:
    """Cases in which a client differs from the standard, and why.

    Attributes:
        reason: what it does instead.
        cases: their names.
        error: what it raises, if it does.
    """

    reason: str
    cases: frozenset[str]
    error: type[Exception] | None = None


def deviation(reason: str, names: str, error: type[Exception] | None = None) -> Deviation:
    return Deviation(reason, frozenset(names.split()), error)


BOM_KEPT = deviation(
    "the byte-order mark stays on the first field's name, so that field is lost (openai/openai-python#3819)",
    "bom-dropped bom-before-event bom-after-bom-in-value bulk-after-bom",
)
DATALESS_EVENT = deviation(
    "a block with an event, id or retry field but without data is dispatched, with data ''",
    "retry retry-no-space retry-zero retry-leading-zeros retry-last-wins retry-bad-keeps-earlier retry-64-bit"
    " retry-empty-after-good no-data-no-event no-data-clears-type no-data-commits-id no-data-commits-id-at-end"
    " no-data-with-comment no-data-with-retry id-buffer-kept bulk-after-id bulk-with-id-block bulk-with-retry",
)
RETRY_BY_INT = deviation(
    "retry goes through int(), which takes signs, underscores, spaces and any Unicode digits"
    " (openai/openai-python#3834); seen here because a block with only a retry is dispatched",
    "retry-plus retry-minus retry-underscore retry-two-spaces retry-trailing-space retry-tab retry-arabic-digits"
    " retry-full-width-digits",
)
STRICT_UTF_8 = deviation(
    "invalid UTF-8 raises instead of being replaced",
    "bom-two-thirds bom-one-third bom-of-utf-16 bom-interrupted lone-continuation two-continuations never-utf-8 latin-1"
    " cut-two-bytes cut-three-bytes cut-three-bytes-cr cut-four-bytes cut-then-whole cut-across-lines overlong-two"
    " overlong-lf overlong-three surrogate surrogate-pair beyond-unicode five-bytes invalid-in-event invalid-in-id"
    " invalid-in-name cut-before-colon invalid-in-comment raw-byte-85 retry-invalid-utf-8 inside-character"
    " bulk-with-invalid-utf-8",
    UnicodeDecodeError,
)


@dataclass(frozen=True)
class Client:
    """A client's decoder, and where it is known to be wrong."""

    name: str
    decode: Callable[[bytes], list[Triple]]
    deviations: tuple[Deviation, ...]

    def deviation_in(self, case: Case) -> Deviation | None:
        return next((each for each in self.deviations if case.name in each.cases), None)


CLIENTS = (
    Client("httpx-sse", httpx_sse, (BOM_KEPT, DATALESS_EVENT, RETRY_BY_INT)),
    Client("openai", openai, (BOM_KEPT, DATALESS_EVENT, RETRY_BY_INT, STRICT_UTF_8)),
    Client("anthropic", anthropic, (BOM_KEPT, DATALESS_EVENT, RETRY_BY_INT, STRICT_UTF_8)),
)


def test_deviations_name_existing_cases_once() -> None:
    names = {case.name for case in CASES}
    for client in CLIENTS:
        listed = [name for each in client.deviations for name in each.cases]
        assert set(listed) <= names
        assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@every_case
def test_client(client: Client, case: Case) -> None:
    known = client.deviation_in(case)
    if known is None:
        assert client.decode(case.wire) == ours(case.wire) == case.events
    elif known.error is not None:
        with pytest.raises(known.error):
            client.decode(case.wire)
    else:
        assert client.decode(case.wire) != case.events, f"{client.name} has become right: {known.reason}"


# --- Chromium --------------------------------------------------------------------------------------------------------

LISTEN = """
async ({urls, names}) => {
    const listen = url => new Promise((resolve, reject) => {
        const seen = [];
        const source = new EventSource(url);
        const timer = setTimeout(() => { source.close(); reject(new Error(`nothing more from ${url}`)); }, 20000);
        const keep = event => seen.push([event.type, event.data, event.lastEventId]);
        for (const name of names) {
            // "error" and "open" are also the names of the source's own events, which are no MessageEvents.
            source.addEventListener(name, event => { if (event instanceof MessageEvent) keep(event); });
        }
        source.addEventListener("error", event => {
            if (event instanceof MessageEvent) return;
            if (url.endsWith("/again") && source.readyState === EventSource.CONNECTING) return;  // it asks once more
            clearTimeout(timer);
            source.close();
            resolve(seen);
        });
    });
    const results = Array(urls.length);
    let next = 0;
    const work = async () => {
        while (next < urls.length) {
            const mine = next++;
            results[mine] = await listen(urls[mine]);
        }
    };
    // HTTP/1.1 gives a page six connections to a host.
    await Promise.all([work(), work(), work(), work(), work()]);
    return results;
}
"""

RECONNECT_AT_ONCE = b"retry: 1\n"


def may_reconnect(case: Case) -> bool:
    """Whether the browser can be told, before the case's own bytes, to reconnect at once."""
    return b"retry" not in case.wire.lower() and not case.wire.startswith(b"\xef")


class CaseServer(ThreadingHTTPServer):
    """Serves each case to a browser, and an empty page.

    `/N` answers with the wire bytes of case N and closes. `/N/again` does so too, but tells the browser first to
    reconnect at once, keeps the Last-Event-ID with which it does, and then ends it with 204, as the standard provides.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CaseHandler)
        self.asked: dict[int, list[str]] = {}

    def answer(self, path: str, last_event_id: str) -> tuple[int, str, bytes]:
        number, _, again = path.removeprefix("/").partition("/")
        if not number.isdigit():
            return 200, "text/html", b"<!doctype html><title>cases</title>"
        wire = CASES[int(number)].wire
        if not again:
            return 200, "text/event-stream", wire
        ids = self.asked.setdefault(int(number), [])
        ids.append(last_event_id)
        if len(ids) > 1:
            return 204, "text/event-stream", b""
        return 200, "text/event-stream", RECONNECT_AT_ONCE + wire


class CaseHandler(BaseHTTPRequestHandler):
    """One request; HTTP/1.0, so the body lasts until the connection closes."""

    server: CaseServer

    def do_GET(self) -> None:
        last_event_id = self.headers.get("Last-Event-ID", "").encode("latin-1").decode()
        status, media_type, body = self.server.answer(self.path, last_event_id)
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@dataclass(frozen=True)
class Seen:
    """What the browser did with a case.

    Attributes:
        events: what its EventSource dispatched.
        last_event_id: what it sent when it reconnected, None where it was not made to.
    """

    events: list[Triple]
    last_event_id: str | None


@pytest.fixture(scope="module")
def seen_by_chromium() -> dict[str, Seen]:
    """What Chromium does with each case, by the case's name; one page for all of them."""
    with CaseServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            origin = f"http://127.0.0.1:{server.server_port}"
            paths = [f"{number}/again" if may_reconnect(case) else f"{number}" for number, case in enumerate(CASES)]
            with open_chromium() as browser:
                page = browser.new_page()
                page.goto(f"{origin}/")
                names = sorted(EVENT_NAMES | {"message"})
                results = page.evaluate(LISTEN, {"urls": [f"{origin}/{path}" for path in paths], "names": names})
        finally:
            server.shutdown()
            thread.join()
    return {
        case.name: Seen(
            [(event, data, event_id) for event, data, event_id in result],
            server.asked[number][1] if number in server.asked else None,
        )
        for number, (case, result) in enumerate(zip(CASES, results, strict=True))
    }


@pytest.mark.needs("chromium")
@every_case
def test_chromium(case: Case, seen_by_chromium: dict[str, Seen]) -> None:
    seen = seen_by_chromium[case.name]
    assert seen.events == case.events == ours(case.wire)
    if seen.last_event_id is not None:
        assert seen.last_event_id == case.last_event_id.strip()  # HTTP knows no spaces around a header's value


# --- Node ------------------------------------------------------------------------------------------------------------

DECODE_IN_NODE = """
const lines = require("fs").readFileSync(0, "utf8").split("\\n").slice(0, -1);
const keep = new TextDecoder("utf-8", {ignoreBOM: true});
const strip = new TextDecoder("utf-8");
const strict = new TextDecoder("utf-8", {ignoreBOM: true, fatal: true});
console.log(JSON.stringify(lines.map(line => {
    const bytes = Buffer.from(line, "hex");
    let valid = true;
    try { strict.decode(bytes); } catch { valid = false; }
    return {kept: keep.decode(bytes), stripped: strip.decode(bytes), valid};
})));
"""

INTERESTING_BYTES = bytes.fromhex("41 7f 80 8f 90 9f a0 bb bf c0 c1 c2 df e0 ed ef f0 f1 f4 f5 f8 ff")
PIECES: list[bytes] = [
    *(bytes([byte]) for byte in INTERESTING_BYTES),
    *(letter.encode() for letter in "é你€👋\U0010ffff\u2028\ufffd\ufeff"),
    *(b"\xe2\x82", b"\xf0\x9f", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"\xe0\x80\x80", b"\xf4\x90\x80\x80"),
    b"\xef\xbb",
]  # fmt: skip


def byte_strings() -> list[bytes]:
    """All pairs of interesting bytes, and random strings of interesting pieces: the same in every run."""
    draw = random.Random(5)
    pairs = [bytes([first, second]) for first in INTERESTING_BYTES for second in INTERESTING_BYTES]
    mixed = [b"".join(draw.choices(PIECES, k=draw.randint(1, 8))) for _ in range(3000)]
    noise = [draw.randbytes(draw.randint(1, 6)) for _ in range(1000)]
    return [*pairs, *mixed, *(each for each in noise if b"\r" not in each and b"\n" not in each)]


@pytest.fixture(scope="module")
def seen_by_node() -> list[tuple[bytes, dict[str, Any]]]:
    strings = byte_strings()
    done = subprocess.run(
        [shutil.which("node") or "node", "-e", DECODE_IN_NODE],
        input="".join(f"{each.hex()}\n" for each in strings).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    return list(zip(strings, json.loads(done.stdout), strict=True))


@pytest.mark.needs("node")
def test_node_replaces_as_the_event_stream_does(seen_by_node: list[tuple[bytes, dict[str, Any]]]) -> None:
    for wire, node in seen_by_node:
        assert ours(b"event:" + wire + b"\ndata:" + wire + b"\n\n") in (
            [(node["kept"] or "message", node["kept"], "")],
            [(node["kept"].removeprefix(" "), node["kept"].removeprefix(" "), "")],  # the field's own optional space
        )


@pytest.mark.needs("node")
def test_node_replaces_as_the_text_decoder_does(seen_by_node: list[tuple[bytes, dict[str, Any]]]) -> None:
    for wire, node in seen_by_node:
        for bom, expected in (("keep", node["kept"]), ("strip", node["stripped"])):
            for chunks in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
                decoder = Utf8Decoder(errors="replace", bom="keep" if bom == "keep" else "strip")
                text = "".join([piece for chunk in chunks for piece in decoder.feed(chunk)] + decoder.finish())
                assert text == expected


@pytest.mark.needs("node")
def test_node_refuses_what_ndjson_refuses(seen_by_node: list[tuple[bytes, dict[str, Any]]]) -> None:
    checked = 0
    for wire, node in seen_by_node:
        if any(byte < 0x20 or byte in b'"\\' for byte in wire):
            continue  # those mean something in JSON
        checked += 1
        line = b'"' + wire + b'"\n'
        if node["valid"]:
            assert NDJSONDecoder().feed(line) == [node["kept"]]
            assert NDJSONDecoder(raw=True).feed(line) == [line[:-1]]
        else:
            for decoder in (NDJSONDecoder(), NDJSONDecoder(raw=True)):
                with pytest.raises(DecodeError) as caught:
                    decoder.feed(line)
                assert caught.value.code == "invalid-utf8"
    assert checked > 2000
