"""The official JavaScript SDKs see through the gateway what they see without, as the Python ones do.

What there is to see is in `tests/mockserver/test_node_sdks.py`, which also says where their packages are looked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mockserver.open import MockInThread, mockserver_in_thread
from tests.dialects.referees import Failed, View
from tests.dialects.sdks import no_proxies
from tests.dialects.test_node_sdks import HERE, answer_of
from tests.gateway.in_thread import GatewayInThread, gateway_in_thread
from tests.mockserver.sdk_documents import entries_of
from tests.mockserver.test_node_sdks import (
    ASK,
    ASKED,
    BAD_REQUESTS,
    CUTS,
    ENDPOINTS,
    REFUSED,
    RETRIED,
    SPOILS_THE_NEXT,
    WORDS,
    Job,
    run,
)
from tests.mockserver.test_node_sdks import folder as folder  # noqa: PLC0414 - a fixture
from tests.mockserver.verdicts import ANSWERS, PATHS, Row, x_mock
from tests.mockserver.verdicts_generic import GENERIC

pytestmark = pytest.mark.needs("node")

LEAVE = Path(__file__).parent / "node" / "leave.mjs"

ROWS = [row for row in GENERIC if row.js is not None and row.fault != SPOILS_THE_NEXT]
"""Junk behind an answer may hit the next one on the connection; the gateway lets none through (`test_faults.py`)."""

REQUEST_ID = re.compile("req_[A-Za-z0-9]+")
"""Equal questions at the same time have ids that depend on their order."""

BREAKS = {"bad-chunk"}
"""Where the gateway breaks the connection, because it sends no such thing itself."""


def jobs() -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield each stream with the mock's settings."""
    for sdk in ENDPOINTS:
        for answer, settings in ANSWERS.items():
            yield Job(sdk, answer), settings
        for number, cuts in enumerate(CUTS):
            yield Job(sdk, "words", f"cuts-{number}"), {**WORDS, **cuts}
    for row in ROWS:
        yield Job(row.sdk, row.answer, row.fault), {**ANSWERS[row.answer], "fault": row.fault}


@pytest.fixture(scope="module")
def mock() -> Iterator[MockInThread]:
    with no_proxies(), mockserver_in_thread() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(mock: MockInThread) -> Iterator[GatewayInThread]:
    with gateway_in_thread(mock.url) as running:
        yield running
        assert "failed" not in {record.outcome for record in running.records}


# -------------------------------------------------------------------------------------------------------------- streams

Seen = Mapping[Job, tuple[View | Failed, View | Failed]]


@pytest.fixture(scope="module")
def seen(mock: MockInThread, gateway: GatewayInThread, folder: Path) -> Seen:
    """What each SDK sees, without the gateway and through it."""
    asked = list(jobs())
    found = []
    for url in (mock.url, gateway.url):
        orders = [
            {
                "sdk": job.sdk,
                "url": url + PATHS.get(ENDPOINTS[job.sdk], ""),
                "headers": {"X-Mock": x_mock({"seed": 1, **settings})},
            }
            for job, settings in asked
        ]
        found.append([answer_of(answer) for answer in run(HERE / "view.mjs", folder, orders)])
    return {job: (direct, through) for (job, _), direct, through in zip(asked, *found, strict=True)}


@pytest.mark.parametrize("sdk", ENDPOINTS)
def test_a_stream_says_the_same_through_the_gateway(sdk: str, seen: Seen) -> None:
    for answer in ANSWERS:
        direct, through = seen[Job(sdk, answer)]
        assert through == direct
        assert isinstance(through, View)
    whole, _ = seen[Job(sdk, "words", "cuts-0")]
    assert isinstance(whole, View)
    assert len(whole.text.split()) == WORDS["tokens"]
    for number, cuts in enumerate(CUTS):
        assert seen[Job(sdk, "words", f"cuts-{number}")][1] == whole, cuts


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_sdk_makes_the_same_of_a_fault(row: Row, seen: Seen) -> None:
    direct, through = seen[Job(row.sdk, row.answer, row.fault)]
    if row.fault in BREAKS:
        assert isinstance(through, Failed)
    else:
        assert through == direct


# ------------------------------------------------------------------------------------------------- documents and errors


@pytest.fixture(scope="module")
def asked(mock: MockInThread, gateway: GatewayInThread, folder: Path) -> Mapping[str, tuple[Any, Any]]:
    """What each SDK gets besides streams, without the gateway and through it."""
    orders: dict[str, dict[str, Any]] = {
        ask: {"ask": ask, "settings": settings} for ask, (settings, _) in ASKED.items()
    }
    orders |= {ask: {"ask": ask} for ask in BAD_REQUESTS}
    orders |= {f"{ask}-{status}": {"ask": ask, "settings": f"fault=status:{status}:7"} for ask, status in REFUSED}
    orders |= {
        f"{ask}-retried": {"ask": ask, "retries": 1, "settings": f"echo; fault=status:{status}:0,first:1"}
        for ask, status in RETRIED.items()
    }
    found = []
    for url in (mock.url, gateway.url):
        mock.reset()
        answers = run(ASK, folder, [{"url": url, **order} for order in orders.values()])
        found.append([json.loads(REQUEST_ID.sub("", json.dumps(answer))) for answer in answers])
    return {name: (direct, through) for name, direct, through in zip(orders, *found, strict=True)}


def test_an_sdk_gets_the_same_through_the_gateway(asked: Mapping[str, tuple[Any, Any]]) -> None:
    for name, (direct, through) in asked.items():
        assert through == direct, name
        if name in ASKED:
            assert through == ASKED[name][1]
    assert asked["openai-chat-429"][1]["failed"] == "RateLimitError"
    assert asked["anthropic-retried"][1]["text"] == "Hello owl"


# -------------------------------------------------------------------------------------------------------------- leaving


LEAVING = [*product(["openai-chat", "openai-responses", "anthropic"], ["break", "abort"]), ("ollama-chat", "abort")]
"""Who leaves a loop over Ollama's stream has not ended it: that SDK reads on."""


@pytest.mark.parametrize(("sdk", "how"), LEAVING)
def test_a_stream_that_is_left_early_is_cancelled_upstream(
    sdk: str, how: str, mock: MockInThread, gateway: GatewayInThread, folder: Path
) -> None:
    mock.reset()
    mock.configure(tokens=9, gate="never-opened@token:3")
    (text,) = run(LEAVE, folder, [{"sdk": sdk, "url": gateway.url, "how": how}])
    assert isinstance(text, str), text
    (entry,) = entries_of(mock)
    assert (entry["outcome"], entry["tokens"]) == ("client-left", 3)
