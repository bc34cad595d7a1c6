"""How far the tool may be off in what a proxy adds."""

from __future__ import annotations

from streamkit.bench.pair_error import add_errors
from streamkit.bench.results import ToolError
from tests.bench.results_made import difference_of, run_of, whole_result

PARTS = {"sending": ToolError(90, 0.5, None, 0.5), "receiving": ToolError(900, 0.25, 1.0, 0.25)}


def test_the_errors_of_both_sides_add_up() -> None:
    direct, proxy = run_of([], error_ms=0.25), run_of([], error_ms=0.5, server="proxy")
    proxy.tool_error["e2e_ms"] = ToolError(7, 0.5, None, 0.5, load=0.25)
    (paired,) = whole_result().paired
    paired.shares = {name: difference_of(1.0) for name in ("request_delay_ms", "token_delay_ms")}
    add_errors([paired], [direct, proxy], PARTS)
    assert paired.tool_error == {
        "ttft_ms": ToolError(500, 0.75, 3.75, 0.25),
        "e2e_ms": ToolError(7, 0.75, None, 0.25, load=0.25),
        "request_delay_ms": ToolError(90, 1.0, None, 0.0),
        "token_delay_ms": ToolError(900, 0.5, 2.0, 0.0),
    }
    assert paired.delay_error == {"request": PARTS["sending"], "token": PARTS["receiving"]}, "one way each"


def test_what_one_side_does_not_know_nobody_knows() -> None:
    direct, proxy = run_of([]), run_of([], server="proxy", error_ms=None)
    (paired,) = whole_result().paired
    paired.token_delay, paired.request_delay, paired.shares = {}, {}, {}
    add_errors([paired], [direct, proxy], PARTS)
    assert (paired.tool_error, paired.delay_error) == ({}, {})
