"""hdr: headers that clients and browsers live by come through, on an answer and on a refusal.

Each of them is looked at on a 200 and on a 429 in one case, because many proxies treat the two differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, Drive, levels
from streamkit.contract.cases.hdr_judges import (
    HOP,
    cache_problem,
    cookie_problem,
    judge_both,
    judge_hop_request,
    judge_hop_response,
    judge_keep_alive,
    judge_no_length,
    judge_via,
    judge_x_accel,
    lost_lines,
    rate_problem,
    request_id_problem,
    type_problem,
)
from streamkit.contract.content import Part, json_body
from streamkit.contract.trace import Exchanged, Pairs, Trace
from streamkit.dialects.registry import get_dialect

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES"]

REFUSAL: Final = json_body(
    {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "code": "rate_limit_exceeded",
            "message": "Rate limit reached for requests.",
        },
    }
)

COOKIES: Final = ("session=abc; Path=/; HttpOnly", "theme=dark; Expires=Wed, 01 Jan 2031 00:00:00 GMT")
"""Two, because one has a comma in it: joined into one field they cannot be told apart any more."""


def on_both(fields: Callable[[Stand], Pairs], *, charset: str = "") -> Drive:
    """Return a drive that gives an answer with these fields, and then a 429 with them."""

    async def drive(stand: Stand) -> None:
        talk = stand.talk
        sent = fields(stand)
        stand.trace.facts["by_bytes"] = stand.setting.by_bytes
        dialect, framing = get_dialect(stand.setting.client_dialect)
        stand.trace.facts["client_media_type"] = dialect.media_type(framing)
        client, up = await stand.ask()
        await up.read_body(stand.limit_s)
        await up.respond(
            "chunked", media_type=talk.media_type + (charset if stand.setting.by_bytes else ""), headers=sent
        )
        await stand.flow(client, up, talk.parts(2))

        async def refuse(end: UpstreamEnd) -> None:
            await end.read_body(stand.limit_s)
            await end.respond("cl", status=429, media_type="application/json", headers=sent, size_bytes=len(REFUSAL))
            await end.send(Part(REFUSAL))
            await end.finish()

        client, up = await stand.ask()
        await stand.serve(client, up, refuse)

    return drive


def rate_limits(stand: Stand) -> Pairs:
    """Return the fields in which the upstream's vendor tells its limits."""
    prefix = "anthropic-ratelimit-" if stand.setting.upstream_dialect == "anthropic" else "x-ratelimit-"
    reset = "2031-01-01T00:00:00Z" if prefix.startswith("a") else "6m0s"
    return [
        (f"{prefix}limit-requests", "60"),
        (f"{prefix}remaining-requests", "59"),
        (f"{prefix}remaining-tokens", "149984"),
        (f"{prefix}reset-tokens", reset),
    ]


def request_id(stand: Stand) -> Pairs:
    """Return an id in the fields of both big vendors; a gateway's upstream has its own alone."""
    names = ["X-Request-Id", "Request-Id"]
    if not stand.setting.by_bytes:
        names = ["Request-Id" if stand.setting.upstream_dialect == "anthropic" else "X-Request-Id"]
    return [(name, f"req-{stand.talk.token}") for name in names]


def answered_with(fields: Callable[[UpstreamEnd], Pairs], *, asked_with: Pairs | None = None) -> Drive:
    """Return a drive that gives a live answer with these fields: its first pieces pass before it ends."""

    async def drive(stand: Stand) -> None:
        client, up = await stand.try_ask(stand.talk.request(headers=asked_with))
        if up is None:
            return
        stand.trace.facts["by_bytes"] = stand.setting.by_bytes
        await up.read_body(stand.limit_s)
        await up.respond("chunked", media_type=stand.talk.media_type, headers=fields(up))
        first, *rest = stand.talk.parts(2)
        await stand.deliver(client, up, first)
        await stand.flow(client, up, rest)
        stand.trace.facts["is_reusable"] = client.is_reusable

    return drive


def kept(  # noqa: PLR0917 - a row of a table
    name: str,
    rule: str,
    bugs: tuple[str, ...],
    drive: Drive,
    problem_of: Callable[[Exchanged, Trace], str],
    what: str,
) -> Case:
    """Return the row of a header that is preserved."""
    return Case(
        id=f"hdr.{name}",
        levels=levels("must", "should"),
        rule=rule,
        bugs=bugs,
        drive=drive,
        judge=judge_both(problem_of, what),
        group="last",  # gateways stop asking a model whose limit is reached
    )


