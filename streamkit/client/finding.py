"""Which dialect a server speaks, where its URL does not tell: it is asked what every server of a kind answers.

Two questions at most, and none that costs a token: `GET /api/version` (Ollama), `GET /v1/models` (OpenAI, and all who
copied it).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import trio

from streamkit.client.answer import read_into, refusal_of
from streamkit.client.asking import plain_request
from streamkit.client.timeouts import Deadlines
from streamkit.client.transport import HTTPRequest, Transport
from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.errors import (
    ConfigError,
    ConnectError,
    ConnectTimeout,
    IdleTimeout,
    RemoteError,
    StatusError,
    TotalTimeout,
)
from streamkit.http.origin import Origin

__all__ = ["ask_dialect"]

PROBE_S: Final = 10.0
"""How long a server may take to answer such a question, where neither first token nor silence may take less."""

WANTS_A_KEY: Final = {401, 403}


def _has_version(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("version"), str)


def _has_models(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("data"), list)


PROBES: Final[tuple[tuple[str, str, Callable[[object], bool]], ...]] = (
    ("/api/version", "ollama-chat", _has_version),
    ("/v1/models", "openai-chat", _has_models),
)
"""What is asked, in this order; the dialect of who answers; what the answer looks like."""


async def ask_dialect(
    transport: Transport,
    origin: Origin,
    url_path: str,
    *,
    headers: list[tuple[str, str]],
    api_key: str,
    deadlines: Deadlines,
) -> str:
    """Return the dialect that a server says it speaks.

    Raises:
        ConfigError: it is a server that knows neither question; the error says what to do.
        ConnectError, ConnectTimeout: there is no connection.
        StatusError: it wants to know first who asks; or it fails, whatever it is asked.
        ProtocolError, DisconnectedError, StreamTimeout: it gives no answer at all.
    """
    path = url_path.partition("?")[0].rstrip("/")
    base = path.removesuffix("/v1").removesuffix("/api")
    failures: list[RemoteError] = []
    for probe, dialect, is_it in PROBES:
        request = plain_request(origin, base + probe, headers, api_key)
        try:
            if is_it(await _asked(transport, request, deadlines)):
                return dialect
        except (ConnectError, ConnectTimeout, TotalTimeout):
            raise
        except StatusError as error:
            if error.status in WANTS_A_KEY:
                raise
            failures.append(error)
        except RemoteError as error:
            failures.append(error)
    if len(failures) == len(PROBES):
        raise failures[0]
    raise ConfigError(
        f"which dialect {origin.url} speaks shows neither in its URL nor in what it answers to GET /api/version and "
        "/v1/models; name the dialect, for instance openai-chat"
    )


async def _asked(transport: Transport, request: HTTPRequest, deadlines: Deadlines) -> object:
    """Return the JSON value that a server answers with; None where it has none.

    Raises:
        StatusError: it fails, or wants a key.
        StreamTimeout: it says nothing, or not all of it, in time.
        RemoteError: what `Transport.open` raises.
    """
    limits = deadlines.timeouts
    probe_s = min(PROBE_S, limits.first_token_s or PROBE_S, limits.idle_s or PROBE_S)
    response = None
    with deadlines.waiting(), trio.move_on_after(probe_s):
        response = await transport.open(request, connect_s=limits.connect_s)
    if response is None:
        raise IdleTimeout(probe_s)
    async with aclosing(response):
        status = response.info.status
        if status >= 500 or status in WANTS_A_KEY:
            raise await refusal_of(response, request, deadlines)
        body = bytearray()
        if status == 200:
            await read_into(body, response, deadlines)
        return _json(bytes(body))


def _json(body: bytes) -> object:
    try:
        return decode_checked(body)
    except JSONTextError:
        return None
