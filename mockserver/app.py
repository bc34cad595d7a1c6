"""The server: what becomes of a request, from its last byte to the end of its answer.

Everything that is decided is decided by pure functions; here they are called in their order, with what only a running
server has: the clock, the counters, the journal, the gates.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from mockserver import admin
from mockserver.ask import Ask, Question, RefusedError
from mockserver.canonical import canonical_body
from mockserver.compose import Identity, error_response, json_response, respond
from mockserver.config.grammar import Layer, Pair, layer_of, parse_header
from mockserver.config.scenarios import Scenarios
from mockserver.faults.spec import Fault, fault_text
from mockserver.faults.table import Context, apply_faults, befalls
from mockserver.gates import Gates
from mockserver.journal import Entry, Journal
from mockserver.perform import Slots, perform
from mockserver.response import Headers, Record, Response
from mockserver.resume import seed_of
from mockserver.seeds import request_key, request_seed, sub_seed
from mockserver.settings import Settings
from mockserver.splits import Cuts, script_of
from mockserver.vendors import Facts, Found, find, headers_of, id_of
from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import ConfigError
from streamkit.http.clock import now_ns
from streamkit.http.limits import Limits
from streamkit.http.redact import redacted_headers, redacted_target

if TYPE_CHECKING:
    from mockserver.recording.replay import Replay
    from streamkit.http.server import Exchange, Request

__all__ = ["MockServer", "ServerConfig"]

MAX_COUNTED: Final = 100_000
"""How many different requests are counted apart. One that comes after so many others counts as new again."""

JOURNAL_BODY_BYTES: Final = 65536


DEFAULTS: Final = Settings()


@dataclass(frozen=True)
class ServerConfig:
    """What a server is started with.

    Attributes:
        settings: the command line's layer, over the scenario file's defaults and the built-in ones.
        created_ns: the wall clock, pinned, in ns since 1970; None for the real one.
        models: the names of the models that there are; None if any name will do.
        slots: how many answers are worked on at once, None for no bound.
        admin_token: what the admin API wants to be told; empty: nothing.
    """

    settings: Settings = DEFAULTS
    scenarios: Scenarios | None = None
    seed: int = 0
    created_ns: int | None = None
    models: tuple[str, ...] | None = None
    slots: int | None = None
    limits: Limits = field(default_factory=Limits)
    replay: Replay | None = None
    admin_token: str = ""


class MockServer:
    """One mock server: what is chosen, what has been counted, and what was done.

    Attributes:
        url: where it listens, empty before it does.
        journal, gates, slots: see their classes.
        admin_pairs: the settings that the admin API has set, as they were written.
    """

    def __init__(self, config: ServerConfig, journal: Journal | None = None) -> None:
        self.config = config
        self.url = ""
        self.journal = Journal() if journal is None else journal
        self.gates = Gates()
        self.slots = Slots(config.slots)
        self.admin_pairs: list[Pair] = []
        self._admin_layer = Layer()
        self._running = 0
        self.forget()

    @property
    def running(self) -> int:
        """How many requests are being answered."""
        return self._running

    def configure(self, pairs: list[Pair]) -> None:
        """Set what the admin API sets, in place of what it has set before.

        Raises:
            ConfigError: a setting is wrong; nothing was changed.
        """
        self._admin_layer = layer_of(pairs, "admin")
        self.admin_pairs = pairs

    def forget(self) -> None:
        """Set back whatever depends on earlier requests, so that the next one is the first again."""
        self._requests: Counter[bytes] = Counter()
        self._befallen: Counter[Fault] = Counter()
        self._counts: Counter[str] = Counter()
        self.journal.clear()
        if self.config.replay is not None:
            self.config.replay.reset()

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        question = question_of(exchange.request, await exchange.read_body())
        if admin.is_for(question):
            await self._send(exchange, admin.answer(self, question), question)
            return
        entry = self._entry_of(exchange.request, question)
        entry.peer = exchange.stream.peer
        self._running += 1
        try:
            await self._answer(exchange, question, entry)
        except BaseException:
            if entry.outcome == "running":
                entry.outcome = "error"
            raise
        finally:
            self._running -= 1
            self.journal.end(entry, now_ns())

    async def _answer(self, exchange: Exchange, question: Question, entry: Entry) -> None:
        settings = self.config.settings
        request = exchange.request
        replay = self.config.replay
        script = replay.answer(question) if replay else None
        if script is None:
            if replay:
                response, seed = json_response({"error": {"message": replay.why_none(question)}}, 404), 0
            else:
                settings, response, seed = self._respond(question, entry)
            entry.notes = response.notes
            entry.status = response.status
            script = script_of(
                response,
                Cuts(settings.records, settings.chunks, settings.split),
                sub_seed(seed, "cuts"),
                version=request.version,
                wants_keep_alive=exchange.keep_alive,
                head_only=request.method == "HEAD",
                date=formatdate(self._wall_ns() / 1e9, usegmt=True),
            )
        # What was read apart has to be read apart again, so each write waits until the client's kernel has the last.
        writes = "acked" if replay else settings.writes
        await perform(script, exchange, entry, gates=self.gates, writes=writes, slots=self.slots)

    def _respond(self, question: Question, entry: Entry) -> tuple[Settings, Response, int]:
        """Return the settings that hold for a request, its response, and its seed."""
        entry.seed = seed = self._seed_of(question)
        echoed: Headers = (("X-Mock-Seed", str(self.config.seed)), ("X-Mock-Request", str(entry.number)))
        found = find(question)
        try:
            return self._answered(question, found, entry, seed, echoed)
        except RefusedError as error:
            refused = error
        except ConfigError as error:
            refused = RefusedError(400, f"X-Mock: {error}")
        headers = (*headers_of(found.dialect, seed, stream=False), *echoed)
        return self.config.settings, error_response(refused, found.dialect, headers), seed

    def _answered(
        self, question: Question, found: Found, entry: Entry, seed: int, echoed: Headers
    ) -> tuple[Settings, Response, int]:
        """Do as `_respond` does, where nothing is refused.

        Raises:
            RefusedError: the vendor would refuse the request.
            ConfigError: a setting of this very request is wrong.
        """
        wall_ns = self._wall_ns()
        asked = found.read(question, Facts(models=self.config.models, created_ns=wall_ns))
        ask = asked if isinstance(asked, Ask) else None
        settings, own_seed = self._settings_for(question, ask, entry)
        last_event_id = question.headers.get("last-event-id", "") if settings.ids else ""
        resumed_seed = seed_of(last_event_id)
        if resumed_seed is not None:
            seed = resumed_seed
        elif own_seed is not None:
            seed = own_seed
        entry.seed = seed
        if ask is None:
            return settings, json_response(asked, headers=echoed), seed
        entry.dialect, entry.model = ask.dialect, ask.model
        headers = (*headers_of(ask.dialect, seed, stream=ask.stream), *echoed)
        identity = Identity(id_of(ask.dialect, seed), wall_ns, headers)
        response = respond(ask, settings, seed, identity, last_event_id=last_event_id)
        if settings.gzip == "accepted" and "gzip" in question.headers.get("accept-encoding", ""):
            response = replace(response, gzip=True)
        return settings, self._with_faults(response, settings, seed, ask, entry), seed

    def _with_faults(self, response: Response, settings: Settings, seed: int, ask: Ask, entry: Entry) -> Response:
        faults = tuple(fault for fault in settings.faults if self._befalls(fault, sub_seed(seed, "faults")))
        if not faults:
            return response
        entry.faults = tuple(map(fault_text, faults))

        def failure(status: int, message: str) -> tuple[Headers, bytes]:
            made = error_response(RefusedError(status, message), ask.dialect)
            first = next(iter(made.steps))
            assert isinstance(first, Record)  # noqa: S101 - a document has one record
            return made.headers, first.data

        context = Context(DIALECTS[ask.dialect], ask.framing if ask.stream else "", sub_seed(seed, "faults"), failure)
        return apply_faults(response, faults, context)

    def _befalls(self, fault: Fault, seed: int) -> bool:
        """Tell whether a fault befalls a request; counts it, where the first so many are meant."""
        if not befalls(fault, seed):
            return False
        if fault.first is None:
            return True
        self._befallen[fault] += 1
        return self._befallen[fault] <= fault.first

    def _settings_for(self, question: Question, ask: Ask | None, entry: Entry) -> tuple[Settings, int | None]:
        """Put the layers on each other; see `mockserver.config.grammar` for their order."""
        settings, seed = self.config.settings, None
        layers = [self._admin_layer, header_layer(question.headers.get("x-mock", ""))]
        if self.config.scenarios is not None:
            model, prompt = (ask.model, ask.prompt) if ask else ("", "")
            scenario = self.config.scenarios.match(question.path, model, prompt, question.headers, self._counts)
            if scenario is not None:
                entry.scenario = scenario.name
                layers.insert(0, scenario.layer)
        for layer in layers:
            settings = layer.on(settings)
            seed = seed if layer.seed is None else layer.seed
        return settings, seed

    def _seed_of(self, question: Question) -> int:
        query = "&".join(f"{name}={value}" for name, value in sorted(question.query.items()) if name != "key")
        key = request_key(question.method, f"{question.path}?{query}", canonical_body(question.body))
        if len(self._requests) >= MAX_COUNTED and key not in self._requests:
            del self._requests[next(iter(self._requests))]
        ordinal = self._requests[key]
        self._requests[key] += 1
        return request_seed(self.config.seed, key, ordinal)

    def _entry_of(self, request: Request, question: Question) -> Entry:
        entry = self.journal.begin()
        entry.connection = request.connection
        entry.method, entry.target = request.method, redacted_target(request.target)
        entry.headers = redacted_headers(request.headers)
        entry.body = shown_body(question.body)
        entry.arrived_ns, entry.kernel_ns = request.arrived_ns, request.kernel_ns
        entry.origin_ns = entry.arrived_ns if entry.kernel_ns is None else entry.kernel_ns
        return entry

    async def _send(self, exchange: Exchange, response: Response, question: Question) -> None:
        """Send an answer that is none of the mock's own business: no settings, no journal."""
        script = script_of(
            response,
            Cuts(),
            0,
            version=exchange.request.version,
            wants_keep_alive=exchange.keep_alive,
            head_only=question.method == "HEAD",
        )
        unwritten = Entry(0, max_writes=0, max_bytes=0)
        unwritten.origin_ns = exchange.request.arrived_ns
        await perform(script, exchange, unwritten, gates=self.gates)

    def _wall_ns(self) -> int:
        return time.time_ns() if self.config.created_ns is None else self.config.created_ns


@lru_cache(maxsize=256)
def header_layer(text: str) -> Layer:
    """Return the layer that an X-Mock header sets.

    Raises:
        ConfigError: it makes no sense.
    """
    return layer_of(parse_header(text), "header") if text else Layer()


def question_of(request: Request, body: bytes) -> Question:
    """Return a request as the vendors' readers want it."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        lower = name.lower()
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    query: Mapping[str, str] = dict(parse_qsl(request.query, keep_blank_values=True)) if request.query else {}
    return Question(request.method, request.path, query, headers, body)


def shown_body(body: bytes) -> object:
    """Return a body as the journal shows it: JSON as a value, anything else as text, nothing too large."""
    if len(body) > JOURNAL_BODY_BYTES:
        return f"({len(body)} bytes)"
    try:
        return decode_checked(body) if body else None
    except JSONTextError:
        return body.decode("utf-8", "replace")
