"""What hdr cases say of their traces: which fields came through, which did not, and as what. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streamkit.contract.case import Judge
from streamkit.contract.trace import Exchanged, Head, Trace
from streamkit.contract.verdicts import Finding
from streamkit.dialects.refusals import REQUEST_ID_HEADERS

__all__ = [
    "HOP",
    "cache_problem",
    "cookie_problem",
    "judge_both",
    "judge_hop_request",
    "judge_hop_response",
    "judge_keep_alive",
    "judge_no_length",
    "judge_via",
    "judge_x_accel",
    "lost_lines",
    "rate_problem",
    "request_id_problem",
    "type_problem",
]

HOP: Final = "X-Hop-Only"
"""A field that is said to be for one connection only, by naming it in `Connection`."""


def judge_both(problem_of: Callable[[Exchanged, Trace], str], what: str) -> Judge:
    """Return a judge that looks at both answers.

    Args:
        problem_of: says what is wrong with one of them; nothing where nothing is.
        what: is preserved.
    """

    def judge(trace: Trace) -> Finding:
        problems: dict[str, object] = {}
        for exchanged, status in zip(trace.exchanges, (200, 429), strict=False):
            head = exchanged.head
            if head is None:
                problems[f"problem_{status}"] = "no head of an answer came"
            elif head.status != status:
                problems[f"problem_{status}"] = f"it came as {head.status}"
            elif problem := problem_of(exchanged, trace):
                problems[f"problem_{status}"] = problem
        if not problems:
            return Finding(holds=True, detail=f"{what} came through on a 200 and on a 429")
        said = "; ".join(f"on the {name[-3:]}: {problem}" for name, problem in problems.items())
        return Finding(holds=False, detail=f"{what}: {said}", facts=problems)

    return judge


def heads_of(exchanged: Exchanged) -> tuple[Head, Head]:
    """Return what was sent and what came; both are there where an answer has come."""
    return exchanged.sent_head or Head(0, "", []), exchanged.head or Head(0, "", [])


def elsewhere(head: Head, name: str, value: str) -> str:
    """Say under which other names a value came."""
    names = sorted({key for key, each in head.headers if each == value and key.lower() != name.lower()})
    return f" (the value came as {', '.join(names)})" if names else ""


def lost_lines(*names: str) -> Callable[[Exchanged, Trace], str]:
    """Return what says which of these fields did not come through as they were sent."""

    def problem(exchanged: Exchanged, _: Trace) -> str:
        sent, got = heads_of(exchanged)
        said = []
        for name in names:
            for value in sent.all(name):
                if value not in got.all(name):
                    instead = f"came as {got.get(name)!r}" if got.all(name) else "is not there"
                    said.append(f"{name}: {value} {instead}{elsewhere(got, name, value)}")
        return "; ".join(said)

    return problem


def request_id_problem(exchanged: Exchanged, trace: Trace) -> str:
    """Say whether the id is lost. A gateway may tell it where its client's SDK looks for it."""
    if trace.facts.get("by_bytes"):
        return lost_lines("X-Request-Id", "Request-Id")(exchanged, trace)
    sent, got = heads_of(exchanged)
    wanted = {value for name, value in sent.headers if name.lower() in REQUEST_ID_HEADERS}
    known = {value for name, value in got.headers if name.lower() in REQUEST_ID_HEADERS}
    return "" if wanted & known else f"{', '.join(sorted(wanted))} is not there in any usual field"


def members(values: Sequence[str]) -> list[str]:
    """Return the members of a field that is a list, in lower case."""
    return [member.strip().lower() for value in values for member in value.split(",") if member.strip()]


def cache_problem(exchanged: Exchanged, _: Trace) -> str:
    """Say which directives are lost; others may be added."""
    sent, got = heads_of(exchanged)
    there = members(got.all("cache-control"))
    lost = [each for each in members(sent.all("cache-control")) if each not in there]
    return f"Cache-Control has lost {', '.join(lost)}: it came as {got.get('cache-control')!r}" if lost else ""


def cookie_problem(exchanged: Exchanged, _: Trace) -> str:
    """Say whether each cookie came in a field of its own, in order; others may be added."""
    sent, got = heads_of(exchanged)
    wanted, there = sent.all("set-cookie"), got.all("set-cookie")
    if [each for each in there if each in wanted] == wanted:
        return ""
    if any(sum(cookie in each for cookie in wanted) > 1 for each in there):
        return "two Set-Cookie fields were joined into one, of which a browser reads one cookie"
    return f"of {len(wanted)} Set-Cookie fields {sum(each in there for each in wanted)} came as they were sent"


