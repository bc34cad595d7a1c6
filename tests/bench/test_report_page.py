"""The page: what is on it, what is not drawn, and that nothing on it is a server's doing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from msgspec.structs import replace as with_changes

from streamkit.bench.metrics import BY_NAME
from streamkit.bench.plan import Arrivals, Concurrency, Server
from streamkit.bench.report.document import as_document
from streamkit.bench.report.page import as_html
from streamkit.bench.report.page_curves import Curve, distributions, quantiles
from streamkit.bench.report.page_figures import MAX_CURVES, Figure
from streamkit.bench.report.page_plotly import has_plotly, plotly_source
from streamkit.bench.report.page_requests import first_requests, has_one_clock, over_time, points_each
from streamkit.bench.report.veil import Veil
from streamkit.bench.results import Knee, Ran, Result, Run, ToolError
from streamkit.errors import ConfigError
from tests.bench.results_made import KEY, MS, PASSWORD, VAULT, failed, record_of, records_of, run_of, whole_result

EVIL = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"' onmouseover=alert(1) \u202e"


class Elements(HTMLParser):
    """All elements of a page, with their attributes, and the texts of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data

    def of(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.found if (value := attributes.get(attribute)) is not None]


def page_of(result: Result) -> str:
    return as_html(result, as_document(result), "/* plotly */")


def figures_of(page: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Elements(page).scripts[0])
    return found


def sweep_result(loads: tuple[int, ...] = (1, 8, 64), count: int = 40) -> Result:
    """Return a sweep whose latency grows with the load, and whose knee is at the second one."""
    runs = [
        run_of([record_of(n, ttft_ms=50 + load + n / 10) for n in range(count)], load=Concurrency(load))
        for load in loads
    ]
    knees = [Knee("direct", 1, float(loads[1]), "the greatest power")] if len(loads) > 2 else []
    return Result(servers=[Server("direct", "http://127.0.0.1:1", "openai-chat")], runs=runs, knees=knees)


def proxies_result() -> Result:
    """Return proxy mode with two proxies: every server's run, and the pairs."""
    result = whole_result()
    pair = result.paired[0]
    runs = [run_of(records_of(60, seed), server=name) for seed, name in enumerate(("direct", "proxy", "other"))]
    return replace(
        result,
        servers=[*result.servers, Server("other", "http://127.0.0.1:8", "openai-chat")],
        runs=runs,
        paired=[pair, replace(pair, proxy="other", token_delay={})],
    )


EVERY = {"whole": whole_result, "sweep": sweep_result, "proxies": proxies_result}


