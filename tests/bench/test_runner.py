"""A whole benchmark: what comes after what, which calibration counts, and what is left when somebody ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import trio

from mockserver.open import open_mockserver
from streamkit.bench import runner
from streamkit.bench.calibration import Calibration
from streamkit.bench.job import Job
from streamkit.bench.measure import Measured, Progress, measure
from streamkit.bench.plan import Concurrency, Limits, Load, Plan, Server
from streamkit.bench.results import Knee, Result, Run, ToolError
from streamkit.bench.runner import Control, benchmark, doubts
from streamkit.bench.shape import Shape
from streamkit.bench.tally import Tally
from streamkit.bench.until import parse_until
from streamkit.bench.warmup import Warmup, parse_warmup
from streamkit.errors import ConfigError, ConnectError, RemoteError
from tests.contract.against import listening

PATIENCE_S = 60

KEY = "sk-0123456789abcdef"

WORDS = ("before", "after")


def job_for(url: str, *concurrencies: int, **changes: object) -> Job:
    """A job that is over soon."""
    loads: list[Load] = [Concurrency(each) for each in concurrencies or (2,)]
    server = Server("server", f"{url}/v1", "openai-chat", "m", api_key=KEY)
    job = Job([server], loads, ["Why?"], requests=12, warmup=parse_warmup("3"), max_tool_error=1.0)
    return replace(job, **changes)  # type: ignore[arg-type]  # they are those of the class


def calibration_of(p50: float, per_s: float = 1e6) -> Calibration:
    """A calibration that has found this error of the TTFT."""
    error = ToolError(1000, p50, 3 * p50, p50 / 2)
    counts = dict.fromkeys(("requests", "failed", "unmatched", "miscounted", "gaps", "unresolved_gaps"), 0)
    return Calibration(
        tool_error={"ttft_ms": error}, parts={}, counts=counts, requests_per_s=per_s, shape=Shape(1, 1, 1)
    )


class Calibrations:
    """In the place of `calibrate`: gives what is in the list, one after the other.

    Attributes:
        asked: the load and the shape that it was called with.
    """

    def __init__(self, *each: Calibration | Exception) -> None:
        self._left = [*each]
        self.asked: list[tuple[Load, Shape]] = []

    async def __call__(self, plan: Plan, shape: Shape, **_: object) -> Calibration:
        self.asked.append((plan.load, shape))
        await trio.lowlevel.checkpoint()
        now = self._left.pop(0) if self._left else calibration_of(0.001)
        if isinstance(now, Exception):
            raise now
        return now


@pytest.fixture
def calibrations(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Calibrations]:
    """Lay down what calibrations find."""

    def lay(*each: Calibration | Exception) -> Calibrations:
        made = Calibrations(*each)
        monkeypatch.setattr(runner, "calibrate", made)
        return made

    return lay


async def done(job: Callable[[str], Job], control: Control | None = None, **settings: object) -> tuple[Result, int]:
    """Do a job on a mock; gives the result, and how many requests the mock had."""
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(**({"rate": 0, "tokens": 3} | settings)) as mock:  # type: ignore[arg-type]
            return await benchmark(job(mock.url), control), mock.journal.count


async def test_each_load_is_measured_between_two_calibrations(calibrations: Callable[..., Calibrations]) -> None:
    made = calibrations()
    phases: list[str] = []
    result, asked = await done(lambda url: job_for(url, 1, 2), Control(on_phase=phases.append))
    assert phases == ["warming up"] + [
        f"{what}: concurrency {load}"
        for load in (1, 2)
        for what in ("calibrating before", "measuring", "calibrating after")
    ]
    assert [run.tally.outcomes["ok"] for run in result.runs] == [12, 12], "the warm-up counts nothing"
    assert asked == 3 + 24
    assert [load for load, _ in made.asked] == [Concurrency(1)] * 2 + [Concurrency(2)] * 2
    assert all(shape.tokens == 3 for _, shape in made.asked), "answers like the server's"
    assert not result.is_interrupted


@pytest.mark.parametrize("errors", [(1.0, 5.0), (5.0, 1.0)])
async def test_the_worse_of_two_calibrations_counts(
    calibrations: Callable[..., Calibrations], errors: tuple[float, float]
) -> None:
    calibrations(*(calibration_of(each, 6e6 - each) for each in errors))
    result, _ = await done(job_for)
    (run,) = result.runs
    assert run.tool_error == {"ttft_ms": ToolError(1000, 5.0, 15.0, 2.5)}
    assert run.calibrated_per_s == 6e6 - 5
    assert any("worst of 2 calibrations" in note for note in run.notes)


async def test_a_calibration_of_far_less_load_than_the_run_judges_nothing(
    calibrations: Callable[..., Calibrations],
) -> None:
    calibrations(*[calibration_of(0.001, 0.5)] * 2)
    result, _ = await done(job_for)
    (run,) = result.runs
    assert 0 < run.tool_error["ttft_ms"].load < 0.5
    assert any("could not answer as fast: 0 requests" in note for note in run.notes)
    assert any(doubt.startswith("of ttft p50 nobody knows") for doubt in doubts(run, result))


@pytest.mark.parametrize("when", WORDS)
async def test_a_calibration_that_fails_is_told(calibrations: Callable[..., Calibrations], when: str) -> None:
    works, fails = calibration_of(1.0), ConnectError("no port is left")
    calibrations(*((fails, works) if when == "before" else (works, fails)))
    result, _ = await done(job_for)
    (run,) = result.runs
    assert run.tool_error["ttft_ms"].p50 == 1.0
    assert f"the calibration {when} the run failed: no port is left" in run.notes
    assert "one of the two calibrations came to nothing: the other one counts" in run.notes


async def test_a_strict_run_wants_its_calibrations(calibrations: Callable[..., Calibrations]) -> None:
    calibrations(ConnectError("no port is left"))
    with pytest.raises(ConnectError, match="no port is left"):
        await done(lambda url: job_for(url, is_strict=True))


async def test_a_strict_run_is_refused_for_what_the_warm_up_has_seen(
    calibrations: Callable[..., Calibrations],
) -> None:
    calibrations(calibration_of(6.0))
    with pytest.raises(ConfigError, match=r"more than 10% here: ttft p50 is .* and the tool's own error 6 ms"):
        await done(lambda url: job_for(url, is_strict=True, max_tool_error=0.1), ttft="20ms")


async def test_a_strict_run_says_what_has_become_doubtful_meanwhile(
    calibrations: Callable[..., Calibrations],
) -> None:
    calibrations(calibration_of(0.001), calibration_of(900.0))
    result, _ = await done(lambda url: job_for(url, is_strict=True, max_tool_error=0.1), ttft="20ms")
    (run,) = result.runs
    assert any(note.startswith("too uncertain for --strict: ttft p50 is ") for note in run.notes)


async def test_nothing_is_calibrated_where_nobody_wants_it(calibrations: Callable[..., Calibrations]) -> None:
    made = calibrations()
    result, asked = await done(lambda url: job_for(url, calibration_s=0.0, warmup=Warmup(None, None)))
    assert (made.asked, asked) == ([], 12)
    assert result.runs[0].tool_error == {}


@pytest.mark.parametrize(
    ("phase", "runs", "errors"),
    [
        ("warming up", 0, []),
        ("calibrating before: concurrency 1", 0, []),
        ("measuring: concurrency 1", 1, [7.0]),
        ("calibrating after: concurrency 1", 1, [7.0]),
        ("measuring: concurrency 2", 2, [0.001, 0.001]),
    ],
)
async def test_an_interrupt_keeps_what_there_is(
    calibrations: Callable[..., Calibrations], phase: str, runs: int, errors: list[float]
) -> None:
    """The second calibration of what is interrupted is not made, or not waited for: the first one counts."""
    calibrations(*([calibration_of(7.0)] if errors[:1] == [7.0] else []))
    phases: list[str] = []

    def on_phase(words: str) -> None:
        phases.append(words)
        if words == phase and not words.startswith("measuring"):
            control.interrupt()

    def on_progress(progress: Progress) -> None:
        if phases[-1] == phase and progress.done:
            control.interrupt()

    control = Control(on_phase, on_progress)
    result, _ = await done(lambda url: job_for(url, 1, 2, requests=None, duration_s=0.7), control)
    assert result.is_interrupted
    assert phases[-1] == phase, "nothing is begun behind it"
    assert len(result.runs) == runs
    assert all(run.tally.outcomes["ok"] for run in result.runs), "what was answered counts"
    assert [run.tool_error["ttft_ms"].p50 for run in result.runs] == errors
    assert [run.is_interrupted for run in result.runs][-1:] == (
        [True] if phase.startswith("measuring") else [False] * min(runs, 1)
    )


async def test_who_is_interrupted_while_asking_what_a_server_speaks_asks_no_more() -> None:
    control = Control()
    accepted = trio.Event()

    async def say_nothing(stream: trio.SocketStream) -> None:
        accepted.set()
        await stream.receive_some()
        control.interrupt()
        await trio.sleep_forever()

    with trio.fail_after(PATIENCE_S):
        async with listening(say_nothing) as url:
            server = Server("server", url, "auto")
            result = await benchmark(Job([server], [Concurrency(1)], ["Why?"]), control)
    assert accepted.is_set()
    assert (result.is_interrupted, result.runs, result.servers) == (True, [], [server])


async def test_a_run_ends_when_it_knows_enough(calibrations: Callable[..., Calibrations]) -> None:
    calibrations()
    goal = parse_until("p50 e2e 95%")
    result, _ = await done(lambda url: job_for(url, until=goal, requests=None, duration_s=50.0), ttft="5ms")
    (run,) = result.runs
    assert run.tally.outcomes["ok"] >= 30
    assert not run.is_interrupted
    (told,) = [note for note in run.notes if note.startswith("p50 e2e: ")]
    assert "next look" not in told, "it is known, and not only the time over"


async def test_what_is_slow_is_waited_for_where_there_is_a_goal(
    calibrations: Callable[..., Calibrations], monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrations()
    plans: list[Plan] = []

    async def measured(plan: Plan, **settings: Any) -> Measured:  # noqa: ANN401 - they are its own
        plans.append(plan)
        return await measure(plan, **settings)

    monkeypatch.setattr(runner, "measure", measured)
    limits = Limits(total_s=77.0)
    missed = await done(lambda url: job_for(url, until=parse_until("p99 ttft 5%"), limits=limits))
    assert [plan.limits.drain_s for plan in plans] == [limits.drain_s, 77.0], "of the warm-up, and of the run"
    assert [run.is_goal_met for run in missed[0].runs] == [False]
    assert "not known before n = 505" in missed[0].runs[0].notes[0]
    without, _ = await done(job_for)
    assert plans[-1].limits.drain_s == Limits().drain_s
    assert without.runs[0].is_goal_met is None


def run_with(metric: str, values: list[int], answers: int, **errors: ToolError) -> Run:
    """A run with these values, so many in each answer, and these errors of the tool."""
    run = Run("server", Concurrency(2), Tally(), tool_error=errors)
    for value in values:
        run.tally.distributions[metric]["new"].add(value)
    run.tally.outcomes["ok"] = answers
    return run


def test_doubts_go_by_the_figures_that_are_printed() -> None:
    gaps = [10_000_000] * 4000
    large = ToolError(4000, 0.1, 5.0, 0.1)
    result = Result([])
    assert doubts(run_with("event_gap_ms", gaps, 400, event_gap_ms=large), result) == [
        f"event_gap {q} is 10 ms and the tool's own error 5 ms" for q in ("p90", "p99")
    ]
    # Of 100 answers there is no p99, however many gaps they have, and so nothing to doubt.
    assert doubts(run_with("event_gap_ms", gaps, 100, event_gap_ms=large), result) == [
        "event_gap p90 is 10 ms and the tool's own error 5 ms"
    ]


def test_what_the_calibration_could_not_judge_is_no_better_than_what_it_doubts() -> None:
    small = ToolError(126, 0.01, None, 0.01)
    assert doubts(run_with("ttft_ms", [80_000_000] * 400, 400, ttft_ms=small), Result([])) == [
        "of ttft p90, p99 nobody knows the tool's own error: the calibration had 126 values of it, too few"
    ]
    assert doubts(run_with("ttft_ms", [80_000_000] * 20, 20, ttft_ms=small), Result([])) == []
    assert doubts(run_with("ttft_ms", [80_000_000] * 400, 400), Result([])) == [], (
        "there was no calibration to judge by"
    )


async def test_a_sweep_bends_somewhere(
    calibrations: Callable[..., Calibrations], monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrations()
    given: list[tuple[float, float, float | None]] = []

    def find(server: str, points: list[tuple[float, float, float | None]]) -> Knee:
        given.extend(points)
        return Knee(server, 1, 2.0, "here")

    monkeypatch.setattr(runner, "find_knee", find)
    result, _ = await done(lambda url: job_for(url, 1, 2, 4))
    assert [load for load, _, _ in given] == [1, 2, 4]
    assert all(per_s > 0 and latency_ms for _, per_s, latency_ms in given)
    assert result.knees == [Knee("server", 1, 2.0, "here")]


async def test_a_warm_up_that_nobody_answers_says_why_and_shows_no_key() -> None:
    with pytest.raises(RemoteError, match=r"none of the 3 requests of the warm-up was answered: status: .*status 503"):
        await done(job_for, fault="status:503")
    with pytest.raises(RemoteError) as caught:
        await done(lambda url: job_for(f"{url}/{KEY}"))
    assert KEY not in str(caught.value)


async def test_what_the_job_says_is_in_the_result(calibrations: Callable[..., Calibrations]) -> None:
    calibrations()
    result, _ = await done(lambda url: job_for(url, notes=["a note"], seed=3, prompt_words="one question"))
    assert (result.notes, result.seed, result.prompts, result.workers) == (["a note"], 3, "one question", 1)
    assert "Python 3." in result.machine
