"""`ndjson-to-sse`: what each input becomes, and what each option does. Expected bytes are written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cli.harness import Filter, Kept, Result, linux_only, run

# ------------------------------------------------------------------------------------------------ what a record becomes


@pytest.fixture(scope="module")
def plain() -> Iterator[Kept]:
    with Kept("ndjson-to-sse") as kept:
        yield kept


@pytest.mark.parametrize(
    ("wire", "frames"),
    [
        pytest.param(b'{"a":1}\n', b'data: {"a":1}\n\n', id="object"),
        pytest.param(b"[1,2]\n", b"data: [1,2]\n\n", id="array"),
        pytest.param(b'"text"\n', b'data: "text"\n\n', id="string"),
        pytest.param(b"null\n0\ntrue\n", b"data: null\n\ndata: 0\n\ndata: true\n\n", id="three-scalars"),
        pytest.param(b'{"a":1}\r\n', b'data: {"a":1}\n\n', id="crlf"),
        pytest.param(b'{"a":\r1}\n', b'data: {"a":\ndata: 1}\n\n', id="cr-inside-is-white-space"),
        pytest.param(b'{"a":\r\r1}\n', b'data: {"a":\ndata: \ndata: 1}\n\n', id="two-crs-inside"),
        pytest.param(b'  {"a" : 1}\t\n', b'data:   {"a" : 1}\t\n\n', id="white-space-is-kept"),
        pytest.param(b'{"a":1.0e+05,"b":-0.0}\n', b'data: {"a":1.0e+05,"b":-0.0}\n\n', id="numbers-as-spelled"),
        pytest.param(b"36893488147419103232\n", b"data: 36893488147419103232\n\n", id="two-to-the-65"),
        pytest.param(b'{"k":1,"k":2}\n', b'data: {"k":1,"k":2}\n\n', id="duplicate-keys"),
        pytest.param(b'"\\u00e9\\/\\ud83d\\ude00"\n', b'data: "\\u00e9\\/\\ud83d\\ude00"\n\n', id="escapes-as-spelled"),
        pytest.param('"é漢😀"\n'.encode(), 'data: "é漢😀"\n\n'.encode(), id="utf-8"),
        pytest.param(
            '"\u2028\u2029\x85\x7f"\n'.encode(), 'data: "\u2028\u2029\x85\x7f"\n\n'.encode(), id="unicode-line-ends"
        ),
        pytest.param(b'\n \t\r\n{"a":1}\n\n', b'data: {"a":1}\n\n', id="blank-lines"),
        pytest.param(b'":data: x"\n', b'data: ":data: x"\n\n', id="looks-like-sse"),
        pytest.param(b'{"a":"' + b"x" * 200_000 + b'"}\n', b'data: {"a":"' + b"x" * 200_000 + b'"}\n\n', id="long"),
    ],
)
def test_record(plain: Kept, wire: bytes, frames: bytes) -> None:
    with plain.case() as process:
        process.send(wire)
        process.expect(frames)


def test_ollama_stream() -> None:
    wire = (
        b'{"model":"m","created_at":"2026-11-20T10:00:00Z","message":{"role":"assistant","content":"Gr\xc3\xbc"},"done":false}\n'
        b'{"model":"m","created_at":"2026-11-20T10:00:01Z","message":{"role":"assistant","content":"\xc3\x9fe"},"done":false}\n'
        b'{"model":"m","created_at":"2026-11-20T10:00:02Z","message":{"role":"assistant","content":""},"done":true,'
        b'"done_reason":"stop","total_duration":5191566416,"eval_count":298}\n'
    )
    result = run("ndjson-to-sse", stdin=wire)
    assert result.code == 0
    assert result.err == ""
    assert result.out == b"".join(b"data: %b\n\n" % line for line in wire.splitlines())


@pytest.mark.parametrize(
    ("wire", "frames"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"\n\n", b"", id="only-blank-lines"),
        pytest.param(b"\xef\xbb\xbf", b"", id="only-a-bom"),
        pytest.param(b'\xef\xbb\xbf{"a":1}\n', b'data: {"a":1}\n\n', id="bom"),
        pytest.param(b'{"a":1}\n{"b":2}', b'data: {"a":1}\n\ndata: {"b":2}\n\n', id="no-last-newline"),
        pytest.param(b'{"a":1}\n{"b":2}\r', b'data: {"a":1}\n\ndata: {"b":2}\n\n', id="last-line-ends-in-cr"),
    ],
)
def test_whole_input(wire: bytes, frames: bytes) -> None:
    result = run("ndjson-to-sse", stdin=wire)
    # A CR at the very end is white space of the record or half of a line end: either way no data of its own.
    assert (result.code, result.out.replace(b"\ndata: \n\n", b"\n\n"), result.err) == (0, frames, "")


@linux_only
def test_one_write_for_each_read() -> None:
    pieces = [b"1\n2\n3\n", b'{"a"', b":4}", b"\n5\n6", b"\n"]
    with Filter("ndjson-to-sse", packets=True) as process:
        for piece in pieces:
            process.send(piece)
        process.expect_writes(b"data: 1\n\ndata: 2\n\ndata: 3\n\n", b'data: {"a":4}\n\ndata: 5\n\n', b"data: 6\n\n")
        result = process.finish()
    assert result.code == 0
    assert len(result.writes) == 3


# -------------------------------------------------------------------------------------------------------------- options


def test_event_name() -> None:
    result = run("ndjson-to-sse", "--event", "token", stdin=b"1\n2\n")
    assert (result.code, result.out) == (0, b"event: token\ndata: 1\n\nevent: token\ndata: 2\n\n")


@pytest.mark.parametrize("name", ["a\nb", "a\rb"])
def test_event_name_cannot_inject(name: str) -> None:
    result = run("ndjson-to-sse", "--event", name, stdin=b"1\n")
    assert (result.code, result.out) == (2, b"")


@pytest.fixture(scope="module")
def by_fields() -> Iterator[Kept]:
    with Kept("ndjson-to-sse", "--event-field", "type", "--id-field", "n") as kept:
        yield kept


@pytest.mark.parametrize(
    ("wire", "frames"),
    [
        pytest.param(b'{"type":"a","n":"x1"}\n', b'event: a\nid: x1\ndata: {"type":"a","n":"x1"}\n\n', id="both"),
        pytest.param(b'{"n":7}\n', b'id: 7\ndata: {"n":7}\n\n', id="integer-id"),
        pytest.param(
            b'{"n":-36893488147419103232}\n',
            b'id: -36893488147419103232\ndata: {"n":-36893488147419103232}\n\n',
            id="big-id",
        ),
        pytest.param(
            b'{"type":"\\u00e9:b"}\n', b'event: \xc3\xa9:b\ndata: {"type":"\\u00e9:b"}\n\n', id="decoded-name"
        ),
        pytest.param(b'{"other":1}\n', b'data: {"other":1}\n\n', id="neither"),
        pytest.param(b'{"in":{"type":"x"}}\n', b'data: {"in":{"type":"x"}}\n\n', id="only-the-top-level"),
        pytest.param(b"[1]\n", b"data: [1]\n\n", id="not-an-object"),
    ],
)
def test_fields(by_fields: Kept, wire: bytes, frames: bytes) -> None:
    with by_fields.case() as process:
        process.send(wire)
        process.expect(frames)


BAD_FIELDS = {
    b'{"type":5}': "event not a string",
    b'{"type":"a\\nb"}': "event with LF",
    b'{"type":"a\\rb"}': "event with CR",
    b'{"n":1.5}': "id a float",
    b'{"n":true}': "id a boolean",
    b'{"n":"a\\ndata: evil"}': "id with LF",
    b'{"n":"a\\u0000b"}': "id with NUL",
    b'{"n":{}}': "id an object",
}


def test_bad_fields_are_bad_records() -> None:
    """A field that cannot be the event's name or id makes the record bad: it is never written in a bent form."""
    wire = b"".join(bad + b'\n{"ok":1}\n' for bad in BAD_FIELDS)
    result = run("ndjson-to-sse", "--event-field", "type", "--id-field", "n", "--skip-bad", stdin=wire)
    assert result.code == 0
    assert result.out == b'data: {"ok":1}\n\n' * len(BAD_FIELDS), result.err
    said = result.err.splitlines()
    assert [re.sub(r".*record (\d+) .*", r"\1", line) for line in said] == [
        str(2 * n + 1) for n in range(len(BAD_FIELDS))
    ]


