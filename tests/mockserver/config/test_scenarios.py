from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockserver.config.files import load_scenarios, read_text
from mockserver.config.scenarios import Scenarios
from mockserver.config.tomllines import line_at, lines_of
from mockserver.faults.spec import Fault, Place
from mockserver.settings import Settings
from streamkit.errors import ConfigError

EXAMPLE = r"""
# What the tests of a client need.
[defaults]
rate = 50
split = "every-byte"

[[scenario]]
name = "two refusals"
when = { path = "/v1/*", model = "gpt-*", nth = "1-2" }
fault = "status:429:1"

[[scenario]]
name = "weather"
say = '''
It "rains".'''
[scenario.when]
prompt = "/weather|rain/i"
header.X-Tenant = "acme*"

[[scenario]]
name = "tools"
when.prompt = "tools"
call = [
  'find:{"q": "a"}',  # the first
  'auto',
]
ttft = 0
ids = true
gate = []
seed = 7
"""


def load(text: str) -> Scenarios:
    return Scenarios.load_text(text, file="s.toml", read_file=lambda name: f"content of {name}")


def names_of(scenarios: Scenarios, *requests: tuple[str, str, str], headers: dict[str, str] | None = None) -> list[str]:
    """The scenario of each request (path, model, prompt), which come one after the other."""
    counts: Counter[str] = Counter()
    found = [scenarios.match(*request, headers or {}, counts) for request in requests]
    return [scenario.name if scenario else "-" for scenario in found]


def test_a_file_is_defaults_and_scenarios() -> None:
    scenarios = load(EXAMPLE)
    assert scenarios.defaults.on(Settings()) == Settings(rate=50.0, split="every-byte")
    refusals, weather, tools = scenarios.scenarios
    assert refusals.layer.on(Settings()).faults == (Fault("status", "429:1"),)
    assert weather.layer.on(Settings(echo=True)) == Settings(said='It "rains".')
    made = tools.layer.on(Settings(ttft_ns=5, faults=(Fault("gate", "a", Place("token", 3)),)))
    assert [(call.name, call.arguments) for call in made.calls] == [("find", '{"q": "a"}'), ("", "")]
    assert (made.ttft_ns, made.ids, made.faults, tools.layer.seed) == (0, True, (), 7)
    assert [each.line for each in scenarios.scenarios] == [7, 12, 20]


def test_the_first_scenario_that_matches_counts() -> None:
    scenarios = load(EXAMPLE)
    chat = ("/v1/chat/completions", "gpt-4", "the weather and tools")
    assert names_of(scenarios, chat, chat, chat) == ["two refusals", "two refusals", "tools"]
    assert names_of(scenarios, chat, chat, chat, headers={"x-tenant": "acme-1"})[2] == "weather"
    assert names_of(scenarios, ("/v1/x", "claude", "RAIN"), headers={"x-tenant": "acme"}) == ["weather"]
    assert names_of(scenarios, ("/v1/x", "claude", "RAIN"), headers={"x-tenant": "other"}) == ["-"]
    assert names_of(scenarios, ("/api/chat", "gpt-4", "")) == ["-"]


@pytest.mark.parametrize(
    ("when", "path", "model", "prompt", "matches"),
    [
        ('{ path = "/v1/*" }', "/v1/chat/completions", "", "", True),
        ('{ path = "/v1/*" }', "/x/v1/", "", "", False),
        ('{ path = "/v1" }', "/v1/", "", "", False),
        ('{ path = "/v1" }', "/v1\n", "", "", False),
        ('{ path = "*chat" }', "/api/chat", "", "", True),
        ('{ path = "/api/[ct]*" }', "/api/tags", "", "", True),
        ('{ path = "/a.i" }', "/api", "", "", False),
        ('{ model = "gpt-?" }', "/", "gpt-4", "", True),
        ('{ model = "gpt-?" }', "/", "GPT-4", "", False),
        ('{ model = "*" }', "/", "", "", True),
        ('{ prompt = "rain" }', "/", "", "it rains", True),
        ('{ prompt = "Rain" }', "/", "", "it rains", False),
        ('{ prompt = "." }', "/", "", "it rains", False),
        ('{ prompt = "/^it.*s$/" }', "/", "", "it rains", True),
        ('{ prompt = "/^it.*s$/" }', "/", "", "it\nrains", False),
        ('{ prompt = "/^IT.*s$/is" }', "/", "", "it\nrains", True),
        ('{ prompt = "/v1" }', "/", "", "is /v1 there", True),
        ('{ prompt = "" }', "/", "", "", True),
        ("{}", "/", "", "", True),
    ],
)
def test_a_condition_matches_what_it_says(when: str, path: str, model: str, prompt: str, *, matches: bool) -> None:
    scenarios = load(f'[[scenario]]\nname = "it"\nwhen = {when}')
    assert names_of(scenarios, (path, model, prompt)) == (["it"] if matches else ["-"])


