"""The page about the bench says what the code says: its tables are made from it.

`python -m tests.bench.test_bench_docs` writes them anew. That the page's code runs is the business of
`tests/test_readme.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import getsource
from typing import get_args

from streamkit.bench import record
from streamkit.bench.calibration import HEADLINES
from streamkit.bench.job import Job
from streamkit.bench.metrics import BY_NAME, METRICS
from streamkit.bench.statistics import CONFIDENCE, smallest_n
from tests.doctables import with_tables
from tests.mockserver.test_docs import code, table
from tests.pages import ROOT

PAGE = ROOT / "streamkit/bench/README.md"

TEXT = PAGE.read_text(encoding="utf-8")

HEADINGS = (
    *("What the figures are", "How far off the tool is", "Load", "What a proxy costs", "Before and after"),
    *("What is not measured", "More than one machine"),
)


def table_of_metrics() -> str:
    return table(("figure", "what it is"), [(code(each.name), each.words) for each in METRICS])


def table_of_outcomes() -> str:
    """What the type says of itself, a row for each sentence."""
    said = getsource(record).partition("have a part in any latency.\n\n")[2].partition('"""')[0]
    sentences = re.split(r"[.]\s+(?:- )?(?=\")|[.]\s*$", said.removeprefix("- "))
    rows = []
    for sentence in filter(None, sentences):
        names, _, words = " ".join(sentence.split()).partition(": ")
        rows.append((", ".join(code(name.strip(' "')) for name in names.split(",")), words))
    return table(("kind", "what it is"), rows)


TABLES: dict[str, Callable[[], str]] = {"metrics": table_of_metrics, "outcomes": table_of_outcomes}


def test_the_tables_are_those_of_the_code() -> None:
    assert with_tables(TEXT, TABLES) == TEXT, "run python -m tests.bench.test_bench_docs"


def test_every_way_to_fail_is_in_the_table() -> None:
    named = set(re.findall(r"`([a-z-]+)`", table_of_outcomes()))
    assert named == set(get_args(record.Outcome)) - {"ok"}


def test_the_numbers_are_those_of_the_code() -> None:
    """A quantile and how many values it takes, the confidence, and the share that our own error may have."""
    takes = [smallest_n(q, CONFIDENCE) for q in (0.99, 0.9, 0.5)]
    assert "takes {} values, a p90 {}, a p50 {}.".format(*takes) in " ".join(TEXT.split())
    assert f"at {CONFIDENCE:.0%}".replace("%", " %") in TEXT
    assert f"`--max-tool-error` ({Job([], [], []).max_tool_error:.0%})".replace("%", " %") in TEXT
    assert {*HEADLINES} <= {*BY_NAME}


def test_the_page_has_all_its_parts() -> None:
    assert tuple(re.findall(r"^## (.*)$", TEXT, re.MULTILINE)) == HEADINGS


if __name__ == "__main__":
    PAGE.write_text(with_tables(TEXT, TABLES), encoding="utf-8")
