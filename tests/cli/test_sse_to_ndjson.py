"""`sse-to-ndjson`: what each event becomes, and what each option does. Expected bytes are written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.cli.harness import Filter, Kept, linux_only, run

# ------------------------------------------------------------------------------------------------ what an event becomes


@pytest.fixture(scope="module")
def plain() -> Iterator[Kept]:
    with Kept("sse-to-ndjson") as kept:
        yield kept


@pytest.mark.parametrize(
    ("wire", "lines"),
    [
        pytest.param(b'data: {"a":1}\n\n', b'{"a":1}\n', id="one"),
        pytest.param(b'data:{"a":1}\n\n', b'{"a":1}\n', id="no-space"),
        pytest.param(b'data: {"a":1}\r\n\r\n', b'{"a":1}\n', id="crlf"),
        pytest.param(b'data: {"a":1}\r\r', b'{"a":1}\n', id="cr"),
        pytest.param(b"data: 1\n\ndata: 2\n\n", b"1\n2\n", id="two"),
        pytest.param(b'event: x\nid: 5\nretry: 10\ndata: {"a":1}\n\n', b'{"a":1}\n', id="all-fields"),
        pytest.param(b": ping\n\nevent: x\n\nid: 5\n\nunknown: 1\n\ndata: 1\n\n", b"1\n", id="blocks-without-data"),
        pytest.param(b'data: {"a":1.0e+05}\n\n', b'{"a":1.0e+05}\n', id="numbers-as-spelled"),
        pytest.param(b"data: 36893488147419103232\n\n", b"36893488147419103232\n", id="two-to-the-65"),
        pytest.param(b"data: [DONE]\n\ndata: 1\n\n", b"1\n", id="done-is-dropped"),
        pytest.param(b'data: "[DONE]"\n\n', b'"[DONE]"\n', id="done-as-a-json-string-is-data"),
        pytest.param(b'data: {"a":"' + b"x" * 200_000 + b'"}\n\n', b'{"a":"' + b"x" * 200_000 + b'"}\n', id="long"),
    ],
)
def test_event(plain: Kept, wire: bytes, lines: bytes) -> None:
    with plain.case() as process:
        process.send(wire)
        process.expect(lines)


@pytest.mark.parametrize(
    ("wire", "values"),
    [
        pytest.param(b'data: {\ndata:   "a": 1\ndata: }\n\n', [{"a": 1}], id="lf"),
        pytest.param(b'data: {\r\ndata: "a": [1,\r\ndata: 2]}\r\n\r\n', [{"a": [1, 2]}], id="crlf"),
        pytest.param(b"data: [1,\rdata: 2]\r\r", [[1, 2]], id="cr"),
        pytest.param(b'data: {"a":"\xff\xc3"}\n\n', [{"a": "\ufffd\ufffd"}], id="invalid-utf-8-is-replaced"),
        pytest.param('data: "\u2028\u2029\x85\x7f"\n\n'.encode(), ["\u2028\u2029\x85\x7f"], id="unicode-line-ends"),
    ],
)
def test_event_by_value(wire: bytes, values: list[object]) -> None:
    result = run("sse-to-ndjson", stdin=wire)
    assert (result.code, result.err) == (0, "")
    assert result.out.count(b"\n") == len(values)
    assert b"\r" not in result.out
    assert [json.loads(line) for line in result.out.split(b"\n")[:-1]] == values


def test_openai_stream() -> None:
    wire = (
        b'data: {"choices":[{"delta":{"content":"Gr\xc3\xbc"}}]}\n\n'
        b": OPENROUTER PROCESSING\n\n"
        b'data: {"choices":[{"delta":{"content":"\xc3\x9fe"}}]}\n\n'
        b"data: [DONE]\n\n"
    )
    result = run("sse-to-ndjson", "--require-done", stdin=wire)
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        b'{"choices":[{"delta":{"content":"Gr\xc3\xbc"}}]}\n{"choices":[{"delta":{"content":"\xc3\x9fe"}}]}\n'
    )


@pytest.mark.parametrize(
    ("wire", "lines"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"\xef\xbb\xbf", b"", id="only-a-bom"),
        pytest.param(b"\xef\xbb\xbfdata: 1\n\n", b"1\n", id="bom"),
        pytest.param(b"\n\r\n\r", b"", id="only-blank-lines"),
        pytest.param(b"data: 1\n\n: bye\n", b"1\n", id="ends-in-a-comment"),
        pytest.param(b"data: 1\n\r", b"1\n", id="mixed-line-ends"),
    ],
)
def test_whole_input(wire: bytes, lines: bytes) -> None:
    result = run("sse-to-ndjson", stdin=wire)
    assert (result.code, result.out, result.err) == (0, lines, "")


@linux_only
def test_one_write_for_each_read() -> None:
    pieces = [b"data: 1\n\ndata: 2\n\n", b"data", b": 3\n", b"\ndata: 4\r", b"\r", b"\ndata: 5\n\n"]
    with Filter("sse-to-ndjson", packets=True) as process:
        for piece in pieces:
            process.send(piece)
        process.expect_writes(b"1\n2\n", b"3\n", b"4\n", b"5\n")
        result = process.finish()
    assert result.code == 0
    assert len(result.writes) == 4


# -------------------------------------------------------------------------------------------------------------- options


def test_envelope() -> None:
    wire = (
        b'data: {"a":1}\n\n'
        b"event: ping\nid: 7\ndata: two\ndata: lines\n\n"
        b": comment\n\n"
        b"event: nothing\n\n"
        b"data:\n\n"
        b"id\ndata: 1\n\n"
        b"data: \xff\xe2\x80\xa8\n\n"
        b"data: [DONE]\n\n"
    )
    result = run("sse-to-ndjson", "--envelope", stdin=wire)
    assert (result.code, result.err) == (0, "")
    assert [json.loads(line) for line in result.out.split(b"\n")[:-1]] == [
        {"event": "message", "data": '{"a":1}', "id": ""},
        {"event": "ping", "data": "two\nlines", "id": "7"},
        {"event": "message", "data": "", "id": "7"},
        {"event": "message", "data": "1", "id": ""},
        {"event": "message", "data": "\ufffd\u2028", "id": ""},
        {"event": "message", "data": "[DONE]", "id": ""},
    ]
    assert result.out.startswith(b'{"event":"message","data":"{\\"a\\":1}","id":""}\n')
    # Naive readers split lines at these: in what we encode ourselves they are escaped.
    assert b"\xe2\x80\xa8" not in result.out


def test_done_names_another_text() -> None:
    wire = b'data: 1\n\ndata: {"type":"end"}\n\n'
    result = run("sse-to-ndjson", "--done", '{"type":"end"}', "--require-done", stdin=wire)
    assert (result.code, result.out, result.err) == (0, b"1\n", "")


def test_done_named_otherwise_makes_the_usual_one_text() -> None:
    result = run("sse-to-ndjson", "--done", "END", stdin=b"data: 1\n\ndata: [DONE]\n\n")
    assert (result.code, result.out) == (3, b"1\n")
    assert "[DONE]" in result.complaint


@pytest.mark.parametrize(
    ("wire", "code", "options"),
    [
        pytest.param(b"data: 1\n\ndata: [DONE]\n\n", 0, ["--envelope"], id="there"),
        pytest.param(b"data: 1\n\n", 3, [], id="missing"),
        pytest.param(b"data: 1\n\n", 3, ["--skip-bad"], id="missing-skip-bad"),
        pytest.param(b"data: 1\n\n", 3, ["--envelope"], id="missing-envelope"),
        pytest.param(b"data: 1\n\ndata: [DONE]\n", 3, [], id="not-dispatched"),
    ],
)
def test_require_done(wire: bytes, code: int, options: list[str]) -> None:
    result = run("sse-to-ndjson", "--require-done", *options, stdin=wire)
    assert result.code == code
    first = result.out.splitlines()[0]
    assert json.loads(first) == ({"event": "message", "data": "1", "id": ""} if "--envelope" in options else 1)
    if code:
        assert result.complaint.startswith("sse-to-ndjson: ")


def test_require_done_says_what_is_missing() -> None:
    result = run("sse-to-ndjson", "--require-done", "--done", "END", stdin=b"")
    assert (result.code, result.out) == (3, b"")
    assert "END" in result.complaint


TEXTS: list[tuple[bytes, str]] = [
    (b"data: hello\n\n", "hello"),
    (b"data: two\ndata: lines\n\n", "two\nlines"),
    (b"data:\n\n", ""),
    (b"data: NaN\n\n", "NaN"),
    (b"data: 1 2\n\n", "1 2"),
    (b'data: {"a":"x\ndata: y"}\n\n', '{"a":"x\ny"}'),
    (b'data: "\\ud800"\n\n', '"\\ud800"'),
    (b"data: \x1b[31m\xff\n\n", "\x1b[31m\ufffd"),
    (b"data: [1e400]\n\n", "[1e400]"),
]


def test_text_is_an_error() -> None:
    good = b"data: 1\n\n: ping\n\n"
    bad = b"data: \x1b[31m\xff\n\n"
    result = run("sse-to-ndjson", stdin=good + bad + b"data: 3\n\n")
    assert (result.code, result.out) == (3, b"1\n")
    match = re.fullmatch(r"sse-to-ndjson: [a-z-]+: record 2 at byte (\d+): (.+)", result.complaint)
    assert match is not None, result.complaint
    assert len(good) <= int(match[1]) <= len(good + bad)
    assert "--on-text" in result.complaint


def test_skip_bad_reports_each_and_goes_on() -> None:
    """One line for each, short, and printable whatever the event holds."""
    wire, texts = all_texts()
    result = run("sse-to-ndjson", "--skip-bad", stdin=wire)
    assert result.code == 0
    assert result.out == b"0\n" * len(texts)
    for index, line in enumerate(result.err.splitlines()):
        assert re.match(rf"sse-to-ndjson: skipped: [a-z-]+: record {2 * index + 1} at byte \d+: .", line), line
        assert len(line) < 250
        assert line.isascii()
        assert line.isprintable()
    assert result.err.count("\n") == len(texts)


def all_texts() -> tuple[bytes, list[str]]:
    """All of them as one stream, a good event after each; and their texts."""
    return b"".join(wire + b"data: 0\n\n" for wire, _ in TEXTS), [text for _, text in TEXTS]


def test_text_as_a_string() -> None:
    wire, texts = all_texts()
    result = run("sse-to-ndjson", "--on-text", "string", stdin=wire)
    assert (result.code, result.err) == (0, "")
    values = [json.loads(line) for line in result.out.split(b"\n")[:-1]]
    assert values == [value for text in texts for value in (text, 0)]


def test_text_is_skipped() -> None:
    wire, texts = all_texts()
    result = run("sse-to-ndjson", "--on-text", "skip", stdin=wire)
    assert (result.code, result.err) == (0, "")
    assert result.out == b"0\n" * len(texts)


def test_skip_bad_reports_at_once() -> None:
    with Filter("sse-to-ndjson", "--skip-bad") as process:
        process.send(b"data: 1\n\ndata: x\n\n")
        process.expect(b"1\n")
        process.expect_error(r"sse-to-ndjson: skipped: [a-z-]+: record 2 at byte \d+: .*\n")
        process.send(b"data: 3\n\n")
        process.expect(b"3\n")
        assert process.finish().code == 0


# ---------------------------------------------------------------------------------------------- the end inside an event

CUT = [
    pytest.param(b'data: {"a"', 10, id="inside-a-line"),
    pytest.param(b'data: {"a":1}\n', 14, id="before-the-blank-line"),
    pytest.param(b"data: 1\r\n", 9, id="before-the-blank-line-crlf"),
    pytest.param(b"event: x\ndata: 1\ndat", 20, id="in-the-third-line"),
    pytest.param('data: "é'.encode()[:-1], 8, id="inside-utf-8"),
]


@pytest.mark.parametrize(("rest", "dropped"), CUT)
def test_cut_input(rest: bytes, dropped: int) -> None:
    result = run("sse-to-ndjson", "--skip-bad", stdin=b"data: 0\n\n" + rest)
    assert (result.code, result.out) == (3, b"0\n")
    assert result.complaint.startswith("sse-to-ndjson: ")
    assert re.search(rf"\b{dropped} bytes?\b", result.complaint), result.complaint


def test_cut_input_in_an_envelope() -> None:
    result = run("sse-to-ndjson", "--envelope", stdin=b"data: 0\n\ndata: 1\n")
    assert (result.code, result.out) == (3, b'{"event":"message","data":"0","id":""}\n')
    assert "8 bytes" in result.complaint


def test_a_cut_event_over_the_limit_is_not_a_clean_end() -> None:
    """The event is skipped, but the input ended inside it."""
    result = run("sse-to-ndjson", "--max-event-bytes", "20", "--skip-bad", stdin=b"data: 0\n\ndata: " + b"1" * 60)
    assert (result.code, result.out) == (3, b"0\n")


def test_cut_done_is_not_a_clean_end() -> None:
    result = run("sse-to-ndjson", stdin=b"data: 0\n\ndata: [DONE]\n")
    assert (result.code, result.out) == (3, b"0\n")


def test_flush_partial() -> None:
    """The last blank line may be missing, as many servers leave it out; what is not JSON then is still an error."""
    result = run("sse-to-ndjson", "--flush-partial", stdin=b'data: 0\n\ndata: {"a":1}\n')
    assert (result.code, result.out, result.err) == (0, b'0\n{"a":1}\n', "")
    cut = run("sse-to-ndjson", "--flush-partial", stdin=b'data: 0\n\ndata: {"a":')
    assert (cut.code, cut.out) == (3, b"0\n")
    assert cut.complaint


def test_flush_partial_counts_for_require_done() -> None:
    result = run("sse-to-ndjson", "--flush-partial", "--require-done", stdin=b"data: 0\n\ndata: [DONE]\n")
    assert (result.code, result.out, result.err) == (0, b"0\n", "")


# ---------------------------------------------------------------------------------------------------------------- limit


def test_event_over_the_limit() -> None:
    wire = b"data: 1\n\n" + b"data: 1\n" * 10 + b"\ndata: 2\n\n"
    result = run("sse-to-ndjson", "--max-event-bytes", "20", stdin=wire)
    assert (result.code, result.out) == (3, b"1\n")
    assert re.match(r"sse-to-ndjson: sse: record 2 at byte \d+: .*\b20 bytes", result.complaint), result.complaint


@pytest.mark.parametrize(
    "long", [b'data: "%b"\n\n' % (b"x" * 100_000), b"data: 1\n" * 50 + b"\n"], ids=["line", "lines"]
)
def test_event_over_the_limit_is_skipped(long: bytes) -> None:
    wire = [b"data: 1\n\n", long[:50], long[50:], b"data: 2\n\n"]
    result = run("sse-to-ndjson", "--max-event-bytes", "40", "--skip-bad", stdin=wire)
    assert (result.code, result.out) == (0, b"1\n2\n")
    assert "record 2 " in result.complaint


def test_event_over_the_limit_stops_at_once() -> None:
    with Filter("sse-to-ndjson", "--max-event-bytes", "20") as process:
        process.send(b"data: 1\n\ndata: 12345678901234567890")
        process.expect(b"1\n")
        assert process.wait().code == 3


# ---------------------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["--on-text", "guess"], id="on-text"),
        pytest.param(["--max-event-bytes", "0"], id="limit-zero"),
        pytest.param(["--nonsense"], id="unknown-option"),
        pytest.param(["a", "b"], id="two-files"),
    ],
)
def test_usage_errors(argv: list[str]) -> None:
    result = run("sse-to-ndjson", *argv, stdin=b"data: 1\n\n")
    assert (result.code, result.out) == (2, b"")
    assert result.err


def test_the_same_under_streamkit() -> None:
    result = run("streamkit", "sse-to-ndjson", "--require-done", stdin=b"data: 1\n\ndata: [DONE]\n\n")
    assert (result.code, result.out, result.err) == (0, b"1\n", "")