@pytest.mark.parametrize(
    ("nth", "taken"),
    [("3", "--i--"), ("1", "i----"), ('"3"', "--i--"), ('"1-2"', "ii---"), ('"4-"', "---ii"), ('"2-2"', "-i---")],
)
def test_requests_are_counted(nth: str, taken: str) -> None:
    scenarios = load(f'[[scenario]]\nname = "i"\nwhen = {{ path = "/a", nth = {nth} }}')
    request = ("/a", "", "")
    assert "".join(names_of(scenarios, *[request] * 5)) == taken
    other = ("/b", "", "")
    assert "".join(names_of(scenarios, *[other, request] * 5)) == "".join(f"-{each}" for each in taken)


def test_a_request_counts_for_every_scenario_that_it_matches() -> None:
    """So "the first" and "the second" can stand in two scenarios, in any order."""
    text = '[[scenario]]\nname = "{}"\nwhen.nth = {}\n[[scenario]]\nname = "{}"\nwhen.nth = {}\n'
    request = ("/", "", "")
    assert "".join(names_of(load(text.format("a", 1, "b", 2)), *[request] * 3)) == "ab-"
    assert "".join(names_of(load(text.format("b", 2, "a", 1)), *[request] * 3)) == "ab-"


def test_a_match_changes_nothing_but_the_counts_that_it_is_given() -> None:
    scenarios = load(EXAMPLE)
    counts = {"two refusals": 1}
    for expected in (2, 3):
        scenarios.match("/v1/x", "gpt-4", "", {}, counts)
        assert counts == {"two refusals": expected}


def test_scenarios_without_a_name_are_numbered() -> None:
    assert [each.name for each in load("[[scenario]]\n[[scenario]]\n").scenarios] == ["#1", "#2"]


def test_nothing_is_a_scenario_file_too() -> None:
    assert load("") == Scenarios()
    assert names_of(load(""), ("/", "", "")) == ["-"]


