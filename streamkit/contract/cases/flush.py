"""flush: every piece reaches the client before the next one is sent, whatever its framing, type, size or method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.cases import flush_comment, flush_concurrent, flush_head
from streamkit.contract.content import Asked, Part
from streamkit.contract.lockstep import Source, joined, judge_lockstep, lockstep
from streamkit.contract.sse_forms import is_sse, with_line_ends

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import Framing

__all__ = ["CASES"]

EVENTS: Final = 12
"""Pieces of a lockstep run: as many as it took to catch every proxy that was measured."""

LONG_EVENTS: Final = 320
LONG_TEXT: Final = 88
"""How many more a long run has, and how long the text of each is: in all more than 64 KiB in every dialect, so that a
buffer that is used later on is met too."""

PAUSES_S: Final = {5: 0.12, 9: 0.3}
"""How long such a run is silent before which of its pieces: who waits for more to come does so after a pause, too."""

MIXED_BYTES: Final = (5000, 1, 20000, 3, 9000, 1, 70_000, 3, 300_000, 1)
"""The first is larger than one buffer of 4 KiB: what is held then is its tail, even where small pieces pass. The last
large ones are larger than the buffers of 32 and 64 KiB that are configured for LLMs."""

LINE_BYTES: Final = 20_000
"""What is longer is of several lines, or events: long lines are other cases'."""


def small_events(stand: Stand) -> Source:
    """Return an answer of small tokens."""
    return replace(many_events(stand), longer=None, pauses_s={})


def many_events(stand: Stand) -> Source:
    """Return an answer of small tokens that goes on for long."""
    answer = stand.talk.answer()
    parts = [answer.open(), *(answer.text(text) for text in stand.talk.tokens(EVENTS))]

    def longer() -> Iterator[Part]:
        return (answer.text(f"{token:.<{LONG_TEXT}}") for token in stand.talk.tokens(LONG_EVENTS, start=EVENTS))

    return Source(parts, lambda size: answer.text("x" * size), answer.close, longer=longer, pauses_s=PAUSES_S)


def crlf_events(stand: Stand) -> Source:
    """Return the same, with lines that end with CR LF."""
    plain = small_events(stand)
    filler, closing = plain.filler, plain.closing
    assert filler is not None  # noqa: S101 - as made above
    assert closing is not None  # noqa: S101 - as above
    return Source(
        [with_line_ends(part, b"\r\n") for part in plain.parts],
        lambda size_bytes: with_line_ends(filler(size_bytes), b"\r\n"),
        lambda: with_line_ends(closing(), b"\r\n"),
    )


