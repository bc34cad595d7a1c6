"""The whole suite on the embedded gateway as a translator: each dialect as a client's, and each that it asks in.

What it does not keep by design is written down below, and nothing else may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import pytest
import trio

from streamkit.contract.case import Case
from streamkit.contract.cases import CASES
from streamkit.contract.open import open_runner
from streamkit.contract.results import Result
from streamkit.contract.setting import Setting, Sizes
from streamkit.contract.verdicts import Verdict
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import ConfigError
from streamkit.gateway.config import SPEAKABLE
from streamkit.http.origin import parse_origin

NOWHERE: Final = parse_origin("http://127.0.0.1:1")

SIZES: Final = Sizes(random_bytes=1 << 20, absorb_bytes=(8 << 20, 16 << 20), events=300)

LIMIT_S: Final = 3.0
"""No case that holds waits for it, but all of a batch take turns on one processor."""

PAIRS: Final = (
    ("ollama-chat", "openai-responses"),
    ("ollama-generate", "gemini"),
    ("openai-chat", "anthropic"),
    ("openai-completions", "ollama-chat"),
    ("openai-responses", "openai-chat"),
    ("anthropic", "openai-chat"),
    ("gemini", "ollama-chat"),
    ("gemini/json-array", "anthropic"),
    ("ag-ui", "gemini"),
    ("vercel-ui", "openai-responses"),
    ("agent-poc", "anthropic"),
    ("text", "openai-chat"),
)
"""Clients and upstreams between which everything is written anew."""

ALIKE: Final = ("openai-chat", "gemini/json-array", "ollama-generate", "ag-ui", "text")
"""Dialects on both sides: their bytes are passed on, and are read as what they mean all the same."""

BY_DESIGN: Final = {
    "hdr.cache-control": "an answer that is written anew is live, and says so itself",
    "hdr.set-cookie": "cookies of another vendor's server are nothing to a client that asks as if there was none",
}
"""What should be kept, and is not where answers are written anew."""

UNSEEN: Final = {"req.stream", "req.duplex"}
"""What waits out the limit, because a request is translated once it is there whole. No dialect makes a difference."""

QUICK: Final = tuple(case for case in CASES if not case.is_slow)

TOGETHER: Final = tuple(case for case in QUICK if case.group != "alone" and case.id not in UNSEEN)

ALONE: Final = tuple(case for case in QUICK if case.group == "alone" or case.id in UNSEEN)


async def results_of(client: str, upstream: str, cases: Iterable[Case], limit_s: float = LIMIT_S) -> list[Result]:
    """Return what is found."""
    setting = Setting(NOWHERE, "gateway", client, upstream, limit_s=limit_s, sizes=SIZES)
    async with open_runner(setting) as runner:
        return await runner.run(cases)


def wrong_in(results: Sequence[Result]) -> list[str]:
    """Return what is neither right nor only recorded."""
    fine = {Verdict.OK, Verdict.INFORMATIONAL, Verdict.UNIMPLEMENTED}
    return [f"{each.verdict} {each.id}: {each.detail}" for each in results if each.verdict not in fine]


def names_in(wrong: Iterable[str]) -> set[str]:
    """Return the ids."""
    return {line.split(" ")[1].rstrip(":") for line in wrong}


async def several(pairs: Iterable[tuple[str, str]], cases: Iterable[Case]) -> dict[tuple[str, str], list[Result]]:
    """Run them side by side."""
    found: dict[tuple[str, str], list[Result]] = {}

    async def one(client: str, upstream: str) -> None:
        found[client, upstream] = await results_of(client, upstream, cases)

    async with trio.open_nursery() as nursery:
        for client, upstream in pairs:
            nursery.start_soon(partial(one, client, upstream))
    return found


@pytest.mark.parametrize("batch", [PAIRS[at : at + 3] for at in range(0, len(PAIRS), 3)], ids=lambda batch: batch[0][0])
async def test_a_translator_is_right_in_all_dialects(batch: tuple[tuple[str, str], ...]) -> None:
    for pair, results in (await several(batch, TOGETHER)).items():
        wrong = wrong_in(results)
        others = [line for line in wrong if not line.startswith(Verdict.NON_STRICT)]
        assert (pair, others) == (pair, [])
        assert (pair, names_in(wrong)) == (pair, set(BY_DESIGN)), wrong
        assert {each.id for each in results} >= {"flush.sse.cl", "cancel.ttft", "llm.truncated"}


async def test_bytes_that_are_passed_on_are_right_read_as_their_dialect() -> None:
    for pair, results in (await several([(name, name) for name in ALIKE], TOGETHER)).items():
        assert (pair, wrong_in(results)) == (pair, [])


async def test_what_disturbs_others_and_what_waits() -> None:
    wrong = wrong_in(await results_of("anthropic", "openai-chat", ALONE, limit_s=1.0))
    assert names_in(wrong) == {"req.stream"}, wrong
    assert [line for line in wrong if not line.startswith(Verdict.NON_STRICT)] == []


def test_the_pairs_cover_every_dialect() -> None:
    clients = [client for client, _ in PAIRS]
    assert len(clients) == len(set(clients))
    assert {client.partition("/")[0] for client in clients} == DIALECTS.keys() - {"json"}
    assert {upstream for _, upstream in PAIRS} == set(SPEAKABLE)


@pytest.mark.parametrize(
    ("client", "upstream", "reason"),
    [("json", "openai-chat", "no form for a question"), ("anthropic", "text", "no server")],
)
async def test_dialects_that_nobody_can_ask_in_are_refused(client: str, upstream: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        await results_of(client, upstream, ())


@pytest.mark.parametrize(("client", "upstream"), [("ollama-generate", "ollama-chat"), ("gemini/json-array", "gemini")])
async def test_pairs_that_it_does_not_translate_are_refused(client: str, upstream: str) -> None:
    """Their servers have both forms, so such a client's bytes are passed on."""
    with pytest.raises(ConfigError, match="give it as both dialects"):
        await results_of(client, upstream, ())
