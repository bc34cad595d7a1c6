"""What tests of scripts share: the bytes that go out, and h11 as the client that reads them."""

from __future__ import annotations

from collections.abc import Iterable

import h11

from mockserver.script import Action, Write


def wire_of(actions: Iterable[Action]) -> bytes:
    return b"".join(action.data for action in actions if isinstance(action, Write))


def read_by_h11(wire: bytes, *, is_closed: bool) -> tuple[h11.Response, bytes, list[tuple[bytes, bytes]]]:
    """Return head, body and trailers as a client sees them."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(wire)
    if is_closed:
        client.receive_data(b"")
    body = b""
    head = None
    while True:
        event = client.next_event()
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            assert not client.trailing_data[0]
            return head, body, list(event.headers)
        else:
            assert isinstance(event, h11.InformationalResponse), event
