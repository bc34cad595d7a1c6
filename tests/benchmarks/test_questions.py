"""Every question runs, with a thousandth of its work; what its figures are is not asked here.

That all contenders decode the same is checked by the questions themselves, and that they do check is tested here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import pytest

from benchmarks import codecs, jq, ndjson_decode, sse_decode
from benchmarks.__main__ import main
from benchmarks.measure import Effort, Figure, Unavailable, alternate, percentile, ratio, turn, usage_of
from benchmarks.peers import PEERS, HasData, consume, drain, installed_peers, streamkit_sse
from benchmarks.report import Row, Target, row_object, show_rows
from benchmarks.workloads import anthropic_text_deltas, chunks_of, openai_chat_events

TINY = Effort(size=0.001, rounds=1)
EXPECTED_ROWS = {
    "sse-decode": 6,
    "ndjson-decode": 4,
    "jq": 2,
    "long-line": 22,
    "pipeline": 3,
    "filter-delay": 1,
    "startup": 1,
}
TARGETS = {
    "sse-decode": 4,
    "ndjson-decode": 1,
    "jq": 1,
    "long-line": 20,
    "pipeline": 1,
    "filter-delay": 1,
    "startup": 1,
}


@pytest.fixture(autouse=True)
def brief_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is one call here; nobody reads the figure."""
    monkeypatch.setattr("benchmarks.measure.AT_LEAST_MS", 0)


NEEDS = {"jq": [pytest.mark.needs("jq")], "filter-delay": [pytest.mark.needs("cat")]}


@pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS.get(name, ())) for name in codecs.QUESTIONS])
def test_a_question_answers_with_all_its_rows(name: str) -> None:
    if name == "ndjson-decode":
        pytest.importorskip("orjson")
    rows = [row for row in codecs.QUESTIONS[name](TINY) if row.verdict != "skipped" and "JavaScript" not in row.what]
    assert len(rows) == EXPECTED_ROWS[name]
    assert sum(row.verdict in ("met", "missed") for row in rows) == TARGETS[name]
    for row in rows:
        assert row.question == name
        assert row.ours is not None
        assert row.ours.low <= row.ours.value <= row.ours.high


