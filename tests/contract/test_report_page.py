"""The page: what is on it, that it is bounded, and that nothing on it is a proxy's doing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from streamkit.contract.report.evidence import evidence_of
from streamkit.contract.report.page import MAX_PAGE_BYTES, as_html
from streamkit.contract.report.timeline import timeline
from streamkit.contract.results import Report
from streamkit.contract.trace import Event, Exchanged, Trace
from streamkit.contract.verdicts import Verdict
from tests.contract.reports import KEY, held_trace, report_of, result_of


class Elements(HTMLParser):
    """All elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.found if (value := attributes.get(attribute)) is not None]


def test_the_head_says_what_was_tested_and_how_it_went() -> None:
    page = as_html([report_of()])
    assert "Does it stream? nginx 1.22.1" in page
    assert all(word in page for word in ("sha256:00ff", "streamkit 0.1.0", "2026-09-21T14:13:20Z"))
    assert "1 of 7 cases failed; nothing can be said of 2" in page
    assert "No case failed of 1" in as_html([report_of(result_of("flush.head", Verdict.OK))])
    assert "Nothing can be said of 1 of 1" in as_html([report_of(result_of("flush.head", Verdict.HARNESS_ERROR))])


def test_bugs_are_links_to_their_issues() -> None:
    odd = replace(result_of("flush.head", Verdict.OK), bugs=("a/b#1", 'x"/><script>', "javascript:alert(1)#2"))
    links = [href for href in Elements(as_html([report_of(odd)])).of("href") if ":" in href]
    assert links == ["data:,", "https://github.com/a/b/issues/1"]


def test_nothing_is_loaded_from_anywhere() -> None:
    elements = Elements(as_html([report_of()]))
    assert elements.of("src") == []
    assert {tag for tag, _ in elements.found} & {"img", "iframe", "object", "embed", "audio", "video", "base"} == set()
    assert "url(" not in re.sub(r"url\(#arrow-\w+\)", "", as_html([report_of()]))
    assert not [attributes for _, attributes in elements.found if "style" in attributes]
    (policy,) = [attributes["content"] or "" for _, attributes in elements.found if "http-equiv" in attributes]
    assert policy.startswith("default-src 'none';")


def test_every_anchor_exists_once() -> None:
    elements = Elements(as_html([report_of(), report_of()]))
    anchors = elements.of("id")
    assert len(set(anchors)) == len(anchors)
    assert {href[1:] for href in elements.of("href") if href.startswith("#")} <= set(anchors)


def test_what_came_from_a_proxy_is_shown_and_not_obeyed() -> None:
    evil = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"' onmouseover=alert(1) \u202e"
    trace = Trace(events=[Event(1, "client", 1, "read", 9, data=evil.encode(), note=evil)])
    trace.exchanges.append(Exchanged(problem=evil, excess=evil.encode()))
    report = report_of(replace(result_of("flush.head", Verdict.FAILED, evil, trace), facts={evil: evil}), product=evil)
    elements = Elements(as_html([report], titles=[evil]))
    assert [tag for tag, _ in elements.found if tag in {"script", "style", "img"}] == ["style", "script"]
    assert not [attributes for _, attributes in elements.found if {"onerror", "onmouseover"} & attributes.keys()]


def test_no_key_is_on_it() -> None:
    page = as_html([report_of()])
    assert KEY not in page
    assert "deadbeef" not in page


def test_several_proxies_stand_side_by_side() -> None:
    other = report_of(result_of("flush.head", Verdict.OK), result_of("lat.plateau", Verdict.OK), product="haproxy")
    page = as_html([report_of(), other], titles=["nginx:default", "haproxy:default"])
    rows = re.findall(r'<tr data-case="([^"]+)"[^>]* data-verdict="([^"]*)">', page)
    assert rows[0] == ("flush.head", "NON-STRICT OK")
    assert rows[1] == ("flush.sse.close", "FAILED")
    assert rows[-1] == ("lat.plateau", "OK")
    assert "2 proxies compared" in page
    assert re.findall(r"<th scope=\"col\">[^<]*<br><span[^>]*>([^<]*)", page) == ["1 of 7 failed", "none failed"]
    assert 'id="flush.head@2"' in page


def test_a_page_needs_a_report() -> None:
    with pytest.raises(ValueError, match="needs a report"):
        as_html([])


def big_report(count: int, verdict: Verdict) -> Report:
    trace = held_trace(400, fillers=400, body=b'data: {"<&>": "\x00\x01"}\n\n' * 20)
    trace.exchanges *= 3
    results = [result_of(f"flush.case-{number}", verdict, "x" * 300, trace) for number in range(count)]
    return report_of(*results)


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.OK])
def test_a_page_of_a_whole_suite_is_bounded(verdict: Verdict) -> None:
    page = as_html([big_report(130, verdict)])
    assert len(page.encode()) < MAX_PAGE_BYTES
    assert "entries of the log are left out" in page
    assert "pieces are left out of the drawing" in page


def test_where_many_are_compared_what_holds_shows_no_logs() -> None:
    page = as_html([big_report(60, Verdict.OK)] * 10)
    assert len(page.encode()) < MAX_PAGE_BYTES
    assert "run this case alone" in page


def test_a_piece_that_crosses_the_limit_is_red_and_one_that_does_not_is_green() -> None:
    drawn = timeline(evidence_of(held_trace(3)))
    arrows = re.findall(r'<line class="a-(\w+)"', drawn)
    assert arrows == ["ok", "late", "ok", "ok", "plain"], (
        "the head, three pieces of which the first is late, the request"
    )
    assert "#1..3 27 B" in drawn
    assert "1.993 s of silence" in drawn
    assert ">limit</text>" in drawn


def test_of_a_piece_that_came_in_two_what_was_early_and_what_was_late_are_drawn() -> None:
    trace = held_trace()
    piece = trace.exchanges[0].pieces[0]
    piece.first_ns, piece.first_units = piece.sent_ns + 1000, 5
    drawn = timeline(evidence_of(trace))
    assert "#1, its first 5" in drawn
    assert "the rest of #1, #2..3 18 B" in drawn
    piece.first_ns = piece.came_ns - 1
    assert "its first" not in timeline(evidence_of(trace)), "both were late"


def test_a_piece_that_never_came_ends_in_the_proxy() -> None:
    trace = held_trace(2)
    for piece in trace.exchange.pieces:
        piece.came_ns = 0
    assert timeline(evidence_of(trace)).count("✗") == 2
    trace.exchange.client_end = ""
    assert "✗" not in timeline(evidence_of(trace)), "what nobody waited for is not lost"


def test_where_something_is_left_out_no_silence_is_claimed() -> None:
    drawn = timeline(evidence_of(held_trace(200), max_entries=12, max_pieces=4), max_rows=12)
    assert "silence" not in drawn
    assert "more …" in drawn
    assert not timeline(evidence_of(Trace()))
