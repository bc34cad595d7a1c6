"""A stream that was seen is saved, and the mock server plays it: the same bytes, and no key among them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from mockserver.app import ServerConfig
from mockserver.open import open_mockserver
from mockserver.recording.replay import Replay
from streamkit.gateway.record import Record
from streamkit.http.listener import open_listeners
from streamkit.io.cassette import Cassette, parse_cassette
from streamkit.watch.moments import Moment, Sight
from streamkit.watch.taping import NoCassetteError, cassette_of
from tests.gateway.peers import connected, end, framed, head_bytes
from tests.gateway.readers import Client, Ending, Server
from tests.gateway.websocket_peers import Hand, close_of, opening
from tests.gateway.websocket_stand import QUESTION
from tests.watch.stand import CHAT, ENVELOPE, WatchStand, asking, watching

WORDS = "The weather is fine, größe 🐢, and it will stay so."


async def saved(stand: WatchStand) -> tuple[Cassette, bytes]:
    """The only stream there is, as it is saved."""
    number = (await stand.sight()).record.number
    head, data = await stand.api(f"streams/{number}/cassette")
    assert head.status == 200, data
    assert head.get("content-disposition") == f'attachment; filename="stream-{number}.cassette"'
    return parse_cassette(io.BytesIO(data)), data


async def played(cassette: Cassette, requests: list[bytes]) -> list[tuple[bytes, bytes, Ending]]:
    """What is answered where the cassette is the model: all that came, the body, and the ending."""
    answers = []
    async with open_mockserver(ServerConfig(replay=Replay(cassette, speed=0))) as mock:
        for request in requests:
            client = Client(await connected(int(mock.url.rpartition(":")[2])))
            async with client.stream:
                await client.send(request)
                await client.head()
                body, ending = await client.rest()
                answers.append((bytes(client.wire), body, ending))
    return answers


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat", "/streams"])
@pytest.mark.parametrize(
    ("settings", "ending"),
    [
        ({}, "complete"),
        ({"split": "every-byte"}, "complete"),
        ({"fault": "reset@token:2"}, "reset"),
        ({"fault": "close@token:2"}, "cut"),
        ({"fault": "bad-json@token:2"}, "complete"),
    ],
)
async def test_what_is_saved_is_played_as_it_was(path: str, settings: dict[str, Any], ending: Ending) -> None:
    async with watching({"say": WORDS} | settings) as stand:
        head, got, _ = await stand.ask(f"POST {path}", body=ENVELOPE if path == "/streams" else CHAT)
        if head.status == 201:
            await stand.ask(f"GET {json.loads(got)['events']}")
        cassette, _ = await saved(stand)
        (entry,) = stand.mock.journal
        asked = asking("POST /v1/chat/completions", body=bytes(entry.body))
        ((wire, _, how),) = await played(cassette, [asked])
        if "bad-json" in str(settings) and path != "/v1/chat/completions":
            assert bytes(entry.sent).startswith(wire)  # a gateway that reads goes no further
        else:
            assert (wire, how) == (bytes(entry.sent), ending)
        (exchange,) = cassette.exchanges
        times = [read.at_ns for read in exchange.reads]
        assert times == sorted(times)


async def test_no_key_is_in_it() -> None:
    (listener,) = await open_listeners(0)
    keys = ("sk-client", "sk-gateway", "sk-query", "sk-upstream", "biscuit", "crumb")
    options: dict[str, Any] = {"speaks": "", "api_key": keys[1], "upstream_key": keys[3]}
    async with listener, watching(url=f"http://127.0.0.1:{listener.port}", **options) as stand:
        client = await stand.client()
        headers = [f"Authorization: Bearer {keys[1]}", f"X-Api-Key: {keys[0]}", f"Cookie: session={keys[4]}"]
        await client.send(asking(f"POST /v1/chat?key={keys[2]}", *headers, body=CHAT))
        server = Server(await listener.accept())
        await server.request()
        cookie = ("Set-Cookie", f"session={keys[5]}; Secure")
        await server.send(head_bytes("chunked", fields=[cookie]) + framed("chunked", b"data: x\n\n"))
        await end(server, "chunked")
        await client.head()
        await client.rest()
        _, data = await saved(stand)
        for key in keys:
            assert key.encode() not in data
        server.stream.abort()


async def test_both_questions_of_a_websocket_are_in_it() -> None:
    async with watching({"say": WORDS}) as stand:
        hand = Hand((await stand.client()).stream)
        await hand.send(opening(Host="127.0.0.1"))
        await hand.head()
        for _ in range(2):
            await hand.ask(QUESTION)
            await hand.until("end")
        await hand.send(close_of(1000))
        await hand.end()
        cassette, _ = await saved(stand)
        assert len(cassette.exchanges) == 2
        asked = [asking("POST /v1/chat/completions", body=bytes(entry.body)) for entry in stand.mock.journal]
        wires = [wire for wire, _, _ in await played(cassette, asked)]
        assert wires == [bytes(entry.sent) for entry in stand.mock.journal]


async def test_a_stream_that_goes_on_can_be_saved_as_far_as_it_has_come() -> None:
    async with watching({"say": WORDS, "gate": "held@token:2"}) as stand:
        client = await stand.client()
        await client.send(asking("POST /v1/chat/completions", body=CHAT))
        await client.head()
        await stand.mock.gates.wait_for("held")
        (sight,) = stand.sights
        await stand.until(lambda: sight.reads > 0)
        head, data = await stand.api(f"streams/{sight.record.number}/cassette")
        assert head.status == 200
        cassette = parse_cassette(io.BytesIO(data))
        assert cassette.exchanges[0].ended is None
        stand.mock.gates.open("held")
        _, ending = await client.rest()
        assert ending == "complete"
        ((_, _, how),) = await played(cassette, [asking("POST /v1/chat/completions", body=CHAT)])
        assert how == "cut"  # so that nobody takes it for whole


async def test_what_the_upstream_was_not_asked_cannot_be_saved() -> None:
    async with watching() as stand:
        await stand.ask("POST /v1/messages", body=b"no JSON")
        sight = await stand.sight()
        head, body = await stand.api(f"streams/{sight.record.number}/cassette")
        assert head.status == 409
        assert "not asked" in json.loads(body)["error"]


def sight_of(*moments: Moment, max_bytes: int = 1 << 20) -> Sight:
    sight = Sight(Record(1, 10**18, "client", 0), method="POST", max_bytes=max_bytes)
    for moment in moments:
        sight.see(moment)
    sight.is_live = False
    return sight


def up(what: str, data: bytes = b"", at_ns: int = 5, on: int = 0) -> Moment:
    return Moment("upstream", what, on, at_ns, data)  # type: ignore[arg-type]  # one of the words


ASKED = b"POST /a HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_what_is_not_all_kept_cannot_be_saved() -> None:
    sight = sight_of(up("sent", ASKED + b"body"), up("read", bytes(1000)), max_bytes=600)
    with pytest.raises(NoCassetteError, match="1000 bytes"):
        cassette_of(sight, "http://b")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [(b"POST /a HTTP/1.1\r\nHost: b\r\n", "not sent to its end"), (b"\x16\x03\x01 hello\n\r\n\r\n", "cannot be read")],
)
def test_half_a_request_cannot_be_saved(sent: bytes, reason: str) -> None:
    with pytest.raises(NoCassetteError, match=reason):
        cassette_of(sight_of(up("sent", sent)), "http://b")


@pytest.mark.parametrize("interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_a_body_that_is_sent_behind_an_interim_answer_is_no_other_request(interim: bytes) -> None:
    sight = sight_of(up("sent", ASKED), up("read", interim), up("sent", b"bo"), up("sent", b"dy"), up("read", ANSWERED))
    (exchange,) = parse_cassette(io.BytesIO(cassette_of(sight, "http://b"))).exchanges
    assert exchange.body == b"body"
    assert [read.data for read in exchange.reads] == [interim, ANSWERED]
    assert exchange.ended is not None
    assert exchange.ended.how == "complete"


def test_a_connection_that_was_dead_is_an_exchange_of_its_own() -> None:
    whole = ASKED + b"body"
    sight = sight_of(up("sent", whole), up("reset"), up("sent", whole, on=1), up("read", ANSWERED, on=1))
    first, second = parse_cassette(io.BytesIO(cassette_of(sight, "http://b"))).exchanges
    assert first.ended is not None
    assert (first.reads, first.ended.how) == ([], "reset")
    assert second.ended is not None
    assert ([read.data for read in second.reads], second.ended.how) == ([ANSWERED], "complete")
