"""Resumable streams as a part of the whole gateway: its key, its log, its end."""

from __future__ import annotations

import json

import pytest

from mockserver.open import open_mockserver
from tests.gateway.peers import gateway_to
from tests.gateway.streaming import ENVELOPE, events_of, text_of, wire

WORDS = "The weather is fine today, and it will stay so."

PAGE = "https://app.example"


async def test_a_page_needs_the_key_to_ask_and_only_the_id_to_read() -> None:
    async with (
        open_mockserver(say=WORDS) as mock,
        gateway_to(mock.url, speaks="ollama-chat", api_key="sesame", cors_origins=frozenset({PAGE})) as stand,
    ):
        client = await stand.client()
        origin = f"Origin: {PAGE}"
        head, _, _ = await client.ask(wire("POST /streams", origin, body=ENVELOPE))
        assert head.status == 401  # and the connection ends, for its body was not read
        client = await stand.client()
        head, body, _ = await client.ask(wire("POST /streams", origin, "Authorization: Bearer sesame", body=ENVELOPE))
        assert head.status == 201
        document = json.loads(body)
        head, got, ending = await client.ask(wire(f"GET {document['events']}", origin))
        assert (head.status, text_of(got), ending) == (200, WORDS, "complete")
        assert head.get("access-control-allow-origin") == PAGE
        record = await stand.record(3)
        assert record.target == f"/streams/{document['id'][:4]}[redacted]/events"
        assert len(mock.journal) == 1
        assert mock.journal[0].dialect == "ollama-chat"


async def test_a_gateway_that_drains_lets_its_streams_finish() -> None:
    async with (
        open_mockserver(say=WORDS, gate="held@token:2") as mock,
        gateway_to(mock.url, speaks="ollama-chat") as stand,
    ):
        asking, reader = await stand.client(), await stand.client()
        _, body, _ = await asking.ask(wire("POST /streams", body=ENVELOPE))
        await reader.send(wire(f"GET {json.loads(body)['events']}"))
        await reader.head()
        await mock.gates.wait_for("held")
        stand.gateway.drain.set()
        head, _, _ = await asking.ask(wire("POST /streams", body=ENVELOPE))
        assert (head.status, head.get("connection")) == (503, "close")
        mock.gates.open("held")
        got, ending = await reader.rest()
        assert (text_of(got), ending) == (WORDS, "complete")


async def test_without_an_upstreams_dialect_there_are_no_streams() -> None:
    async with open_mockserver() as mock, gateway_to(mock.url) as stand:
        client = await stand.client()
        head, _, _ = await client.ask(wire("POST /streams", body=ENVELOPE))
        assert head.status == 404  # the upstream's
        assert mock.journal[0].target == "/streams"


@pytest.mark.parametrize(
    ("fault", "kind", "outcome"),
    [("reset@token:2", "truncated", "upstream-cut"), ("error@token:2", "status", "ok")],
)
async def test_a_stream_that_fails_says_so_in_the_log_and_as_a_websocket_would(
    fault: str, kind: str, outcome: str
) -> None:
    async with open_mockserver(say=WORDS, fault=fault) as mock, gateway_to(mock.url, speaks="ollama-chat") as stand:
        client = await stand.client()
        _, body, _ = await client.ask(wire("POST /streams", body=ENVELOPE))
        _, got, ending = await client.ask(wire(f"GET {json.loads(body)['events']}"))
        told = events_of(got)[-1][1]
        assert (told["streamkit"], told["type"], ending) == ("error", kind, "complete")
        assert told["status"] >= 500
        record = await stand.record(2)
        assert (record.outcome, record.detail) == (outcome, told["message"])
        _, shown, _ = await client.ask(wire("GET /_gateway/stats"))
        assert json.loads(shown)["streams"] == {"open": 1, "begun": 1, "abandoned": 0}


async def test_the_id_of_a_stream_is_not_written_down_in_whatever_way_it_is_spelled() -> None:
    async with open_mockserver(say=WORDS) as mock, gateway_to(mock.url, speaks="ollama-chat") as stand:
        client = await stand.client()
        _, body, _ = await client.ask(wire("POST /streams", body=ENVELOPE))
        document = json.loads(body)
        path = document["events"].replace("/s", "/%73", 1)
        head, _, _ = await client.ask(wire(f"GET {path}"))
        assert head.status == 200
        assert (await stand.record(2)).target == f"/streams/{document['id'][:4]}[redacted]/events"
