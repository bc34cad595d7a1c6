"""The page about the mock server says what the code says: its tables are made from it.

`python -m tests.mockserver.test_docs` writes them anew. That the page's code runs is `tests/test_readme.py`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

import pytest

from mockserver import admin
from mockserver.config.grammar import describe as settings
from mockserver.config.keys import GROUPS
from mockserver.faults.listing import describe as faults
from mockserver.faults.spec import PlaceKind
from mockserver.journal import MAX_ENTRIES, MAX_TOTAL_BYTES, MAX_WRITES, Entry
from mockserver.pacing import GAPS
from streamkit.codecs.policies import POLICIES
from streamkit.vendors import ENDPOINTS
from streamkit.vendors.listing import describe as endpoints
from tests.pages import ROOT, blocks_of

PAGE = ROOT / "mockserver/README.md"

TEXT = PAGE.read_text(encoding="utf-8")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def table_of_endpoints() -> str:
    rows = []
    for row in endpoints():
        others = f" Also at {', '.join(map(code, row.other_paths))}." if row.other_paths else ""
        rows.append((code(f"{row.method} {row.path}"), row.dialect, row.summary + others))
    return table(("endpoint", "dialect", "what it is"), rows)


def table_of_settings() -> str:
    parts = []
    for heading in GROUPS:
        rows = [
            (
                code(row.key),
                code(row.takes),
                code(row.default),
                row.summary + ("" if row.places == "everywhere" else f" Only {row.places}."),
            )
            for row in settings()
            if row.group == heading
        ]
        parts += [f"### {heading}", table(("key", "takes", "default", "what it does"), rows)]
    return "\n\n".join(parts)


def table_of_policies() -> str:
    rows = [(code(name + (f":{row.takes}" if row.takes else "")), row.summary) for name, row in POLICIES.items()]
    return table(("policy", "where it cuts"), rows)


def table_of_gaps() -> str:
    rows = [(code(name + (f":{row.takes}" if row.takes else "")), row.summary) for name, row in GAPS.items()]
    return table(("gaps", "how they are distributed"), rows)


def table_of_faults() -> str:
    rows = [(code(row.written), code(row.place), row.summary) for row in faults() if not row.dialects]
    return table(("fault", "where, if not said", "what it does"), rows)


def table_of_defects() -> str:
    rows = [(code(row.written), row.dialects, row.summary) for row in faults() if row.dialects]
    return table(("fault", "of", "what it does"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "endpoints": table_of_endpoints,
    "settings": table_of_settings,
    "policies": table_of_policies,
    "gaps": table_of_gaps,
    "faults": table_of_faults,
    "defects": table_of_defects,
}


def place_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(\n?<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_that_of_the_code(name: str) -> None:
    found = place_of(name).findall(TEXT)
    assert len(found) == 1, f"the page has {len(found)} places for {name}"
    assert found[0][1].strip() == TABLES[name](), "write it anew: python -m tests.mockserver.test_docs"


def test_every_row_of_the_code_is_in_a_table() -> None:
    """The tables are made from the code, but not so that they could be empty."""
    written = {name: make() for name, make in TABLES.items()}
    assert all(f"{row.pattern}`" in written["endpoints"] for row in ENDPOINTS)
    assert all(f"`{row.key}`" in written["settings"] for row in settings())
    assert all(f"`{row.written}`".replace("|", r"\|") in written["faults"] + written["defects"] for row in faults())


def test_every_place_is_explained() -> None:
    part = TEXT.partition("### Places\n")[2].partition("\n## ")[0]
    named = re.findall(r"(?m)^\| `([a-z-]+)", part)
    assert sorted(named) == sorted(PlaceKind.__args__)  # type: ignore[attr-defined]  # a Literal's words


def test_the_entry_of_the_journal_has_the_keys_of_the_code() -> None:
    (shown,) = [json.loads(block.text) for block in blocks_of(TEXT) if block.language == "json"]
    assert sorted(shown) == sorted(Entry(0, max_writes=0, max_bytes=0).as_json())


def test_the_bounds_of_the_journal_are_those_of_the_code() -> None:
    bounds = f"the last {MAX_ENTRIES:,} requests, {MAX_WRITES:,} writes of each, {MAX_TOTAL_BYTES // 2**20} MiB in all"
    assert bounds in TEXT


def test_the_outcomes_are_those_of_the_code() -> None:
    """As `Entry` describes them."""
    listed = re.search(r"(?s)`outcome` is (.*?)\.\s+`left`", TEXT)
    assert listed is not None
    described = re.search(r"(?s)outcome: (.*?)\.\n", Entry.__doc__ or "")
    assert described is not None
    assert re.findall(r"[a-z-]{3,}", listed[1]) == re.findall(r'"([a-z-]+)"', described[1])


def test_every_route_of_the_admin_api_is_there() -> None:
    part = TEXT.partition("## Admin API\n")[2].partition("\n## ")[0]
    for path, methods in admin.ROUTES.items():
        (row,) = [line for line in part.splitlines() if f"{admin.PREFIX}{path}`" in line]
        assert all(re.search(rf"`{method}[` ]", row) for method in methods), row
    assert all(f"/{what}" in part for what in ("open", "shut", "step"))


def test_the_links_inside_the_page_lead_somewhere() -> None:
    headings = re.findall(r"(?m)^#+ (.+)$", TEXT)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert links
    assert set(links) <= anchors


def written_anew(page: str) -> str:
    """Return the page with the tables of the code."""
    for name, make in TABLES.items():
        if place := place_of(name).search(page):
            page = f"{page[: place.end(1)]}\n{make()}\n\n<!-- end -->{page[place.end() :]}"
    return page


def test_a_page_that_is_written_anew_has_the_tables() -> None:
    old = "a\n<!-- policies -->\n\n| old |\n\n<!-- end -->\nb\n<!-- end -->\n"
    new = written_anew(old)
    assert new == f"a\n<!-- policies -->\n\n{table_of_policies()}\n\n<!-- end -->\nb\n<!-- end -->\n"
    assert written_anew(new) == new


if __name__ == "__main__":
    PAGE.write_text(written_anew(TEXT), encoding="utf-8")