@pytest.mark.parametrize("name", EVERY)
def test_every_plot_is_what_plotly_takes(name: str) -> None:
    from plotly.graph_objects import Figure as Checked  # type: ignore[import-untyped]

    def black(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {each: black(of, each) for each, of in value.items()}
        if isinstance(value, list):
            return [black(each, key) for each in value]
        is_token = isinstance(value, str) and key.lower().endswith("color") and value.startswith("--")
        return "#000000" if is_token else value

    figures = figures_of(page_of(EVERY[name]()))
    assert figures
    for each in figures.values():
        Checked(data=black(each["data"]), layout=black(each["layout"]))
        assert each["words"]


def test_every_plot_has_a_place_and_every_place_a_plot() -> None:
    page = page_of(proxies_result())
    families = Elements(page).of("data-family")
    assert set(families) == {"pairs", "lies", "quantiles", "time", "first"}
    assert {key.partition(":")[0] for key in figures_of(page)} == set(families)
    assert "latency" in Elements(page_of(sweep_result())).of("data-family")


def test_what_the_tables_say_is_what_the_document_says() -> None:
    result = whole_result()
    run = as_document(result).runs[0]
    page = page_of(result)
    assert f"<b>{run.metrics['ttft_ms'].p50:.2f}</b>" in page
    assert "3 of 444 requests failed" in page
    assert "It was interrupted" in page
    assert all(kind in page for kind in run.errors_by_kind)
    assert "The proxy puts events together." in page
    assert '<b>+0.400</b><span class="iv">' in page, "a difference has its sign"
    assert '<b>-0.0500</b><span class="mark" title="our own error is a large part of it">!</span>' in page
    assert "; in one segment: 1.000 and 3.000; the upstream wrote 1.250 at once for the proxy. The proxy puts" in page
    assert "a second; of 2 more nobody knows" in page, "goodput"
    assert "<h1>How fast does it stream? proxy beside direct</h1>" in page


def test_a_figure_of_which_our_own_error_is_a_large_part_is_marked() -> None:
    sound = Result(servers=[], runs=[run_of(records_of(60), error_ms=0.02)])
    doubtful = Result(servers=[], runs=[run_of(records_of(60), error_ms=20.0)])
    unknown = Result(servers=[], runs=[run_of(records_of(60), error_ms=None)])
    assert 'class="mark"' not in page_of(sound)
    assert "our own error is within 10% of every figure" in page_of(sound)
    assert 'class="mark"' in page_of(doubtful)
    assert "marked: our own error is more than 10% of them" in page_of(doubtful)
    assert "there was no calibration" in page_of(unknown)
    assert 'class="mark"' not in page_of(unknown), "that is said once"
    short = run_of(records_of(60))
    short.tool_error["ttft_ms"] = with_changes(short.tool_error["ttft_ms"], p99=None)
    page = page_of(Result(servers=[], runs=[short]))
    assert '<span class="mark" title="how large our own error is in it is not known">?</span>' in page
    assert "? Of 1 figure nobody knows how far off" in page
    assert "within 10%" not in page_of(unknown)


def test_the_end_of_a_sweep_is_not_drawn_as_its_knee() -> None:
    result = sweep_result()
    assert figures_of(page_of(result))["latency:ttft_ms"]["layout"]["shapes"]
    (knee,) = result.knees
    result.knees = [with_changes(knee, edge="greatest", words="it is only the best that was tried")]
    page = page_of(result)
    assert figures_of(page)["latency:ttft_ms"]["layout"]["shapes"] == []
    assert "it is only the best that was tried" in page


def test_what_a_proxy_adds_counts_among_the_marked_figures() -> None:
    page = page_of(proxies_result())
    assert "! 6 figures are marked: our own error is more than 10% of them." in page, "three of each proxy"
    assert "within 10%" not in page


def test_nothing_is_loaded_from_anywhere_and_only_our_own_scripts_run() -> None:
    elements = Elements(page_of(proxies_result()))
    assert elements.of("src") == []
    assert [href for href in elements.of("href") if not href.startswith("#")] == ["data:,"]
    assert {tag for tag, _ in elements.found} & {"img", "iframe", "object", "embed", "base", "meta-refresh"} == set()
    (policy,) = [each["content"] or "" for _, each in elements.found if "http-equiv" in each]
    assert policy.startswith("default-src 'none';")
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in elements.scripts[2:]]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes


def evil_result() -> Result:
    records = [*records_of(30), failed(30, "status", EVIL), failed(31, "status", f"%{{x}} <b>{EVIL[:20]}</b>")]
    result = whole_result()
    run = run_of(records, notes=[EVIL], server=EVIL)
    run.sample = records
    pair = replace(result.paired[0], proxy=EVIL, token_delay={EVIL: result.paired[0].token_delay["direct"]})
    server = Server(EVIL, f"http://127.0.0.1/{EVIL}", "openai-chat", model=EVIL)
    return replace(result, servers=[server], runs=[run], paired=[pair], notes=[EVIL], prompts=EVIL, machine=EVIL)


def test_what_came_from_a_server_is_shown_and_not_obeyed() -> None:
    elements = Elements(page_of(evil_result()))
    assert [tag for tag, _ in elements.found if tag in {"script", "style", "img"}] == ["style", *["script"] * 4]
    assert not [each for _, each in elements.found if {"onerror", "onmouseover"} & each.keys()]
    assert "<img" not in str(figures_of(page_of(evil_result()))), "plotly reads markup"


def test_no_secret_is_on_it() -> None:
    result = whole_result()
    result.runs[0].sample = [failed(400, "status", f"503: you sent {KEY}, {PASSWORD} and {VAULT}")]
    page = page_of(result)
    assert "503: you sent" in page
    assert [secret for secret in (KEY, PASSWORD, VAULT) if secret in page] == []


def test_where_plotly_is_missing_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_plotly()
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ConfigError, match=r"pip install 'streamkit\[report\]'"):
        plotly_source()


def test_a_script_that_would_end_itself_does_not() -> None:
    result = whole_result()
    page = as_html(result, as_document(result), 'let a = "</script><!--";')
    assert Elements(page).scripts[2] == 'let a = "<\\/script><\\!--";'


# The plots.


def data_of(figure: Figure) -> Any:  # noqa: ANN401 - it is what plotly takes
    return figure["data"]


