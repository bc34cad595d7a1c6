from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.faults.spec import Fault, Place, fault_text, parse_fault, parse_place, place_text
from mockserver.faults.table import FAULTS, befalls, check_fault, fault_of
from streamkit.errors import ConfigError

BIG = st.integers(0, 10**15 - 1)

places = st.one_of(
    st.sampled_from([Place("before-head"), Place("after-head"), Place("before-terminator")]),
    st.builds(Place, st.just("token"), BIG),
    st.builds(Place, st.just("event"), BIG, BIG),
)
faults = st.builds(
    Fault,
    st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,20}\Z"),
    st.text(st.characters(exclude_categories=["Cs"])) | st.text("@,:\\ firstshae1", max_size=20),
    st.none() | places,
    st.none() | BIG,
    st.none() | st.floats(0, 1),
)


@given(places)
def test_a_place_is_read_as_it_is_written(place: Place) -> None:
    assert parse_place(place_text(place)) == place


@given(faults)
def test_a_fault_is_read_as_it_is_written(fault: Fault) -> None:
    assert parse_fault(fault_text(fault)) == fault


@given(st.text("restok:5@,+1-\\ ") | st.text())
def test_any_text_is_a_fault_or_a_mistake(text: str) -> None:
    try:
        fault = fault_of(text)
    except ConfigError:
        return
    assert parse_fault(fault_text(fault)) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reset", Fault("reset")),
        ("reset@token:5", Fault("reset", "", Place("token", 5))),
        ("close@event:4+7", Fault("close", "", Place("event", 4, 7))),
        ("status:429:2,first:3", Fault("status", "429:2", None, 3)),
        ("stall:2s@after-head,share:10%", Fault("stall", "2s", Place("after-head"), None, 0.1)),
        ("stall,share:0.25,first:2", Fault("stall", "", None, 2, 0.25)),
        ("error:too much, sorry@token:2", Fault("error", "too much, sorry", Place("token", 2))),
        (r"error:me\@home", Fault("error", "me@home")),
        (r"error:what\, first:1", Fault("error", "what, first:1")),
        ("content-type:text/html; charset=utf-8", Fault("content-type", "text/html; charset=utf-8")),
    ],
)
def test_how_faults_are_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert check_fault(fault).name == fault.kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no fault; one looks like"),
        ("reset@token:5,frist:2", "is no fault"),
        ("a:" + ",first:1" * 500 + "@@", "is no fault"),
        ("a:" + "x" * 5000, "is too long"),
        ("reset@tken:5", "'tken:5' is no place; there are before-head"),
        ("reset@token", "is no place"),
        ("reset@token:-1", "is no place"),
        ("reset@token:5+1", "is no place"),
        ("reset@after-head:5", "is no place"),
        ("reset,first:many", "should be a number of requests"),
        ("reset,share:1.5", "should be from 0 to 1"),
        ("reset,share:-1", "should be from 0 to 1"),
        ("reset,share:nan", "should be from 0 to 1"),
        ("rest", "there is no fault 'rest'; did you mean 'reset'?"),
        ("xyzzy", "there are status, stall"),
        ("reset:5", "the fault reset: takes no argument"),
        ("gate", "the fault gate: takes a name"),
        ("gate:a b", "takes a name"),
        ("status", "takes an HTTP status"),
        ("status:99", "takes an HTTP status, from 200"),
        ("status:429:soon", "seconds of Retry-After"),
        ("stall:5", "has no unit"),
        ("length:5", "with a sign"),
        ("length:+0", "with a sign"),
        ("interim:200", "one of 100, 102, 103"),
        ("trailers:x", "NAME=VALUE"),
        ("content-type:a\nb", "the value of a header"),
        ("comment:a\nb", "without line breaks"),
        ("oversized:0", "a number of bytes"),
        ("oversized:1e9", "a number of bytes"),
        ("error@event:2+1", "not inside a record"),
        ("error@before-head", "it cannot happen at before-head, only at after-head"),
        ("no-done@token:1", "at no place of one's choice"),
        ("status:500@token:1", "only at before-head"),
    ],
    ids=lambda text: text[:30],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fault_of(text)
    assert said in str(caught.value)


def test_every_kind_has_a_good_default_or_says_that_it_needs_an_argument() -> None:
    for kind in FAULTS.values():
        needed = kind.takes and not kind.takes.startswith("[")
        if needed:
            with pytest.raises(ConfigError):
                check_fault(Fault(kind.name))
        else:
            check_fault(Fault(kind.name))
        assert kind.place is None or kind.place.kind in kind.places
        assert kind.summary.endswith(".")


def test_a_share_befalls_about_that_share_of_the_seeds_and_a_larger_one_the_same_and_more() -> None:
    fifth, half = ({seed for seed in range(2000) if befalls(Fault("reset", share=share), seed)} for share in (0.2, 0.5))
    assert 340 < len(fifth) < 460
    assert 920 < len(half) < 1080
    assert fifth < half
    assert {seed for seed in range(2000) if befalls(Fault("close", share=0.2), seed)} != fifth
    assert all(befalls(Fault("reset"), seed) and befalls(Fault("reset", share=1.0), seed) for seed in range(100))
    assert not any(befalls(Fault("reset", share=0.0), seed) for seed in range(100))
