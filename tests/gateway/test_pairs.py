"""Each official Python SDK sees through the converting gateway what it sees of its own vendor, before any upstream.

The law and its exceptions are in `DEVIATIONS`; `pairs.py` says what stands where. Errors are in `test_pairs_errors.py`,
questions in `test_pairs_requests.py`, promptness in `test_pairs_lockstep.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.dialects.referees import View, carried
from tests.gateway.pairs import ANSWERS, READERS, UPSTREAMS, Pairs, is_converted, open_pairs, spoken_to, url_below


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    with open_pairs() as running:
        yield running


DEVIATIONS: Mapping[tuple[str, str], tuple[Mapping[str, Any], str]] = {
    **{
        (name, answer): (
            {"usage": (1, 7)},
            "the mock does not think where its dialect cannot show it; the upstream does",
        )
        for name in ("openai-completions-document", "openai-completions-usage")
        for answer in ("thoughts", "calls")
    },
}
"""What a reader sees of an answer through every gateway and not directly: the fields of the view, and why."""


def expected(pairs: Pairs, name: str, answer: str, upstream: str) -> View:
    """Return what a reader has to see."""
    dialect, _ = READERS[name]
    seen = pairs.direct(name, answer)
    changes, _ = DEVIATIONS.get((name, answer), ({}, ""))
    return seen if not is_converted(dialect, upstream) else replace(carried(seen, upstream), **changes)


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("name", READERS)
def test_an_sdk_sees_what_it_sees_of_its_own_vendor(name: str, upstream: str, pairs: Pairs) -> None:
    dialect, read = READERS[name]
    wanted = {answer: expected(pairs, name, answer, upstream) for answer in ANSWERS}
    found = {}
    for answer, settings in ANSWERS.items():
        pairs.set(**settings)
        found[answer] = read(url_below(pairs.gateways[upstream].url, dialect))
        (entry,) = pairs.entries()
        assert (entry["dialect"], entry["status"]) == (spoken_to(upstream, dialect), 200), answer
    assert found == wanted
