"""Cassettes: what is written can be read, up to wherever it was cut; what is broken is named, with its line."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.errors import ConfigError, DecodeError, StageStateError, TruncatedError
from streamkit.io import cassette as module
from streamkit.io.cassette import Cassette, Ended, Read, parse_cassette, read_cassette
from streamkit.io.cassette_writer import CassetteWriter, create_cassette

HEADER = '{"kind":"cassette","version":1,"upstream":"http://u","recorded_at":"2026-01-31T12:00:00Z"}\n'
REQUEST = (
    '{"kind":"request","exchange":1,"method":"POST","target":"/api/chat","version":"1.1","headers":[["Host","a"]],'
    '"text":"{}"}\n'
)
READ = '{"kind":"read","exchange":1,"at_ns":8,"text":"HTTP/1.1 200 OK\\r\\n","by":"kernel","segments":1}\n'
BINARY = '{"kind":"read","exchange":1,"at_ns":9,"base64":"/wA="}\n'
END = '{"kind":"end","exchange":1,"at_ns":10,"how":"complete","keep_alive":true}\n'
WHOLE = HEADER + REQUEST + READ + BINARY + END


Call = tuple[str, tuple[Any, ...]]
"""A writer's method and its arguments."""


def parse(text: str, **options: bool) -> Cassette:
    return parse_cassette(io.BytesIO(text.encode()), name="a.cassette", **options)


def written(*calls: Call) -> bytes:
    """What a writer writes for these calls."""
    file = io.BytesIO()
    writer = CassetteWriter(file, upstream="http://u", recorded_at="2026-01-31T12:00:00Z")
    for name, arguments in calls:
        getattr(writer, name)(*arguments)
    return file.getvalue()


def request(
    body: bytes = b"{}", target: str = "/api/chat", headers: tuple[tuple[str, str], ...] = (("Host", "a"),)
) -> Call:
    return ("request", ("POST", target, "1.1", headers, body))


# --------------------------------------------------------------------------------------------------------- the format


def test_the_format_is_this() -> None:
    calls = [
        request(),
        ("read", (1, Read(b"HTTP/1.1 200 OK\r\n", 8, by_kernel=True, segments=1))),
        ("read", (1, Read(b"\xff\x00", 9))),
        ("end", (1, Ended("complete", 10, keep_alive=True))),
    ]
    assert written(*calls).decode() == WHOLE


def test_it_is_read_as_it_was_meant() -> None:
    cassette = parse(WHOLE)
    assert (cassette.name, cassette.upstream, cassette.recorded_at) == (
        "a.cassette",
        "http://u",
        "2026-01-31T12:00:00Z",
    )
    (recorded,) = cassette.exchanges
    assert (recorded.method, recorded.target, recorded.version, recorded.body) == ("POST", "/api/chat", "1.1", b"{}")
    assert recorded.headers == (("Host", "a"),)
    assert recorded.line == 2
    assert recorded.reads == [Read(b"HTTP/1.1 200 OK\r\n", 8, by_kernel=True, segments=1), Read(b"\xff\x00", 9)]
    assert recorded.ended == Ended("complete", 10, keep_alive=True)


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 2**40)), max_size=6), st.binary(max_size=40))
def test_any_bytes_survive(pieces: list[tuple[bytes, int]], body: bytes) -> None:
    reads = [Read(data, at_ns) for data, at_ns in sorted(pieces, key=lambda piece: piece[1])]
    wire = written(request(body), *(("read", (1, read)) for read in reads))
    (recorded,) = parse_cassette(io.BytesIO(wire)).exchanges
    assert recorded.body == body
    assert recorded.reads == reads
    assert recorded.ended is None


@given(st.binary(max_size=200) | st.text(alphabet='\x00\x1f"\\', max_size=200).map(str.encode))
def test_no_byte_takes_more_than_two_in_the_file(data: bytes) -> None:
    frame = len(written(request(), ("read", (1, Read(b"", 1))))) + len('"base64":"",')
    assert len(written(request(), ("read", (1, Read(data, 1))))) <= frame + 2 * len(data) + 4


