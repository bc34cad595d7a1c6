"""Which figures are marked, and how, because of the tool's own error. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, TypeVar

from streamkit.bench.calibration import trust
from streamkit.bench.compared import UNTOLD
from streamkit.bench.metrics import Metric
from streamkit.bench.results import Estimate, ToolError

__all__ = ["QUANTILES", "Mark", "is_judged", "marked", "marks_of"]

QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}

Mark: TypeAlias = Literal["!", "?"]
"""`!`: our own error is too large a part of it. `?`: nobody knows how large that is."""

Name = TypeVar("Name", bound=str)


def marks_of(figures: Mapping[Name, Estimate | None], error: ToolError | None, share: float) -> dict[Name, Mark]:
    """Return the figures that are marked, of those that there are.

    Args:
        figures: by the names of their quantiles; what is none, a mean, is judged as the median is.
        error: of the metric.
        share: of a figure that our own error may be.
    """
    found: dict[Name, Mark] = {}
    for name, figure in figures.items():
        if figure is not None:
            how = trust(figure.value, QUANTILES.get(name, 0.5), error, share)
            if how != "trusted":
                found[name] = "!" if how == "doubtful" else "?"
    return found


def is_judged(metric: Metric) -> bool:
    """Tell whether a calibration can say how far a metric is off."""
    return metric.tool and metric.name not in UNTOLD


def marked(marks: Mapping[Name, Mark], mark: Mark) -> list[Name]:
    """Return the figures that have this mark."""
    return [name for name, each in marks.items() if each == mark]