def test_bad_field_stops_the_filter() -> None:
    result = run("ndjson-to-sse", "--id-field", "n", stdin=b'{"n":1}\n{"n":[]}\n{"n":2}\n')
    assert (result.code, result.out) == (3, b'id: 1\ndata: {"n":1}\n\n')
    assert re.match(r"ndjson-to-sse: .*record 2 at byte (8|9|1\d): .*\bn\b", result.complaint)


@pytest.mark.parametrize(
    ("wire", "code", "out"),
    [
        pytest.param(b"1\n", 0, b"data: 1\n\ndata: [DONE]\n\n", id="clean"),
        pytest.param(b"", 0, b"data: [DONE]\n\n", id="empty"),
        pytest.param(b"1\n2", 0, b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n", id="no-last-newline"),
        pytest.param(b"1\nx\n", 3, b"data: 1\n\n", id="bad-record"),
        pytest.param(b'1\n{"a"', 3, b"data: 1\n\n", id="cut"),
    ],
)
def test_done_only_after_a_clean_end(wire: bytes, code: int, out: bytes) -> None:
    result = run("ndjson-to-sse", "--done", "[DONE]", stdin=wire)
    assert (result.code, result.out) == (code, out), result.err


def test_retry_is_the_first_frame() -> None:
    result = run("ndjson-to-sse", "--retry", "1500", stdin=b"1\n2\n")
    assert (result.code, result.out) == (0, b"retry: 1500\n\ndata: 1\n\ndata: 2\n\n")


@linux_only
def test_keepalive_comes_between_frames() -> None:
    """While nothing comes: a comment. Half a record is no frame: the comment comes before it, never inside it."""
    with Filter("ndjson-to-sse", "--keepalive", "0.05", packets=True) as process:
        process.expect_writes(b": keep-alive\n\n", b": keep-alive\n\n")
        process.send(b'{"a"')
        process.until(lambda: len(process.writes) >= 5, "send keep-alive comments")
        process.send(b":1}\n")
        process.until(lambda: b'data: {"a":1}\n\n' in process.writes, "write the record")
        result = process.finish()
    assert result.code == 0
    assert set(result.writes) == {b": keep-alive\n\n", b'data: {"a":1}\n\n'}
    assert result.writes.count(b'data: {"a":1}\n\n') == 1


def test_keepalive_is_silent_while_records_come() -> None:
    with Filter("ndjson-to-sse", "--keepalive", "30", "--done", "bye") as process:
        for _ in range(20):
            process.send(b"1\n")
            process.expect(b"data: 1\n\n")
        result = process.finish()
    assert result.out == b"data: 1\n\n" * 20 + b"data: bye\n\n"


# ---------------------------------------------------------------------------------------------------------- bad records

BAD_RECORDS = {
    "syntax": b'{"a":}',
    "quotes": b"{'a':1}",
    "two-values": b'{"a":1} {"b":2}',
    "unfinished": b'{"a":1',
    "nan": b"NaN",
    "infinity": b"[Infinity]",
    "out-of-range": b"1e400",
    "lone-surrogate": b'"\\ud800"',
    "invalid-utf-8": b'"\xff"',
    "surrogate-bytes": b'"\xed\xa0\x80"',
    "second-bom": b'\xef\xbb\xbf{"a":1}',
    "utf-16": '{"a":1}'.encode("utf-16-le"),
    "too-deep": b"[" * 100_000 + b"]" * 100_000,
    "terminal-codes": b"\x1b[31mred",
    "raw-control-character": b'"a\tb"',
    "sse": b"data: 1",
}


@pytest.mark.parametrize(
    "bad", [b'{"a":}', b'"\xff"', b"[" * 100_000 + b"]" * 100_000], ids=["syntax", "utf-8", "deep"]
)
def test_bad_record_stops_the_filter(bad: bytes) -> None:
    """Exit 3 and one line: stage, record, byte, reason, excerpt. What was complete before it is written."""
    good = b'{"n":1}\n\n{"n":2}\n'
    result = run("ndjson-to-sse", stdin=good + bad + b'\n{"n":4}\n')
    assert (result.code, result.out) == (3, b'data: {"n":1}\n\ndata: {"n":2}\n\n')
    match = re.fullmatch(r"ndjson-to-sse: ndjson: record 3 at byte (\d+): (.+)", result.complaint)
    assert match is not None, result.complaint
    assert len(good) <= int(match[1]) < len(good) + len(bad)


def test_skip_bad_reports_each_and_goes_on() -> None:
    """One line for each, short, and printable whatever the record holds."""
    wire = b'{"ok":1}\n'
    places = []
    for bad in BAD_RECORDS.values():
        places.append((len(wire), len(wire) + len(bad)))
        wire += bad + b'\n{"ok":1}\n'
    result = run("ndjson-to-sse", "--skip-bad", "--done", "[DONE]", stdin=wire)
    assert result.code == 0
    assert result.out == b'data: {"ok":1}\n\n' * (len(BAD_RECORDS) + 1) + b"data: [DONE]\n\n"
    for index, (line, (start, end)) in enumerate(zip(result.err.splitlines(), places, strict=True)):
        match = re.fullmatch(r"ndjson-to-sse: skipped: ndjson: record (\d+) at byte (\d+): (.+)", line)
        assert match is not None, line
        assert int(match[1]) == 2 * index + 2
        assert start <= int(match[2]) <= end
        assert len(line) < 250
        assert line.isascii()
        assert line.isprintable()


def test_skip_bad_reports_at_once() -> None:
    """The report does not wait for the next record, and good records do not wait for the report."""
    with Filter("ndjson-to-sse", "--skip-bad") as process:
        process.send(b"1\nx\n")
        process.expect(b"data: 1\n\n")
        process.expect_error(r"ndjson-to-sse: skipped: ndjson: record 2 at byte 2: .*x.*\n")
        process.send(b"3\n")
        process.expect(b"data: 3\n\n")
        assert process.finish().code == 0


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b'{"b"', id="inside-json"),
        pytest.param('"é'.encode()[:-1], id="inside-utf-8"),
        pytest.param(b'"\\ud83d', id="inside-a-surrogate-pair"),
        pytest.param(b"-", id="inside-a-number"),
    ],
)
def test_cut_input(rest: bytes) -> None:
    """Exit 3, with --skip-bad too: a cut stream never looks like a finished one."""
    result = run("ndjson-to-sse", "--done", "[DONE]", "--skip-bad", stdin=b'{"a":1}\n' + rest)
    assert (result.code, result.out) == (3, b'data: {"a":1}\n\n')
    assert re.match(r"ndjson-to-sse: ndjson: record 2 at byte (8|9|1\d): ", result.complaint), result.complaint
    assert re.search(r"end|cut|truncat", result.complaint), result.complaint


