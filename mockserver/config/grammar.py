"""The one grammar of settings: what was written, on the command line or anywhere else, becomes `Settings`. Pure.

Settings are written as pairs of a key and a text. Each place where they are written is a layer, and layers lie on each
other; of one setting the topmost layer's value counts. From the bottom:

1. the built-in defaults;
2. the endpoint's own (`/generate` has 100 tokens at 10 a second): what `auto` means;
3. the scenario file's `[defaults]`;
4. the command line;
5. the `[[scenario]]` that matches the request;
6. the admin API;
7. the request's X-Mock header.

`say`, `text`, `echo` and `words` all say what is answered: the topmost of them counts. What may be given several times
(`call`, `fault`, `gate`) replaces the list of the layers below and adds up within one layer; `none` empties it.
Everything else may stand once in a layer: a second value would silently win.

Faults are applied in the order in which they were written, and gates before all of them: a gate and a reset at one
place hold the stream first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mockserver.config.header import Pair, parse_header, setting_of
from mockserver.config.keys import PLACES, SCOPES, SETTINGS, WITH_FILES, Row, Scope, Setting, describe
from mockserver.config.values import ReadFile, shown
from mockserver.faults.spec import Fault
from mockserver.settings import Settings
from streamkit.errors import ConfigError

__all__ = [
    "SETTINGS",
    "Layer",
    "Pair",
    "ReadFile",
    "Row",
    "Scope",
    "Setting",
    "SettingError",
    "apply_layer",
    "describe",
    "layer_of",
    "pairs_of",
    "parse_header",
    "texts_of",
    "values_of",
]

WHAT_IS_SAID: Final = ("say", "text", "echo", "words")
NONE: Final = "none"
MAX_NATIVE: Final = 10**30
MAX_REPEATS: Final = 100
MAX_REASON: Final = 600


class SettingError(ConfigError):
    """A setting that makes no sense.

    Attributes:
        key: as it was written.
        number: which of the values of that key it is, from 0.
    """

    def __init__(self, key: str, number: int, reason: str) -> None:
        self.key = key
        self.number = number
        super().__init__(reason)


@dataclass(frozen=True)
class Layer:
    """Settings of one place, read and checked: laying it on others costs little and fails never.

    Attributes:
        changes: fields of `Settings` and their values.
        faults, gates: instead of those below; None to leave them.
        seed: the seed of the requests that it is for, or None.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] | None = None
    gates: tuple[Fault, ...] | None = None
    seed: int | None = None

    def on(self, settings: Settings) -> Settings:
        """Return the settings with this layer on top."""
        if self.faults is None and self.gates is None:
            return replace(settings, **self.changes) if self.changes else settings
        below = settings.faults
        gates = tuple(each for each in below if each.kind == "gate") if self.gates is None else self.gates
        faults = tuple(each for each in below if each.kind != "gate") if self.faults is None else self.faults
        return replace(settings, **self.changes, faults=(*gates, *faults))


def apply_layer(
    settings: Settings, pairs: Iterable[Pair] | Layer, scope: Scope, read_file: ReadFile | None = None
) -> tuple[Settings, int | None]:
    """Return the settings with a layer on top, and the seed that it sets, or None.

    Args:
        settings: what lies below.
        pairs: what was written, or the layer that was made from it.
        scope: where it was written.
        read_file: returns the text of a file, where the scope may name one.

    Raises:
        ConfigError: as `layer_of`.
    """
    layer = pairs if isinstance(pairs, Layer) else layer_of(pairs, scope, read_file)
    return layer.on(settings), layer.seed


