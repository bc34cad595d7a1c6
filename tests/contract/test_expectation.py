"""What a script means for a client: read as it is written, however it is cut, and held to a foreign reader."""

from __future__ import annotations

import itertools
from dataclasses import replace

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockserver.script import Action, Close, Gate, Reset, Script, Stall, Write
from streamkit.contract.content import Talk
from streamkit.contract.expectation import expectation_of
from streamkit.contract.fuzz_scripts import Drawn, DrawnPiece, script_of, scripts
from streamkit.contract.fuzz_smaller import smaller, weight_of
from streamkit.contract.setting import Setting
from streamkit.http.origin import parse_origin

SETTING = Setting(parse_origin("http://127.0.0.1:1"))

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("actions", "body", "end"),
    [
        ([Write(CHUNKED), Write(b"3\r\none\r\n"), Gate("held"), Write(b"0\r\n\r\n")], b"one", "complete"),
        ([Write(CHUNKED + b"3\r\non"), Write(b"e\r\n0\r\nA: b\r\n\r\n")], b"one", "complete"),
        ([Write(CHUNKED + b"3\r\non"), Close()], b"on", "broken"),
        ([Write(CHUNKED + b"3\r\none\r\n"), Reset()], b"one", "reset"),
        ([Write(CHUNKED + b"3\r\none\r\n")], b"one", "broken"),
        ([Write(CHUNKED + b"x\r\n")], b"", "broken"),
        ([Write(COUNTED + b"12345")], b"12345", "complete"),
        ([Write(COUNTED + b"123"), Close()], b"123", "broken"),
        ([Write(UNTIL_CLOSED + b"123"), Close()], b"123", "closed"),
        ([Write(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + COUNTED + b"12345")], b"12345", "complete"),
        ([Write(COUNTED[:20]), Close()], b"", "broken"),
        ([Write(b"gar\nbage\r\n\r\n")], b"", "broken"),
        ([], b"", "broken"),
    ],
)
def test_a_script_is_read_as_http(actions: list[Action], body: bytes, end: str) -> None:
    found = expectation_of(actions)
    assert (b"".join(step.part.data for step in found.steps), found.end) == (body, end)
    assert found.is_whole == (end in {"complete", "closed"})


def test_a_kept_connection_may_stay_open() -> None:
    assert expectation_of([Write(CHUNKED + b"3\r\none\r\n")], keep_alive=True).end == "open"


def test_text_is_read_out_of_the_dialect() -> None:
    talk = Talk(SETTING, "a", "t")
    parts = talk.parts_of(["cloud ", "größe"])
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    found = expectation_of([Write(head), *(Write(part.data) for part in parts), Close()], dialect="openai-chat")
    assert [step.part.text for step in found.steps if step.part.text] == ["cloud ", "größe"]


def by_h11(script: Script) -> tuple[bytes, bool]:
    """The body that h11 reads, and whether it is whole."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    reader.send(h11.EndOfMessage())
    body = b""
    data = [action.data for action in script.actions if isinstance(action, Write)]
    is_over = not script.keep_alive
    for piece in [*data, *([b""] if is_over else [])]:
        reader.receive_data(piece)
        while True:
            try:
                event = reader.next_event()
            except h11.RemoteProtocolError:
                return body, False
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.Data):
                body += event.data
            if isinstance(event, h11.EndOfMessage):
                return body, not isinstance(list(script.actions)[-1], Reset)
    return body, False


@given(scripts(SETTING, Talk(SETTING, "a", "t")))
def test_what_is_drawn_is_what_h11_reads(drawn: Drawn) -> None:
    script = script_of(drawn)
    found = expectation_of(script.actions, keep_alive=script.keep_alive)
    assert (b"".join(step.part.data for step in found.steps), found.is_whole) == by_h11(script)
    assert not found.problem
    assert found.is_whole == (drawn.fault == "none")


@given(st.lists(st.integers(1, 200), max_size=5))
def test_how_it_is_cut_changes_nothing(cuts: list[int]) -> None:
    data = CHUNKED + b"3\r\none\r\n12\r\n" + b"x" * 18 + b"\r\n0\r\n\r\n"
    places = sorted({0, *(cut % len(data) for cut in cuts), len(data)})
    pieces = [Write(data[start:end]) for start, end in itertools.pairwise(places)]
    found = expectation_of(pieces)
    assert (b"".join(step.part.data for step in found.steps), found.end) == (b"one" + b"x" * 18, "complete")


def test_a_gate_stands_behind_each_piece_that_is_not_cut_short() -> None:
    drawn = Drawn("chunked", "text/plain", [], [DrawnPiece(b"one"), DrawnPiece(b"two", cut=2)], "close", cut_bytes=1)
    head, *rest = script_of(drawn).actions
    assert isinstance(head, Write)
    assert head.data.endswith(b"\r\n\r\n3\r\none\r\n")
    assert rest == [Gate("held"), Write(b"3\r"), Stall(3_000_000), Write(b"\ntwo\r"), Close()]


GATEWAY = replace(SETTING, profile="gateway", client_dialect="anthropic", upstream_dialect="ollama-chat")


@pytest.mark.parametrize("setting", [SETTING, GATEWAY], ids=["bytes", "tokens"])
@given(data=st.data())
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
def test_what_is_drawn_is_as_lawful_when_it_is_made_smaller(setting: Setting, data: st.DataObject) -> None:
    """Two writes have something between them, each step has less in it, and the last one is one piece."""
    talk = None if setting.by_bytes else Talk(setting, "a", "t")
    dialect = None if setting.by_bytes else setting.upstream_dialect
    drawn: Drawn | None = data.draw(scripts(setting, Talk(setting, "a", "t")))
    steps = 0
    while drawn is not None:
        actions = list(script_of(drawn).actions)
        assert not any(isinstance(a, Write) and isinstance(b, Write) for a, b in itertools.pairwise(actions))
        found = expectation_of(actions, keep_alive=script_of(drawn).keep_alive, dialect=dialect)
        assert not found.problem
        assert found.is_whole == (drawn.fault == "none")
        assert dialect is None or not found.is_whole or found.says_whole
        last, drawn = drawn, next(smaller(drawn, talk), None)
        assert drawn is None or weight_of(drawn) < weight_of(last)
        steps += 1
    texts = [piece.text for piece in last.pieces if piece.text is not None]
    assert [len(text) for text in texts] == [1] if talk else [piece.payload for piece in last.pieces] == [b"x"]
    assert steps < 40
