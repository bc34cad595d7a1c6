"""conn: connections are used again, and nothing of one answer shows in the next."""

from __future__ import annotations

from typing import Final

from streamkit.contract.case import Case

__all__ = ["CASES"]

CASES: Final[tuple[Case, ...]] = ()
