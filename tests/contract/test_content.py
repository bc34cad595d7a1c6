"""What cases send, and how much of it a client has: for every dialect, however its answer is cut, merged or written."""

from __future__ import annotations

import pytest

from streamkit.contract.content import TOKEN_HEADER, Answer, Meter, Part, Talk
from streamkit.contract.setting import Setting
from streamkit.contract.verdicts import Profile
from streamkit.dialects.convert import Converter
from streamkit.dialects.events import Error
from streamkit.dialects.registry import DIALECTS
from streamkit.http.origin import parse_origin

NAMES = tuple(
    name if framing == row.framings[0] else f"{name}/{framing}"
    for name, row in DIALECTS.items()
    for framing in row.framings
    if name != "json"
)
"""Every dialect that can be asked for, in each of its framings."""

TOKEN = "skc0123456789ab"  # noqa: S105 - no secret

TEXTS = ("Grüße ", "🦉", " and\u2028", "the end")


def talk_in(
    dialect: str, *, upstream: str = "", path: str = "", model: str = "m", profile: Profile = "gateway"
) -> Talk:
    """Return what a case says."""
    target = parse_origin("http://127.0.0.1:1/below")
    key = (("Authorization", "Bearer x"),)
    setting = Setting(target, profile, dialect, upstream or dialect, model, headers=key, path=path)
    return Talk(setting, "llm.done.once", TOKEN)


def parts_in(dialect: str) -> list[Part]:
    """Return an answer of some texts."""
    answer = Answer(dialect, "m")
    return [answer.open(), *map(answer.text, TEXTS), answer.close()]


def meter_of(dialect: str, parts: list[Part]) -> Meter:
    """Return a meter that expects them."""
    meter = Meter(dialect)
    for part in parts:
        meter.expect(part)
    return meter


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_meter_counts_text_however_the_bytes_come(dialect: str, size: int) -> None:
    parts = parts_in(dialect)
    meter = meter_of(dialect, parts)
    data = b"".join(part.data for part in parts)
    for at in range(0, len(data), size):
        meter.feed(data[at : at + size])
    assert (meter.problem, meter.units) == ("", len("".join(TEXTS).encode()))
    meter.finish()
    assert (meter.problem, meter.units == meter.expected, meter.has_error) == ("", True, False)


@pytest.mark.parametrize("dialect", NAMES)
def test_each_token_is_there_with_its_own_piece(dialect: str) -> None:
    """Lockstep builds on this: a token counts at once, and what opens an answer counts for nothing."""
    parts = parts_in(dialect)
    meter = Meter(dialect)
    for part in parts:
        units = meter.expect(part)
        meter.feed(part.data)
        assert meter.units == units, part


@pytest.mark.parametrize("dialect", NAMES)
def test_text_that_is_lost_changed_or_added_is_seen(dialect: str) -> None:
    parts = parts_in(dialect)
    answer = Answer(dialect, "m")
    told = [answer.open(), *map(answer.text, TEXTS[:1]), answer.text("owl"), answer.close()]
    for sent in (told, [answer_part for answer_part in parts if answer_part.text != TEXTS[1]]):
        meter = meter_of(dialect, parts)
        for part in sent:
            meter.feed(part.data)
        assert f"byte of the text {len(TEXTS[0].encode())} is wrong" in meter.problem
    meter = meter_of(dialect, parts[:-2])
    for part in parts:
        meter.feed(part.data)
    assert "all that was sent: the end" in meter.problem


def test_what_a_gateway_merges_counts_with_its_last_byte() -> None:
    parts = parts_in("openai-chat")
    meter = meter_of("anthropic", parts)
    converter = Converter("openai-chat", "anthropic")
    out = b"".join(piece for part in parts for piece in converter.feed(part.data))
    meter.feed(out[: len(out) // 2])
    assert 0 < meter.units < meter.expected
    meter.feed(out[len(out) // 2 :])
    assert (meter.problem, meter.units) == ("", meter.expected)


@pytest.mark.parametrize("dialect", [name for name in NAMES if name != "text"])
def test_an_error_counts_as_told_also_when_it_is_called_truncated(dialect: str) -> None:
    answer = Answer(dialect, "m")
    begun = answer.open().data + answer.text("a").data
    meter = meter_of(dialect, [Part(b"", "a")])
    meter.feed(begun)
    meter.finish()
    assert not meter.has_error, "it only stops"
    meter = meter_of(dialect, [Part(b"", "a")])
    meter.feed(begun + answer.write(Error("the upstream was cut", "truncated")).data)
    meter.finish()
    assert meter.has_error


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("stream", [True, False])
def test_a_request_has_its_token_wherever_a_proxy_may_let_it_through(dialect: str, *, stream: bool) -> None:
    asked = talk_in(dialect).request(stream=stream)
    fields = dict(asked.headers)
    assert TOKEN in asked.target.partition("?")[2]
    assert fields[TOKEN_HEADER] == TOKEN
    assert TOKEN.encode() in asked.body
    assert fields["Authorization"] == "Bearer x"
    assert asked.target.startswith("/below/")
    assert b"\r\nContent-Length: %d\r\n" % len(asked.body) in asked.head


def target_of(
    dialect: str, *, stream: bool = True, path: str = "", model: str = "m", profile: Profile = "gateway"
) -> str:
    """Return the target of a request."""
    asked = talk_in(dialect, path=path, model=model, profile=profile).request(stream=stream)
    return asked.target.removeprefix("/below")


def test_a_header_that_is_given_takes_the_place_of_the_usual_one() -> None:
    setting = Setting(parse_origin("http://127.0.0.1:1"), headers=(("host", "api.example"), ("x-key", "k")))
    asked = Talk(setting, "case", "t").request()
    assert [value for name, value in asked.headers if name.lower() == "host"] == ["api.example"]
    assert ("x-key", "k") in asked.headers


def test_where_each_dialect_is_asked() -> None:
    tail = f"streamkit={TOKEN}"
    model = "/v1beta/models/m"
    assert target_of("openai-chat") == f"/v1/chat/completions?{tail}"
    assert target_of("vercel-ui") == f"/api/chat?{tail}"
    assert target_of("gemini") == f"{model}:streamGenerateContent?alt=sse&{tail}"
    assert target_of("gemini/json-array") == f"{model}:streamGenerateContent?{tail}"
    assert target_of("gemini", stream=False) == f"{model}:generateContent?{tail}"
    assert target_of("gemini", model="a/{case}").startswith("/v1beta/models/a%2Fllm.done.once:")
    assert target_of("openai-chat", path="/v2/x?k=v") == f"/v2/x?k=v&{tail}"
    assert target_of("openai-chat", profile="pipe") == f"/{TOKEN}/v1/chat/completions?{tail}"


def test_what_the_upstream_says_of_its_stream() -> None:
    types = {name: talk_in("openai-chat", upstream=name).media_type for name in NAMES}
    assert types["gemini"] == "text/event-stream"
    assert types["gemini/json-array"] == "application/json"
    assert types["ollama-chat"] == "application/x-ndjson"


def test_plain_text_on_both_sides_is_compared_as_bytes() -> None:
    """Half a character is no text, and still a piece that comes."""
    meter = talk_in("text").meter()
    meter.expect(Part("ü".encode()[:1]))
    meter.feed("ü".encode()[:1])
    assert (meter.units, meter.problem) == (1, "")
