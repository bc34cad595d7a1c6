"""The official JavaScript SDKs, pointed at the mock server: what they see, what they raise, what they make of faults.

Two node processes ask everything, once: `tests/dialects/node/view.mjs` reads streams, `node/ask.mjs` the rest. Their
packages are looked for where `tests/dialects/test_node_sdks.py` looks for them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mockserver.open import MockInThread, mockserver_in_thread
from tests.dialects.loopback import loopback
from tests.dialects.referees import Failed, View, carried
from tests.dialects.sdks import no_proxies
from tests.dialects.test_node_sdks import HERE, SDKS, answer_of
from tests.mockserver.faults.fault_answers import body_of, faulty
from tests.mockserver.verdicts import ANSWERS, FIND, LOOK, PATHS, SAID, Row, judged, x_mock
from tests.mockserver.verdicts_defects import DEFECTS, VERCEL
from tests.mockserver.verdicts_generic import GENERIC

pytestmark = pytest.mark.needs("node")

ASK = Path(__file__).parent / "node" / "ask.mjs"

ENDPOINTS = {sdk: dialect for sdk, dialect in SDKS.items() if dialect != "vercel-ui"}
"""The readers of streams that the server has an endpoint for, and the dialect of each."""

ROWS = [row for row in (*GENERIC, *DEFECTS) if row.js is not None]

CUTS = [
    {"split": "every-byte"},
    {"chunks": "size:3"},
    {"gzip": "accepted"},
    {"framing": "close"},
    {"framing": "length"},
]

WORDS = {"tokens": 40}
"""Words from the seed, of which some have bytes that are no ASCII; a header could not say them."""

SPOILS_THE_NEXT = "junk-after-end"
"""The client keeps the connection, and may have sent its next request on it when the junk comes."""


class Job(NamedTuple):
    """One stream that one SDK reads: an answer, with a fault or cuts or neither."""

    sdk: str
    answer: str
    extra: str = ""


def jobs() -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield each job with its settings; the seed is the same for all, so that they can be compared."""
    for sdk in ENDPOINTS:
        for answer, settings in ANSWERS.items():
            yield Job(sdk, answer), settings
        for number, cuts in enumerate(CUTS):
            yield Job(sdk, "calls", f"cuts-{number}"), {**ANSWERS["calls"], **cuts}
            yield Job(sdk, "words", f"cuts-{number}"), {**WORDS, **cuts}
        yield Job(sdk, "words"), WORDS
        yield Job(sdk, "text", "length"), {"say": SAID, "finish": "length"}
    for row in ROWS:
        yield Job(row.sdk, row.answer, row.fault), {**ANSWERS[row.answer], "fault": row.fault}


@pytest.fixture(scope="module")
def mock() -> Iterator[MockInThread]:
    with no_proxies(), mockserver_in_thread() as server:
        yield server


@pytest.fixture(scope="module")
def folder() -> Path:
    found = Path(os.environ.get("NODE_SDKS_DIR", HERE))
    if not (found / "node_modules" / "openai").is_dir():
        pytest.skip(f"no SDKs in {found}/node_modules: npm ci in tests/dialects/node puts them there")
    return found.absolute()


