"""A run, or several side by side, as one page: nothing is loaded from anywhere, and it works without a network. Pure.

A matrix of cases and proxies, then each case with its evidence. The page forbids itself every request and every script
but its own (Content-Security-Policy), so that whatever a proxy has sent can only be shown.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Final

from streamkit.contract.report.document import began_of
from streamkit.contract.report.expected import is_failing
from streamkit.contract.report.page_case import Caps, badge, case_html, group_of
from streamkit.contract.report.page_css import CSS
from streamkit.contract.report.page_js import JS
from streamkit.contract.report.secrets import Veil
from streamkit.contract.report.timeline import MARKERS
from streamkit.contract.results import Report, Result
from streamkit.contract.verdicts import Verdict
from streamkit.http.redact import redacted_target

__all__ = ["MAX_PAGE_BYTES", "as_html"]

MAX_PAGE_BYTES: Final = 3_000_000
"""What a page is kept below, where one proxy was tested: each case shows less of its logs, where there are many."""

BAD_CAPS: Final = Caps(entries=64, pieces=28, rows=70, excerpt_chars=240)
GOOD_CAPS: Final = Caps(entries=26, pieces=12, rows=34, excerpt_chars=120)

FIXED_BYTES: Final = 4500
ROW_BYTES: Final = 330
"""What a case takes besides, and a row of its drawing."""

LEAST_SHARE: Final = 0.35
"""Where less than this share could be shown of the logs, cases that hold show none, so that others show more."""

OPENED: Final = 4
"""How many of the failed cases are open at once; they are long."""


def as_html(reports: Sequence[Report], *, titles: Sequence[str] = ()) -> str:
    """Return the page.

    Args:
        reports: of one proxy, or of several that are compared.
        titles: what they are called at the head of their columns; by default after product and version, or target.

    Raises:
        ValueError: there is no report.
    """
    if not reports:
        raise ValueError("a page needs a report")
    names = list(titles) or [_title(report) for report in reports]
    title = f"Does it stream? {names[0]}" if len(names) == 1 else f"Do they stream? {len(names)} proxies compared"
    tested = [_report(report, number, names) for number, report in enumerate(reports)]
    style, script = _hash(CSS), _hash(JS)
    policy = f"default-src 'none'; img-src data:; style-src '{style}'; script-src '{script}'; base-uri 'none'"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{CSS}</style></head><body>',
        MARKERS,
        f"<header><h1>{escape(title)}</h1></header><main>",
        *(tested if len(reports) == 1 else []),
        "<h2>All cases</h2>",
        _filter(reports),
        _matrix(reports, names),
        *(["<h2>One by one</h2>", *tested] if len(reports) > 1 else []),
        "<h2>Case by case</h2>",
        _legend(),
        *_cases(reports, names),
        f"</main><footer>streamkit contract {escape(reports[0].version)}</footer><script>{JS}</script></body></html>\n",
    ]
    return "".join(parts)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _title(report: Report) -> str:
    return " ".join(filter(None, (report.product, report.product_version))) or redacted_target(report.target)


def _anchor(number: int, case_id: str) -> str:
    return f"{case_id}@{number + 1}" if number else case_id


def _report(report: Report, number: int, names: Sequence[str]) -> str:
    """Return what was tested, how it went, and what failed."""
    meta = [
        ("target", redacted_target(report.target)),
        ("product", " ".join(filter(None, (report.product, report.product_version)))),
        ("configuration", report.config_digest),
        ("profile", report.profile),
        ("client speaks", report.client_dialect),
        ("upstream speaks", report.upstream_dialect),
        ("harness", f"streamkit {report.version}"),
        ("seed", str(report.seed)),
        ("limit", f"{report.limit_s:g} s"),
        ("began", began_of(report) or ""),
        ("took", f"{report.duration_s:.1f} s"),
    ]
    rows = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in meta if value)
    counts = "".join(
        f"<li>{badge(Verdict(verdict))} {count}</li>" for verdict, count in report.summary.items() if count
    )
    heading = f"<h2>{escape(names[number])}</h2>" if len(names) > 1 else ""
    failed = [each for each in report.results if each.verdict in {Verdict.FAILED, Verdict.HARNESS_ERROR}]
    failed.sort(key=lambda each: each.verdict is not Verdict.FAILED)
    listed = "".join(_failure(each, number) for each in failed)
    return (
        f'<section class="report">{heading}<dl class="meta">{rows}</dl>{_outcome(report)}'
        f'<ul class="failures">{listed}</ul><ul class="counts">{counts}</ul></section>'
    )


def _outcome(report: Report) -> str:
    summary, count = report.summary, len(report.results)
    failed, errors = summary[Verdict.FAILED], summary[Verdict.HARNESS_ERROR] + summary[Verdict.DEPENDENCY_FAILED]
    undecided = f"; nothing can be said of {errors}" if errors else ""
    if failed:
        return f'<p class="outcome bad">✗ {failed} of {count} cases failed{undecided}</p>'
    if errors:
        return (
            f'<p class="outcome harness">? Nothing can be said of {errors} of {count} cases; the others do not fail</p>'
        )
    loose = summary[Verdict.NON_STRICT]
    rest = f"; {loose} of {count} could be better" if loose else f" of {count}"
    return f'<p class="outcome ok">✓ No case failed{rest}</p>'


def _short(report: Report) -> str:
    """Return how a column went, for its head."""
    failed = report.summary[Verdict.FAILED]
    undecided = report.summary[Verdict.HARNESS_ERROR] + report.summary[Verdict.DEPENDENCY_FAILED]
    if failed:
        return f'<span class="v v-failed">{failed} of {len(report.results)} failed</span>'
    if undecided:
        return f'<span class="v v-harness-error">{undecided} undecided</span>'
    return '<span class="v v-ok">none failed</span>'


def _failure(result: Result, number: int) -> str:
    css = "" if result.verdict is Verdict.FAILED else ' class="harness"'
    detail = Veil(result.trace).text(result.detail)
    return (
        f'<li{css}><a href="#{escape(_anchor(number, result.id))}"><code>{escape(result.id)}</code></a> '
        f"<span>{escape(detail)}</span></li>"
    )


def _filter(reports: Sequence[Report]) -> str:
    groups = dict.fromkeys(group_of(result.id) for report in reports for result in report.results)
    present = {result.verdict for report in reports for result in report.results}
    options = "".join(f"<option>{escape(group)}</option>" for group in groups)
    verdicts = "".join(f"<option>{verdict}</option>" for verdict in Verdict if verdict in present)
    return (
        '<form class="filter" hidden aria-label="Filter">'
        f'<label>group <select name="group"><option value="">all</option>{options}</select></label>'
        '<label>verdict <select name="verdict"><option value="">all</option>'
        f'<option value="bad">what does not hold</option>{verdicts}</select></label>'
        '<label>id contains <input name="text" type="search" autocomplete="off" spellcheck="false"></label>'
        '<button type="reset">Clear</button><button type="button" id="open-all">Open or close all</button>'
        '<output aria-live="polite"></output></form>'
    )


def _ids(reports: Sequence[Report]) -> list[str]:
    """Return the ids of all reports in the suite's order, as far as the reports tell it; a group stays together."""
    ids = dict.fromkeys(result.id for report in reports for result in report.results)
    groups = list(dict.fromkeys(map(group_of, ids)))
    return sorted(ids, key=lambda case_id: groups.index(group_of(case_id)))


