"""What is asked: given texts, files, made-up words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.prompts import (
    MAX_INPUT_TOKENS,
    PREFIX_TOKENS,
    default_prompt,
    made_up,
    one_prompt,
    parse_prompts,
    synthetic_prompt,
)
from streamkit.errors import ConfigError


def test_lines_are_prompts_as_they_are() -> None:
    prompts = parse_prompts("\ufeffone\r\n\n  two {not json}\u2028still two  \n\t\n{broken\n", "p.txt")
    assert prompts.texts == ["one", "  two {not json}\u2028still two  ", "{broken"]
    assert prompts.words == "3 prompts from p.txt, of 3 to 28 characters"


def test_a_first_line_that_is_no_object_makes_a_text_file_of_it() -> None:
    assert parse_prompts('{not json\n{"prompt": "x"}', "p").texts == ["{not json", '{"prompt": "x"}']


def test_objects_have_their_prompt_taken_out() -> None:
    prompts = parse_prompts('{"id": 1, "prompt": "a\\nb"}\n\n{"prompt": "\\u20ac"}', "p.ndjson")
    assert prompts.texts == ["a\nb", "€"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "f: there is no prompt in it"),
        (" \n\r\n", "f: there is no prompt in it"),
        ('{"text": "x"}', 'f, line 1: expected a "prompt" that is a text'),
        ('{"prompt": "x"}\n{"prompt": 1}', "f, line 2: expected"),
        ('{"prompt": "x"}\n\nplain', "f, line 3:"),
        ('{"prompt": "x"}\n[1]', "f, line 2: expected a JSON object, not '[1]'"),
        ('{"prompt": " "}', "f, line 1 is blank"),
        ("good\n\ud800", "f, line 2: character 1 is none that UTF-8 has"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_prompts(text, "f")
    assert words in str(caught.value)


def test_a_prompt_is_a_text_that_can_be_sent() -> None:
    assert one_prompt("Why?") == (["Why?"], "one prompt of 4 characters")
    for text, words in (("", "blank"), ("\n", "blank"), ("a\udcff", "character 2"), ("x" * (1 << 24) + "x", "most")):
        with pytest.raises(ConfigError, match=words):
            one_prompt(text)
    assert len(default_prompt().texts) == 1


def test_words_say_nothing_of_the_texts() -> None:
    assert "tip-top" not in one_prompt("tip-top").words + parse_prompts("tip-top", "f").words


@given(st.integers(1, 5000), st.integers(0, 2**64), st.booleans())
def test_made_up_prompts_have_about_as_many_words_as_tokens(tokens: int, seed: int, same_prompt: bool) -> None:
    prompts = synthetic_prompt(tokens, seed, same_prompt=same_prompt)
    prefix = 0 if same_prompt else PREFIX_TOKENS
    assert len(prompts.texts[0].split(" ")) == max(1, tokens - prefix)
    assert prompts == synthetic_prompt(tokens, seed, same_prompt=same_prompt)
    assert "estimate" in prompts.words
    assert ("more than" in prompts.words) == (tokens <= prefix)


@given(st.integers(1, 300), st.integers(1, 300), st.integers())
def test_fewer_made_up_words_are_the_beginning_of_more(few: int, more: int, seed: int) -> None:
    few, more = sorted((few, more))
    text, ends = made_up(more, seed)
    assert len(ends) == more
    assert text[: ends[few - 1]] == made_up(few, seed)[0]


def test_made_up_words_are_unlike_each_other_and_those_of_another_seed() -> None:
    words = made_up(1000, 1)[0].split()
    assert len(set(words)) > 100
    assert max(words.count(word) for word in set(words)) < 30
    assert made_up(1000, 2)[0].split() != words


@pytest.mark.parametrize("tokens", [-1, 0, MAX_INPUT_TOKENS + 1])
def test_tokens_are_within_bounds(tokens: int) -> None:
    with pytest.raises(ConfigError, match="1 to 1,000,000 are possible"):
        synthetic_prompt(tokens, 0)


@given(st.text(st.sampled_from('{}"prompt:\\ \n\r\ud800x1[]')))
def test_any_text_is_a_file_of_prompts_or_a_config_error(text: str) -> None:
    try:
        prompts = parse_prompts(text, "f")
    except ConfigError:
        return
    assert all(each.strip() and each.encode() for each in prompts.texts)
