"""A server for one request, whose answer is written by hand."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.cli.harness import DEADLINE_S

__all__ = ["served_once"]


@contextlib.contextmanager
def served_once(*writes: bytes) -> Iterator[str]:
    """Serve at the URL that is yielded: answer one request with these bytes, a write each, and close.

    The request is read up to its blank line, and a JSON object behind it where it has a body.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(DEADLINE_S)
                request = b""
                while not request.endswith((b"\r\n\r\n", b"}")) or (b"POST" in request and request[-1:] != b"}"):
                    request += peer.recv(65536)
                for each in writes:
                    peer.sendall(each)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join(DEADLINE_S)