def run(script: Path, folder: Path, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a script answers."""
    done = subprocess.run(
        [shutil.which("node") or "node", script, folder],
        input=json.dumps(orders).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.rstrip(b"\n").split(b"\n")]


@pytest.fixture(scope="module")
def seen(mock: MockInThread, folder: Path) -> Mapping[Job, View | Failed]:
    """What each SDK sees."""
    sane = [(job, settings) for job, settings in jobs() if job.extra != SPOILS_THE_NEXT]
    others = [(job, settings) for job, settings in jobs() if job.extra == SPOILS_THE_NEXT]
    assert len(others) == len(ENDPOINTS)  # as many as are asked for at once, so that none comes after another
    return seen_of(sane, mock, folder) | seen_of(others, mock, folder)


def seen_of(all_jobs: list[tuple[Job, dict[str, Any]]], mock: MockInThread, folder: Path) -> dict[Job, View | Failed]:
    orders = [
        {
            "sdk": job.sdk,
            "url": mock.url + PATHS.get(ENDPOINTS[job.sdk], ""),
            "headers": {"X-Mock": x_mock({"seed": 1, **settings})},
        }
        for job, settings in all_jobs
    ]
    answers = run(HERE / "view.mjs", folder, orders)
    return {job: answer_of(answer) for (job, _), answer in zip(all_jobs, answers, strict=True)}


# --- Streams ----------------------------------------------------------------------------------------------------------

HAS_NO_USAGE = {"openai-chat", "openai-chat-chunks", "openai-completions"}


@pytest.mark.parametrize("sdk", ENDPOINTS)
def test_a_stream_says_what_is_set(sdk: str, seen: Mapping[Job, View | Failed]) -> None:
    text, thoughts, calls = (seen[Job(sdk, answer)] for answer in ("text", "thoughts", "calls"))
    assert text == View(SAID, finish="stop", usage=None if sdk in HAS_NO_USAGE else (1, 4))
    assert isinstance(thoughts, View)
    assert thoughts.text == SAID
    assert isinstance(calls, View)
    if sdk == "openai-completions":
        assert thoughts.reasoning == ""
    else:
        assert len(thoughts.reasoning.split()) == 3
    if ENDPOINTS[sdk] in {"openai-completions", "ollama-generate"}:
        assert (len(calls.text.split()), calls.calls) == (64, ())
    else:
        assert (calls.text, calls.calls, calls.finish) == ("", (LOOK, FIND), "tool_calls")
        assert calls.reasoning == thoughts.reasoning


@pytest.mark.parametrize("sdk", ENDPOINTS)
def test_a_stream_says_the_same_however_it_is_cut(sdk: str, seen: Mapping[Job, View | Failed]) -> None:
    words = seen[Job(sdk, "words")]
    assert isinstance(words, View), words
    assert len(words.text.split()) == 40
    assert not words.text.isascii()
    for number, cuts in enumerate(CUTS):
        assert seen[Job(sdk, "calls", f"cuts-{number}")] == seen[Job(sdk, "calls")], cuts
        assert seen[Job(sdk, "words", f"cuts-{number}")] == words, cuts


@pytest.mark.parametrize("sdk", ENDPOINTS)
def test_a_stream_says_why_it_ends(sdk: str, seen: Mapping[Job, View | Failed]) -> None:
    found = seen[Job(sdk, "text", "length")]
    assert isinstance(found, View), found
    assert found.finish == carried(View("", finish="length"), ENDPOINTS[sdk]).finish


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_sdk_makes_of_a_fault_what_it_is_known_to_make(row: Row, seen: Mapping[Job, View | Failed]) -> None:
    assert row.js is not None
    found = seen[Job(row.sdk, row.answer, row.fault)]
    assert judged(row.js, found, seen[Job(row.sdk, row.answer)]) == []


# --- What has no endpoint here ----------------------------------------------------------------------------------------

VERCEL_ROWS = [row for row in VERCEL if row.js is not None]


@pytest.fixture(scope="module")
def ui_messages(folder: Path) -> Mapping[str, View | Failed]:
    """What the AI SDK sees of an answer with each fault, and without; no server of models speaks its dialect."""
    wires = {"": body_of(faulty("vercel-ui"))}
    wires |= {row.fault: body_of(faulty("vercel-ui", row.fault)) for row in VERCEL_ROWS}
    with loopback() as streams:
        orders = [{"sdk": "vercel-ui", "url": streams.offer("vercel-ui", wire)} for wire in wires.values()]
        answers = run(HERE / "view.mjs", folder, orders)
    return {fault: answer_of(answer) for fault, answer in zip(wires, answers, strict=True)}


@pytest.mark.parametrize("row", VERCEL_ROWS, ids=str)
def test_the_ai_sdk_makes_of_a_fault_what_it_is_known_to_make(
    row: Row, ui_messages: Mapping[str, View | Failed]
) -> None:
    assert row.js is not None
    assert judged(row.js, ui_messages[row.fault], ui_messages[""]) == []


# --- The rest ---------------------------------------------------------------------------------------------------------

ROUND = {"called": "look", "at": "string", "text": "Where is it?"}
OWLS = f'say="{SAID}"'

ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-chat": ("echo", {"text": "Hello owl", "finish": "stop", "usage": [2, 2]}),
    "openai-chat-parts": ("echo", {"text": "Hello owl", "finish": "stop", "usage": [4, 2]}),
    "openai-chat-choices": (OWLS, {"texts": [SAID] * 3}),
    "openai-chat-streamed-choices": (OWLS, {"texts": [SAID] * 2}),
    "openai-chat-limits": (OWLS, {"text": "Owls from", "finish": "length", "stopped": "Owls from"}),
    "openai-chat-usage": ("tokens=7", {"usage": [1, 7]}),
    "openai-chat-round": ("echo; call=auto", {**ROUND, "finish": "stop", "usage": [6, 3]}),
    "openai-completions": ("echo", {"text": "Hello owl", "usage": [2, 2]}),
    "openai-responses": ("echo", {"text": "Hello owl", "usage": [4, 2]}),
    "openai-responses-round": ("echo; call=auto", ROUND),
    "openai-models": ("", {"listed": ["mock"], "one": "m"}),
    "anthropic": ("echo", {"text": "Hello owl", "finish": "end_turn", "usage": [4, 2]}),
    "anthropic-limits": (
        OWLS,
        {"text": "Owls from", "finish": "max_tokens", "stopped": "Owls from", "by": "stop_sequence"},
    ),
    "anthropic-round": ("echo; call=auto", ROUND),
    "anthropic-models": ("", {"listed": ["mock"], "one": "m", "counted": 2}),
    "ollama-chat": ("echo", {"text": "Hello owl", "usage": [2, 2]}),
    "ollama-generate": (OWLS, {"text": "Owls from", "finish": "length"}),
    "ollama-round": ("echo; call=auto", ROUND),
    "ollama-models": ("", {"listed": ["mock:latest"], "version": "string"}),
}
"""What is asked of an SDK (see `node/ask.mjs`), the settings, and what comes of it."""

BAD_REQUESTS = {
    "openai-bad-request": ("BadRequestError", 400, "Invalid 'messages': empty array"),
    "anthropic-bad-request": ("BadRequestError", 400, "max_tokens: Input should be greater than or equal to 1"),
    "ollama-bad-request": ("ResponseError", 400, "model is required"),
}

STATUSES = {
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    529: "InternalServerError",
}

REFUSED = [(ask, status) for ask in ("openai-chat", "anthropic", "ollama-chat") for status in STATUSES]

RETRIED = {"openai-chat": 429, "anthropic": 529}

Asked = Mapping[str, dict[str, Any]]


@pytest.fixture(scope="module")
def asked(mock: MockInThread, folder: Path) -> Asked:
    """What each SDK gets."""
    orders: dict[str, dict[str, Any]] = {
        ask: {"ask": ask, "settings": settings} for ask, (settings, _) in ASKED.items()
    }
    orders |= {ask: {"ask": ask} for ask in BAD_REQUESTS}
    orders |= {f"{ask}-{status}": {"ask": ask, "settings": f"fault=status:{status}"} for ask, status in REFUSED}
    orders |= {
        f"{ask}-retried": {"ask": ask, "retries": 1, "settings": f"echo; fault=status:{status}:0,first:1"}
        for ask, status in RETRIED.items()
    }
    answers = run(ASK, folder, [{"url": mock.url, **order} for order in orders.values()])
    return dict(zip(orders, answers, strict=True))


@pytest.mark.parametrize("ask", ASKED)
def test_an_sdk_gets_what_it_asks_for(ask: str, asked: Asked) -> None:
    assert asked[ask] == ASKED[ask][1]


@pytest.mark.parametrize("ask", BAD_REQUESTS)
def test_a_bad_request_raises_what_it_raises_of_the_vendor(ask: str, asked: Asked) -> None:
    kind, status, message = BAD_REQUESTS[ask]
    found = asked[ask]
    assert (found["failed"], found["status"]) == (kind, status)
    assert message in found["message"]


@pytest.mark.parametrize(("ask", "status"), REFUSED)
def test_a_status_raises_what_it_raises_of_the_vendor(ask: str, status: int, asked: Asked) -> None:
    found = asked[f"{ask}-{status}"]
    kind = "OverloadedError" if (ask, status) == ("anthropic", 529) else STATUSES[status]
    assert (found["failed"], found["status"]) == ("ResponseError" if ask == "ollama-chat" else kind, status)
    assert f"told to answer {status}" in found["message"]


@pytest.mark.parametrize("ask", RETRIED)
def test_an_sdk_tries_again_where_it_is_told_to(ask: str, asked: Asked, mock: MockInThread) -> None:
    assert asked[f"{ask}-retried"]["text"] == "Hello owl"
    fault = f"status:{RETRIED[ask]}:0,first:1"
    tries = [
        entry["status"]
        for entry in mock.journal
        if any(name.lower() == "x-mock" and value.endswith(fault) for name, value in entry["headers"])
    ]
    assert tries == [RETRIED[ask], 200]