def hop_fields(up: UpstreamEnd) -> Pairs:
    """Return a field for the proxy alone; where the connection is to close, that is said beside."""
    return [("Connection", f"keep-alive, {HOP}" if up.exchange.keep_alive else HOP), (HOP, "for the proxy")]


def keep_alive_fields(up: UpstreamEnd) -> Pairs:
    """Return how long this connection is kept."""
    return [("Connection", "keep-alive"), ("Keep-Alive", "timeout=7, max=99")] if up.exchange.keep_alive else []


CASES: Final[tuple[Case, ...]] = (
    kept(
        "content-type",
        "The media type comes through with its parameters, or is the client's dialect's: clients choose their parser "
        "by it.",
        ("cloudflare/cloudflared#262",),
        on_both(lambda _: [], charset="; charset=utf-8"),
        type_problem,
        "the Content-Type",
    ),
    kept(
        "request-id",
        "The upstream's request id comes through: without it nobody can ask the vendor about a failed request.",
        ("BerriAI/litellm#21553", "METR/hawk#1414"),
        on_both(request_id),
        request_id_problem,
        "the request's id",
    ),
    kept(
        "retry-after",
        "Retry-After comes through: clients that do not get it come back too soon, and are refused again.",
        ("BerriAI/litellm#21553", "yvgude/lean-ctx#1638", "NVIDIA-NeMo/Switchyard#480"),
        on_both(lambda _: [("Retry-After", "1")]),
        lost_lines("Retry-After"),
        "Retry-After",
    ),
    kept(
        "ratelimit",
        "What is left of the limits comes through under its own names: clients pace themselves by it.",
        ("BerriAI/litellm#27748", "BerriAI/litellm#21553"),
        on_both(rate_limits),
        rate_problem,
        "the rate limit fields",
    ),
    kept(
        "cache-control",
        "Cache-Control comes through: a cache further on must not keep an answer, nor a compressor hold it.",
        (),
        on_both(lambda _: [("Cache-Control", "no-cache, no-store, no-transform")]),
        cache_problem,
        "Cache-Control",
    ),
    kept(
        "set-cookie",
        "Two Set-Cookie fields come through as two: joined by a comma they are one cookie, and a broken one.",
        (),
        on_both(lambda _: [("Set-Cookie", cookie) for cookie in COOKIES]),
        cookie_problem,
        "two Set-Cookie fields",
    ),
    Case(
        id="hdr.no-content-length",
        levels=levels("must", "must"),
        rule="No Content-Length is added to a live stream: who knows its length has collected it first.",
        bugs=("golang/go#41642",),
        drive=answered_with(lambda _: []),
        judge=judge_no_length,
    ),
    Case(
        id="hdr.hop.response",
        levels=levels("should", "should"),
        rule="A field that the upstream's Connection names stays at the proxy (RFC 9110, 7.6.1).",
        drive=answered_with(hop_fields),
        judge=judge_hop_response,
    ),
    Case(
        id="hdr.hop.request",
        levels=levels("should", "should"),
        rule="A field that the client's Connection names stays at the proxy (RFC 9110, 7.6.1).",
        drive=answered_with(lambda _: [], asked_with=[("Connection", f"keep-alive, {HOP}"), (HOP, "for the proxy")]),
        judge=judge_hop_request,
    ),
    Case(
        id="hdr.x-accel",
        levels=levels("info", "info"),
        rule="Whether X-Accel-Buffering: no goes on to the next proxy, which would buffer without it.",
        bugs=("fanout/django-eventstream#37",),
        drive=answered_with(lambda _: [("X-Accel-Buffering", "no")]),
        judge=judge_x_accel,
    ),
    Case(
        id="hdr.keep-alive",
        levels=levels("info", "info"),
        rule="Whether the upstream's Keep-Alive, which is for one connection, goes on; whether the client's persists.",
        drive=answered_with(keep_alive_fields),
        judge=judge_keep_alive,
    ),
    Case(
        id="hdr.via",
        levels=levels("info", "info"),
        rule="How the proxy names itself to both ends.",
        drive=answered_with(lambda _: []),
        judge=judge_via,
    ),
)
