"""The upstream of many streams: an epoll loop over keep-alive connections, one write for the head and for each chunk.

    python upstream.py HEAD_AND_PIECES

A program of its own, standard library only. The argument names a JSON file: `head`, `chunks` and `last` (text, as they
are written), and `pause_after`, the number of chunks after which a request whose path ends in `/pause` gets nothing
more, so that somebody can leave in the middle. It prints its URL as a JSON object on stdout when it listens.

A request is complete when its body is, whose length it must give; requests are not pipelined. It never waits for a
client to read: a stream is a few kilobytes, and what the kernel does not take is an error that ends that connection.
"""

from __future__ import annotations

import contextlib
import gc
import json
import re
import select
import socket
import sys
from pathlib import Path
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


def is_whole(data: bytes) -> bool:
    """Whether the request is complete."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    length = LENGTH.search(head + b"\r\n")
    return length is None or len(body) >= int(length[1])


def serve(script: dict[str, Any], listener: socket.socket) -> None:
    """Answer until killed."""
    head, last = script["head"].encode(), script["last"].encode()
    chunks = [text.encode() for text in script["chunks"]]
    pause_after = script["pause_after"]
    connections: dict[int, socket.socket] = {}
    partial: dict[int, bytes] = {}
    poller = select.epoll()
    poller.register(listener.fileno(), select.EPOLLIN)

    def forget(number: int) -> None:
        connections.pop(number).close()
        partial.pop(number, None)

    def answer(connection: socket.socket, data: bytes) -> None:
        paused = b"/pause " in data[: data.index(b"\r\n")]
        send = connection.send
        send(head)
        for piece in chunks[:pause_after] if paused else chunks:
            send(piece)
        if not paused:
            send(last)

    while True:
        for number, _ in poller.poll():
            if number == listener.fileno():
                with contextlib.suppress(BlockingIOError):
                    while True:
                        connection, _address = listener.accept()
                        connection.setblocking(False)  # noqa: FBT003 - its only parameter
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        connections[connection.fileno()] = connection
                        poller.register(connection.fileno(), select.EPOLLIN)
                continue
            connection = connections[number]
            try:
                data = connection.recv(65536)
                if not data:
                    forget(number)
                    continue
                data = partial.pop(number, b"") + data
                if is_whole(data):
                    answer(connection, data)
                else:
                    partial[number] = data
            except OSError:
                forget(number)


def main() -> None:
    """Listen, say where, answer."""
    script = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setblocking(False)  # noqa: FBT003 - its only parameter
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
    gc.disable()
    serve(script, listener)


if __name__ == "__main__":
    main()
