"""Requests as bytes: every dialect's has the marks, keeps its length, and shows no secret."""

from __future__ import annotations

import json
from functools import partial
from itertools import islice

import msgspec
import pytest

from streamkit.bench import prepare as module
from streamkit.bench.plan import Arrivals, Concurrency, Limits, Load, Plan, Replay, Server
from streamkit.bench.prepare import ID_HEADER, MARK, Prepared, mark_of, prepare
from streamkit.bench.schedule import requests_of
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import ConfigError

KEY = "sk-secret-0123456789"

SPOKEN = [
    name if framing == row.framings[0] else f"{name}/{framing}"
    for name, row in DIALECTS.items()
    for framing in row.framings
    if name != "json"  # which has no form for a question
]

AWKWARD = 'Why "is"\n\tthe \\ sky €😀 blue? </s>{}'

every_dialect = pytest.mark.parametrize("dialect", SPOKEN)


def server_of(dialect: str = "openai-chat", **fields: object) -> Server:
    return msgspec.structs.replace(Server("direct", "http://127.0.0.1:1", dialect, "m"), **fields)


def plan_of(*prompts: str, server: Server | None = None, **fields: object) -> Plan:
    plan = Plan(servers=[server or server_of()], load=Concurrency(1), prompts=[*(prompts or (AWKWARD,))])
    return msgspec.structs.replace(plan, **fields)


def prepared_for(dialect: str, **fields: object) -> Prepared:
    server = server_of(dialect, api_key=KEY, headers=[("X-Tenant", "t-1")])
    return Prepared(server, plan_of(server=server, max_tokens=16, **fields))


def texts_in(value: object) -> list[str]:
    """Return every text in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in texts_in(each)]


def header(head: bytes, name: str) -> list[str]:
    fields = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line]
    return [value for key, value in fields if key.lower() == name.lower()]


def test_marks_are_unique_and_as_long_as_their_place() -> None:
    marks = {mark_of(run, number) for run in (0, 1, 2**48 - 1) for number in (0, 1, 16**9 - 1)}
    assert len(marks) == 9
    assert {len(mark) for mark in marks} == {len(MARK)}
    assert all(mark.isalnum() and mark.isascii() for mark in marks)


@every_dialect
def test_each_request_has_words_that_no_other_has_at_its_beginning(dialect: str) -> None:
    question = prepared_for(dialect).question(0, None)
    marks = [mark_of(7, number) for number in range(3)]
    sent = [question.marked(mark) for mark in marks]
    for mark, (head, body) in zip(marks, sent, strict=True):
        assert f"[{mark}] {AWKWARD}" in texts_in(json.loads(body))
        assert header(head, ID_HEADER) == [mark]
        assert header(head, "Content-Length") == [str(len(body))]
        assert MARK.encode() not in head + body
    assert len({*sent}) == 3
    assert len({(len(head), len(body)) for head, body in sent}) == 1


@every_dialect
def test_the_same_prompt_is_sent_as_it_is(dialect: str) -> None:
    question = prepared_for(dialect, same_prompt=True).question(0, None)
    head, body = question.marked(mark_of(7, 5))
    assert AWKWARD in texts_in(json.loads(body))
    assert header(head, ID_HEADER) == [mark_of(7, 5)]
    assert MARK.encode() not in head + body
    if json.loads(body).keys().isdisjoint({"id", "threadId"}):  # there, servers know a conversation by it
        assert body == question.marked(mark_of(7, 6))[1]


@every_dialect
def test_a_stream_is_asked_for_where_it_says_so_and_the_key_where_it_belongs(dialect: str) -> None:
    prepared = prepared_for(dialect)
    head, body = prepared.question(0, None).marked(mark_of(0, 0))
    assert json.loads(body).get("stream", True) is True
    assert header(head, "X-Tenant") == ["t-1"]
    assert any(KEY in line for line in head.decode().split("\r\n"))
    assert KEY in prepared.request.secrets


@every_dialect
def test_no_repr_and_no_error_shows_a_secret(dialect: str) -> None:
    prepared = prepared_for(dialect)
    server = prepared.server
    shown = [
        repr(each) for each in (prepared, prepared.request, prepared.question(0, None), server, plan_of(server=server))
    ]
    assert not any(KEY in each for each in shown)
    assert not any("t-1" in each for each in shown[2:])  # nor a header of the user's, whatever it is called
    assert "X-Tenant" in repr(server)
    with pytest.raises(ConfigError) as caught:
        Prepared(msgspec.structs.replace(server, url="ftp://127.0.0.1"), plan_of())
    assert KEY not in str(caught.value)


def test_a_key_in_the_url_is_not_shown() -> None:
    assert KEY not in repr(server_of(url=f"https://x.example/v1?key={KEY}"))


def test_max_tokens_are_the_rows_or_the_plans() -> None:
    prepared = prepared_for("openai-chat")
    assert [json.loads(prepared.question(0, most).body)["max_tokens"] for most in (None, 5)] == [16, 5]


def test_the_users_own_id_header_stays() -> None:
    server = server_of(headers=[("x-request-id", "mine")])
    head, _ = Prepared(server, plan_of(server=server)).question(0, None).marked(mark_of(0, 1))
    assert header(head, ID_HEADER) == ["mine"]


@pytest.mark.parametrize(
    ("server", "prompt"),
    [
        (server_of(), f"x {MARK}"),
        (server_of(url=f"http://127.0.0.1:1/{MARK}"), "x"),
        (server_of(headers=[("X-A", MARK)]), "x"),
        (server_of(model=MARK), "x"),
    ],
)
def test_the_mark_itself_cannot_be_asked_for(server: Server, prompt: str) -> None:
    with pytest.raises(ConfigError, match="stands for a request's number"):
        Prepared(server, plan_of(prompt, server=server))


def test_a_dialect_without_a_question_is_refused() -> None:
    with pytest.raises(ConfigError, match="json has no form for a question"):
        prepare(plan_of(server=server_of("json")))


def test_a_request_is_made_once_and_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = Prepared(server_of(), plan_of("x" * 1000))
    assert prepared.question(0, None, 10) is prepared.question(0, None, 10)
    monkeypatch.setattr(module, "MAX_KEPT_BYTES", 10_000)
    made = [prepared.question(0, None, 500 + number) for number in range(50)]
    kept = [number for number in range(50) if prepared.question(0, None, 500 + number) is made[number]]
    assert len(kept) < 20
    assert [len(each.body) for each in made] == [len(made[0].body) + number for number in range(50)]


def test_what_is_asked_first_is_made_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a long prompt's request takes milliseconds, in which nothing is read."""
    load = Replay([0, 1, 2], [1, 0, 1], [0, 7, 5], [3, 0, 0])
    (prepared,) = prepare(plan_of("a", "bcde", load=load))
    (plain,) = prepare(plan_of("a", "b"))
    monkeypatch.setattr(Prepared, "_request", None)
    for due in requests_of(plan_of("a", "bcde", load=load)):
        assert prepared.question(due.prompt, due.max_tokens, due.characters)
    for due in islice(requests_of(plan_of("a", "b")), 5):
        assert plain.question(due.prompt, due.max_tokens, due.characters)


