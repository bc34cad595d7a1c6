"""Moments become marks: where each lies in the body, how many records are complete with it, and where it was cut."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.watch.lanes import HEAD_BYTES, TAIL_BYTES, Gone, Head, Lanes, Mark, Row
from streamkit.watch.moments import Moment, Side, What
from tests.watch.test_frames import TEXT, frame

EVENTS = 'data: {"text":"größe 🐢"}\n\n: ping\n\nid: 7\r\ndata: {"text":"b"}\r\n\r\ndata: [DONE]\n\n'.encode()
LINES = '{"text":"größe"}\n\n{"text":"🐢"}\r\n{"done":true}\n'.encode()
ARRAY = b'[{"a":1},\n{"a":2}]\n'

BODIES = {
    "text/event-stream; charset=utf-8": (EVENTS, 3),
    "application/x-ndjson": (LINES, 3),
    "application/json": (ARRAY, 2),  # which has to be found out
    "text/plain": (b"one\ntwo\r\nthree\n", 3),
}


def head_of(media_type: str, framing: str, size: int, status: str = "200 OK") -> bytes:
    ends = {"chunked": "Transfer-Encoding: chunked", "length": f"Content-Length: {size}", "close": "Connection: close"}
    return f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\n{ends[framing]}\r\n\r\n".encode()


def framed(framing: str, body: bytes, sizes: Sequence[int] = ()) -> bytes:
    """Write the body, in chunks of these sizes."""
    if framing != "chunked":
        return body
    wire, at = b"", 0
    for size in [*sizes, len(body)]:
        piece = body[at : at + size]
        at += len(piece)
        wire += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    return wire + b"0\r\n\r\n"


def cut(wire: bytes, places: Iterable[int]) -> list[bytes]:
    return [wire[a:b] for a, b in pairwise([0, *sorted(places), len(wire)])]


def moment(data: bytes = b"", *, side: Side = "upstream", what: What = "read", on: int = 5, at: int = 100) -> Moment:
    return Moment(side, what, on, at, data)


def fed(lanes: Lanes, moments: Iterable[Moment]) -> list[Row]:
    return [row for each in moments for row in lanes.feed(each)]


def marks_in(rows: Iterable[Row]) -> list[Mark]:
    return [row for row in rows if isinstance(row, Mark)]


def text_of(marks: Iterable[Mark]) -> bytes:
    return b"".join([b64decode(mark.head) + b64decode(mark.tail) for mark in marks])


@pytest.mark.parametrize("media_type", BODIES)
@given(data=st.data())
def test_no_cut_changes_the_body_or_its_records(media_type: str, data: st.DataObject) -> None:
    framing = data.draw(st.sampled_from(["chunked", "length", "close"]))
    body, records = BODIES[media_type]
    wire = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" if data.draw(st.booleans()) else b""
    wire += head_of(media_type, framing, len(body))
    wire += framed(framing, body, data.draw(st.lists(st.integers(1, 20), max_size=8)))
    places = data.draw(st.one_of(st.just(range(len(wire))), st.lists(st.integers(0, len(wire)), max_size=30)))
    side: Side = data.draw(st.sampled_from(["upstream", "client"]))
    what: What = "read" if side == "upstream" else "sent"
    lanes = Lanes("POST")
    rows = fed(lanes, [moment(piece, side=side, what=what) for piece in cut(wire, places)])
    heads = [row for row in rows if isinstance(row, Head)]
    marks = marks_in(rows)
    assert [(head.status, head.media_type) for head in heads] == [(200, media_type.partition(";")[0])]
    assert text_of(marks) == body
    assert [mark.start for mark in marks] == [sum(each.bytes for each in marks[:n]) for n in range(len(marks))]
    assert [mark.n for mark in marks] == [*range(len(marks))]
    assert marks[-1].records == records
    assert marks[-1].cut == "between"
    assert {mark.connection for mark in marks} == {0}
    (gone,) = lanes.feed(moment(side=side, what="end", at=900))
    assert gone == Gone(heads[0].lane, 0, 900, "end", is_whole=True)


@pytest.mark.parametrize(
    ("end", "place"),
    [
        (b'data: {"text":"gr\xc3', "character"),
        (b"data: x\r", "cr"),
        (b"data: x", "record"),
        (b"data: x\n", "record"),
        (b"data: x\n\n", "between"),
    ],
)
def test_a_mark_says_where_it_was_cut(end: bytes, place: str) -> None:
    lanes = Lanes("POST")
    rows = fed(lanes, [moment(head_of("text/event-stream", "close", 0)), moment(end)])
    assert [mark.cut for mark in marks_in(rows)] == [place]


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("how", ["end", "reset", "abort"])
def test_a_connection_that_ends_too_early_is_not_whole(how: What, framing: str) -> None:
    lanes = Lanes("POST")
    fed(lanes, [moment(head_of("text/event-stream", framing, len(EVENTS)) + framed(framing, EVENTS)[:-1])])
    assert lanes.feed(moment(what=how)) == [Gone("upstream", 0, 100, how, is_whole=False)]
    assert lanes.feed(moment(what="abort")) == []  # it is gone already


def test_a_body_that_ends_with_the_connection_is_cut_by_a_reset() -> None:
    lanes = Lanes("POST")
    fed(lanes, [moment(head_of("text/event-stream", "close", 0) + EVENTS)])
    assert lanes.feed(moment(what="reset")) == [Gone("upstream", 0, 100, "reset", is_whole=False)]


def test_a_write_is_of_what_was_read_before_it_began() -> None:
    head = moment(head_of("text/event-stream", "close", 0), at=10)
    reads = [moment(b"data: %d\n\n" % number, at=20 + 10 * number) for number in range(4)]  # at 20, 30, 40, 50
    sent = head_of("text/event-stream", "close", 0)
    begun = moment(sent + b"data: 0\n\n", side="client", what="sent", at=25)
    waited = Moment("client", "sent", 5, 31, b"data: 1\n\n", done_ns=45)  # seen at its end, behind the read at 40
    late = moment(b"data: 2\n\n", side="client", what="sent", at=60)
    marks = marks_in(fed(Lanes("POST"), [head, reads[0], begun, reads[1], reads[2], waited, reads[3], late]))
    assert [(mark.lane, mark.through) for mark in marks] == [
        ("upstream", 0),
        ("gateway", 1),
        ("upstream", 1),
        ("upstream", 2),
        ("gateway", 2),
        ("upstream", 3),
        ("gateway", 4),
    ]


def test_another_question_on_the_same_connection_has_another_head() -> None:
    lanes = Lanes("GET")
    wire = head_of("application/x-ndjson", "chunked", 0) + framed("chunked", b'{"a":1}\n')
    ask = moment(b"POST / HTTP/1.1\r\n\r\n", what="sent")
    rows = fed(lanes, [ask, moment(wire), ask, moment(wire)])
    assert [row.n for row in rows if isinstance(row, Head)] == [0, 1]
    assert [(mark.start, mark.records) for mark in marks_in(rows)] == [(0, 1), (8, 2)]


def test_the_messages_of_a_websocket_are_its_body() -> None:
    lanes = Lanes("GET")
    wire = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + frame(TEXT, b'{"a":1}')
    rows = fed(lanes, [moment(piece, side="client", what="sent") for piece in (wire, frame(TEXT, bytes(300))[:100])])
    marks = marks_in(rows)
    assert [(mark.bytes, mark.records, mark.cut) for mark in marks] == [(7, 1, "between"), (96, 1, "record")]


def test_an_answer_that_only_says_where_the_stream_is_has_no_marks() -> None:
    lanes = Lanes("POST")
    wire = head_of("application/json", "length", 11, "201 Created") + b'{"id":"abc"}'
    (row,) = fed(lanes, [moment(wire, side="client", what="sent")])
    assert isinstance(row, Head)
    assert row.status == 201


def test_the_answer_to_head_has_no_body() -> None:
    lanes = Lanes("HEAD")
    assert marks_in(fed(lanes, [moment(head_of("text/event-stream", "length", 100))])) == []
    assert lanes.feed(moment(what="end")) == [Gone("upstream", 0, 100, "end", is_whole=True)]


def test_what_is_no_http_is_shown_as_it_is() -> None:
    rows = fed(Lanes("POST"), [moment(b"SSH-2.0-server\r\n\r\n"), moment(b"more")])
    assert text_of(marks_in(rows)) == b"SSH-2.0-server\r\n\r\nmore"
    assert [row.cut for row in marks_in(rows)] == [None, None]


def test_a_large_piece_is_shown_by_its_beginning_and_its_end() -> None:
    body = b"data: " + bytes(range(97, 123)) * 400_000 + b"\n\n"
    (_, mark) = fed(Lanes("POST"), [moment(head_of("text/event-stream", "close", 0) + body)])
    assert isinstance(mark, Mark)
    assert (mark.bytes, mark.records, mark.cut) == (len(body), 1, "between")
    assert b64decode(mark.head) == body[:HEAD_BYTES]
    assert b64decode(mark.tail) == body[-TAIL_BYTES:]
