"""The forwarding question finds what it looks for: paths that hold back, lose, change or stop are told apart."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path as FilePath

import pytest
import trio

from benchmarks import forwarding, paths
from benchmarks.__main__ import main
from benchmarks.drivers import by_hand, by_loop, by_process, by_pump
from benchmarks.lockstep import ENOUGH_HELD, Arrivals, Lockstep, Outcome, PathRun, run_in_lockstep
from benchmarks.paths import PATHS, Path, library
from benchmarks.wires import Wire, records, untouched
from streamkit import NDJSONDecoder, Stage

BOUND_S = 0.1


class OneLate(Stage[bytes, bytes]):
    """Gives an item when the next one comes: what a filter with a look-ahead does."""

    name = "one-late"

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def feed(self, item: bytes, /) -> list[bytes]:
        out, self._held = self._held, [item]
        return out

    def finish(self) -> list[bytes]:
        super().finish()
        return self._held


class Corked(OneLate):
    """Gives nothing before it has 4096 bytes: what stdio does on a pipe."""

    name = "corked"

    def feed(self, item: bytes, /) -> list[bytes]:
        self._held.append(item)
        out: list[bytes] = []
        if sum(map(len, self._held)) >= 4096:
            out, self._held = self._held, []
        return out


def late() -> Stage[bytes, bytes]:
    return NDJSONDecoder(raw=True) | OneLate()


def corked() -> Stage[bytes, bytes]:
    return NDJSONDecoder(raw=True) | Corked()


def drive(run: PathRun, wire: Wire, branches: int = 1, bound_s: float = BOUND_S) -> Outcome:
    return trio.run(partial(run_in_lockstep, run, wire, branches=branches, seed=1, bound_s=bound_s))


@pytest.mark.parametrize("driver", [by_hand, by_pump])
def test_a_stage_that_is_one_record_late_is_held(driver: PathRun) -> None:
    outcome = drive(partial(driver, late), records(20, 1))  # type: ignore[arg-type]
    assert outcome.verdict == "held"
    assert outcome.held_pieces > 0
    longest = max(len(out) for _, out in records(20, 1).units)
    assert 0 < outcome.held_bytes <= longest


def test_the_most_bytes_held_tell_the_size_of_a_buffer() -> None:
    outcome = drive(partial(by_hand, corked), records(60, 1), bound_s=0.02)
    assert outcome.verdict == "held"
    assert 3500 < outcome.held_bytes < 4096


def test_a_path_that_never_gives_anything_is_stopped() -> None:
    async def sink(source: Lockstep, _arrivals: Arrivals) -> None:
        async for _ in source:
            pass

    outcome = drive(sink, untouched(100, 1), bound_s=0.02)
    assert (outcome.verdict, outcome.held_pieces) == ("held", ENOUGH_HELD)


def test_a_reader_ahead_is_held_although_it_gives_everything_at_the_end() -> None:
    async def greedy(source: Lockstep, arrivals: Arrivals) -> None:
        arrivals.add(b"".join([bytes(piece) async for piece in source]))

    outcome = drive(greedy, untouched(1, 1), bound_s=0.02)
    assert outcome.verdict == "held"
    assert outcome.fault == ""


def test_a_branch_that_lags_behind_the_other_is_held() -> None:
    async def lame(source: Lockstep, arrivals: Arrivals) -> None:
        before = b""
        async for piece in source:
            arrivals.add(piece, 0)
            arrivals.add(before, 1)
            before = bytes(piece)
        arrivals.add(before, 1)

    outcome = drive(lame, untouched(2, 1), branches=2, bound_s=0.02)
    assert outcome.verdict == "held"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda piece: piece.replace(b"data", b"DATA"), "right up to byte"),
        (lambda piece: piece + piece, "bytes for"),
    ],
)
def test_what_is_changed_or_doubled_is_wrong(change: object, fault: str) -> None:
    async def faulty(source: Lockstep, arrivals: Arrivals) -> None:
        async for piece in source:
            arrivals.add(change(bytes(piece)))  # type: ignore[operator]

    outcome = drive(faulty, untouched(5, 1))
    assert outcome.verdict == "wrong"
    assert fault in outcome.fault


def test_a_path_that_stops_asking_is_wrong_and_does_not_hang() -> None:
    async def stuck(source: Lockstep, arrivals: Arrivals) -> None:
        arrivals.add(await source.receive_some())
        await trio.sleep_forever()

    outcome = drive(stuck, untouched(5, 1), bound_s=0.02)
    assert outcome.verdict == "wrong"
    assert "asked for nothing after 1 of" in outcome.fault


def test_a_path_that_ends_early_is_wrong() -> None:
    async def brief(source: Lockstep, arrivals: Arrivals) -> None:
        arrivals.add(await source.receive_some())

    assert "stopped after 1 of" in drive(brief, untouched(5, 1)).fault


def test_the_exception_of_a_path_is_in_its_row() -> None:
    async def broken(_source: Lockstep, _arrivals: Arrivals) -> None:
        msg = "no luck"
        raise ValueError(msg)

    outcome = drive(broken, untouched(5, 1))
    assert (outcome.verdict, outcome.fault) == ("wrong", "ValueError: no luck")


BUFFERING = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line)"
FLUSHING = BUFFERING + "; sys.stdout.buffer.flush()"


@pytest.mark.parametrize(("program", "verdict"), [(BUFFERING, "held"), (FLUSHING, "ok")])
def test_a_process_is_held_without_its_flush_and_not_with_it(program: str, verdict: str) -> None:
    lines = Wire([(b"%d\n" % number, b"%d\n" % number) for number in range(20)])
    # -E: PYTHONUNBUFFERED would flush for it. The start of an interpreter falls into the first wait.
    outcome = drive(partial(by_process, lambda: [sys.executable, "-E", "-c", program]), lines, bound_s=3)
    assert outcome.verdict == verdict


def test_a_process_that_fails_is_wrong() -> None:
    outcome = drive(partial(by_process, lambda: ["sh", "-c", "exec 0<&-; exit 3"]), untouched(5, 1))
    assert outcome.verdict == "wrong"


def test_every_lag_is_counted_and_a_loop_has_none() -> None:
    wire = untouched(20, 1)
    outcome = drive(by_loop, wire)
    assert outcome.verdict == "ok"
    assert len(outcome.lags_ms) == outcome.pieces_in == outcome.pieces_out == len(wire.pieces(1))
    assert all(0 <= lag < BOUND_S * 1000 for lag in outcome.lags_ms)


@pytest.mark.parametrize("path", [path for path in PATHS if path.kind != "filter"], ids=lambda path: path.name)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_path_of_the_library_holds_anything(path: Path, seed: int) -> None:
    drive_path = partial(run_in_lockstep, path.run, path.wire(20, seed), branches=path.branches, seed=seed, bound_s=5)
    outcome = trio.run(drive_path)
    assert (outcome.verdict, outcome.fault) == ("ok", "")


@pytest.mark.parametrize("path", [path for path in PATHS if path.kind == "filter"], ids=lambda path: path.name)
def test_no_filter_holds_anything(path: Path) -> None:
    outcome = trio.run(partial(run_in_lockstep, path.run, path.wire(10, 1), branches=1, seed=1, bound_s=10))
    assert (outcome.verdict, outcome.fault) == ("ok", "")


class TestCommand:
    """`python -m benchmarks forwarding`."""

    def run(self, monkeypatch: pytest.MonkeyPatch, *extra: Path) -> int:
        monkeypatch.setattr(paths, "PATHS", [library("loop", untouched, by_loop), *extra])
        return main(["forwarding", "--records", "5", "--bound", str(BOUND_S)])

    def test_exit_0_when_nothing_was_held(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch) == 0
        assert capsys.readouterr().out.endswith("1 of 1 paths hold nothing back\n")

    def test_exit_1_when_a_stage_buffers(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch, library("one late", records, partial(by_pump, late))) == 1
        out = capsys.readouterr().out
        assert out.endswith("1 of 2 paths hold nothing back; not:\n  one late\n")
        [line] = [line for line in out.splitlines() if line.startswith("library: one late")]
        assert line.endswith("held")

    def test_exit_1_when_the_output_is_wrong(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch, library("unframed", records, by_loop)) == 1
        assert "right up to byte" in capsys.readouterr().out

    def test_the_json_has_the_keys_that_the_readme_lists(self, tmp_path: FilePath) -> None:
        file = tmp_path / "run.json"
        assert forwarding.run([library("loop", untouched, by_loop)], records=5, json_file=file) == 0
        document = json.loads(file.read_text())
        readme = (FilePath(forwarding.__file__).parent / "README.md").read_text()
        assert (document["schema"], document["command"]) == ("streamkit-benchmarks/1", "forwarding")
        for keys in (document["settings"], document["rows"][0]):
            assert all(f"`{key}`" in readme for key in keys)
        assert document["rows"][0]["verdict"] == "ok"

    def test_a_name_that_fits_no_path_is_a_usage_error(self) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(["forwarding", "--only", "nonsense"])
