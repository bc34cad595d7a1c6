"""Scripts as files: what is written is read again, mistakes are told, and the server does what stands there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.app import ServerConfig
from mockserver.open import open_mockserver
from mockserver.script import Close, Gate, Reset, Script, Stall, Until, Write
from mockserver.scripted import read_script, written_script
from streamkit.errors import ConfigError
from tests.gateway.peers import connected
from tests.gateway.readers import Client

MS = 1_000_000

GOING_ON = st.one_of(
    st.builds(Write, st.binary(), st.integers(0, 9)),
    st.builds(Gate, st.text(min_size=1)),
    st.builds(Stall, st.none() | st.integers(0, 3_600_000).map(lambda each: each * MS)),
    st.builds(Until, st.integers(0, 3_600_000).map(lambda each: each * MS)),
)


@given(st.lists(GOING_ON), st.sampled_from([None, Reset(), Close()]), st.booleans())
def test_what_is_written_is_read_again(actions: list[Write], last: Reset | None, keep_alive: bool) -> None:
    script = Script([*actions, *([last] if last else [])], keep_alive)
    assert read_script(written_script(script).encode()) == script


def a_script(*actions: object, **fields: object) -> bytes:
    return json.dumps({"mockserver_script": 1, "actions": actions, **fields}).encode()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"{", "x is no JSON"),
        (b"[]", 'x is no script: it has to be an object with "mockserver_script": 1'),
        (b'{"mockserver_script": 2}', "x is no script"),
        (a_script(color=1), "x has a field 'color'"),
        (a_script(keep_alive=1), "keep_alive is true or false"),
        (b'{"mockserver_script": 1}', "actions is a list"),
        (a_script("write"), "x: action 1 has to be an object whose do is one of write, until, gate"),
        (a_script({"do": "reset"}, {"do": "write", "text": ""}), "nothing can follow action 1"),
        (a_script({"do": "close", "at": 1}), "x: action 1 has a field 'at', which close does not know"),
        (a_script({"do": "write"}), "x: action 1 writes either text or base64"),
        (a_script({"do": "write", "text": "", "base64": ""}), "writes either text or base64"),
        (a_script({"do": "write", "text": 1}), "writes either text or base64"),
        (a_script({"do": "write", "base64": "?"}), "base64 is none"),
        (a_script({"do": "write", "text": "", "tokens": -1}), "tokens is how many"),
        (a_script({"do": "gate"}), "name is the gate's"),
        (a_script({"do": "until"}), "at_ms is a number of milliseconds"),
        (a_script({"do": "stall", "for_ms": 1e9}), "for_ms is a number of milliseconds, at most"),
    ],
)
def test_a_mistake_is_told(data: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_script(data, "x")
    assert complaint in str(raised.value)


async def test_the_server_does_what_stands_there() -> None:
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    script = read_script(
        a_script(
            {"do": "write", "text": head + "3\r\none\r\n"},
            {"do": "gate", "name": "held"},
            {"do": "write", "text": "3\r\ntwo\r\n9\r\nth"},
            {"do": "reset"},
        )
    )
    async with open_mockserver(ServerConfig(script=script)) as mock:
        client = Client(await connected(int(mock.url.rpartition(":")[2])))
        await client.send(b"GET /any HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.head()).status == 200
        assert await client.read(3) == b"one"
        await mock.gates.wait_for("held")
        mock.gates.open("held")
        assert await client.rest() == (b"twoth", "reset")
        assert mock.journal[-1].outcome == "reset"
        client.stream.abort()
