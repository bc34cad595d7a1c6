"""How a response becomes actions: cuts change no byte, tokens and times stay exact, places are kept, heads are HTTP's.

`h11` in the client's role is the referee of framing, zlib of gzip; the heads are written by hand.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

import h11
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mockserver.response import Framing, Record, Response, Step, Steps, Verbatim
from mockserver.script import Close, Gate, Reset, Stall, Until, Write
from mockserver.splits import Cuts, parse_cut, script_of
from streamkit.codecs.policies import POLICIES
from streamkit.errors import ConfigError
from tests.mockserver.splits.split_wires import read_by_h11, wire_of

TEXTS = ["", "none", "size:3", "random:1:9", "every-byte", "lines", "events", "hostile", "coalesce:2", "size:1000"]
NATURAL = Cuts()
AS_NATURAL = Cuts("coalesce:1", "coalesce:1", "coalesce:1")
"""Cuts exactly where no cuts are, the long way."""

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

cuts = st.builds(Cuts, *[st.sampled_from(TEXTS)] * 3)
framings = st.sampled_from(["chunked", "length", "close"])
seeds = st.integers(0, 9)
pieces = st.binary(min_size=1, max_size=12) | st.text("aé🙂\\\r\n: ", min_size=1, max_size=9).map(str.encode)


@st.composite
def record_lists(draw: st.DrawFn) -> list[Record]:
    at_ns = tokens = 0
    records = []
    for data in draw(st.lists(pieces, max_size=8)):
        at_ns += draw(st.integers(0, 2))
        tokens += draw(st.integers(0, 2))
        records.append(Record(data, tokens, at_ns))
    return records


def payload_of(steps: Iterable[Step]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Record))


# ------------------------------------------------------------------------------------------------------------- bytes


@given(records=record_lists(), cuts=cuts, framing=framings, gzip=st.booleans(), seed=seeds)
def test_how_writes_are_split_changes_no_byte(
    records: list[Record], cuts: Cuts, framing: Framing, gzip: bool, seed: int
) -> None:
    response = Response(steps=records, framing=framing, gzip=gzip, interim=((103, ()),))
    whole = script_of(response, replace(cuts, split=""), seed)
    assert wire_of(script_of(response, cuts, seed).actions) == wire_of(whole.actions)


@given(records=record_lists(), cuts=cuts, framing=framings, version=st.sampled_from(["1.0", "1.1"]), seed=seeds)
def test_a_client_reads_the_payload_whatever_the_cuts(
    records: list[Record], cuts: Cuts, framing: Framing, version: str, seed: int
) -> None:
    script = script_of(Response(steps=Steps(lambda: iter(records)), framing=framing), cuts, seed, version=version)
    _, body, _ = read_by_h11(wire_of(script.actions), is_closed=not script.keep_alive)
    assert body == payload_of(records)


@given(records=record_lists(), cuts=cuts, framing=framings, seed=seeds)
def test_a_client_unpacks_the_payload_whatever_the_cuts(
    records: list[Record], cuts: Cuts, framing: Framing, seed: int
) -> None:
    script = script_of(Response(steps=records, framing=framing, gzip=True), cuts, seed)
    head, body, _ = read_by_h11(wire_of(script.actions), is_closed=not script.keep_alive)
    assert (b"content-encoding", b"gzip") in list(head.headers)
    assert zlib.decompress(body, wbits=31) == payload_of(records)


def test_each_record_can_be_unpacked_as_soon_as_it_is_there() -> None:
    script = script_of(Response(steps=(Record(b"one "), Record(b"two")), framing="close", gzip=True), NATURAL, 1)
    _, first, second, _ = [action.data for action in script.actions if isinstance(action, Write)]
    unpacker = zlib.decompressobj(wbits=31)
    assert [unpacker.decompress(first), unpacker.decompress(second)] == [b"one ", b"two"]


@pytest.mark.parametrize("level", ["records", "chunks"])
def test_chunks_are_where_either_level_cuts(level: str) -> None:
    script = script_of(Response(steps=(Record(b"abcd", 1), Record(b"ef", 2))), Cuts(**{level: "size:3"}), 1)
    assert list(script.actions) == [
        Write(HEAD),
        Write(b"3\r\nabc\r\n", 0),
        Write(b"3\r\ndef\r\n", 2),
        Write(b"0\r\n\r\n", 2),
    ]


def test_the_three_levels_know_nothing_of_each_other() -> None:
    response = Response(steps=(Record(b"ab", 1), Record(b"cd", 2), Record(b"ef", 3)))
    script = script_of(response, Cuts(records="coalesce:3", chunks="size:4", split=f"size:{len(HEAD) + 4}"), 1)
    assert list(script.actions) == [
        Write(HEAD + b"4\r\na"),
        Write(b"bcd\r\n2\r\nef\r\n0\r\n\r\n", 3),
    ]


def test_chunk_cuts_do_nothing_where_there_are_no_chunks() -> None:
    response = Response(steps=(Record(b"abcd"),), framing="length")
    assert list(script_of(response, Cuts(chunks="every-byte"), 1).actions) == list(
        script_of(response, NATURAL, 1).actions
    )


# ---------------------------------------------------------------------------------------------------- tokens and times


def ends_of(records: list[Record], wire: bytes, *, chunked: bool) -> list[int]:
    """Return where in the wire each record's last byte is through."""
    places: list[int] = []
    at = wire.index(b"\r\n\r\n") + 4
    while len(places) < len(payload_of(records)):
        size = len(wire) - at
        if chunked:
            line_end = wire.index(b"\r\n", at)
            size = int(wire[at:line_end], 16)
            at = line_end + 2
        places += range(at + 1, at + size + 1)
        at += size + (2 if chunked else 0)
    ends, total = [], 0
    for record in records:
        total += len(record.data)
        ends.append(places[total - 1])
    return ends


