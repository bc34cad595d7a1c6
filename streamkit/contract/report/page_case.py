"""One case on the page: what was expected, what was found, and both ends' logs, drawn and in a table. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from typing import Final

from streamkit.contract.report.document import plain_facts
from streamkit.contract.report.evidence import Evidence, ExchangeLog, HeadLog, LogEntry, evidence_of
from streamkit.contract.report.secrets import Veil
from streamkit.contract.report.timeline import LATE, time_text, timeline
from streamkit.contract.results import Result
from streamkit.contract.verdicts import Ending, Verdict

__all__ = ["Caps", "badge", "case_html", "group_of"]

BUG: Final = re.compile(r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)#([0-9]+)")

SHOWN: Final[dict[Verdict, str]] = {
    Verdict.OK: "✓ OK",
    Verdict.FAILED: "✗ FAILED",
    Verdict.NON_STRICT: "! NON-STRICT",
    Verdict.INFORMATIONAL: "i INFO",
    Verdict.UNIMPLEMENTED: "- UNIMPLEMENTED",
    Verdict.HARNESS_ERROR: "? HARNESS-ERROR",
    Verdict.DEPENDENCY_FAILED: "- DEPENDENCY-FAILED",
}

ENDINGS: Final[dict[Ending, str]] = {
    Ending.COMPLETE: "complete: whole, and it says so",
    Ending.VISIBLE: "incomplete, and anybody can see it",
    Ending.INVISIBLE: "incomplete, and it looks finished",
    Ending.HANG: "it hangs: it never finished",
    Ending.RESET: "the connection was reset",
    Ending.NONE: "nothing was to end",
}

HEAD_LINES: Final = 40
HEAD_LINE_CHARS: Final = 200
FACT_CHARS: Final = 500


@dataclass(frozen=True)
class Caps:
    """How much of one case's evidence is shown; nothing at all where `entries` is 0."""

    entries: int
    pieces: int
    rows: int
    excerpt_chars: int


def badge(verdict: Verdict, *, href: str = "") -> str:
    """Return a verdict as a coloured word, with a sign for those who do not see the colour."""
    css = f'class="v v-{verdict.lower()}"'
    return f'<a {css} href="{escape(href)}">{SHOWN[verdict]}</a>' if href else f"<span {css}>{SHOWN[verdict]}</span>"


def group_of(case_id: str) -> str:
    """Return the group that a case belongs to."""
    return case_id.partition(".")[0]


def case_html(result: Result, anchor: str, caps: Caps, *, title: str = "", is_open: bool = False) -> str:
    """Return a case.

    Args:
        result: what was found.
        anchor: its id on the page.
        caps: how much evidence is shown.
        title: what was tested, where there are several.
        is_open: whether it can be seen without opening it.
    """
    detail, facts = Veil(result.trace).result(result)
    name = escape(result.id)
    whose = f" · {escape(title)}" if title else ""
    expectation = [
        ("rule", f"{escape(result.rule)} <span class=level>({result.level})</span>"),
        ("real bugs", ", ".join(map(_bug, result.bugs))),
    ]
    judged = [
        ("behaviour", badge(result.behaviour)),
        ("ending", f"{badge(result.ending_verdict)} {ENDINGS[result.ending]}"),
        *((f"<code>{escape(name)}</code>", _fact(value)) for name, value in plain_facts(facts).items()),
        ("took", time_text(result.duration_s * 1e6)),
    ]
    parts = [
        (
            f'<details class="case" id="{escape(anchor)}" data-case="{name}" '
            f'data-group="{escape(group_of(result.id))}" data-verdict="{result.verdict}"{" open" if is_open else ""}>'
        ),
        f"<summary>{badge(result.verdict)} <code>{name}</code>{whose} ",
        f"<span class=said>{escape(detail)}</span></summary>",
        '<div class="body">',
        f'<p class="finding v-{result.verdict.lower()}">{escape(detail)}</p>',
        "<h4>Expected</h4>",
        _pairs(expectation),
        "<h4>Found</h4>",
        _pairs(judged),
    ]
    if caps.entries:
        evidence = evidence_of(
            result.trace, max_entries=caps.entries, max_pieces=caps.pieces, excerpt_chars=caps.excerpt_chars
        )
        parts += _evidence(evidence, caps, name)
    elif result.trace.events:
        parts.append(
            '<p class="note">The logs are left out to keep this page small: run this case alone to see them.</p>'
        )
    parts.append("</div></details>")
    return "".join(parts)


