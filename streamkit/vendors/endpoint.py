"""A row of the table of endpoints, and what a server knows that its answers may tell. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from streamkit.vendors.question import Question

__all__ = ["DEFAULT_MODEL", "Endpoint", "Facts", "Found", "Kind", "Params", "Read"]

DEFAULT_MODEL: Final = "mock"
"""The model that is listed where any name will do."""

Kind = Literal["chat", "models", "count", "status"]
"""What an endpoint is for: an answer, a list of models or one of them, a count of tokens, or how the server is."""

Params = Mapping[str, str]
"""What stood in the places of a path's pattern."""


@dataclass(frozen=True)
class Facts:
    """What is true of the server.

    Attributes:
        models: the names of the models that there are; None if any name will do.
        created_ns: when it is, in ns since 1970.
        service: the server's own name.
        is_healthy: whether all that it needs is there.
        count_tokens: how many tokens a text has; None for a server that cannot tell.
        lists_own: whether the models are this server's own, of which there is more to tell than the name. Those of
            another server are listed by the names that it knows them by, as they are, and nothing is made up.
        default_model: what is meant where a client names no model and its dialect does not ask it to.
        is_model_optional: whether there is a model for those who name none, whatever their dialect asks.
    """

    models: tuple[str, ...] | None = None
    created_ns: int = 0
    service: str = "mockserver"
    is_healthy: bool = True
    count_tokens: Callable[[str], int] | None = None
    default_model: str = DEFAULT_MODEL
    is_model_optional: bool = False
    lists_own: bool = True

    @property
    def listed(self) -> tuple[str, ...]:
        """The models that a list of them has."""
        return (DEFAULT_MODEL,) if self.models is None else self.models

    def knows(self, model: str) -> bool:
        """Tell whether there is a model of that name. A name without a tag means the tag `latest`, as with Ollama."""
        if self.models is None:
            return True
        return any(name in self.models for name in (model, f"{model}:latest", model.removesuffix(":latest")))


Read = Callable[[Question, Params, Facts], object]
"""From a request to what is asked, a `Reading`; or at once to the answer, a JSON value. It raises `RefusedError`."""


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Attributes:
        method: the only one. An endpoint for GET answers HEAD too.
        pattern: its path; `{name}` stands for a segment, `{name*}` for anything that is not empty.
        dialect: whose manner its errors have, and that of the answer it usually gives.
        summary: one sentence for people.
        header: a header that the request must have, in lower case: where two vendors have the same path, it decides.
        kind: what it is for.
    """

    method: str
    pattern: str
    dialect: str
    read: Read
    summary: str
    header: str = ""
    kind: Kind = "chat"

    @property
    def is_open(self) -> bool:
        """Whether the path may end in anything, so that one that fits may well be meant for something else."""
        return self.pattern.endswith("}")

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+\*?)\}", self.pattern)
        texts = [re.escape(part) for part in parts[::2]]
        names = [f"(?P<{name.rstrip('*')}>{'.+' if name.endswith('*') else '[^/]+'})" for name in parts[1::2]]
        return re.compile("".join(text + name for text, name in zip(texts, [*names, ""], strict=True)), re.DOTALL)

    def match(self, question: Question) -> Params | None:
        """Return what stands in the places of the pattern, or None for a path that does not fit. Any method will do."""
        found = self._regex.fullmatch(question.path)
        if found is None or (self.header and self.header not in question.headers):
            return None
        return found.groupdict()


@dataclass(frozen=True)
class Found:
    """The endpoint that a request is for."""

    endpoint: Endpoint
    params: Params

    @property
    def dialect(self) -> str:
        """Whose manner its errors have."""
        return self.endpoint.dialect

    def read(self, question: Question, facts: Facts) -> object:
        """Return what is asked, a `Reading`, or a JSON value that is the answer.

        Raises:
            RefusedError: the vendor would refuse the request.
        """
        return self.endpoint.read(question, self.params, facts)
