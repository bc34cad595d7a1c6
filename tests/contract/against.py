"""Run some cases against a small relay, or against the embedded gateway: for the tests of single groups."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import trio

from streamkit.contract.cases import CASES
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.results import Result
from streamkit.contract.setting import Setting, Sizes
from streamkit.http.origin import parse_origin
from tests.contract.mutants.relay import Relay

PATIENCE_S: Final = 60

SIZES: Final = Sizes(random_bytes=1 << 20, absorb_bytes=(12 << 20, 36 << 20), events=5000)

SETTING: Final = Setting(parse_origin("http://127.0.0.1:1"), limit_s=1.0, sizes=SIZES)


@asynccontextmanager
async def listening(serve: Callable[[trio.SocketStream], Awaitable[object]]) -> AsyncIterator[str]:
    """Serve connections while the block runs; gives the URL."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def found(*prefixes: str, relay: type[Relay] | None = None, setting: Setting = SETTING) -> dict[str, Result]:
    """Return the results of the cases whose ids begin so; without a relay, of the embedded gateway."""
    cases = [case for case in CASES if case.id.startswith(prefixes)]
    with trio.fail_after(PATIENCE_S):
        if relay is None:
            async with open_runner(setting) as runner:
                results = await runner.run(cases)
        else:
            async with open_upstream() as (hub, upstream), listening(relay(upstream.port).serve) as url:
                aimed = replace(setting, target=parse_origin(url))
                async with open_runner(aimed, hub=hub, upstream=upstream) as runner:
                    results = await runner.run(cases)
    return {result.id: result for result in results if result.id.startswith(prefixes)}


def verdicts(results: dict[str, Result]) -> dict[str, str]:
    """Return the verdicts alone."""
    return {case_id: str(result.verdict) for case_id, result in results.items()}
