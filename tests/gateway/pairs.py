"""Every client dialect before every upstream dialect: one mock server, and a gateway before it for each that it speaks.

The mock has one seed for all requests, so that its words are the same in all of its dialects. What an SDK sees of the
mock in its own vendor's dialect is what it has to see through a gateway, up to what the upstream's dialect cannot
carry (`tests.dialects.referees.carried`), and what the tables of the tests name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

from mockserver.app import ServerConfig
from mockserver.config.scenarios import Scenarios
from mockserver.open import MockInThread, mockserver_in_thread
from streamkit.dialects.requests import ChatRequest
from streamkit.gateway.config import SPEAKABLE
from streamkit.vendors import Facts, find
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading
from tests.dialects.referees import View, view
from tests.dialects.sdks import (
    CHAT_TOOLS,
    QUESTION,
    REFEREES,
    TIMEOUT_S,
    ChatPieces,
    Referee,
    no_proxies,
    openai_client,
    referee,
)
from tests.gateway.in_thread import GatewayInThread, gateway_in_thread
from tests.mockserver.sdk_documents import DOCUMENTS, entries_of
from tests.mockserver.verdicts import FIND, LOOK, PATHS, SAID

__all__ = [
    "ANSWERS",
    "CLIENTS",
    "READERS",
    "UPSTREAMS",
    "Pairs",
    "asked_in",
    "is_converted",
    "open_pairs",
    "spoken_to",
    "url_below",
]

UPSTREAMS: Final = SPEAKABLE

ALONGSIDE: Final = {("ollama-generate", "ollama-chat")}
"""Clients that find their own endpoint at a server that is asked in another dialect by all others."""

SEEDED: Final = Scenarios.load_text("[[scenario]]\nseed = 1\n")

CALLS: Final = [f"{name}:{json.dumps(arguments)}" for name, arguments in (LOOK, FIND)]

UNICODE: Final = "Grüße 🦉👩\u200d🚀 e\u0301\u2028 from\r\n\tthe \ufeff mock \x7f\u0000?"
"""Line separators, what is more than one code point, a byte order mark in the middle, controls."""

ANSWERS: Final[Mapping[str, dict[str, Any]]] = {
    "text": {"say": SAID},
    "unicode": {"say": UNICODE},
    "thoughts": {"say": SAID, "reasoning": 3},
    "call": {"say": SAID, "call": CALLS[:1]},
    "calls": {"say": SAID, "reasoning": 3, "call": CALLS},
    "length": {"say": SAID, "finish": "length"},
    "filter": {"say": SAID, "finish": "content_filter"},
    "empty": {"say": ""},
}
"""What is answered, as settings. Who can be offered no tools gets the text instead of calls."""


@dataclass
class Pairs:
    """A mock server, and the gateways before it.

    Attributes:
        mock: speaks every dialect.
        gateways: by the dialect in which they ask it.
        dropped: the last answers' `X-Streamkit-Dropped`, as `noting_dropped` notes them.
    """

    mock: MockInThread
    gateways: Mapping[str, GatewayInThread]
    _direct: dict[tuple[str, str], Any] = field(default_factory=dict)

    def set(self, **settings: Any) -> None:  # noqa: ANN401 - the mock's own words
        """Set how the mock answers, and forget what was asked."""
        self.mock.reset()
        self.mock.configure(**settings)

    def entries(self) -> list[dict[str, Any]]:
        """Return the journal, once all answers are over."""
        return entries_of(self.mock)

    def direct(self, name: str, answer: str) -> View:
        """Return what a reader sees of the mock itself."""
        key = name, answer
        if key not in self._direct:
            dialect, read = READERS[name]
            self.set(**ANSWERS[answer])
            self._direct[key] = read(url_below(self.mock.url, dialect))
        found = self._direct[key]
        assert isinstance(found, View), found
        return found


@contextmanager
def open_pairs(**options: Any) -> Iterator[Pairs]:  # noqa: ANN401 - of `ServerConfig`
    """Run a mock, and five gateways before it, while the block runs; the gateways must not fail meanwhile."""
    config = ServerConfig(scenarios=SEEDED, **options)
    with no_proxies(), mockserver_in_thread(config) as mock, ExitStack() as stack:
        gateways = {name: stack.enter_context(gateway_in_thread(mock.url, speaks=name)) for name in UPSTREAMS}
        yield Pairs(mock, gateways)
        for name, gateway in gateways.items():
            assert [record for record in gateway.records if record.outcome == "failed"] == [], name


def is_converted(dialect: str, upstream: str) -> bool:
    """Tell whether anything is translated between a client and an upstream."""
    return dialect != upstream and (dialect, upstream) not in ALONGSIDE


def spoken_to(upstream: str, dialect: str) -> str:
    """Return the dialect in which a client's question comes to an upstream."""
    return upstream if is_converted(dialect, upstream) else dialect