def media_type_of(value: str) -> tuple[str, frozenset[str]]:
    """Return a media type and its parameters, as they are compared."""
    name, *parameters = (part.strip().lower().replace('"', "") for part in value.split(";"))
    return name, frozenset(parameters)


def type_problem(exchanged: Exchanged, trace: Trace) -> str:
    """Say whether the type is another one. A gateway's is that of its client's dialect."""
    sent, got = heads_of(exchanged)
    came = got.get("content-type")
    if came is None:
        return "there is no Content-Type"
    if trace.facts.get("by_bytes"):
        wanted = sent.get("content-type") or ""
        same = media_type_of(wanted) == media_type_of(came)
        return "" if same else f"Content-Type: {wanted} came as {came}"
    name, stream_type = media_type_of(came)[0], str(trace.facts.get("client_media_type"))
    if got.status == 200:
        wanted = media_type_of(stream_type)[0]
        return "" if name == wanted else f"the client's dialect is {wanted}, and it came as {came}"
    return "a refusal that is no stream came as text/event-stream" if name == "text/event-stream" else ""


def rate_problem(exchanged: Exchanged, trace: Trace) -> str:
    """Say which limits are lost."""
    names = [name for name, _ in (exchanged.sent_head or Head(0, "", [])).headers if "ratelimit" in name]
    return lost_lines(*names)(exchanged, trace)


def judge_no_length(trace: Trace) -> Finding:
    """Say whether a length was made up."""
    head = trace.exchange.head
    if head is None:
        return Finding(holds=False, detail="no head of an answer came")
    length = head.get("content-length")
    if length is None:
        return Finding(holds=True, detail="the answer came without Content-Length, as it was sent")
    detail = f"Content-Length: {length} was added to a stream whose length nobody had said: it was collected first"
    return Finding(holds=False, detail=detail, facts={"content_length": length})


def judge_hop_response(trace: Trace) -> Finding:
    """Say whether the client got what was for the proxy alone."""
    head = trace.exchange.head
    if head is None:
        return Finding(holds=False, detail="no head of an answer came")
    if head.get(HOP) is None:
        return Finding(holds=True, detail=f"{HOP}, which the upstream's Connection names, did not come through")
    return Finding(holds=False, detail=f"{HOP} came through, although the upstream's Connection names it")


def judge_hop_request(trace: Trace) -> Finding:
    """Say whether the upstream got what was for the proxy alone."""
    exchanged = trace.exchange
    if not exchanged.attempts:
        status = exchanged.head.status if exchanged.head else "no answer"
        return Finding(holds=False, detail=f"a request whose Connection names a field was refused: {status}")
    if exchanged.attempts[0].get(HOP) is None:
        return Finding(holds=True, detail=f"{HOP}, which the client's Connection names, did not come through")
    return Finding(holds=False, detail=f"{HOP} came to the upstream, although the client's Connection names it")


def judge_x_accel(trace: Trace) -> Finding:
    """Record whether the next proxy on the way would be told."""
    value = heads_of(trace.exchange)[1].get("x-accel-buffering")
    said = "X-Accel-Buffering: no did not come through: a second nginx before this proxy buffers again"
    return Finding(
        None, said if value is None else f"X-Accel-Buffering came as {value!r}", {"x_accel_buffering": value}
    )


def judge_keep_alive(trace: Trace) -> Finding:
    """Record what became of a field that is for one connection, and whether the client's persists."""
    value = heads_of(trace.exchange)[1].get("keep-alive")
    stays = bool(trace.facts.get("is_reusable"))
    said = "did not come through" if value is None else f"came as {value!r}"
    detail = f"the upstream's Keep-Alive {said}; the client's connection {'persists' if stays else 'does not persist'}"
    return Finding(None, detail, {"keep_alive": value, "is_persistent": stays})


def judge_via(trace: Trace) -> Finding:
    """Record how the proxy names itself in both directions."""
    exchanged = trace.exchange
    asked = exchanged.attempts[0] if exchanged.attempts else Head(0, "", [])
    got = heads_of(exchanged)[1]
    facts: dict[str, object] = {
        "via_response": got.get("via"),
        "server": got.get("server"),
        "via_request": asked.get("via"),
        "forwarded_for": asked.get("x-forwarded-for") or asked.get("forwarded"),
        "upstream_version": asked.line.rpartition("/")[2],
    }
    said = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    return Finding(None, f"how the proxy names itself: {said}", facts)
