"""Trace files: ours and Mooncake's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.plan import Plan, Server
from streamkit.bench.prepare import Prepared
from streamkit.bench.prompts import PREFIX_TOKENS
from streamkit.bench.schedule import requests_of
from streamkit.bench.traces import HASHES_NOTE, parse_trace
from streamkit.errors import ConfigError

SERVER = Server("direct", "http://127.0.0.1:1", "openai-chat", "m")


def rows_of(*rows: object) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def test_rows_have_times_prompts_and_lengths() -> None:
    trace = parse_trace(
        rows_of(
            {"at_ms": 10.5, "prompt": "a", "max_tokens": 7},
            {"at_ms": 20, "prompt": "b"},
            {"at_ms": 30, "prompt": "a", "input_tokens": 9},
        ),
        "t",
    )
    assert trace.load.at_ns == [0, 9_500_000, 19_500_000]
    assert trace.load.prompts == [0, 1, 0]
    assert trace.load.max_tokens == [7, 0, 0]
    assert trace.load.characters == []
    assert trace.prompts.texts == ["a", "b"]
    assert trace.prompts.words == "the prompts of t"


def test_mooncakes_rows_are_read_as_they_are() -> None:
    """The form of https://github.com/kvcache-ai/Mooncake: times in ms, lengths in tokens, blocks that are shared."""
    trace = parse_trace(
        rows_of(
            {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]},
            {"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 47, 2366]},
        ),
        "t",
        same_prompt=True,
    )
    assert trace.load.at_ns == [0, 3_053_000_000]
    assert trace.load.max_tokens == [52, 26]
    assert len(trace.prompts.texts) == 1
    words = [len(trace.prompts.texts[0][:end].split(" ")) for end in trace.load.characters]
    assert words == [6955, 6472]
    assert HASHES_NOTE in trace.notes
    assert "6,472 to 6,955 tokens" in trace.prompts.words
    assert "estimate" in trace.prompts.words


def test_the_words_that_make_a_prompt_unique_are_part_of_its_length() -> None:
    trace = parse_trace(rows_of({"at_ms": 0, "input_tokens": 100}, {"at_ms": 1, "input_tokens": 3}), "t")
    words = [len(trace.prompts.texts[0][:end].split(" ")) for end in trace.load.characters]
    assert words == [100 - PREFIX_TOKENS, 1]
    assert trace.notes == []


def test_what_is_sent_is_what_the_trace_says() -> None:
    """Through schedule and preparation, with given and made-up prompts beside each other."""
    trace = parse_trace(
        rows_of(
            {"at_ms": 5, "input_tokens": 2, "max_tokens": 9}, {"at_ms": 0, "prompt": "a"}, {"at_ms": 9, "prompt": "b"}
        ),
        "t",
        same_prompt=True,
    )
    plan = Plan(servers=[SERVER], load=trace.load, prompts=trace.prompts.texts, same_prompt=True, max_tokens=100)
    prepared = Prepared(SERVER, plan)
    bodies = [
        json.loads(prepared.question(due.prompt, due.max_tokens, due.characters).body) for due in requests_of(plan)
    ]
    two_words = " ".join(trace.prompts.texts[-1].split(" ")[:2])
    assert [body["messages"][0]["content"] for body in bodies] == ["a", two_words, "b"]
    assert [body["max_tokens"] for body in bodies] == [100, 9, 100]
    assert [due.at_ns for due in requests_of(plan)] == [0, 5_000_000, 9_000_000]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "t, line 1: "),
        ("[]", "t, line 1: expected a JSON object"),
        ("{}", 't, line 1: expected "at_ms" (or, as Mooncake has it, "timestamp")'),
        ('{"at_ms": 1}', 'expected a "prompt", "input_tokens" (or, as Mooncake has it, "input_length")'),
        ('{"at_ms": "1", "prompt": "a"}', "expected milliseconds"),
        ('{"at_ms": true, "prompt": "a"}', "expected milliseconds"),
        ('{"at_ms": -1, "prompt": "a"}', "expected milliseconds"),
        ('{"at_ms": 1e300, "prompt": "a"}', "expected milliseconds"),
        ('{"at_ms": 1e400, "prompt": "a"}', "t, line 1: "),
        ('{"at_ms": 0, "prompt": 5}', "prompt: expected a text"),
        ('{"at_ms": 0, "prompt": ""}', "is blank"),
        ('{"at_ms": 0, "input_tokens": 0}', "expected a whole number from 1 to 1,000,000"),
        ('{"at_ms": 0, "input_tokens": 1.5}', "expected a whole number"),
        ('{"at_ms": 0, "input_tokens": 1000001}', "expected a whole number"),
        ('{"at_ms": 0, "prompt": "a", "max_tokens": 0}', "max_tokens or output_length: expected a whole number"),
        ('{"at_ms": 0, "prompt": "a", "output_length": true}', "expected a whole number"),
        ("", "t: there is no row in it"),
        ('{"at_ms": 0, "prompt": "a"}\n{"at_ms": 700000000, "prompt": "a"}', "lasts more than a week"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(row: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_trace(row, "t")
    assert words in str(caught.value)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 50)), min_size=1, max_size=30))
def test_rows_in_any_order_are_replayed_in_time(rows: list[tuple[int, int]]) -> None:
    trace = parse_trace(rows_of(*({"at_ms": at, "input_tokens": count} for at, count in rows)), "t", same_prompt=True)
    load, text = trace.load, trace.prompts.texts[0]
    played = [
        (at_ns // 10**6, len(text[:end].split(" "))) for at_ns, end in zip(load.at_ns, load.characters, strict=True)
    ]
    first = min(at for at, _ in rows)
    assert sorted(played) == sorted((at - first, count) for at, count in rows)
    assert load.at_ns == sorted(load.at_ns)
