from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.answers.words import WORDS, words
from mockserver.tokens import count_tokens, tokens_of

SEEDS = st.integers(0, 2**64 - 1)


def text_of(seed: int, count: int) -> str:
    return "".join(islice(words(seed), count))


def test_the_words_of_a_seed_never_change() -> None:
    # Whoever has the seed of a failure has the failure: a change of this text is a change that users see.
    assert text_of(0, 12) == "Piece find because bell cousin dream garden out map down, high. Dry"


@given(SEEDS, st.integers(0, 300))
def test_each_word_is_one_token(seed: int, count: int) -> None:
    tokens = list(islice(words(seed), count))
    assert count_tokens("".join(tokens)) == count
    assert tokens_of("".join(tokens)) == tokens


@given(SEEDS, st.integers(0, 100))
def test_a_longer_text_begins_like_a_shorter_one(seed: int, count: int) -> None:
    assert text_of(seed, 2 * count).startswith(text_of(seed, count))


def test_other_seeds_have_other_words() -> None:
    assert len({text_of(seed, 20) for seed in range(100)}) == 100


def test_there_are_about_three_hundred_words_and_each_comes_once_in_the_list() -> None:
    assert 250 <= len(WORDS) <= 350
    assert len(set(WORDS)) == len(WORDS)


def test_one_word_in_eight_is_not_ascii() -> None:
    drawn = list(islice(words(1), 20_000))
    share = sum(not word.isascii() for word in drawn) / len(drawn)
    assert share == pytest.approx(1 / 8, rel=0.1)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_there_are_characters_of_every_length_in_utf_8_soon(length: int) -> None:
    assert any(len(char.encode()) == length for char in text_of(1, 300))


@given(SEEDS)
def test_sentences_begin_with_a_capital_and_end_with_a_full_stop(seed: int) -> None:
    text = text_of(seed, 200)
    assert text[0] == text[0].upper()
    sentences = [sentence.strip() for sentence in text.split(".")[:-1]]
    assert all(sentence[0] == sentence[0].upper() for sentence in sentences)
    assert all(5 <= len(sentence.split()) <= 12 for sentence in sentences)


def test_there_are_commas_and_paragraphs() -> None:
    text = text_of(1, 500)
    assert ", " in text
    assert ".\n\n" in text
