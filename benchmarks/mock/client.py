"""The measuring client: many streams at once over raw sockets, a stamp for each read that brings tokens.

A program of its own, standard library only: a job as one JSON object on stdin, the result as one on stdout.

Job: `host`, `port`, `request` (text, the same for all streams), `streams`, `at_once`, `marker` (what stands once in
each token's bytes), `spread_s` (over which time the first requests leave, evenly), `timeout_s`. Result: `streams`, each
with `sent_ns` (just before its request was sent), `at_ns` and `tokens` (for each read that brought tokens: when it had
returned, how many), `reads`, `segments` (TCP segments with data, as the kernel counted them; null where it does not
tell), `ended_ns`; and `began_ns`. Or `error`, a sentence. All times are CLOCK_MONOTONIC, one clock for all processes of
a machine.

Where all streams go at once, every connection is open, and has been for a moment, before the first request leaves: what
is then measured is a burst of requests, not of connections, or with `spread_s` the crowd that they add up to. Otherwise
a new connection begins when a stream ends.

A stream ends at the last chunk of its HTTP body, whatever the server does with the connection afterwards. A marker that
is spread over two reads counts for the second one.
"""

from __future__ import annotations

import gc
import json
import resource
import select
import socket
import struct
import sys
import time
from typing import Any

LAST_CHUNK = b"\r\n0\r\n\r\n"
READ_BYTES = 1 << 18
DATA_SEGMENTS_IN = 152
"""Where tcpi_data_segs_in stands in Linux's struct tcp_info."""
SETTLE_S = 0.05
"""Between the last connection and the first request of a burst: the server has accepted them all by then."""


class Broken(Exception):
    """A stream was not what it has to be."""


class Stream:
    """One connection with one request and what came back."""

    __slots__ = ("at_ns", "ended_ns", "reads", "segments", "sent_ns", "socket", "tail", "tokens")

    def __init__(self, address: tuple[str, int]) -> None:
        """Connect."""
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.settimeout(0)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tail = b""
        self.at_ns: list[int] = []
        self.tokens: list[int] = []
        self.reads = self.sent_ns = self.ended_ns = 0
        self.segments: int | None = None

    def send(self, request: bytes) -> None:
        """Stamp and send the request."""
        self.sent_ns = time.monotonic_ns()
        if self.socket.send(request) != len(request):
            raise Broken("a request did not fit into the socket")

    def receive(self, marker: bytes) -> bool:
        """Take one read; return whether the stream has ended."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return False
        now_ns = time.monotonic_ns()
        if not data:
            raise Broken(f"a connection ended before its stream did, after {sum(self.tokens)} tokens")
        if not self.reads and not data.startswith(b"HTTP/1.1 200 "):
            raise Broken(f"a response began with {data[:200]!r}")
        self.reads += 1
        known = self.tail + data
        found = known.count(marker)
        if found:
            self.at_ns.append(now_ns)
            self.tokens.append(found)
        if known.endswith(LAST_CHUNK):
            self.ended_ns = now_ns
            self.segments = data_segments(self.socket)
            return True
        # One byte less than the marker cannot hold it, so nothing is counted twice; the last chunk fits in, too.
        self.tail = known[-(len(marker) - 1) :]
        return False

    def result(self) -> dict[str, object]:
        """What is told about it."""
        return {name: getattr(self, name) for name in self.__slots__ if name not in {"socket", "tail"}}


def data_segments(stream: socket.socket) -> int | None:
    """How many segments with data have come in."""
    if not hasattr(socket, "TCP_INFO") or sys.platform != "linux":
        return None
    information = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    if len(information) < DATA_SEGMENTS_IN + 4:
        return None
    return int(struct.unpack_from("=I", information, DATA_SEGMENTS_IN)[0])


def measure(job: dict[str, Any]) -> dict[str, object]:
    """Do the job."""
    request, marker, left = job["request"].encode(), job["marker"].encode(), job["streams"]
    address = (job["host"], job["port"])
    poller = select.epoll()
    streams: dict[int, Stream] = {}
    done: list[Stream] = []

    def begin(stream: Stream) -> None:
        streams[stream.socket.fileno()] = stream
        poller.register(stream.socket.fileno(), select.EPOLLIN)
        stream.send(request)

    opened = [Stream(address) for _ in range(min(left, job["at_once"]))]
    left -= len(opened)
    time.sleep(SETTLE_S)
    began_ns = time.monotonic_ns()
    began_s = time.monotonic()
    apart_s = job["spread_s"] / len(opened)
    waiting = [(began_s + number * apart_s, stream) for number, stream in enumerate(opened)][::-1]
    until = began_s + job["timeout_s"]
    while streams or waiting:
        while waiting and waiting[-1][0] <= time.monotonic():
            begin(waiting.pop()[1])
        patience_s = max(waiting[-1][0] - time.monotonic(), 0) if waiting else 1
        for number, _ in poller.poll(patience_s, max(len(streams), 1)):
            stream = streams[number]
            if stream.receive(marker):
                done.append(stream)
                del streams[number]
                poller.unregister(number)
                stream.socket.close()
                if left:
                    left -= 1
                    begin(Stream(address))
        if time.monotonic() > until:
            raise Broken(f"{len(streams)} streams had not ended after {job['timeout_s']} s")
    return {"began_ns": began_ns, "streams": [stream.result() for stream in done]}


def main() -> None:
    """Read the job, do it, write the result."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    job = json.load(sys.stdin)
    gc.disable()
    try:
        result = measure(job)
    except (Broken, OSError) as error:
        result = {"error": f"{error}"}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
