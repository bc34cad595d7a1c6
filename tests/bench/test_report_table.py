"""The table: what is in it, that nothing in it is more than is known, and that it fits a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from streamkit.bench.compare import compare
from streamkit.bench.conditions import judge, parse_fail_if
from streamkit.bench.plan import Concurrency
from streamkit.bench.report.blocks_compare import comparison_blocks
from streamkit.bench.report.document import as_json, read_document
from streamkit.bench.report.table import plain_lines, plain_lines_of, print_blocks, print_table
from streamkit.bench.report.words import joins_events
from streamkit.bench.results import Knee, Result, Run, ToolError
from tests.bench.results_made import KEY, PASSWORD, SERVER, VAULT, failed, record_of, records_of, run_of, whole_result


def lines_of(*runs: Run) -> list[str]:
    return plain_lines(Result([SERVER], [*runs]))


def printed(result: Result, width: int, *, colours: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, force_terminal=colours, color_system="standard" if colours else None, no_color=False
    )
    print_table(result, console)
    return stream.getvalue()


def row(lines: list[str], name: str) -> str:
    (found,) = (line for line in lines if line.strip().startswith(f"{name} "))
    return " ".join(found.split())


def test_a_figure_stands_with_its_interval_and_the_tools_error() -> None:
    lines = lines_of(run_of(record_of(number, ttft_ms=50 + number / 100) for number in range(400)))
    assert lines[3] == "direct, 8 at once: 400 of 400 requests ok in 10.0 s (40.00/s), 0 errors"
    assert row(lines, "ttft_ms") == (
        "ttft_ms 400 51.99 [51.77, 52.23] 53.59 [53.44, 53.74] 53.95 [53.90, 53.99] 51.99 53.99 0.0200 / 0.100"
    )


def test_a_quantile_that_the_sample_cannot_support_is_a_dash_and_said_why() -> None:
    lines = lines_of(run_of([record_of(number) for number in range(367)]))
    assert row(lines, "ttft_ms").split()[8] == "-"
    assert "-: the sample is too small; a p99 takes 368 values, a p50 6." in lines
    lines = lines_of(run_of([record_of(number) for number in range(4, 400)]))
    assert not [line for line in lines if line.startswith("-:")]


def test_a_figure_is_marked_where_our_error_is_too_much_of_it() -> None:
    lines = lines_of(run_of(records_of(400), error_ms=4))
    assert row(lines, "ttft_ms").count("!") == 2
    assert "!: the tool's own error is more than 10 % of the figure." in lines


def test_a_figure_whose_own_error_nobody_knows_is_marked_too() -> None:
    run = run_of(record_of(number) for number in range(400))
    run.tool_error["ttft_ms"] = ToolError(20, 0.02, None, 0.02)
    lines = lines_of(run)
    assert row(lines, "ttft_ms").endswith(
        " 50.00 [50.00, 50.00] 50.00 [50.00, 50.00] ? 50.00 [50.00, 50.00] ? 50.00 50.00 0.0200 / -"
    )
    assert "?" not in row(lines, "e2e_ms")
    assert [line for line in lines if line.startswith("?: how large the tool's own error is there is not known")]


def test_what_a_proxy_adds_stands_with_our_own_error() -> None:
    lines = plain_lines(whole_result())
    lines = lines[next(number for number, line in enumerate(lines) if line.startswith("proxy less direct")) :]
    assert row(lines, "ttft_ms") == (
        "ttft_ms 200 +0.400 [+0.300, +0.500] +0.400 [+0.300, +0.500] ! - +0.400 [+0.300, +0.500] 0.0400 / 0.200"
    )
    assert row(lines, "e2e_ms").endswith("! 0.0400 / -"), "0.04 of 0.05 ms"
    assert row(lines, "request, direct").endswith("? - - -")
    assert row(lines, "token, proxy").endswith("0.200 [0.100, 0.300] - - 0.0100 / 0.0300")


@pytest.mark.parametrize(
    ("reads", "segments", "write", "joins"),
    [
        ((1.0, 3.0), (0.0, 0.0), 0.0, True),
        ((1.0, 1.05), (0.0, 0.0), 0.0, False),
        ((2.0, 3.0), (1.0, 1.0), 0.0, False),
        ((1.0, 1.0), (1.0, 4.0), 1.0, True),
        ((4.0, 4.0), (4.0, 4.0), 4.0, False),
        ((0.0, 0.0), (0.0, 0.0), 0.0, False),
    ],
)
def test_a_proxy_joins_events_where_we_are_not_the_ones_that_are_late(
    reads: tuple[float, float], segments: tuple[float, float], write: float, *, joins: bool
) -> None:
    (paired,) = whole_result().paired
    paired.events_per_read_in, paired.events_per_read_out = reads
    paired.events_per_segment_in, paired.events_per_segment_out = segments
    paired.events_per_write = write
    assert joins_events(paired) is joins


def test_without_a_calibration_that_is_said() -> None:
    lines = lines_of(run_of(records_of(10), error_ms=None))
    assert "  no calibration: the tool's own error is not known" in lines
    assert row(lines, "ttft_ms").endswith(" -")
    assert not [line for line in lines if line.startswith("!")]


def test_new_and_reused_connections_are_apart_where_there_are_both() -> None:
    lines = lines_of(run_of(record_of(number, ttft_ms=90 if number <= 3 else 50) for number in range(10)))
    at = next(number for number, line in enumerate(lines) if line.startswith("  ttft_ms"))
    assert [" ".join(line.split())[:19] for line in lines[at + 1 : at + 3]] == [
        "new connections 4 -",
        "reused ones 6 50.00",
    ]
    assert not [line for line in lines_of(run_of([record_of(9)])) if "new connections" in line]


def test_the_end_of_a_sweep_is_no_knee() -> None:
    result = whole_result()
    result.knees = [Knee("direct", 0, 8.0, "the greatest load", "greatest")]
    text = "\n".join(plain_lines(result))
    assert "8 at once <- best tried" in text
    assert "best tried: the greatest load" in text
    assert "knee" not in text


def test_failures_are_said_by_kind_and_are_in_no_figure() -> None:
    lines = lines_of(
        run_of([failed(0, "status", "503: later"), failed(1, "status", "503: no"), failed(2, "empty", "no token")])
    )
    assert lines[3:7] == [
        "direct, 8 at once: 0 of 3 requests ok in 10.0 s (0/s), 3 errors",
        "  2 status: 503: later",
        "      or: 503: no",
        "  1 empty: no token",
    ]
    assert not [line for line in lines if "ttft" in line or "calibration" in line]


def test_coalesced_events_are_said_to_be_unresolved() -> None:
    lines = lines_of(run_of(record_of(number, tokens=8, coalesced=4) for number in range(10)))
    assert "  70 of 70 gaps between token events are unresolved: in no figure, and not zero" in lines
    assert "  in 10 answers the first token came no later than its figure says" in lines
    assert not [line for line in lines if line.strip().startswith("event_gap_ms")]


def test_everything_that_is_known_is_in_it() -> None:
    text = "\n".join(plain_lines(whole_result()))
    for words in (
        "goodput 2",
        "requests kept ttft <= 51 ms, tpot <= 30 ms",
        "by the server's own counts; prompts had 3,600, of them 1,170 cached",
        "server's total_duration 80.00 ms, our end to end 81.0",
        "so one of the two is wrong",
        "8 at once <- knee",
        "knee: the most requests a second for its latency",
        "each load is shared by 2 servers",
        "proxy less direct, 8 at once shared by 2 servers: 200 pairs, 3 broken, 2 cut by the end of the run",
        "token events in one read: 1.000 in, 3.900 out",
        "in one segment: 1.000 in, 3.000 out",
        "the upstream wrote 1.250 at once for the proxy",
        "; of 2 more nobody knows, as gaps that matter are unresolved",
        "+0.400 [+0.300, +0.500]",
        "-0.0500 [-0.150, +0.0500]",
        "the server is on the same machine",
        "0 errors, interrupted",
        "the tool's error was measured at 61.50 requests/s",
    ):
        assert words in text, words


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_on_a_terminal_every_row_fits_and_no_figure_is_cut(width: int) -> None:
    text = printed(whole_result(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    tokens = set(re.findall(r"\d+\.\d+\.\.\d+\.\d+|\d+\.\d+", text))
    assert tokens >= {"49.99", "57.29"}
    for name in ("ttft_from_schedule_ms", "first_visible_ms", "events_per_read"):
        assert re.search(rf"^{name} ", text, re.MULTILINE), "a name stands on one line"


def test_without_colours_there_are_none_and_with_them_marks_are_seen() -> None:
    assert "\x1b" not in printed(whole_result(), 160)
    assert "\x1b[33m60.00" in printed(whole_result(), 160, colours=True)


def test_no_secret_and_nothing_that_a_terminal_obeys_is_in_it() -> None:
    text = "\n".join(plain_lines(whole_result()))
    for secret in (KEY, PASSWORD, VAULT, "\x1b", "\r"):
        assert secret not in text, secret
    assert r"503: you sent\n[redacted] and [redacted]\x1b[2J" in text


def test_a_servers_words_are_no_markup() -> None:
    result = Result([SERVER], [run_of([failed(0, "status", "[bold]no[/bold] [/nothing]")])])
    assert "[bold]no[/bold] [/nothing]" in printed(result, 120)


def compared(a: Run, b: Run) -> tuple[list[str], str]:
    """Return what is said of two results, plainly and on a narrow terminal."""
    old, new = (read_document(as_json(Result([SERVER], [run])).encode(), "it") for run in (a, b))
    judged = [each for text in ("ttft p50 +10%", "tpot p50 +1ms") for each in judge(parse_fail_if(text), old, new)]
    blocks = comparison_blocks(compare(old, new), judged, names=("old.json", "new.json"))
    stream = io.StringIO()
    print_blocks(blocks, Console(file=stream, width=80))
    return plain_lines_of(blocks), stream.getvalue()


def test_two_results_are_compared_with_a_verdict_for_each_figure() -> None:
    slower = run_of(record_of(number, ttft_ms=70 + number / 400) for number in range(400))
    lines, narrow = compared(run_of(record_of(number, ttft_ms=50 + number / 400) for number in range(400)), slower)
    assert row(lines, "ttft_ms p50").startswith("ttft_ms p50 50.")
    assert row(lines, "ttft_ms p50").endswith("worse")
    assert row(lines, "tpot_ms p50").endswith("same")
    assert re.search(r" \+39\.5 % \[\+39\.\d, \+39\.\d\] ", row(lines, "ttft_ms p50"))
    assert row(lines, "errors %").startswith("errors % 0 [0, 0.951]")
    assert [line.split(":")[0] for line in lines[-2:]] == ["failed", "passed"]
    assert max(map(len, narrow.splitlines())) <= 80
    assert "old.json" in narrow


def test_what_cannot_be_compared_says_why() -> None:
    lines, _ = compared(run_of(records_of(400)), run_of(records_of(5), load=Concurrency(8)))
    assert row(lines, "ttft_ms p50").endswith("unknown")
    assert [line for line in lines if line.startswith("  unknown: B has no figure: n = 5 is too small (")]