def test_exchanges_may_be_mixed() -> None:
    wire = written(
        *(request(b"1"), request(b"2")),
        *(("read", (2, Read(b"b", 5))), ("read", (1, Read(b"a", 3)))),
        *(("end", (2, Ended("fin", 7))), ("end", (1, Ended("reset", 9, detail="why")))),
    )
    first, second = parse_cassette(io.BytesIO(wire)).exchanges
    assert (first.body, first.reads, first.ended) == (b"1", [Read(b"a", 3)], Ended("reset", 9, detail="why"))
    assert (second.body, second.reads, second.ended) == (b"2", [Read(b"b", 5)], Ended("fin", 7))


def test_secrets_are_not_written() -> None:
    headers = (("Authorization", "Bearer s3cret"), ("x-api-key", "s3cret"), ("Cookie", "a=s3cret"), ("Accept", "*/*"))
    wire = written(request(target="/v1beta/models/m:generateContent?alt=sse&key=s3cret", headers=headers))
    assert b"s3cret" not in wire
    (recorded,) = parse_cassette(io.BytesIO(wire)).exchanges
    assert recorded.target == "/v1beta/models/m:generateContent?alt=sse&key=[redacted]"
    assert [name for name, _ in recorded.headers] == ["Authorization", "x-api-key", "Cookie", "Accept"]


def test_a_clock_that_steps_back_does_not_break_the_cassette() -> None:
    wire = written(request(), ("read", (1, Read(b"a", 9))), ("read", (1, Read(b"b", 4))), ("end", (1, Ended("fin", 3))))
    (recorded,) = parse_cassette(io.BytesIO(wire)).exchanges
    assert [read.at_ns for read in recorded.reads] == [9, 9]
    assert recorded.ended == Ended("fin", 9)


def test_blank_lines_and_a_missing_last_newline_do_no_harm() -> None:
    assert parse((WHOLE + "\n\r\n").replace("\n", "\n\n")).exchanges[0].reads == parse(WHOLE).exchanges[0].reads
    assert parse(WHOLE.rstrip()).exchanges == parse(WHOLE).exchanges


# ------------------------------------------------------------------------------------------------------ cut recordings


def test_an_interrupted_recording_is_readable_up_to_there() -> None:
    """A writer that is killed leaves whole lines."""
    lines = WHOLE.splitlines(keepends=True)
    for count in range(1, len(lines)):
        exchanges = parse("".join(lines[:count])).exchanges
        assert [exchange.ended for exchange in exchanges] == [None] * (count > 1)


def test_a_last_line_that_was_cut_anywhere_is_named_or_passed_over() -> None:
    start = len(HEADER + REQUEST)
    for cut in range(start + 1, start + len(READ) - 1):
        with pytest.raises(TruncatedError, match=r"^a\.cassette, line 3: it was cut"):
            parse(WHOLE[:cut])
        assert parse(WHOLE[:cut], cut_ok=True).exchanges[0].reads == []


def test_a_broken_line_that_is_not_the_last_is_never_passed_over() -> None:
    with pytest.raises(DecodeError, match="line 3"):
        parse(HEADER + REQUEST + READ[:-9] + "\n" + END, cut_ok=True)


# ----------------------------------------------------------------------------------------------------- broken cassettes

