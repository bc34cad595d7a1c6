from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.config.grammar import (
    SETTINGS,
    Pair,
    Scope,
    SettingError,
    apply_layer,
    describe,
    layer_of,
    pairs_of,
    parse_header,
    values_of,
)
from mockserver.config.keys import SCOPES
from mockserver.faults.spec import Fault, Place
from mockserver.pacing import Gamma, Trace
from mockserver.settings import Call, Settings
from streamkit.errors import ConfigError


def read_file(name: str) -> str:
    if name == "missing":
        raise ConfigError(f"the file '{name}' cannot be read")
    return {"bad": "1\nnonsense", "gaps.txt": "5ms\n7\n"}.get(name, f"content of {name}")


def settings_of(text: str, scope: Scope = "header", below: Settings | None = None) -> Settings:
    return apply_layer(below or Settings(), parse_header(text), scope)[0]


SET = [
    ("say=Hi", Settings(said="Hi")),
    ("say=", Settings(said="")),
    ("echo", Settings(echo=True)),
    ("echo=false", Settings()),
    ("words", Settings()),
    ("tokens=7", Settings(tokens=7)),
    ("tokens=0", Settings(tokens=0)),
    ("tokens=auto", Settings()),
    ("reasoning=3", Settings(reasoning=3)),
    ("call=find", Settings(calls=(Call("find"),))),
    ('call=find:{"q": "a:b"}', Settings(calls=(Call("find", '{"q": "a:b"}'),))),
    ("call=auto; call=find:{}", Settings(calls=(Call(), Call("find", "{}")))),
    ("call=none", Settings()),
    ("finish=length", Settings(finish="length")),
    ("finish=auto", Settings()),
    ("ttft=50ms", Settings(ttft_ns=50_000_000)),
    ("rate=50", Settings(rate=50.0)),
    ("rate=0", Settings(rate=0.0)),
    ("rate=2.5e-3", Settings(rate=0.0025)),
    ("rate=auto", Settings()),
    ("gaps=gamma:0.5", Settings(gaps=Gamma(0.5))),
    ("prefill-rate=1000", Settings(prefill_rate=1000.0)),
    ("early-start", Settings(early_start=True)),
    ("heartbeat=15s", Settings(heartbeat_ns=15_000_000_000)),
    ("heartbeat=0", Settings()),
    ("heartbeat=none", Settings()),
    ("records=lines", Settings(records="lines")),
    ("chunks=coalesce:3", Settings(chunks="coalesce:3")),
    ("split=random:1:16", Settings(split="random:1:16")),
    ("split=none", Settings()),
    ("writes=acked", Settings(writes="acked")),
    ("framing=close", Settings(framing="close")),
    ("framing=auto", Settings()),
    ("gzip=accepted", Settings(gzip="accepted")),
    ("fault=reset@token:5", Settings(faults=(Fault("reset", place=Place("token", 5)),))),
    ("fault=none", Settings()),
    ("gate=slow@token:3", Settings(faults=(Fault("gate", "slow", Place("token", 3)),))),
    ("gate=none", Settings()),
    ("half-close", Settings(half_close=True)),
    ("ids", Settings(ids=True)),
    ("retry=1.5s", Settings(retry_ms=1500)),
    ("retry=none", Settings()),
    ("seed=7", Settings()),
]


@pytest.mark.parametrize(("text", "settings"), SET, ids=[text for text, _ in SET])
def test_a_setting_sets_what_it_says(text: str, settings: Settings) -> None:
    assert settings_of(text) == settings


def test_every_setting_and_every_field_was_tried() -> None:
    tried = {key for text, _ in SET for key, _ in parse_header(text)}
    assert tried == SETTINGS.keys() - {"text"}
    changed = {each.name for each in fields(Settings) for _, made in SET if getattr(made, each.name) != each.default}
    assert changed == {each.name for each in fields(Settings)}


