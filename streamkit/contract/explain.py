"""What it means that a request did not get to the upstream, or its answer not back, and what is to be done. Pure.

Each is one sentence for people. None of it is a verdict on the target.
"""

from __future__ import annotations

from typing import Final

from streamkit.contract.token import token_in
from streamkit.contract.trace import Exchanged, Trace
from streamkit.errors import excerpt_of

__all__ = ["explain_briefly", "explain_connect", "explain_lost", "explain_not_forwarded", "is_overloaded", "is_refused"]

TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
"""How TLS answers to what is no TLS: with an alert (RFC 8446, section 5.1)."""

TLS_WORDS: Final = (b"https port", b"https server", b"ssl-enabled", b"requires tls", b'use the "https')
"""What nginx, Go and Apache say to plain HTTP on a port with TLS."""

CREDENTIALS: Final = {401, 403}
OVERLOADED: Final = {429, 502, 503, 504}


def is_overloaded(exchanged: Exchanged) -> bool:
    """Tell whether the client was refused in a way that may soon be over: a breaker, a health check, a limit."""
    return exchanged.head is not None and exchanged.head.status in OVERLOADED


def is_refused(trace: Trace) -> bool:
    """Tell whether a client was refused so, or its connection closed, and nothing of it is known upstream."""
    unknown = [each for each in trace.exchanges if not each.attempts]
    return any(is_overloaded(each) or each.client_end in {"cut", "reset"} for each in unknown)


def explain_connect(problem: str) -> str:
    """Say what to do where no connection to the target could be made."""
    if "not trusted" in problem:
        return f"{problem}; give the authority that signed it with --target-ca FILE, or --insecure"
    if "TLS" in problem:
        return f"{problem}; nothing there speaks TLS that we know: is the target's URL http:// rather than https://?"
    return f"{problem}; start the proxy, or correct --target"


def explain_briefly(trace: Trace) -> str:
    """Say in a few words what the target did with a request instead of passing it on."""
    if not trace.exchanges:
        return "takes no connections"
    exchanged = trace.exchange
    if exchanged.head is not None:
        return f"answers {exchanged.head.status}" + ("" if exchanged.attempts else " without asking the upstream")
    return {"cut": "closes connections", "reset": "resets connections"}.get(exchanged.client_end, "says nothing")


def explain_lost(problem: str) -> str:
    """Say what to do where the connection to the target broke in a way that the case did not expect."""
    return f"the connection to the target broke in the middle of the case ({problem}): look at the target's log"


def explain_not_forwarded(exchanged: Exchanged, trace: Trace, upstream: str, limit_s: float) -> str:
    """Say what it means that the upstream never got a request, by what the client got instead.

    Args:
        exchanged: the request.
        trace: of its case.
        upstream: the URL that the target should forward to.
        limit_s: how long it was waited for.
    """
    head = exchanged.head
    if head is None:
        return _explain_silence(exchanged, trace, upstream, limit_s)
    status = head.status
    said = f" and said {excerpt_of(exchanged.body)}" if exchanged.body else ""
    if status in range(300, 400):
        return f"the target redirects (it answered {status} to {head.get('location')}): give that URL as --target"
    if status < 400:
        whose = ", with the answer to another request" if token_in(bytes(exchanged.body)) else said
        return (
            f"the target answered {status} without asking {upstream}{whose}: it forwards somewhere else, answers by "
            f"itself, or from a cache; point it at {upstream}, and turn its cache off"
        )
    return _explain_refusal(status, said, bytes(exchanged.body), upstream)


def _explain_refusal(status: int, said: str, body: bytes, upstream: str) -> str:
    if status == 400 and any(word in body.lower() for word in TLS_WORDS):
        return f"the target speaks TLS there (it answered 400{said}): give its URL with https://"
    if status == 407:
        return (
            "the target wants credentials for a forward proxy (it answered 407): configure it as a reverse proxy, or "
            "give them with --header 'Proxy-Authorization=...'"
        )
    if status in CREDENTIALS:
        how = "give them with --header 'Authorization=Bearer KEY'"
        return f"the target wants credentials (it answered {status}{said}): {how}"
    if status == 429:
        return f"the target limits how much may be asked (it answered 429{said}): lift its limit for the test"
    if status >= 500:
        tls = ", with TLS, trusting the certificate that was written out," if upstream.startswith("https:") else ""
        return (
            f"the target answered {status}{said} and did not ask {upstream}: either it cannot reach it (is it "
            f"configured to forward there{tls} and may it?), or a circuit breaker is open; its log says which"
        )
    return (
        f"the target answered {status}{said}, and did not ask {upstream}: does it not know the path (--target, "
        f"--path), --client-dialect or --model, or does it forward somewhere else?"
    )


def _explain_silence(exchanged: Exchanged, trace: Trace, upstream: str, limit_s: float) -> str:
    reads = (event.data for event in trace.events if event.side == "client" and event.what == "read")
    first = next(reads, b"")
    match exchanged.client_end:
        case "broken" if first.startswith(TLS_RECORDS):
            return "the target speaks TLS there, not plain HTTP: give its URL with https://"
        case "broken":
            return f"what listens there does not speak HTTP/1.1 (it said {excerpt_of(first)}): correct --target"
        case "cut" | "reset" as end:
            how = "closed" if end == "cut" else "reset"
            return (
                f"the request did not arrive at {upstream}: the target {how} the connection without an answer; does it "
                f"speak TLS on this port (then its URL is https://), or not to anybody? Its log should say why"
            )
    return (
        f"the request did not arrive at {upstream}: the target said nothing for {limit_s:g} s; is it what you think it "
        f"is, can it reach {upstream}, and is it slower than --limit?"
    )
