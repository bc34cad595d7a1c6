"""The exact effect of each fault below the dialect, on answers written by hand."""

from __future__ import annotations

from dataclasses import replace

from mockserver.faults.table import Context, apply_faults, fault_of
from mockserver.response import Headers, Record, Response, Step, Verbatim
from mockserver.script import Close, Gate, Reset, Stall, Write
from mockserver.splits import Cuts, script_of
from streamkit.dialects.registry import DIALECTS

A, B, END = Record(b"a\n", 1, 10), Record(b"bb\n", 2, 20), Record(b"end\n", 2, 30, is_terminator=True)
STREAM = Response(200, (("Content-Type", "application/x-ndjson"), ("X-Mock-Seed", "7")), (A, B, END))
CONTEXT = Context(DIALECTS["ollama-chat"], "ndjson", 1)


def after(*faults: str, response: Response = STREAM, context: Context = CONTEXT) -> Response:
    return apply_faults(response, [fault_of(fault) for fault in faults], context)


def steps(*faults: str, response: Response = STREAM) -> list[Step]:
    return sent(after(*faults, response=response))


def sent(response: Response) -> list[Step]:
    """The steps up to the one that breaks the body off."""
    steps = [*response.steps]
    breaks = [number for number, step in enumerate(steps) if isinstance(step, Close | Reset)]
    return steps[: breaks[0] + 1] if breaks else steps


def without_steps(response: Response) -> Response:
    return replace(response, steps=())


def test_status_answers_with_an_error_and_keeps_the_headers_that_are_no_stream_s() -> None:
    stream = replace(STREAM, gzip=True, headers=(*STREAM.headers, ("Cache-Control", "no-cache")))
    found = after("status:503", response=stream)
    assert found == Response(
        503,
        (("Content-Type", "application/json"), ("X-Mock-Seed", "7")),
        (Record(b'{"error":{"message":"the mock server was told to answer 503 Service Unavailable"}}'),),
        framing="length",
    )
    assert found.notes == ("status:503",)


def test_status_uses_the_vendor_s_body_and_says_when_to_come_again() -> None:
    def failure(status: int, message: str) -> tuple[Headers, bytes]:
        return (("Content-Type", "application/problem+json"), ("x-mock-seed", "8")), f"{status} {message}".encode()

    found = after("status:429:2", context=replace(CONTEXT, failure=failure))
    assert found.headers == (("Content-Type", "application/problem+json"), ("x-mock-seed", "8"), ("Retry-After", "2"))
    assert [*found.steps] == [Record(b"429 the mock server was told to answer 429 Too Many Requests")]


def test_status_without_a_reason_phrase() -> None:
    [record] = steps("status:599")
    assert record == Record(b'{"error":{"message":"the mock server was told to answer 599"}}')


def test_what_happens_before_the_head_is_there_still_when_a_status_replaces_the_rest() -> None:
    assert after("stall:1s@before-head", "interim:103", "status:500").before_head == (Stall(1_000_000_000),)


def test_stall() -> None:
    assert steps("stall") == [A, Stall(None), B, END]
    assert steps("stall:250ms@before-terminator") == [A, B, Stall(250_000_000), END]
    assert steps("stall:1s@event:1+2") == [
        A,
        Record(b"bb", 1, 20, cut_from=B),
        Stall(1_000_000_000),
        Record(b"\n", 2, 20),
        END,
    ]
    found = after("stall@before-head")
    assert (found.before_head, [*found.steps]) == ((Stall(None),), [A, B, END])


def test_gate() -> None:
    assert steps("gate:first") == [Gate("first"), A, B, END]
    assert steps("gate:a@token:1", "gate:b@token:1") == [A, Gate("a"), Gate("b"), B, END]
    assert after("gate:g@before-head").before_head == (Gate("g"),)


def test_reset_and_close() -> None:
    assert steps("reset") == [A, Reset()]
    assert steps("close@event:2+1") == [A, B, Record(b"e", 2, 30, cut_from=END), Close()]
    assert steps("reset@after-head") == [Reset()]
    assert after("close@before-head").before_head == (Close(),)


def test_a_body_with_a_length_that_is_broken_off_says_the_length_that_it_would_have_had() -> None:
    stream = replace(STREAM, framing="length")
    assert [*after("reset", response=stream).steps] == [A, Reset(), B, END]
    assert [*after("close@event:1+2", response=stream).steps][2:] == [Close(), Record(b"\n", 2, 20), END]
    for faults in (("reset", "length:+1"), ("length:+1", "reset"), ("reset@before-terminator", "reset", "length:+1")):
        wire = b"".join(step.data for step in script_of(after(*faults), Cuts(), 1).actions if isinstance(step, Write))
        assert b"Content-Length: 10\r\n" in wire
        assert wire.endswith(b"\r\n\r\na\n")