WRONG = [
    ("rate=fast", "rate: 'fast' is no number of tokens a second: write 0 for no delay", ", or auto"),
    ("rate=-1", "'-1' is no number", "auto"),
    ("rate=nan", "'nan' is no number", "auto"),
    ("rate=1e99", "'1e99' is no number", "auto"),
    ("rate=1e-9", "'1e-9' is no number", "auto"),
    ("rate=", "rate: it is empty: write N", ""),
    ("tokens=1.5", "tokens: '1.5' is no whole number from 0 to 10000000, or auto", ""),
    ("tokens=9999999999", "is no whole number", ""),
    ("reasoning=auto", "reasoning: 'auto' is no whole number", ""),
    ("ttft=50", "ttft: '50' has no unit: write 50ms", ""),
    ("ttft=soon", "ttft: 'soon' is no duration", ""),
    ("echo=yes", "echo: 'yes' is neither true nor false", ""),
    ("words=false", "words: 'false' makes no sense here", ""),
    ("finish=lenght", "finish: 'lenght' is none of stop, stop_sequence, length", "did you mean length?, or auto"),
    ("writes=ack", "writes: 'ack' is none of each, joined, acked", "did you mean acked?"),
    ("framing=chunk", "framing: 'chunk' is none of chunked, length, close", "did you mean chunked?"),
    ("gzip=true", "gzip: 'true' is none of never, accepted, always", ""),
    ("split=every-bite", "split: 'every-bite' is no way to cut; did you mean every-byte?", "random:MIN:MAX"),
    ("split=size", "split: 'size': '' is not N; write size:N", ""),
    ("split=size:0", "a piece has at least 1 byte", ""),
    ("split=random:5:2", "1 <= MIN <= MAX must hold", ""),
    ("split=lines:3", "'lines:3' is too much: lines takes nothing", ""),
    ("call=:{}", "call: ':{}' names no tool", ""),
    ("call=find:[1]", "are no JSON object", ""),
    ("call=find:{", "the arguments '{' are no JSON object", ""),
    ("call=find:" + "[" * 5000, "are no JSON object", ""),
    ("call=find:" + '{"a":' * 5000, "are no JSON object", ""),
    ("fault=rest@token:5", "fault: there is no fault 'rest'", "reset"),
    ("fault=reset@tokn:5", "fault: 'tokn:5' is no place", "before-head"),
    ("fault=gate:slow@token:3", "a gate is a setting of its own: write gate=NAME@PLACE", ""),
    ("gate=@token:3", "gate: '@token:3' names no gate", ""),
    ("gate=slow@nowhere", "gate: 'nowhere' is no place", ""),
    ("retry=0.5ms", "retry: '0.5ms' is no whole number of milliseconds, or none", ""),
    ("seed=-1", "seed: '-1' is no seed", ""),
    ("seed=18446744073709551616", "is no seed", ""),
    ("rate=1; rate=2", "rate: it is given twice", ""),
    ("say=Hi; echo", "echo: say is given too", "only be one of the two"),
    ("words; say=Hi", "say: words is given too", ""),
    ("fault=reset;" * 101, "fault: it is given more than 100 times", ""),
    ("text=answer.txt", "text: it may not stand in an X-Mock header, only on the command line and in scenario", ""),
    ("fault=error:" + "x" * 60_000, "fault: 'error:xxx", "has more than 4096 characters"),
    ("gaps=lognorml:1", "gaps: ", "lognormal"),
    ("gaps=" + "x" * 60_000, "gaps: ", "..."),
    ("gaps=trace:gaps.txt", "a file is named on the command line or in a scenario file only", ""),
]


@pytest.mark.parametrize(("text", "reason", "more"), WRONG, ids=[text[:30] for text, _, _ in WRONG])
def test_a_mistake_names_key_and_value_and_what_is_allowed(text: str, reason: str, more: str) -> None:
    with pytest.raises(SettingError) as caught:
        settings_of(text)
    assert reason in str(caught.value)
    assert more in str(caught.value)
    assert len(str(caught.value)) < 650


