"""`streamkit inspect URL`: ask a server, and show what each read of the response's body brings."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import trio

from streamkit import __version__
from streamkit.cli.asking import api_key_in, trusted
from streamkit.cli.edge import BAD_INPUT, IO_FAILED, say
from streamkit.client.asking import headers_of, layered, split_url
from streamkit.client.asking import request_of as chat_request_of
from streamkit.client.own import HTTPTransport
from streamkit.client.transport import HTTPRequest
from streamkit.dialects.endpoints import auth_headers, dialect_of, model_of
from streamkit.dialects.registry import get_dialect
from streamkit.dialects.requests import ChatRequest, messages_of
from streamkit.errors import ConfigError, DisconnectedError, ProtocolError, RemoteError, StreamTimeout, TotalTimeout
from streamkit.http.clock import now_ns
from streamkit.http.origin import Origin, parse_origin
from streamkit.http.redact import redacted_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamkit.cli.inspect import Reader, View
    from streamkit.client.transport import HTTPResponse

__all__ = ["request_of", "url_reader"]

QUERY: Final = re.compile(r"[!-~]*")
METHOD: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

POSTED: Final = (
    *("/api/chat", "/api/generate", "/completions", "/responses", "/v1/messages"),
    *(":streamGenerateContent", ":generateContent"),
)
"""Ends of paths that only take a POST, whoever has them."""

POST_ONLY: Final = {404, 405}
"""What a server says to a GET where it only takes a POST; some do not know the path then."""

FIRST_BAD_STATUS: Final = 300
"""Redirects are not followed: they are shown, and refused as what was not asked for."""


def url_reader(url: str, view: View, options: dict[str, Any]) -> Reader:
    """Return what asks a server and shows what comes.

    Raises:
        ConfigError: the URL or an option says what cannot be.
    """
    request = request_of(url, options)
    asker = _Asker(request, HTTPTransport(tls=trusted(options["upstream_ca"])), view, options["connect_s"])

    async def read() -> None:
        total_s = options["total_s"]
        with trio.move_on_after(math.inf if total_s is None else total_s) as limit:
            await asker.ask()
        if limit.cancelled_caught:
            asker.failed("timeout", TotalTimeout(total_s))

    return read


class _Asker:
    """Sends one request and shows the reads of its response."""

    def __init__(self, request: HTTPRequest, transport: HTTPTransport, view: View, connect_s: float | None) -> None:
        self._request = request
        self._transport = transport
        self._view = view
        self._connect_s = connect_s
        self._sent_ns = now_ns()
        self._has_answered = False

    async def ask(self) -> None:
        """Do it; what goes wrong with the server becomes the end of the stream."""
        try:
            response = await self._transport.open(
                self._request, connect_s=self._connect_s, on_sending=self._note_sending
            )
            self._has_answered = True
            try:
                await self._show(response)
            finally:
                await response.aclose()
        except StreamTimeout as error:
            self.failed("timeout", error)
        except DisconnectedError as error:
            self.failed("reset" if error.is_reset else "fin", error)
        except RemoteError as error:
            self.failed("broken" if self._has_answered else "unreachable", error)

    def failed(self, how: str, error: RemoteError) -> None:
        """Keep that the response did not come to its end, and why."""
        is_cut = self._has_answered and isinstance(error, (DisconnectedError, ProtocolError))
        code = BAD_INPUT if is_cut else IO_FAILED
        self._view.ended(how, now_ns() - self._sent_ns, str(error), code=code, failure=str(error))

    def _note_sending(self) -> None:
        self._view.began_ns = self._sent_ns = now_ns()

    async def _show(self, response: HTTPResponse) -> None:
        view = self._view
        info = response.info
        coding = info.header("Content-Encoding")
        if coding and coding.lower() != "identity":
            say(f"the body is compressed ({coding}), which was not asked for: records cannot be seen in it")
        while (read := await response.receive()) is not None:
            await view.show(view.log.take(read, origin_ns=self._sent_ns))
        ended_ns = now_ns() - self._sent_ns
        if info.status < FIRST_BAD_STATUS:
            view.ended("complete", ended_ns)
            return
        refusal = f"the server answered with status {info.status} {info.reason}".rstrip()
        if location := info.header("Location"):
            refusal += f"; it points to {redacted_target(location)}"
        if self._request.method == "GET" and info.status in POST_ONLY:
            refusal += " to a GET; if it wants a POST, add --prompt TEXT or --data JSON"
        view.ended("complete", ended_ns, f"status {info.status}", code=IO_FAILED, failure=refusal)


def request_of(url: str, options: dict[str, Any]) -> HTTPRequest:
    """Return the request that the command line means.

    Raises:
        ConfigError: something in it cannot be.
    """
    if options["prompt"] is not None and options["data"] is not None:
        raise ConfigError("--prompt and --data are two bodies: give one of them")
    if options["prompt"] is not None:
        if not options["prompt"].strip():
            raise ConfigError("the prompt is empty")
        return chat_request(url, options["prompt"], options)
    if options["model"]:
        raise ConfigError("--model does nothing without --prompt: write it into --data")
    if "#" in url:
        raise ConfigError("the URL has a fragment (#...), which no server ever sees; leave it out")
    address, _, query = url.partition("?")
    origin = parse_origin(address, "URL")
    if not QUERY.fullmatch(query):
        raise ConfigError("the URL has characters in its query that must be percent-encoded")
    path = urlsplit(address).path or "/"
    named = options["dialect"]
    dialect = dialect_of(origin.authority, path) if named == "auto" else get_dialect(named)[0].name
    body = None if options["data"] is None else body_of(options["data"])
    method = options["method"] or ("GET" if body is None else "POST")
    if not METHOD.fullmatch(method):
        raise ConfigError(f"--method {method!r} is no method")
    if path.endswith(POSTED) and body is None and options["method"] is None:
        raise ConfigError(
            f"{path} is the endpoint of a chat, which takes a POST: add --prompt TEXT, or --data JSON"
            " (or --method GET, to ask all the same)"
        )
    key = api_key_in(options["api_key_env"])
    headers = auth_headers(dialect or "openai-chat", key, origin.authority)
    given = layered(headers, headers_of(options["headers"]))
    return plain_request(method, origin, f"{path}?{query}" if query else path, given, body)


def chat_request(url: str, prompt: str, options: dict[str, Any]) -> HTTPRequest:
    """Return the request that asks a model.

    Raises:
        ConfigError: it is not known which dialect the server speaks, or the dialect cannot ask this.
    """
    if options["method"] is not None:
        raise ConfigError("--method does nothing with --prompt, whose dialect has its own")
    origin, url_path = split_url(url)
    name = options["dialect"]
    if name == "auto":
        name = dialect_of(origin.authority, url_path)
        if name is None:
            raise ConfigError("which dialect the server speaks does not show in its URL: name it with --dialect")
    dialect, framing = get_dialect(name)
    asked = ChatRequest(messages=messages_of(prompt), model=options["model"] or model_of(url_path), id=uuid4().hex)
    request, dropped = chat_request_of(
        dialect,
        framing,
        asked,
        origin=origin,
        url_path=url_path,
        headers=headers_of(options["headers"]),
        api_key=api_key_in(options["api_key_env"]),
    )
    if dropped:
        say(f"{dialect.name} has no place for {', '.join(dropped)}")
    return request


def plain_request(
    method: str, origin: Origin, target: str, headers: Sequence[tuple[str, str]], body: bytes | None
) -> HTTPRequest:
    """Return a request with these headers, and with what every request has unless they say otherwise."""
    usual = [
        ("Host", origin.authority),
        ("User-Agent", f"streamkit/{__version__}"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        *([("Content-Type", "application/json"), ("Content-Length", str(len(body)))] if body is not None else ()),
    ]
    return HTTPRequest(method, origin, target, layered(usual, headers), body or b"")


def body_of(data: str) -> bytes:
    """Return the body that `--data` means: the text itself, a file's bytes for @FILE, standard input's for @-.

    Raises:
        ConfigError: the file cannot be read.
    """
    if not data.startswith("@"):
        return data.encode(errors="surrogateescape")
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise ConfigError(f"--data {data}: {(error.strerror or str(error)).lower()}") from None
