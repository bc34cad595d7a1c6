"""Asking the vendors' readers, by hand and by SDK: a request in, what was understood or refused out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mockserver.ask import Ask, ask_of
from mockserver.tokens import count_tokens
from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.events import End, Event, Finish, PartEnd, PartStart, Start, Text, Usage
from streamkit.dialects.failure import Failure
from streamkit.dialects.message import MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from streamkit.vendors import Facts, find, id_of
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading

ANY = Facts(created_ns=1_700_000_000_000_000_000, count_tokens=count_tokens)

ANSWER: tuple[Event, ...] = (
    *(PartStart(0, "text"), Text(0, "Hello"), Text(0, " you"), PartEnd(0)),
    *(Usage(3, 2), Finish("stop"), End()),
)


def is_newer(package: str, known: str) -> bool:
    """Tell whether an SDK is newer than the one after which a table was made.

    It may know more then, and the next release of a vendor is no reason for a red test: what is new has to be left
    over by the reader, which the tests of the tables ask instead.
    """
    return [*map(int, version(package).split("."))] > [*map(int, known.split("."))]


def question(
    method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None, *, raw: bytes = b""
) -> Question:
    parts = urlsplit(target)
    data = raw if body is None else json.dumps(body).encode()
    return Question(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers or {}, data)


def answer(asked: Question, facts: Facts = ANY) -> object:
    return find(asked).read(asked, facts)


def reading(target: str, body: object, facts: Facts = ANY, headers: Mapping[str, str] | None = None) -> Reading:
    """What is read of a POST."""
    found = answer(question("POST", target, body, headers), facts)
    assert isinstance(found, Reading), found
    return found


def ask(target: str, body: object, facts: Facts = ANY) -> Ask:
    """What the mock understands of a POST."""
    found = asked_in(answer(question("POST", target, body), facts))
    assert isinstance(found, Ask), found
    return found


def asked_in(found: object) -> object:
    """What the mock makes of what was read."""
    return ask_of(found) if isinstance(found, Reading) else found


def left_in(found: Reading) -> list[tuple[str, str | None]]:
    """Where the leftovers are, and why they are refused."""
    return [
        (".".join(map(str, left.path)), None if left.refusal is None else left.refusal.message)
        for left in found.leftovers
    ]


@dataclass(frozen=True)
class Refusal:
    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def error(self) -> Any:  # noqa: ANN401 - it is JSON
        return self.body["error"]


def refusal(asked: Question, facts: Facts = ANY) -> Refusal:
    """What the client is told of a request that must be refused."""
    found = find(asked)
    try:
        value = found.read(asked, facts)
    except RefusedError as error:
        return Refusal(error.status, body_of(error, found.dialect), error.headers)
    raise AssertionError(f"it was not refused: {value}")


def refused(target: str, body: object, facts: Facts = ANY) -> Refusal:
    return refusal(question("POST", target, body), facts)


def body_of(error: RefusedError, dialect: str) -> object:
    failure = Failure(error.status, error.message, error.type, error.error_code, error.param, framing=error.framing)
    return DIALECTS[dialect].failure(failure)


@dataclass
class Service:
    """The readers behind an SDK's transport; each answer is the same sentence."""

    facts: Facts = ANY
    asks: list[Ask] = field(default_factory=list)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Return status, media type, and body."""
        asked = question(method, target, headers=headers, raw=body)
        found = find(asked)
        try:
            value = asked_in(found.read(asked, self.facts))
        except RefusedError as error:
            return error.status, "application/json", encode_value(body_of(error, found.dialect))
        if not isinstance(value, Ask):
            return 200, "application/json", encode_value(value)
        self.asks.append(value)
        return self._answer(value)

    def _answer(self, ask: Ask) -> tuple[int, str, bytes]:
        dialect = DIALECTS[ask.dialect]
        events = (Start(id_of(ask.dialect, 1), ask.model, extra=dict(ask.echoed)), *ANSWER)
        if ask.stream:
            encoder = dialect.encoder(framing=ask.framing, include_usage=ask.include_usage)
            return 200, dialect.media_type(ask.framing), b"".join(encoder.feed_many(events))
        accumulator = MessageAccumulator()
        accumulator.feed_many(events)
        return 200, "application/json", encode_value(dialect.document(accumulator.message))