def mixed_sizes(stand: Stand) -> Source:
    """Return pieces of very different sizes: of the body, or of the text that they carry. Each is of whole lines."""
    if stand.setting.by_bytes:
        begin, end, three = (b"data: ", b"\n\n", b":\n\n") if is_sse(stand.setting) else (b'"', b'"\n', b"{}\n")

        def line(size_bytes: int, number: int) -> bytes:
            if size_bytes > LINE_BYTES:  # several lines, of one event
                first = line(LINE_BYTES // 2, number)
                return first.rstrip(b"\n") + b"\n" + line(size_bytes - len(first.rstrip(b"\n") + b"\n"), number)
            return begin + _pattern(size_bytes - len(begin + end), number) + end

        short = {1: b"\n", 3: three}
        parts = [Part(short.get(size) or line(size, number)) for number, size in enumerate(MIXED_BYTES)]
        return Source(parts, lambda size_bytes: Part(line(size_bytes, 0)))
    answer = stand.talk.answer()

    def tokens(size_bytes: int, number: int) -> Part:
        text = _pattern(size_bytes, number).decode()
        return joined(answer.text(text[at : at + LINE_BYTES]) for at in range(0, size_bytes, LINE_BYTES))

    parts = [answer.open(), *(tokens(size, number) for number, size in enumerate(MIXED_BYTES))]
    return Source(parts, lambda size_bytes: answer.text("x" * size_bytes), answer.close)


def _pattern(size_bytes: int, number: int) -> bytes:
    """Return so many bytes of text that differ from each other, and from those of another number."""
    line = b"".join(b"%d.%d " % (number, count) for count in range(size_bytes // 4 + 1))
    return line[:size_bytes]


def single_bytes(_: Stand) -> Source:
    """Return an event byte by byte."""
    event = b'data: {"n":1}\n\n'
    return Source([Part(event[at : at + 1]) for at in range(len(event))], lambda size_bytes: Part(b":" * size_bytes))


def lines_of_text(_: Stand) -> Source:
    """Return lines."""
    parts = [Part(b"line %d of an answer\n" % number) for number in range(EVENTS)]
    return Source(parts, lambda size_bytes: Part(b"x" * (size_bytes - 1) + b"\n"))


def json_lines(_: Stand) -> Source:
    """Return lines of JSON."""
    parts = [Part(b'{"number":%d,"done":false}\n' % number) for number in range(EVENTS)]
    return Source(parts, lambda size_bytes: Part(b'"%b"\n' % (b"x" * max(1, size_bytes - 3))))


def octets(_: Stand) -> Source:
    """Return bytes that are no text: each value once, NUL and CR and LF among them."""
    parts = [Part(bytes(range(at, at + 16))) for at in range(0, 256, 16)]
    return Source(parts, lambda size_bytes: Part(b"\0" * size_bytes))


def posting(stand: Stand) -> Asked:
    """Ask with POST."""
    return stand.talk.request("POST")


FRAMED: Final[dict[Framing, str]] = {
    "chunked": "a chunked answer",
    "close": "an answer that ends with the connection, as HTTP/1.0 has it",
    "cl": "an answer with a Content-Length",
}

SSE: Final = tuple(
    Case(
        id=f"flush.sse.{framing}",
        levels=levels("must", "must"),
        rule=f"Each event of {words} is with the client before the next one is sent.",
        bugs=("ggml-org/llama.cpp#20872", "BerriAI/litellm#29557", "Kong/kong#14425"),
        drive=lockstep(small_events, framing=framing),
        judge=judge_lockstep,
    )
    for framing, words in FRAMED.items()
)

SSE_VARIANTS: Final = (
    Case(
        id="flush.sse.charset",
        levels=levels("must", "must"),
        rule="A Content-Type of text/event-stream with a charset is one of server-sent events too, and passes at once.",
        bugs=("cloudflare/cloudflared#262",),
        drive=lockstep(small_events, media_type="text/event-stream; charset=utf-8"),
        judge=judge_lockstep,
        applies=is_sse,
    ),
    Case(
        id="flush.sse.crlf",
        levels=levels("must", "must"),
        rule="Events whose lines end with CR LF pass at once: a proxy that looks for two LFs never finds an end.",
        bugs=("traefik/traefik#503", "traefik/traefik#527"),
        drive=lockstep(crlf_events),
        judge=judge_lockstep,
        applies=is_sse,
    ),
    Case(
        id="flush.sse.get",
        levels=levels("must", "must"),
        rule="What answers a GET passes at once: that is how an EventSource asks.",
        bugs=("cloudflare/cloudflared#1449",),
        drive=flush_head.unless_refused(lockstep(small_events, asked=flush_head.getting)),
        judge=flush_head.judge_unless_refused(judge_lockstep),
        applies=flush_head.can_get,
    ),
    Case(
        id="flush.sse.post",
        levels=levels("must", "must"),
        rule="What answers a POST passes at once, hundreds of events and after pauses: that is how every LLM is asked.",
        bugs=("cloudflare/cloudflared#1449",),
        drive=lockstep(many_events, asked=posting),
        judge=judge_lockstep,
    ),
)


def _typed(
    case_id: str,
    source: Callable[[Stand], Source],
    media_type: str,
    framing: Framing,
    level: str = "must",
) -> Case:
    return Case(
        id=case_id,
        levels=levels("should" if level == "should" else "must", None),
        rule=f"Each piece of {FRAMED[framing]} passes at once in {media_type} too: nothing depends on the type.",
        bugs=("golang/go#41642", "golang/go#27816", "cloudflare/cloudflared#199", "cloudflare/cloudflared#1095"),
        drive=lockstep(source, framing=framing, media_type=media_type),
        judge=judge_lockstep,
    )


TYPES: Final = (
    _typed("flush.text.chunked", lines_of_text, "text/plain", "chunked"),
    _typed("flush.text.close", lines_of_text, "text/plain", "close"),
    _typed("flush.text.cl", lines_of_text, "text/plain", "cl", "should"),
    _typed("flush.ndjson", json_lines, "application/x-ndjson", "chunked"),
    _typed("flush.octet", octets, "application/octet-stream", "chunked"),
)

SIZES: Final = (
    Case(
        id="flush.1byte",
        levels=levels("must", None),
        rule="Each single byte passes at once: a proxy that waits for a line, an event or a full buffer holds it.",
        bugs=("ledgetech/lua-resty-http#181",),
        drive=lockstep(single_bytes, media_type="text/event-stream"),
        judge=judge_lockstep,
    ),
    *(
        Case(
            id=f"flush.mixed.{framing}",
            levels=levels("must", "must"),
            rule=f"Pieces of 1 to 300000 bytes of {FRAMED[framing]} pass at once, and whole: a buffer that small "
            "pieces go through may hold the tail of a large one.",
            bugs=("mostlygeek/llama-swap#236", "gravitational/teleport#69560", "elazarl/goproxy#794"),
            drive=lockstep(mixed_sizes, framing=framing),
            judge=judge_lockstep,
        )
        for framing in ("chunked", "close")
    ),
)

CODED: Final = tuple(
    Case(
        id=case_id,
        levels=levels("must", "must"),
        rule=rule,
        bugs=bugs,
        drive=lockstep(small_events, headers=headers, offers_gzip=True),
        judge=judge_lockstep,
    )
    for case_id, rule, bugs, headers in (
        (
            "flush.gzip",
            "Each event passes at once to a client that accepts gzip: a proxy that compresses has to flush.",
            ("traefik/traefik#5120", "Kludex/starlette#2753", "vercel/next.js#45048", "brendanlong/lion-reader#691"),
            (),
        ),
        (
            "flush.gzip.no-transform",
            "The same where the upstream says Cache-Control: no-transform, so that nobody ought to compress at all.",
            ("react/create-react-app#966", "webpack/webpack-dev-server#5449"),
            (("Cache-Control", "no-cache, no-transform"),),
        ),
    )
)

CASES: Final = (
    *flush_head.CASES,
    *SSE,
    *SSE_VARIANTS,
    *TYPES,
    *SIZES,
    *flush_comment.CASES,
    *CODED,
    *flush_concurrent.CASES,
)
