"""When tokens are due: gaps drawn from a distribution, added up to absolute deadlines. Pure.

Every gap is drawn before anything is sent, and a deadline is the sum of the gaps before it, never the time of the last
token plus a gap: what is sent late makes nothing later late. Each distribution keeps the mean that is asked for, so the
rate holds whatever the shape.

Adding a distribution is adding a class here and its row in `GAPS`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import cycle
from math import isfinite, log, log1p, sqrt
from random import Random
from typing import ClassVar, Final

from mockserver.durations import MAX_NS, parse_duration
from streamkit.errors import ConfigError

__all__ = [
    "CONSTANT",
    "GAPS",
    "Constant",
    "Exponential",
    "Gamma",
    "Gaps",
    "LogNormal",
    "Normal",
    "Schedule",
    "Trace",
    "Uniform",
    "parse_gaps",
    "parse_trace",
]

MIN_RATE: Final = 1e-6
"""The lowest rate, a token in eleven days."""

MAX_CV: Final = 10.0
"""The most that a distribution varies. Beyond, hardly a gap is anywhere near the mean."""

NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?|\.[0-9]{1,15}")


@dataclass(frozen=True)
class Gaps(ABC):
    """How gaps are distributed around their mean. A value: equal ones draw alike from equal seeds."""

    takes: ClassVar[str] = ""
    """What follows the name in its text form; empty for a distribution without parameters."""
    summary: ClassVar[str]
    """One sentence for a list of distributions."""

    @classmethod
    def parse(cls, text: str) -> Gaps:
        """Make one from what follows its name.

        Raises:
            ConfigError: the text does not look like `takes`, or the number is out of range.
        """
        if not cls.takes:
            if text:
                raise ConfigError(f"takes no parameter, not {text!r}")
            return cls()
        if not NUMBER.fullmatch(text):
            raise ConfigError(f"{text[:20]!r} is not a number, which {cls.takes} has to be")
        return cls(float(text))  # type: ignore[call-arg]  # of the classes that take something

    @abstractmethod
    def draw(self, rng: Random, mean_ns: float) -> float:
        """Return one gap in ns, never negative. The mean is above 0, but for a trace as it was recorded."""

    def series(self, rng: Random, mean_ns: float) -> Iterator[float]:
        """Yield gap after gap in ns, without end; the mean is as for `draw`."""
        draw = self.draw
        while True:
            yield draw(rng, mean_ns)


@dataclass(frozen=True)
class Constant(Gaps):
    """Every gap is the mean."""

    summary = "Every gap is the mean."

    def draw(self, rng: Random, mean_ns: float) -> float:  # noqa: ARG002 - nothing is drawn
        return mean_ns


CONSTANT: Final = Constant()


@dataclass(frozen=True)
class Uniform(Gaps):
    """Gaps spread evenly: `spread` 0.3 is from 0.7 to 1.3 times the mean."""

    takes = "SPREAD"
    summary = "Evenly between (1 - SPREAD) and (1 + SPREAD) times the mean; SPREAD is 0 to 1."
    spread: float

    def __post_init__(self) -> None:
        if not 0 <= self.spread <= 1:
            raise ConfigError(f"a spread is 0 to 1, not {self.spread:g}: no gap can be negative")

    def draw(self, rng: Random, mean_ns: float) -> float:
        return mean_ns * (1 + self.spread * (2 * rng.random() - 1))


@dataclass(frozen=True)
class Normal(Gaps):
    """Gaps of a normal distribution with the standard deviation `cv` times the mean.

    What falls outside of 0 to 2 means is drawn again. The cut is symmetric, so the mean stays exact; the price is some
    spread: of a `cv` up to 0.3 nothing to speak of, of 0.5 a tenth (0.44), of 1 nearly half (0.54).
    """

    takes = "CV"
    summary = "Normal, deviation CV times the mean, cut at 0 and 2 means; CV is 0 to 1."
    cv: float

    def __post_init__(self) -> None:
        if not 0 <= self.cv <= 1:
            raise ConfigError(f"the cv of normal gaps is 0 to 1, not {self.cv:g}: take lognormal or gamma for more")

    def draw(self, rng: Random, mean_ns: float) -> float:
        while True:
            gap = rng.gauss(1.0, self.cv)
            if 0 <= gap <= 2:
                return gap * mean_ns


@dataclass(frozen=True)
class LogNormal(Gaps):
    """Gaps whose logarithm is normal: many a little short, a few long. What real servers come closest to."""

    takes = "CV"
    summary = "Lognormal, deviation CV times the mean; CV is 0 to 10."
    cv: float

    def __post_init__(self) -> None:
        _check_cv(self.cv)

    def series(self, rng: Random, mean_ns: float) -> Iterator[float]:
        variance = log1p(self.cv**2)
        mu, sigma = log(mean_ns) - variance / 2, sqrt(variance)
        while True:
            yield rng.lognormvariate(mu, sigma)

    def draw(self, rng: Random, mean_ns: float) -> float:
        return next(self.series(rng, mean_ns))


@dataclass(frozen=True)
class Gamma(Gaps):
    """Gaps of a gamma distribution: below a `cv` of 1 a hump, at 1 exponential, above it bursts."""

    takes = "CV"
    summary = "Gamma, deviation CV times the mean: above 1 in bursts; CV is 0 to 10."
    cv: float

    def __post_init__(self) -> None:
        _check_cv(self.cv)

    def draw(self, rng: Random, mean_ns: float) -> float:
        variance = self.cv**2
        if variance < 1e-12:  # as good as constant, and its shape too large to draw from
            return mean_ns
        return rng.gammavariate(1 / variance, mean_ns * variance)


@dataclass(frozen=True)
class Exponential(Gaps):
    """Gaps of a Poisson process: each as likely to end in the next instant as the one before."""

    summary = "Exponential: tokens come at random, at this rate."

    def draw(self, rng: Random, mean_ns: float) -> float:
        return rng.expovariate(1 / mean_ns)


@dataclass(frozen=True)
class Trace(Gaps):
    """Recorded gaps in their order, from the start again when they end.

    As they were recorded where no rate is set, else all of them scaled so that their mean fits the rate.

    Attributes:
        name: of the file that they are from.
    """

    takes = "FILE"
    summary = "Recorded gaps from FILE, one a line; with a rate they are scaled to it."
    gaps_ns: tuple[int, ...]
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Gaps:
        raise ConfigError(f"the file {text!r} is not read here: take `parse_trace` with what is in it")

    def __post_init__(self) -> None:
        if not any(self.gaps_ns) or min(self.gaps_ns) < 0:
            raise ConfigError("a trace has at least one gap above 0, and none below")

    def draw(self, rng: Random, mean_ns: float) -> float:
        return rng.choice(self.gaps_ns) * self._scale(mean_ns)

    def series(self, rng: Random, mean_ns: float) -> Iterator[float]:  # noqa: ARG002 - nothing is drawn
        scale = self._scale(mean_ns)
        for gap_ns in cycle(self.gaps_ns):
            yield gap_ns * scale

    def _scale(self, mean_ns: float) -> float:
        return mean_ns * len(self.gaps_ns) / sum(self.gaps_ns) if mean_ns else 1.0


GAPS: Final[dict[str, type[Gaps]]] = {
    "constant": Constant,
    "uniform": Uniform,
    "normal": Normal,
    "lognormal": LogNormal,
    "gamma": Gamma,
    "exponential": Exponential,
    "trace": Trace,
}
"""Every distribution by the name that settings use."""


def _check_cv(cv: float) -> None:
    if not 0 <= cv <= MAX_CV:
        raise ConfigError(f"a cv is 0 to {MAX_CV:g}, not {cv:g}")


def parse_gaps(text: str) -> Gaps:
    """Make a distribution from its text, `NAME[:NUMBER]`: "lognormal:0.5". A trace is `parse_trace`'s.

    Raises:
        ConfigError: there is no such distribution, or its number is missing, wrong or out of range.
    """
    name, _, argument = text.partition(":")
    kind = GAPS.get(name)
    if kind is None:
        close = get_close_matches(name, GAPS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"{name!r} is no distribution of gaps: take one of {', '.join(GAPS)}{hint}")
    if kind.takes and not argument:
        raise ConfigError(f"{name!r} needs its parameter: {name}:{kind.takes}")
    try:
        return kind.parse(argument)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def parse_trace(text: str, name: str = "") -> Trace:
    """Make a trace from the content of its file: one gap a line, "12.5ms" or plain milliseconds.

    Blank lines and what follows a `#` are left out.

    Args:
        text: the content.
        name: the file's, for messages.

    Raises:
        ConfigError: a line is no gap (it is named), or there is none.
    """
    gaps_ns = []
    for number, line in enumerate(text.split("\n"), 1):
        gap = line.partition("#")[0].strip().removeprefix("\ufeff")
        if not gap:
            continue
        try:
            gaps_ns.append(_gap_ns(gap))
        except ConfigError as error:
            raise ConfigError(f"{name or 'trace'}, line {number}: {error}") from None
    try:
        return Trace(tuple(gaps_ns), name)
    except ConfigError as error:
        raise ConfigError(f"{name or 'trace'}: {error}") from None


def _gap_ns(text: str) -> int:
    if not NUMBER.fullmatch(text):
        return parse_duration(text)
    gap_ns = round(float(text) * 1e6)  # recorders write more digits than a nanosecond has
    if gap_ns > MAX_NS:
        raise ConfigError(f"a gap of more than a week: {text}")
    return gap_ns


class Schedule:
    """When each token of one answer is due, in ns after its origin.

    Token 1 is due at `ttft_ns + prompt_delay_ns`, each other one a gap after the one before. Memory does not grow with
    the answer. Ask for tokens in their order, leaving out what you like; going back starts the drawing again.
    """

    def __init__(self, ttft_ns: int, rate: float | None, gaps: Gaps, seed: int, prompt_delay_ns: int = 0) -> None:
        """Make a schedule.

        Args:
            ttft_ns: from the origin to token 1.
            rate: tokens a second; 0 or None for no gaps, but those of a trace.
            gaps: how they are distributed.
            seed: of what is drawn.
            prompt_delay_ns: what reading the prompt adds before token 1.

        Raises:
            ConfigError: a time or the rate is negative, or the rate too low or not finite.
        """
        if ttft_ns < 0 or prompt_delay_ns < 0:
            raise ConfigError(f"no token is due before its request: ttft {ttft_ns} ns, prompt {prompt_delay_ns} ns")
        if rate and (not isfinite(rate) or rate < MIN_RATE):
            raise ConfigError(f"a rate is 0, for no delay, or from {MIN_RATE:g} tokens a second, not {rate:g}")
        self._first_ns = ttft_ns + prompt_delay_ns
        self._mean_ns = 1e9 / rate if rate else 0.0
        self._gaps = gaps
        self._seed = seed
        self._is_drawn = bool(rate and not isinstance(gaps, Constant)) or isinstance(gaps, Trace)
        if self._is_drawn:
            self._start()

    @property
    def is_flat(self) -> bool:
        """Whether all tokens are due when the first one is."""
        return not self._is_drawn and not self._mean_ns

    def _start(self) -> None:
        self._series = self._gaps.series(Random(self._seed), self._mean_ns)
        self._token = 1
        self._since_first_ns = 0.0

    def deadline_ns(self, token: int) -> int:
        """Return when token `token` (from 1; what comes before the first counts as the first) is due."""
        if not self._is_drawn:
            return self._first_ns + round((token - 1) * self._mean_ns) if token > 1 else self._first_ns
        if token < self._token:
            self._start()
        while self._token < token:
            self._since_first_ns += next(self._series)
            self._token += 1
        return self._first_ns + round(self._since_first_ns)