def test_on_the_command_line_a_mistake_names_the_option() -> None:
    with pytest.raises(SettingError, match=r"\A--ttft: '50' has no unit"):
        layer_of([("ttft", "50")], "command")


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("key", SETTINGS)
def test_a_setting_stands_only_where_it_may(scope: Scope, key: str) -> None:
    text = {"seed": "3", "text": "answer.txt"}.get(key)
    if text is None:
        assert SETTINGS[key].scopes == SCOPES.keys()
    elif scope in SETTINGS[key].scopes:
        assert layer_of([(key, text)], scope, read_file)
    else:
        with pytest.raises(SettingError, match="it may not stand"):
            layer_of([(key, text)], scope, read_file)


def test_files_are_read_once_when_the_layer_is_made() -> None:
    names: list[str] = []

    def read_and_count(name: str) -> str:
        names.append(name)
        return read_file(name)

    layer = layer_of([("text", "a.txt"), ("gaps", "trace:gaps.txt")], "command", read_and_count)
    for _ in range(3):
        made, _ = apply_layer(Settings(echo=True), layer, "command")
        assert (made.said, made.echo) == ("content of a.txt", False)
        assert made.gaps == Trace((5_000_000, 7_000_000), "gaps.txt")
    assert names == ["a.txt", "gaps.txt"]


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("text", "missing"), "--text: the file 'missing' cannot be read"),
        (("gaps", "trace:missing"), "--gaps: the file 'missing' cannot be read"),
        (("gaps", "trace:bad"), "--gaps: bad, line 2: 'nonsense' is no"),
        (("gaps", "trace:"), "--gaps: trace: names no file"),
        (("say", "\udcff"), "--say: '\\udcff' is not Unicode text"),
    ],
)
def test_a_bad_file_or_text_is_told(pair: Pair, reason: str) -> None:
    with pytest.raises(SettingError) as caught:
        layer_of([pair], "command", read_file)
    assert str(caught.value).startswith(reason)


def test_where_no_files_can_be_read_that_is_told() -> None:
    with pytest.raises(SettingError, match=r"--text: the file 'a.txt' cannot be read here"):
        layer_of([("text", "a.txt")], "command")


# ---------------------------------------------------------------------------------------------------------- layers


def test_the_topmost_way_to_answer_counts() -> None:
    said = settings_of("say=Hi")
    assert settings_of("echo", below=said) == Settings(echo=True)
    assert settings_of("words", below=said) == Settings()
    assert settings_of("say=Ho", below=settings_of("echo", below=said)) == Settings(said="Ho")
    assert settings_of("words", below=Settings(echo=True)) == Settings()
    assert settings_of("echo=false", below=said) == said
    assert settings_of("echo=false; say=Hi", below=Settings(echo=True)) == said


def test_repeated_settings_add_up_in_a_layer_and_replace_the_layer_below() -> None:
    below = settings_of("fault=reset@token:5; fault=close@token:9; call=a; call=b")
    assert [each.kind for each in below.faults] == ["reset", "close"]
    assert below.calls == (Call("a"), Call("b"))
    assert settings_of("rate=1", below=below).faults == below.faults
    above = settings_of("fault=stall; call=c", below=below)
    assert [each.kind for each in above.faults] == ["stall"]
    assert above.calls == (Call("c"),)
    assert settings_of("fault=none; call=none", below=below) == Settings()
    assert [each.kind for each in settings_of("fault=reset; fault=none; fault=close").faults] == ["close"]


def test_gates_and_faults_replace_only_their_own_kind_and_gates_come_first() -> None:
    below = settings_of("fault=reset@token:5; gate=a@token:5; gate=b@after-head")
    assert [each.argument or each.kind for each in below.faults] == ["a", "b", "reset"]
    assert [each.argument or each.kind for each in settings_of("gate=c", below=below).faults] == ["c", "reset"]
    assert [each.argument or each.kind for each in settings_of("fault=close", below=below).faults] == [*"ab", "close"]
    assert [each.argument or each.kind for each in settings_of("fault=none", below=below).faults] == [*"ab"]
    assert [each.argument or each.kind for each in settings_of("gate=none", below=below).faults] == ["reset"]