def test_record_of_the_limit_passes() -> None:
    result = run("ndjson-to-sse", "--max-record-bytes", "8", stdin=b'"123456"\n"123456"\r\n1')
    assert (result.code, result.out) == (0, b'data: "123456"\n\ndata: "123456"\n\ndata: 1\n\n'), result.err


def test_record_over_the_limit() -> None:
    result = run("ndjson-to-sse", "--max-record-bytes", "8", stdin=b'1\n"1234567"\n2\n')
    assert (result.code, result.out) == (3, b"data: 1\n\n")
    assert re.match(r"ndjson-to-sse: ndjson: record 2 at byte \d+: .*\b8 bytes", result.complaint), result.complaint


def test_record_over_the_limit_stops_at_once() -> None:
    """The filter does not wait for the end of a record that is already too long."""
    with Filter("ndjson-to-sse", "--max-record-bytes", "8") as process:
        process.send(b'1\n"12345678')
        process.expect(b"data: 1\n\n")
        result = process.wait()
    assert result.code == 3


@pytest.mark.parametrize("size", [9, 100_000], ids=["just-over", "many-reads"])
def test_record_over_the_limit_is_skipped(size: int) -> None:
    wire = [b"1\n", b'"' + b"x" * (size - 2) + b'"', b"\n2\n"]
    result = run("ndjson-to-sse", "--max-record-bytes", "8", "--skip-bad", stdin=wire)
    assert (result.code, result.out) == (0, b"data: 1\n\ndata: 2\n\n")
    assert "record 2 " in result.complaint


