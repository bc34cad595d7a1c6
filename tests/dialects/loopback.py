"""An HTTP server on loopback that answers with given streams, for the foreign clients that judge our dialects.

Each stream gets a path prefix of its own, `/<number>/`, because every SDK keeps the path of its base URL. A body is
written in several pieces, cut anywhere, and framed as HTTP/1.1 allows: chunked, or ended by closing the connection.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from streamkit.dialects.registry import get_dialect

PIECES = 7


@dataclass(frozen=True)
class Answer:
    """One canned response; `chunked` or ended by closing."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = True

    def pieces(self) -> list[bytes]:
        """The body, cut into several pieces that have nothing to do with its records."""
        rng = random.Random(len(self.body))
        cuts = sorted(rng.sample(range(1, len(self.body)), min(PIECES, len(self.body) - 1))) if self.body else []
        return [self.body[start:end] for start, end in zip([0, *cuts], [*cuts, len(self.body)], strict=True)]


class Loopback:
    """Where the streams are; made by `loopback`."""

    def __init__(self, port: int) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self.answers: list[Answer] = []

    def offer(self, source: str, wire: bytes) -> str:
        """Offer a stream of the dialect `source` (`NAME` or `NAME/FRAMING`); return the base URL it is found below."""
        dialect, framing = get_dialect(source)
        chunked = len(self.answers) % 2 == 0
        self.answers.append(Answer(wire, dialect.media_type(framing), dialect.headers, chunked))
        return f"{self._origin}/{len(self.answers) - 1}"


@contextmanager
def loopback() -> Iterator[Loopback]:
    """Run the server while the context is open."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            number = self.path.split("/")[1]
            if not number.isdecimal() or int(number) >= len(streams.answers):
                self._send_json(404, {"error": {"message": f"nothing is offered at {self.path}"}})
                return
            answer = streams.answers[int(number)]
            self.send_response(200)
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Connection", "close")
            for name, value in answer.headers.items():
                if name.lower() != "connection":
                    self.send_header(name, value)
            if answer.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in answer.pieces():
                if not answer.chunked:
                    self.wfile.write(piece)
                elif piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if answer.chunked:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        do_GET = do_POST = _answer  # noqa: N815 - http.server's own names

        def _send_json(self, status: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        block_on_close = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that left early: some do, at the terminator."""

    with Server(("127.0.0.1", 0), Handler) as server:
        streams = Loopback(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield streams
        finally:
            server.shutdown()
            thread.join()
