"""How much is asked, and when, as the command line has it: `--concurrency 1,8,64`, `--rate poisson:20`. Pure.

Several of them are a sweep, run in the order in which they are given. Traces have a module of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mockserver.wording import close_to, shown
from streamkit.bench.numbers import parse_number, parse_whole
from streamkit.bench.plan import NS, Arrivals, Concurrency, Load
from streamkit.errors import ConfigError

__all__ = [
    "MAX_CONCURRENCY",
    "MAX_CV",
    "MAX_LOADS",
    "MAX_RATE",
    "MIN_RATE",
    "RATE_TAKES",
    "load_size",
    "load_words",
    "parse_concurrency",
    "parse_rate",
    "parse_rates",
]

MAX_CONCURRENCY: Final = 60_000
"""One address has about as many ports for connections to one server."""

MIN_RATE: Final = 0.001
MAX_RATE: Final = 100_000.0
"""Requests a second; many times what one machine does, so that the bound is never what is measured."""

MAX_CV: Final = 10.0
"""As for the mock's pauses: beyond, hardly a gap is anywhere near the mean."""

MAX_LOADS: Final = 100
"""How many loads a sweep has at most."""

RATE_TAKES: Final = "poisson:20, constant:20, or gamma:20,0.5 (requests a second; gamma's second number is its cv)"


def parse_concurrency(text: str) -> list[Concurrency]:
    """Return the closed loops of a list like `1,8,64`.

    Raises:
        ConfigError: one is no number from 1 to `MAX_CONCURRENCY`, stands there twice, or they are too many.
    """
    words = [word.strip() for word in text.split(",")]
    _check_how_many(words, "--concurrency")
    loads = [Concurrency(parse_whole(word, "concurrency", 1, MAX_CONCURRENCY)) for word in words]
    for number, load in enumerate(loads):
        if load in loads[:number]:
            raise ConfigError(f"--concurrency has {load.concurrency} twice: a load is run once")
    return loads


def parse_rates(texts: Sequence[str]) -> list[Arrivals]:
    """Return the open loops of an option that was given once or several times.

    Raises:
        ConfigError: see `parse_rate`; or one is given twice, or they are too many.
    """
    _check_how_many(texts, "--rate")
    loads = [parse_rate(text) for text in texts]
    for number, load in enumerate(loads):
        if load in loads[:number]:
            raise ConfigError(f"--rate has {load_words(load)} twice: a load is run once")
    return loads


def parse_rate(text: str) -> Arrivals:
    """Return one open loop: `poisson:RATE`, `constant:RATE` or `gamma:RATE,CV`.

    Raises:
        ConfigError: it is none of these, or a number is out of bounds.
    """
    name, colon, rest = text.strip().partition(":")
    if name not in {"poisson", "constant", "gamma"}:
        hint = close_to(name, ["poisson", "constant", "gamma"]) if colon else ""
        raise ConfigError(f"{shown(text)} is no rate: write {RATE_TAKES}{hint}")
    rate, comma, cv = rest.partition(",")
    per_s = parse_number(rate.strip(), "rate", MIN_RATE, MAX_RATE)
    if name == "gamma":
        if not comma:
            raise ConfigError(f"{shown(text)} has no cv, which gamma needs: write gamma:{rate.strip()},0.5")
        return Arrivals("gamma", per_s, parse_number(cv.strip().removeprefix("cv="), "cv", 0, MAX_CV))
    if comma:
        raise ConfigError(f"{shown(text)}: only gamma has a second number; write one --rate for each rate")
    return Arrivals("poisson" if name == "poisson" else "constant", per_s)


def load_size(load: Load) -> float:
    """Return by what loads of one sweep are put in order: the concurrency, or the mean rate in requests a second.

    A trace's rate is that of its rows, whatever it is between them; 0 where all come at once.
    """
    if isinstance(load, Concurrency):
        return float(load.concurrency)
    if isinstance(load, Arrivals):
        return load.per_s
    span_ns = load.at_ns[-1] - load.at_ns[0] if load.at_ns else 0
    return (len(load.at_ns) - 1) * NS / span_ns if span_ns else 0.0


def load_words(load: Load) -> str:
    """Say what a load is, for people."""
    if isinstance(load, Concurrency):
        return f"concurrency {load.concurrency}"
    if isinstance(load, Arrivals):
        cv = f", cv {load.cv:g}" if load.process == "gamma" else ""
        return f"{load.process} {load.per_s:.10g}/s{cv}"
    span_s = (load.at_ns[-1] - load.at_ns[0]) / NS if load.at_ns else 0.0
    return f"trace of {len(load.at_ns):,} requests in {span_s:.10g} s"


def _check_how_many(given: Sequence[str], option: str) -> None:
    if not given:
        raise ConfigError(f"{option} has no value")
    if len(given) > MAX_LOADS:
        raise ConfigError(f"{option} has {len(given)} loads; a sweep has at most {MAX_LOADS}")
