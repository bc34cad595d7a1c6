"""idle, duration: a stream may be silent for long, and go on for long."""

from __future__ import annotations

from typing import Final

from streamkit.contract.case import Case

__all__ = ["CASES"]

CASES: Final[tuple[Case, ...]] = ()