def curve_of(
    count: int, name: str = "ttft_ms", *, error: ToolError | None = None, tokens: int = 4, coalesced: int = 1
) -> Curve:
    run = run_of(records_of(count, tokens=tokens, coalesced=coalesced), error_ms=None)
    run.tool_error = {} if error is None else {name: error}
    return Curve("a", ("--s1", "solid"), run, BY_NAME[name])


def test_a_curve_ends_where_the_sample_supports_no_interval() -> None:
    for count, furthest in ((5, 0.0), (60, 0.95), (400, 0.992)):
        lines = data_of(quantiles(BY_NAME["ttft_ms"], [curve_of(count)], 0.95))
        assert all(1 - 1 / max(line["x"]) <= furthest for line in lines)
        assert bool(lines) is (furthest > 0)
    line = lines[-1]
    figures = as_document(Result(servers=[], runs=[run_of(records_of(400))])).runs[0].metrics["ttft_ms"]
    at = line["x"].index(100)
    assert line["y"][at] == pytest.approx(figures.p99, rel=1e-5)
    assert line["customdata"][at][1:] == [f"{end:.2f}" for end in figures.p99_interval or ()]


def test_gaps_of_one_answer_do_not_count_as_independent() -> None:
    """Of 40 answers with 39 gaps each nobody knows a p99, however many gaps there are."""
    gaps = curve_of(40, "event_gap_ms", tokens=40)
    assert gaps.values.n == 40 * 39
    (_, line) = data_of(quantiles(BY_NAME["event_gap_ms"], [gaps], 0.95))
    assert max(line["x"]) < 100


def test_the_steps_of_a_distribution_hold_every_value() -> None:
    for name, coalesced in (("ttft_ms", 1), ("event_gap_ms", 1), ("events_per_read", 3)):
        (drawn,) = data_of(distributions(BY_NAME[name], [curve_of(50, name, tokens=9, coalesced=coalesced)]))
        assert sum(drawn["y"]) == pytest.approx(100)
    assert max(zip(drawn["y"], drawn["x"], strict=True)) == (pytest.approx(100), 3), "three events in each read"


def test_the_tools_own_error_is_drawn_around_the_figures() -> None:
    curve = curve_of(60, error=ToolError(500, 0.5, 4.0, 0.1))
    *_, whiskers = data_of(quantiles(BY_NAME["ttft_ms"], [curve], 0.95))
    assert [round(1 - 1 / x, 4) for x in whiskers["x"]] == [0.5, 0.9]
    assert whiskers["error_y"]["array"] == [0.5, 4.0]
    *_, bar = data_of(distributions(BY_NAME["ttft_ms"], [curve]))
    assert bar["x"][2] - bar["x"][0] == pytest.approx(8, abs=1e-3)


def test_a_sweep_has_its_intervals_its_knee_and_no_p99_that_nobody_knows() -> None:
    figures = figures_of(page_of(sweep_result()))
    data = {trace["name"]: trace for trace in figures["latency:ttft_ms"]["data"]}
    assert list(data) == ["p50", "p90", "tool error p50", "tool error p99"]
    assert data["p50"]["x"] == [1, 8, 64]
    assert data["p50"]["y"] == pytest.approx([52.95, 59.95, 115.95], abs=0.1)
    assert all(high > 0 for high in data["p50"]["error_y"]["array"])
    assert data["tool error p99"]["y"] == pytest.approx([0.1] * 3)
    (knee,) = figures["latency:ttft_ms"]["layout"]["shapes"]
    assert knee["x0"] == knee["x1"] == 8


def test_what_is_no_sweep_is_not_drawn_as_one() -> None:
    mixed = sweep_result((1, 8))
    mixed.runs[1] = replace(mixed.runs[1], load=Arrivals("poisson", 8.0))
    for result in (mixed, sweep_result((8, 8)), sweep_result((8,))):
        assert "throughput" not in figures_of(page_of(result))
    assert "throughput" in figures_of(page_of(sweep_result((1, 8))))


def test_of_many_loads_some_are_drawn_and_the_page_says_so() -> None:
    page = page_of(sweep_result(tuple(range(1, 26)), count=8))
    lines = [each for each in figures_of(page)["lies:ttft_ms"]["data"] if each["name"] != "tool error"]
    assert len(lines) == MAX_CURVES
    assert (lines[0]["name"], lines[-1]["name"]) == ("1 at once", "25 at once")
    assert "10 of 25 runs are drawn" in page


