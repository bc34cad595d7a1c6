"""`open_chat`: from a URL and a question to the stream of the answer."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal, TypedDict, Unpack
from uuid import uuid4

from streamkit.client.answer import check_answer, refusal_of
from streamkit.client.asking import Headers, check_texts, headers_of, request_of, split_url, tools_of
from streamkit.client.chat import Chat
from streamkit.client.finding import ask_dialect
from streamkit.client.own import HTTPTransport
from streamkit.client.timeouts import Deadlines, Timeouts
from streamkit.client.transport import Transport
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES, check_limit
from streamkit.dialects.endpoints import dialect_of, framing_of, model_of
from streamkit.dialects.message import Message
from streamkit.dialects.registry import get_dialect
from streamkit.dialects.requests import ChatMessage, ChatRequest, ResponseSchema, Tool, messages_of
from streamkit.errors import ConfigError
from streamkit.http.client import Tap

if TYPE_CHECKING:
    import httpx

__all__ = ["RequestOptions", "open_chat"]

DEFAULT_TIMEOUTS: Final = Timeouts()


class RequestOptions(TypedDict, total=False):
    """What a request may say besides model, messages and tools; `ChatRequest` says what each means."""

    tool_choice: str
    parallel_tool_calls: bool | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    seed: int | None
    stop: list[str]
    frequency_penalty: float | None
    presence_penalty: float | None
    n: int | None
    response_format: ResponseSchema | Literal["json"] | None
    reasoning: bool | str | None
    include_usage: bool
    id: str
    extra: dict[str, object]


@asynccontextmanager
async def open_chat(
    url: str,
    *,
    messages: str | Sequence[Mapping[str, object] | ChatMessage | Message],
    dialect: str = "auto",
    model: str = "",
    system: str = "",
    tools: Sequence[Tool | Mapping[str, object]] = (),
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    transport: Transport | httpx.AsyncClient | Literal["httpx"] | None = None,
    headers: Headers = (),
    api_key: str = "",
    tls: ssl.SSLContext | None = None,
    on_read: Tap | None = None,
    max_message_bytes: int | None = DEFAULT_LIMIT_BYTES,
    max_record_bytes: int | None = DEFAULT_LIMIT_BYTES,
    **options: Unpack[RequestOptions],
) -> AsyncIterator[Chat]:
    """Ask an LLM endpoint, and have its answer as a stream while the block runs.

    ::

        async with open_chat("http://localhost:11434", model="llama3.2", messages="Why is the sky blue?") as chat:
            async for event in chat:
                if isinstance(event, Text):
                    print(event.text, end="", flush=True)

    The next turn has the answer in it::

        question = {"role": "user", "content": "Why is the sky blue?"}
        messages = [question, chat.message, {"role": "user", "content": "Is it?"}]

    The block begins as soon as the head of the response is there. Leaving it closes the connection, at once where the
    answer is not whole. Every error is raised as it is, never in an exception group, here or by the `Chat`.

    Args:
        url: of the endpoint, or of the server or base below which it is (`https://api.openai.com/v1`).
        messages: a text, which is the user's, or the conversation in the usual form
            (`[{"role": "user", "content": "..."}, ...]`), in which a `chat.message` may stand as it is.
        dialect: a name of `streamkit dialects`; by default the URL tells, or else the server is asked.
        model: its name, as the server knows it.
        system: what the model is told before the conversation.
        tools: what it may call: `Tool`, or an object with name, description and parameters.
        timeouts: see `Timeouts`.
        transport: None for our own HTTP/1.1; "httpx" for environment proxies, redirects and HTTP/2; or an
            `HTTPTransport` or `httpx.AsyncClient` of yours, which stays open.
        headers: of the request; they take the place of ours of the same name.
        api_key: goes into the header that the dialect has for it.
        tls: what is trusted; by default what the system trusts.
        on_read: sees every read of the response, head and framing included where the transport is our own.
        max_message_bytes: the most that `chat.message` keeps; an answer over it fails. None lifts the limit.
        max_record_bytes: the longest record of the stream; None lifts the limit.
        options: see `RequestOptions`. A server that keeps conversations (AG-UI, AI SDK) takes each chat for a new one,
            except where `id` says which one it is.

    Raises:
        ConfigError: something of this makes no sense; nothing was asked.
        ConnectError, ProtocolError, DisconnectedError: there is no connection, or nothing that speaks HTTP/1.1.
        StatusError: the server refuses, and says why.
        DecodeError: the server answers with something else than a stream; a `ReportedError` where that is an error.
        StreamTimeout: something took too long.
    """
    wrong = options.keys() - RequestOptions.__annotations__.keys()
    if wrong:
        msg = f"open_chat() got an unexpected keyword argument {min(wrong)!r}"
        raise TypeError(msg)
    check_texts(url=url, dialect=dialect, model=model, system=system, api_key=api_key)
    if not isinstance(timeouts, Timeouts):
        raise ConfigError(f"timeouts: expected Timeouts(...), not a value of type {type(timeouts).__name__}")
    check_limit(max_record_bytes, "max_record_bytes")
    check_limit(max_message_bytes, "max_message_bytes")
    origin, url_path = split_url(url)
    fields = headers_of(headers)
    conversation = messages_of(messages)
    if system:
        conversation = [ChatMessage("system", system), *conversation]
    options["id"] = options.get("id") or uuid4().hex
    asked = ChatRequest(
        messages=conversation, model=model or model_of(url_path), tools=tools_of(tools), stream=True, **options
    )
    carrier = _transport_of(transport, tls)
    deadlines = Deadlines(timeouts)
    if dialect == "auto":
        known = dialect_of(origin.authority, url_path)
        if known is None:
            known = await ask_dialect(carrier, origin, url_path, headers=fields, api_key=api_key, deadlines=deadlines)
        dialect = known
    row, framing = get_dialect(dialect)
    request, dropped = request_of(
        row, framing, asked, origin=origin, url_path=url_path, headers=fields, api_key=api_key
    )
    decoder = row.decoder(framing=framing_of(request.target) or framing, max_record_bytes=max_record_bytes)
    with deadlines.waiting():
        response = await carrier.open(
            request, connect_s=timeouts.connect_s, on_sending=deadlines.sending, on_read=deadlines.hearing(on_read)
        )
    async with aclosing(response):
        if response.info.status >= 300:
            raise await refusal_of(response, request, deadlines)
        held = await check_answer(response, request, decoder, deadlines)
        chat = Chat(
            response,
            decoder,
            request=request,
            deadlines=deadlines,
            dropped=dropped,
            held=held,
            max_message_bytes=max_message_bytes,
        )
        async with chat:
            yield chat


def _transport_of(
    transport: Transport | httpx.AsyncClient | Literal["httpx"] | None, tls: ssl.SSLContext | None
) -> Transport:
    """Return what carries the request.

    Raises:
        ConfigError: there is no such transport, or it is not installed, or it has its own idea of trust.
    """
    if transport is None:
        return HTTPTransport(tls=tls)
    from streamkit.client.httpx_transport import HTTPXTransport, is_client

    if isinstance(transport, str):
        if transport != "httpx":
            raise ConfigError(f"there is no transport {transport!r}; there is 'httpx', and our own without a name")
        return HTTPXTransport(tls=tls)
    if tls is not None:
        raise ConfigError("tls is for a transport that is made here; the one that is given has its own")
    return HTTPXTransport(transport) if is_client(transport) else transport