def _matrix(reports: Sequence[Report], names: Sequence[str]) -> str:
    by_id = [{result.id: result for result in report.results} for report in reports]
    alone = len(reports) == 1
    heads = (
        '<th scope="col">verdict<th scope="col">finding'
        if alone
        else "".join(
            f'<th scope="col">{escape(name)}<br>{_short(report)}' for name, report in zip(names, reports, strict=True)
        )
    )
    rows = []
    group = ""
    for case_id in _ids(reports):
        if group_of(case_id) != group:
            group = group_of(case_id)
            rows.append(
                f'<tr class="group" data-heading="{escape(group)}"><th scope="rowgroup" '
                f'colspan="{3 if alone else 1 + len(reports)}">{escape(group)}'
            )
        found = [each.get(case_id) for each in by_id]
        verdicts = " ".join(dict.fromkeys(str(each.verdict) for each in found if each is not None))
        cells = "".join(_cell(each, number) for number, each in enumerate(found))
        if alone and found[0] is not None:
            cells += f'<td class="detail">{escape(Veil(found[0].trace).text(found[0].detail))}'
        rows.append(
            f'<tr data-case="{escape(case_id)}" data-group="{escape(group)}" data-verdict="{verdicts}">'
            f'<th scope="row"><code>{escape(case_id)}</code>{cells}'
        )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="All cases"><table class="matrix"><thead><tr>'
        f'<th scope="col">case{heads}</thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _cell(result: Result | None, number: int) -> str:
    return "<td>-" if result is None else f"<td>{badge(result.verdict, href='#' + _anchor(number, result.id))}"