def test_a_seed_is_given_back_and_changes_no_setting() -> None:
    assert apply_layer(Settings(), [("seed", "7")], "header") == (Settings(), 7)
    assert apply_layer(Settings(), [("rate", "7")], "header") == (Settings(rate=7.0), None)


TEXTS = st.sampled_from([*(text for text, _ in SET), "", "rate=1; ttft=1s; fault=close@token:2"])


@given(TEXTS, TEXTS)
def test_a_layer_changes_what_it_names_and_nothing_else(low: str, high: str) -> None:
    below = settings_of(low)
    above = settings_of(high, below=below)
    named = layer_of(parse_header(high), "header")
    for each in fields(Settings):
        if each.name not in named.changes and each.name != "faults":
            assert getattr(above, each.name) == getattr(below, each.name)
    if named.faults is None and named.gates is None:
        assert above.faults == below.faults
    assert settings_of(high, below=above) == above


# ---------------------------------------------------------------------------------------------------- native values


def test_native_values_say_what_texts_say() -> None:
    native = {
        "rate": 50,
        "prefill-rate": 0.5,
        "ttft": 0,
        "ids": True,
        "early-start": False,
        "fault": ["reset@token:5", "close@token:9"],
        "call": "find",
        "gate": [],
        "say": "a; b",
    }
    text = (
        "rate=50; prefill-rate=0.5; ttft=0; ids; early-start=false; fault=reset@token:5; fault=close@token:9; "
        'call=find; gate=none; say="a; b"'
    )
    assert pairs_of(native) == parse_header(text)


def test_pairs_are_shown_as_values_that_can_be_given_again() -> None:
    pairs = parse_header("rate=50; fault=reset; fault=close; fault=stall; ids; call=find")
    shown = values_of(pairs)
    assert shown == {"rate": "50", "fault": ["reset", "close", "stall"], "ids": "true", "call": "find"}
    assert pairs_of(shown) == pairs


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ({"rate": None}, "rate: it takes text, a number, true or false, not 'None'"),
        ({"rate": [1]}, "rate: it takes one value, not a list"),
        ({"rate": {"a": 1}}, "rate: it takes text, a number"),
        ({"fault": [["reset"]]}, "fault: it takes text, a number"),
        ({"rate": 10**5000}, "rate: the number is too large"),
        ({"rate": True}, "rate: 'true' is no number"),
        ({"rate": float("inf")}, "rate: 'inf' is no number"),
        ({"rat": 5}, "there is no setting 'rat'; did you mean rate?"),
        ({"rat": [5]}, "did you mean rate?"),
    ],
)
def test_a_native_value_that_cannot_be_meant_is_refused(native: dict[str, object], reason: str) -> None:
    with pytest.raises(SettingError) as caught:
        layer_of(pairs_of(native), "admin")
    assert reason in str(caught.value)


@given(st.dictionaries(st.sampled_from([*SETTINGS, "other"]), st.text() | st.integers() | st.floats() | st.none()))
def test_any_values_are_read_or_refused(native: dict[str, object]) -> None:
    try:
        made = layer_of(pairs_of(native), "header").on(Settings())
    except ConfigError:
        return
    assert isinstance(made, Settings)


# -------------------------------------------------------------------------------------------------- documentation


def test_the_documented_defaults_are_the_built_in_ones() -> None:
    written: list[Pair] = [(row.key, row.default) for row in describe() if row.default and row.key != "words"]
    assert len(written) > 20
    assert layer_of(written, "command").on(Settings()) == Settings()


def test_the_rows_of_the_documentation_say_everything() -> None:
    rows = {row.key: row for row in describe()}
    assert list(rows) == list(SETTINGS)
    assert rows["echo"].takes == "true|false"
    assert rows["text"].places == "on the command line and in scenario files"
    assert all(row.summary.endswith(".") and row.places for row in rows.values())
