"""Servers take turns under one client.

All servers of a question run at the same time and do nothing while another has its turn. Each round starts with another
one, so that a slow moment of the machine hits all of them. Before the first round each has a turn that is not counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mock.figures import Run, check, run_of
from benchmarks.mock.servers import Server, on_processor

__all__ = ["Load", "take_turn", "take_turns"]

CLIENT = Path(__file__).parent / "client.py"
MARKER = '"delta":{"content":"'
"""Stands in each token's event; the event that opens the stream has the role before the content."""
BODY = json.dumps({"model": "mock", "stream": True, "messages": [{"role": "user", "content": "benchmark"}]})
REQUEST = (
    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\nConnection: close\r\n\r\n{BODY}"
)


@dataclass(frozen=True, slots=True)
class Load:
    """What the client asks for in one turn: so many streams, so many of them at once, so many tokens in each.

    Attributes:
        spread_s: over which time the first requests leave, evenly; 0 for all at once.
    """

    streams: int
    at_once: int
    tokens: int
    timeout_s: float = 60
    spread_s: float = 0


def take_turn(server: Server, load: Load) -> Run:
    """Put the load on the server, once.

    Raises:
        RuntimeError: a stream did not come, or came with another number of tokens.
    """
    job = {
        "host": server.address[0],
        "port": server.address[1],
        "request": REQUEST,
        "streams": load.streams,
        "at_once": load.at_once,
        "marker": MARKER,
        "spread_s": load.spread_s,
        "timeout_s": load.timeout_s,
    }
    before = server.cpu_ns()
    with on_processor(1):
        client = subprocess.run(
            [sys.executable, "-I", str(CLIENT)], input=json.dumps(job).encode(), stdout=subprocess.PIPE, check=True
        )
    after = server.cpu_ns()
    result = json.loads(client.stdout)
    if "error" in result:
        msg = f"{server.name}: {result['error']}"
        raise RuntimeError(msg)
    cpu_ns = None if before is None or after is None else after - before
    run = run_of(result, cpu_ns=cpu_ns, peak_bytes=server.peak_bytes())
    check(run, server.name, streams=load.streams, tokens=load.tokens)
    return run


def take_turns(
    servers: Mapping[str, Server],
    load: Load,
    rounds: int,
    *,
    warm_up: Load | None,
    after: Callable[[Server], object] = lambda _server: None,
) -> dict[str, list[Run]]:
    """Give every server a turn in each round; return the runs of each by name.

    Args:
        servers: all of them are running.
        load: of a turn.
        rounds: how many turns each gets.
        warm_up: the load of the turn before the first round; None where servers are warm already.
        after: is told the server after each turn, that to warm up included.
    """
    names = list(servers)
    taken: dict[str, list[Run]] = {name: [] for name in names}
    if warm_up is not None:
        for server in servers.values():
            take_turn(server, warm_up)
            after(server)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(take_turn(servers[name], load))
            after(servers[name])
    return taken