def _pairs(pairs: list[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in pairs if value)
    return f'<dl class="pairs">{rows}</dl>'


def _bug(bug: str) -> str:
    found = BUG.fullmatch(bug)
    if found is None:
        return escape(bug)
    href = f"https://github.com/{found[1]}/issues/{found[2]}"
    return f'<a href="{href}" rel="noreferrer noopener">{escape(bug)}</a>'


def _fact(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return escape(text if len(text) <= FACT_CHARS else f"{text[:FACT_CHARS]}…")


def _evidence(evidence: Evidence, caps: Caps, name: str) -> list[str]:
    if not evidence.entries and not evidence.exchanges:
        return []
    parts = ["<h4>Both ends on one clock</h4>", timeline(evidence, max_rows=caps.rows)]
    omitted = sum(each.omitted_pieces for each in evidence.exchanges)
    notes = [f"{omitted} pieces are left out of the drawing."] if omitted else []
    notes += [f"{evidence.omitted_exchanges} further exchanges are left out."] if evidence.omitted_exchanges else []
    if notes:
        parts.append(f'<p class="note">{" ".join(notes)}</p>')
    parts += _heads(evidence)
    ends = {(entry.side, entry.connection) for entry in evidence.entries if entry.connection}
    many = frozenset(side for side, number in ends if any(side == other and number != n for other, n in ends))
    parts += [
        "<h4>What was sent and read</h4>",
        (
            f'<div class="scroll" tabindex="0" role="region" aria-label="Log of {name}"><table class="log"><thead><tr>'
            "<th>time<th>end<th>what<th>bytes<th>the beginning of them</thead><tbody>"
        ),
        *(_row(entry, many) for entry in evidence.entries),
        "</tbody></table></div>",
    ]
    if evidence.omitted_entries:
        parts.append(f'<p class="note">{evidence.omitted_entries} entries of the log are left out.</p>')
    return parts


def _row(entry: LogEntry, many: frozenset[str]) -> str:
    """Return a row of the log; connections are numbered where an end has many."""
    gap = f'<tr class="skipped"><td colspan="5">… {entry.skipped} entries …' if entry.skipped else ""
    number = f" #{entry.connection}" if entry.side in many and entry.connection else ""
    if entry.what == "mark":
        css = ' class="mark limit"' if LATE.search(entry.note) else ' class="mark"'
        side = entry.side if entry.connection else ""
        said = escape(entry.note, quote=False)
        return f"{gap}<tr{css}><td>{_exact(entry.at_us)}<td>{side}{number}<td>mark<td><td class=bytes>{said}"
    note = "" if entry.data.startswith(entry.note) else entry.note
    said = " ".join(filter(None, (escape(note, quote=False), escape(entry.data, quote=False))))
    more = "…" if entry.data and entry.size_bytes > len(entry.data) else ""
    return (
        f"{gap}<tr><td>{_exact(entry.at_us)}<td>{entry.side}{number}<td>{entry.what}<td>{entry.size_bytes or ''}"
        f'<td class="bytes">{said}{more}'
    )


def _exact(at_us: float) -> str:
    return f"{at_us / 1000:.3f} ms"


def _heads(evidence: Evidence) -> list[str]:
    """Return the heads of the first exchange at both ends, and how it ended there."""
    if not evidence.exchanges:
        return []
    exchange = evidence.exchanges[0]
    heads = [
        ("request, as the upstream got it", exchange.attempts[0] if exchange.attempts else None, []),
        ("answer, as the upstream sent it", exchange.sent_head, []),
        *((f"interim answer {number}, at the client", head, []) for number, head in enumerate(exchange.interim[:3], 1)),
        ("answer, as the client got it", exchange.head, exchange.trailers),
    ]
    shown = [
        f"<div><h4>{name}</h4><pre>{_head(head, end)}</pre></div>" for name, head, end in heads if head is not None
    ]
    rows = _pairs([(name, escape(value)) for name, value in _endings(exchange)])
    return [rows, f'<div class="heads">{"".join(shown)}</div>' if shown else ""]


def _head(head: HeadLog, trailers: list[tuple[str, str]]) -> str:
    lines = [head.line, *(f"{name}: {value}" for name, value in head.headers)]
    lines += ["", *(f"{name}: {value}  (trailer)" for name, value in trailers)] if trailers else []
    more = ["…"] if len(lines) > HEAD_LINES else []
    short = [line if len(line) <= HEAD_LINE_CHARS else f"{line[:HEAD_LINE_CHARS]}…" for line in lines[:HEAD_LINES]]
    return escape("\n".join(short + more), quote=False)


def _endings(exchange: ExchangeLog) -> list[tuple[str, str]]:
    tries = len(exchange.attempts)
    left = exchange.left_us
    return [
        ("upstream's end", exchange.upstream_end),
        ("client's end", exchange.client_end),
        ("right content", f"{exchange.units} of {exchange.expected_units} units" if exchange.expected_units else ""),
        ("wrong with it", exchange.problem),
        ("behind the end", exchange.excess),
        ("attempts", str(tries) if tries > 1 else ""),
        ("upstream saw its client leave", f"{exchange.left_how} at {time_text(left)}" if left is not None else ""),
    ]
