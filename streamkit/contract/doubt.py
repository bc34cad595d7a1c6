"""Whether what a case found may come from somewhere else than the rule it is about. Pure.

A target that crashed, a circuit breaker that is open, or an answer that was another request's look like a broken rule;
a crash can look like a rule that is kept, too, where that is to end a connection. What may be one of these is no
verdict before an ordinary request has passed, and the case has run once more.
"""

from __future__ import annotations

from typing import Final, Literal

from streamkit.contract.token import foreign_token
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Verdict

__all__ = ["ASKS_AGAIN", "Doubt", "doubt_of"]

Doubt = Literal["", "mixed up", "not asked", "broken off", "busy", "silent", "left"]
"""What is strange: a client got another request's answer; one got something although the upstream was not asked; the
connection broke although the upstream did not break it; nothing came, neither here nor for others (`contract.pulse`);
an answer never ended, or the upstream never got a request; a connection ended, as it should. Empty: nothing is."""

ASKS_AGAIN: Final[frozenset[Doubt]] = frozenset({"mixed up", "not asked", "broken off", "busy"})
"""What the case is run once more for. A target that is merely silent in a case, and lives, is silent by itself."""

BROKEN: Final = frozenset({Verdict.FAILED, Verdict.NON_STRICT})
"""Verdicts that a crash could have made."""

REFUSED: Final = frozenset({Verdict.UNIMPLEMENTED, Verdict.INFORMATIONAL})
"""Verdicts that a refusal could have made, besides."""


def doubt_of(trace: Trace, token: str, verdict: Verdict = Verdict.FAILED) -> Doubt:
    """Say what is strange in a trace; the worst of it.

    Args:
        trace: of a case.
        token: the case's own.
        verdict: what the trace says, which has to be one that something strange could have made.
    """
    if verdict in REFUSED and any(_doubt_of(each) == "not asked" for each in trace.exchanges):
        return "not asked"
    if verdict is Verdict.OK:
        return "left" if any(_has_ended(each) for each in trace.exchanges) else ""
    if verdict not in BROKEN:
        return ""
    if foreign_token(trace, token):
        return "mixed up"
    found = {_doubt_of(exchanged) for exchanged in trace.exchanges}
    order: tuple[Doubt, ...] = ("not asked", "broken off", "silent")
    return next((doubt for doubt in order if doubt in found), "")


def _doubt_of(exchanged: Exchanged) -> Doubt:
    if not exchanged.attempts:
        if exchanged.head is not None or exchanged.client_end:
            return "not asked"
        return "" if exchanged.client_left_ns else "silent"
    if exchanged.client_end == "hang":
        return "silent"
    has_client_left = exchanged.client_left_ns > 0 and not 0 < exchanged.left_ns < exchanged.client_left_ns
    is_our_doing = exchanged.upstream_end in {"reset", "closed"} or has_client_left
    if not is_our_doing and (_is_broken_off(exchanged) or exchanged.is_refusal):
        return "broken off"
    return ""


def _is_broken_off(exchanged: Exchanged) -> bool:
    """Tell whether the connection's end came before the answer's; of one that ends with it nobody else can tell."""
    is_short = exchanged.upstream_end != "clean" or exchanged.units < exchanged.expected_units
    has_left = exchanged.left_ns and not 0 < exchanged.client_left_ns <= exchanged.left_ns
    is_cut = exchanged.client_end in {"cut", "reset"} or (exchanged.client_end == "closed" and is_short)
    return bool(is_cut or has_left)


def _has_ended(exchanged: Exchanged) -> bool:
    """Tell whether the proxy ended a connection that was not done with, for whatever reason."""
    has_left = bool(exchanged.client_left_ns and exchanged.left_ns)
    return bool(exchanged.attempts) and (has_left or _is_broken_off(exchanged))
