"""The contract of every stage, and the pipeline that chains them.

A stage is a synchronous transducer: items in, items out, no I/O, no clock, no task. What it may and may not do is
written here once; `streamkit.testing` checks it for any stage.

- `feed(item)` returns the items which that input completes: at once, never one call later.
- How the input is cut changes nothing in the concatenated output.
- `finish()` says what the end of the input means and returns what it completes. Calling it again returns nothing.
- A call that fails raises a `DecodeError` or `EncodeError` whose `items` were complete before the bad place. The stage
  then refuses input, with a `StageStateError`, until `reset()`.
- `reset()` brings back the state of a new stage, with the same options.

Five stages cost about 1 us an item chained this way, and 50 us with a task and a channel for each stage
(`benchmarks/pipeline.py` measures the first).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar, cast

from streamkit.errors import ConfigError, DecodeError, EncodeError, StageStateError

__all__ = ["BadRecord", "Pipeline", "Stage"]

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
Mid = TypeVar("Mid")
Next = TypeVar("Next")
ErrorT = TypeVar("ErrorT", bound=DecodeError | EncodeError)


@dataclass(frozen=True, slots=True, eq=False)
class BadRecord:
    """What a decoder made with `on_error="item"` yields in a bad record's place.

    Two are equal if their errors are of the same class and say the same.

    Attributes:
        error: the error that the decoder would have raised; its `items` are empty.
    """

    error: DecodeError

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BadRecord):
            return NotImplemented
        return type(self.error) is type(other.error) and str(self.error) == str(other.error)

    def __hash__(self) -> int:
        return hash(str(self.error))


class Stage(ABC, Generic[In, Out]):
    """A synchronous transducer; the module's docstring is the contract.

    A subclass sets `name` (it appears in errors), writes `feed`, and, where the end of the input or a state matters,
    `finish` and `reset`. `feed_many` is there to be overridden where a batch is cheaper than its items one by one.
    """

    name: ClassVar[str] = "stage"

    _closed: str | None = None
    """Why the stage refuses input, or None. The first thing that every `feed` looks at."""

    @abstractmethod
    def feed(self, item: In, /) -> list[Out]:
        """Take one item; return all items that it completes.

        Raises:
            DecodeError: the input is bad; `error.items` is what was complete before the bad place, and the stage
                refuses input from now on.
            EncodeError: the same, for an item that the stage's output format cannot carry.
            StageStateError: the stage has failed or finished.
        """

    def feed_many(self, items: Iterable[In], /) -> list[Out]:
        """Take several items; the result and the errors are those of feeding them one after the other.

        A stage whose output is a stream of bytes may put out one piece for all of them: their concatenation.
        """
        out: list[Out] = []
        try:
            for item in items:
                out += self.feed(item)
        except (DecodeError, EncodeError) as error:
            error.items = [*out, *error.items]
            raise
        return out

    def finish(self) -> list[Out]:
        """Take the end of the input; return what it completes. A second call returns nothing.

        Raises:
            TruncatedError: the input may not end here. (Formats that define the end as harmless do not raise it.)
        """
        self._closed = self._closed or "it has finished"
        return []

    def reset(self) -> None:
        """Forget everything but the options; the stage is as new."""
        self._closed = None

    def __or__(self, other: Stage[Out, Next]) -> Pipeline[In, Next]:
        return Pipeline(self, other)

    def _check_open(self) -> None:
        """Raise the `StageStateError` of a closed stage."""
        if self._closed is not None:
            msg = f"{self.name} takes no more input: {self._closed}; reset() makes it as new"
            raise StageStateError(msg)

    def _fail(self, error: ErrorT, items: Sequence[object] = ()) -> ErrorT:
        """Close the stage because of `error`, hand the error the good items, and return it for raising."""
        self._closed = "it has failed"
        error.items = items
        return error


class Pipeline(Stage[In, Out]):
    """Several stages as one: what one puts out, the next takes, all within the same call.

    `a | b | c` builds one. Pipelines inside pipelines are flattened, so `stages` is always the whole chain. When a
    stage fails, what it had completed still passes through the stages after it; these are not finished, because the end
    of a failed stream must not look like the end of a whole one.
    """

    name = "pipeline"

    def __init__(self, first: Stage[In, Mid], *rest: Stage[Mid, Out]) -> None:
        """Chain `first` and `rest`.

        Raises:
            ConfigError: a stage appears twice; its state cannot serve two places.
        """
        stages: list[Stage[object, object]] = []
        for stage in cast("tuple[Stage[object, object], ...]", (first, *rest)):
            stages += stage.stages if isinstance(stage, Pipeline) else (stage,)
        if len({id(stage) for stage in stages}) != len(stages):
            msg = "a stage object can stand in a pipeline only once: make a second one"
            raise ConfigError(msg)
        self.stages: tuple[Stage[object, object], ...] = tuple(stages)

    def feed(self, item: In, /) -> list[Out]:
        if self._closed is not None:
            self._check_open()
        items: list[object] = [item]
        position = -1
        try:
            # One item at a time is what a live stream brings, and `feed` is the shorter way for it.
            for stage in self.stages:
                position += 1
                if len(items) == 1:
                    items = stage.feed(items[0])
                elif items:
                    items = stage.feed_many(items)
                else:
                    break
        except (DecodeError, EncodeError) as error:
            raise self._failed(error, position) from None
        return cast("list[Out]", items)

    def feed_many(self, items: Iterable[In], /) -> list[Out]:
        if self._closed is not None:
            self._check_open()
        return cast("list[Out]", self._through(list(items), 0))

    def finish(self) -> list[Out]:
        if self._closed is not None:
            return []
        items: list[object] = []
        for position, stage in enumerate(self.stages):
            try:
                # Two steps in one try: a stage that fails while it takes the last items has not been finished.
                fed = stage.feed_many(items) if items else []
                try:
                    items = fed + stage.finish()
                except (DecodeError, EncodeError) as error:
                    error.items = [*fed, *error.items]
                    raise
            except (DecodeError, EncodeError) as error:
                raise self._failed(error, position) from None
        super().finish()
        return cast("list[Out]", items)

    def reset(self) -> None:
        super().reset()
        for stage in self.stages:
            stage.reset()

    def _through(self, items: list[object], first: int) -> list[object]:
        """Feed `items` to the stage at position `first`, what it puts out to the next, and so on."""
        position = first
        try:
            for position in range(first, len(self.stages)):
                if not items:
                    break
                items = self.stages[position].feed_many(items)
        except (DecodeError, EncodeError) as error:
            raise self._failed(error, position) from None
        return items

    def _failed(self, error: DecodeError | EncodeError, position: int) -> DecodeError | EncodeError:
        """Run what the stage at `position` completed before `error` through those after it, and close the pipeline.

        A later stage may fail on one of those items. That item lies earlier in the stream than `error`, so its error is
        the one to be raised, and it is raised from here.
        """
        return self._fail(error, self._through(list(error.items), position + 1))
