"""Scenario files: settings for requests that are matched by path, model, prompt, headers, or their number. Pure.

::

    [defaults]
    rate = 50

    [[scenario]]
    name = "first two are refused"
    when = { path = "/v1/*", model = "gpt-*", nth = "1-2" }
    fault = "status:429:1"

    [[scenario]]
    when = { prompt = "/weather|rain/i", header = { x-tenant = "acme*" } }
    say = "It rains."

The first scenario that matches counts; one without `when` matches every request. Of a `when` everything has to match:

- `path`, `model`, `header.NAME`: a pattern with `*`, `?` and `[...]`, for the whole of it; `*` goes past slashes too;
- `prompt`: a text that is in it, or a regular expression between slashes, with the flags i, m, s after the last;
- `nth`: `3`, `"1-3"` or `"4-"`: the request's number, from 1, among those that match the rest of this `when`, whichever
  scenario they went to. It depends on the order in which requests come, as nothing else here does.

All other keys are settings (`mockserver.config.keys`), as TOML's own numbers, booleans and lists or as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any, Final, NoReturn, TypeVar

from mockserver.config.grammar import Layer, Pair, ReadFile, Scope, SettingError, layer_of, texts_of
from mockserver.config.tomllines import TOMLPath, line_at, lines_of
from mockserver.config.values import close_to, shown
from streamkit.errors import ConfigError

__all__ = ["Scenario", "Scenarios", "When"]

TABLES: Final = ("defaults", "scenario")
OWN_KEYS: Final = ("name", "when")
NTH: Final = re.compile(r"([1-9][0-9]{0,8})(?:(-)([1-9][0-9]{0,8})?)?")
REGEX: Final = re.compile(r"/(.+)/([ims]*)", re.DOTALL)
FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
PLACE_IN_TOML: Final = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)$")

Pattern = re.Pattern[str]
T = TypeVar("T")


@dataclass(frozen=True)
class When:
    """Which requests a scenario is for. None matches anything.

    Attributes:
        nth: the first and the last number, from 1; None for no last one.
    """

    path: Pattern | None = None
    model: Pattern | None = None
    prompt: str | Pattern | None = None
    headers: tuple[tuple[str, Pattern], ...] = ()
    nth: tuple[int, int | None] | None = None

    def matches(self, path: str, model: str, prompt: str, headers: Mapping[str, str]) -> bool:
        """Tell whether a request is one of these, its number aside."""
        if self.path is not None and not self.path.match(path):
            return False
        if self.model is not None and not self.model.match(model):
            return False
        for name, pattern in self.headers:
            value = headers.get(name)
            if value is None or not pattern.match(value):
                return False
        if isinstance(self.prompt, str):
            return self.prompt in prompt
        return self.prompt is None or self.prompt.search(prompt) is not None

    def has_number(self, number: int) -> bool:
        """Tell whether the request's number is right."""
        if self.nth is None:
            return True
        first, last = self.nth
        return first <= number and (last is None or number <= last)


@dataclass(frozen=True)
class Scenario:
    """One scenario.

    Attributes:
        name: its own, or `#2` for the second of a file if it has none.
        layer: its settings.
        line: where it begins.
    """

    name: str
    when: When
    layer: Layer
    line: int = 0


@dataclass(frozen=True)
class Scenarios:
    """A scenario file.

    Attributes:
        defaults: the layer under the command line's.
        scenarios: in the file's order.
    """

    defaults: Layer = field(default_factory=Layer)
    scenarios: tuple[Scenario, ...] = ()

    @classmethod
    def load_text(cls, text: str, *, file: str = "scenarios", read_file: ReadFile | None = None) -> Scenarios:
        """Read a scenario file's text.

        Args:
            text: TOML.
            file: how errors call it.
            read_file: returns the text of a file that a setting names, relative to this one.

        Raises:
            ConfigError: it is not TOML, or says what makes no sense; the message names file, line and key.
        """
        return _Loader(text, file, read_file).load()

    def match(
        self, path: str, model: str, prompt: str, headers: Mapping[str, str], counts: MutableMapping[str, int]
    ) -> Scenario | None:
        """Return the scenario for a request, or None.

        Args:
            path: percent-decoded, without the query.
            model: the model that is asked for; empty for none.
            prompt: the text of the last thing that the user said.
            headers: names in lower case.
            counts: how many requests each scenario with an `nth` has seen, by its name; this one is added.
        """
        chosen = None
        for scenario in self.scenarios:
            when = scenario.when
            if chosen is not None and when.nth is None:
                continue
            if not when.matches(path, model, prompt, headers):
                continue
            if when.nth is not None:
                counts[scenario.name] = counts.get(scenario.name, 0) + 1
            if chosen is None and when.has_number(counts.get(scenario.name, 0)):
                chosen = scenario
        return chosen


