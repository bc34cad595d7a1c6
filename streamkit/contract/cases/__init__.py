"""All cases, a file for each group. A new case is a row there; a new group is a file and a line here."""

from __future__ import annotations

from typing import Final

from streamkit.contract.case import Case
from streamkit.contract.cases import (
    bp,
    bytes,  # noqa: A004 - the group's name
    cancel,
    conn,
    end,
    flush,
    hdr,
    idle,
    interim,
    lat,
    limit,
    llm,
    req,
    stress,
    trailer,
)

__all__ = ["CASES", "case_of"]

CASES: Final[tuple[Case, ...]] = (
    *flush.CASES,
    *bytes.CASES,
    *limit.CASES,
    *cancel.CASES,
    *end.CASES,
    *bp.CASES,
    *hdr.CASES,
    *trailer.CASES,
    *interim.CASES,
    *req.CASES,
    *conn.CASES,
    *idle.CASES,
    *lat.CASES,
    *stress.CASES,
    *llm.CASES,
)
"""In the order of reports."""


def case_of(case_id: str) -> Case | None:
    """Return the case of this id."""
    return next((case for case in CASES if case.id == case_id), None)
