"""What the traces of `end.*` say: is what came a prefix of what was sent, and did a whole answer end once?

Pure. How the exchange ended (`Exchanged.ending`) is judged apart, by the endings that each case allows.
"""

from __future__ import annotations

from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Ending, Finding

__all__ = ["judge_abort", "judge_abort_close", "judge_before_head", "judge_clean"]


def what_came(exchanged: Exchanged) -> str:
    """Say how the exchange looked to its client."""
    tries = len(exchanged.attempts)
    again = f"; the proxy asked {tries} times" if tries > 1 else ""
    came = f"{exchanged.units} of {exchanged.expected_units} units came"
    if exchanged.is_refusal and exchanged.head:
        return f"the client got {exchanged.head.line!r}{again}"
    if exchanged.has_error_event:
        return f"{came}, and then the stream said that it had failed{again}"
    match exchanged.client_end:
        case "complete":
            return f"{came}, and then the body ended as if it were whole{again}"
        case "closed":
            return f"{came}, and the body ended with its connection, which may mean anything{again}"
        case "hang" | "":
            return f"{came}, and then nothing more: the client waits for ever for a stream that has ended{again}"
        case "reset":
            return f"{came}, and then the connection was reset{again}"
        case _:
            return f"{came}, and then the client could see that the body was cut{again}"


def facts_of(exchanged: Exchanged, trace: Trace) -> dict[str, object]:
    """Return the figures that all abort cases have."""
    facts: dict[str, object] = {
        "attempts": len(exchanged.attempts),
        "status": exchanged.head.status if exchanged.head else 0,
        "units": exchanged.units,
        "client_end": exchanged.client_end,
    }
    return facts | {name: True for name in ("held_back",) if trace.facts.get(name)}


def appended(exchanged: Exchanged) -> str:
    """Say what the client got that was never sent; empty if there is nothing."""
    if exchanged.excess:
        return f"{len(exchanged.excess)} bytes came behind the end of the body: {bytes(exchanged.excess[:60])!r}"
    if exchanged.is_refusal:
        return ""  # a body of the proxy's own, and says so
    if exchanged.problem:
        return f"what came is not a prefix of what was sent: {exchanged.problem}"
    if exchanged.has_end_event and not exchanged.has_error_event:
        return "the proxy made up the end marker that says the answer is whole"
    return ""


def ways_of(trace: Trace) -> list[tuple[str, Exchanged]]:
    """Return the exchanges that were broken off, each with what was different about it."""
    ways = trace.facts.get("ways")
    if not isinstance(ways, dict):
        return [("", trace.exchange)]
    return [(name, trace.exchanges[number]) for number, name in ways.items()]


def judge_abort(trace: Trace) -> Finding:
    """Say whether what came is a prefix of what was sent, and nothing else. The ending is judged apart."""
    ways = ways_of(trace)
    for name, exchanged in ways:
        if wrong := appended(exchanged):
            where = f"{name}: " if name else ""
            detail = f"{where}{wrong} ({what_came(exchanged)})"
            return Finding(holds=False, detail=detail, facts=facts_of(exchanged, trace))
    last, exchanged = ways[-1]
    # It is the one that ended wrong, if one did.
    is_wrong = exchanged.ending not in {Ending.VISIBLE, Ending.RESET}
    where = f"{last}: " if last and is_wrong else ""
    said = exchanged if is_wrong else ways[0][1]
    also = [name for name, _ in ways[1:]]
    too = f"; so it was {', and '.join(also)}" if also and not is_wrong else ""
    return Finding(holds=True, detail=f"{where}{what_came(said)}{too}", facts=facts_of(said, trace))


def judge_before_head(trace: Trace) -> Finding:
    """Say as `judge_abort` does, and whether an error status blames the right side."""
    exchanged = trace.exchange
    finding = judge_abort(trace)
    if finding.holds and exchanged.is_refusal and exchanged.head and exchanged.head.status < 500:
        detail = f"{finding.detail}, which blames the client for an upstream that broke off"
        return Finding(holds=False, detail=detail, facts=finding.facts)
    return finding


def judge_abort_close(trace: Trace) -> Finding:
    """Record what a proxy makes of an end that it cannot know to be wrong."""
    exchanged = trace.exchange
    kept = {"complete": "re-framed", "closed": "kept", "hang": "hang"}.get(exchanged.client_end, "visible")
    if exchanged.ending is Ending.VISIBLE:
        kept = "visible"
    facts = facts_of(exchanged, trace) | {"framing": kept, "has_end_marker": exchanged.has_end_event}
    said = {
        "re-framed": "it re-frames the body, so that its end looks like that of a whole one",
        "kept": "it leaves the body to end with its connection",
        "hang": "it does not pass the end on",
    }.get(kept, "it makes the end visible")
    made_up = exchanged.has_end_event and not exchanged.has_error_event
    also = "; and it made up the end marker that says the answer is whole" if made_up else ""
    return Finding(None, f"{said}: {what_came(exchanged)}{also}", facts)


def judge_clean(trace: Trace) -> Finding:
    """Say whether the answer ended once, with nothing behind it, and left a connection that is of use if it is kept."""
    first = trace.exchange
    facts: dict[str, object] = {"client_end": first.client_end, "is_reused": len(trace.exchanges) > 1}
    for which, exchanged in zip(("answer", "second answer on the connection"), trace.exchanges, strict=False):
        if exchanged.excess:
            detail = f"behind the end of the {which} came {len(exchanged.excess)} more bytes: "
            return Finding(holds=False, detail=f"{detail}{bytes(exchanged.excess[:60])!r}", facts=facts)
        if exchanged is not first and (exchanged.head is None or not exchanged.pieces):
            how = "was closed or broken" if exchanged.client_end else "did not pass a second request on"
            detail = f"the connection, which was to be kept, {how} after the first answer: {exchanged.client_end}"
            return Finding(holds=False, detail=detail.removesuffix(": "), facts=facts)
        if exchanged.problem or exchanged.ending is not Ending.COMPLETE:
            why = exchanged.problem or f"{exchanged.units} of {exchanged.expected_units} units: {exchanged.ending}"
            return Finding(holds=False, detail=f"the {which} did not come whole: {why}", facts=facts)
    if len(trace.exchanges) > 1:
        return Finding(holds=True, detail="it ended once, and a second answer came on the same connection", facts=facts)
    return Finding(holds=True, detail="it ended once, with its connection, as announced", facts=facts)
