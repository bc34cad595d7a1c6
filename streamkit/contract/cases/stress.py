"""stress: what passes at rest passes many times in a row while all processors are busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.cases import flush
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand

__all__ = ["CASES"]

PROCESSES: Final = 2

BOUND_S: Final = 600.0
"""After this time nobody is kept busy any more, whatever happens."""

BUDGET_S: Final = 240.0
"""After this time no further run is begun: a proxy that holds each piece for 200 ms would take half an hour."""


async def holds(stand: Stand, case: Case) -> tuple[bool, str]:
    """Run a case with a trace of its own, and return whether it holds, and what it found."""
    stand.trace = Trace(given=stand.trace.given)
    await case.drive(stand)
    await stand.aclose()
    found = case.judge(stand.trace)
    ending = stand.trace.exchange.ending
    is_right = not case.endings or ending in case.endings
    return found.holds is not False and is_right, f"{found.detail} (its ending: {ending})"


async def drive(stand: Stand) -> None:
    """Run each flush case once at rest; then those that hold, again and again beside two busy processes."""
    runs = stand.setting.sizes.stress_runs
    level_of = ((case, case.level(stand.setting)) for case in flush.CASES)
    rows = [case for case, level in level_of if level not in {None, "info"} and not case.is_slow]
    steady = [case for case in rows if (await holds(stand, case))[0]]
    began_ns = stand.now_ns()
    facts: dict[str, object] = {"runs": 0, "cases": len(steady), "cases_left_out": len(rows) - len(steady)}
    async with stand.busy(PROCESSES, within_s=BOUND_S):
        for run in range(1, runs + 1):
            if stand.now_ns() - began_ns > BUDGET_S * 1e9:
                break
            for case in steady:
                is_good, detail = await holds(stand, case)
                if not is_good:
                    facts |= {"failed_case": case.id, "failed_run": run, "failed_detail": detail}
                    stand.trace.facts |= facts
                    return
            facts["runs"] = run
    facts["wanted_runs"] = runs
    stand.trace.facts |= facts


def judge(trace: Trace) -> Finding:
    """Say whether each of them held each time."""
    facts = {name: value for name, value in trace.facts.items() if name in FACTS}
    runs, cases = facts.get("runs"), facts.get("cases")
    if failed := facts.get("failed_case"):
        detail = f"{failed}, which holds at rest, failed in run {facts['failed_run']} with all processors busy"
        return Finding(holds=False, detail=f"{detail}: {facts['failed_detail']}", facts=facts)
    if not cases:
        return Finding(None, "no flush case holds at rest", facts)
    few = "" if runs == facts.get("wanted_runs") else f"; for more there was no time in {BUDGET_S:.0f} s"
    detail = f"{cases} flush cases held {runs} times, with all processors busy{few}"
    return Finding(holds=True, detail=detail, facts=facts)


FACTS: Final = {"runs", "wanted_runs", "cases", "cases_left_out", "failed_case", "failed_run", "failed_detail"}

CASES: Final[tuple[Case, ...]] = (
    Case(
        id="stress.20",
        levels=levels("should", "should"),
        rule="The flush cases that hold at rest hold 20 times in a row while both processors are busy.",
        drive=drive,
        judge=judge,
        endings=frozenset(),
        group="alone",
        is_slow=True,
        bound_s=BOUND_S,
    ),
)
