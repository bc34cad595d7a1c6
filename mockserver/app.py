"""The server: what becomes of a request, from its last byte to the end of its answer.

Everything that is decided is decided by pure functions; here they are called in their order, with what only a running
server has: the clock, the counters, the journal, the gates.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from mockserver import admin
from mockserver.ask import Ask
from mockserver.compose import error_response, json_response
from mockserver.config.grammar import Layer, Pair, layer_of
from mockserver.config.scenarios import Scenarios
from mockserver.faults.spec import Fault
from mockserver.gates import Gates
from mockserver.journal import Entry, Journal
from mockserver.pacer import Pacer
from mockserver.perform import Performer, Slots
from mockserver.plan import Client, Plan, header_layer, is_large, is_long, plan_of, understood
from mockserver.response import Response
from mockserver.seeds import request_seed
from mockserver.settings import Settings
from mockserver.splits import Cuts, script_of
from mockserver.tokens import count_tokens
from streamkit.errors import ConfigError
from streamkit.http.clock import now_ns
from streamkit.http.head import BadHead
from streamkit.http.limits import Limits
from streamkit.http.server import plain_refusal
from streamkit.vendors import Facts, find
from streamkit.vendors.question import Question, RefusedError, question_of

if TYPE_CHECKING:
    from mockserver.recording.replay import Replay
    from mockserver.script import Script
    from streamkit.http.server import Exchange, Request
    from streamkit.http.stream import WireStream

__all__ = ["MockServer", "ServerConfig"]

MAX_COUNTED: Final = 100_000
"""How many different requests, and faults, are counted apart. After so many others one counts as new again."""


DEFAULTS: Final = Settings()


@dataclass(frozen=True)
class ServerConfig:
    """What a server is started with.

    Attributes:
        settings: the command line's layer, over the scenario file's defaults and the built-in ones.
        created_ns: the wall clock, pinned, in ns since 1970; None for the real one.
        models: the names of the models that there are; None if any name will do.
        slots: how many answers are worked on at once, None for no bound.
        replay: what every request is answered from instead, where something was recorded.
        script: what is done for every request instead, byte by byte.
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
    script: Script | None = None
    admin_token: str = ""