def test_requests_that_failed_have_no_latency() -> None:
    run = run_of([*records_of(5), failed(5, "status", "503"), record_of(6, lag_ns=3 * MS)])
    drawn = data_of(over_time(run, Veil([])))
    points = {trace["name"]: trace for trace in drawn if trace["name"] in {"failed", "tool's lag"}}
    assert points["failed"]["customdata"] == [[5, "status: 503"]]
    lags = points["tool's lag"]
    assert dict(zip(lags["customdata"], lags["y"], strict=True))[6] == 3
    numbers = {number for trace in drawn if "yaxis" not in trace for number in trace["customdata"]}
    assert numbers == {0, 1, 2, 3, 4, 6}


def test_the_first_requests_show_each_span_and_what_nobody_knows() -> None:
    run = run_of([record_of(0, ttft_ms=50), record_of(4, tokens=8, coalesced=4)])
    drawn = data_of(first_requests(run, Veil([])))
    spans = {trace["name"]: trace for trace in drawn}
    assert spans["first token"]["x"] == pytest.approx([50, 50])
    assert spans["connecting"]["y"] == [0], "the other one had a connection"
    assert spans["a read"]["y"] == [0, 0, 0, 0]
    assert [each[1] for each in spans["unresolved"]["customdata"]] == [4, 4]


def test_of_many_requests_some_are_drawn_and_the_page_says_so() -> None:
    run = run_of(records_of(900))
    run.sample = records_of(900)
    figure = over_time(run, Veil([]), most=points_each(1000))
    (ttft,) = [trace["x"] for trace in data_of(figure) if trace["name"] == "ttft" and "showlegend" not in trace]
    assert 150 < len(ttft) <= 200
    assert "180 of 900 requests are drawn" in str(figure["words"])
    run.sample = [record_of(number, gap_ms=0.1, tokens=1500) for number in range(5)]
    figure = first_requests(run, Veil([]))
    (reads,) = [trace["y"] for trace in data_of(figure) if trace["name"] == "a read"]
    assert set(reads) == {0, 1}
    assert "of the first 2 requests" in str(figure["words"])


@pytest.mark.parametrize("coalesced", [1, 4])
def test_a_curve_and_the_tables_have_the_same_intervals(coalesced: int) -> None:
    records = [record_of(n, ttft_ms=50 + n / 10, coalesced=coalesced, tokens=8 + n) for n in range(60)]
    result = Result(servers=[], runs=[run_of(records)])
    for name in ("ttft_ms", "e2e_ms", "event_gap_ms"):
        metric = as_document(result).runs[0].metrics[name]
        if metric.n:
            _, line = figures_of(page_of(result))[f"quantiles:{name}"]["data"][:2]
            (told,) = [each for each in line["customdata"] if each[0] == "50"]
            low, high = (float(each.replace(",", "")) for each in told[1:])
            assert (low, high) == pytest.approx(metric.p50_interval, rel=1e-3)


def test_times_of_several_machines_are_not_drawn_on_one_axis() -> None:
    run = run_of(records_of(5))
    assert has_one_clock(run)
    run.ran.append(Ran(10**15, 10**15 + 10**10, 10**15, 1, 0, 0, 1))
    assert not has_one_clock(run)
    assert "time:0" not in figures_of(page_of(Result(servers=[], runs=[run])))


def test_the_band_around_no_difference_is_the_error_of_both_sides() -> None:
    figure = figures_of(page_of(proxies_result()))["pairs:0"]
    bands = [(band["xref"], band["x0"], band["x1"]) for band in figure["layout"]["shapes"]]
    assert bands == [("x", -0.2, 0.2), ("x2", -0.04, 0.04), ("x4", -0.03, 0.03)], "p99, or p50 where that is all"
    ttft = [trace for trace in figure["data"] if trace["xaxis"] == "x"]
    assert [trace["name"] for trace in ttft] == ["proxy", "other"]
    assert ttft[0]["x"] == [0.4, 0.4, 0.4], "no p99: nobody knows it"
    assert ttft[0]["error_x"]["array"] == pytest.approx([0.1] * 3)
    assert ttft[0]["marker"]["color"] != ttft[1]["marker"]["color"]


@pytest.mark.parametrize("runs", [[], [run_of([])], [run_of([failed(0, "no-connection", "nobody listens")])]])
def test_where_nothing_was_answered_there_is_a_page_still(runs: list[Run]) -> None:
    page = page_of(Result(servers=[], runs=runs))
    assert not [key for key in figures_of(page) if key.startswith(("lies", "quantiles", "latency"))]
    assert "failed" in page or "No request was made" in page
