"""A run as JSON: the report with its evidence, the one that is published and has none, and several together. Pure.

`schema.json` beside this file is the JSON Schema of them all; it is made from the types here (`schema`), and a test
holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import msgspec

from streamkit.contract.report.evidence import Evidence, evidence_of, visible
from streamkit.contract.report.secrets import Veil
from streamkit.contract.results import Report, Result
from streamkit.contract.verdicts import Ending, Level, Profile, Verdict
from streamkit.http.redact import redacted_target

__all__ = [
    "MATRIX_SCHEMA_ID",
    "SCHEMA_ID",
    "CaseDocument",
    "Document",
    "MatrixDocument",
    "NamedDocument",
    "as_json",
    "as_json_matrix",
    "as_published",
    "began_of",
    "plain_facts",
    "schema",
]

SCHEMA_ID: Final = "streamkit.contract.report/1"
MATRIX_SCHEMA_ID: Final = "streamkit.contract.matrix/1"
"""The number changes when what is there already changes its meaning; what is added does not change it."""

ATTRIBUTE: Final = re.compile(r"^ {8}(\w+(?:, \w+)*): (.*(?:\n {12}.*)*)", re.MULTILINE)
"""One of the attributes, or several, in a docstring."""

FACT_DEPTH: Final = 4
MAX_FACT_ITEMS: Final = 200


class CaseDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found about one case.

    Attributes:
        id: `group.case` or `group.case.variant`.
        verdict: the worse of `behaviour` and `ending_verdict`.
        ending: how the exchange finished for its client.
        detail: one sentence: what was found, or why nothing was.
        level: how binding the rule is in this profile.
        rule: what has to be so, and why.
        bugs: real bugs of this kind, as owner/repo#number.
        facts: figures by name.
        evidence: both ends' logs on one clock; not in a published report.
    """

    id: str
    verdict: Verdict
    ending: Ending
    detail: str
    behaviour: Verdict
    ending_verdict: Verdict
    level: Level
    rule: str
    bugs: list[str]
    facts: dict[str, str | int | float | bool | list[Any] | dict[str, Any] | None]
    duration_s: float
    evidence: Evidence | msgspec.UnsetType = msgspec.UNSET


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run of the contract's cases against one target.

    Attributes:
        schema: what this document is.
        target: as a URL, without secrets.
        version: of the harness.
        product, product_version: what was tested; empty where that is not known.
        config_digest: of its configuration; empty where that is not known.
        began: when, in UTC; null where that is not known.
        limit_s: how long a piece was waited for.
        summary: how many cases there are of each verdict; all verdicts are there.
        cases: in the order of the suite.
    """

    schema: str
    target: str
    profile: Profile
    client_dialect: str
    upstream_dialect: str
    seed: int
    version: str
    product: str
    product_version: str
    config_digest: str
    began: str | None
    duration_s: float
    limit_s: float
    summary: dict[Verdict, int]
    cases: list[CaseDocument]


class NamedDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the proxies that were compared.

    Attributes:
        name: as it was asked for.
        report: what was found about it.
    """

    name: str
    report: Document


class MatrixDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Runs of the contract's cases against several targets.

    Attributes:
        schema: what this document is.
        proxies: in the order in which they were asked for.
    """

    schema: str
    proxies: list[NamedDocument]


def as_json(report: Report, *, max_entries: int = 200) -> str:
    """Return a report as JSON, with the evidence of each case, of which at most `max_entries` entries of its log."""
    return _text(_document(report, max_entries))


def as_json_matrix(names: Sequence[str], reports: Sequence[Report], *, max_entries: int = 40) -> str:
    """Return several reports as JSON, each with its name."""
    named = [NamedDocument(name, _document(report, max_entries)) for name, report in zip(names, reports, strict=True)]
    return _text(MatrixDocument(MATRIX_SCHEMA_ID, named))


def as_published(report: Report) -> str:
    """Return what is published of a report: the verdicts on this version of a product, configured so, and no logs."""
    return _text(_document(report, None))


def schema() -> dict[str, Any]:
    """Return the JSON Schema of all of them."""
    either, parts = msgspec.json.schema_components([Document, MatrixDocument], ref_template="#/$defs/{name}")
    for part in parts.values():
        _describe(part)
    summary = parts["Document"]["properties"]["summary"]
    summary |= {"propertyNames": {"enum": list(Verdict)}, "required": list(Verdict)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Made from streamkit/contract/report/document.py.",
        "anyOf": list(either),
        "$defs": parts,
    }


def _describe(part: dict[str, Any]) -> None:
    """Give each property of a schema what a docstring says of it."""
    sentence, heading, attributes = str(part.get("description", "")).partition("\n\n    Attributes:\n")
    if heading:
        part["description"] = sentence
    for found in ATTRIBUTE.finditer(attributes):
        for name in found[1].split(", "):
            part["properties"][name]["description"] = " ".join(found[2].split())


def _text(document: Document | MatrixDocument) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _document(report: Report, max_entries: int | None) -> Document:
    return Document(
        schema=SCHEMA_ID,
        target=redacted_target(report.target),
        profile=report.profile,
        client_dialect=report.client_dialect,
        upstream_dialect=report.upstream_dialect,
        seed=report.seed,
        version=report.version,
        product=report.product,
        product_version=report.product_version,
        config_digest=report.config_digest,
        began=began_of(report),
        duration_s=round(report.duration_s, 3),
        limit_s=report.limit_s,
        summary={Verdict(verdict): count for verdict, count in report.summary.items()},
        cases=[_case(result, max_entries) for result in report.results],
    )


def began_of(report: Report) -> str | None:
    """Return when a run began, as RFC 3339 has it; None where that is not known."""
    if not report.began_unix_s:
        return None
    return datetime.fromtimestamp(report.began_unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _case(result: Result, max_entries: int | None) -> CaseDocument:
    detail, facts = Veil(result.trace).result(result)
    return CaseDocument(
        id=result.id,
        verdict=result.verdict,
        ending=result.ending,
        detail=_whole(detail),
        behaviour=result.behaviour,
        ending_verdict=result.ending_verdict,
        level=result.level,
        rule=result.rule,
        bugs=list(result.bugs),
        facts=plain_facts(facts),
        duration_s=round(result.duration_s, 6),
        evidence=msgspec.UNSET if max_entries is None else evidence_of(result.trace, max_entries=max_entries),
    )


def plain_facts(facts: Mapping[str, object]) -> dict[str, Any]:
    """Return facts as what JSON has: bytes as text, numbers that are none as null, anything else as its words."""
    return {_whole(str(name)): _plain(value, FACT_DEPTH) for name, value in facts.items()}


def _plain(value: object, depth: int) -> object:
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if isfinite(value) else None
        case str():
            return _whole(value)
        case bytes() | bytearray():
            return visible(bytes(value))
        case Mapping() if depth:
            return {_whole(str(name)): _plain(each, depth - 1) for name, each in [*value.items()][:MAX_FACT_ITEMS]}
        case list() | tuple() | set() | frozenset() if depth:
            items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
            return [_plain(each, depth - 1) for each in [*items][:MAX_FACT_ITEMS]]
    return _whole(str(value))


def _whole(text: str) -> str:
    """Return text that can be encoded: half a surrogate pair cannot."""
    return text.encode("utf-8", "backslashreplace").decode()
