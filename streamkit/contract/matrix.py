"""Several proxies beside each other: a row for each case, a column for each proxy, and what differs.

`Matrix` is a value and pure; `run_matrix` starts installed proxies one after the other and runs the suite on each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from streamkit.contract.case import Case
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.proxies import Proxy, Running, Variant, running
from streamkit.contract.proxies.running import program_of
from streamkit.contract.results import Product, Report, Result, harness_error, report_on, unmet
from streamkit.contract.runner import BESIDE
from streamkit.contract.setting import Setting
from streamkit.contract.setup import SETUP
from streamkit.contract.verdicts import Profile, Verdict
from streamkit.errors import ConnectError
from streamkit.http.origin import parse_origin

__all__ = ["Matrix", "Row", "run_matrix"]


@dataclass(frozen=True)
class Row:
    """A case in all columns.

    Attributes:
        results: what was found in each; None where the case is not for what this one claims to be.
    """

    id: str
    rule: str
    results: tuple[Result | None, ...]

    @property
    def verdicts(self) -> tuple[Verdict | None, ...]:
        """The verdict of each column."""
        return tuple(None if result is None else result.verdict for result in self.results)

    @property
    def differs(self) -> bool:
        """Whether two columns in which it was run have different verdicts."""
        return len({verdict for verdict in self.verdicts if verdict is not None}) > 1


@dataclass(frozen=True)
class Matrix:
    """What was found about several proxies.

    Attributes:
        names: of the columns, as `--with` has them.
        reports: theirs.
    """

    names: tuple[str, ...]
    reports: tuple[Report, ...]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for each case of any column, in the order of the suite."""
        columns = [{result.id: result for result in report.results} for report in self.reports]
        found = {case_id: column[case_id].rule for column in columns for case_id in column}
        rows = (Row(each, rule, tuple(column.get(each) for column in columns)) for each, rule in found.items())
        place = {case_id: number for number, case_id in enumerate(self._order())}
        return tuple(sorted(rows, key=lambda row: place[row.id]))

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows that tell the proxies apart."""
        return tuple(row for row in self.rows if row.differs)

    @property
    def summary(self) -> dict[str, dict[str, int]]:
        """How many results there are of each verdict, for each column by name."""
        return {name: report.summary for name, report in zip(self.names, self.reports, strict=True)}

    def _order(self) -> list[str]:
        """Return all ids so that each column's own order is kept: what only a later one has stands where it has it."""
        order: list[str] = []
        for report in self.reports:
            at = 0
            for result in report.results:
                if result.id in order:
                    at = order.index(result.id) + 1
                else:
                    order.insert(at, result.id)
                    at += 1
        return order


async def run_matrix(
    chosen: Sequence[tuple[Proxy, Variant]],
    cases: Sequence[Case],
    setting: Setting,
    *,
    profile: Profile | None = None,
    bound_s: float = 300.0,
    on_start: Callable[[Running], None] = lambda _: None,
    on_result: Callable[[Result], None] = lambda _: None,
    on_report: Callable[[str, Report], None] = lambda *_: None,
) -> Matrix:
    """Start each of these proxies in turn, and run the suite on it. One that does not start has a column that says so.

    Args:
        chosen: of `parse_with`.
        cases: which ones.
        setting: what is asked and how; target, model and headers are each proxy's own, where it needs some.
        profile: what all of them are judged as; by default what each of them is.
        bound_s: how long the suite may take on each.
        on_start: is told of each proxy when it runs.
        on_result: is told each result as it comes.
        on_report: is told each proxy's name and report once it has been tested.

    Raises:
        ConfigError: one is not installed; none was started then.
    """
    for proxy, _ in chosen:
        program_of(proxy)
    names: list[str] = []
    reports: list[Report] = []
    for proxy, variant in chosen:
        own = replace(
            setting,
            profile=profile or variant.profile,
            model=proxy.model or setting.model,
            headers=(*proxy.headers, *setting.headers),
        )
        began_unix_s, began_s = time.time(), time.monotonic()
        run: Running | None = None
        async with open_upstream() as (hub, upstream):
            try:
                with running(proxy, variant, upstream) as run:
                    on_start(run)
                    own = replace(own, target=parse_origin(run.url))
                    async with open_runner(own, hub=hub, upstream=upstream, beside=run.beside or BESIDE) as runner:
                        runner.bound_s = bound_s
                        runner.on_result = on_result
                        results = await runner.run(cases)
            except ConnectError as error:
                if run is not None:
                    raise
                results = not_started(cases, own, str(error))
        names.append(run.name if run else f"{proxy.name}:{variant.name}")
        product = run.product if run else Product()
        duration_s = time.monotonic() - began_s
        reports.append(report_on(own, results, product, began_unix_s=began_unix_s, duration_s=duration_s))
        on_report(names[-1], reports[-1])
    return Matrix(tuple(names), tuple(reports))


def not_started(cases: Sequence[Case], setting: Setting, why: str) -> list[Result]:
    """Return the results of a proxy that does not start: nothing can be said of it."""
    first, *others = SETUP
    chosen = [(case, level) for case in cases if (level := case.level(setting)) is not None]
    return [
        harness_error(first, "must", why),
        *(unmet(case, "must", first.id, Verdict.HARNESS_ERROR) for case in others),
        *(unmet(case, level, first.id, Verdict.HARNESS_ERROR) for case, level in chosen),
    ]