def test_a_prompt_that_cannot_be_sent_is_refused_before_the_run() -> None:
    """And not when its turn comes."""
    many = ["a"] * 1000
    with pytest.raises(ConfigError, match="cannot be in a request"):
        prepare(plan_of(*many, f"b {MARK}"))
    with pytest.raises(ConfigError, match="a character that UTF-8 has not"):
        prepare(plan_of(*many, "\udc80"))


# ------------------------------------------------------------------------------------------ plans that make no sense


def with_load(load: Load) -> Plan:
    return plan_of(load=load)


BAD_PLANS = {
    "no server": plan_of(servers=[]),
    "two servers have the same name": plan_of(servers=[server_of(), server_of()]),
    "no prompt": plan_of(prompts=[]),
    "requests": plan_of(requests=0),
    "duration": plan_of(duration_s=0.0),
    "duration: a time": plan_of(duration_s=float("nan")),
    "max_tokens": plan_of(max_tokens=0),
    "share 2 of 2": plan_of(share=2, shares=2),
    "share -1": plan_of(share=-1),
    "concurrency": with_load(Concurrency(0)),
    "rate": with_load(Arrivals("poisson", 0.0)),
    "rate: ": with_load(Arrivals("poisson", float("nan"))),
    "cv": with_load(Arrivals("gamma", 1.0, -1.0)),
    "no row": with_load(Replay([], [], [])),
    "same length": with_load(Replay([0, 1], [0], [0, 0])),
    "of the same length": with_load(Replay([0], [0], [0], [1, 2])),
    "not in order": with_load(Replay([1, 0], [0, 0], [0, 0])),
    "names a prompt": with_load(Replay([0], [1], [0])),
    "below 0": with_load(Replay([0], [0], [-1])),
    "times above 0": plan_of(limits=Limits(connect_s=0)),
    "drain": plan_of(limits=Limits(drain_s=-1)),
    "room": plan_of(limits=Limits(max_in_flight=0)),
}


@pytest.mark.parametrize("words", BAD_PLANS)
def test_a_plan_that_makes_no_sense_is_refused(words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        prepare(BAD_PLANS[words])


def test_good_plans_are_not_refused() -> None:
    loads = (Concurrency(1), Arrivals("gamma", 1.0, 0.0), Replay([0, 0], [0, 0], [0, 5], [0, 3]))
    for load in loads:
        assert len(prepare(with_load(load))) == 1
    assert len(partial(prepare, plan_of(share=1, shares=2, duration_s=0.5, limits=Limits(drain_s=0)))()) == 1
