"""Replay: the recorded answer to a request, with the reads that it came in and their times. Pure.

A request is answered as the recorded one that it equals: in method, path, query without secret parameters, and
canonical body (`mockserver.canonical`). Headers do not count. Equal requests get their answers in the recorded order,
the last one again and again.

The bytes are the recorded ones, head included, whatever the client's version of HTTP is: a read is a write, at its time
after the request, and then the connection ends as it did. Where the recording does not say how it would have gone on
(the client had left, the recorder was stopped), the connection is closed, so that nothing looks complete that was not.
Which tokens are in which write is not known here: all counts are 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

from mockserver.canonical import canonical_body
from mockserver.script import Action, Actions, Close, Reset, Script, Until, Write
from streamkit.errors import ConfigError
from streamkit.http.head import split_target
from streamkit.http.redact import is_secret_parameter, redacted_body
from streamkit.http.wire import response_head

if TYPE_CHECKING:
    from streamkit.io.cassette import Cassette, Recorded
    from streamkit.vendors.question import Question

__all__ = ["Replay", "bad_gateway"]

SLOWEST: Final = 0.001
FASTEST: Final = 1e6

Key = tuple[str, str, tuple[tuple[str, str], ...], bytes]


def _checked(speed: float) -> float:
    if speed != 0 and not SLOWEST <= speed <= FASTEST:
        limits = f"a number from {SLOWEST} to {FASTEST:.0f}, or 0 for no delay"
        raise ConfigError(f"speed {speed}: how many times as fast as recorded to play is {limits}")
    return speed


def bad_gateway(detail: str, *, method: str = "GET") -> bytes:
    """Return the response of a recorder that cannot reach the server, as bytes; the connection is closed after it."""
    message = f"the recorded server cannot be reached: {detail}"
    body = msgspec.json.encode({"error": {"type": "upstream_unreachable", "message": message}})
    head = response_head(
        502,
        (("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")),
    )
    return head if method == "HEAD" else head + body


class Replay:
    """Answers from a cassette.

    Args:
        cassette: what was recorded.
        speed: how many times as fast to play it; 0 for no delay at all.

    Raises:
        ConfigError: the speed is out of range.
    """

    def __init__(self, cassette: Cassette, *, speed: float = 1.0) -> None:
        self.cassette = cassette
        self.speed = _checked(speed)
        self._exchanges: defaultdict[Key, list[Recorded]] = defaultdict(list)
        for recorded in cassette.exchanges:
            self._exchanges[_key_of_recorded(recorded)].append(recorded)
        self._asked: dict[Key, int] = {}

    def reset(self) -> None:
        """Begin again with the first of each answer."""
        self._asked.clear()

    def find(self, question: Question) -> Recorded | None:
        """Return the exchange that is next for this request, and count it as played; None where there is none."""
        key = _key(question.method, question.path, question.query.items(), question.body)
        found = self._exchanges.get(key)
        if not found:
            return None
        asked = self._asked.get(key, 0)
        self._asked[key] = asked + 1
        return found[min(asked, len(found) - 1)]

    def answer(self, question: Question) -> Script | None:
        """Return the script that plays the exchange that is next for this request; None where there is none."""
        recorded = self.find(question)
        return None if recorded is None else script_of_recorded(recorded, speed=self.speed)

    def why_none(self, question: Question) -> str:
        """Say, for people, in what a request differs from all that were recorded."""
        name = self.cassette.name
        asked = f"{question.method} {question.path}"
        paths = [recorded for recorded in self.cassette.exchanges if _path_of(recorded.target) == question.path]
        if not self.cassette.exchanges:
            return f"nothing is recorded in {name}"
        if not paths:
            return f"{asked} is not recorded in {name}; {_shown_paths(self.cassette.exchanges)}"
        lines = ", ".join(str(recorded.line) for recorded in paths[:5])
        return f"{asked} is recorded in {name} (line {lines}), but with another method, query or body"


def script_of_recorded(recorded: Recorded, *, speed: float = 1.0) -> Script:
    """Return the script that plays one exchange: a write for each read, at its time, and the same end."""
    ended = recorded.ended
    keep_alive = ended is not None and ended.how == "complete" and ended.keep_alive
    return Script(Actions(lambda: _actions(recorded, speed)), keep_alive=keep_alive)


def _actions(recorded: Recorded, speed: float) -> Iterator[Action]:
    due_ns = 0
    for read in recorded.reads:
        at_ns = _scaled(read.at_ns, speed)
        if at_ns > due_ns:
            due_ns = at_ns
            yield Until(due_ns)
        yield Write(read.data)
    ended = recorded.ended
    if ended is None:
        yield Close()
        return
    at_ns = _scaled(ended.at_ns, speed)
    if at_ns > due_ns and not ended.keep_alive:
        yield Until(at_ns)
    if ended.how == "unreachable":
        yield Write(bad_gateway(ended.detail, method=recorded.method))
    elif ended.how == "reset":
        yield Reset()
    elif ended.how != "complete":
        yield Close()


def _scaled(at_ns: int, speed: float) -> int:
    if speed == 1:
        return at_ns
    return round(at_ns / speed) if speed else 0


def _key_of_recorded(recorded: Recorded) -> Key:
    path, query = split_target(recorded.target)
    return _key(recorded.method, path, dict(parse_qsl(query, keep_blank_values=True)).items(), recorded.body)


def _key(method: str, path: str, query: Iterable[tuple[str, str]], body: bytes) -> Key:
    shown = sorted((name, value) for name, value in query if not is_secret_parameter(name))
    return method, path, tuple(shown), canonical_body(redacted_body(body))


def _path_of(target: str) -> str:
    return split_target(target)[0]


def _shown_paths(exchanges: Iterable[Recorded]) -> str:
    shown = list(dict.fromkeys(f"{recorded.method} {_path_of(recorded.target)}" for recorded in exchanges))
    return f"there are {', '.join(shown[:5])}{', ...' if len(shown) > 5 else ''}"
