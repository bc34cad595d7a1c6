"""What comes on a WebSocket: messages whole or in pieces, control frames in between, and whatever is none of these."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.gateway.websocket_wire import Closed, Ear, Heard, Pinged, Said, Wrong, text_message
from tests.gateway.websocket_peers import BINARY, CLOSE, CONTINUED, PING, PONG, TEXT, close_of, frame


def heard(*data: bytes, max_bytes: int = 1000) -> list[Heard]:
    ear = Ear(max_bytes)
    return [each for piece in data for each in ear.feed(piece)]


def codes(*data: bytes, max_bytes: int = 1000) -> list[int]:
    return [each.code for each in heard(*data, max_bytes=max_bytes) if isinstance(each, (Wrong, Closed))]


EURO = "€".encode()

CONVERSATION = b"".join(
    [
        frame(TEXT, b'{"a":1}'),
        frame(PING, b"are you there"),
        frame(TEXT, b"in ", is_last=False),
        frame(PING),
        frame(CONTINUED, EURO[:1], is_last=False),
        frame(PONG, b"unasked"),
        frame(CONTINUED, EURO[1:], is_last=False),
        frame(CONTINUED),
        frame(TEXT),
        frame(TEXT, b"x" * 300),
        close_of(4711, "bye"),
    ]
)

MEANING: list[Heard] = [
    Said(b'{"a":1}'),
    Pinged(b"are you there"),
    Pinged(b""),
    Said(b"in " + EURO),
    Said(b""),
    Said(b"x" * 300),
    Closed(4711),
]


def test_messages_and_what_stands_between_their_fragments() -> None:
    assert heard(CONVERSATION) == MEANING


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
def test_cuts_change_nothing(places: list[int]) -> None:
    cuts = [0, *sorted(places), len(CONVERSATION)]
    assert heard(*(CONVERSATION[begin:end] for begin, end in pairwise(cuts))) == MEANING


def test_byte_by_byte() -> None:
    assert heard(*(bytes([byte]) for byte in CONVERSATION)) == MEANING


@pytest.mark.parametrize("size", [65535, 65536, 70000])
def test_long_ones(size: int) -> None:
    assert heard(frame(TEXT, b"y" * size), max_bytes=size) == [Said(b"y" * size)]


def rewritten(data: bytes, place: int, byte: int) -> bytes:
    return data[:place] + bytes([byte]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (rewritten(frame(TEXT, b"a"), 1, 0x01), 1002),  # no mask
        (rewritten(frame(TEXT, b"a"), 0, 0xC1), 1002),  # a reserved bit: nobody has agreed to compress
        (rewritten(frame(TEXT, b"a"), 0, 0x91), 1002),
        (rewritten(frame(TEXT, b"a"), 0, 0x83), 1002),  # reserved kinds of frames
        (rewritten(frame(TEXT, b"a"), 0, 0x8F), 1002),
        (frame(CONTINUED, b"a"), 1002),  # of nothing
        (frame(TEXT, b"a", is_last=False) + frame(TEXT, b"b"), 1002),  # inside another
        (frame(PING, b"a", is_last=False), 1002),
        (frame(PING, b"a" * 126), 1002),
        (b"\x81\xfe\x00\x7d" + b"\0" * 4, 1002),  # a length that is longer than it has to be
        (b"\x81\xff" + b"\0" * 6 + b"\xff\xff" + b"\0" * 4, 1002),
        (b"\x81\xff\x80" + b"\0" * 7 + b"\0" * 4, 1002),
        (frame(CLOSE, b"\x03"), 1002),  # half a code
        (close_of(999), 1002),
        (close_of(1004), 1002),
        (close_of(1005), 1002),
        (close_of(1006), 1002),
        (close_of(1015), 1002),
        (close_of(1100), 1002),
        (close_of(5000), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, EURO[:2]), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),  # half of a surrogate pair
        (frame(TEXT, b"a", is_last=False) + frame(CONTINUED, b"\xff"), 1007),
        (frame(BINARY, b"{}"), 1003),
        (frame(BINARY, b"{}", is_last=False), 1003),
        (frame(TEXT, b"z" * 1001), 1009),
        (frame(TEXT, b"z" * 600, is_last=False) + frame(CONTINUED, b"z" * 600, is_last=False), 1009),
        (b"\x81\xff" + b"\0\1" + b"\0" * 6 + b"\0" * 4 + b"z" * 1001, 1009),  # the beginning of 2 ** 48 bytes
    ],
)
def test_what_is_wrong_has_its_code_once(data: bytes, code: int) -> None:
    assert codes(data) == [code]
    assert codes(data, b"", frame(TEXT, b"more"), b"\xff" * 99) == [code]
    assert codes(*(bytes([byte]) for byte in data)) == [code]


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 3000, 4999])
def test_the_codes_that_clients_may_use(code: int) -> None:
    assert heard(close_of(code)) == [Closed(code)]


def test_a_close_without_a_code() -> None:
    assert heard(frame(CLOSE)) == [Closed(1005)]
    assert Ear(1).close(1005) == b"\x88\x00"


def test_behind_a_close_nothing_counts() -> None:
    ear = Ear(1000)
    assert ear.feed(close_of(1000) + frame(TEXT, b"{}") + b"\xff\xff") == [Closed(1000)]
    assert ear.is_deaf
    assert ear.feed(frame(TEXT, b"{}")) == []


def test_behind_what_is_refused_the_close_is_still_heard() -> None:
    ear = Ear(10)
    assert [type(each) for each in ear.feed(frame(TEXT, b"z" * 11) + frame(TEXT, b"{}"))] == [Wrong]
    assert ear.feed(frame(BINARY, b"{}")) == []
    assert ear.feed(frame(PING, b"p") + close_of(1000)) == [Pinged(b"p"), Closed(1000)]


def test_whether_a_message_has_begun() -> None:
    ear = Ear(10)
    assert ear.feed(frame(TEXT, b"a", is_last=False)) == []
    assert ear.is_inside
    assert ear.feed(frame(CONTINUED, b"b")) == [Said(b"ab")]
    assert not ear.is_inside


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "81 00"),
        (125, "81 7d"),
        (126, "81 7e 007e"),
        (65535, "81 7e ffff"),
        (65536, "81 7f 0000000000010000"),
    ],
)
def test_what_is_sent_is_one_frame_without_a_mask(size: int, head: str) -> None:
    assert text_message(b"a" * size) == bytes.fromhex(head) + b"a" * size
