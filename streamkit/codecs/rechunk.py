"""Cut a byte stream anew, without changing a byte of it: what a network does, on purpose and from a seed.

Where the cuts are is a policy's business (`streamkit.codecs.policies`). This is the one stage that may hold complete
records back, because a fixed size or a coalescing of pieces cannot be had otherwise. A policy with `holds = False`
never does: its pieces leave with the input that brought them. The pieces of a policy with `holds = True` depend on the
bytes alone, not on how they came in (`Coalesce` excepted, which counts what comes in).
"""

from __future__ import annotations

from streamkit.codecs.policies import Policy
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES, check_limit
from streamkit.codecs.stage import Stage
from streamkit.errors import LimitExceeded, excerpt_of

__all__ = ["Rechunker"]


class Rechunker(Stage[bytes, bytes]):
    """Bytes to the same bytes, cut where the policy says. `finish` brings what is held."""

    name = "rechunk"

    def __init__(self, policy: Policy, *, max_held_bytes: int | None = DEFAULT_LIMIT_BYTES) -> None:
        """Make a rechunker.

        Args:
            policy: where the cuts are.
            max_held_bytes: the most that may be held back; None lifts the limit. A piece that would need more is an
                error.

        Raises:
            ConfigError: the limit is zero or negative.
        """
        self.policy = policy
        self._limit_bytes = check_limit(max_held_bytes, "max_held_bytes")
        self._start()

    def _start(self) -> None:
        self._cutter = self.policy.cutter()
        self._pieces = 0
        self._end = 0

    def feed(self, data: bytes, /) -> list[bytes]:
        if self._closed is not None:
            self._check_open()
        if not data:
            return []
        pieces = self._cutter.cut(data)
        self._pieces += len(pieces)
        self._end += len(data)
        held = self._cutter.held
        if len(held) > self._limit_bytes:
            error = LimitExceeded(
                limit_bytes=self._limit_bytes,
                what="piece",
                stage=self.name,
                record=self._pieces + 1,
                offset=self._end - len(held) + self._limit_bytes,
                excerpt=excerpt_of(held[: self._limit_bytes], self._limit_bytes),
            )
            raise self._fail(error, pieces)
        return pieces

    def finish(self) -> list[bytes]:
        if self._closed is not None:
            return []
        super().finish()
        last = bytes(self._cutter.held)
        return [last] if last else []

    def reset(self) -> None:
        super().reset()
        self._start()
