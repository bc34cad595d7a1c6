"""The official JavaScript SDKs see through the converting gateway what they see of their own vendor, as Python's do.

One node process asks everything, once: each SDK the mock itself, and the mock through each gateway. The law is that of
`test_pairs.py`; where the packages are looked for is in `tests/dialects/test_node_sdks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.dialects.referees import Failed, View, carried
from tests.dialects.test_node_sdks import ERRORS, HERE, SDKS, answer_of
from tests.gateway.pairs import UPSTREAMS, is_converted, open_pairs
from tests.mockserver.test_node_sdks import folder as folder  # noqa: PLC0414 - a fixture
from tests.mockserver.test_node_sdks import run
from tests.mockserver.verdicts import PATHS, SAID, x_mock

pytestmark = pytest.mark.needs("node")

CALLS = ['look:{"at":"x y"}', 'find:{"n":1}']

ANSWERS: Mapping[str, dict[str, Any]] = {
    "text": {"say": SAID},
    "words": {"tokens": 40},  # some of them have bytes that are no ASCII, which a header could not say
    "thoughts": {"say": SAID, "reasoning": 3},
    "call": {"say": SAID, "call": CALLS[:1]},
    "calls": {"say": SAID, "reasoning": 3, "call": CALLS},
    "length": {"say": SAID, "finish": "length"},
    "filter": {"say": SAID, "finish": "content_filter"},
}

FLOWN = "the owl has flown"

CUTS: Mapping[str, dict[str, Any]] = {
    "error": {"say": SAID, "fault": f"error:{FLOWN}@token:2"},
    "reset": {"say": SAID, "fault": "reset@token:2"},
    "close": {"say": SAID, "fault": "close@token:2"},
    "end": {"say": SAID, "fault": "end@token:2"},
    "no-terminator": {"say": SAID, "fault": "no-terminator"},
}
"""Answers that fail behind their beginning."""

STATUSES: Mapping[str, dict[str, Any]] = {f"{status}": {"fault": f"status:{status}:7"} for status in (400, 429, 529)}

DIRECT = "direct"


class Job(NamedTuple):
    """One question: which reader of `view.mjs` asks, whom, and what is answered."""

    sdk: str
    place: str  # DIRECT, or the upstream's dialect
    answer: str


def jobs() -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield each question with the mock's settings."""
    for sdk in SDKS:
        for place in (DIRECT, *UPSTREAMS):
            for answer, settings in {**ANSWERS, **CUTS, **STATUSES}.items():
                yield Job(sdk, place, answer), {"seed": 1, **settings}


Seen = Mapping[Job, View | Failed]


@pytest.fixture(scope="module")
def seen(folder: Path) -> Seen:
    """What each SDK sees."""
    with open_pairs() as pairs:
        urls = {DIRECT: pairs.mock.url, **{name: gateway.url for name, gateway in pairs.gateways.items()}}
        paths = {**PATHS, "vercel-ui": "/ui/chat"}
        asked = list(jobs())
        orders = [
            {"sdk": job.sdk, "url": urls[job.place] + paths.get(SDKS[job.sdk], ""), "headers": {"X-Mock": x_mock(each)}}
            for job, each in asked
        ]
        answers = run(HERE / "view.mjs", folder, orders)
    return {job: answer_of(answer) for (job, _), answer in zip(asked, answers, strict=True)}


PAIRS = [(sdk, upstream) for sdk in SDKS for upstream in UPSTREAMS if is_converted(SDKS[sdk], upstream)]
"""What is not converted is in `test_node_sdks.py`."""


@pytest.mark.parametrize(("sdk", "upstream"), PAIRS)
def test_an_sdk_sees_what_it_sees_of_its_own_vendor(sdk: str, upstream: str, seen: Seen) -> None:
    wanted = {}
    for answer in ANSWERS:
        own = seen[Job(sdk, DIRECT, answer)]
        assert isinstance(own, View), own
        wanted[answer] = carried(own, upstream)
    assert {answer: seen[Job(sdk, upstream, answer)] for answer in ANSWERS} == wanted


@pytest.mark.parametrize(("sdk", "upstream"), PAIRS)
def test_an_answer_that_fails_is_never_taken_for_a_whole_one(sdk: str, upstream: str, seen: Seen) -> None:
    kinds = next(kinds for family, kinds in ERRORS.items() if sdk.startswith(family))
    for answer in CUTS:
        found = seen[Job(sdk, upstream, answer)]
        assert isinstance(found, Failed), (answer, found)
        assert found.kind in kinds, (answer, found)
    assert FLOWN in getattr(seen[Job(sdk, upstream, "error")], "message", "")


@pytest.mark.parametrize(("sdk", "upstream"), PAIRS)
def test_an_error_status_raises_what_it_raises_of_the_own_vendor(sdk: str, upstream: str, seen: Seen) -> None:
    for status in STATUSES:
        own, through = seen[Job(sdk, DIRECT, status)], seen[Job(sdk, upstream, status)]
        assert isinstance(own, Failed), own
        assert through == own
        assert f"told to answer {status}" in getattr(through, "message", "")
