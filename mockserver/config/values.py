"""What the values of settings look like: numbers, words, policies, calls. Pure.

Each function reads a text as a person wrote it, and raises a `ConfigError` that says what is allowed. Which setting it
was for is added by whoever called (`mockserver.config.grammar`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from mockserver.durations import parse_duration
from mockserver.faults.spec import Fault
from mockserver.pacing import Gaps, parse_gaps, parse_trace
from mockserver.settings import Call
from mockserver.splits.cuts import NO_CUT, parse_cut
from mockserver.wording import close_to, shown
from streamkit.errors import ConfigError

__all__ = [
    "ReadFile",
    "close_to",
    "or_none",
    "parse_call",
    "parse_count",
    "parse_fault_setting",
    "parse_flag",
    "parse_gaps_setting",
    "parse_gate",
    "parse_heartbeat",
    "parse_policy",
    "parse_rate",
    "parse_retry",
    "parse_seed",
    "parse_switch",
    "parse_text",
    "read_gaps",
    "shown",
    "word_of",
]

T = TypeVar("T")

ReadFile = Callable[[str], str]
"""Returns the text of a file; raises ConfigError where it cannot be read."""

MAX_COUNT: Final = 10_000_000
MIN_RATE: Final = 1e-6
MAX_RATE: Final = 1e9
MAX_FAULT_CHARACTERS: Final = 4096
MAX_SEED: Final = 2**64 - 1
NS_PER_MS: Final = 1_000_000

INTEGER: Final = re.compile(r"[0-9]{1,20}")
NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
TRACE: Final = "trace:"


def or_none(word: str, parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return `parse` with one word more, which means None."""

    def parse_or_none(text: str) -> T | None:
        if text == word:
            return None
        try:
            return parse(text)
        except ConfigError as error:
            raise ConfigError(f"{error}, or {word}") from None

    return parse_or_none


def parse_flag(text: str) -> bool:
    """Read `true` or `false`."""
    if text not in {"true", "false"}:
        raise ConfigError(f"{shown(text)} is neither true nor false")
    return text == "true"


def parse_switch(text: str) -> bool:
    """Read `true`, the only thing that makes sense for what is no yes-or-no question."""
    if text != "true":
        raise ConfigError(f"{shown(text)} makes no sense here: write the bare key, or leave it out")
    return True


def parse_text(text: str) -> str:
    """Take any text."""
    return text


def parse_count(text: str) -> int:
    """Read a number of tokens."""
    if not INTEGER.fullmatch(text) or int(text) > MAX_COUNT:
        raise ConfigError(f"{shown(text)} is no whole number from 0 to {MAX_COUNT}")
    return int(text)


def parse_seed(text: str) -> int:
    """Read a seed."""
    if not INTEGER.fullmatch(text) or int(text) > MAX_SEED:
        raise ConfigError(f"{shown(text)} is no seed: write a whole number from 0 to {MAX_SEED}")
    return int(text)


def parse_rate(text: str) -> float:
    """Read a number of tokens a second; 0 means that nothing is waited for."""
    rate = float(text) if NUMBER.fullmatch(text) else -1.0
    if rate != 0 and not MIN_RATE <= rate <= MAX_RATE:
        raise ConfigError(
            f"{shown(text)} is no number of tokens a second: write 0 for no delay, or {MIN_RATE:g} to {MAX_RATE:.0f}"
        )
    return rate


def parse_heartbeat(text: str) -> int:
    """Read the time between heartbeats, 0 for none; with less than a millisecond they would be all that is sent."""
    ns = parse_duration(text)
    if 0 < ns < NS_PER_MS:
        raise ConfigError(f"{shown(text)} is less than 1ms, which is the least")
    return ns


def parse_retry(text: str) -> int:
    """Read a reconnection time, in whole milliseconds, the unit of an event stream's `retry` field."""
    ns = parse_duration(text)
    if ns % NS_PER_MS:
        raise ConfigError(f"{shown(text)} is no whole number of milliseconds")
    return ns // NS_PER_MS


def word_of(*words: str) -> Callable[[str], str]:
    """Return a function that takes one of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ConfigError(f"{shown(text)} is none of {', '.join(words)}{close_to(text, words)}")
        return text

    return parse


def parse_policy(text: str) -> str:
    """Check a policy's text, and return it; empty for `none`. Its seed comes later, from the request."""
    parse_cut(text)
    return "" if text == NO_CUT else text


def parse_call(text: str) -> Call:
    """Read `NAME` or `NAME:JSON`; `auto` is a call of any tool."""
    if text == "auto":
        return Call()
    name, colon, arguments = text.partition(":")
    if not name:
        raise ConfigError(f'{shown(text)} names no tool: write NAME, NAME:{{"a": 1}}, or auto')
    if colon:
        try:
            msgspec.json.decode(arguments, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise ConfigError(f"the arguments {shown(arguments)} are no JSON object: {why}") from None
    return Call(name, arguments)


def parse_fault_setting(text: str) -> Fault:
    """Read a fault, and check that there is such a one."""
    fault = _fault_of(text)
    if fault.kind == "gate":
        raise ConfigError(f"{shown(text)}: a gate is a setting of its own: write gate=NAME@PLACE")
    return fault


def parse_gate(text: str) -> Fault:
    """Read `NAME@PLACE`: a fault that waits until somebody opens the gate."""
    if not text.partition("@")[0]:
        raise ConfigError(f"{shown(text)} names no gate: write NAME@PLACE, as slow@token:3")
    return _fault_of(f"gate:{text}")


def _fault_of(text: str) -> Fault:
    from mockserver.faults.table import fault_of

    if len(text) > MAX_FAULT_CHARACTERS:
        raise ConfigError(f"{shown(text)} has more than {MAX_FAULT_CHARACTERS} characters")
    return fault_of(text)


def parse_gaps_setting(text: str) -> Gaps:
    """Read a distribution, where no file may be read."""
    if text.startswith(TRACE):
        raise ConfigError(f"{shown(text)}: a file is named on the command line or in a scenario file only")
    return parse_gaps(text)


def read_gaps(text: str, read_file: ReadFile) -> Gaps:
    """Read a distribution, or the file of a recorded trace."""
    if not text.startswith(TRACE):
        return parse_gaps_setting(text)
    name = text.removeprefix(TRACE)
    if not name:
        raise ConfigError("trace: names no file: write trace:FILE")
    return parse_trace(read_file(name), name)
