"""Replay: which recorded exchange answers a request, and that its script is the recording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.recording.replay import Replay, bad_gateway
from mockserver.script import Action, Close, Reset, Script, Until, Write
from streamkit.errors import ConfigError
from streamkit.io.cassette import Cassette, Ended, How, Read, Recorded
from streamkit.vendors.question import Question

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def recorded(
    *reads: tuple[int, bytes],
    method: str = "POST",
    target: str = "/api/chat",
    body: bytes = b'{"model": "m", "n": 1}',
    ended: Ended | None = Ended("complete", 9, keep_alive=True),  # noqa: B008 - a frozen value
) -> Recorded:
    return Recorded(method, target, "1.1", (), body, 2, [Read(data, at_ns) for at_ns, data in reads], ended)


def replay(*exchanges: Recorded, speed: float = 1.0) -> Replay:
    return Replay(Cassette("a.cassette", "http://u", "", exchanges), speed=speed)


def question(
    body: bytes = b'{"n":1,"model":"m"}', *, method: str = "POST", path: str = "/api/chat", **query: str
) -> Question:
    return Question(method, path, query, {}, body)


def actions(script: Script | None) -> list[Action]:
    assert script is not None
    assert list(script.actions) == list(script.actions)
    return list(script.actions)


def says(player: Replay, asked: Question) -> bytes:
    return b"".join(action.data for action in actions(player.answer(asked)) if isinstance(action, Write))


# ------------------------------------------------------------------------------------------------------- which exchange


def test_equal_requests_get_their_answers_in_order_and_the_last_one_again() -> None:
    player = replay(recorded((1, b"first")), recorded((1, b"other"), body=b"{}"), recorded((1, b"second")))
    assert [says(player, question()) for _ in range(4)] == [b"first", b"second", b"second", b"second"]
    assert says(player, question(b" {} ")) == b"other"
    player.reset()
    assert says(player, question()) == b"first"


def test_secret_parameters_do_not_count_and_others_do() -> None:
    player = replay(
        recorded((1, b"sse"), target="/v1beta/models/m%3As:generateContent?alt=sse&key=[redacted]"),
        recorded((1, b"json"), target="/v1beta/models/m:s:generateContent"),
    )
    path = "/v1beta/models/m:s:generateContent"
    assert says(player, question(path=path, alt="sse", key="another")) == b"sse"
    assert says(player, question(path=path, key="another")) == b"json"
    assert says(player, question(path=path)) == b"json"
    assert player.answer(question(path=path, alt="json")) is None


@pytest.mark.parametrize("target", ["http://proxied/api/chat", "/api/chat#part", "/api/ch%61t"])
def test_a_target_is_found_by_its_path(target: str) -> None:
    assert says(replay(recorded((1, b"x"), target=target)), question()) == b"x"


def test_what_was_not_recorded_is_explained() -> None:
    player = replay(recorded(), recorded(target="/api/tags", method="GET", body=b""))
    assert player.answer(question(b"{}")) is None
    assert player.why_none(question(b"{}")) == (
        "POST /api/chat is recorded in a.cassette (line 2), but with another method, query or body"
    )
    assert player.why_none(question(path="/v1")) == (
        "POST /v1 is not recorded in a.cassette; there are POST /api/chat, GET /api/tags"
    )
    assert replay().why_none(question()) == "nothing is recorded in a.cassette"


# ----------------------------------------------------------------------------------------------------------- the script


def test_reads_are_writes_at_their_times() -> None:
    (exchange,) = [recorded((0, HEAD), (4, b"h"), (4, b"i"))]
    script = replay(exchange).answer(question())
    assert actions(script) == [Write(HEAD), Until(4), Write(b"h"), Write(b"i")]
    assert script is not None
    assert script.keep_alive


@pytest.mark.parametrize(("speed", "dues"), [(2.0, [500, 1000]), (0.5, [2000, 4000]), (0.0, [])])
def test_speed_divides_the_times(speed: float, dues: list[int]) -> None:
    player = replay(recorded((1000, b"a"), (2000, b"b")), speed=speed)
    assert [action.at_ns for action in actions(player.answer(question())) if isinstance(action, Until)] == dues


@given(st.lists(st.tuples(st.integers(0, 10**12), st.binary(max_size=5)), max_size=8), st.floats(0.001, 1e6))
def test_times_never_go_back_and_bytes_never_change(reads: list[tuple[int, bytes]], speed: float) -> None:
    reads.sort(key=lambda read: read[0])
    found = actions(replay(recorded(*reads), speed=speed).answer(question()))
    dues = [action.at_ns for action in found if isinstance(action, Until)]
    assert dues == sorted(set(dues))
    assert [action.data for action in found if isinstance(action, Write)] == [data for _, data in reads]


ENDINGS: dict[How, list[Action]] = {
    "fin": [Until(9), Close()],
    "reset": [Until(9), Reset()],
    "left": [Until(9), Close()],
    "unreachable": [Until(9), Write(bad_gateway("why"))],
}


@pytest.mark.parametrize(("how", "expected"), ENDINGS.items())
def test_it_ends_as_it_ended(how: How, expected: list[Action]) -> None:
    script = replay(recorded(ended=Ended(how, 9, detail="why"))).answer(question())
    assert actions(script) == expected
    assert script is not None
    assert not script.keep_alive


def test_a_body_that_ends_with_the_connection_ends_when_it_did() -> None:
    script = replay(recorded((1, HEAD), ended=Ended("complete", 9))).answer(question())
    assert actions(script) == [Until(1), Write(HEAD), Until(9)]
    assert script is not None
    assert not script.keep_alive


def test_what_was_interrupted_never_looks_complete() -> None:
    script = replay(recorded((1, HEAD), ended=None)).answer(question())
    assert actions(script) == [Until(1), Write(HEAD), Close()]


def test_a_bad_gateway_has_no_body_for_head() -> None:
    whole = bad_gateway("why")
    assert whole.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert whole.endswith(
        b'\r\n\r\n{"error":{"type":"upstream_unreachable","message":"the recorded server cannot be reached: why"}}'
    )
    assert whole.startswith(bad_gateway("why", method="HEAD"))
    assert bad_gateway("why", method="HEAD").endswith(b"\r\n\r\n")


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf"), 1e-9, 1e9])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ConfigError, match=f"speed {speed}: how many times as fast"):
        replay(speed=speed)


def test_speeds() -> None:
    assert [replay(speed=speed).speed for speed in (1, 0, 2.5, 0.001)] == [1, 0, 2.5, 0.001]
