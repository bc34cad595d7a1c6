"""How many requests of one token can one process ask a second?

64 streams at once, answers of one token in one write: everything that the tool does for a request, its figures
included, and nothing to wait for. Server and tool share the processors. The peer is httpx, which most tools are built
on, asking the same in as many tasks and reading the same bytes, without looking at what they mean.
"""

from __future__ import annotations

import json
import time
from typing import Final

import trio

from benchmarks.bench.truth import truth
from benchmarks.measure import Effort, Figure, Unavailable, ratio
from benchmarks.report import Row, Target
from streamkit.bench.measure import measure
from streamkit.bench.plan import Concurrency, Plan, Server

__all__ = ["NAME", "run"]

NAME: Final = "bench-rate"
STREAMS: Final = 64
REQUESTS: Final = 30_000
PEER_SHARE: Final = 10
RATE = Target(">=", 5000, "requests/s")


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    requests = effort.of(REQUESTS, at_least=1000)
    ours, theirs = [], []
    for _ in range(effort.rounds):
        with truth(0, 0, 1) as server:
            ours.append(asked(server.url, requests))
            theirs.append(asked_by_httpx(server.url, max(500, requests // PEER_SHARE)))
    return [
        Row(
            NAME,
            f"requests of one token, {STREAMS} at once, one process",
            Figure.of(ours, "requests/s"),
            Figure.of(theirs, "requests/s"),
            "httpx",
            ratio(ours, theirs),
            RATE,
        )
    ]


def asked(url: str, requests: int) -> float:
    """Return how many requests a second there were."""
    plan = Plan(
        servers=[Server("truth", url, "openai-chat", "truth")],
        load=Concurrency(STREAMS),
        prompts=["Why is the sky blue?"],
        requests=requests,
        max_tokens=1,
    )

    async def main() -> float:
        measured = await measure(plan)
        (ran,) = measured.ran
        ok = measured.tallies["truth"].outcomes["ok"]
        if ok != requests:
            raise Unavailable(f"{requests - ok} of {requests} requests failed")
        return requests * 1e9 / (ran.ended_ns - ran.began_ns)

    return trio.run(main)


def asked_by_httpx(url: str, requests: int) -> float:
    """Do the same with httpx.

    Raises:
        Unavailable: it is not installed.
    """
    try:
        import httpx
    except ImportError as error:
        raise Unavailable("httpx is not installed") from error
    body = json.dumps({"model": "truth", "stream": True, "messages": [{"role": "user", "content": "Why?"}]}).encode()

    async def main() -> float:
        numbers = iter(range(requests))
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=STREAMS)) as client:

            async def lane() -> None:
                for _ in numbers:
                    async with client.stream("POST", f"{url}/v1/chat/completions", content=body) as response:
                        async for _ in response.aiter_raw():
                            pass

            began_s = time.monotonic()
            async with trio.open_nursery() as nursery:
                for _ in range(STREAMS):
                    nursery.start_soon(lane)
            return requests / (time.monotonic() - began_s)

    return trio.run(main)
