"""Who may look on while a gateway works: what it is shown, and where it speaks itself.

The gateway knows nothing else of it. An onlooker changes no byte and delays none; what it is shown it must take at
once, without waiting. `streamkit.watch` is one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from streamkit.gateway.record import Outcome, Record
from streamkit.http.connect import Dial
from streamkit.http.exchange import Exchange, Request

if TYPE_CHECKING:
    import trio

__all__ = ["Onlooker"]


class Onlooker(Protocol):
    """Sees every request of a gateway, and the connections to its upstream.

    Attributes:
        prefix: the beginning and the end of it a slash; requests for what is below it are the onlooker's, and those for
            it without the last slash.
    """

    @property
    def prefix(self) -> str: ...

    def seen(self, dial: Dial) -> Dial:
        """Return what makes the same connections, and shows what is sent and read on them."""

    def is_open(self, request: Request) -> bool:
        """Tell whether what is asked for is no secret and no deed, so that it is given to those without a key."""

    def looking(self, exchange: Exchange, record: Record) -> AbstractContextManager[None]:
        """Look on while the block answers a request. `Exchange.stream` may be another one inside."""

    def stream_failed(self, stream_id: str, outcome: Outcome, detail: str) -> None:
        """Take note that a resumable stream did not come to its own end, which no request may ever be told.

        Args:
            stream_id: whose.
            outcome: how; `client-left` where it was cancelled, or given up because nobody read it.
            detail: why, for people.
        """

    async def answer(self, exchange: Exchange, record: Record, drain: trio.Event) -> None:
        """Answer a request for what is below `prefix`. The guard has let it in.

        Args:
            exchange: the client's.
            record: is filled in.
            drain: once it is set, every response is the last one on its connection, and none goes on for long.

        Raises:
            BrokenResourceError: the client is gone.
        """
