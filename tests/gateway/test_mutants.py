"""Messages with something wrong at any place: whoever reads them behind the gateway reads what h11 reads without it.

Or sees that something is wrong. h11 forgives more than the gateway does, so that refusing is always right; what must
not be is another body, another end, or a message where h11 sees none.
"""

from __future__ import annotations

import re
from contextlib import suppress

import h11
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.gateway.peers import exchange, request, standing
from tests.gateway.readers import VISIBLE, Ended

OK = b"HTTP/1.1 200 OK\r\n"

ANSWERS = [
    OK + b"Transfer-Encoding: chunked\r\nX-A: b\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-Sum: 7\r\n\r\n",
    OK + b"Content-Length: 11\r\nX-A: b\r\n\r\nhello world",
    OK + b"Connection: close\r\n\r\nhello world",
    b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
]

REQUESTS = [
    b"POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nConnection: X-A\r\nX-A: b\r\n\r\nhello world",
    b"GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
]

PIECES = [
    *(b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b",", b";", b"\0", b"\x0b", b"\xff"),
    *(b"0", b"1", b"f", b"-", b"+"),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"HTTP/1.1 ", b"chunked", b"204"),
]

edits = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 4), st.sampled_from([b"", *PIECES])), min_size=1, max_size=2
)


SPACE_IN_SIZE = re.compile(rb"(?m)^([0-9A-Fa-f]+)[ \t]+;")
"""Allowed before a chunk's extension (RFC 9112, section 7.1.1), but not by h11."""


def edited(wire: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Take away so many bytes at a place, and put others there."""
    for place, less, more in edits:
        at = place % (len(wire) + 1)
        wire = wire[:at] + more + wire[at + less :]
    return wire


def read_by_h11(wire: bytes, role: type[h11.CLIENT | h11.SERVER]) -> tuple[bytes, str]:
    """The body of the first message, and how it ends; "none" where there is no message."""
    parser = h11.Connection(role, max_incomplete_event_size=1 << 20)
    if role is h11.CLIENT:
        parser.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        parser.send(h11.EndOfMessage())
    body, ending, is_eof = b"", "none", False
    parser.receive_data(SPACE_IN_SIZE.sub(rb"\1;", wire))
    try:
        while True:
            match parser.next_event():
                case h11.NEED_DATA:
                    assert not is_eof
                    parser.receive_data(b"")
                    is_eof = True
                case h11.Request() | h11.Response():
                    ending = "cut"
                case h11.Data(data=data):
                    body += data
                case h11.EndOfMessage():
                    return body, "closed" if is_eof else "complete"
                case h11.ConnectionClosed() | h11.PAUSED:
                    return body, ending
    except h11.RemoteProtocolError:
        return body, ending


@settings(max_examples=150)
@given(st.sampled_from(ANSWERS), edits)
@example(ANSWERS[0], [(57, 0, b"0")])
@example(ANSWERS[1], [(17, 0, b"Content-Length: 3\r\n")])
async def test_no_answer_looks_whole_that_is_not(wire: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    wire = edited(wire, edits)
    body, ending = read_by_h11(wire, h11.CLIENT)
    async with standing(head_timeout_s=20) as stand:
        client, server, _ = await exchange(stand, request())
        with suppress(trio.BrokenResourceError):
            await server.send(wire)
            await server.stream.send_eof()
        head = await client.head()
        got, end = await client.rest()
        if head.status == 502:
            assert end == "complete"
        elif end in VISIBLE:
            assert got.startswith(body) or body.startswith(got)
        else:
            assert (got, end) == (body, ending)


@settings(max_examples=150)
@given(st.sampled_from(REQUESTS), edits)
@example(REQUESTS[0], [(19, 0, b"Content-Length: 3\r\n")])
async def test_no_request_is_another_one_upstream(wire: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    wire = edited(wire, edits)
    body, ending = read_by_h11(wire.lstrip(b"\r\n"), h11.SERVER)  # which are passed over, more of them than h11 does
    async with standing(half_close=True) as stand, trio.open_nursery() as nursery:
        client = await stand.client()
        await client.send(wire)
        await client.stream.send_eof()

        async def answered() -> None:
            with suppress(Ended, trio.BrokenResourceError):
                server = await stand.server()
                await server.head()
                got, end = await server.rest()
                assert body.startswith(got) if end in VISIBLE else (got, end) == (body, ending)
                if end == "complete":
                    await server.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

        nursery.start_soon(answered)
        with suppress(Ended):
            head = await client.head()
            assert head.status in {200, 400, 408, 413, 414, 417, 431, 501, 505}
            assert head.status != 200 or ending == "complete"
            await client.raw_rest()
        nursery.cancel_scope.cancel()
