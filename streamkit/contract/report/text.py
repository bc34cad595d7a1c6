"""A run as plain lines: one for each case, in a form that does not change, and a summary. Pure."""

from __future__ import annotations

from typing import Final

from streamkit.contract.report.evidence import one_line
from streamkit.contract.report.secrets import Veil
from streamkit.contract.results import Report, Result
from streamkit.contract.verdicts import Verdict
from streamkit.http.redact import redacted_target

__all__ = ["counts_of", "name_of", "not_run_line", "plain_line", "summary_lines"]

REPEATED: Final = (Verdict.FAILED, Verdict.HARNESS_ERROR)
"""What stands in the summary once more; the lines of cases may be far above it."""

MAX_LINE_CHARS: Final = 2000


def plain_line(result: Result) -> str:
    """Return `VERDICT  id  detail`: two spaces between them, no line end, nothing that a terminal would obey."""
    detail = " ".join(Veil(result.trace).text(result.detail).split())
    return f"{result.verdict}  {one_line(result.id, MAX_LINE_CHARS)}  {one_line(detail, MAX_LINE_CHARS)}"


def not_run_line(count: int, why: str) -> str:
    """Return the line for so many cases that were not run for the same reason."""
    return f"{Verdict.DEPENDENCY_FAILED}  {count} cases  {one_line(' '.join(why.split()), MAX_LINE_CHARS)}"


def summary_lines(report: Report) -> list[str]:
    """Return what was tested and how many cases there are of each verdict; then again those that failed."""
    again = [plain_line(result) for verdict in REPEATED for result in report.results if result.verdict is verdict]
    return [
        (
            f"{len(report.results)} cases against {name_of(report)}, profile {report.profile}, "
            f"seed {report.seed}, in {report.duration_s:.1f} s"
        ),
        counts_of(report.summary),
        *(["", *again] if again else []),
    ]


def counts_of(summary: dict[str, int]) -> str:
    """Return the counts that are not nought, in the verdicts' order."""
    return ", ".join(f"{count} {verdict}" for verdict, count in summary.items() if count) or "no cases"


def name_of(report: Report) -> str:
    """Return what was tested: product, version and place, as far as they are known."""
    product, target = " ".join(filter(None, (report.product, report.product_version))), redacted_target(report.target)
    return one_line(f"{product} ({target})" if product else target, MAX_LINE_CHARS)
