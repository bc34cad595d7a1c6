"""What the official SDKs make of answers with a fault: the types of the tables in `verdicts_*`, and the answers.

An SDK raises, or it sees what it would see without the fault, or something else; which of these is written down for
each fault, each dialect, and each SDK. The tables say what the SDKs do, not what they should.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from tests.dialects.referees import Failed, View

__all__ = [
    "ACCEPTS",
    "ANSWERS",
    "FIND",
    "LOOK",
    "PATHS",
    "RAISES",
    "Row",
    "Verdict",
    "judged",
    "raises",
    "rows",
    "sees",
    "x_mock",
]

SAID = "Owls from the mock"
LOOK = ("look", {"at": "x y"})
FIND = ("find", {"n": 1})

ANSWERS: dict[str, dict[str, Any]] = {
    "text": {"say": SAID},
    "thoughts": {"say": SAID, "reasoning": 3},
    "calls": {"reasoning": 3, "call": ['look:{"at":"x y"}', 'find:{"n":1}']},
}
"""What is answered, as settings: text; reasoning and text; reasoning and the calls `LOOK` and `FIND`."""

PATHS = {"openai-chat": "/v1", "openai-completions": "/v1", "openai-responses": "/v1", "ag-ui": "/agui"}
"""What the base URLs of SDKs have after the server's own."""


class Verdict(NamedTuple):
    """What an SDK makes of an answer with a fault.

    Attributes:
        raises: the class of what it raises, "" for any; None if it does not.
        changes: the fields of the view that are not what they are without the fault.
    """

    raises: str | None = None
    changes: Mapping[str, Any] = {}


ACCEPTS = Verdict()
"""It sees what it sees without the fault."""

RAISES = Verdict("")
"""It raises something: whatever its own code runs into, which is another error in every release."""


def raises(kind: str) -> Verdict:
    """It raises one of its own errors."""
    return Verdict(kind)


def sees(**changes: Any) -> Verdict:  # noqa: ANN401 - fields of a view are of many types
    """It sees something else, and takes that for the answer."""
    return Verdict(changes=changes)


@dataclass(frozen=True)
class Row:
    """One fault, and what becomes of it.

    Attributes:
        sdk: whose reader: a dialect's, or "openai-chat-chunks", which takes chunks one by one.
        py, js: the verdicts; None where there is no such SDK, or none that means anything.
    """

    sdk: str
    fault: str
    answer: str
    py: Verdict | None
    js: Verdict | None

    @property
    def dialect(self) -> str:
        return self.sdk.removesuffix("-chunks")

    def __str__(self) -> str:
        return f"{self.sdk}-{self.fault}"


Verdicts = tuple[Verdict | None, Verdict | None]


def rows(sdk: str, answer: str, verdicts: Mapping[str, Verdicts]) -> Iterator[Row]:
    """Make rows of a table."""
    return (Row(sdk, fault, answer, py, js) for fault, (py, js) in verdicts.items())


def judged(verdict: Verdict, found: View | Failed, sound: View | Failed) -> list[str]:
    """Return how what an SDK found differs from a verdict; `sound` is what it finds without the fault."""
    assert isinstance(sound, View), sound
    if verdict.raises is not None:
        if isinstance(found, View):
            return [f"it raises nothing, and sees {found}"]
        return [f"it raises {found}"] if verdict.raises not in {"", found.kind} else []
    expected = replace(sound, **verdict.changes)
    if isinstance(found, Failed):
        return [f"it raises {found.kind}: {found.message}"]
    names = [field.name for field in fields(View)]
    return [
        f"{name} is {getattr(found, name)!r}, not {getattr(expected, name)!r}"
        for name in names
        if getattr(found, name) != getattr(expected, name)
    ]


def x_mock(settings: Mapping[str, str | int | Iterable[str]]) -> str:
    """Write settings as the header X-Mock has them."""

    def quoted(value: object) -> str:
        return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'

    return "; ".join(
        f"{key}={quoted(value)}"
        for key, values in settings.items()
        for value in ([values] if isinstance(values, (str, int)) else values)
    )
