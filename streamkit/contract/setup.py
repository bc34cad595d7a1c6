"""Before any case: does the target listen, pass requests on to us, and answer with what we said, now?

Each of these that does not hold says what to do about it. None of it is a verdict on the proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import COMPLETE, Case, levels
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand

__all__ = ["FORWARD", "explain"]


async def drive_forward(stand: Stand) -> None:
    """Ask once, and get the answer whole."""
    client, up = await stand.ask()
    parts = stand.talk.parts(3)
    await up.read_body(stand.limit_s)
    await up.respond(media_type=stand.talk.media_type)
    await stand.flow(client, up, parts)


def judge_forward(trace: Trace) -> Finding:
    """Say whether the answer came."""
    exchanged = trace.exchange
    if exchanged.problem or exchanged.units < exchanged.expected_units:
        why = exchanged.problem or f"{exchanged.units} of {exchanged.expected_units} units came"
        return Finding(holds=False, detail=f"an ordinary answer does not get through: {why}")
    return Finding(holds=True, detail="a request arrives at the upstream, and its answer at the client")


FORWARD: Final = Case(
    id="setup.forward",
    levels=levels("must", "must"),
    rule="The target passes an ordinary request on to the upstream, and its answer back.",
    drive=drive_forward,
    judge=judge_forward,
    endings=COMPLETE,
)


def explain(exchanged: Exchanged, upstream: str) -> str:
    """Say what it means that the upstream never got a request, by what the client got instead, and what to do."""
    head = exchanged.head
    if head is None:
        how = {"cut": "closed the connection", "reset": "reset the connection"}.get(exchanged.client_end, "was silent")
        return f"the request did not arrive at {upstream}: the target {how} without an answer; look at its log"
    status = head.status
    if status in {401, 403, 407}:
        return f"the target wants credentials (it answered {status}): give them with --header 'Authorization: ...'"
    if status in {500, 502, 503, 504}:
        return (
            f"the target answered {status} and did not ask {upstream}: either it cannot reach it (is it configured to "
            f"forward there?), or a circuit breaker is open"
        )
    if status in {404, 405, 400, 422}:
        return f"the target answered {status} by itself: is --path (or --client-dialect, --model) one that it knows?"
    return f"the target answered {status} without asking {upstream}: does it forward somewhere else, or from a cache?"
