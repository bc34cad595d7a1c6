"""What reads mean: which one brought the first token, what is no token, and which gaps nobody knows."""

from __future__ import annotations

import gzip
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.lane import coding_in
from streamkit.bench.metrics import BY_NAME, unresolved_gaps
from streamkit.bench.observer import Observer
from streamkit.bench.record import RequestRecord, ServerTimes, known_gap
from streamkit.bench.tally import Tally
from streamkit.client.coding import coding_of
from streamkit.dialects.events import (
    End,
    Event,
    Finish,
    FinishReason,
    PartEnd,
    PartStart,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.registry import DIALECTS, get_dialect
from streamkit.http.head import ResponseHead
from streamkit.http.stream import TimedRead
from tests.bench.handmade import DONE, HEL, LO, ROLE, STOP, USAGE, delta

SENT_NS = 1000

NAMES = [
    name if framing == row.framings[0] else f"{name}/{framing}"
    for name, row in DIALECTS.items()
    for framing in row.framings
]


def observed(*reads: TimedRead, dialect: str = "openai-chat", end: bool = True) -> RequestRecord:
    """Look at these reads of a body, as the reader does, some of them at once."""
    row, framing = get_dialect(dialect)
    record = RequestRecord(number=0, sent_ns=SENT_NS, began_ns=900)
    observer = Observer(record, row.decoder(framing=framing))
    for number, each in enumerate(reads):
        observer.pending.append(each)
        if number % 3 != 1:
            observer.work()
    if end:
        observer.finish(reads[-1])
    return record


def read(data: bytes, at_ns: int, segments: int | None = 1, *, late_ns: int = 50) -> TimedRead:
    return TimedRead(data, at_ns + late_ns, at_ns, segments)


def gaps_of(record: RequestRecord) -> list[int]:
    return [*BY_NAME["event_gap_ms"].values(record)]


def written(dialect: str, events: list[Event]) -> bytes:
    row, framing = get_dialect(dialect)
    encoder = row.encoder(framing=framing)
    return b"".join([*(piece for event in events for piece in encoder.feed(event)), *encoder.finish()])


TEXTS = ["Hel", "lo ", "you", " there", "."]
ANSWER: list[Event] = [
    Start("i", "m"),
    PartStart(0, "text"),
    *(Text(0, text) for text in TEXTS),
    PartEnd(0),
    Finish("stop"),
    Usage(input_total=3, output_total=5),
    End(),
]


# ----------------------------------------------------------------------------------- what is a token, and of which kind


def test_a_role_is_an_event_and_no_token() -> None:
    record = observed(read(ROLE, 2000), read(HEL, 5000), read(LO, 6000), read(STOP + DONE, 7000))
    assert (record.first_byte_ns, record.first_event_ns) == (2000, 2000)
    assert (record.first_token_ns, record.first_token_read_ns) == (5000, 5050)
    assert (record.last_token_ns, record.end_ns) == (6000, 7000)
    assert record.visible_tokens == record.token_events == 2
    assert (record.outcome, record.finish) == ("ok", "stop")


def test_a_heartbeat_is_no_event_and_a_count_no_token() -> None:
    record = observed(
        read(b": hello\n\n", 2000), read(HEL, 5000), read(STOP, 6000), read(USAGE, 7000), read(DONE, 8000)
    )
    assert record.first_byte_ns == 2000
    assert record.first_event_ns == record.first_token_ns == record.last_token_ns == 5000
    assert record.end_ns == 8000
    assert (record.input_tokens, record.output_tokens, record.tokens) == (3, 7, 7)
    assert [each.tokens for each in record.token_reads] == [1]


def test_reasoning_text_and_tools_are_told_apart() -> None:
    call = '{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}'
    more = '{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}'
    pieces = ['{"reasoning_content":"hm"}', '{"reasoning_content":"so"}', '{"content":"Hi"}', call, more]
    record = observed(*(read(delta(piece), 2000 + 1000 * at) for at, piece in enumerate(pieces)), read(DONE, 9000))
    assert (record.reasoning_tokens, record.visible_tokens, record.tool_tokens) == (2, 1, 2)
    assert record.first_token_ns == 2000
    assert record.first_visible_ns == 4000
    assert record.first_tool_ns == 5000
    assert record.last_token_ns == 6000


def test_a_refusal_is_visible_and_empty_pieces_are_nothing() -> None:
    pieces = ['{"content":""}', '{"reasoning_content":""}', '{"refusal":"No."}', '{"content":""}']
    record = observed(*(read(delta(piece), 2000 + 1000 * at) for at, piece in enumerate(pieces)), read(DONE, 9000))
    assert (record.visible_tokens, record.token_events) == (1, 1)
    assert record.first_token_ns == record.last_token_ns == 4000


def test_what_ollama_says_of_itself() -> None:
    done = (
        b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9,'
        b'"load_duration":1,"prompt_eval_count":3,"prompt_eval_duration":2,"eval_count":1,"eval_duration":5}\n'
    )
    hello = b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n'
    record = observed(read(hello, 2000), read(done, 3000), dialect="ollama-chat")
    assert record.server == ServerTimes(load_ns=1, prompt_ns=2, eval_ns=5, total_ns=9)
    assert (record.output_tokens, record.end_ns) == (1, 3000)


# ----------------------------------------------------------------------------------------------------------- resolution


def test_gaps_between_reads_of_one_segment_are_known() -> None:
    record = observed(read(HEL, 2000), read(LO, 5000), read(HEL, 9000), read(DONE, 9500))
    assert gaps_of(record) == [3000, 4000]
    assert unresolved_gaps(record) == 0
    assert record.is_first_resolved


def test_of_a_read_of_several_segments_the_last_ones_time_is_known() -> None:
    record = observed(read(HEL, 2000), read(LO + HEL, 5000, 2), read(LO, 9000), read(DONE, 9500))
    assert gaps_of(record) == [4000]  # into it, and in it, nobody knows them
    assert unresolved_gaps(record) == 2
    assert [each.is_resolved for each in record.token_reads] == [True, False, True]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_token_behind_a_role_in_one_read_has_a_time(newline: bytes) -> None:
    first = (ROLE + HEL).replace(b"\n", newline)
    record = observed(read(first, 5000, 2), read(LO, 9000), read(DONE, 9500))
    assert record.is_first_resolved
    assert gaps_of(record) == [4000]


NOT_LAST: dict[str, bytes] = {
    "part of a record": HEL + LO[:9],
    "a heartbeat": HEL + b": still here\n\n",
    "an empty line": HEL + b"\n",
    "a record without a token": HEL + ROLE,
}


@pytest.mark.parametrize("data", NOT_LAST.values(), ids=NOT_LAST)
def test_a_token_with_something_behind_it_in_one_read_has_none(data: bytes) -> None:
    """What came last was not it."""
    reads = read(data, 5000, 2), read(LO[9:] if data.endswith(LO[:9]) else LO, 9000), read(DONE, 9500)
    record = observed(*reads)
    assert not record.is_first_resolved
    assert gaps_of(record) == []
    assert unresolved_gaps(record) == 1


@pytest.mark.parametrize("how", ["sealed", "compressed", "not stamped"])
def test_what_is_undone_or_not_stamped_has_none_either(how: str) -> None:
    record = RequestRecord(number=0, sent_ns=SENT_NS, began_ns=900)
    observer = Observer(record, DIALECTS["openai-chat"].decoder())
    observer.is_sealed = how == "sealed"
    observer.coding = coding_of("gzip") if how == "compressed" else None
    data = gzip.compress(ROLE + HEL) if how == "compressed" else ROLE + HEL
    observer.pending.append(TimedRead(data, 5050, None if how == "not stamped" else 5000, 2))
    observer.work()
    assert record.visible_tokens == 1
    assert not record.is_first_resolved


@st.composite
def merged(draw: st.DrawFn) -> tuple[str, list[TimedRead], list[int]]:
    """A stream of segments, some of them read together; and when each of its tokens was there."""
    name = draw(st.sampled_from(["openai-chat", "anthropic", "ollama-chat", "openai-responses"]))
    row, framing = get_dialect(name)
    encoder = row.encoder(framing=framing)
    records = [(event, b"".join(encoder.feed(event))) for event in ANSWER]
    wire = b"".join(piece for _, piece in records) + b"".join(encoder.finish())
    places = {len(wire), *draw(st.lists(st.integers(1, len(wire) - 1), max_size=15))}
    ends, end = [], 0
    for event, piece in records:
        end += len(piece)
        if isinstance(event, Text):
            ends.append(end)
        if draw(st.booleans()) and end:
            places.add(end)
    at_ns, start = 2000, 0
    segments: list[tuple[int, int]] = []  # of each where it ends, and when it came
    waiting: list[bytes] = []
    reads: list[TimedRead] = []
    for place in sorted(places):
        at_ns += draw(st.integers(1, 50))
        segments.append((place, at_ns))
        waiting.append(wire[start:place])
        start = place
        if place == len(wire) or draw(st.booleans()):
            reads.append(TimedRead(b"".join(waiting), at_ns, at_ns, len(waiting)))
            waiting.clear()
    return name, reads, [next(came_ns for place, came_ns in segments if place >= end) for end in ends]


@given(merged())
def test_no_time_is_said_to_be_known_that_is_not_right(answer: tuple[str, list[TimedRead], list[int]]) -> None:
    name, reads, truth = answer
    record = observed(*reads, dialect=name)
    assert record.token_events == len(truth)
    assert record.first_token_ns is not None
    assert record.first_token_ns >= truth[0]
    if record.is_first_resolved:
        assert record.first_token_ns == truth[0]
    done = 0
    for before, after in pairwise(record.token_reads):
        done += before.tokens
        gap_ns = known_gap(before, after)
        assert gap_ns in {None, truth[done] - truth[done - 1]}


def test_several_tokens_of_one_segment_are_unresolved_among_themselves_only() -> None:
    record = observed(read(HEL, 2000), read(LO + HEL + LO, 5000), read(LO, 9000), read(DONE, 9500))
    assert gaps_of(record) == [3000, 4000]
    assert unresolved_gaps(record) == 2


def test_a_read_whose_segment_was_counted_before_makes_no_gap() -> None:
    record = observed(read(HEL, 2000, 2), read(LO, 2500, 0), read(DONE, 9500))
    assert gaps_of(record) == []
    assert unresolved_gaps(record) == 1


def test_no_gap_is_zero_where_two_reads_have_one_stamp() -> None:
    first, second = read(HEL, 2000), TimedRead(LO, 2090, 2000, 1)
    record = observed(first, second, read(DONE, 3000))
    assert gaps_of(record) == []
    assert unresolved_gaps(record) == 1
    assert [*BY_NAME["read_gap_ms"].values(record)] == [40]


def test_a_stamp_that_goes_back_makes_no_gap_then_or_later() -> None:
    reads = [read(HEL, 5000), TimedRead(ROLE, 5100, 3000, 1), TimedRead(LO, 5200, 4000, 1), read(HEL, 6000)]
    record = observed(*reads, read(DONE, 7000))
    assert gaps_of(record) == []
    assert unresolved_gaps(record) == 2


def test_the_pieces_of_one_read_are_one_read() -> None:
    """As they come out of TLS, whose records may be several in a read, and whose segments are the first one's."""
    one = [TimedRead(data, 5050, 5000, segments) for data, segments in ((ROLE, 1), (HEL, 0), (LO, 0))]
    record = observed(*one, read(HEL, 9000), read(DONE, 9500))
    assert [(each.tokens, each.is_resolved) for each in record.token_reads] == [(2, True), (1, True)]
    assert gaps_of(record) == [4000]
    assert unresolved_gaps(record) == 1
    assert record.is_first_resolved
    assert (record.first_tokens, record.reads) == (2, 3)
    assert [*BY_NAME["read_gap_ms"].values(record)] == [4000]
    assert [*BY_NAME["events_per_read"].values(record)] == [2, 1]


def test_what_a_compressed_read_becomes_is_one_read() -> None:
    row, framing = get_dialect("openai-chat")
    record = RequestRecord(number=0, sent_ns=SENT_NS)
    observer = Observer(record, row.decoder(framing=framing))
    observer.coding = coding_in(
        ResponseHead(200, "OK", "1.1", [("Content-Encoding", "gzip")], "close", keep_alive=False)
    )
    big = delta('{"content":"%s"}' % ("x" * 70000))  # more than comes out of the coding in one piece
    observer.pending.append(read(gzip.compress(big * 3), 5000))
    observer.pending.append(read(gzip.compress(DONE), 6000))
    observer.finish(read(b"", 6000))
    assert [(each.tokens, each.is_resolved) for each in record.token_reads] == [(3, True)]
    assert record.outcome == "ok"
    assert record.body_bytes == 3 * len(big) + len(DONE)


def test_tpot_counts_from_behind_the_first_read() -> None:
    record = observed(read(HEL + LO, 2000), read(HEL, 5000), read(LO, 8000), read(DONE, 9000))
    assert [*BY_NAME["tpot_ms"].values(record)] == [3000]


# --------------------------------------------------------------------------------------------------------------- stamps


def test_without_the_kernels_stamps_the_reads_count() -> None:
    record = observed(TimedRead(HEL, 2050), read(LO, 3000), read(DONE, 4000))
    assert not record.has_kernel
    assert record.first_token_ns == record.first_token_read_ns == 2050
    assert record.last_token_ns == 3000


def test_with_the_kernels_stamps_they_count() -> None:
    record = observed(read(HEL, 2000), read(DONE, 4000))
    assert record.has_kernel
    assert (record.first_token_ns, record.first_token_read_ns) == (2000, 2050)


@pytest.mark.parametrize(("early_ns", "is_seen"), [(1, False), (1_900_000, False), (3_100_000, True)])
def test_a_stamp_from_before_the_question_is_of_a_clock_that_was_set(early_ns: int, is_seen: bool) -> None:
    """By a little, which is the clock's doing; or by more, which may be somebody else's answer."""
    sent_ns = 10**9
    record = RequestRecord(number=0, sent_ns=sent_ns, began_ns=900)
    observer = Observer(record, DIALECTS["openai-chat"].decoder())
    observer.pending.append(TimedRead(HEL, sent_ns + 5000, sent_ns - early_ns, 1))
    observer.pending.append(TimedRead(LO + DONE, sent_ns + 6000, sent_ns + 5500, 1))
    observer.work()
    assert record.outcome == "ok"
    assert record.clock_jumped is is_seen
    assert not record.has_kernel
    assert record.first_token_ns == record.first_token_read_ns


def test_a_refusal_before_all_of_the_question_was_sent_tells_of_no_clock() -> None:
    record = RequestRecord(number=0, sent_ns=SENT_NS)
    observer = Observer(record, get_dialect("openai-chat")[0].decoder())
    observer.saw_head(TimedRead(b"", 1200, SENT_NS - 100, 1), 413)
    assert not record.clock_jumped
    assert record.headers_ns == 1200


def test_the_body_may_end_later_than_its_last_event() -> None:
    row, framing = get_dialect("text")
    record = RequestRecord(number=0, sent_ns=SENT_NS)
    observer = Observer(record, row.decoder(framing=framing))
    observer.pending.append(read(b"Hello", 2000))
    observer.finish(read(b"0\r\n\r\n", 8000))
    assert (record.outcome, record.last_token_ns, record.end_ns) == ("ok", 2000, 8000)


# ---------------------------------------------------------------------------------------------------------- how it ends


def test_what_comes_behind_the_end_changes_nothing() -> None:
    record = observed(read(HEL + DONE, 2000), read(LO, 3000), read(b"data: {]\n\n", 4000))
    assert (record.outcome, record.token_events, record.end_ns) == ("ok", 1, 2000)
    assert record.detail == ""


def test_what_breaks_in_the_first_of_several_pending_reads() -> None:
    record = observed(read(HEL, 2000), read(b"data: {]\n\n", 3000), read(LO, 4000), read(DONE, 5000))
    assert record.outcome == "undecodable"
    assert "record 2" in record.detail
    assert record.token_events == 1


def test_an_end_that_is_pending_is_seen_before_the_connection_is_lost() -> None:
    row, framing = get_dialect("openai-chat")
    record = RequestRecord(number=0, sent_ns=SENT_NS)
    observer = Observer(record, row.decoder(framing=framing))
    observer.pending.extend([read(HEL, 2000), read(DONE, 3000)])
    observer.fail("disconnected", "the connection was lost")
    assert (record.outcome, record.detail) == ("ok", "")


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_without_tokens_is_empty_in_every_dialect(name: str) -> None:
    events = [event for event in ANSWER if not isinstance(event, (Text, PartStart, PartEnd))]
    wire = written(name, events)
    record = observed(read(wire, 2000), dialect=name)
    assert record.outcome == "empty", record.detail


@pytest.mark.parametrize("name", [name for name in NAMES if name != "text"])
def test_an_answer_that_is_cut_is_never_ok(name: str) -> None:
    wire = written(name, ANSWER)
    whole = observed(read(wire, 2000), dialect=name)
    assert whole.outcome == "ok"
    tally = Tally()
    for cut in range(0, len(wire), 1 + len(wire) // 200):
        record = observed(read(wire[:cut], 2000), dialect=name)
        if record.outcome == "ok":  # what is missing says nothing any more
            assert record.token_events == len(TEXTS)
            assert cut > len(wire) * 0.5
        else:
            tally.add(record)
    assert tally.errors > 50
    assert not tally.distribution("ttft_ms").n


FOREIGN = [(spoken, heard) for spoken in NAMES for heard in NAMES if spoken != heard]


@pytest.mark.parametrize(("spoken", "heard"), FOREIGN)
def test_another_dialect_is_never_ok(spoken: str, heard: str) -> None:
    record = observed(read(written(spoken, ANSWER), 2000), dialect=heard)
    is_plain = heard == "text" and spoken.startswith(("json", "text"))  # that is some JSON or text: an answer may be
    assert record.outcome == "ok" if is_plain else record.outcome in {"wrong-dialect", "undecodable", "empty"}
    if not spoken.startswith(("json", "text")):  # of which there is no telling
        assert record.outcome == "wrong-dialect"
        assert f"looks like {spoken}" in record.detail or f"a record of {spoken}" in record.detail


# ---------------------------------------------------------------------------------------------------- however it is cut


@st.composite
def cuts(draw: st.DrawFn) -> tuple[str, list[TimedRead]]:
    """A stream of some dialect, cut into reads anywhere."""
    name = draw(st.sampled_from(NAMES))
    row, _ = get_dialect(name)
    events: list[Event] = [Start("i", "m")]
    part = 0
    if "reasoning" in row.carries and draw(st.booleans()):
        events += [PartStart(part, "reasoning"), Reasoning(part, "hm"), Reasoning(part, "so"), PartEnd(part)]
        part += 1
    events += [PartStart(part, "text"), *(Text(part, text) for text in TEXTS), PartEnd(part)]
    reason: FinishReason = "stop"
    if "tools" in row.carries and draw(st.booleans()):
        reason = "tool_calls"
        events += [PartStart(part + 1, "tool", "c1", "f"), ToolArgs(part + 1, '{"a":1}'), PartEnd(part + 1)]
    events += [Finish(reason), Usage(input_total=3, output_total=5), End()]
    wire = written(name, events)
    places = sorted({0, len(wire), *draw(st.lists(st.integers(1, len(wire) - 1), max_size=30))})
    at_ns = read_ns = 2000
    reads: list[TimedRead] = []
    for start, end in pairwise(places):
        at_ns += draw(st.integers(0, 50))  # two may have the same stamp
        read_ns = max(read_ns, at_ns) + draw(st.integers(1, 100))
        segments = draw(st.sampled_from([1, 1, 1, 0, 2, 3, None]))
        kernel_ns = at_ns if draw(st.integers(0, 9)) else None
        reads.append(TimedRead(wire[start:end], read_ns, kernel_ns, segments))
    return name, reads


@given(cuts())
def test_how_it_is_cut_changes_no_count_and_makes_no_gap_of_zero(cut: tuple[str, list[TimedRead]]) -> None:
    name, reads = cut
    wire = b"".join(each.data for each in reads)
    record = observed(*reads, dialect=name)
    whole = observed(read(wire, 2000), dialect=name)
    for each in ("outcome", "finish", "reasoning_tokens", "tool_tokens", "output_tokens", "input_tokens"):
        assert getattr(record, each) == getattr(whole, each), each
    if name != "text":  # of which every read is a piece
        assert record.visible_tokens == whole.visible_tokens
    gaps = gaps_of(record)
    assert all(gap > 0 for gap in gaps)
    assert len(gaps) + unresolved_gaps(record) == record.token_events - 1
    assert all(gap > 0 for gap in BY_NAME["read_gap_ms"].values(record))
    assert sum(each.tokens for each in record.token_reads) == record.token_events
    assert record.first_token_ns == record.token_reads[0].at_ns
    assert record.last_token_ns == record.token_reads[-1].at_ns
    assert record.first_tokens == record.token_reads[0].tokens
    assert record.outcome == "ok"
    assert record.first_token_read_ns in {each.read_ns for each in reads}
    looked_at = reads[: record.reads]  # none behind the one with the end
    assert record.body_bytes == sum(len(each.data) for each in looked_at)
    assert record.end_read_ns == looked_at[-1].read_ns or looked_at == reads
