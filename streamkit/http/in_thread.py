"""Run what is opened on trio in a thread of its own, for programs that block, or have a loop of another kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import TypeVar

import trio

__all__ = ["in_thread"]

T = TypeVar("T")


@contextmanager
def in_thread(
    opening: Callable[[], AbstractAsyncContextManager[T]], name: str
) -> Iterator[tuple[T, trio.lowlevel.TrioToken]]:
    """Open something on trio, in a new thread, while the block runs.

    Gives what it has opened, which belongs to that thread, and the token by which functions are called there.

    Args:
        opening: makes what is opened, in the thread.
        name: of the thread, for people.

    Raises:
        Exception: whatever the opening raises; and at the block's end, whatever ended the thread before its time.
    """
    started = threading.Event()
    opened: list[tuple[T, trio.lowlevel.TrioToken, trio.CancelScope]] = []
    failure: list[Exception] = []

    async def main() -> None:
        async with opening() as value:
            with trio.CancelScope() as scope:
                opened.append((value, trio.lowlevel.current_trio_token(), scope))
                started.set()
                await trio.sleep_forever()

    def run() -> None:
        try:
            trio.run(main)
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    started.wait()
    try:
        for value, token, _ in opened:
            yield value, token
    finally:
        for _, token, scope in opened:
            with suppress(trio.RunFinishedError):  # it has ended by itself, and `failure` says why
                token.run_sync_soon(scope.cancel)
        thread.join()
    if failure:
        raise failure[0]
