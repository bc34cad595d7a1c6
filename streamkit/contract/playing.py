"""A script as a case: the upstream does what stands in it, and the client has to see what it would see without a proxy.

A gate in it, whatever its name, holds the script until the client has all that was written before. So a script that a
run has printed repeats what was found, and people can write their own. What is late at a gate, and comes while nothing
more is sent, is delayed and not held: that is no failure, whatever the limit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mockserver.script import Close, Gate, Reset, Script, Stall, Until, Write
from streamkit.contract.case import Case, levels
from streamkit.contract.expectation import Expectation, expectation_of
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.setting import Setting
    from streamkit.contract.stand import Stand

__all__ = ["script_case"]

HELD_BACK = "held back"

NOT_OURS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "trailer", "date", "server"})
"""Headers that a proxy sets itself."""


def script_case(script: Script, setting: Setting, case_id: str = "script") -> Case:
    """Return a case that plays a script, and holds what the client gets against it."""
    dialect = None if setting.by_bytes else setting.upstream_dialect
    expected = expectation_of(script.actions, keep_alive=script.keep_alive, dialect=dialect)
    return Case(
        id=case_id,
        levels=levels("must", "must"),
        rule="What the script writes is with the client at each of its gates, and ends as the script ends.",
        drive=partial(play, expected),
        judge=partial(judge, expected, is_exact=setting.by_bytes),
        endings=frozenset(),
    )


async def play(expected: Expectation, stand: Stand) -> None:
    """Do what stands in the script; where a gate is not reached in time, do the rest without gates."""
    client, up = await stand.ask()
    await up.read_body(stand.limit_s)
    up.exchanged.sent_head = expected.head
    began_ns = stand.now_ns()
    is_held = False
    for number, step in enumerate(expected.steps, 1):
        match step.action:
            case Write():
                piece = up.expect(step.part)
                # The client reads meanwhile, so that neither end waits for the other.
                await stand.while_reading(client, partial(up.write, step.action.data, units=piece.units))
                piece.sent_ns = stand.now_ns()
            case Gate() if not is_held and not await client.until(up.exchanged.expected_units, stand.limit_s):
                if not client.exchanged.client_end and not client.exchanged.problem:
                    _note_missing(stand, client.exchanged, number)
                    is_held = not await client.until(up.exchanged.expected_units, stand.limit_s)
                    _note_late(stand, is_held=is_held)
            case Stall(for_ns=int(for_ns)):
                await stand.sleep(for_ns / 1e9)
            case Until(at_ns=at_ns):
                await stand.sleep(max(0, began_ns + at_ns - stand.now_ns()) / 1e9)
            case Reset():
                up.end("reset")
            case Close():
                up.end("closed")
    if expected.is_whole:
        up.exchange.keep_alive = up.exchange.keep_alive and expected.end == "complete"
    up.end("clean" if expected.is_whole else "closed")
    await client.rest(stand.limit_s)


def _note_missing(stand: Stand, exchanged: Exchanged, number: int) -> None:
    stand.mark("limit")
    stand.trace.facts["gate"] = number
    stand.trace.facts["held_units"] = exchanged.expected_units - exchanged.units
    stand.trace.facts["expected_units"] = exchanged.expected_units


def _note_late(stand: Stand, *, is_held: bool) -> None:
    stand.trace.facts["is_held"] = is_held


def judge(expected: Expectation, trace: Trace, *, is_exact: bool = True) -> Finding:
    """Hold what the client got against the script; its headers too, where these may not be written anew."""
    exchanged = trace.exchange
    facts: dict[str, object] = {"expected_end": expected.end, "client_end": exchanged.client_end}
    wrongs = {
        "head": _wrong_head(expected, exchanged, is_exact=is_exact),
        "body": _wrong_body(exchanged),
        "gate": _held(trace) if trace.facts.get("is_held") else "",
        "end": _wrong_end(expected, exchanged),
        "late": _held(trace),
    }
    for what, wrong in wrongs.items():
        if wrong:
            facts |= {**trace.facts, "wrong": what}
            return Finding(holds=False, detail=wrong, facts=facts, is_late=what == "late")
    if exchanged.is_refusal:
        return Finding(holds=True, detail=f"{_refused(exchanged)}, as the script breaks off", facts=facts)
    return Finding(holds=True, detail=f"all {exchanged.expected_units} units came as they were written", facts=facts)


def _refused(exchanged: Exchanged) -> str:
    return f"the client was refused with {exchanged.head.status if exchanged.head else 0}"


def _wrong_head(expected: Expectation, exchanged: Exchanged, *, is_exact: bool) -> str:
    sent, got = expected.head, exchanged.head
    if exchanged.is_refusal and expected.is_whole and (is_exact or expected.says_whole):
        return f"{_refused(exchanged)}, and what the upstream sent is a whole answer"
    if sent is None or got is None or exchanged.is_refusal:
        return ""
    if got.status != sent.status:
        return f"the status is {got.status}, and {sent.status} was sent"
    for name in {name for name, _ in sent.headers if is_exact and name.lower() not in NOT_OURS}:
        if got.all(name) != sent.all(name):
            return f"the header {name} is {got.all(name)}, and {sent.all(name)} was sent"
    return ""


def _wrong_body(exchanged: Exchanged) -> str:
    if exchanged.is_refusal:
        return ""
    if exchanged.problem:
        return exchanged.problem
    if exchanged.excess:
        return f"{len(exchanged.excess)} bytes came behind the end of the answer"
    return ""


def _held(trace: Trace) -> str:
    limit_ns = trace.marked_ns("limit")
    if not limit_ns:
        return ""
    units = trace.facts["expected_units"]
    late = next((each for each in trace.exchange.pieces if each.came_ns > limit_ns and each.units == units), None)
    came = "never" if late is None else f"{max(0, late.came_ns - late.sent_ns) / 1e6:.0f} ms after they were sent"
    held = f"{trace.facts['held_units']} of {units} units were {HELD_BACK}"
    return f"action {trace.facts['gate']}, a gate: {held}; they came {came}"


def _wrong_end(expected: Expectation, exchanged: Exchanged) -> str:
    end = exchanged.client_end
    missing = exchanged.expected_units - exchanged.units
    if end == "hang":
        return f"the answer never ends, with {missing} units missing"
    if expected.is_whole:
        if end not in {"complete", "closed"}:
            return f"the answer is whole, and the client sees it {end}, with {missing} units missing"
        return f"{missing} units never came, and the answer looks whole" if missing else ""
    is_told = exchanged.has_error_event or exchanged.is_refusal or expected.says_whole
    if end in {"complete", "closed"} and not is_told:
        return f"the answer breaks off ({expected.end}), and looks whole to the client"
    return ""