class _Loader:
    """Reads one file."""

    def __init__(self, text: str, file: str, read_file: ReadFile | None) -> None:
        self._text = text
        self._file = file
        self._read_file = read_file
        self._lines: dict[TOMLPath, int] = {}

    def load(self) -> Scenarios:
        table = self._parsed()
        self._lines = lines_of(self._text)
        for key in table:
            if key not in TABLES:
                self._fail((key,), f"there is no table {shown(key)} here, only [defaults] and [[scenario]]")
        defaults = table.get("defaults", {})
        if not isinstance(defaults, dict):
            self._fail(("defaults",), "write it as a table: [defaults]")
        listed = table.get("scenario", [])
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            self._fail(("scenario",), "write it with double brackets, [[scenario]]: there may be many")
        names: dict[str, int] = {}
        scenarios = []
        for number, each in enumerate(listed):
            scenario = self._scenario(each, number)
            if scenario.name in names:
                other = names[scenario.name]
                self._fail(("scenario", number, "name"), f"name: the scenario of line {other} has the same")
            names[scenario.name] = scenario.line
            scenarios.append(scenario)
        return Scenarios(self._layer(defaults, ("defaults",), "defaults"), tuple(scenarios))

    def _parsed(self) -> dict[str, object]:
        import tomllib  # most servers have no scenario file

        try:
            return tomllib.loads(self._text)
        except RecursionError:
            raise ConfigError(f"{self._file}: it is nested too deeply") from None
        except ValueError as error:
            reason = str(error)
            place = PLACE_IN_TOML.search(reason)
            if place is None:
                raise ConfigError(f"{self._file}: it is not TOML: {reason}") from None
            reason = f"it is not TOML: {PLACE_IN_TOML.sub('', reason)} (column {place[2]})"
            raise ConfigError(f"{self._file}:{place[1]}: {reason}") from None

    def _scenario(self, table: dict[str, object], number: int) -> Scenario:
        path: TOMLPath = ("scenario", number)
        name = table.get("name", f"#{number + 1}")
        if not isinstance(name, str) or not name:
            self._fail((*path, "name"), "name: it takes a text")
        when = table.get("when", {})
        if not isinstance(when, dict):
            self._fail((*path, "when"), 'when: it takes a table, for instance { path = "/v1/*" }')
        settings = {key: value for key, value in table.items() if key not in OWN_KEYS}
        layer = self._layer(settings, path, "scenario")
        return Scenario(name, self._when(when, (*path, "when")), layer, line_at(self._lines, path) or 0)

    def _layer(self, table: Mapping[str, object], path: TOMLPath, scope: Scope) -> Layer:
        try:
            pairs: list[Pair] = [(key, text) for key, value in table.items() for text in texts_of(key, value)]
            return layer_of(pairs, scope, self._read_file)
        except SettingError as error:
            value = table[error.key]
            inner = (error.key, error.number) if isinstance(value, list) else (error.key,)
            self._fail((*path, *inner), str(error))

    def _when(self, table: Mapping[str, object], path: TOMLPath) -> When:
        found: dict[str, Any] = {}
        for key, value in table.items():
            if key == "header":
                found["headers"] = self._headers(value, (*path, key))
            elif key in CONDITIONS:
                found[key] = self._condition(CONDITIONS[key], value, (*path, key), f"when.{key}")
            else:
                keys = (*CONDITIONS, "header")
                guess = close_to(key, keys) or f"; there are {', '.join(keys)}"
                self._fail((*path, key), f"when: there is no condition {shown(key)}{guess}")
        return When(**found)

    def _headers(self, value: object, path: TOMLPath) -> tuple[tuple[str, Pattern], ...]:
        if not isinstance(value, dict):
            self._fail(path, 'when.header: it takes a table, for instance { x-tenant = "acme*" }')
        return tuple(
            (name.lower(), self._condition(glob_of, each, (*path, name), f"when.header.{name}"))
            for name, each in value.items()
        )

    def _condition(self, read: Callable[[object], T], value: object, path: TOMLPath, name: str) -> T:
        try:
            return read(value)
        except ConfigError as error:
            self._fail(path, f"{name}: {error}")

    def _fail(self, path: TOMLPath, reason: str) -> NoReturn:
        line = line_at(self._lines, path)
        raise ConfigError(f"{self._file}: {reason}" if line is None else f"{self._file}:{line}: {reason}")


def glob_of(value: object) -> Pattern:
    """Read a pattern with `*`, `?` and `[...]`."""
    if not isinstance(value, str):
        raise ConfigError(f"it takes a pattern, not {shown(str(value))}")
    return re.compile(translate(value))


def path_of(value: object) -> Pattern:
    """Read a pattern of paths. One that no path can match is a mistake."""
    pattern = glob_of(value)
    if str(value)[:1] not in {*"/*?["}:
        raise ConfigError(f"{shown(str(value))} matches no path: a path begins with /")
    return pattern


def prompt_of(value: object) -> str | Pattern:
    """Read a text to look for, or a regular expression between slashes."""
    if not isinstance(value, str):
        raise ConfigError(f"it takes a text or a /regular expression/, not {shown(str(value))}")
    match = REGEX.fullmatch(value)
    if match is None:
        return value
    flags = re.NOFLAG
    for flag in match[2]:
        flags |= FLAGS[flag]
    try:
        return re.compile(match[1], flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(f"{shown(value)} is no regular expression: {error}") from None


def nth_of(value: object) -> tuple[int, int | None]:
    """Read a number or a range of numbers, the first of which is 1."""
    match = NTH.fullmatch(str(value)) if isinstance(value, str | int) else None
    if match is None:
        raise ConfigError(f'{shown(str(value))} is no number of a request: write 3, "1-3" or "4-", from 1')
    first = int(match[1])
    last = (int(match[3]) if match[3] else None) if match[2] else first
    if last is not None and last < first:
        raise ConfigError(f"{shown(str(value))} ends before it begins")
    return first, last


CONDITIONS: Final[Mapping[str, Callable[[object], Any]]] = {
    "path": path_of,
    "model": glob_of,
    "prompt": prompt_of,
    "nth": nth_of,
}
"""What reads each condition; headers are a table of their own."""
