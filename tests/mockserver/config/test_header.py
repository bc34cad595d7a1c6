from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.config.grammar import parse_header
from mockserver.config.header import UNSAFE, header_text
from mockserver.config.keys import SETTINGS
from streamkit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        (" ; , ;", []),
        (
            "rate=50; split=every-byte; fault=reset@token:5",
            [("rate", "50"), ("split", "every-byte"), ("fault", "reset@token:5")],
        ),
        ("rate = 50 ;ttft=1s;", [("rate", "50"), ("ttft", "1s")]),
        ("echo", [("echo", "true")]),
        ("echo; ids=false", [("echo", "true"), ("ids", "false")]),
        ("say=", [("say", "")]),
        ("say=one two", [("say", "one two")]),
        ("say=a=b", [("say", "a=b")]),
        (r'say="one; two\n\"three\" \u00fc"; rate=1', [("say", 'one; two\n"three" ü'), ("rate", "1")]),
        (r'say="\ud83d\ude00"', [("say", "😀")]),
        ('say=he said "a; b" then', [("say", 'he said "a; b" then')]),
        ('call=find:{"q": "a; b, rate=3"}; rate=1', [("call", 'find:{"q": "a; b, rate=3"}'), ("rate", "1")]),
        (r'call=find:{"q": "\";"}', [("call", r'find:{"q": "\";"}')]),
        ('call=find:{"a": 1, "b": 2}', [("call", 'find:{"a": 1, "b": 2}')]),
    ],
)
def test_a_header_is_pairs_of_key_and_text(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_header(text) == pairs


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("rate=50, split=every-byte", [("rate", "50"), ("split", "every-byte")]),
        ("rate=50; ids, split=lines", [("rate", "50"), ("ids", "true"), ("split", "lines")]),
        ("rate=50, echo", [("rate", "50"), ("echo", "true")]),
        ("rate=50, echo; ids", [("rate", "50"), ("echo", "true"), ("ids", "true")]),
        ("fault=reset@token:5,first:3, rate=1", [("fault", "reset@token:5,first:3"), ("rate", "1")]),
        ("fault=status:429:2,first:3,share:0.5", [("fault", "status:429:2,first:3,share:0.5")]),
        ("fault=error:no, wait, what=it", [("fault", "error:no, wait, what=it")]),
        ("call=find, rate=2", [("call", "find"), ("rate", "2")]),
        ('say="a, rate=2", rate=3', [("say", "a, rate=2"), ("rate", "3")]),
        ("say=Hello, echoes", [("say", "Hello, echoes")]),
        ("say=Hello, words fail", [("say", "Hello, words fail")]),
        ("say=Hello,rate=5", [("say", "Hello,rate=5")]),
    ],
)
def test_headers_joined_by_commas_are_parted_where_a_key_follows(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_header(text) == pairs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rat=50", "there is no setting 'rat'; did you mean rate?"),
        ("Rate=50", "did you mean rate?"),
        ("early_start", "did you mean early-start?"),
        ("zzzzzzz=1", "there are say, text, echo"),
        ("rate=50, splt=lines", "there is no setting 'splt'; did you mean split?"),
        ("rate", "rate needs a value: write rate=N"),
        ("rate; ttft=1s", "rate needs a value"),
        ("echo ids", "echo is followed by 'ids': settings are parted by ;"),
        ("=5", "'=5' should be KEY=VALUE"),
        ('"rate"=5', "should be KEY=VALUE"),
        ('say="one', "say: the quote in '\"one' is not closed"),
        ('say=5" wide', "is not closed"),
        ('say="a" b', "after the closing quote comes ' b'"),
        (r'say="\x"', "is not quoted as JSON does it"),
        (r'say="\ud800"', "is not quoted as JSON does it"),
        ("say=Hello, rate=5", "does the text end before ', rate=5'"),
        ("say=Hello, echo", "does the text end before ', echo'"),
        ("x" * 60_000, "there is no setting 'xxx"),
    ],
)
def test_a_mistake_in_a_header_is_told(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_header(text)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 400


def test_utf_8_that_was_read_as_latin_1_is_utf_8_again() -> None:
    assert parse_header("say=grün 日".encode().decode("latin-1")) == [("say", "grün 日")]
    assert parse_header("say=grün") == [("say", "grün")], "real Latin-1"
    assert parse_header("say=日") == [("say", "日")], "never was bytes"


@given(
    st.lists(st.tuples(st.sampled_from(sorted(SETTINGS)), st.text()), max_size=5), st.sampled_from(["; ", ", ", ";"])
)
def test_every_value_can_be_quoted(pairs: list[tuple[str, str]], separator: str) -> None:
    text = separator.join(f"{key}={json.dumps(value)}" for key, value in pairs)
    try:
        assert parse_header(text) == pairs
    except ConfigError:
        assert any("\\ud" in json.dumps(value) for _, value in pairs), "only a lone surrogate cannot be quoted"


@given(st.text(alphabet='ra te=say;,"\\{}\n', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        pairs = parse_header(text)
    except ConfigError:
        return
    assert {key for key, _ in pairs} <= SETTINGS.keys()


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ([], ""),
        ([("rate", "50"), ("split", "random:1:16")], "rate=50; split=random:1:16"),
        ([("echo", "true"), ("say", "")], "echo=true; say="),
        ([("call", 'find:{"q": "a; b"}')], 'call=find:{"q": "a; b"}'),
        ([("say", "größe")], "say=größe"),
        ([("say", "a; b")], 'say="a; b"'),
        ([("say", "Ã©")], r'say="Ã\u00a9"'),
        ([("say", " a\n")], r'say=" a\n"'),
    ],
)
def test_pairs_are_written_without_quotes_where_that_is_clear(pairs: list[tuple[str, str]], text: str) -> None:
    assert header_text(pairs) == text


@given(st.lists(st.tuples(st.sampled_from(["say", "call", "fault", "rate"]), st.text(st.characters(codec="utf-8")))))
def test_whatever_is_written_is_read_as_the_same(pairs: list[tuple[str, str]]) -> None:
    text = header_text(pairs)
    assert parse_header(text) == pairs
    assert not UNSAFE.search(text)