def test_what_was_cut_off_is_left_alone_by_later_faults() -> None:
    for fault in ("drop@token:0", "no-terminator", "comment@before-terminator", "raw-u2028", "reorder@token:0"):
        found = after("reset@token:1", fault)
        assert [*found.steps][-3:] == [Reset(), B, END]


def test_what_ends_a_body_before_a_break_leaves_no_break() -> None:
    assert [*after("reset@token:1", "end@event:0").steps] == []


def test_faults_after_the_one_that_ended_everything_do_nothing() -> None:
    found = after("reset", "stall@before-terminator", "no-terminator")
    assert sent(found) == [A, Reset()]
    assert found.notes == (
        "reset",
        "stall@before-terminator: did nothing, because the answer ends before that place",
        "no-terminator: did nothing, because nothing in the answer says that it is the end",
    )


def test_bad_chunk() -> None:
    assert steps("bad-chunk") == [A, Verbatim(b"xyz\r\n", in_chunks=True), B, END]
    for framing in ("length", "close"):
        found = after("bad-chunk", response=replace(STREAM, framing=framing))
        assert found.notes == ("bad-chunk: did nothing, because the body is not chunked",)


def test_no_last_chunk() -> None:
    found = after("no-last-chunk")
    assert ([*found.steps], found.last_chunk, found.after_body) == ([A, B, END], False, (Close(),))


def test_length() -> None:
    assert without_steps(after("length:+10")) == replace(without_steps(STREAM), framing="length", length_error=10)
    assert after("length:-3").length_error == -3
    assert after("length:+3", "length:-1").length_error == 2
    assert steps("length:-3") == [A, B, END]


def test_content_type() -> None:
    assert after("content-type").headers == (("Content-Type", "text/html"), ("X-Mock-Seed", "7"))
    found = after("content-type:application/json; charset=x", response=replace(STREAM, headers=()))
    assert found.headers == (("Content-Type", "application/json; charset=x"),)


def test_interim() -> None:
    found = after("interim", "interim:100", "interim:102")
    assert found.interim == ((103, (("Link", "</style.css>; rel=preload; as=style"),)), (100, ()), (102, ()))


def test_trailers() -> None:
    assert after("trailers", "trailers:A=b c").trailers == (("X-Mock-Trailer", "end"), ("A", "b c"))
    assert after("trailers", response=replace(STREAM, framing="close")).trailers == ()


def test_junk_after_end_comes_after_the_response_and_is_no_part_of_it() -> None:
    for framing in ("chunked", "length"):
        found = after("junk-after-end:über", response=replace(STREAM, framing=framing))
        assert ([*found.steps], found.length_error) == ([A, B, END], 0)
        assert found.after_body == (Verbatim("über".encode()), Close())
    assert after("junk-after-end", response=replace(STREAM, framing="close")).notes == (
        "junk-after-end: did nothing, because nothing but the connection's end tells where the body ends",
    )


def test_slow_close() -> None:
    for framing in ("chunked", "length", "close"):
        found = after("slow-close:2s", response=replace(STREAM, framing=framing))
        assert ([*found.steps], found.after_body) == ([A, B, END], (Stall(2_000_000_000), Close()))


def test_only_one_fault_happens_after_the_end() -> None:
    found = after("slow-close", "no-last-chunk")
    assert found.after_body == (Stall(1_000_000_000), Close())
    assert found.notes[1] == "no-last-chunk: did nothing, because another fault ends it already"


def test_a_document_has_no_middle_so_its_faults_come_after_the_head() -> None:
    whole = Record(b"{}", 64, 5)
    document = Response(200, (), (whole,), framing="length")
    context = Context(DIALECTS["ollama-chat"])
    assert sent(after("reset", response=document, context=context)) == [Reset()]
    assert sent(after("close@event:0+1", response=document, context=context)) == [
        Record(b"{", 0, 5, cut_from=whole),
        Close(),
    ]
    [note] = after("error", response=document, context=context).notes
    assert note == "error: did nothing, because the answer is no stream of a dialect"


def test_a_place_that_is_not_reached_is_noted() -> None:
    found = after("reset@token:3")
    assert [*found.steps] == [A, B, END]
    assert found.notes == ("reset@token:3: did nothing, because the answer ends before that place",)


def test_how_often_a_fault_happens_is_not_decided_here() -> None:
    assert steps("reset,first:0,share:0") == [A, Reset()]
    assert after("reset,first:0,share:0").notes == ("reset",)
