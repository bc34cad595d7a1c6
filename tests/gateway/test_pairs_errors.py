"""What goes wrong upstream becomes, whatever it speaks, the exception that each SDK raises of its own vendor.

Before the stream with the upstream's status, words, time to come back and request id; behind its beginning in the form
that the client's dialect has; and an answer that was cut is never taken for a whole one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import anthropic
import httpx
import ollama
import openai
import pytest
from google.genai import errors

from tests.dialects.referees import Failed
from tests.dialects.sdks import NO_TLS, TIMEOUT_S
from tests.gateway.pairs import READERS, UPSTREAMS, Pairs, is_converted, open_pairs, url_below
from tests.gateway.test_python_sdks import Raised, raised
from tests.mockserver.test_python_sdks_refusals import SDKS, Asking, name_of
from tests.mockserver.verdicts import SAID

REQUEST_IDS = {"openai-chat": "x-request-id", "openai-responses": "x-request-id", "anthropic": "request-id"}
"""The header in which an upstream tells a request's id. Ollama's and Gemini's have none."""

ID = re.compile(r", 'request_id': '\w+'")
"""Only those who are told an id can repeat it."""


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    with open_pairs() as running:
        yield running


@pytest.fixture(scope="module")
def strict() -> Iterator[Pairs]:
    """A mock that knows one model only."""
    with open_pairs(models=("owl",)) as running:
        yield running


def sent_head(pairs: Pairs) -> Mapping[str, str]:
    """Return the headers that the mock has answered the last request with."""
    head = pairs.entries()[-1]["sent"].partition("\r\n\r\n")[0]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}


# --------------------------------------------------------------------------------------------------- before the answer


STATUSES = (400, 401, 404, 429, 500, 529)

Direct = Mapping[tuple[str, bool, int], Raised]


@pytest.fixture(scope="module")
def direct(pairs: Pairs) -> Direct:
    """What each SDK raises of its own vendor."""
    found = {}
    for ask in SDKS:
        for stream in (False, True):
            for status in STATUSES:
                pairs.set(fault=f"status:{status}:7")
                found[name_of(ask), stream, status] = raised(ask, pairs.mock.url, stream=stream)
    return found


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("ask", SDKS, ids=name_of)
def test_an_error_status_raises_what_it_raises_of_the_own_vendor(
    ask: Asking, upstream: str, stream: bool, pairs: Pairs, direct: Direct
) -> None:
    wanted, found = {}, {}
    for status in STATUSES:
        pairs.set(fault=f"status:{status}:7")
        through = raised(ask, pairs.gateways[upstream].url, stream=stream)
        told = sent_head(pairs).get(REQUEST_IDS.get(upstream, ""))
        assert f"told to answer {status}" in through.message
        own = direct[name_of(ask), stream, status]
        assert own.retry_after in {"7", None}
        found[status] = through._replace(message=ID.sub("", through.message))
        request_id = told if own.request_id else None  # only some SDKs tell it
        wanted[status] = own._replace(message=ID.sub("", own.message), request_id=request_id)
    assert found == wanted


PLAIN = {"ag-ui": "/agui", "agent-poc": "/chat", "text": "/generate"}
"""The endpoints of those who have no SDK."""

PLAIN_BODY = {
    "ag-ui": {
        "threadId": "t",
        "runId": "r",
        "state": {},
        "tools": [],
        "context": [],
        "forwardedProps": {"model": "m"},
        "messages": [{"id": "1", "role": "user", "content": "?"}],
    },
    "agent-poc": {"model": "m", "messages": [{"role": "user", "content": "?"}]},
    "text": {"model": "m", "prompt": "?"},
}


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("dialect", PLAIN)
def test_an_error_status_is_told_to_those_without_an_sdk(dialect: str, upstream: str, pairs: Pairs) -> None:
    for status in STATUSES:
        answers = []
        with httpx.Client(timeout=TIMEOUT_S, **NO_TLS) as client:
            for url in (pairs.mock.url, pairs.gateways[upstream].url):
                pairs.set(fault=f"status:{status}:7")
                answers.append(client.post(url + PLAIN[dialect], json=PLAIN_BODY[dialect]))
        own, through = answers
        assert through.status_code == status
        assert through.headers["retry-after"] == "7"
        assert through.headers["content-type"] == own.headers["content-type"]
        assert through.json() == own.json()


NO_SUCH_MODEL = {
    **dict.fromkeys(("chat", "complete", "respond"), openai.NotFoundError),
    "message": anthropic.NotFoundError,
    **dict.fromkeys(("llama_chat", "llama_generate"), ollama.ResponseError),
    "gemini": errors.ClientError,
}


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("ask", SDKS, ids=name_of)
def test_a_model_that_the_upstream_does_not_have_is_not_found(ask: Asking, upstream: str, strict: Pairs) -> None:
    for stream in (False, True):
        strict.set()
        through = raised(ask, strict.gateways[upstream].url, stream=stream)
        own = json.loads(strict.entries()[-1]["sent"].partition("\r\n\r\n")[2])["error"]
        assert (through.kind, through.status) == (NO_SUCH_MODEL[name_of(ask)], 404)
        assert (own if isinstance(own, str) else own["message"]) in through.message  # in the upstream's words


# ------------------------------------------------------------------------------------------------- behind its beginning

FAULTS = {
    "error": "error:the owl has flown@token:2",
    "error-then-end": "error-then-end:the owl has flown@token:2",
    "reset": "reset@token:2",
    "close": "close@token:2",
    "end": "end@token:2",
    "no-terminator": "no-terminator",
    "bad-json": "bad-json@token:2",
    "reset-before-head": "reset@before-head",
    "reset-after-head": "reset@after-head",
    "close-before-terminator": "close@before-terminator",
}
"""What the upstream does; all of them are failures."""

BEFORE = {"reset-before-head"}
"""Where there is no stream yet, and the answer is a 502."""

FLOWN = "the owl has flown"


@pytest.fixture(scope="module")
def failures(pairs: Pairs) -> Mapping[str, Failed]:
    """What each reader makes of an error that its own vendor sends; of documents, of one that comes as a status."""
    found = {}
    for name, (dialect, read) in READERS.items():
        pairs.set(say=SAID, fault="status:502" if name.endswith("-document") else FAULTS["error"])
        failed = read(url_below(pairs.mock.url, dialect))
        assert isinstance(failed, Failed)
        found[name] = failed
    return found


CONVERTED = [(name, upstream) for name in READERS for upstream in UPSTREAMS if is_converted(READERS[name][0], upstream)]
"""What is not converted is up to the SDK: `test_python_sdks.py` has that."""

NO_FORM = {"text"}
"""Whose streams can only break off."""


@pytest.mark.parametrize(("name", "upstream"), CONVERTED)
def test_an_answer_that_fails_is_never_taken_for_a_whole_one(
    name: str, upstream: str, pairs: Pairs, failures: Mapping[str, Failed]
) -> None:
    dialect, read = READERS[name]
    own = failures[name].kind
    for fault, setting in FAULTS.items():
        pairs.set(say=SAID, fault=setting)
        found = read(url_below(pairs.gateways[upstream].url, dialect))
        assert isinstance(found, Failed), (fault, found)
        assert {entry["dialect"] for entry in pairs.entries()} == {upstream}
        if fault in BEFORE or dialect in NO_FORM:
            continue
        # Google's error says that it is overloaded, which Anthropic's SDK has a class for.
        kinds = {own, "ServiceUnavailableError"} if name == "anthropic-document" else {own}
        assert found.kind in kinds, fault
        if fault.startswith("error"):
            assert FLOWN in found.message
