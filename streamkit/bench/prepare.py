"""The requests of a plan as bytes: made once for each server and prompt, and marked anew for each request. Pure.

Making a request's document takes longer than sending it. So it is made once, with marks of a fixed length where each
request differs: the words before its prompt, and its X-Request-ID. A mark is found again as it is, because it is made
of characters that no JSON text escapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Final

from streamkit.bench.checked import check_plan
from streamkit.bench.plan import Plan, Replay, Server
from streamkit.bench.report.veil import secrets_of
from streamkit.client.asking import request_of, split_url
from streamkit.client.transport import HTTPRequest
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.registry import get_dialect
from streamkit.dialects.requests import ChatMessage, ChatRequest
from streamkit.errors import ConfigError

__all__ = ["ID_HEADER", "Prepared", "Question", "prepare"]

ID_HEADER: Final = "X-Request-ID"

MARK: Final = "streamkitmarkmarkmark"
"""Stands where a request's own number is to be; as long as that is."""

MAX_KEPT_BYTES: Final = 64 << 20
"""How much of made requests is kept for the next time: a trace may have tens of thousands of long prompts."""

MADE_FIRST: Final = 200
MADE_FIRST_BYTES: Final = 8 << 20
"""How many requests are made before the run, so that making them is no part of it, and up to what size. That takes some
hundredths of a second: processes that are to begin together have little more between the word and the beginning."""


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """A request of which all is made but its mark. Its `repr` shows nothing of it: the head may have a key in it."""

    head: bytes
    body: bytes

    def marked(self, mark: str) -> tuple[bytes, bytes]:
        """Return head and body of one request.

        Args:
            mark: as long as `MARK`, of letters and digits.
        """
        told = mark.encode()
        return self.head.replace(MARK_BYTES, told), self.body.replace(MARK_BYTES, told)


MARK_BYTES: Final = MARK.encode()


class Prepared:
    """Whom a server's requests go to and how its answers are read.

    Args:
        server: the server.
        plan: of which the prompts are; see `check_plan` for what it has to be.

    Attributes:
        request: the first request, with the mark in it; for where it goes.
        secrets: what no record may show of what a server says: it can send back whatever it was sent.
        row, framing: of the dialect that is read.
        dropped: what of the request the dialect has no place for.

    Raises:
        ConfigError: the URL is none, the dialect is none, or cannot ask this.
    """

    def __init__(self, server: Server, plan: Plan) -> None:
        self.server = server
        self._plan = plan
        self._questions: dict[tuple[int, int | None, int], Question] = {}
        self._kept_bytes = 0
        self.row: Dialect
        self.row, self.framing = get_dialect(server.dialect)
        fixed = (server.url, server.model, server.api_key, *map("".join, server.headers))
        if any(MARK in text for text in (*fixed, *plan.prompts)):
            raise ConfigError(f"{MARK!r} stands for a request's number, and cannot be in a request")
        self.request, self.dropped = self._request(plan.prompts[0] if plan.prompts else "", plan.max_tokens)
        self.secrets = sorted({*self.request.secrets, *secrets_of(server)} - {""}, key=len, reverse=True)

    def question(self, prompt: int, max_tokens: int | None, characters: int = 0) -> Question:
        """Return the request for a prompt of the plan, or for its first `characters`; `max_tokens` None for the plan's.

        Raises:
            ConfigError: see `Prepared`.
        """
        key = prompt, max_tokens, characters
        question = self._questions.get(key)
        if question is None:
            text = self._plan.prompts[prompt]
            request, _ = self._request(text[:characters] if characters else text, max_tokens or self._plan.max_tokens)
            question = Question(request.head, request.body)
            self._keep(key, question)
        return question

    def make_some(self) -> None:
        """Make what is asked first, as far as there is room to keep it."""
        load = self._plan.load
        rows: Iterator[tuple[int, int, int]]
        if isinstance(load, Replay):
            rows = zip_longest(load.prompts, load.max_tokens, load.characters, fillvalue=0)
        else:
            rows = ((number, 0, 0) for number in range(len(self._plan.prompts)))
        for prompt, max_tokens, characters in islice(rows, MADE_FIRST):
            if self._kept_bytes > MADE_FIRST_BYTES:
                return
            self.question(prompt, max_tokens or None, characters)

    def _keep(self, key: tuple[int, int | None, int], question: Question) -> None:
        size = len(question.head) + len(question.body)
        if self._kept_bytes + size > MAX_KEPT_BYTES:
            self._questions.clear()
            self._kept_bytes = 0
        if size <= MAX_KEPT_BYTES:
            self._questions[key] = question
            self._kept_bytes += size

    def _request(self, prompt: str, max_tokens: int | None) -> tuple[HTTPRequest, list[str]]:
        server = self.server
        text = prompt if self._plan.same_prompt else f"[{MARK}] {prompt}"
        origin, url_path = split_url(server.url)
        asked = ChatRequest(
            messages=[ChatMessage("user", text)], model=server.model, max_tokens=max_tokens, id=MARK, stream=True
        )
        headers = [*server.headers]
        if all(name.lower() != ID_HEADER.lower() for name, _ in headers):
            headers.append((ID_HEADER, MARK))
        return request_of(
            self.row, self.framing, asked, origin=origin, url_path=url_path, headers=headers, api_key=server.api_key
        )


def prepare(plan: Plan) -> list[Prepared]:
    """Return what is prepared for each server of a plan, in order.

    Raises:
        ConfigError: the plan makes no sense (`check_plan`), or see `Prepared`.
    """
    check_plan(plan)
    prepared = [Prepared(server, plan) for server in plan.servers]
    for each in prepared:
        each.make_some()
    return prepared


def mark_of(run: int, number: int) -> str:
    """Return the mark of a request: its own number, and `run`, a number that no other run has.

    The digit that changes with each request comes first: no prefix cache finds more than a few characters again.
    """
    return f"{number % 16**9:09x}"[::-1] + f"{run % 16**12:012x}"
