"""A trace file: requests at given times, NDJSON, a row each. Pure.

A row is `{"at_ms": 250, "prompt": "..."}`, or has `"input_tokens"` in the place of the prompt, for made-up words of
about so many; `"max_tokens"` is optional. Mooncake's traces are read as they are: `{"timestamp", "input_length",
"output_length"}`, times in ms. Other fields are not looked at. Times count from the earliest row, which is due at once;
rows need not be in order.

Not here: Mooncake's `hash_ids`, which say what blocks of tokens prompts share. They are not replayed, and a note of the
trace says so.
"""

from __future__ import annotations

from math import isfinite
from typing import Final, NamedTuple

from mockserver.durations import MAX_NS
from streamkit.bench.plan import Replay
from streamkit.bench.prompts import (
    MAX_INPUT_TOKENS,
    PREFIX_TOKENS,
    Prompts,
    check_prompts,
    lines_of,
    made_up,
    object_in,
)
from streamkit.errors import ConfigError

__all__ = ["MAX_OUTPUT_TOKENS", "MAX_ROWS", "Trace", "parse_trace"]

MAX_ROWS: Final = 1_000_000
MAX_OUTPUT_TOKENS: Final = 1_000_000
MAX_AT_MS: Final = 10**15

NS_PER_MS: Final = 1_000_000

HASHES_NOTE: Final = (
    "the trace's hash_ids are not replayed: what its prompts had in common, and a server's prefix cache would find,"
    " these have not"
)
LENGTHS_NOTE: Final = "the trace's output lengths are the most that an answer may have: a server may well stop sooner"


class Trace(NamedTuple):
    """What a trace file asks for.

    Attributes:
        load: its times, and of each row the prompt and its most tokens.
        prompts: that `load` means.
        notes: sentences about what is not as the trace has it.
    """

    load: Replay
    prompts: Prompts
    notes: list[str]


class Row(NamedTuple):
    """One line."""

    at_ns: int
    prompt: str | None
    input_tokens: int
    max_tokens: int


def parse_trace(text: str, name: str, *, seed: int = 0, same_prompt: bool = False) -> Trace:
    """Return what a trace file says.

    Args:
        text: the content.
        name: the file's, for messages.
        seed: of made-up words.
        same_prompt: whether they are sent without a prefix that makes them unlike all others.

    Raises:
        ConfigError: a row is none (its line is named), there is none, they are too many, or last more than a week.
    """
    rows: list[Row] = []
    has_hashes = False
    for number, line in lines_of(text):
        if len(rows) == MAX_ROWS:
            raise ConfigError(f"{name}: has more than {MAX_ROWS:,} rows")
        where = f"{name}, line {number}"
        fields = object_in(line, where)
        has_hashes = has_hashes or bool(fields.get("hash_ids"))
        rows.append(_row(fields, where))
    if not rows:
        raise ConfigError(f"{name}: there is no row in it")
    rows.sort(key=lambda row: row.at_ns)
    first_ns = rows[0].at_ns
    if rows[-1].at_ns - first_ns > MAX_NS:
        raise ConfigError(f"{name}: lasts more than a week, which is the most; are its times in ms?")
    load, prompts = _load(rows, seed, PREFIX_TOKENS * (not same_prompt))
    is_capped = any(row.max_tokens for row in rows)
    notes = [*([HASHES_NOTE] if has_hashes else []), *([LENGTHS_NOTE] if is_capped else [])]
    return Trace(load, Prompts(prompts, _words(rows, name)), notes)


def _load(rows: list[Row], seed: int, prefix: int) -> tuple[Replay, list[str]]:
    """Return the load, and its prompts: each different text once. Made-up ones are the beginnings of a single text."""
    index: dict[str, int] = {}
    numbers = [-1 if row.prompt is None else index.setdefault(row.prompt, len(index)) for row in rows]
    texts = [*index]
    counts = [max(1, row.input_tokens - prefix) if row.prompt is None else 0 for row in rows]
    characters: list[int] = []
    if any(counts):
        longest, ends = made_up(max(counts), seed)
        numbers = [len(texts) if number < 0 else number for number in numbers]
        texts.append(longest)
        characters = [ends[count - 1] if count else 0 for count in counts]
    first_ns = rows[0].at_ns
    at_ns = [row.at_ns - first_ns for row in rows]
    return Replay(at_ns, numbers, [row.max_tokens for row in rows], characters), texts


def _words(rows: list[Row], name: str) -> str:
    made = [row.input_tokens for row in rows if row.prompt is None]
    if not made:
        return f"the prompts of {name}"
    given = "" if len(made) == len(rows) else "prompts and "
    span = f"{min(made):,}" if min(made) == max(made) else f"{min(made):,} to {max(made):,}"
    return (
        f"{given}made-up words of about {span} tokens, as {name} has it: an estimate, a token a word, no tokenizer;"
        " all are beginnings of one text"
    )


def _row(fields: dict[str, object], where: str) -> Row:
    at_ns = _at_ns(_one_of(fields, "at_ms", "timestamp", where), where)
    output = fields.get("max_tokens", fields.get("output_length"))
    max_tokens = 0 if output is None else _tokens(output, "max_tokens or output_length", MAX_OUTPUT_TOKENS, where)
    prompt = fields.get("prompt")
    if prompt is None:
        tokens = _one_of(fields, "input_tokens", "input_length", where, 'a "prompt", ')
        return Row(at_ns, None, _tokens(tokens, "input_tokens or input_length", MAX_INPUT_TOKENS, where), max_tokens)
    if not isinstance(prompt, str):
        raise ConfigError(f"{where}: prompt: expected a text")
    try:
        check_prompts([prompt])
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return Row(at_ns, prompt, 0, max_tokens)


def _one_of(fields: dict[str, object], ours: str, mooncake: str, where: str, others: str = "") -> object:
    value = fields.get(ours, fields.get(mooncake))
    if value is None:
        raise ConfigError(f'{where}: expected {others}"{ours}" (or, as Mooncake has it, "{mooncake}")')
    return value


def _at_ns(value: object, where: str) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or not 0 <= value <= MAX_AT_MS:  # type: ignore[arg-type,operator]
        raise ConfigError(f"{where}: its time: expected milliseconds, a number from 0")
    return value * NS_PER_MS if isinstance(value, int) else round(value * NS_PER_MS)  # type: ignore[operator]


def _tokens(value: object, what: str, most: int, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ConfigError(f"{where}: {what}: expected a whole number from 1 to {most:,}")
    return value
