"""end: an answer that breaks off never looks whole, and a whole one ends once."""

from __future__ import annotations

from typing import Final

from streamkit.contract.case import Case

__all__ = ["CASES"]

CASES: Final[tuple[Case, ...]] = ()