BROKEN = {
    "empty": ("", 1, "begins with .* it is empty"),
    "blank": ("\n\n", 1, "it is empty"),
    "no json": ("hello\n", 1, "this is no cassette.*malformed"),
    "no json, cut": ("hello", 1, "this is no cassette.*malformed"),
    "cut header": (HEADER[:30], 1, "this is no cassette.*truncated"),
    "not an object": ("[1]\n", 1, "this is no cassette"),
    "bom": ("\ufeff" + WHOLE, 1, "this is no cassette"),
    "no header": (REQUEST, 1, "this is no cassette"),
    "no kind": ('{"version":1}\n', 1, "this is no cassette"),
    "another version": ('{"kind":"cassette","version":2,"new":0}\n', 1, "version 2, but only version 1 can be read"),
    "no version": ('{"kind":"cassette"}\n', 1, "version None"),
    "a version that is none": ('{"kind":"cassette","version":true}\n', 1, "expected `int`, got `bool`"),
    "deep header": ('{"kind":"cassette","version":1,"a":' + "[" * 99_999 + "\n", 1, "this is no cassette"),
    "two headers": (HEADER + HEADER, 2, "one header"),
    "bad json": (HEADER + REQUEST + "{,}\n" + END, 3, "malformed"),
    "bad json in the middle": (HEADER + REQUEST + READ[:20] + "\n" + END, 3, "JSON is malformed"),
    "two objects": (HEADER + REQUEST + READ.rstrip() + END, 3, "malformed"),
    "unknown kind": (HEADER + READ.replace("read", "write", 1), 2, "invalid value 'write'"),
    "unknown field": (HEADER + REQUEST.replace("{", '{"color":1,', 1), 2, "unknown field `color`"),
    "missing method": (HEADER + REQUEST.replace('"method":"POST",', ""), 2, "missing required field `method`"),
    "missing time": (HEADER + REQUEST + READ.replace('"at_ns":8,', ""), 3, "missing required field `at_ns`"),
    "missing end": (HEADER + REQUEST + END.replace(',"how":"complete"', ""), 3, "missing required field `how`"),
    "unknown end": (HEADER + REQUEST + END.replace("complete", "well"), 3, "invalid enum value 'well'"),
    "a header without value": (HEADER + REQUEST.replace('"Host","a"', '"Host"'), 2, "expected `array` of length 2"),
    "time of text": (HEADER + REQUEST + READ.replace("8", '"8"', 1), 3, "expected `int`, got `str`"),
    "negative time": (HEADER + REQUEST + READ.replace("8", "-8", 1), 3, "expected `int` >= 0"),
    "endless time": (HEADER + REQUEST + READ.replace("8", "9" * 40, 1), 3, "out of range|<="),
    "bad base64": (HEADER + REQUEST + BINARY.replace("/wA=", "/wA"), 3, "base64 is broken"),
    "no base64": (HEADER + REQUEST + BINARY.replace("/wA=", "?!"), 3, "base64 is broken"),
    "base64 of umlauts": (HEADER + REQUEST + BINARY.replace("/wA=", "äöü="), 3, "base64 is broken"),
    "base64 with more behind": (HEADER + REQUEST + BINARY.replace("/wA=", "/wA=AAAA"), 3, "base64 is broken"),
    "no data": (HEADER + REQUEST + READ.replace("text", "txt"), 3, "unknown field `txt`"),
    "neither": (HEADER + REQUEST + '{"kind":"read","exchange":1,"at_ns":8}\n', 3, "either `text` or `base64`"),
    "both": (HEADER + REQUEST + READ.replace("{", '{"base64":"",', 1), 3, "either `text` or `base64`"),
    "surrogate": (HEADER + REQUEST + READ.replace("200", "\\ud800"), 3, "surrogate"),
    "times going back": (HEADER + REQUEST + BINARY + READ, 4, "8 ns, is before that of the last read .* 9 ns"),
    "an end before the last read": (HEADER + REQUEST + BINARY + END.replace("10", "8"), 4, "is before"),
    "read of nothing": (HEADER + READ, 2, "exchange 1 has no request before"),
    "end of another": (HEADER + REQUEST + END.replace("1", "2", 1), 3, "exchange 2 has no request before"),
    "read after the end": (HEADER + REQUEST + END + READ, 4, "exchange 1 has ended before"),
    "second end": (HEADER + REQUEST + END + END, 4, "exchange 1 has ended before"),
    "second request": (HEADER + REQUEST + REQUEST, 3, "exchange 1 was begun before"),
    "exchange 0": (HEADER + REQUEST.replace("1", "0", 1), 2, "expected `int` >= 1"),
}


