"""The client of many streams: an epoll loop over keep-alive connections, a new request when a stream has ended.

    python client.py < JOB

A program of its own, standard library only: a job as one JSON object on stdin, the result as one on stdout.

Job: `host`, `port`, `request` (text), `at_once` (connections), `marker` (stands once in each event), `events` (how many
a stream has), `streams` or `seconds` (when to stop asking; what has begun is finished), and `leave`: null, or `every`
(each so many-th stream is left), `request` (what it asks for) and `events` (how many of them come before it is left, by
closing the connection; the next stream has a new one). Result: `streams` (whole ones), `left`, `spent_ns` (from the
first request to the last end), `durations_ns` (of the whole ones). Or `error`, a sentence: a stream with too few events
is one, and so is a connection that ends.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import sys
import time
from typing import Any

END = b"\r\n0\r\n\r\n"
PATIENCE_S = 30


class Broken(Exception):
    """A stream was not what it has to be."""


class Client:
    """All connections of a job."""

    def __init__(self, job: dict[str, Any]) -> None:
        """Take the job."""
        self.address = (job["host"], job["port"])
        self.request = job["request"].encode()
        self.marker, self.events = job["marker"].encode(), job["events"]
        self.streams, self.seconds = job["streams"], job["seconds"]
        self.leave = job["leave"]
        self.poller = select.epoll()
        self.connections: dict[int, socket.socket] = {}
        self.data: dict[int, bytes] = {}
        self.leaving: set[int] = set()
        self.sent_ns: dict[int, int] = {}
        self.durations_ns: list[int] = []
        self.begun = self.left = 0
        self.began_s = time.monotonic()

    def wants_more(self) -> bool:
        """Whether another request is to be sent."""
        if self.streams is not None:
            return bool(self.begun < self.streams)
        return bool(time.monotonic() - self.began_s < self.seconds)

    def connect(self) -> int:
        """Open a connection; return its number."""
        connection = socket.create_connection(self.address, timeout=10)
        connection.setblocking(False)  # noqa: FBT003 - its only parameter
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = connection.fileno()
        self.connections[number] = connection
        self.poller.register(number, select.EPOLLIN)
        return number

    def ask(self, number: int) -> None:
        """Send the next request on this connection."""
        self.begun += 1
        request = self.request
        if self.leave and self.begun % self.leave["every"] == 0:
            request = self.leave["request"].encode()
            self.leaving.add(number)
        self.data[number] = b""
        self.sent_ns[number] = time.perf_counter_ns()
        if self.connections[number].send(request) != len(request):
            raise Broken("a request did not fit into the socket")

    def take(self, number: int) -> None:
        """Take one read."""
        try:
            more = self.connections[number].recv(65536)
        except BlockingIOError:
            return
        if not more:
            raise Broken(f"a connection ended in its stream, after {self.data[number][-200:]!r}")
        data = self.data[number] = self.data[number] + more
        if number in self.leaving:
            if data.count(self.marker) >= self.leave["events"]:
                self.leaving.remove(number)
                self.left += 1
                self.close(number)
                if self.wants_more():
                    self.ask(self.connect())
        elif data.endswith(END):
            if not data.startswith(b"HTTP/1.1 200 ") or data.count(self.marker) != self.events:
                raise Broken(f"a stream had {data.count(self.marker)} of {self.events} events: {data[:200]!r}")
            self.durations_ns.append(time.perf_counter_ns() - self.sent_ns[number])
            if self.wants_more():
                self.ask(number)
            else:
                self.close(number)

    def close(self, number: int) -> None:
        """Close a connection."""
        self.connections.pop(number).close()
        del self.data[number]

    def run(self, at_once: int) -> dict[str, object]:
        """Do the job."""
        opened = [self.connect() for _ in range(at_once)]
        start_ns = time.perf_counter_ns()
        self.began_s = time.monotonic()
        for number in opened:
            if self.wants_more():
                self.ask(number)
            else:
                self.connections.pop(number).close()
        while self.connections:
            ready = self.poller.poll(PATIENCE_S)
            if not ready:
                raise Broken(f"nothing came for {PATIENCE_S} s on {len(self.connections)} connections")
            for number, _ in ready:
                self.take(number)
        spent_ns = time.perf_counter_ns() - start_ns
        return {
            "streams": len(self.durations_ns),
            "left": self.left,
            "spent_ns": spent_ns,
            "durations_ns": self.durations_ns,
        }


def main() -> None:
    """Read the job, do it, write the result."""
    job = json.load(sys.stdin)
    gc.disable()
    try:
        result = Client(job).run(job["at_once"])
    except (Broken, OSError) as error:
        result = {"error": f"{error}"}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
