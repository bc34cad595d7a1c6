"""llm: what an LLM's stream has to have, behind a gateway that writes it anew."""

from __future__ import annotations

from typing import Final

from streamkit.contract.case import Case

__all__ = ["CASES"]

CASES: Final[tuple[Case, ...]] = ()
