"""Asks the upstream, in its dialect, what a client has asked in any.

What is asked for is a stream in every case: of one document nobody would notice that its client has left.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import msgspec
import trio

from streamkit.client.answer import check_answer, read_body, refusal_of
from streamkit.client.asking import plain_request, request_of
from streamkit.client.chat import Chat
from streamkit.client.own import HTTPTransport
from streamkit.client.timeouts import Deadlines, Timeouts
from streamkit.client.transport import HTTPRequest, HTTPResponse
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES
from streamkit.dialects.decoder import Decoder
from streamkit.dialects.endpoints import target_of
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import ConfigError, DecodeError, StatusError, StreamTimeout
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.crossing import asked_headers, key_in
from streamkit.gateway.losses import check_leftovers, check_losses
from streamkit.gateway.seals import unsealed
from streamkit.http.origin import Origin
from streamkit.http.pool import Pool
from streamkit.http.stream import TimedRead
from streamkit.vendors.models import models_in, models_path
from streamkit.vendors.question import RefusedError
from streamkit.vendors.reading import Reading

__all__ = ["Answer", "Asker"]

STREAM_TYPES = {"text/event-stream": "sse", "application/x-ndjson": "ndjson", "application/ndjson": "ndjson"}
"""The media types that leave no doubt about a stream's framing."""


NO_THINKING: Final = re.compile(r"does not support thinking")
"""What Ollama says of a model that cannot think (server/routes.go)."""

NOTHING: Final = frozenset({204, 205})
"""The statuses of successes without a body."""

LARGE_MESSAGES: Final = 1000
LARGE_CHARACTERS: Final = 500_000


@dataclass
class Answer:
    """The beginning of what the upstream answers: a stream of its dialect, whose head is there.

    Attributes:
        response: its body is to be read.
        request: what was sent.
        decoder: new, of the upstream's dialect.
        dropped: what of the question stayed behind, by name.
        held: what was read of the body already.
        deadlines: of this exchange.
    """

    response: HTTPResponse
    request: HTTPRequest
    decoder: Decoder
    dropped: list[str]
    held: list[TimedRead]
    deadlines: Deadlines


