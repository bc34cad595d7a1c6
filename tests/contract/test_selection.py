"""Which cases a run is about: prefixes, the slow group, needs, and mistakes that must not pass for a success."""

from __future__ import annotations

import pytest

from streamkit.contract.case import Case, levels
from streamkit.contract.cases import CASES
from streamkit.contract.selection import chosen, in_phases, matching
from streamkit.contract.setting import Setting
from streamkit.contract.verdicts import PROFILES
from streamkit.errors import ConfigError
from streamkit.http.origin import parse_origin
from tests.contract.targets import judge_any, row

SETTING = Setting(parse_origin("http://127.0.0.1:9"))

ROWS = (
    row("flush.head"),
    row("flush.head.get"),
    row("flush.sse.chunked"),
    row("limit.line.1m"),
    row("limit.line.128k"),
    row("idle.60s", is_slow=True),
    Case("llm.done", levels(None, "must"), "A rule.", row("x").drive, judge_any),
    row("end.clean", needs=("flush.sse.chunked",)),
)


def ids(*run: str, skip: tuple[str, ...] = (), slow: bool = False, with_needs: bool = False) -> list[str]:
    return [case.id for case, _ in chosen(ROWS, run, skip, slow, SETTING, with_needs=with_needs)]


def test_without_anything_it_is_what_applies_and_is_not_slow() -> None:
    every = [case.id for case in ROWS]
    assert ids() == [name for name in every if name not in {"idle.60s", "llm.done"}]
    assert ids(slow=True) == [name for name in every if name != "llm.done"]


def test_a_prefix_is_made_of_whole_words_where_it_can_be() -> None:
    assert ids("flush.head") == ["flush.head", "flush.head.get"]
    assert ids("flush.", "end") == ["flush.head", "flush.head.get", "flush.sse.chunked", "end.clean"]
    assert ids("limit.line.1") == ["limit.line.1m", "limit.line.128k"]
    assert ids("limit.line.1m") == ["limit.line.1m"]
    assert ids("flush", skip=("flush.head",)) == ["flush.sse.chunked"]
    assert matching(ROWS, "") == []


def test_what_a_case_needs_comes_along_where_that_is_wanted() -> None:
    assert ids("end") == ["end.clean"]
    assert ids("end", with_needs=True) == ["flush.sse.chunked", "end.clean"]
    assert ids("end", with_needs=True, skip=("flush",)) == ["end.clean"]


@pytest.mark.parametrize(
    ("run", "skip", "words"),
    [
        (("flsh.head",), (), r"no case begins with 'flsh\.head' \(did you mean flush\.head"),
        ((), ("flush.hed",), "did you mean flush.head"),
        (("zzzzzz",), (), "no case begins with 'zzzzzz'; --list shows them all"),
        (("",), (), "no case begins with ''"),
        (("idle",), (), "are slow: add --slow"),
        (("llm",), (), "'llm' is for this profile"),
        (("flush",), ("flush",), "--skip leaves out all that --run chooses"),
    ],
)
def test_a_selection_that_tests_nothing_is_a_mistake(run: tuple[str, ...], skip: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ids(*run, skip=skip)


def test_the_real_cases_have_their_own_ids_and_need_what_there_is_in_no_circle() -> None:
    every = [case.id for case in CASES]
    assert len(every) == len(set(every))
    assert {needed for case in CASES for needed in case.needs} <= set(every)
    for profile in PROFILES:
        setting = Setting(parse_origin("http://127.0.0.1:9"), profile=profile)
        found = chosen(CASES, slow=True, setting=setting)
        assert sum(len(phase) for phase in in_phases(found)) == len(found)