@given(records=record_lists(), cuts=cuts, framing=framings, seed=seeds)
def test_tokens_and_times_are_exact_at_every_cut(
    records: list[Record], cuts: Cuts, framing: Framing, seed: int
) -> None:
    actions = list(script_of(Response(steps=records, framing=framing), cuts, seed).actions)
    ends = ends_of(records, wire_of(actions), chunked=framing == "chunked")
    sent = time_ns = 0
    for action in actions:
        if isinstance(action, Until):
            assert action.at_ns > time_ns
            time_ns = action.at_ns
        elif isinstance(action, Write):
            start, sent = sent, sent + len(action.data)
            through = [record for record, end in zip(records, ends, strict=True) if end <= sent]
            assert action.tokens == (through[-1].tokens if through else 0)
            begun = [record for record, end in zip(records, ends, strict=True) if start < end <= sent]
            assert all(record.at_ns <= time_ns for record in begun)
    assert time_ns == (records[-1].at_ns if records else 0)


@given(records=record_lists(), level=st.sampled_from(["", "every-byte", "hostile"]), framing=framings)
def test_what_holds_nothing_back_is_never_late(records: list[Record], level: str, framing: Framing) -> None:
    actions = list(script_of(Response(steps=records, framing=framing), Cuts(level, level, level), 1).actions)
    ends = ends_of(records, wire_of(actions), chunked=framing == "chunked")
    sent = time_ns = 0
    seen = []
    for action in actions:
        time_ns = action.at_ns if isinstance(action, Until) else time_ns
        if isinstance(action, Write):
            start, sent = sent, sent + len(action.data)
            seen += [time_ns for end in ends if start < end <= sent]
    assert seen == [record.at_ns for record in records]


def test_tokens_of_compressed_records_are_through_with_their_last_packed_byte() -> None:
    steps = (Record(b"one", 1), Record(b"two", 2))
    response = Response(steps=steps, framing="close", gzip=True)
    packed = [len(action.data) for action in script_of(response, NATURAL, 1).actions if isinstance(action, Write)]
    writes = [a for a in script_of(response, Cuts(split="every-byte"), 1).actions if isinstance(a, Write)]
    head, one, two, _ = packed
    first = [next(place for place, write in enumerate(writes, 1) if write.tokens == number) for number in (1, 2)]
    assert first == [head + one, head + one + two]


def test_a_wait_stands_before_its_record_and_equal_times_wait_once() -> None:
    steps = (Record(b"a", 1), Record(b"b", 2, 5), Record(b"c", 3, 5), Record(b"d", 4, 7))
    script = script_of(Response(steps=steps, framing="close"), NATURAL, 1)
    assert list(script.actions)[1:] == [
        Write(b"a", 1),
        Until(5),
        Write(b"b", 2),
        Write(b"c", 3),
        Until(7),
        Write(b"d", 4),
    ]


def test_what_is_joined_waits_for_its_last_record() -> None:
    steps = (Record(b"a", 1, 3), Record(b"b", 2, 5), Record(b"c", 3, 7))
    script = script_of(Response(steps=steps), Cuts(records="coalesce:2"), 1)
    assert list(script.actions)[1:] == [
        Until(5),
        Write(b"2\r\nab\r\n", 2),
        Until(7),
        Write(b"1\r\nc\r\n", 3),
        Write(b"0\r\n\r\n", 3),
    ]