def layer_of(pairs: Iterable[Pair], scope: Scope, read_file: ReadFile | None = None) -> Layer:
    """Read and check the settings of one place. Files that they name are read here, and never again.

    Raises:
        ConfigError: there is no such setting, it may not stand here or not twice, or its value makes no sense. It is a
            `SettingError` where one setting is to blame.
    """
    values: dict[str, Any] = {}
    numbers: dict[str, int] = {}
    for key, text in pairs:
        number = numbers[key] = numbers.get(key, -1) + 1
        try:
            setting = setting_of(key)
            _check_place(setting, number, scope)
            if not setting.repeats:
                values[key] = _parsed(setting, text, scope, read_file)
            elif text == NONE:
                values[key] = ()
            else:
                values[key] = (*values.get(key, ()), _parsed(setting, text, scope, read_file))
            _check_said(key, values)
        except ConfigError as error:
            name = f"--{key}" if scope == "command" else key
            reason = f"{name}: {error}" if key in SETTINGS else str(error)
            raise SettingError(
                key, number, reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]}..."
            ) from None
    faults, gates, seed = values.pop("fault", None), values.pop("gate", None), values.pop("seed", None)
    changes: dict[str, Any] = {}
    for key, value in values.items():
        changes |= SETTINGS[key].changes_of(value)
    return Layer(changes, faults, gates, seed)


def pairs_of(values: Mapping[str, object]) -> list[Pair]:
    """Return settings that are values of JSON, TOML or Python as the pairs that `layer_of` reads.

    Raises:
        SettingError: a value is nothing that could be written.
    """
    return [(key, text) for key, value in values.items() for text in texts_of(key, value)]


def values_of(pairs: Iterable[Pair]) -> dict[str, str | list[str]]:
    """Return pairs as one JSON object can hold them: of a key that stands several times, the list of its texts."""
    values: dict[str, str | list[str]] = {}
    for key, text in pairs:
        match values.get(key):
            case None:
                values[key] = text
            case str() as first:
                values[key] = [first, text]
            case several:
                several.append(text)
    return values


def texts_of(key: str, value: object) -> list[str]:
    """Return one setting's value as texts: one, or of a list as many as it has, or `none` where it has none.

    Raises:
        SettingError: as `pairs_of`.
    """
    if isinstance(value, list | tuple):
        if key in SETTINGS and not SETTINGS[key].repeats:
            raise SettingError(key, 0, f"{key}: it takes one value, not a list")
        return [_text(key, each, number) for number, each in enumerate(value)] or [NONE]
    return [_text(key, value, 0)]


def _text(key: str, value: object, number: int) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) > MAX_NATIVE:
            raise SettingError(key, number, f"{key}: the number is too large")
        case str() | int() | float():
            return str(value)
        case _:
            raise SettingError(key, number, f"{key}: it takes text, a number, true or false, not {shown(str(value))}")


def _parsed(setting: Setting, text: str, scope: Scope, read_file: ReadFile | None) -> object:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{shown(text)} is not Unicode text") from None
    if not text and not setting.may_be_empty:
        raise ConfigError(f"it is empty: write {setting.takes or 'true or false'}")
    if setting.read is None or scope not in WITH_FILES:
        return setting.parse(text)
    return setting.read(text, read_file or _no_files)


def _no_files(name: str) -> str:
    raise ConfigError(f"the file {shown(name)} cannot be read here")


def _check_place(setting: Setting, number: int, scope: Scope) -> None:
    if scope not in setting.scopes:
        raise ConfigError(f"it may not stand {SCOPES[scope]}, only {PLACES[setting.scopes]}")
    if number and not setting.repeats:
        raise ConfigError("it is given twice")
    if number >= MAX_REPEATS:
        raise ConfigError(f"it is given more than {MAX_REPEATS} times")


def _check_said(key: str, values: Mapping[str, object]) -> None:
    """Refuse two ways of saying what is answered: they replace each other in layers, but within one it is a mistake."""
    if key not in WHAT_IS_SAID:
        return
    chosen = [each for each in WHAT_IS_SAID if values.get(each, False) is not False]
    if len(chosen) > 1 and key in chosen:
        other = next(each for each in chosen if each != key)
        raise ConfigError(f"{other} is given too, and the answer can only be one of the two")