class Asker:
    """Asks one upstream.

    Args:
        config: the gateway's; it has to say what the upstream speaks.
        pool: the connections to it.
        name: what `Via` calls the gateway.
    """

    def __init__(self, config: GatewayConfig, pool: Pool, name: str = "streamkit") -> None:
        self._config = config
        self._transport = HTTPTransport(pool=pool)
        self._via = ("Via", f"1.1 {name}")
        upstream = config.upstream
        self._origin = Origin(upstream.scheme, upstream.host, upstream.port)

    @asynccontextmanager
    async def chat(
        self, reading: Reading, headers: Sequence[tuple[str, str]], *, keeps_message: bool = False
    ) -> AsyncIterator[Chat]:
        """Ask, and have the answer as neutral events while the block runs.

        Leaving the block before the answer's end aborts the connection upstream, at once.

        Args:
            reading: what is asked.
            headers: the client's, without those that are meant for the gateway alone; a key among them goes on.
            keeps_message: whether the whole answer is kept, up to `DEFAULT_LIMIT_BYTES`; otherwise only its error is.

        Raises:
            RefusedError: it cannot be asked in the upstream's dialect.
            RemoteError: the upstream cannot be reached (`ConnectError`), refuses (`StatusError`), answers with
                something else (`DecodeError`), or takes too long (`StreamTimeout`).
        """
        async with self.answer(reading, headers) as answer:
            chat = Chat(
                answer.response,
                answer.decoder,
                request=answer.request,
                deadlines=answer.deadlines,
                dropped=answer.dropped,
                held=answer.held,
                max_message_bytes=DEFAULT_LIMIT_BYTES,
                keeps_message=keeps_message,
            )
            async with chat:
                yield chat

    @asynccontextmanager
    async def answer(self, reading: Reading, headers: Sequence[tuple[str, str]]) -> AsyncIterator[Answer]:
        """Ask, and have the answer as the upstream sends it; otherwise as `chat`.

        A model that cannot think refuses whoever asks it to, and many clients always do: it is asked once more without.
        """
        async with AsyncExitStack() as stack:
            try:
                begun = await stack.enter_async_context(self._begun(reading, headers))
            except StatusError as error:
                if not (reading.request.reasoning and error.status == 400 and NO_THINKING.search(error.message)):
                    raise
                plain = msgspec.structs.replace(reading.request, reasoning=None)
                begun = await stack.enter_async_context(self._begun(replace(reading, request=plain), headers))
                begun.dropped.append("reasoning")
            yield begun

    @asynccontextmanager
    async def _begun(self, reading: Reading, headers: Sequence[tuple[str, str]]) -> AsyncIterator[Answer]:
        """Ask once, and have the beginning of a stream."""
        make = partial(self._request_of, reading, headers)
        request, dropped = await trio.to_thread.run_sync(make) if _is_large(reading) else make()
        row = DIALECTS[self._config.speaks]
        decoder = row.decoder()
        response, deadlines = await self._open(request)
        answer = Answer(response, request, decoder, dropped, [], deadlines)
        async with aclosing(response):
            answer.held = await _check(answer)
            yield answer

    async def models(self, headers: Sequence[tuple[str, str]]) -> list[str]:
        """Return the names of the upstream's models, as it lists them.

        Args:
            headers: the client's; a key among them goes on.

        Raises:
            RemoteError: it has no such list, or cannot be asked.
        """
        config = self._config
        target = target_of(models_path(config.speaks), config.upstream.path, config.speaks)
        key = config.upstream_key or key_in(headers)
        crossing = [*asked_headers([*headers]), self._via]
        request = plain_request(self._origin, target, crossing, key, dialect=config.speaks)
        response, deadlines = await self._open(request)
        async with aclosing(response):
            if response.info.status >= 300:
                raise await refusal_of(response, request, deadlines)
            return models_in(config.speaks, await read_body(response, deadlines))

    def _request_of(self, reading: Reading, headers: Sequence[tuple[str, str]]) -> tuple[HTTPRequest, list[str]]:
        """Return the request for the upstream, and what stays behind of the client's.

        Raises:
            RefusedError: what would stay behind may not, or the upstream's dialect has no form for what is asked.
        """
        config = self._config
        named = check_leftovers(reading.leftovers)
        model = config.upstream_model(reading.request.model)
        if not model:
            message = "model: none is named, and this gateway has none for such requests (--model-map '*=NAME')"
            raise RefusedError(400, message, param="model")
        messages, foreign = unsealed(reading, config.speaks)
        asked = msgspec.structs.replace(
            reading.request, model=model, messages=[*messages], stream=True, include_usage=True
        )
        row = DIALECTS[config.speaks]
        try:
            request, dropped = request_of(
                row,
                row.framings[0],
                asked,
                origin=self._origin,
                url_path=config.upstream.path,
                headers=[*asked_headers([*headers]), self._via],
                api_key=config.upstream_key or key_in(headers),
            )
        except ConfigError as error:
            raise RefusedError(400, str(error)) from None
        return request, named + check_losses(list(dict.fromkeys([*dropped, *foreign])), row.name)

    async def _open(self, request: HTTPRequest) -> tuple[HTTPResponse, Deadlines]:
        config = self._config
        deadlines = Deadlines(Timeouts(connect_s=None, idle_s=_limit(config.idle_timeout_s)))
        with trio.move_on_after(config.head_timeout_s):
            response = await self._transport.open(
                request,
                connect_s=_limit(config.connect_timeout_s),
                on_sending=deadlines.sending,
                on_read=deadlines.hearing(None),
            )
            return response, deadlines
        raise StreamTimeout(config.head_timeout_s)


async def _check(answer: Answer) -> list[TimedRead]:
    """See whether it is a stream of its dialect; return what had to be read of its body for that.

    Raises:
        RemoteError: it is none, as `Asker.chat` tells.
    """
    info, decoder = answer.response.info, answer.decoder
    if info.status >= 300:
        raise await refusal_of(answer.response, answer.request, answer.deadlines)
    if info.status in NOTHING:
        raise _wrong_dialect(f"the upstream answers {info.status}, which is no answer", decoder.dialect)
    held = await check_answer(answer.response, answer.request, decoder, answer.deadlines)
    if STREAM_TYPES.get(info.media_type, decoder.framing) != decoder.framing:
        reason = f"the upstream answers in {info.media_type}: does it speak {decoder.dialect}?"
        raise _wrong_dialect(reason, decoder.dialect)
    return held


def _wrong_dialect(reason: str, dialect: str) -> DecodeError:
    return DecodeError(reason, stage=dialect, record=None, offset=None, code="wrong-dialect")


def _is_large(reading: Reading) -> bool:
    """Tell whether writing the request takes so long that it has to be done in a thread."""
    messages = reading.request.messages
    return len(messages) > LARGE_MESSAGES or sum(len(each.text) for each in messages) > LARGE_CHARACTERS


def _limit(limit_s: float) -> float | None:
    return None if math.isinf(limit_s) else limit_s