def url_below(url: str, dialect: str) -> str:
    """Return the base URL that the SDK of a dialect is given, for a server's own."""
    return url + PATHS.get(dialect, "")


# ---------------------------------------------------------------------------------------- clients that are nobody's SDK


def posted(url: str, body: object) -> str:
    """Post a question, and return the whole answer; what is no answer is raised."""
    with httpx.Client(trust_env=False, timeout=TIMEOUT_S, verify=False) as client:  # noqa: S501 - there is no TLS
        response = client.post(url, json=body)
    response.raise_for_status()
    return response.text


class AgentError(Exception):
    """The stream says itself that it has failed, or has no end."""


@referee
def view_of_agent_poc(base_url: str) -> View:
    """What the service's page shows: the text, once the end has come."""
    text: list[str] = []
    finish = None
    answer = posted(f"{base_url}/chat", {"model": "m", "messages": [{"role": "user", "content": "?"}]})
    for line in answer.split("\n"):
        if not line.startswith("data: "):
            assert not line or line.startswith(":"), line
            continue
        event = json.loads(line[6:])
        kind, data = event["type"], event.get("data") or {}
        if kind == "text_message":
            text.append(data["content"])
        elif kind == "error":
            raise AgentError(data["message"])
        elif kind == "end":
            finish = data.get("status", "completed")
    if finish is None:
        raise AgentError
    return view(text, (), (), finish, None)


@referee
def view_of_text(base_url: str) -> View:
    """The body; how it ends is all that tells whether it is whole."""
    return view([posted(f"{base_url}/generate", {"model": "m", "prompt": "?"})], (), (), "stop", None)


@referee
def view_of_chat_usage(base_url: str) -> View:
    """Chunk by chunk, with the token counts, which only come to those who ask for them."""
    pieces = ChatPieces()
    options: Any = {"stream_options": {"include_usage": True}}
    with (
        openai_client(base_url) as client,
        client.chat.completions.create(
            model="m", messages=QUESTION, tools=CHAT_TOOLS, stream=True, **options
        ) as stream,
    ):
        for chunk in stream:
            pieces.add(chunk)
    return pieces.view()


@referee
def view_of_completions_usage(base_url: str) -> View:
    """The same of the older completions."""
    options: Any = {"stream_options": {"include_usage": True}}
    with openai_client(base_url) as client:
        chunks = list(client.completions.create(model="m", prompt="?", stream=True, **options))
    last = chunks[-1]
    assert last.choices == []
    assert last.usage is not None
    choices = [choice for chunk in chunks for choice in chunk.choices]
    finish = next(choice.finish_reason for choice in reversed(choices) if choice.finish_reason)
    counts = last.usage.prompt_tokens, last.usage.completion_tokens
    return view([choice.text for choice in choices], (), (), finish, counts)


STREAMS: Final[Mapping[str, tuple[Referee, ...]]] = {
    **REFEREES,
    "agent-poc": (view_of_agent_poc,),
    "text": (view_of_text,),
}

READERS: Final[Mapping[str, tuple[str, Referee]]] = {
    **{
        f"{dialect}-{number}" if number else dialect: (dialect, read)
        for dialect, all_ in STREAMS.items()
        for number, read in enumerate(all_)
    },
    "openai-chat-usage": ("openai-chat", view_of_chat_usage),
    "openai-completions-usage": ("openai-completions", view_of_completions_usage),
    **{f"{dialect}-document": (dialect, read) for dialect, read in DOCUMENTS.items()},
}
"""Who reads streams and documents of which dialect."""

CLIENTS: Final = tuple(STREAMS)


# ----------------------------------------------------------------------------------------------- what was really asked


def asked_in(entry: Mapping[str, Any]) -> ChatRequest:
    """Return what an entry of the journal asks for, as the vendor's own reader reads it, with nothing left over."""
    parts = urlsplit(entry["target"])
    question = Question(
        method=entry["method"],
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query)),
        headers={name.lower(): value for name, value in entry["headers"]},
        body=json.dumps(entry["body"]).encode(),
    )
    found = find(question).read(question, Facts(None, time.time_ns()))
    assert isinstance(found, Reading), found
    assert found.leftovers == ()
    return found.request
