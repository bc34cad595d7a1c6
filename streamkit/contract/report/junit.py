"""A run as JUnit's XML, which CI systems show: a test case for each case. Pure.

FAILED is a failure, HARNESS-ERROR an error; DEPENDENCY-FAILED and UNIMPLEMENTED are skipped. NON-STRICT passes with a
note, or fails where it counts (`strict`). A failure that was expected is skipped, with its reason. So a run is as red
here as its exit code says, except for what was not run: there the case that it needs is red already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from streamkit.contract.report.document import began_of
from streamkit.contract.report.secrets import Veil
from streamkit.contract.results import Report, Result
from streamkit.contract.verdicts import Verdict
from streamkit.http.redact import redacted_target

__all__ = ["as_junit"]

FAILURE: Final = "failure"
ERROR: Final = "error"
SKIPPED: Final = "skipped"


def as_junit(
    report: Report, *, strict: bool = False, known: Mapping[str, str] | None = None, untrue: Sequence[str] = ()
) -> str:
    """Return a report as XML.

    Args:
        report: of a run.
        strict: whether NON-STRICT is a failure.
        known: the failures that were expected, each with its reason.
        untrue: entries of the expected failures that are stale or unknown; each is a failure too.
    """
    known = known or {}
    elements = [_element(result, strict, known) for result in report.results]
    counts = {name: elements.count(name) for name in (FAILURE, ERROR, SKIPPED)}
    counts[FAILURE] += len(untrue)
    totals = (
        f'tests="{len(elements) + len(untrue)}" failures="{counts[FAILURE]}" errors="{counts[ERROR]}" '
        f'time="{report.duration_s:.3f}"'
    )
    began = began_of(report)
    stamp = f" timestamp={_attribute(began.removesuffix('Z'))}" if began else ""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="streamkit contract" {totals}>',
        (
            f"  <testsuite name={_attribute(f'streamkit contract {report.profile}')} {totals} "
            f'skipped="{counts[SKIPPED]}"{stamp}>'
        ),
        "    <properties>",
        *(
            f"      <property name={_attribute(name)} value={_attribute(value)}/>"
            for name, value in _properties(report)
        ),
        "    </properties>",
        *(line for each in zip(report.results, elements, strict=True) for line in _case(*each, known)),
        *(line for case_id in untrue for line in _untrue(case_id)),
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _element(result: Result, strict: bool, known: Mapping[str, str]) -> str:  # noqa: FBT001 - the caller's own
    """Return the name of what stands inside a test case; empty where it passes."""
    match result.verdict:
        case Verdict.UNIMPLEMENTED | Verdict.DEPENDENCY_FAILED:
            return SKIPPED
        case Verdict.FAILED:
            return SKIPPED if result.id in known else FAILURE
        case Verdict.HARNESS_ERROR:
            return SKIPPED if result.id in known else ERROR
        case Verdict.NON_STRICT if strict:
            return SKIPPED if result.id in known else FAILURE
    return ""


def _case(result: Result, element: str, known: Mapping[str, str]) -> list[str]:
    group = result.id.partition(".")[0]
    opening = (
        f"    <testcase classname={_attribute(f'streamkit.contract.{group}')} name={_attribute(result.id)} "
        f'time="{result.duration_s:.3f}"'
    )
    if result.verdict is Verdict.OK:
        return [f"{opening}/>"]
    detail = Veil(result.trace).text(result.detail)
    said = f"{result.verdict}: {detail}"
    if not element:
        return [f"{opening}>", f"      <system-out>{_content(said)}</system-out>", "    </testcase>"]
    if element == SKIPPED and result.id in known:
        reason = f" ({known[result.id]})" if known[result.id] else ""
        said = f"known failure{reason}: {said}"
    body = [f"ending: {result.ending}", f"level: {result.level}", f"rule: {result.rule}"]
    body += [f"bugs of this kind: {', '.join(result.bugs)}"] if result.bugs else []
    return [
        f"{opening}>",
        f"      <{element} message={_attribute(said)}"
        + (f" type={_attribute(str(result.verdict))}>" if element != SKIPPED else ">")
        + f"{_content(chr(10).join(body))}</{element}>",
        "    </testcase>",
    ]


def _untrue(case_id: str) -> list[str]:
    said = f"{case_id} is among the expected failures, and does not fail, or is no case"
    return [
        f"    <testcase classname={_attribute('streamkit.contract.expected-failures')} name={_attribute(case_id)}>",
        f"      <{FAILURE} message={_attribute(said)}/>",
        "    </testcase>",
    ]


def _properties(report: Report) -> list[tuple[str, str]]:
    return [
        ("target", redacted_target(report.target)),
        ("product", report.product),
        ("product_version", report.product_version),
        ("config_digest", report.config_digest),
        ("profile", report.profile),
        ("client_dialect", report.client_dialect),
        ("upstream_dialect", report.upstream_dialect),
        ("seed", str(report.seed)),
        ("limit_s", f"{report.limit_s:g}"),
        ("version", report.version),
    ]


def _legal(text: str) -> str:
    r"""Return text that XML 1.0 may hold: what it may not, not even as a reference, is written as \xNN or \uNNNN."""
    return "".join(
        char if _is_legal(char) else f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"
        for char in text
    )


def _is_legal(char: str) -> bool:
    if char in "\t\n" or " " <= char <= "~":
        return True
    return "\xa0" <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char >= "\U00010000"


def _attribute(text: str) -> str:
    return quoteattr(_legal(text), {"\n": "&#10;", "\t": "&#9;"})


def _content(text: str) -> str:
    return escape(_legal(text))