MISTAKES = [
    ("rate = \n", "s.toml:1: it is not TOML: Invalid value (column 8)"),
    ("[defaults]\nrate = 1\nrate = 2\n", "s.toml:3: it is not TOML: Cannot overwrite a value (column 9)"),
    ("[defaults", "s.toml: it is not TOML"),
    ("a = " + "[" * 9000, "s.toml: it is nested too deeply"),
    ("a = " + "9" * 9000, "s.toml: it is not TOML"),
    ("\n[default]\nrate = 1", "s.toml:2: there is no table 'default' here, only [defaults] and [[scenario]]"),
    ("rate = 1", "s.toml:1: there is no table 'rate' here"),
    ("defaults = 1", "s.toml:1: write it as a table: [defaults]"),
    ("\n[scenario]\nrate = 1", "s.toml:2: write it with double brackets"),
    ("scenario = [1]", "s.toml:1: write it with double brackets"),
    ("[defaults]\nrate = 1\nttft = 50", "s.toml:3: ttft: '50' has no unit"),
    ("[defaults]\nrat = 1", "s.toml:2: there is no setting 'rat'; did you mean rate?"),
    ("[defaults]\n\nseed = 1", "s.toml:3: seed: it may not stand in the [defaults] of a scenario file"),
    ("[defaults]\nrate = 1979-05-27", "s.toml:2: rate: it takes text, a number, true or false, not '1979-05-27'"),
    ("[defaults]\nrate = { a = 1 }", "s.toml:2: rate: it takes text, a number"),
    ("[defaults]\nsay = 'a'\n# and\necho = true", "s.toml:4: echo: say is given too"),
    ("defaults.rate = 'fast'", "s.toml:1: rate: 'fast' is no number"),
    ("[[scenario]]\nrate = 1\n[[scenario]]\nrate = 'fast'\n[[scenario]]\nrate = 2", "s.toml:4: rate: 'fast'"),
    ("[[scenario]]\n'rate' = 1\n[[scenario]]\n\"rate\" = 'fast'", "s.toml:4: rate: 'fast'"),
    ('[[scenario]]\nsay = """\nrate = 1\n"""\nrate = "fast"', "s.toml:5: rate: 'fast'"),
    ("scenario = [{ rate = 1 },\n { rate = 'fast' }]", "s.toml:2: rate: 'fast'"),
    (
        "[[scenario]]\nfault = [\n  'reset', # and, ]\n  'close@token:3',\n  'rest',\n]",
        "s.toml:5: fault: there is no fault 'rest'",
    ),
    ("[[scenario]]\nname = 5", "s.toml:2: name: it takes a text"),
    ("[[scenario]]\nname = 'a'\n[[scenario]]\n\nname = 'a'", "s.toml:5: name: the scenario of line 1 has the same"),
    ("[[scenario]]\nwhen = '/v1'", "s.toml:2: when: it takes a table"),
    ("[[scenario]]\nwhen = { paht = '/v1' }", "s.toml:2: when: there is no condition 'paht'; did you mean path?"),
    ("[[scenario]]\n[scenario.when]\nmodel = 'a'\nzzz = 1", "s.toml:4: when: there is no condition 'zzz'; there are"),
    ("[[scenario]]\n[scenario.when]\npath = 5", "s.toml:3: when.path: it takes a pattern, not '5'"),
    ("[[scenario]]\nwhen.path = 'v1/*'", "s.toml:2: when.path: 'v1/*' matches no path: a path begins with /"),
    ("[[scenario]]\nwhen.prompt = '/(/'", "s.toml:2: when.prompt: '/(/' is no regular expression: missing )"),
    ("[[scenario]]\nwhen.prompt = 1", "s.toml:2: when.prompt: it takes a text or a /regular expression/"),
    ("[[scenario]]\nwhen.nth = 0", "s.toml:2: when.nth: '0' is no number of a request: write 3"),
    ("[[scenario]]\nwhen.nth = true", "s.toml:2: when.nth: 'True' is no number"),
    ("[[scenario]]\nwhen.nth = '5-2'", "s.toml:2: when.nth: '5-2' ends before it begins"),
    ("[[scenario]]\nwhen.nth = '-2'", "s.toml:2: when.nth: '-2' is no number"),
    ("[[scenario]]\nwhen.header = 'a'", "s.toml:2: when.header: it takes a table"),
    ("[[scenario]]\n[scenario.when.header]\na = '*'\nb = 1", "s.toml:4: when.header.b: it takes a pattern"),
]