class TestSSEPeers:
    """The contenders of the SSE question decode the same events from the same reads."""

    @pytest.mark.parametrize("name", PEERS)
    @pytest.mark.parametrize("make", [openai_chat_events, anthropic_text_deltas])
    @pytest.mark.parametrize("size", [1, 64, 1024, 65536])
    def test_a_peer_yields_our_events_with_our_data(
        self, name: str, make: Callable[[int, int], list[bytes]], size: int
    ) -> None:
        found, absent = installed_peers()
        assert {*found, *absent} == set(PEERS)
        if name in absent:
            pytest.skip(f"{name} is not installed")
        chunks = chunks_of(b"".join(make(50, 1)), size)
        theirs = [event.data for batch in PEERS[name](chunks) for event in batch]
        ours = [event.data for batch in streamkit_sse(chunks) for event in batch]
        assert theirs == ours
        assert [json.loads(data) for data in ours] == [
            json.loads(record.rpartition(b"data: ")[2]) for record in make(50, 1)
        ]

    def test_a_contender_that_loses_an_event_stops_the_run(self) -> None:
        def lossy(chunks: Sequence[bytes]) -> Iterable[Iterable[HasData]]:
            return streamkit_sse(chunks[1:])

        events = openai_chat_events(3, 1)
        with pytest.raises(RuntimeError, match="disagree"):
            sse_decode.check_same(events, {"ours": streamkit_sse, "lossy": lossy})

    def test_an_absent_peer_is_skipped_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def absent(_chunks: Sequence[bytes]) -> Iterable[Iterable[HasData]]:
            raise ModuleNotFoundError

        monkeypatch.setitem(PEERS, "openai", absent)
        rows = sse_decode.run(TINY)
        assert [(row.what, row.note) for row in rows if row.what == "openai"] == [("openai", "not installed")]

    @pytest.mark.needs("node")
    def test_javascript_decodes_the_same_number_of_events(self, tmp_path: Path) -> None:
        from benchmarks.eventsource_parser import EventsourceParser

        events = openai_chat_events(50, 1)
        file = tmp_path / "wire"
        file.write_bytes(b"".join(events))
        try:
            javascript = EventsourceParser(file)
        except Unavailable as why:
            pytest.skip(str(why))
        with javascript:
            for chunks in (events, chunks_of(b"".join(events), 64)):
                javascript.set_reads(chunks)
                assert javascript.turn(at_least_ms=0) > 0
                ours = [event.data for batch in streamkit_sse(chunks) for event in batch]
                utf16_units = sum(len(data.encode("utf-16-le")) // 2 for data in ours)
                assert javascript.tally == (50, utf16_units)

    def test_without_the_package_javascript_is_skipped_by_name(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("EVENTSOURCE_PARSER_DIR", str(tmp_path))
        monkeypatch.setattr("benchmarks.eventsource_parser.HERE", tmp_path)
        rows = sse_decode.run(TINY)
        assert [row.verdict for row in rows if row.what == "eventsource-parser"] == ["skipped"]


def test_a_decoder_that_loses_a_record_stops_the_run() -> None:
    with pytest.raises(RuntimeError, match="3 records went in"):
        ndjson_decode.check_same({"ours": lambda: 3, "theirs": lambda: 2}, 3)


def test_filters_that_write_different_bytes_stop_the_run(tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_bytes(b"1\n")
    with pytest.raises(RuntimeError, match="differ"):
        jq.check_same([["cat"], ["cat", "-n"]], file)


class TestMeasuring:
    def test_contenders_alternate_and_each_has_a_turn_a_round(self) -> None:
        order: list[str] = []

        def take(name: str) -> int:
            order.append(name)
            return len(order)

        taken = alternate({name: partial(take, name) for name in "abc"}, 3, warm_up=False)
        assert "".join(order) == "abcbcacab"
        assert taken == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}

    def test_a_turn_is_the_time_of_one_call(self) -> None:
        ticks = iter([0, 100, 200, 300_000])
        assert turn(lambda: None, at_least_ms=0.3, clock=lambda: next(ticks))() == 100_000

    def test_a_ratio_compares_each_round_with_itself(self) -> None:
        assert ratio([10, 40, 90], [10, 20, 30]) == Figure(2, 1, 3, "x")

    @pytest.mark.parametrize(("percent", "value"), [(50, 2), (75, 3), (76, 4), (100, 4), (1, 1)])
    def test_a_percentile_is_a_measured_value(self, percent: float, value: int) -> None:
        assert percentile([4, 1, 3, 2], percent) == value

    def test_the_usage_of_a_process_is_its_own(self) -> None:
        usage = usage_of(["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"])
        assert 0 < usage.cpu_s <= usage.wall_s * 2

    def test_a_command_that_fails_is_not_measured(self) -> None:
        with pytest.raises(RuntimeError, match="ended with 3"):
            usage_of(["sh", "-c", "exit 3"])


def row(ratio_value: float, target: Target | None) -> Row:
    figure = Figure(ratio_value, ratio_value, ratio_value, "x")
    return Row("q", "w", Figure(7, 6, 8, "us"), Figure(1, 1, 1, "us"), "peer", figure, target)


class TestReport:
    @pytest.mark.parametrize(
        ("target", "verdict"),
        [
            (Target(">=", 2, "x"), "met"),
            (Target(">=", 2.1, "x"), "missed"),
            (Target("<=", 2, "x"), "met"),
            (Target("<=", 1.5, "x"), "missed"),
            (Target("<=", 7, "us"), "met"),
            (Target("<=", 6.9, "us"), "missed"),
            (None, "info"),
        ],
    )
    def test_a_target_in_x_judges_the_ratio_and_any_other_our_figure(self, target: Target | None, verdict: str) -> None:
        assert row(2, target).verdict == verdict

    def test_the_table_names_what_was_missed(self, capsys: pytest.CaptureFixture[str]) -> None:
        show_rows("title", [row(2, Target(">=", 3, "x")), row(2, Target("<=", 3, "x"))])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "title"
        assert lines[3].split() == ["q:", "w", "7", "us", "1", "us", "peer", "2x", "2-2", ">=", "3x", "missed"]
        assert lines[-2:] == ["1 of 2 targets met; missed:", "  q: w"]

    def test_the_json_has_the_keys_that_the_readme_lists(self, tmp_path: Path) -> None:
        file = tmp_path / "run.json"
        assert main(["codecs", "--quick", "--only", "startup", "--json", str(file)]) == 0
        document = json.loads(file.read_text())
        readme = (Path(codecs.__file__).parent / "README.md").read_text()
        assert document["schema"] == "streamkit-benchmarks/1"
        assert document["command"] == "codecs"
        for keys in (
            document,
            document["settings"],
            document["machine"],
            document["rows"][0],
            document["rows"][0]["ours"],
        ):
            assert all(f"`{key}`" in readme for key in keys)
        assert set(document["rows"][0]) == set(row_object(row(1, None)))

    @pytest.mark.parametrize(("strict", "status"), [(True, 1), (False, 0)])
    def test_a_missed_target_fails_the_run_only_when_strict(
        self, monkeypatch: pytest.MonkeyPatch, strict: bool, status: int
    ) -> None:
        monkeypatch.setitem(codecs.QUESTIONS, "startup", lambda _effort: [row(2, Target(">=", 3, "x"))])
        assert main(["codecs", "--only", "startup", *(["--strict"] if strict else [])]) == status

    def test_what_is_not_there_is_a_skipped_row_and_no_failure(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PATH", "")
        assert main(["codecs", "--only", "jq", "--strict"]) == 0
        assert "jq is not on the PATH" in capsys.readouterr().out

    def test_an_unknown_question_is_a_usage_error(self) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(["codecs", "--only", "nonsense"])


def test_what_is_timed_takes_every_event_of_every_batch_and_reads_its_data() -> None:
    class Watched:
        read = 0

        @property
        def data(self) -> str:
            Watched.read += 1
            return ""

    consume([[Watched()], [], [Watched(), Watched()]])
    assert Watched.read == 3


def test_a_drained_tally_counts_events_and_characters() -> None:
    assert drain(streamkit_sse([b"data: ab\n\nda", b"ta: \xc3\xa9\n\n"])) == (2, 3)
