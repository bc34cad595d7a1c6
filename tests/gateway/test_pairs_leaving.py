"""Who leaves early has the upstream cancelled, whatever the two speak: in the middle of a stream, or waiting for it."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator

import pytest

from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import ChatRequest, messages_of
from tests.dialects.sdks import TIMEOUT_S
from tests.gateway.pairs import UPSTREAMS, Pairs, open_pairs, spoken_to
from tests.gateway.test_python_sdks import LEAVING
from tests.mockserver.sdk_documents import DOCUMENTS


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    with open_pairs() as running:
        yield running


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("leave", LEAVING)
def test_a_stream_that_is_left_early_is_cancelled_upstream(
    leave: Callable[[str], None], upstream: str, pairs: Pairs
) -> None:
    pairs.set(tokens=9, gate="never-opened@token:3")
    leave(pairs.gateways[upstream].url)
    (entry,) = pairs.entries()
    assert (entry["dialect"], entry["outcome"]) == (upstream, "client-left")
    assert 1 <= entry["tokens"] <= 3  # an SDK may be content with the first


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("dialect", DOCUMENTS)
def test_who_waits_no_longer_for_a_document_has_the_upstream_cancelled(
    dialect: str, upstream: str, pairs: Pairs
) -> None:
    pairs.set(tokens=9, gate="never-opened@after-head")
    document = DIALECTS[dialect].request(ChatRequest(model="m", messages=messages_of("?"), stream=False))
    client = http.client.HTTPConnection(pairs.gateways[upstream].url.removeprefix("http://"), timeout=TIMEOUT_S)
    client.request(document.method, document.path, document.content, dict(document.headers))
    pairs.mock.wait_at_gate("never-opened")
    client.close()
    (entry,) = pairs.entries()
    assert (entry["dialect"], entry["outcome"]) == (spoken_to(upstream, dialect), "client-left")