@pytest.mark.parametrize(("text", "line", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_cassette_is_an_error_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(DecodeError, match=f"(?is)^a.cassette, line {line}: .*{reason}") as caught:
        parse(text)
    assert caught.value.code in {"cassette", "truncated"}
    assert len(str(caught.value)) < 300


def test_invalid_utf8_is_an_error_with_its_line() -> None:
    with pytest.raises(DecodeError, match="line 2"):
        parse_cassette(io.BytesIO(HEADER.encode() + b'{"kind":"\xff"}\n' + END.encode()))


@given(st.data())
def test_whatever_is_changed_it_is_read_or_named(data: st.DataObject) -> None:
    wire = bytearray(WHOLE.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(wire) - 1))
        wire[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=3))
    try:
        assert isinstance(parse_cassette(io.BytesIO(bytes(wire))), Cassette)
    except DecodeError as error:
        assert str(error).startswith("cassette, line ")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(("name", "line"), [("MAX_LINE_BYTES", 2), ("MAX_BYTES", 3)])
def test_what_is_read_is_bounded(monkeypatch: pytest.MonkeyPatch, name: str, line: int) -> None:
    monkeypatch.setattr(module, name, len(HEADER) + len(REQUEST) - (20 if name == "MAX_LINE_BYTES" else 0))
    wide = REQUEST.replace("{}", "x" * 200) if name == "MAX_LINE_BYTES" else REQUEST
    with pytest.raises(DecodeError, match=f"line {line}: .* than the limit of"):
        parse(HEADER + wide + READ)


# ------------------------------------------------------------------------------------------------------------- on disk


def test_a_cassette_on_disk_is_its_owners_and_complete_after_every_call(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    with create_cassette(path, upstream="http://u", recorded_at="") as writer:
        assert path.stat().st_mode & 0o777 == 0o600
        assert read_cassette(path).exchanges == ()
        number = writer.request("GET", "/", "1.1", (), b"")
        writer.read(number, Read(b"x", 1))
        assert read_cassette(path).exchanges[0].reads == [Read(b"x", 1)]


def test_a_cassette_that_exists_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    path.write_text("precious")
    with pytest.raises(ConfigError, match=r"a\.cassette exists"):
        create_cassette(path, upstream="", recorded_at="")
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["no/such/folder", "", "nul\0byte"])
def test_where_it_cannot_be_written_or_read_is_said(tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name}"
    with pytest.raises(ConfigError, match=r"cannot be created|exists"):
        create_cassette(path, upstream="", recorded_at="")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_cassette(path)


class FullDisk(io.RawIOBase):
    """Takes so many bytes, in small pieces, and then no more."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = bytearray()

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        piece = bytes(data[: min(7, self.room)])
        self.room -= len(piece)
        self.taken += piece
        return len(piece)


def test_after_a_full_disk_nothing_more_is_written() -> None:
    """Half a line followed by others would be a cassette that nobody can read."""
    disk = FullDisk(len(HEADER) + 10)
    writer = CassetteWriter(disk, upstream="http://u", recorded_at="2026-01-31T12:00:00Z")  # type: ignore[arg-type]
    with pytest.raises(OSError, match="No space"):
        writer.request("GET", "/", "1.1", (), b"")
    disk.room = 10_000
    with pytest.raises(OSError, match="No space"):
        writer.request("GET", "/", "1.1", (), b"")
    assert bytes(disk.taken).startswith(HEADER.encode())
    assert parse_cassette(io.BytesIO(bytes(disk.taken)), cut_ok=True).exchanges == ()


@pytest.mark.parametrize("number", [1, 2])
def test_an_exchange_that_ended_takes_no_more(number: int) -> None:
    calls = [request(), ("end", (1, Ended("fin", 1)))]
    with pytest.raises(StageStateError):
        written(*calls, ("read", (number, Read(b"", 1))))
    with pytest.raises(StageStateError):
        written(*calls, ("end", (number, Ended("fin", 1))))
