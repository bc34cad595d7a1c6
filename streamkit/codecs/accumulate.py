"""Keep the whole of what passes, without holding any of it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, overload

from streamkit.codecs.records import DEFAULT_LIMIT_BYTES, check_limit
from streamkit.codecs.stage import Stage
from streamkit.errors import ConfigError, LimitExceeded

__all__ = ["Accumulator"]

BLOCK_PIECES: Final = 1024
"""How many pieces are kept apart before they are joined."""

DataT = TypeVar("DataT", bytes, str)


class Accumulator(Stage[DataT, DataT], Generic[DataT]):
    """Pass `bytes` or `str` through untouched, and have the whole afterwards, up to a bound.

    The bound never stops the stream: what is over it passes like the rest and is not kept, and `value` says so. The
    size of text is counted in UTF-8 bytes. A part of the whole is never given out as the whole: it has a name of its
    own, `prefix`.

    Attributes:
        size_bytes: the size of everything that has passed, kept or not.
    """

    name = "accumulator"

    @overload
    def __init__(self: Accumulator[bytes], kind: type[bytes] = ..., *, max_bytes: int | None = ...) -> None: ...
    @overload
    def __init__(self: Accumulator[str], kind: type[str], *, max_bytes: int | None = ...) -> None: ...

    def __init__(self, kind: type[Any] = bytes, *, max_bytes: int | None = DEFAULT_LIMIT_BYTES) -> None:
        """Make an accumulator of `bytes` or `str` that keeps up to `max_bytes`; None lifts the bound.

        Raises:
            ConfigError: the bound is zero or negative, or the kind another type.
        """
        if kind not in {bytes, str}:
            msg = f"an Accumulator is of bytes or str, not of {kind!r}"
            raise ConfigError(msg)
        self._kind: Callable[[], Any] = kind
        self._limit_bytes = check_limit(max_bytes, "max_bytes")
        self._start()

    def _start(self) -> None:
        self._pieces: list[DataT] = []
        self._blocks: list[DataT] = []  # earlier pieces, joined: a short piece takes many times its length
        self.size_bytes = 0

    def feed(self, data: DataT, /) -> list[DataT]:
        if self._closed is not None:
            self._check_open()
        if not data:
            return []
        room = self._limit_bytes - self.size_bytes
        size = len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode("utf-8", "surrogatepass"))
        self.size_bytes += size
        if size <= room:
            self._pieces.append(data)
        elif room > 0 and isinstance(data, bytes):
            self._pieces.append(data[:room])
        elif room > 0 and isinstance(data, str):
            self._pieces.append(data.encode("utf-8", "ignore")[:room].decode("utf-8", "ignore"))
        if len(self._pieces) > BLOCK_PIECES:
            self._blocks.append(self._kind().join(self._pieces))
            self._pieces = []
        return [data]

    def reset(self) -> None:
        super().reset()
        self._start()

    @property
    def complete(self) -> bool:
        """Whether everything that has passed so far was kept."""
        return self.size_bytes <= self._limit_bytes

    @property
    def prefix(self) -> DataT:
        """As much of the start as the bound allows; of text, whole characters."""
        if self._pieces or len(self._blocks) != 1:
            self._blocks = [self._kind().join((*self._blocks, *self._pieces))]
            self._pieces = []
        return self._blocks[0]

    @property
    def value(self) -> DataT:
        """Everything that has passed.

        Raises:
            LimitExceeded: more has passed than the bound.
        """
        if not self.complete:
            raise LimitExceeded(limit_bytes=self._limit_bytes, stage=self.name, record=1, offset=self._limit_bytes)
        return self.prefix
