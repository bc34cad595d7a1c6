"""From a case and its trace to its result, and from results to a report. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streamkit import __version__
from streamkit.contract.case import Case
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Ending, Level, Profile, Verdict, verdict_of, worst

__all__ = ["Product", "Report", "Result", "harness_error", "not_run", "report_on", "result_of", "unmet"]


@dataclass(frozen=True)
class Result:
    """What was found about one case.

    Attributes:
        verdict: the worse of `behaviour` and `ending_verdict`.
        ending: how the exchange finished for its client.
        detail: one sentence: what was found, or why nothing was.
        facts: figures by name.
        duration_s: how long it took.
        trace: both ends' wire logs; empty where nothing was run.
    """

    id: str
    level: Level
    rule: str
    verdict: Verdict
    behaviour: Verdict
    ending: Ending
    ending_verdict: Verdict
    detail: str
    bugs: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    duration_s: float = 0.0
    trace: Trace = field(default_factory=Trace)


def result_of(case: Case, level: Level, trace: Trace, duration_s: float) -> Result:
    """Judge a trace."""
    finding = case.judge(trace)
    binding: Level = "should" if finding.is_late and level == "must" else level
    behaviour = verdict_of(finding.holds, binding, is_implemented=finding.is_implemented)
    ending = trace.exchange.ending
    # Where nothing ended there is nothing to judge, and what is not implemented has no ending that it could get wrong.
    is_right = not case.endings or ending in case.endings or ending is Ending.NONE or not finding.is_implemented
    ending_verdict = Verdict.OK if is_right else verdict_of(holds=False, level=level)
    detail = finding.detail
    if not is_right:
        detail = _with_ending(detail, case, trace, is_wrong=finding.holds is False)
    return Result(
        id=case.id,
        level=level,
        rule=case.rule,
        verdict=worst(behaviour, ending_verdict),
        behaviour=behaviour,
        ending=ending,
        ending_verdict=ending_verdict,
        detail=detail,
        bugs=case.bugs,
        facts=finding.facts,
        duration_s=duration_s,
        trace=trace,
    )


def _with_ending(detail: str, case: Case, trace: Trace, *, is_wrong: bool) -> str:
    """Return what is said of a case whose ending is wrong. Where only that is, and content is missing, it comes first.

    A case that wants an incomplete answer speaks of its ending itself.
    """
    exchanged = trace.exchange
    ending = f"ending is {exchanged.ending}, not {' or '.join(sorted(case.endings))}"
    why = exchanged.problem
    if not why and exchanged.units < exchanged.expected_units:
        why = f"{exchanged.units} of {exchanged.expected_units} bytes of its content came"
    if is_wrong or not why or Ending.COMPLETE not in case.endings:
        return f"{detail}; and its {ending}"
    return f"the answer's {ending}: {why}; apart from that, {detail}"


def harness_error(case: Case, level: Level, detail: str, trace: Trace | None = None, duration_s: float = 0.0) -> Result:
    """Return the result of a case about which nothing can be said, for a reason that is not the proxy's behaviour."""
    return _unsaid(case, level, Verdict.HARNESS_ERROR, detail, trace or Trace(), duration_s)


def unmet(case: Case, level: Level, needed: str, verdict: Verdict) -> Result:
    """Return the result of a case that was not run, because what it builds on does not hold."""
    return not_run(case, level, f"it says nothing while {needed} is {verdict}; see there")


def not_run(case: Case, level: Level, why: str) -> Result:
    """Return the result of a case that was not run, because of what came before it."""
    return _unsaid(case, level, Verdict.DEPENDENCY_FAILED, f"not run: {why}", Trace(), 0.0)


def _unsaid(  # noqa: PLR0917 - as they are
    case: Case, level: Level, verdict: Verdict, detail: str, trace: Trace, duration_s: float
) -> Result:
    ending = trace.exchange.ending
    return Result(
        case.id, level, case.rule, verdict, verdict, ending, verdict, detail, case.bugs, {}, duration_s, trace
    )


@dataclass(frozen=True)
class Report:
    """All that a run found.

    Attributes:
        target: what was tested, as a URL; without secrets.
        product, product_version, config_digest: of the proxy, where they are known; empty otherwise.
        version: of the harness.
        began_unix_s: when the run began.
        duration_s: how long it took.
    """

    target: str
    profile: Profile
    client_dialect: str
    upstream_dialect: str
    seed: int
    version: str
    results: Sequence[Result]
    limit_s: float = 5.0
    product: str = ""
    product_version: str = ""
    config_digest: str = ""
    began_unix_s: float = 0.0
    duration_s: float = 0.0

    @property
    def summary(self) -> dict[str, int]:
        """How many results there are of each verdict, in the verdicts' order; all verdicts are there."""
        counts = Counter(result.verdict for result in self.results)
        return {str(verdict): counts[verdict] for verdict in Verdict}

    @property
    def failed(self) -> list[Result]:
        """The results that make a run fail."""
        return [each for each in self.results if each.verdict is Verdict.FAILED]


@dataclass(frozen=True)
class Product:
    """What was tested, as far as it is known.

    Attributes:
        config_digest: of its configuration, in hexadecimal.
    """

    name: str = ""
    version: str = ""
    config_digest: str = ""


def report_on(
    setting: Setting, results: Iterable[Result], product: Product, *, began_unix_s: float, duration_s: float
) -> Report:
    """Return the report on a run: what was found, and of what, and as what it was tested."""
    return Report(
        target=setting.target.url,
        profile=setting.profile,
        client_dialect=setting.client_dialect,
        upstream_dialect=setting.upstream_dialect,
        seed=setting.seed,
        version=__version__,
        results=tuple(results),
        limit_s=setting.limit_s,
        product=product.name,
        product_version=product.version,
        config_digest=product.config_digest,
        began_unix_s=began_unix_s,
        duration_s=duration_s,
    )