class MockServer:
    """One mock server: what is chosen, what has been counted, and what was done.

    Attributes:
        url: where it listens, empty before it does.
        journal, gates, slots: see their classes.
        admin_pairs: the settings that the admin API has set, as they were written.
        running: how many requests are being answered.
    """

    def __init__(self, config: ServerConfig, journal: Journal | None = None) -> None:
        self.config = config
        self.url = ""
        self.journal = Journal() if journal is None else journal
        self.gates = Gates()
        self.slots = Slots(config.slots)
        self._performer = Performer(self.gates, Pacer())
        self.admin_pairs: list[Pair] = []
        self._admin_layer = Layer()
        self.running = 0
        self.forget()

    def configure(self, pairs: list[Pair]) -> None:
        """Set what the admin API sets, in place of what it has set before.

        Raises:
            ConfigError: a setting is wrong; nothing was changed.
        """
        self._admin_layer = layer_of(pairs, "admin")
        self._befallen.pop("admin", None)
        self.admin_pairs = pairs

    def forget(self) -> None:
        """Set back whatever depends on earlier requests, so that the next one is the first again; release who waits."""
        self._requests: Counter[bytes] = Counter()
        self._befallen: dict[str, Counter[Fault]] = {}
        self._counts: Counter[str] = Counter()
        self.journal.clear()
        self.gates.clear()
        if self.config.replay is not None:
            self.config.replay.reset()

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            body = await exchange.read_body()
        except BadHead as error:
            await self._refuse(exchange, error)
            return
        question = self._question(exchange.request, body)
        if admin.is_for(question):
            await self._send(exchange, admin.answer(self, question), question)
            return
        entry = self._entry_of(exchange, question)
        self.running += 1
        try:
            perform: Callable[[], Awaitable[None]]
            if self.config.script is not None:
                perform = partial(self._performer.perform, self.config.script, exchange, entry, writes="acked")
            elif self.config.replay is None:
                perform = await self._planned(exchange, question, entry)
            else:
                perform = self._replayed(self.config.replay, exchange, question, entry)
            # A stream may live long, and there may be thousands: what nobody asks for any more is let go of.
            del question, body
            exchange.request.head, exchange.request.headers = b"", []
            await perform()
        except BaseException:
            if entry.outcome == "running":
                entry.outcome = "error"
            raise
        finally:
            self.running -= 1
            self.journal.end(entry, now_ns())

    async def _planned(self, exchange: Exchange, question: Question, entry: Entry) -> Callable[[], Awaitable[None]]:
        """Return what performs the answer."""
        facts = Facts(models=self.config.models, created_ns=self._wall_ns(), count_tokens=count_tokens)
        # What takes long goes to a thread: other streams have deadlines.
        understand = partial(understood, question, facts)
        asked = await trio.to_thread.run_sync(understand) if is_large(question) else understand()
        seed = self._seed_of(asked.key)
        chosen: Settings | ConfigError
        scope = ""
        try:
            settings, own_seed, scope = self._settings_for(question, asked.ask, entry)
            chosen = settings
            seed = seed if own_seed is None else own_seed
        except ConfigError as error:
            chosen, settings = error, self.config.settings
        client = Client(exchange.request.version, exchange.keep_alive)
        befallen = self._befallen.setdefault(scope, Counter())
        make = partial(plan_of, question, asked, chosen, seed, facts, client, self.config.seed, befallen)
        plan: Plan = await trio.to_thread.run_sync(make) if is_long(asked.ask, settings) else make()
        while len(befallen) > MAX_COUNTED:
            del befallen[next(iter(befallen))]
        entry.seed, entry.faults, entry.notes = plan.seed, plan.faults, plan.response.notes
        entry.status = plan.response.status
        if asked.ask is not None:
            entry.dialect, entry.model = asked.ask.dialect, asked.ask.model
        is_work = asked.ask is not None and plan.response.status == 200  # a refusal is given at once
        return partial(
            self._performer.perform,
            plan.script,
            exchange,
            entry,
            writes=settings.writes,
            half_close=settings.half_close,
            slots=self.slots if is_work else None,
        )

    def _replayed(
        self, replay: Replay, exchange: Exchange, question: Question, entry: Entry
    ) -> Callable[[], Awaitable[None]]:
        """Return what performs what was recorded."""
        recorded = replay.answer(question)
        if recorded is None:
            entry.status = 404
            refused = json_response({"error": {"message": replay.why_none(question)}}, 404)
            script = script_of(
                refused, Cuts(), 0, version=exchange.request.version, wants_keep_alive=exchange.keep_alive
            )
            return partial(self._performer.perform, script, exchange, entry)
        # What was read apart has to be read apart again, so each write waits until the client's kernel has the last.
        return partial(self._performer.perform, recorded, exchange, entry, writes="acked")

    def _settings_for(self, question: Question, ask: Ask | None, entry: Entry) -> tuple[Settings, int | None, str]:
        """Put the layers on each other; see `mockserver.config.grammar` for their order.

        Returns:
            The settings, the seed that they set, and whose the faults are, for those are counted apart.

        Raises:
            ConfigError: the request's own layer makes no sense.
        """
        settings, seed, scope = self.config.settings, None, ""
        layers = [("admin", self._admin_layer), ("header", header_layer(question.headers.get("x-mock", "")))]
        if self.config.scenarios is not None:
            model, prompt = (ask.model, ask.prompt) if ask else ("", "")
            scenario = self.config.scenarios.match(question.path, model, prompt, question.headers, self._counts)
            if scenario is not None:
                entry.scenario = scenario.name
                layers.insert(0, (f"scenario {scenario.name}", scenario.layer))
        for name, layer in layers:
            settings = layer.on(settings)
            seed = seed if layer.seed is None else layer.seed
            scope = scope if layer.faults is None else name
        return settings, seed, scope

    def _seed_of(self, key: bytes) -> int:
        """Return the seed of the next request with this key."""
        if len(self._requests) >= MAX_COUNTED and key not in self._requests:
            del self._requests[next(iter(self._requests))]
        ordinal = self._requests[key]
        self._requests[key] += 1
        return request_seed(self.config.seed, key, ordinal)

    def refuse(self, status: int, reason: str, stream: WireStream) -> bytes:
        """Return the answer to what is no request at all, and note it."""
        entry = self.journal.begin()
        entry.peer, entry.status, entry.outcome, entry.error = stream.peer, status, "refused", reason
        entry.arrived_ns = entry.origin_ns = now_ns()
        data = plain_refusal(status, reason, stream)
        entry.wrote(entry.origin_ns, entry.origin_ns, entry.origin_ns, data, 0)
        self.journal.end(entry, now_ns())
        return data

    async def _refuse(self, exchange: Exchange, error: BadHead) -> None:
        """Answer a request whose body is too long, late or broken, in its vendor's words."""
        question = self._question(exchange.request)
        entry = self._entry_of(exchange, question)
        entry.error = error.reason
        refused = RefusedError(error.status, error.reason)
        response = error_response(refused, find(question).dialect, (("X-Mock-Seed", str(self.config.seed)),))
        entry.status = error.status
        exchange.keep_alive = False
        script = script_of(response, Cuts(), 0, version=exchange.request.version, wants_keep_alive=False)
        try:
            await self._performer.perform(script, exchange, entry, half_close=True)
        finally:
            entry.outcome = "refused" if entry.outcome == "complete" else entry.outcome
            self.journal.end(entry, now_ns())

    def _entry_of(self, exchange: Exchange, question: Question) -> Entry:
        request = exchange.request
        entry = self.journal.begin()
        entry.peer = exchange.stream.peer
        entry.connection = request.connection
        entry.method = request.method
        entry.asked(request.target, request.headers, question.body)
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
        await self._performer.perform(script, exchange, unwritten)

    @staticmethod
    def _question(request: Request, body: bytes = b"") -> Question:
        return question_of(request.method, request.path, request.query, request.headers, body)

    def _wall_ns(self) -> int:
        return time.time_ns() if self.config.created_ns is None else self.config.created_ns
