"""The truth: an LLM server that stamps when a request was there and when it wrote each token.

    python server.py TTFT_MS GAP_MS TOKENS

A program of its own, standard library only: one epoll loop. It prints its URL as a JSON object on stdout when it
listens. Every complete request with a body gets a chat completion as OpenAI streams it: an empty role delta at once,
the first token TTFT_MS later, then one every GAP_MS, a finish, a usage chunk and `[DONE]`. With a TTFT and a gap of 0
all of it goes in one write.

`GET /truth` answers with what was stamped since the last time, as JSON: for each request [X-Request-ID, arrived_ns,
[written_ns of each token]]. A request has arrived when the kernel had its last segment (SO_TIMESTAMPNS, converted to
CLOCK_MONOTONIC by a pair of readings at the read); a token is written just before `send`. `GET /v1/models` names one.

Streams are due by absolute times (no drift); how late this process is itself changes nothing in the truth, because what
it stamps is what it did.
"""

from __future__ import annotations

import gc
import heapq
import json
import re
import select
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
NAME = re.compile(rb"\r\nx-request-id: *([^\r\n]*)\r\n", re.IGNORECASE)
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("qq")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
START = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"truth","choices":'


def chunk(rest: str) -> bytes:
    """One event in a chunk of its own."""
    event = b"data: " + (START + rest + "}").encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


ROLE = HEAD + chunk('[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]')
TOKEN = chunk('[{"index":0,"delta":{"content":" token"},"finish_reason":null}]')
FINISH = chunk('[{"index":0,"delta":{},"finish_reason":"stop"}]')


def last(tokens: int) -> bytes:
    """What ends an answer."""
    usage = f'[],"usage":{{"prompt_tokens":16,"completion_tokens":{tokens},"total_tokens":{tokens + 16}}}'
    return FINISH + chunk(usage) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Server:
    """The loop and what it has stamped."""

    def __init__(self, ttft_ns: int, gap_ns: int, tokens: int) -> None:
        """Listen."""
        self.ttft_ns, self.gap_ns, self.tokens = ttft_ns, gap_ns, tokens
        self.last = last(tokens)
        self.whole = ROLE + TOKEN * tokens + self.last
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)  # noqa: FBT003 - its only parameter
        with suppress(OSError):
            self.listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.poller = select.epoll()
        self.poller.register(self.listener.fileno(), select.EPOLLIN)
        self.connections: dict[int, socket.socket] = {}
        self.partial: dict[int, bytes] = {}
        self.due: list[tuple[int, int, int, int, list[Any]]] = []  # when, a number, the socket's, the token's, the row
        self.count = 0
        self.rows: list[list[Any]] = []

    def serve(self) -> None:
        """Answer until killed."""
        while True:
            wait_s = -1.0
            if self.due:
                wait_s = max(0.0, (self.due[0][0] - time.monotonic_ns()) / 1e9)
            # epoll waits whole milliseconds: the last one is spun away, for this process has a processor to itself
            for number, _ in self.poller.poll(wait_s - 0.001 if wait_s > 0.001 else min(wait_s, 0.0)):
                if number == self.listener.fileno():
                    self.accept()
                else:
                    self.read(number)
            self.write_due()

    def accept(self) -> None:
        """Take the connections that wait."""
        with suppress(BlockingIOError):
            while True:
                connection, _ = self.listener.accept()
                connection.setblocking(False)  # noqa: FBT003 - its only parameter
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections[connection.fileno()] = connection
                self.poller.register(connection.fileno(), select.EPOLLIN)

    def forget(self, number: int) -> None:
        """Close a connection."""
        self.connections.pop(number).close()
        self.partial.pop(number, None)

    def read(self, number: int) -> None:
        """Take what came; answer a request that is whole."""
        connection = self.connections[number]
        try:
            data, ancillary, _, _ = connection.recvmsg(65536, 64)
        except OSError:
            data, ancillary = b"", []
        if not data:
            self.forget(number)
            return
        arrived_ns = arrival(ancillary)
        data = self.partial.pop(number, b"") + data
        head, end, body = data.partition(b"\r\n\r\n")
        length = LENGTH.search(head + b"\r\n") if end else None
        if not end or (length is not None and len(body) < int(length[1])):
            self.partial[number] = data
        elif data.startswith(b"GET /truth"):
            self.document(connection, self.rows)
            self.rows = []
        elif data.startswith(b"GET "):
            self.document(connection, {"object": "list", "data": [{"id": "truth", "object": "model"}]})
        else:
            self.answer(number, head, arrived_ns)

    @staticmethod
    def document(connection: socket.socket, value: object) -> None:
        """Send a JSON document."""
        body = json.dumps(value).encode()
        connection.setblocking(True)  # noqa: FBT003 - its only parameter
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        connection.setblocking(False)  # noqa: FBT003 - its only parameter

    def answer(self, number: int, head: bytes, arrived_ns: int) -> None:
        """Begin the answer to a request."""
        found = NAME.search(head + b"\r\n")
        row: list[Any] = [found[1].decode("latin-1") if found else "", arrived_ns, []]
        self.rows.append(row)
        if not self.ttft_ns and not self.gap_ns:
            row[2] = [time.monotonic_ns()] * self.tokens
            self.send(number, self.whole)
        elif self.send(number, ROLE):
            self.count += 1
            heapq.heappush(self.due, (arrived_ns + self.ttft_ns, self.count, number, 0, row))

    def send(self, number: int, data: bytes) -> bool:
        """Send, all at once; a client that does not read loses its connection."""
        connection = self.connections.get(number)
        try:
            if connection is not None and connection.send(data) == len(data):
                return True
        except OSError:
            pass
        if connection is not None:
            self.forget(number)
        return False

    def write_due(self) -> None:
        """Write the tokens that are due."""
        due = self.due
        while due and due[0][0] <= time.monotonic_ns():
            at_ns, order, number, token, row = heapq.heappop(due)
            row[2].append(time.monotonic_ns())
            if not self.send(number, TOKEN):
                continue
            if token + 1 < self.tokens:
                heapq.heappush(due, (at_ns + self.gap_ns, order, number, token + 1, row))
            else:
                self.send(number, self.last)


def arrival(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Return when the kernel had what was read, on the monotonic clock; now, where it does not say."""
    real_ns, now_ns = time.time_ns(), time.monotonic_ns()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= TIMESPEC.size:
            seconds, nanoseconds = TIMESPEC.unpack_from(data)
            age_ns: int = real_ns - (seconds * 1_000_000_000 + nanoseconds)
            return now_ns - age_ns
    return now_ns


def main() -> None:
    """Listen, say where, answer."""
    ttft_ms, gap_ms, tokens = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    server = Server(round(ttft_ms * 1e6), round(gap_ms * 1e6), tokens)
    print(json.dumps({"url": f"http://127.0.0.1:{server.listener.getsockname()[1]}"}), flush=True)
    gc.disable()
    server.serve()


if __name__ == "__main__":
    main()
