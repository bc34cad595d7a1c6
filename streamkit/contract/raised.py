"""What a case raised: which errors they are, and where ours were raised. Pure."""

from __future__ import annotations

import traceback
from pathlib import Path

__all__ = ["described", "leaves"]


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in a group, however deep; an error that is no group is the only one."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]


def described(error: BaseException) -> str:
    """Say what an error is and where it was raised, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}: {' '.join(str(error).split())[:200]}"
