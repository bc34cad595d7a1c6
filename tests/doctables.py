"""Tables of a page that are made from the code: where they stand in its text, and the text as it has to be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

__all__ = ["with_tables"]


def with_tables(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """The page with its tables as they have to be: each stands below a mark with its name."""
    for name, make in tables.items():
        mark = f"<!-- table: {name} -->\n"
        before, found, behind = text.partition(mark)
        assert found, f"the page has no {mark.strip()}"
        rest = re.sub(r"\A\n(\|[^\n]*\n)*\n?", "", behind)
        text = f"{before}{mark}\n{make()}\n" + (f"\n{rest}" if rest else "")
    return text
