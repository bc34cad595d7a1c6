"""The laws of stages as functions, for stages of your own, and a stream for tests whose every read is scripted.

::

    def test_my_stage():
        check_stage(MyDecoder, b"one two ", [b"one", b"two"])

    @given(splits(b"one two "))
    def test_any_split(pieces):
        ...

`check_stage` is exhaustive and needs no Hypothesis: every cut in two, every byte alone, empty pieces between. The
strategy `splits` is for the wires that you draw; Hypothesis is imported when it is asked for, trio when
`ScriptedStream` is.

A broken law raises `LawBroken`, an AssertionError that names the law and shows the cut that broke it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from streamkit.codecs.stage import Stage
from streamkit.errors import DecodeError, EncodeError, LimitExceeded, StageStateError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from streamkit.io.scripted import ScriptedStream

__all__ = ["LawBroken", "Outcome", "ScriptedStream", "check_items", "check_limit", "check_stage", "outcome", "splits"]

In = TypeVar("In")

MOST_CUTS: Final = 300
"""How many cuts in two are tried: every one for a wire of up to this length, an even choice for a longer one."""

RANDOM_CUTS: Final = 20
BATCH_CUTS: Final = 8


class LawBroken(AssertionError):
    """A stage does what no stage may do."""


@dataclass(frozen=True)
class Outcome:
    """What a stage made of a whole stream.

    Attributes:
        items: everything it put out, the good items of a failing call included; of a `joined` run the bytes or text in
            one.
        error: None, or the class, code, record and offset of the error that ended it.
    """

    items: Sequence[object]
    error: tuple[type[Exception], str, int | None, int | None] | None


def splits(data: bytes, *, max_pieces: int = 12) -> SearchStrategy[list[bytes]]:
    """Return a Hypothesis strategy for the ways to cut `data` into at most `max_pieces`, empty pieces among them."""
    from hypothesis import strategies as st

    def cut(places: list[int]) -> list[bytes]:
        return [data[start:end] for start, end in pairwise([0, *sorted(places), len(data)])]

    return st.lists(st.integers(0, len(data)), max_size=max_pieces - 1).map(cut)


def outcome(stage: Stage[In, object], pieces: Iterable[In], *, joined: bool = False) -> Outcome:
    """Feed `pieces` to `stage` one by one, finish it, and return what came of it.

    Args:
        stage: a new or reset one.
        pieces: its input.
        joined: the output is itself a stream of bytes or text, so only its concatenation counts.
    """
    items: list[object] = []
    error = None
    try:
        for piece in pieces:
            items += stage.feed(piece)
        items += stage.finish()
    except (DecodeError, EncodeError) as caught:
        items += caught.items
        error = (type(caught), caught.code, caught.record, getattr(caught, "offset", None))
    return Outcome(_concatenated(items) if joined else items, error)


@overload
def check_stage(
    make: Callable[[], Stage[bytes, object]], wire: bytes, items: Sequence[object], *, joined: bool = ...
) -> None: ...
@overload
def check_stage(
    make: Callable[[], Stage[bytes, object]],
    wire: Sequence[bytes],
    items: Sequence[Sequence[object]],
    *,
    joined: bool = ...,
) -> None: ...


def check_stage(
    make: Callable[[], Stage[bytes, object]],
    wire: bytes | Sequence[bytes],
    items: Sequence[Any],
    *,
    joined: bool = False,
) -> None:
    """Check every law that one wire can show, on a stage that takes bytes.

    Args:
        make: returns a new stage.
        wire: the input. As bytes, or as the steps in which items become complete.
        items: what must come out before any error. For bytes, all of it; for steps, a sequence for each step, and what
            the end of the input adds as one sequence more if there is any: then promptness is checked to the byte.
        joined: the output is itself a stream of bytes or text, so only its concatenation counts.

    Raises:
        LawBroken: a law does not hold.
    """
    steps = None if isinstance(wire, bytes) else list(wire)
    data = wire if isinstance(wire, bytes) else b"".join(wire)
    expected = list(items) if steps is None else [item for step in items for item in step]
    whole = outcome(make(), [data], joined=joined)
    wanted = _concatenated(expected) if joined else expected
    if list(whole.items) != list(wanted):
        raise LawBroken(f"the whole wire in one piece: expected {wanted!r}, got {whole.items!r}")
    for pieces in _cuttings(data):
        cut = outcome(make(), pieces, joined=joined)
        if cut != whole:
            raise LawBroken(f"split invariance: cut as {_shown(pieces)} it gives {cut}, in one piece {whole}")
    _check_prefixes(make, data, whole, joined=joined)
    if steps is not None:
        _check_steps(make, steps, items, joined=joined)
    _check_batches(make, [data[at : at + 1] for at in range(len(data))], whole, joined=joined)
    _check_states(make, [data], whole, joined=joined)


def check_items(
    make: Callable[[], Stage[In, object]],
    inputs: Sequence[In],
    outputs: Sequence[Sequence[object]],
    *,
    joined: bool = False,
) -> None:
    """Check the laws on a stage that takes items: an output comes with its input, and batches change nothing.

    Args:
        make: returns a new stage.
        inputs: the items to feed.
        outputs: what each of them brings out, and what the end adds as one sequence more if there is any.
        joined: the output is itself a stream of bytes or text, so only its concatenation counts.

    Raises:
        LawBroken: a law does not hold.
    """
    _check_steps(make, inputs, outputs, joined=joined)
    whole = outcome(make(), inputs, joined=joined)
    expected = [item for each in outputs for item in each]
    wanted = _concatenated(expected) if joined else expected
    if list(whole.items) != list(wanted):
        raise LawBroken(f"all inputs one by one: expected {wanted!r}, got {whole.items!r}")
    _check_batches(make, inputs, whole, joined=joined)
    _check_states(make, inputs, whole, joined=joined)


def check_limit(make: Callable[[], Stage[bytes, object]], start: bytes, filler: bytes, limit_bytes: int) -> None:
    """Check that a record without end is refused at the limit.

    Args:
        make: returns a new stage with this limit.
        start: what begins a record.
        filler: what goes on with it for ever.
        limit_bytes: the limit that the stage was made with.

    Raises:
        LawBroken: more than the limit and one piece could be fed.
    """
    stage = make()
    fed = len(start)
    try:
        stage.feed(start)
        while fed <= limit_bytes + len(start) + len(filler):
            stage.feed(filler)
            fed += len(filler)
    except LimitExceeded:
        return
    raise LawBroken(f"bounded memory: {fed} bytes of one record were taken, the limit is {limit_bytes}")


def _check_prefixes(make: Callable[[], Stage[bytes, object]], data: bytes, whole: Outcome, *, joined: bool) -> None:
    """Check that each prefix gives the same however it came (promptness), and a prefix of the whole (monotony)."""
    dripping = make()
    dripped: list[object] = []
    for length in range(1, len(data) + 1):
        try:
            dripped += dripping.feed(data[length - 1 : length])
        except (DecodeError, EncodeError):
            return  # the error's place and items are split invariance's business
        if length not in _places(data):
            continue
        at_once = make().feed(data[:length])
        so_far, in_one = (_concatenated(each) if joined else each for each in (dripped, at_once))
        if list(so_far) != list(in_one):
            start = _shown([data[:length]])
            raise LawBroken(f"promptness: {start} gives {so_far!r} one byte at a time, but {in_one!r} in one piece")
        if not _is_prefix(so_far, whole.items, joined=joined):
            raise LawBroken(f"monotony: {_shown([data[:length]])} gives {so_far!r}, but the whole wire {whole.items!r}")


def _check_steps(
    make: Callable[[], Stage[In, object]], steps: Sequence[In], items: Sequence[Sequence[object]], *, joined: bool
) -> None:
    stage = make()
    for step, wanted in zip(steps, items, strict=False):
        try:
            got: Sequence[object] = stage.feed(step)
        except (DecodeError, EncodeError) as error:
            got = error.items
        so_far, due = (_concatenated(list(each)) if joined else list(each) for each in (got, wanted))
        if so_far != due:
            raise LawBroken(f"promptness: {step!r} must bring {due!r} at once, it brings {so_far!r}")


def _check_batches(
    make: Callable[[], Stage[In, object]], inputs: Sequence[In], whole: Outcome, *, joined: bool
) -> None:
    """Check that `feed_many` does what `feed` does, whatever the batches."""
    for at in range(0, len(inputs) + 1, max(1, len(inputs) // BATCH_CUTS)):
        stage = make()
        items: list[object] = []
        try:
            items += stage.feed_many(inputs[:at])
            items += stage.feed_many(inputs[at:])
            items += stage.finish()
        except (DecodeError, EncodeError) as error:
            items += error.items
        got = _concatenated(items) if joined else items
        if list(got) != list(whole.items):
            raise LawBroken(f"batches: feed_many cut at {at} gives {got!r}, feed {whole.items!r}")


def _check_states(make: Callable[[], Stage[In, object]], inputs: Sequence[In], whole: Outcome, *, joined: bool) -> None:
    stage = make()
    outcome(stage, inputs)
    _check_refuses(stage, inputs)
    stage.reset()
    again = outcome(stage, inputs, joined=joined)
    if again != whole:
        raise LawBroken(f"reset: the second time it gives {again}, the first {whole}")


def _check_refuses(stage: Stage[In, object], inputs: Sequence[In]) -> None:
    if stage.finish():
        raise LawBroken("end of input: finish() gives items a second time")
    for each in inputs[:1]:
        try:
            stage.feed(each)
        except StageStateError:
            continue
        raise LawBroken("end of input: a stage that has finished or failed takes more input")


def _cuttings(data: bytes) -> Iterator[list[bytes]]:
    yield [data[at : at + 1] for at in range(len(data))]
    for at in _places(data):
        yield [data[:at], data[at:]]
        yield [data[:at], b"", data[at : at + 1], b"", data[at + 1 :]]
    rng = Random(0)
    for _ in range(RANDOM_CUTS):
        places = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(1, 9)))
        yield [data[start:end] for start, end in pairwise([0, *places, len(data)])]


def _places(data: bytes) -> range:
    return range(0, len(data) + 1, max(1, len(data) // MOST_CUTS))


def _concatenated(items: Sequence[object]) -> list[object]:
    """Join neighbours that are both bytes or both text."""
    out: list[Any] = []
    for item in items:
        more: Any = item
        if isinstance(item, (bytes, str)) and out and type(out[-1]) is type(more):
            out[-1] += more
        elif not (isinstance(item, (bytes, str)) and not item):
            out.append(item)
    return out


def _is_prefix(start: Sequence[object], whole: Sequence[object], *, joined: bool) -> bool:
    if not (joined and start):
        return list(start) == list(whole[: len(start)])
    last = len(start) - 1
    mine, theirs = ([*each[last : last + 1]] for each in (start, whole))
    same: Any = list(start[:last]) == list(whole[:last]) and bool(theirs)
    # The piece that both end in may have grown, if it is bytes or text.
    return same and (mine == theirs or (type(mine[0]) is type(theirs[0]) and _starts_with(theirs[0], mine[0])))


def _starts_with(text: Any, start: Any) -> bool:  # noqa: ANN401 - bytes and bytes, or text and text
    return isinstance(text, (bytes, str)) and text[: len(start)] == start


def _shown(pieces: Sequence[bytes]) -> str:
    text = repr(list(pieces))
    return text if len(text) <= MOST_CUTS else f"{text[:MOST_CUTS]}..."


if not TYPE_CHECKING:  # a type checker that sees a __getattr__ lets every misspelt name pass

    def __getattr__(name: str) -> object:
        if name == "ScriptedStream":
            from streamkit.io.scripted import ScriptedStream

            return ScriptedStream
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
