"""The messages of a WebSocket's frames, however they are cut."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streamkit.watch.frames import MessageReader

CONTINUED, TEXT, CLOSE, PING = 0, 1, 8, 9


def frame(opcode: int, payload: bytes, *, is_last: bool = True) -> bytes:
    """Write a frame as a server does."""
    size = len(payload)
    head = bytes([opcode | (0x80 if is_last else 0)])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


PAYLOADS = st.one_of(st.binary(max_size=20), st.sampled_from([125, 126, 127, 65535, 65536]).map(bytes))


@given(st.lists(st.tuples(st.lists(PAYLOADS, min_size=1, max_size=3), st.booleans()), max_size=6), st.data())
@example([([b"", b""], True), ([b""], False)], None)
def test_messages_are_the_same_however_they_are_cut(
    messages: list[tuple[list[bytes], bool]], data: st.DataObject | None
) -> None:
    wire, ends = b"", []
    for fragments, has_ping in messages:
        for number, fragment in enumerate(fragments):
            wire += frame(TEXT if not number else CONTINUED, fragment, is_last=number == len(fragments) - 1)
            if has_ping and number < len(fragments) - 1:
                wire += frame(PING, b"beat")
        ends.append(len(wire))
    body = b"".join([fragment for fragments, _ in messages for fragment in fragments])
    cuts = range(len(wire)) if data is None else sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=20)))
    reader = MessageReader()
    got, at = b"", 0
    for cut in [*cuts, len(wire)]:
        got += reader.feed(wire[at:cut])
        at = cut
        assert reader.count == sum(end <= at for end in ends)  # with the very byte that completes it
        assert reader.is_inside == (at not in {0, *ends})
    assert got == body


def test_a_close_frame_is_no_message() -> None:
    reader = MessageReader()
    assert reader.feed(frame(TEXT, b"hello") + frame(CLOSE, b"\x03\xe8bye")) == b"hello"
    assert (reader.count, reader.is_inside) == (1, False)
