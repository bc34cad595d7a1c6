"""A plain HTTP client for tests of the mock server: one request, every read, by h11's book.

The reads are kept apart, because where they fall is what is tested.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import h11
import trio

from streamkit.http.stream import WireStream

__all__ = ["Answer", "ask", "request_bytes"]


@dataclass
class Answer:
    """What came back.

    Attributes:
        reads: every read of the connection, in order.
        body: content of the response, unchunked.
        is_whole: whether HTTP itself says that nothing is missing.
        error: how it ended where it is not.
        interim: the statuses of interim responses.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    interim: list[int] = field(default_factory=list)
    reads: list[bytes] = field(default_factory=list)
    is_whole: bool = False
    error: str = ""

    @property
    def wire(self) -> bytes:
        return b"".join(self.reads)

    @property
    def value(self) -> object:
        """The body as JSON."""
        return json.loads(self.body)


def request_bytes(
    path: str,
    body: object = None,
    *,
    method: str | None = None,
    headers: dict[str, str] | None = None,
    version: str = "1.1",
    mock: str = "",
) -> bytes:
    """Write a request; a body that is no bytes is JSON, `mock` is the header X-Mock."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"{method or ('GET' if body is None else 'POST')} {path} HTTP/{version}"]
    shown = {"Host": "127.0.0.1", **(headers or {})}
    if body is not None:
        shown.setdefault("Content-Length", str(len(content)))
    if mock:
        shown["X-Mock"] = mock
    lines += [f"{name}: {value}" for name, value in shown.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def ask(stream: WireStream, request: bytes) -> Answer:
    """Send a request and read its whole answer; the connection stays open."""
    method = request.split(b" ", 1)[0]
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    parser.send(h11.EndOfMessage())
    answer = Answer()
    await stream.send_all(request)
    try:
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = (await stream.receive()).data
                if data:
                    answer.reads.append(data)
                parser.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                answer.interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                answer.status = event.status_code
                answer.headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                answer.body += bytes(event.data)
            else:
                assert isinstance(event, h11.EndOfMessage)
                answer.trailers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                answer.is_whole = True
                return answer
    except h11.RemoteProtocolError as error:
        answer.error = str(error)
    except trio.BrokenResourceError:
        answer.error = "reset"
    return answer
