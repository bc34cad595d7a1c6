"""A mock server as a process, and the plainest client there is.

`Served` waits for the ready line and gives the URL; leaving the block kills what is still running. `exchange` is one
request with the standard library's client, `raw` whatever bytes on a socket, read to the end.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from tests.cli.harness import DEADLINE_S, Filter, Result

__all__ = ["CHAT", "STREAM", "Reply", "Served", "connected", "exchange", "raw", "wire"]

CHAT: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "Say it."}]}
STREAM: dict[str, object] = {**CHAT, "stream": True}


class Served(Filter):
    """A server that runs, once the block is entered.

    Attributes:
        ready: what its line of JSON said.
    """

    def __init__(
        self,
        *arguments: str,
        command: tuple[str, ...] = ("mockserver",),
        listen: tuple[str, ...] = ("--port", "0"),
        env: Mapping[str, str] | None = None,
        via: str | None = None,
    ) -> None:
        super().__init__(*command, *arguments, *listen, "--ready-json", env=env, via=via)
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.until(lambda: b"\n" in self.out or not self._open, "say that it is ready")
            assert b"\n" in self.out, f"it has ended: {self.err.decode()}"
            self.ready = json.loads(self.out)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port
        return port

    def terminate(self) -> Result:
        """Send SIGTERM and return how it ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


def connected(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Return a connection that waits no longer than `DEADLINE_S` for anything."""
    return socket.create_connection((host, port), DEADLINE_S)


def exchange(
    port: int,
    path: str = "/v1/chat/completions",
    body: object = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> Reply:
    """Ask on a connection of its own."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    try:
        client.request(method or ("GET" if body is None else "POST"), path, content, dict(headers or {}))
        response = client.getresponse()
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        client.close()


def wire(path: str = "/v1/chat/completions", body: object = None, mock: str = "", more: str = "") -> bytes:
    """Return a request's bytes; `more` are whole header lines."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}"
    head += f"X-Mock: {mock}\r\n" if mock else ""
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def raw(port: int, request: bytes, *, then_eof: bool = False) -> bytes:
    """Send bytes, and return all that come until the server closes; what a reset leaves counts too."""
    got = bytearray()
    with connected(port) as client:
        client.sendall(request)
        if then_eof:
            client.shutdown(socket.SHUT_WR)
        try:
            while data := client.recv(65536):
                got += data
        except ConnectionResetError:
            pass
    return bytes(got)
