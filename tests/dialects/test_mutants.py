"""Hostile records, for every dialect: wrong types at every place of every example.

What comes of one is a `DecodeError` or a lawful stream, never another exception; and what came of it can be written in
every dialect, or is an `EncodeError`. The mutants are in `tests/dialects/mutants.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.convert import decoder_of, encoder_of
from streamkit.dialects.events import Event
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import DecodeError, EncodeError
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.mutants import MISSING, VALUES, at_path, cut_down, joined, mutants_of, paths_in, records_of

STEP = 4
"""Of so many mutants the quick test tries one. No divisor of the number of values, so that all have their turn."""

WITH_RECORDS = [example for example in EXAMPLES if example.framing != "text"]


def decoded(source: str, wire: bytes, *, strict: bool = False) -> tuple[list[Event], bool]:
    """The events of a wire, and whether it failed; whatever else is raised is a bug."""
    decoder = decoder_of(source, strict=strict)
    events: list[Event] = []
    try:
        events += decoder.feed(wire)
        events += decoder.finish()
    except DecodeError as error:
        return [*events, *error.items], True  # type: ignore[list-item]
    return events, False


def violations(events: Iterable[Event], *, failed: bool) -> list[str]:
    checker = Lifecycle()
    found = [violation for event in events for violation in checker.feed(event)]
    return [str(violation) for violation in (found if failed else [*found, *checker.finish()])]


def write(target: str, events: Iterable[Event]) -> bytes | None:
    """What a dialect writes, or None if it refuses."""
    encoder = encoder_of(target)
    try:
        return b"".join([piece for event in events for piece in encoder.feed(event)] + encoder.finish())
    except EncodeError:
        return None


def problems(source: str, wire: bytes, targets: Iterable[str]) -> list[str]:
    """Say what is wrong with what comes of a wire."""
    found = []
    try:
        decoded(source, wire, strict=True)
        events, failed = decoded(source, wire)
    except Exception as error:  # noqa: BLE001 - the test is that there is none
        return [f"decoding: {error!r}"]
    found += violations(events, failed=failed)
    for target in targets:
        try:
            written = write(target, events)
        except Exception as error:  # noqa: BLE001 - the same
            found.append(f"to {target}: {error!r}")
            continue
        if written is None:
            continue
        try:
            read, failed = decoded(target, written)
        except Exception as error:  # noqa: BLE001 - the same
            found.append(f"back from {target}: {error!r}")
            continue
        if failed:
            found.append(f"{target} does not read what it wrote")
        found += [f"back from {target}: {violation}" for violation in violations(read, failed=failed)]
    return found


def examples_of(dialect: str) -> list[Example]:
    return [example for example in WITH_RECORDS if example.dialect == dialect]


EACH_DIALECT = sorted({example.dialect for example in WITH_RECORDS})


def problems_of(dialect: str, step: int, targets: Callable[[], Iterable[str]]) -> list[str]:
    """The problems of every `step`-th mutant at all places in a dialect's examples."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    mutants = ((example, mutant) for example in examples_of(dialect) for mutant in mutants_of(example, seen))
    return [
        f"{example}: {mutant.what}: {problem}"
        for example, mutant in islice(mutants, None, None, step)
        for problem in problems(example.source, mutant.wire, targets())
    ]


@pytest.mark.parametrize("dialect", EACH_DIALECT)
def test_a_wrong_type_anywhere_is_an_error_or_a_lawful_stream(dialect: str) -> None:
    """Several values at every place, written in the dialect itself and in one other, each in turn."""
    turns = cycle(DIALECTS)
    assert len(VALUES) % STEP
    assert problems_of(dialect, STEP, lambda: {dialect, next(turns)}) == []


@pytest.mark.slow
@pytest.mark.parametrize("dialect", EACH_DIALECT)
def test_every_wrong_type_anywhere_can_be_written_in_every_dialect(dialect: str) -> None:
    assert problems_of(dialect, 1, lambda: DIALECTS) == []


@given(data=st.data())
def test_several_wrong_types_are_an_error_or_a_lawful_stream(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(WITH_RECORDS), label="example")
    records = cut_down(records_of(example))
    for _ in range(data.draw(st.integers(1, 3))):
        mutable = [number for number, record in enumerate(records) if record.value is not MISSING]
        if not mutable:
            return
        number = data.draw(st.sampled_from(mutable))
        record = records[number]
        path = data.draw(st.sampled_from([*paths_in(record.value)]), label="path")
        new = data.draw(st.sampled_from([value for value in VALUES if path or value is not MISSING]), label="value")
        changed = at_path(record.value, path, new)
        records[number] = type(record)(record.before, changed, record.after)
    target = data.draw(st.sampled_from([*DIALECTS]), label="target")
    assert problems(example.source, joined(example.framing, records), {example.dialect, target}) == []


def test_a_mutant_is_made_of_every_place() -> None:
    example = Example("ollama-chat", "made-up", "ndjson", b'{"a":{"b":[1,2]}}\n{"a":{"b":[3]}}\n')
    mutants = [*mutants_of(example, set())]
    assert len(mutants) == 4 * len(VALUES)
    assert mutants[-1].wire == b'{"a": {"b": [2]}}\n{"a": {"b": [3]}}\n'
    assert b'{"a": {"b": [1e+300, 2]}}\n{"a": {"b": [3]}}\n' in [mutant.wire for mutant in mutants]


def test_another_exception_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = b'{"message":{"content":"a"},"done":false}\n'
    assert problems("ollama-chat", wire, DIALECTS) == []

    def fails(*_: object) -> None:
        raise KeyError

    with monkeypatch.context() as patch:
        patch.setattr(DIALECTS["openai-chat"].encoder, "on_error", fails)
        assert problems("ollama-chat", wire, ["openai-chat"]) == ["to openai-chat: KeyError()"]
    monkeypatch.setattr(DIALECTS["ollama-chat"].decoder, "take", fails)
    assert problems("ollama-chat", wire, []) == ["decoding: KeyError()"]


def test_an_unlawful_stream_is_noticed() -> None:
    assert violations([], failed=False) != []
    assert violations([], failed=True) == []