@pytest.mark.parametrize(("text", "reason"), MISTAKES, ids=[text[:40] for text, _ in MISTAKES])
def test_a_mistake_names_file_line_and_key(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert str(caught.value).startswith(reason)
    assert len(str(caught.value)) < 700


def test_windows_line_ends_are_lines_too() -> None:
    with pytest.raises(ConfigError, match=r"s.toml:4: rate"):
        load("[[scenario]]\r\nname = 'a'\r\n\r\nrate = 'fast'\r\n")


# -------------------------------------------------------------------------------------------------------------- lines

LAID_OUT = """\
title = "x"          # 1
[a."b c".d]          # 2
k = 1979-05-27 07:32:28
'l' . m = [ 1,
  { n = 2, o = [
     3 ] },          # 6
]
[[t]]
u.v = '''
[[t]] x = 1
'''''
w = ""                # 12
[t.s]
x = { "}" = 1, y = "#" }
[[t.z]]
[[t.z]]
p = 1
[[ t ]]
w = \"\"\"a\\\"\"\"\\
\"\"\"
q = -inf
"""


def test_every_key_has_its_line() -> None:
    tomllib.loads(LAID_OUT)
    lines = lines_of(LAID_OUT)
    expected = {
        ("title",): 1,
        ("a", "b c", "d"): 2,
        ("a", "b c", "d", "k"): 3,
        ("a", "b c", "d", "l", "m"): 4,
        ("a", "b c", "d", "l", "m", 0): 4,
        ("a", "b c", "d", "l", "m", 1, "n"): 5,
        ("a", "b c", "d", "l", "m", 1, "o", 0): 6,
        ("t", 0): 8,
        ("t", 0, "u", "v"): 9,
        ("t", 0, "w"): 12,
        ("t", 0, "s", "x", "}"): 14,
        ("t", 0, "s", "x", "y"): 14,
        ("t", 0, "z", 1): 16,
        ("t", 0, "z", 1, "p"): 17,
        ("t", 1): 18,
        ("t", 1, "w"): 19,
        ("t", 1, "q"): 21,
    }
    assert {path: lines.get(path) for path in expected} == expected
    assert ("t", 0, "x") not in lines


def test_a_value_without_a_line_has_that_of_what_is_around_it() -> None:
    lines = lines_of("\n[a]\nb = 1")
    assert line_at(lines, ("a", "b", 3, "c")) == 3
    assert line_at(lines, ("a", "z")) == 2
    assert line_at(lines, ("z",)) is None


BARE = st.sampled_from(["a", "b-c", '"d e"', "'f'"])
VALUES = st.recursive(
    st.sampled_from(["1", "-1.5e3", "true", '"x]#"', "'y}'", '"""\n[z]\n"""', "'''\n'a''''", "07:32:00", "[]", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: "[ # one\n" + ",\n".join(each) + "\n]")
        | st.lists(inner, max_size=3).map(lambda each: "{" + ", ".join(f"k{n}={v}" for n, v in enumerate(each)) + "}")
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(BARE, VALUES), max_size=6))
def test_no_layout_confuses_the_lines(pairs: list[tuple[str, str]]) -> None:
    """Each value stands in a table of its own, and so its line is known from the way the text was put together."""
    text, expected = "", {}
    for number, (key, value) in enumerate(pairs):
        text += f"[[ t ]] # {number}\n\n  {key} = {value}\t# ]\n"
        expected["t", number, key.strip("\"'")] = text.count("\n") - value.count("\n")
    tomllib.loads(text)
    lines = lines_of(text)
    assert {path: lines.get(path) for path in expected} == expected


@example('"\\1"')
@given(st.text(alphabet="ab=[]{}\"'#\n.,\\ 1", max_size=40))
def test_what_is_not_toml_does_not_break_the_lines(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in lines_of(text).values())


@given(st.text(alphabet='[]defaultsscenario rate="1\n', max_size=60) | st.text())
def test_any_text_is_loaded_or_refused(text: str) -> None:
    try:
        loaded = load(text)
    except ConfigError:
        return
    assert len(loaded.scenarios) <= text.count("scenario")


# -------------------------------------------------------------------------------------------------------------- files


def test_files_are_relative_to_the_scenario_file(tmp_path: Path) -> None:
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers/hi.txt").write_bytes(b"\xef\xbb\xbfHi\r\n\xe2\x82\xac")
    (tmp_path / "s.toml").write_text("[[scenario]]\ntext = 'answers/hi.txt'\n")
    scenarios = load_scenarios(tmp_path / "s.toml")
    (tmp_path / "answers/hi.txt").unlink()
    assert scenarios.scenarios[0].layer.on(Settings()).said == "Hi\r\n€"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("[defaults]\n\ntext = 'missing.txt'\n")
    with pytest.raises(ConfigError, match=r"s.toml:3: text: the file .*missing.txt' cannot be read: No such file"):
        load_scenarios(file)
    file.write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match=r"is not UTF-8: byte 5 is wrong"):
        load_scenarios(file)
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
        read_text(tmp_path)
    with pytest.raises(ConfigError, match=r"cannot be read: embedded null byte"):
        read_text("a\0b")
