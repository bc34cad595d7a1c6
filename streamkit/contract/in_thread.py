"""The harness in a thread of its own, for programs on asyncio or on nothing: pytest, for instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from streamkit.contract.open import open_runner, open_upstream
from streamkit.http.in_thread import in_thread
from streamkit.http.origin import Origin, parse_origin

if TYPE_CHECKING:
    import ssl

    from streamkit.contract.case import Case
    from streamkit.contract.hub import Hub
    from streamkit.contract.results import Result
    from streamkit.contract.setting import Setting

__all__ = ["ContractInThread", "contract_in_thread"]


class ContractInThread:
    """The upstream that a proxy forwards to, and the cases; made by `contract_in_thread`.

    Attributes:
        url: of the upstream, as `http://127.0.0.1:9000`.
        host, port: the same.
    """

    def __init__(self, hub: Hub, origin: Origin, token: trio.lowlevel.TrioToken) -> None:
        self.url, self.host, self.port = origin.url, origin.host, origin.port
        self._hub = hub
        self._origin = origin
        self._token = token

    def run(
        self, target: str, cases: Iterable[Case], setting: Setting, *, target_tls: ssl.SSLContext | None = None
    ) -> list[Result]:
        """Run cases against the proxy at `target`, which forwards to `url`, and return their results.

        Args:
            target: the proxy's URL.
            cases: what is run; what it builds on and is not among them is taken for granted.
            setting: as what it is tested; its own target does not count.
            target_tls: what is trusted as the proxy.

        Raises:
            ConfigError: `target` is no URL.
        """
        aimed = replace(setting, target=parse_origin(target, "the target"))

        async def run() -> list[Result]:
            async with open_runner(aimed, hub=self._hub, upstream=self._origin, target_tls=target_tls) as runner:
                return await runner.run(cases)

        return trio.from_thread.run(run, trio_token=self._token)


@contextmanager
def contract_in_thread(host: str = "127.0.0.1", port: int = 0) -> Iterator[ContractInThread]:
    """Listen as the upstream, in a thread, while the block runs.

    Args:
        host: the address to listen on.
        port: 0 for any that is free.

    Raises:
        ConfigError: the port cannot be had.
    """
    with in_thread(lambda: open_upstream(host, port), "streamkit-contract") as ((hub, origin), token):
        yield ContractInThread(hub, origin, token)
