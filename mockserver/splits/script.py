"""The actions of a response, in their order. Pure.

Three levels cut, one after the other: the bytes of records into pieces of the body, pieces into HTTP chunks, the wire
with head and framing into writes. A level that joins holds bytes back past their time. `Gate`, `Stall`, `Reset`,
`Close` and `Verbatim` stand at a place: all that came before it is sent first.

Most responses are not cut at all. For them there is a way without levels (`_plain`), which costs 0.25 us a record;
`tests/mockserver/splits/test_script.py` holds that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mockserver.response import Record, Response, Verbatim
from mockserver.script import Action, Actions, Close, Reset, Script, Until, Write
from mockserver.splits.cuts import Cuts
from mockserver.splits.head import Plan, framing_of, has_body, opening_of, plan_of
from mockserver.splits.levels import Body, Wire
from streamkit.http.wire import last_chunk

__all__ = ["script_of"]


def script_of(
    response: Response,
    cuts: Cuts,
    seed: int,
    *,
    version: str = "1.1",
    wants_keep_alive: bool = True,
    head_only: bool = False,
    date: str = "",
) -> Script:
    """Make the script of a response.

    A record with a time in `before_head` delays the head until then, without moving the schedule. Where the framing is
    "length" the steps are gone through once, here, for their length: past a Reset or Close too, because what the head
    promises does not depend on what goes wrong later. `keep_alive` is False where a Reset or Close is known to come;
    one among lazy steps is not known before it is performed, and ends the connection then.

    Args:
        response: what is answered.
        cuts: where it is cut.
        seed: the request's own; what cuts draw follows from it.
        version: of the request's HTTP, "1.0" or "1.1".
        wants_keep_alive: whether the client lets the connection live on.
        head_only: whether the request was a HEAD.
        date: the value of the `Date` header, empty for none.
    """
    is_counted = framing_of(response, version) == "length" and has_body(response.status, head_only=False)
    plan = plan_of(
        response,
        length_bytes=_length_bytes(response, cuts, seed) if is_counted else 0,
        version=version,
        wants_keep_alive=wants_keep_alive,
        head_only=head_only,
        date=date,
    )
    if response.gzip or not cuts.are_natural:
        return Script(Actions(lambda: _cut(plan, response, cuts, seed)), keep_alive=plan.keep_alive)
    return Script(Actions(lambda: _plain(plan, response)), keep_alive=plan.keep_alive)


def _length_bytes(response: Response, cuts: Cuts, seed: int) -> int:
    """Return how long the body is that the head announces: its records, without what goes past the framing."""
    if not response.gzip:
        return sum(len(step.data) for step in response.steps if isinstance(step, Record))
    body = Body(cuts, seed, chunked=False, gzip=True)
    total = 0
    for step in response.steps:
        pieces = body.push(step) if isinstance(step, Record) else body.flush()
        total += sum(len(data) for data, _ in pieces)
    return total + sum(len(data) for data, _ in body.end())


def _opening(plan: Plan, response: Response) -> Iterator[Action]:
    """Go through what comes before the body."""
    due_ns = 0
    for step in response.before_head:
        if isinstance(step, Record) and step.at_ns > due_ns:
            due_ns = step.at_ns
            yield Until(due_ns)
        if not isinstance(step, (Record, Verbatim)):
            yield step
        elif step.data:
            yield Write(step.data)
    for head in plan.heads:
        yield Write(head)
    if not plan.has_body:
        yield from opening_of(response)


def _closing(plan: Plan, response: Response) -> Iterator[Action]:
    """Go through what comes after the body, from its last chunk on."""
    if plan.has_body and plan.chunked and response.last_chunk:
        yield Write(last_chunk(plan.trailers))
    for step in response.after_body:
        if not isinstance(step, (Record, Verbatim)):
            yield step
            if isinstance(step, (Reset, Close)):
                return
        elif step.data:
            yield Write(step.data)


def _plain(plan: Plan, response: Response) -> Iterator[Action]:
    """Go through a response without cuts."""
    due_ns = tokens = 0
    for action in _opening(plan, response):
        yield action
        if isinstance(action, Until):
            due_ns = action.at_ns
        elif isinstance(action, (Reset, Close)):
            return
    chunked = plan.chunked
    for step in response.steps if plan.has_body else ():
        if type(step) is Record:
            if step.at_ns > due_ns:
                due_ns = step.at_ns
                yield Until(due_ns)
            tokens = step.tokens
            data = step.data
            if data:
                yield Write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data, tokens)
        elif isinstance(step, Verbatim):
            if step.data and (chunked or not step.in_chunks):
                yield Write(step.data, tokens)
        elif not isinstance(step, Record):
            yield step
            if isinstance(step, (Reset, Close)):
                return
    for action in _closing(plan, response):
        yield Write(action.data, tokens) if isinstance(action, Write) else action


def _cut(plan: Plan, response: Response, cuts: Cuts, seed: int) -> Iterator[Action]:
    """Go through a response with cuts."""
    body = Body(cuts, seed, chunked=plan.chunked, gzip=response.gzip)
    wire = Wire(cuts, seed)
    waits = _Waits()
    for action in _opening(plan, response):
        if isinstance(action, Until):
            waits.due_ns = action.at_ns
        elif isinstance(action, Write):
            yield from waits.then(wire.push(action.data))
        else:
            yield from waits.then([*wire.flush(), action])
            if isinstance(action, (Reset, Close)):
                return
    for step in response.steps if plan.has_body else ():
        if isinstance(step, Record):
            waits.due_ns = max(waits.due_ns, step.at_ns)
            yield from waits.then(wire.body(body.push(step), chunked=plan.chunked))
            continue
        yield from waits.then([*wire.body(body.flush(), chunked=plan.chunked), *wire.flush()])
        if isinstance(step, Verbatim):
            if plan.chunked or not step.in_chunks:
                yield from waits.then(wire.push(step.data))
        else:
            yield from waits.then([step])
            if isinstance(step, (Reset, Close)):
                return
    writes = wire.body(body.end(), chunked=plan.chunked) if plan.has_body else []
    for action in _closing(plan, response):
        if isinstance(action, Write):
            writes += wire.push(action.data, [(0, body.tokens)])
        else:
            yield from waits.then([*writes, *wire.flush(), action])
            writes = []
            if isinstance(action, (Reset, Close)):
                return
    yield from waits.then([*writes, *wire.flush()])
    yield from waits.rest()


class _Waits:
    """Waits that are put off until there is something to do: what is held needs none."""

    def __init__(self) -> None:
        self.due_ns = 0
        self._waited_ns = 0

    def then(self, actions: Sequence[Action]) -> Iterator[Action]:
        """Yield the actions, after the wait for what is due, where that is still to come."""
        if actions:
            yield from self.rest()
        yield from actions

    def rest(self) -> Iterator[Until]:
        """Yield the wait for what is due, where that is still to come."""
        if self.due_ns > self._waited_ns:
            self._waited_ns = self.due_ns
            yield Until(self.due_ns)
