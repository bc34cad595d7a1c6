"""One request in the manner of its vendor: read, asked, and its answer converted as it comes, or told as one document.

What the client is told of a failure is in its own dialect's form: before the answer begins with the upstream's status,
behind that as the last record of the stream. A dialect that has no such record ends by an abort, as a broken stream
does.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec
import trio

from streamkit.client.transport import MIN_SECRET
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES
from streamkit.dialects.convert import Converter
from streamkit.dialects.failure import Failure
from streamkit.dialects.refusals import masked
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import RemoteError, StatusError, StreamkitError
from streamkit.gateway.asker import Asker
from streamkit.gateway.config import ANY_MODEL, GatewayConfig
from streamkit.gateway.converting import Conversion, Down
from streamkit.gateway.crossing import answer_headers, key_in
from streamkit.gateway.failures import failure_of, family_of
from streamkit.gateway.guard import KEY_PARAMETER, QUERY_KEY
from streamkit.gateway.losses import DROPPED_HEADER, dropped_value
from streamkit.gateway.record import Outcome, Record
from streamkit.gateway.retouch import Retouch
from streamkit.gateway.seals import Seals, carries_seals, message_with_marks
from streamkit.gateway.sending import send_json, send_whole
from streamkit.gateway.translated import document_of, outcome_of, stream_head, told_by, with_retry_after
from streamkit.http.clock import now_ns
from streamkit.http.exchange import Exchange
from streamkit.vendors import Facts, Found, id_of
from streamkit.vendors.question import Question, RefusedError, question_of
from streamkit.vendors.reading import Reading

__all__ = ["LARGE_BODY_BYTES", "Job"]

HEALTH_S: Final = 2.0
"""How long the upstream may take to show that it is there."""

LARGE_BODY_BYTES: Final = 256 * 1024
"""A body that is longer is read in a thread: it may take a second, and other streams go on."""

FIRST_ID: Final = b"id: 1\n\n"
"""What a page's EventSource keeps, and sends when it comes back: so the model is not asked again."""

MAX_MESSAGE: Final = 2000
"""How many characters of an error's message a client is told."""

Headers = list[tuple[str, str]]


