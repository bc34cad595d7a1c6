"""`streamkit rechunk`: every byte of the input, in pieces of the policy's choice, each piece one write."""

from __future__ import annotations

import re
import time

import pytest

from tests.cli.harness import Filter, linux_only, run

TEXT = 'data: {"t":"Grüße, 世界 😀"}\r\n\r\nevent: x\r\ndata: 1\n\ndata: [DONE]\n\nrest'.encode()

LINES = [
    'data: {"t":"Grüße, 世界 😀"}\r\n'.encode(),
    b"\r\n",
    b"event: x\r\n",
    b"data: 1\n",
    b"\n",
    b"data: [DONE]\n",
    b"\n",
    b"rest",
]
EVENTS = [LINES[0] + LINES[1], LINES[2] + LINES[3] + LINES[4], LINES[5] + LINES[6], LINES[7]]


def rechunk(*argv: str, stdin: bytes | list[bytes] = TEXT) -> list[bytes]:
    """The writes that come out; they must be the input, whole."""
    result = run("streamkit", "rechunk", *argv, stdin=stdin, packets=True)
    assert result.code == 0, result.err
    assert result.out == (stdin if isinstance(stdin, bytes) else b"".join(stdin))
    return result.writes


@linux_only
@pytest.mark.parametrize(
    ("argv", "pieces"),
    [
        pytest.param(["--size", "7"], [TEXT[at : at + 7] for at in range(0, len(TEXT), 7)], id="size"),
        pytest.param(["--size", "4096"], [TEXT], id="size-larger-than-the-input"),
        pytest.param(["--every-byte"], [TEXT[at : at + 1] for at in range(len(TEXT))], id="every-byte"),
        pytest.param(["--lines"], LINES, id="lines"),
        pytest.param(["--events"], EVENTS, id="events"),
        pytest.param(
            ["--lines", "--coalesce", "3"], [b"".join(LINES[at : at + 3]) for at in (0, 3, 6)], id="lines-by-3"
        ),
        pytest.param(["--coalesce", "2", "--events"], [EVENTS[0] + EVENTS[1], EVENTS[2] + EVENTS[3]], id="events-by-2"),
        pytest.param(
            ["--size", "5", "--coalesce", "2"], [TEXT[at : at + 10] for at in range(0, len(TEXT), 10)], id="size-by-2"
        ),
    ],
)
def test_policy(argv: list[str], pieces: list[bytes]) -> None:
    """The pieces depend on the bytes alone, not on how they came: here in reads of 3."""
    assert rechunk(*argv, stdin=[TEXT[at : at + 3] for at in range(0, len(TEXT), 3)]) == pieces


@linux_only
def test_coalesce_alone_counts_reads() -> None:
    assert rechunk("--coalesce", "2", stdin=[b"a", b"bc", b"d", b"ef", b"g"]) == [b"abc", b"def", b"g"]


@linux_only
def test_hostile_cuts_where_it_hurts() -> None:
    writes = rechunk("--hostile")
    cuts = set()
    position = 0
    for piece in writes:
        position += len(piece)
        cuts.add(position)
    inside = {at for at in range(1, len(TEXT)) if TEXT[at] & 0xC0 == 0x80}
    between = {match.start() + 1 for match in re.finditer(rb"\r\n", TEXT)}
    assert inside <= cuts
    assert between <= cuts


@linux_only
def test_random_is_its_seed() -> None:
    first = rechunk("--random", "1:5", "--seed", "7")
    assert rechunk("--random", "1:5", "--seed", "7", stdin=[TEXT[:40], TEXT[40:]]) == first
    assert rechunk("--random", "1:5", "--seed", "8") != first
    assert all(1 <= len(piece) <= 5 for piece in first)


@linux_only
def test_random_without_a_seed_says_how_to_repeat_it() -> None:
    result = run("streamkit", "rechunk", "--random", "1:9", stdin=TEXT, packets=True)
    assert (result.code, result.out) == (0, TEXT)
    match = re.search(r"--seed (\d+)", result.complaint)
    assert match is not None, result.complaint
    assert rechunk("--random", "1:9", "--seed", match[1]) == result.writes


@linux_only
def test_gap() -> None:
    """Each piece comes a gap after the one before. How late it may be is the machine's affair; early it must not be."""
    with Filter("streamkit", "rechunk", "--size", "1", "--gap", "20", packets=True) as process:
        process.send(b"a")
        process.expect_writes(b"a")
        start = time.monotonic()
        process.send(b"bcdefg")
        process.expect_writes(b"b", b"c", b"d", b"e", b"f", b"g")
        assert time.monotonic() - start >= 5 * 0.020
        assert process.finish().code == 0


@linux_only
def test_complete_pieces_do_not_wait() -> None:
    with Filter("streamkit", "rechunk", "--lines", packets=True) as process:
        process.send(b"one\ntw")
        process.expect_writes(b"one\n")
        process.send(b"o\nthree\nfo")
        process.expect_writes(b"two\n", b"three\n")
        process.end()
        process.expect_writes(b"fo")
        assert process.wait().code == 0


def test_empty_input() -> None:
    result = run("streamkit", "rechunk", "--size", "3")
    assert (result.code, result.out, result.err) == (0, b"", "")


def test_bytes_are_not_looked_at() -> None:
    """No policy decodes: what is no text passes all the same."""
    wire = bytes(range(256)) * 40
    result = run("streamkit", "rechunk", "--hostile", stdin=wire)
    assert (result.code, result.out) == (0, wire)


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param([], id="none"),
        pytest.param(["--lines", "--events"], id="two"),
        pytest.param(["--size", "3", "--every-byte", "--coalesce", "2"], id="two-and-coalesce"),
        pytest.param(["--size", "0"], id="size-zero"),
        pytest.param(["--random", "5:1"], id="bounds-swapped"),
        pytest.param(["--random", "0:3"], id="empty-pieces"),
        pytest.param(["--random", "5"], id="one-bound"),
        pytest.param(["--random", "a:b"], id="no-numbers"),
        pytest.param(["--coalesce", "0"], id="coalesce-zero"),
        pytest.param(["--lines", "--gap", "-1"], id="gap-negative"),
    ],
)
def test_usage_errors(argv: list[str]) -> None:
    result = run("streamkit", "rechunk", *argv, stdin=b"x")
    assert (result.code, result.out) == (2, b"")
    assert result.err
