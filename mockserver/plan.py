"""From a request to the script of its answer, through all the pure functions in their order. Pure itself.

What only a running server knows comes in as values: the time, the seed, the settings, how often a fault has befallen.
Some of it takes long for a huge request or answer (`is_large`, `is_long`); a server does that in a thread.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from mockserver.ask import Ask, ask_of
from mockserver.canonical import canonical_body
from mockserver.compose import Identity, error_response, json_response, respond
from mockserver.config.grammar import Layer, layer_of, parse_header
from mockserver.faults.spec import Fault, fault_text
from mockserver.response import Headers, Record, Response
from mockserver.resume import seed_of
from mockserver.script import Script
from mockserver.seeds import request_key, sub_seed
from mockserver.settings import Settings
from mockserver.splits import Cuts, framing_of, script_of
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import ConfigError, LimitExceeded
from streamkit.http.redact import is_secret_parameter
from streamkit.vendors import Facts, Found, find, headers_of, id_of
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading

__all__ = ["Asked", "Client", "Plan", "header_layer", "is_large", "is_long", "plan_of", "understood"]

LARGE_BODY_BYTES: Final = 256 * 1024
LONG_TOKENS: Final = 10_000
MADE_UP_TOKENS: Final = 4_000  # what is made from a schema has at most about as many
"""From where on it takes 10 ms and more to read a request, or to go through an answer."""


@dataclass(frozen=True)
class Asked:
    """What a request was understood as.

    Attributes:
        found: its endpoint.
        value: an `Ask`, a `RefusedError`, or the answer itself, a JSON value.
        key: what it has in common with equal requests.
    """

    found: Found
    value: object
    key: bytes

    @property
    def ask(self) -> Ask | None:
        return self.value if isinstance(self.value, Ask) else None


@dataclass(frozen=True)
class Client:
    """What the client's HTTP lets an answer be.

    Attributes:
        version: "1.0" or "1.1".
        wants_keep_alive: whether it lets the connection live on.
    """

    version: str
    wants_keep_alive: bool


@dataclass(frozen=True)
class Plan:
    """What is going to be done, and what the journal says of it."""

    script: Script
    response: Response
    seed: int
    faults: tuple[str, ...] = ()


def is_large(question: Question) -> bool:
    """Tell whether understanding a request takes long."""
    return len(question.body) > LARGE_BODY_BYTES


def is_long(ask: Ask | None, settings: Settings) -> bool:
    """Tell whether planning an answer takes long: an answer may be long, and is gone through before it begins."""
    if ask is None:
        return False
    tokens = max(64 if settings.tokens is None else settings.tokens, len(settings.said or "") // 2)
    tokens = max(tokens, ask.prompt_tokens if settings.echo else 0)
    if ask.tools or ask.schema is not None:
        tokens = max(tokens, MADE_UP_TOKENS)
    tokens += settings.reasoning
    if ask.max_tokens is not None:
        tokens = min(tokens, ask.max_tokens)
    return tokens * ask.choices > LONG_TOKENS


def understood(question: Question, facts: Facts) -> Asked:
    """Read a request."""
    found = find(question)
    value: object
    try:
        value = found.read(question, facts)
        value = ask_of(value) if isinstance(value, Reading) else value
    except RefusedError as error:
        value = error.with_traceback(None)  # which would keep the decoded body alive, in a circle
        error.__context__ = error.__cause__ = None
    pairs = sorted((name, each) for name, each in question.query.items() if not is_secret_parameter(name))
    target = f"{question.path}?{'&'.join([f'{name}={each}' for name, each in pairs])}"
    return Asked(found, value, request_key(question.method, target, canonical_body(question.body)))


@lru_cache(maxsize=256)
def header_layer(text: str) -> Layer:
    """Return the layer that an X-Mock header sets.

    Raises:
        ConfigError: it makes no sense.
    """
    return layer_of(parse_header(text), "header") if text else Layer()


def plan_of(  # noqa: PLR0917 - each of them is another kind of thing
    question: Question,
    asked: Asked,
    settings: Settings | ConfigError,
    seed: int,
    facts: Facts,
    client: Client,
    server_seed: int,
    befallen: Counter[Fault],
) -> Plan:
    """Plan the answer.

    Args:
        question: the request.
        asked: what it was understood as.
        settings: everything that is chosen; or what is wrong with the client's own settings.
        seed: the request's.
        facts: what is true of the server.
        client: what its HTTP allows.
        server_seed: told in the header X-Mock-Seed.
        befallen: how often each fault has befallen that is for the first so many; counted on here.
    """
    echoed: Headers = (("X-Mock-Seed", str(server_seed)),)
    ask = asked.ask
    if isinstance(settings, ConfigError):
        chosen, refused = Settings(), RefusedError(400, f"X-Mock: {settings}")
        response = refusal(refused, asked.found.dialect, seed, echoed)
    elif isinstance(asked.value, RefusedError):
        chosen, response = settings, refusal(asked.value, asked.found.dialect, seed, echoed)
    elif ask is None:
        chosen, response = settings, json_response(asked.value, headers=echoed)
    else:
        last_event_id = question.headers.get("last-event-id", "") if settings.ids else ""
        resumed_seed = seed_of(last_event_id)
        seed = seed if resumed_seed is None else resumed_seed
        chosen = settings
        headers = (*headers_of(ask.dialect, sub_seed(seed, "request-id"), stream=ask.stream), *echoed)
        identity = Identity(id_of(ask.dialect, sub_seed(seed, "id")), facts.created_ns, headers)
        try:
            response = respond(ask, settings, seed, identity, last_event_id=last_event_id)
        except LimitExceeded as error:
            response = refusal(RefusedError(400, f"X-Mock: {error}"), ask.dialect, seed, echoed)
    if chosen.gzip == "always" or (chosen.gzip == "accepted" and accepts_gzip(question)):
        response = replace(response, gzip=True)
    faults: tuple[str, ...] = ()
    if chosen.faults:
        response, faults = with_faults(question, asked, response, chosen, seed, client, befallen)
    script = script_of(
        response,
        Cuts(chosen.records, chosen.chunks, chosen.split),
        sub_seed(seed, "cuts"),
        version=client.version,
        wants_keep_alive=client.wants_keep_alive,
        head_only=question.method == "HEAD",
        date=formatdate(facts.created_ns / 1e9, usegmt=True),
    )
    return Plan(script, response, seed, faults)


def refusal(refused: RefusedError, dialect: str, seed: int, echoed: Headers) -> Response:
    """Return an error with the headers that the vendor sends with it."""
    headers = headers_of(dialect, sub_seed(seed, "request-id"), stream=False)
    return error_response(refused, dialect, (*headers, *echoed))


def accepts_gzip(question: Question) -> bool:
    """Tell whether the client takes gzip (RFC 9110, 12.5.3)."""
    for each in question.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() in {"gzip", "x-gzip", "*"}:
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False


def with_faults(  # noqa: PLR0917 - as `plan_of`
    question: Question,
    asked: Asked,
    response: Response,
    settings: Settings,
    seed: int,
    client: Client,
    befallen: Counter[Fault],
) -> tuple[Response, tuple[str, ...]]:
    """Return the response with the faults that befall it, and which these are."""
    from mockserver.faults.table import Context, befall  # an idle server does without

    ask = asked.ask
    dialect = DIALECTS[ask.dialect if ask else asked.found.dialect]

    def failure(status: int, message: str) -> tuple[Headers, bytes]:
        framing = ask.framing if ask and ask.stream else ""
        told = tuple((name, value) for name, value in response.headers if name == "request-id")
        made = error_response(RefusedError(status, message, framing=framing), dialect.name, told)
        first = next(iter(made.steps))
        assert isinstance(first, Record)  # noqa: S101 - a document has one record
        return made.headers, first.data

    context = Context(
        dialect,
        ask.framing if ask and ask.stream else "",
        sub_seed(seed, "faults"),
        failure,
        version=client.version,
        head_only=question.method == "HEAD",
    )
    response = replace(response, framing=framing_of(response, client.version))
    response, done = befall(response, settings.faults, context, befallen)
    return response, tuple(map(fault_text, done))
