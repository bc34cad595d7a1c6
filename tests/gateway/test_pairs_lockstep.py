"""Through every pair of dialects, what has left the upstream is read by the client before the upstream sends more.

The mock is held behind each token, by a gate of its own. So nothing has to be timed: what the gateway holds back until
the next token comes, never comes, and the test says so when its patience ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import httpx
import pytest

from streamkit.dialects.events import End, Event, PartStart, Ping, Reasoning, Text, ToolArgs
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import ChatRequest, Tool, messages_of
from tests.dialects.sdks import NO_TLS, TIMEOUT_S, TOOLS
from tests.gateway.chains import body_of
from tests.gateway.pairs import ANSWERS, CLIENTS, UPSTREAMS, Pairs, open_pairs, spoken_to

PATHS = {"vercel-ui": "/ui/chat"}
"""Where the AI SDK's usual path is somebody else's."""

TOOLLESS = {"ollama-generate", "openai-completions", "agent-poc", "text", "vercel-ui"}
"""Client dialects in which no tool can be offered."""


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    with open_pairs() as running:
        yield running


def said(events: Iterable[Event], kinds: frozenset[str]) -> dict[str, str]:
    """Return what events add up to, of these kinds."""
    found = dict.fromkeys(sorted(kinds), "")
    for event in events:
        if isinstance(event, Text):
            found["text"] += event.text
        elif isinstance(event, Reasoning) and "reasoning" in kinds:
            found["reasoning"] += event.text
        elif isinstance(event, ToolArgs) and "arguments" in kinds:
            found["arguments"] += event.json_text
        elif isinstance(event, PartStart) and event.kind == "tool" and "names" in kinds:
            found["names"] += f"{event.tool_name} "
    return found


def seen_at_once(client: str, upstream: str) -> frozenset[str]:
    """Return what a client can be told as soon as the upstream has said it."""
    target, source = DIALECTS[client].carries, DIALECTS[upstream].carries
    kinds = {"text"}
    if "reasoning" in target:
        kinds.add("reasoning")
    # Where calls only come whole, they come when the last of their pieces has come.
    if client not in TOOLLESS and ("tool-fragments" in target or "tool-fragments" not in source):
        kinds |= {"arguments", "names"}
    return frozenset(kinds)


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("client", [*CLIENTS, *PATHS])
def test_each_token_is_read_before_the_next_is_sent(client: str, upstream: str, pairs: Pairs) -> None:
    tools = [] if client in TOOLLESS else [Tool(name, name, {**schema}) for name, schema in TOOLS.items()]
    document = DIALECTS[client].request(ChatRequest(model="m", messages=messages_of("?"), tools=tools, max_tokens=99))
    source = spoken_to(upstream, client)
    kinds = seen_at_once(client, source)
    count = 15 if tools else 7
    pairs.set(**ANSWERS["calls"], gate=[f"held-{number}@token:{number}" for number in range(1, count + 1)])
    url = pairs.gateways[upstream].url + PATHS.get(client, document.path)
    with (
        httpx.Client(timeout=TIMEOUT_S, **NO_TLS) as http,
        http.stream(document.method, url, content=document.content, headers=document.headers) as response,
    ):
        assert response.status_code == 200
        reads = response.iter_raw()
        decoder = DIALECTS[client].decoder()
        events: list[Event] = []
        for number in range(1, count + 1):
            pairs.mock.wait_at_gate(f"held-{number}")
            sent = pairs.mock.call(lambda mock: bytes(mock.journal[-1].sent))
            wanted = said(DIALECTS[source].decoder().feed(body_of(sent)), kinds)
            while said(events, kinds) != wanted:
                events += decoder.feed(next(reads))  # raises, where nothing comes
            pairs.mock.open_gate(f"held-{number}")
        for read in reads:
            events += decoder.feed(read)
        events += decoder.finish()
    assert isinstance(events[-1], End)
    assert said(events, kinds) == wanted
    (entry,) = pairs.entries()
    assert (entry["dialect"], entry["tokens"]) == (source, count)


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("client", [*CLIENTS, *PATHS])
def test_a_heartbeat_crosses_where_both_have_one(client: str, upstream: str, pairs: Pairs) -> None:
    pairs.set(say="One two three", fault="ping@token:2")
    document = DIALECTS[client].request(ChatRequest(model="m", messages=messages_of("?"), max_tokens=99))
    url = pairs.gateways[upstream].url + PATHS.get(client, document.path)
    with httpx.Client(timeout=TIMEOUT_S, **NO_TLS) as http:
        answer = http.post(url, content=document.content, headers=document.headers)
    decoder = DIALECTS[client].decoder()
    events = [*decoder.feed(answer.content), *decoder.finish()]
    beats = [number for number, event in enumerate(events) if isinstance(event, Ping)]
    before = said(events[: beats[0]] if beats else [], frozenset({"text"}))["text"]
    both_have_one = "ping" in DIALECTS[spoken_to(upstream, client)].carries and "ping" in DIALECTS[client].carries
    assert (len(beats), before) == ((1, "One two") if both_have_one else (0, ""))
    assert isinstance(events[-1], End)