def test_a_cut_record_over_the_limit_is_not_a_clean_end() -> None:
    """The record is skipped, but the input ended inside it."""
    result = run("ndjson-to-sse", "--max-record-bytes", "8", "--skip-bad", "--done", "x", stdin=b'1\n"12345678')
    assert (result.code, result.out) == (3, b"data: 1\n\n"), result.err


# ---------------------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["--keepalive", "0"], id="keepalive-zero"),
        pytest.param(["--keepalive", "nan"], id="keepalive-nan"),
        pytest.param(["--retry", "-1"], id="retry-negative"),
        pytest.param(["--max-record-bytes", "0"], id="limit-zero"),
        pytest.param(["--nonsense"], id="unknown-option"),
        pytest.param(["a", "b"], id="two-files"),
    ],
)
def test_usage_errors(argv: list[str]) -> None:
    result = run("ndjson-to-sse", *argv, stdin=b"1\n")
    assert (result.code, result.out) == (2, b"")
    assert result.err


def test_the_same_under_streamkit() -> None:
    result: Result = run("streamkit", "ndjson-to-sse", "--event", "t", "--done", "x", stdin=b"1\n")
    assert (result.code, result.out) == (0, b"event: t\ndata: 1\n\ndata: x\n\n")
    failed = run("streamkit", "ndjson-to-sse", stdin=b"x\n")
    assert failed.code == 3
    assert re.match(r"(streamkit )?ndjson-to-sse: ndjson: record 1 at byte 0: ", failed.complaint)