class Job:
    """One request that is being answered."""

    def __init__(
        self,
        exchange: Exchange,
        record: Record,
        found: Found,
        config: GatewayConfig,
        asker: Asker,
        *,
        added: Sequence[tuple[str, str]],
        dropped: frozenset[str],
        is_last: Callable[[], bool],
    ) -> None:
        self.exchange = exchange
        self.is_left = False
        self._record = record
        self._found = found
        self._config = config
        self._asker = asker
        self._added = added
        self._dropped = dropped
        self._is_last = is_last
        self._secrets: list[str] = []

    async def run(self, body: bytes) -> None:
        """Answer; a client that is gone by then is not an error."""
        request = self.exchange.request
        question = question_of(request.method, request.path, request.query, request.headers, body)
        self._record.request_bytes = len(body)
        try:
            await self._answer(question)
        except RefusedError as error:
            await self.refuse(error, "refused")
        except StreamkitError as error:
            await self._fail(error)
        except trio.BrokenResourceError:
            self.is_left = True

    async def _answer(self, question: Question) -> None:
        headers = self._asked_headers(question)
        self._secrets = [key for key in (self._config.upstream_key, key_in(headers)) if len(key) >= MIN_SECRET]
        read = partial(self._found.read, question, await self._facts(headers))
        is_large = len(question.body) > LARGE_BODY_BYTES
        said = await trio.to_thread.run_sync(read) if is_large else read()
        if not isinstance(said, Reading):
            self._record.outcome = "ok"
            await self._send(200, said)
        elif question.method == "HEAD":  # nobody would get the answer, so nobody is asked
            self._record.outcome = "ok"
            self._record.status = 200
            is_chunked, keeps = self._connection()
            head = stream_head(
                DIALECTS[said.dialect], said.framing, self._added, is_chunked=is_chunked, keep_alive=keeps
            )
            await self.exchange.stream.send_all(head)
        elif question.method == "GET" and "last-event-id" in question.headers:
            # An EventSource that comes back by itself behind the end of an answer: 204 stops it (WHATWG HTML, 9.2.3).
            self._record.outcome = "ok"
            await send_whole(self.exchange, self._record, 204, b"", self._added)
        elif said.request.stream:
            await self._send_stream(said, headers)
        else:
            await self._send_document(said, headers)

    async def _send_stream(self, reading: Reading, headers: Headers) -> None:
        exchange, record = self.exchange, self._record
        async with self._asker.answer(reading, headers) as answer:
            info = answer.response.info
            record.head_ns, record.reused = now_ns(), info.is_reused
            is_chunked, keeps = self._connection()
            exchange.keep_alive = False  # until the answer turns out to be whole
            head = stream_head(
                DIALECTS[reading.dialect],
                reading.framing,
                [*self._kept(info.headers, answer.dropped), *self._added],
                is_chunked=is_chunked,
                keep_alive=keeps,
            )
            record.status = 200
            down = Down(exchange.stream, record, is_chunked=is_chunked)
            is_page = exchange.request.method == "GET" and reading.framing == "sse"
            await exchange.stream.send_all(head)
            await down.send([FIRST_ID] if is_page else [])
            retouch = self._retouch(reading, self._secrets)
            converter = Converter(
                self._config.speaks,
                f"{reading.dialect}/{reading.framing}",
                max_record_bytes=DEFAULT_LIMIT_BYTES,
                stages=[retouch, *self._seals(reading)],
                message_id=message_id(reading.dialect),
                created_ns=time.time_ns(),
                include_usage=reading.request.include_usage,
            )
            conversion = Conversion(
                answer, converter, retouch, down=down, record=record, idle_s=self._config.idle_timeout_s
            )
            failure = await conversion.run()
        if failure is None:
            record.outcome = "ok"
        else:
            record.outcome, record.detail = outcome_of(failure), masked(str(failure), self._secrets)
        if failure is not None and conversion.is_torn:
            exchange.stream.abort()
        else:
            exchange.keep_alive = keeps

    async def _send_document(self, reading: Reading, headers: Headers) -> None:
        record = self._record
        retouch = self._retouch(reading, ())
        async with self._asker.chat(reading, headers, keeps_message=True) as chat:
            info = chat.response
            record.head_ns, record.reused = now_ns(), info.is_reused
            try:
                async for _ in chat:
                    record.first_ns = record.first_ns or now_ns()
            except RemoteError as error:
                raise told_by(chat.message, error) from None
        document = document_of(
            DIALECTS[reading.dialect],
            message_with_marks(chat.message, self._config.speaks, reading.dialect),
            model=retouch.model_of(chat.message.model),
            message_id=message_id(reading.dialect),
            now_ns=time.time_ns(),
            echoed=reading.echoed,
        )
        record.outcome = "ok"
        await self._send(200, document, self._kept(info.headers, chat.dropped))

    def _connection(self) -> tuple[bool, bool]:
        """Return whether the client takes chunks, and whether its connection lives on behind a stream."""
        is_chunked = self.exchange.request.version == "1.1"
        return is_chunked, self.exchange.keep_alive and is_chunked and not self._is_last()

    def _retouch(self, reading: Reading, secrets: Sequence[str]) -> Retouch:
        asked = reading.request.model
        is_mapped = self._config.upstream_model(asked) != asked
        return Retouch(model=asked if is_mapped else "", default_model=asked, echoed=reading.echoed, secrets=secrets)

    def _seals(self, reading: Reading) -> list[Seals]:
        speaks = self._config.speaks
        return [Seals(speaks, reading.dialect)] if carries_seals(speaks, reading.dialect) else []

    def _kept(self, headers: Sequence[tuple[str, str]], dropped: Sequence[str]) -> Headers:
        """Return the upstream's headers that go on, and the one that tells what of the request did not."""
        named = [(DROPPED_HEADER, dropped_value(dropped))] if dropped else []
        kept = answer_headers(headers, family_of(self._found.dialect))
        return [*((name, masked(value, self._secrets)) for name, value in kept), *named]

    def _asked_headers(self, question: Question) -> Headers:
        """Return the client's headers without those that are the gateway's; a key in the query is one of them."""
        headers = [each for each in self.exchange.request.headers if each[0].lower() not in self._dropped]
        key = question.query.get(KEY_PARAMETER)
        return [*headers, ("x-goog-api-key", key)] if key and QUERY_KEY not in self._dropped else headers

    async def _facts(self, headers: Headers) -> Facts:
        """Return what the endpoint has to know of the upstream."""
        kind, config, now_ns = self._found.endpoint.kind, self._config, time.time_ns()
        if kind == "models":
            own = [name for name in config.model_map if name != ANY_MODEL]
            models = await self._asker.models(headers)
            return config.facts(now_ns, models=tuple(dict.fromkeys([*own, *models])))
        return config.facts(now_ns, is_healthy=kind != "status" or await self._is_healthy(headers))

    async def _is_healthy(self, headers: Headers) -> bool:
        with suppress(RemoteError), trio.move_on_after(HEALTH_S):
            await self._asker.models(headers)
            return True
        return False

    async def refuse(self, error: RefusedError, outcome: Outcome) -> None:
        """Answer that the request is refused, in the manner of its vendor."""
        self._record.outcome, self._record.detail = outcome, error.message
        await self._send_failure(failure_of(error), [*error.headers])

    async def _fail(self, error: StreamkitError) -> None:
        """Answer that the upstream could not be asked, or refuses."""
        self._record.outcome, self._record.detail = outcome_of(error), masked(str(error), self._secrets)
        headers = with_retry_after(self._kept(error.headers, ()), error) if isinstance(error, StatusError) else []
        is_family = family_of(self._found.dialect) == family_of(self._config.speaks)
        await self._send_failure(failure_of(error, is_family=is_family), headers)

    async def _send_failure(self, failure: Failure, headers: Headers) -> None:
        told = {name.lower(): value for name, value in headers}
        message = masked(failure.message, self._secrets)[:MAX_MESSAGE]  # a client may put its whole body into it
        failure = msgspec.structs.replace(failure, message=message, request_id=told.get("request-id", ""))
        await self._send(failure.status, DIALECTS[self._found.dialect].failure(failure), headers)

    async def _send(self, status: int, value: object, headers: Headers | None = None) -> None:
        outcome = self._record.outcome
        self._record.outcome = "client-left"  # if it goes now, that is what it was
        await send_json(
            self.exchange, self._record, status, value, [*(headers or []), *self._added], is_last=self._is_last()
        )
        self._record.outcome = outcome


def message_id(dialect: str) -> str:
    """Return an id for an answer whose upstream gives none, in the form of the client's vendor."""
    return id_of(dialect, secrets.randbits(64))
