"""The page about the contract says what the code says: its tables are made from it.

`python -m tests.contract.test_contract_docs` writes them anew. That the page's code runs is `tests/test_readme.py`'s
business.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamkit.contract.cases import CASES
from streamkit.contract.proxies import PROXIES
from streamkit.contract.verdicts import Ending, Verdict
from tests.doctables import with_tables
from tests.mockserver.test_docs import code, table
from tests.pages import ROOT

PAGE = ROOT / "streamkit/contract/README.md"

TEXT = PAGE.read_text(encoding="utf-8")

GITHUB = "https://github.com/"


def table_of_cases() -> str:
    rows = []
    for case in CASES:
        bugs = ", ".join(f"[{bug}]({GITHUB}{bug.replace('#', '/issues/')})" for bug in case.bugs)
        slow = " Slow." if case.is_slow else ""
        rows.append((code(case.id), case.levels.pipe or "-", case.levels.gateway or "-", case.rule + slow, bugs))
    return table(("case", "pipe", "gateway", "rule", "seen in"), rows)


def table_of_proxies() -> str:
    rows = [
        (code(proxy.name if variant is proxy.variants[0] else f"{proxy.name}:{variant.name}"), variant.what)
        for proxy in PROXIES.values()
        for variant in proxy.variants
    ]
    return table(("`--with`", "what it is"), rows)


TABLES: dict[str, Callable[[], str]] = {"cases": table_of_cases, "proxies": table_of_proxies}


def test_the_tables_are_those_of_the_code() -> None:
    assert with_tables(TEXT, TABLES) == TEXT, "run python -m tests.contract.test_contract_docs"


@pytest.mark.parametrize("word", [*Verdict, *Ending])
def test_every_word_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in TEXT


if __name__ == "__main__":
    PAGE.write_text(with_tables(TEXT, TABLES), encoding="utf-8")
