"""Run some cases against a small relay, or against the embedded gateway: for the tests of single groups."""

from __future__ import annotations

import socket
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
from streamkit.contract.verdicts import Verdict
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


def free_port() -> int:
    """A port that nobody has, for what has to be told of it before it can be taken."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


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


def was_not_there(result: Result) -> bool:
    """Tell whether a case held when it was run again alone, and had at first found nobody who took its question.

    Of a test with twenty targets at once in one process, or ten proxies on two processors, that is the machine's doing:
    no connection within the limit, or nginx's 502 where it has sent a POST over a connection that was just closing, and
    does not send it again. The report says it; it is no property of the case.
    """
    return result.verdict is Verdict.NON_STRICT and result.facts.get("first_verdict") == str(Verdict.HARNESS_ERROR)
