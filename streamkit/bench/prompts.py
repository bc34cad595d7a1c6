"""What is asked: one text, the texts of a file, or made-up words of about so many tokens. Pure.

Nothing here counts tokens: every model has a tokenizer of its own, and most would have to be fetched. Made-up prompts
are of short common English words, each of which is one token to nearly all tokenizers when a blank stands before it.
That makes their length an estimate, and `Prompts.words` says so; what the server counts is in the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from mockserver.wording import shown
from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.errors import ConfigError

__all__ = [
    "DEFAULT_PROMPT",
    "MAX_INPUT_TOKENS",
    "PREFIX_TOKENS",
    "Prompts",
    "default_prompt",
    "lines_of",
    "made_up",
    "object_in",
    "one_prompt",
    "parse_prompts",
    "synthetic_prompt",
]

DEFAULT_PROMPT: Final = "Explain in a few paragraphs why the sky is blue at noon and red at sunset."

MAX_INPUT_TOKENS: Final = 1_000_000
MAX_PROMPT_CHARACTERS: Final = 16 << 20
MAX_PROMPTS: Final = 1_000_000

PREFIX_TOKENS: Final = 16
"""About how many tokens the words have that make each request's prompt unlike all others: 21 hexadecimal digits in
brackets, of which tokenizers make a token for each one to three."""

COMMON: Final = (
    "the of and to in is you that it he was for on are as with his they at be this have from or one had by word but"
    " not what all were we when your can said there use an each which she do how their if will up other about out many"
    " then them these so some her would make like him into time has look two more write go see number no way could"
    " people my than first water been call who oil its now find long down day did get come made may part over new sound"
    " take only little work know place year live me back give most very after thing our just name good sentence man"
    " think say great where help through much before line right too mean old any same tell boy follow came want show"
    " also around form three small set put end does another well large must big even such because turn here why ask"
    " went men read need land different home us move try kind hand picture again change off play spell air away animal"
    " house point page letter mother answer found study still learn should world high every near add food between own"
    " below country plant last school father keep tree never start city earth eye light thought head under story saw"
    " left few while along might close something seem next hard open example begin life always those both paper"
)

WORDS: Final = (*COMMON.split(),)


class Prompts(NamedTuple):
    """What is asked.

    Attributes:
        texts: used in turn.
        words: about them, for people; nothing of the texts themselves.
    """

    texts: list[str]
    words: str


def one_prompt(text: str) -> Prompts:
    """Return one text that the user gave.

    Raises:
        ConfigError: it is blank, too long, or has characters that are none.
    """
    _check(text, "the prompt")
    return Prompts([text], f"one prompt of {_characters(text)}")


def default_prompt() -> Prompts:
    """Return what is asked where the user gave nothing."""
    return Prompts([DEFAULT_PROMPT], f"a short question of {_characters(DEFAULT_PROMPT)}")


def parse_prompts(text: str, name: str) -> Prompts:
    """Return the prompts of a file: a line each, or NDJSON of objects with a "prompt".

    It is NDJSON where the first line is a JSON object. Blank lines are skipped; other fields of the objects are not
    looked at.

    Args:
        text: the content.
        name: the file's, for messages.

    Raises:
        ConfigError: there is no prompt, too many, or one is none (its line is named).
    """
    lines = [*lines_of(text)]
    if not lines:
        raise ConfigError(f"{name}: there is no prompt in it")
    if len(lines) > MAX_PROMPTS:
        raise ConfigError(f"{name}: has {len(lines):,} prompts, and {MAX_PROMPTS:,} is the most")
    are_objects = _is_object(lines[0][1])
    texts = []
    for number, line in lines:
        where = f"{name}, line {number}"
        prompt = object_in(line, where).get("prompt") if are_objects else line
        if not isinstance(prompt, str):
            raise ConfigError(f'{where}: expected a "prompt" that is a text')
        _check(prompt, where)
        texts.append(prompt)
    shortest, longest = min(map(len, texts)), max(map(len, texts))
    span = f"{shortest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"
    return Prompts(texts, f"{len(texts):,} prompt{'s' * (len(texts) > 1)} from {name}, of {span} characters")


def synthetic_prompt(tokens: int, seed: int, *, same_prompt: bool = False) -> Prompts:
    """Return a prompt of made-up words that has about so many tokens.

    Args:
        tokens: how many, with the words before it that make it unlike all others where it has them.
        seed: of the words.
        same_prompt: whether it is sent without these.

    Raises:
        ConfigError: `tokens` is out of bounds.
    """
    if not 1 <= tokens <= MAX_INPUT_TOKENS:
        raise ConfigError(f"{tokens} is no number of tokens: 1 to {MAX_INPUT_TOKENS:,} are possible")
    prefix = 0 if same_prompt else PREFIX_TOKENS
    count = max(1, tokens - prefix)
    text, _ = made_up(count, seed)
    about = f"about {tokens:,}" if tokens > prefix else f"more than {tokens:,} (its unique prefix alone has more)"
    token_words = f"{about} token{'s' * (tokens > 1)}"
    return Prompts([text], f"made-up words of {token_words}: an estimate, a token a word, no tokenizer")


def made_up(count: int, seed: int) -> tuple[str, list[int]]:
    """Return so many words, and behind how many characters each of them ends. Fewer words are a prefix of more."""
    draw = Random(f"prompt {seed}")
    words = draw.choices(WORDS, k=count)
    return " ".join(words), [end - 1 for end in accumulate(len(word) + 1 for word in words)]


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, and their numbers from 1. Lines end at LF or CRLF, and nowhere else."""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.strip():
            yield number, line.removesuffix("\r")


def object_in(line: str, where: str) -> dict[str, object]:
    """Return the JSON object in a line.

    Raises:
        ConfigError: there is none; `where` it is stands in the error.
    """
    try:
        value = decode_checked(line.encode("utf-8", "surrogatepass"))
    except JSONTextError as error:
        raise ConfigError(f"{where}: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected a JSON object, not {shown(line)}")
    return value


def check_prompts(texts: Iterable[str]) -> None:
    """Refuse texts that cannot be sent.

    Raises:
        ConfigError: see `one_prompt`.
    """
    for number, text in enumerate(texts):
        _check(text, f"prompt {number}")


def _is_object(line: str) -> bool:
    try:
        return isinstance(decode_checked(line.encode("utf-8", "surrogatepass")), dict)
    except JSONTextError:
        return False


def _check(text: str, what: str) -> None:
    if not text.strip():
        raise ConfigError(f"{what} is blank")
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise ConfigError(f"{what} has {len(text):,} characters; {MAX_PROMPT_CHARACTERS:,} is the most")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{what}: character {error.start + 1} is none that UTF-8 has") from None


def _characters(text: str) -> str:
    return f"{len(text):,} character{'s' * (len(text) != 1)}"