def test_an_empty_record_is_no_chunk_but_keeps_its_time_and_tokens() -> None:
    response = Response(steps=(Record(b"a", 1), Record(b"", 2, 5)))
    for each in (NATURAL, AS_NATURAL):
        assert list(script_of(response, each, 1).actions)[1:] == [
            Write(b"1\r\na\r\n", 1),
            Until(5),
            Write(b"0\r\n\r\n", 2),
        ]


@pytest.mark.parametrize("cut", [NATURAL, AS_NATURAL])
def test_an_empty_record_at_the_end_delays_the_end_of_the_connection(cut: Cuts) -> None:
    response = Response(steps=(Record(b"a", 1), Record(b"", 2, 5)), framing="close")
    assert list(script_of(response, cut, 1).actions)[1:] == [Write(b"a", 1), Until(5)]


# -------------------------------------------------------------------------------------------------------------- places

controls = st.sampled_from([Gate("g"), Stall(5), Stall(), Reset(), Close(), Verbatim(b"\x00zz\r\n")])


@given(
    records=record_lists(), place=st.integers(0, 8), control=controls, cuts=cuts, framing=framings, gzip=st.booleans()
)
def test_what_stands_before_a_place_is_sent_before_it(
    *, records: list[Record], place: int, control: Step, cuts: Cuts, framing: Framing, gzip: bool
) -> None:
    steps: list[Step] = [*records[:place], control, *records[place:]]
    actions = list(script_of(Response(steps=steps, framing=framing, gzip=gzip), cuts, 1).actions)
    if isinstance(control, Verbatim):
        before, found, _ = wire_of(actions).partition(control.data)
        assume(not gzip)  # compressed bytes may look like anything
        assert found
    else:
        at = list[object](actions).index(control)
        before = wire_of(actions[:at])
        if isinstance(control, (Reset, Close)):
            assert actions[at + 1 :] == []
    body = before.partition(b"\r\n\r\n")[2]
    if framing == "chunked":
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(before)
        body = b""
        while isinstance(event := reader.next_event(), (h11.Response, h11.Data)):
            body += event.data if isinstance(event, h11.Data) else b""
    if gzip:
        body = zlib.decompressobj(wbits=31).decompress(body)
    assert body == payload_of(records[:place])


@given(records=record_lists(), cuts=cuts, split=st.integers(0, 8), seed=seeds)
def test_a_place_changes_nothing_before_it(records: list[Record], cuts: Cuts, split: int, seed: int) -> None:
    """Only that a piece ends there: without cuts of chunks the wire up to a reset is that of the whole response."""
    cuts = Cuts(split=cuts.split)
    steps: list[Step] = [*records[:split], Reset(), *records[split:]]
    framings: tuple[Framing, ...] = ("chunked", "length", "close")
    for framing in framings:
        whole = wire_of(script_of(Response(steps=records, framing=framing), cuts, seed).actions)
        broken = wire_of(script_of(Response(steps=Steps(lambda: iter(steps)), framing=framing), cuts, seed).actions)
        assert whole.startswith(broken)


@pytest.mark.parametrize("cut", [NATURAL, AS_NATURAL])
def test_before_the_head_things_happen_in_order(cut: Cuts) -> None:
    response = Response(
        before_head=(Stall(9), Gate("g"), Verbatim(b"x"), Record(b"", at_ns=4)),
        interim=((103, (("Link", "</a>"),)), (100, ())),
        steps=(Record(b"a", 1, 4), Record(b"b", 2, 6)),
    )
    assert list(script_of(response, cut, 1).actions) == [
        Stall(9),
        Gate("g"),
        Write(b"x"),
        Until(4),
        Write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        Write(b"HTTP/1.1 100 Continue\r\n\r\n"),
        Write(HEAD),
        Write(b"1\r\na\r\n", 1),
        Until(6),
        Write(b"1\r\nb\r\n", 2),
        Write(b"0\r\n\r\n", 2),
    ]


@pytest.mark.parametrize("cut", [NATURAL, AS_NATURAL])
def test_nothing_follows_an_end_before_the_head(cut: Cuts) -> None:
    script = script_of(Response(before_head=(Reset(), Gate("g")), steps=(Record(b"a"),)), cut, 1)
    assert (list(script.actions), script.keep_alive) == ([Reset()], False)


