"""A nursery for what runs beside a block of the user's program, and ends with it.

trio's own nursery would put whatever the block raises into an exception group, which is no business of somebody who has
merely started a server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

__all__ = ["background"]


@asynccontextmanager
async def background() -> AsyncIterator[trio.Nursery]:
    """Give a nursery to the block, and cancel what runs in it at the block's end.

    What the block raises comes out as it is, and so does the error of a task, which cancels the block. Where there are
    several errors, they come in a group.
    """
    own: BaseException | None = None
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            except BaseException as raised:
                own = raised
                raise
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            error = group
        elif own is None or _has_cancelled(own):
            error = group.exceptions[0]
        else:
            error = own  # trio has made a copy of it, where it is a group itself
    if error is not None:  # raised here, so that it keeps its own cause and context
        raise error


def _has_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(trio.Cancelled) is not None
    return isinstance(error, trio.Cancelled)
