"""How far the tool itself may be off in what a proxy adds: the errors of both sides, added up. Pure.

A difference of two figures that are each off by so much is off by the sum at most. Much of it cancels, as both sides
are measured by the same program in the same minutes; how much, nobody knows. What only the upstream's journal tells
goes from its clock to ours: there the error is what a calibration found on the way to the mock and back, with nothing
between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from streamkit.bench.compared import RECEIVING, SENDING
from streamkit.bench.results import Paired, Run, ToolError

__all__ = ["WAYS", "add_errors"]

WAYS: Final = {"request": SENDING, "token": RECEIVING}
"""The ways from one end to the other, and the part of a calibration that is the same way."""

SHARES: Final = {"request_delay_ms": "request", "first_token_delay_ms": "token", "token_delay_ms": "token"}
"""On which way each of `Paired.shares` is."""


def add_errors(paired: Sequence[Paired], runs: Sequence[Run], parts: Mapping[str, ToolError]) -> None:
    """Put the errors into what is known of proxies under one load.

    Args:
        paired: gets them.
        runs: of the same load, with their errors.
        parts: see `streamkit.bench.compared.Compared`.
    """
    by_server = {run.server: run.tool_error for run in runs}
    ways = {way: parts[part] for way, part in WAYS.items() if part in parts}
    for each in paired:
        direct, proxy = by_server.get(each.direct, {}), by_server.get(each.proxy, {})
        each.tool_error = {
            name: both(direct[name], proxy[name]) for name in each.differences if name in direct and name in proxy
        }
        each.tool_error |= {
            name: both(ways[way], ways[way]) for name, way in SHARES.items() if name in each.shares and way in ways
        }
        each.delay_error = ways if each.token_delay or each.request_delay else {}


def both(direct: ToolError, proxy: ToolError) -> ToolError:
    """Return the error of a difference of two figures."""
    p99 = None if direct.p99 is None or proxy.p99 is None else direct.p99 + proxy.p99
    bias, load = proxy.bias - direct.bias, min(direct.load, proxy.load)
    return ToolError(min(direct.n, proxy.n), direct.p50 + proxy.p50, p99, bias, load)