def test_bytes_past_the_framing_are_split_but_not_framed() -> None:
    script = script_of(Response(steps=(Record(b"ab", 1), Verbatim(b"xyz"))), Cuts("size:9", "size:9", "size:2"), 1)
    writes = [action for action in script.actions if isinstance(action, Write)]
    assert [write.data for write in writes[-8:]] == [b"\n2", b"\r\n", b"ab", b"\r\n", b"xy", b"z0", b"\r\n", b"\r\n"]
    assert [write.tokens for write in writes[-8:]] == [0, 0, 1, 1, 1, 1, 1, 1]


# ------------------------------------------------------------------------------------------------------------ the same


@given(
    records=record_lists(),
    control=st.none() | controls,
    framing=framings,
    version=st.sampled_from(["1.0", "1.1"]),
    head_only=st.booleans(),
    status=st.sampled_from([200, 204, 304, 429]),
)
def test_the_short_way_says_what_the_long_way_says(
    *, records: list[Record], control: Step | None, framing: Framing, version: str, head_only: bool, status: int
) -> None:
    steps: list[Step] = [*records[:3], *([control] if control else []), *records[3:]]
    response = Response(status, steps=steps, framing=framing, trailers=(("X-A", "b"),), interim=((103, ()),))
    short = script_of(response, NATURAL, 1, version=version, head_only=head_only)
    long = script_of(response, AS_NATURAL, 1, version=version, head_only=head_only)
    assert (list(short.actions), short.keep_alive) == (list(long.actions), long.keep_alive)


@given(records=record_lists(), cuts=cuts, gzip=st.booleans(), seed=seeds)
def test_the_same_seed_gives_the_same_script_again_and_again(
    records: list[Record], cuts: Cuts, gzip: bool, seed: int
) -> None:
    response = Response(steps=[*records, Gate("g"), *records], gzip=gzip)
    script = script_of(response, cuts, seed)
    first = list(script.actions)
    assert list(script.actions) == first == list(script_of(response, cuts, seed).actions)


@pytest.mark.parametrize("level", ["records", "chunks", "split"])
def test_another_seed_cuts_elsewhere_also_after_a_gate(level: str) -> None:
    response = Response(steps=(Record(bytes(400)), Gate("g"), Record(bytes(400))), framing="chunked")

    def sizes(seed: int) -> list[int]:
        script = script_of(response, Cuts(**{level: "random:1:30"}), seed)
        return [len(action.data) if isinstance(action, Write) else 0 for action in script.actions]

    assert sizes(1) != sizes(2)
    gate = sizes(1).index(0)
    assert sizes(1)[1:9] != sizes(1)[gate + 1 : gate + 9]


@pytest.mark.parametrize("cuts", [NATURAL, Cuts(split="every-byte"), Cuts(records="hostile")])
def test_steps_are_asked_for_one_by_one(cuts: Cuts) -> None:
    made = []

    def make() -> Iterator[Step]:
        for number in range(1000):
            made.append(number)
            yield Record(b"a", number + 1)

    script = script_of(Response(steps=Steps(make)), cuts, 1)
    assert made == []
    first = next(action for action in script.actions if isinstance(action, Write) and action.tokens == 1)
    assert (first.tokens, made) == (1, [0])


def test_no_policy_holds_more_than_a_mebibyte() -> None:
    steps = Steps(lambda: (Record(bytes(1 << 16), number, number) for number in range(1, 65)))
    script = script_of(Response(steps=steps, framing="close"), Cuts(split="size:1000000000"), 1)
    sizes = [len(action.data) for action in script.actions if isinstance(action, Write)]
    assert max(sizes) <= (1 << 20) + (1 << 16)
    assert sum(sizes) > 64 << 16


# ---------------------------------------------------------------------------------------------------------------- texts


def test_every_policy_is_a_way_to_cut() -> None:
    texts = {"size": "size:3", "random": "random:1:5", "coalesce": "coalesce:2"}
    assert [type(parse_cut(texts.get(name, name))) for name in POLICIES] == list(POLICIES.values())
    assert parse_cut("") is None
    assert parse_cut("none") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("evrey-byte", "did you mean every-byte?"),
        ("lines:3", "takes nothing"),
        ("size", "size:N"),
        ("size:0", "at least 1 byte"),
        ("size:x", "is not N"),
        ("random:5:1", "MIN <= MAX"),
        ("none:1", "is no way to cut"),
    ],
)
def test_a_wrong_text_is_told_with_its_level_and_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")) as caught:
        Cuts(records=text)
    assert str(caught.value).startswith("records: ")
