"""interim: interim responses do no harm."""

from __future__ import annotations

from typing import Final

from streamkit.contract.case import Case

__all__ = ["CASES"]

CASES: Final[tuple[Case, ...]] = ()