def _legend() -> str:
    return (
        '<p class="note">In the drawings time goes down, and each line is one thing that happened; a silence is named, '
        "not drawn to scale. Green arrows arrived in time, red ones too late, ✗ never. A send is stamped when its call "
        "has returned, a read by the kernel, so a piece may have arrived some µs before it was sent.</p>"
    )


def _cases(reports: Sequence[Report], names: Sequence[str]) -> list[str]:
    by_id = [{result.id: result for result in report.results} for report in reports]
    bad_caps, good_caps = _caps(reports)
    parts, group, opened = [], "", 0
    for case_id in _ids(reports):
        if group_of(case_id) != group:
            group = group_of(case_id)
            parts.append(f'<h3 data-heading="{escape(group)}">{escape(group)}</h3>')
        for number, found in enumerate(by_id):
            result = found.get(case_id)
            if result is None:
                continue
            is_open = result.verdict is Verdict.FAILED and opened < OPENED
            opened += is_open
            parts.append(
                case_html(
                    result,
                    _anchor(number, case_id),
                    bad_caps if is_failing(result.verdict, strict=True) else good_caps,
                    title=names[number] if len(reports) > 1 else "",
                    is_open=is_open,
                )
            )
    return parts


def _caps(reports: Sequence[Report]) -> tuple[Caps, Caps]:
    """Return how much of its logs a case may show that does not hold, and one that does."""
    results = [result for report in reports for result in report.results]
    bad = [result for result in results if is_failing(result.verdict, strict=True)]
    room = MAX_PAGE_BYTES - FIXED_BYTES * len(results)
    need_bad = len(bad) * _cost(BAD_CAPS)
    need = need_bad + (len(results) - len(bad)) * _cost(GOOD_CAPS)
    share = min(1.0, max(0.0, room / max(need, 1)))
    if share >= LEAST_SHARE:
        return _scaled(BAD_CAPS, share), _scaled(GOOD_CAPS, share)
    return _scaled(BAD_CAPS, min(1.0, max(LEAST_SHARE / 2, room / max(need_bad, 1)))), Caps(0, 0, 0, 0)


def _cost(caps: Caps) -> int:
    return caps.entries * (130 + caps.excerpt_chars) + caps.rows * ROW_BYTES


def _scaled(caps: Caps, share: float) -> Caps:
    return Caps(
        max(8, int(caps.entries * share)),
        max(6, int(caps.pieces * share)),
        max(12, int(caps.rows * share)),
        max(60, int(caps.excerpt_chars * share)),
    )
