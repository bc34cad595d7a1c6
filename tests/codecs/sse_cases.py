"""The event-stream rules of WHATWG HTML section 9.2, each with the wire bytes that show it.

A case is written as pieces, and the pieces are the claim: joined they are the wire, and each piece made by `ev` ends
with the very byte that completes its event. So the table says both what comes out and when, and nothing of it is
computed by a decoder. The rules are numbered so:

1. UTF-8 with replacement; one leading byte order mark is dropped.
2. Lines end at CRLF, LF and CR, and nowhere else.
3. A CR ends its line at once; an LF right after it is swallowed.
4. A blank line dispatches; a leading colon makes a comment; else a field: name, colon, one optional space, value.
5. What the fields event, data, id and retry do; every other name is ignored.
6. What a dispatch does.
7. The end of the stream drops what is pending.
8. Open points of the standard: only that nothing breaks.

`bug` names a report of a decoder that had it wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

__all__ = ["CASES", "EVENT_NAMES", "Case", "Piece", "Triple"]

Triple = tuple[str, str, str]
"""An event as (event, data, id)."""


@dataclass(frozen=True)
class Piece:
    """Wire bytes, and the event that the last of them completes."""

    wire: bytes
    event: Triple | None = None


@dataclass(frozen=True)
class Case:
    """One rule, shown.

    Attributes:
        name: short and unique.
        rule: the rule's number, see the module's docstring.
        pieces: the wire, cut after each byte that completes an event.
        last_event_id: what the decoder knows after the whole wire.
        retry_ms: the same; -1 where the standard leaves it open.
        dropped: bytes since the last blank line when the wire ends inside an event or a line, else 0.
        bug: owner/repo#number of a decoder that had it wrong.
    """

    name: str
    rule: int
    pieces: tuple[Piece, ...]
    last_event_id: str = ""
    retry_ms: int | None = None
    dropped: int = 0
    bug: str = ""

    def __str__(self) -> str:
        return f"1.1.{self.rule}-{self.name}"

    @property
    def wire(self) -> bytes:
        return b"".join(piece.wire for piece in self.pieces)

    @property
    def events(self) -> list[Triple]:
        return [piece.event for piece in self.pieces if piece.event]

    @property
    def complete_at(self) -> list[int]:
        """For each event, how many bytes of the wire it takes to complete it."""
        ends = accumulate(len(piece.wire) for piece in self.pieces)
        return [end for end, piece in zip(ends, self.pieces, strict=True) if piece.event]


def ev(wire: bytes, data: str, event: str = "message", id: str = "") -> Piece:  # noqa: A002 - the field's own name
    """Return a piece whose last byte completes an event."""
    return Piece(wire, (event, data, id))


def case(
    name: str,
    rule: int,
    *pieces: Piece | bytes,
    last_event_id: str = "",
    retry_ms: int | None = None,
    dropped: int = 0,
    bug: str = "",
) -> Case:
    """Return a case; plain bytes among the pieces complete no event."""
    made = tuple(piece if isinstance(piece, Piece) else Piece(piece) for piece in pieces)
    return Case(name, rule, made, last_event_id, retry_ms, dropped, bug)


A = ev(b"data: a\n\n", "a")
B = ev(b"data: b\n\n", "b")

DECODING = (
    case("ascii", 1, A, B),
    case("two-bytes", 1, ev("data: é\n\n".encode(), "é")),
    case("three-bytes", 1, ev("data: 你好\n\n".encode(), "你好")),
    case("four-bytes", 1, ev("data: 👋🏽\n\n".encode(), "👋🏽")),
    case("in-every-value", 1, ev("event: é\nid: 你\ndata: 👋\n\n".encode(), "👋", "é", "你"), last_event_id="你"),
    case("bom-dropped", 1, ev(b"\xef\xbb\xbfdata: a\n\n", "a"), B, bug="openai/openai-python#3819"),
    case("bom-before-event", 1, ev(b"\xef\xbb\xbfevent: x\ndata: a\n\n", "a", "x"), bug="a2aproject/a2a-python#1259"),
    case("bom-before-comment", 1, ev(b"\xef\xbb\xbf: c\ndata: a\n\n", "a")),
    case("bom-before-blank-line", 1, ev(b"\xef\xbb\xbf\n\ndata: a\n\n", "a")),
    case("bom-before-crlf", 1, ev(b"\xef\xbb\xbf\r\ndata: a\r\n\r", "a"), b"\n"),
    case("bom-twice", 1, b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", B, bug="assistant-ui/assistant-ui#6954"),
    case("bom-on-second-line", 1, ev(b"data: a\n\xef\xbb\xbfdata: b\n\n", "a")),
    case("bom-on-second-event", 1, A, b"\xef\xbb\xbfdata: b\n\n"),
    case("bom-in-value", 1, ev(b"data: \xef\xbb\xbfa\xef\xbb\xbf\n\n", "\ufeffa\ufeff")),
    case("bom-starts-value", 1, ev(b"data:\xef\xbb\xbfa\n\n", "\ufeffa")),
    case("bom-after-bom-in-value", 1, ev(b"\xef\xbb\xbfdata:\xef\xbb\xbf a\n\n", "\ufeff a")),
    case("bom-alone", 1, b"\xef\xbb\xbf"),
    case("bom-two-thirds", 1, b"\xef\xbbdata: a\n\n", B),
    case("bom-one-third", 1, b"\xefdata: a\n\n", B),
    case("bom-wrong-third-byte", 1, b"\xef\xbb\xbedata: a\n\n", B),
    case("bom-of-utf-16", 1, b"\xff\xfedata: a\n\n", B),
    case("bom-interrupted", 1, b"\xef\xbb\n\xbfdata: a\n\n", B),
    case("lone-continuation", 1, ev(b"data: a\x80b\n\n", "a\ufffdb"), bug="mattt/EventSource#2"),
    case("two-continuations", 1, ev(b"data: \x80\xbf\n\n", "\ufffd\ufffd")),
    case("never-utf-8", 1, ev(b"data: \xfe\xff\n\n", "\ufffd\ufffd")),
    case("latin-1", 1, ev(b"data: caf\xe9!\n\n", "caf\ufffd!")),
    case("cut-two-bytes", 1, ev(b"data: \xc3\n\n", "\ufffd")),
    case("cut-three-bytes", 1, ev(b"data: \xe2\x82\n\n", "\ufffd"), bug="e2b-dev/code-interpreter#308"),
    case("cut-three-bytes-cr", 1, ev(b"data: \xe2\x82\r\r", "\ufffd")),
    case("cut-four-bytes", 1, ev(b"data: \xf0\x9f\x98x\n\n", "\ufffdx")),
    case("cut-then-whole", 1, ev(b"data: \xe2\x82\xe2\x82\xac\n\n", "\ufffd€")),
    case("cut-across-lines", 1, ev(b"data: \xe2\x82\ndata: \xac\n\n", "\ufffd\n\ufffd")),
    case("overlong-two", 1, ev(b"data: \xc0\xaf\n\n", "\ufffd\ufffd")),
    case("overlong-lf", 1, ev(b"data: a\xc0\x8ab\n\n", "a\ufffd\ufffdb")),
    case("overlong-three", 1, ev(b"data: \xe0\x80\xaf\n\n", "\ufffd" * 3)),
    case("surrogate", 1, ev(b"data: \xed\xa0\x80\n\n", "\ufffd" * 3)),
    case("surrogate-pair", 1, ev(b"data: \xed\xa0\xbd\xed\xb8\x80\n\n", "\ufffd" * 6)),
    case("beyond-unicode", 1, ev(b"data: \xf4\x90\x80\x80\n\n", "\ufffd" * 4)),
    case("five-bytes", 1, ev(b"data: \xf8\x88\x80\x80\x80\n\n", "\ufffd" * 5)),
    case("replacement-itself", 1, ev(b"data: \xef\xbf\xbd\n\n", "\ufffd")),
    case("noncharacter", 1, ev(b"data: \xef\xbf\xbf\n\n", "\uffff")),
    case("invalid-in-event", 1, ev(b"event: \xff\ndata: a\n\n", "a", "\ufffd")),
    case("invalid-in-id", 1, ev(b"id: \xff\ndata: a\n\n", "a", id="\ufffd"), last_event_id="\ufffd"),
    case("invalid-in-name", 1, b"data\xff: a\n\n", B),
    case("cut-before-colon", 1, b"data\xe2\x82: a\n\n", B),
    case("invalid-in-comment", 1, ev(b": \xff\xfe\ndata: a\n\n", "a")),
    case("nul-in-data", 1, ev(b"data: a\x00b\n\n", "a\x00b")),
    case("nul-in-event", 1, ev(b"event: x\x00y\ndata: a\n\n", "a", "x\x00y")),
    case("nul-before-line", 1, b"\x00data: a\n\n", B),
)

# Each pair of line ends: after the field, and as the blank line. The third is where the event is complete.
LINE_ENDS = (
    case("lf-lf", 2, A, B),
    case("crlf-crlf", 2, ev(b"data: a\r\n\r", "a"), ev(b"\ndata: b\r\n\r", "b"), b"\n", bug="miruamel/xuan#194"),
    case("cr-cr", 2, ev(b"data: a\r\r", "a"), ev(b"data: b\r\r", "b"), bug="withastro/flue#215"),
    case("lf-crlf", 2, ev(b"data: a\n\r", "a"), ev(b"\ndata: b\n\r", "b"), b"\n"),
    case("crlf-lf", 2, ev(b"data: a\r\n\n", "a"), ev(b"data: b\r\n\n", "b")),
    case("lf-cr", 2, ev(b"data: a\n\r", "a"), ev(b"data: b\n\r", "b")),
    case("cr-crlf", 2, ev(b"data: a\r\r", "a"), ev(b"\ndata: b\r\r", "b"), b"\n"),
    case("crlf-cr", 2, ev(b"data: a\r\n\r", "a"), ev(b"data: b\r\n\r", "b")),
    # CR LF is one line end, so no pair is a CR and an LF on its own: the LF below ends a third line.
    case("cr-then-crlf-then-lf", 2, ev(b"data: a\r\r", "a"), ev(b"\n\ndata: b\r\r", "b"), b"\n\n"),
    case("all-three", 2, ev(b"data: a\rdata: b\ndata: c\r\n\n", "a\nb\nc")),
    case("changes-in-stream", 2, A, ev(b"data: b\r\n\r", "b"), ev(b"\ndata: c\r\r", "c"), ev(b"data: d\n\n", "d")),
    case("vertical-tab", 2, ev(b"data: a\x0bdata: b\n\n", "a\x0bdata: b"), bug="Soju06/codex-lb#1010"),
    case("form-feed", 2, ev(b"data: a\x0cdata: b\n\n", "a\x0cdata: b"), bug="modelscope/evalscope#1642"),
    case("file-separator", 2, ev(b"data: a\x1cdata: b\n\n", "a\x1cdata: b")),
    case("group-separator", 2, ev(b"data: a\x1ddata: b\n\n", "a\x1ddata: b")),
    case("record-separator", 2, ev(b"data: a\x1edata: b\n\n", "a\x1edata: b")),
    case("next-line", 2, ev(b"data: a\xc2\x85data: b\n\n", "a\x85data: b"), bug="mpetazzoni/sseclient#9"),
    case("line-separator", 2, ev(b"data: a\xe2\x80\xa8b\n\n", "a\u2028b"), bug="florimondmanca/httpx-sse#34"),
    case("paragraph-separator", 2, ev(b"data: a\xe2\x80\xa9b\n\n", "a\u2029b"), bug="traycerai/traycer#2014"),
    case("separators-in-json", 2, ev(b'data: {"t":"\xe2\x80\xa8\xc2\x85"}\n\n', '{"t":"\u2028\x85"}'),
         bug="langgenius/dify#39008"),
    case("raw-byte-85", 2, ev(b"data: a\x85b\n\n", "a\ufffdb")),
    case("separator-as-blank-line", 2, ev(b"data: a\n\xe2\x80\xa8\ndata: b\n\n", "a\nb")),
    case("separator-in-event", 2, ev(b"event: x\xe2\x80\xa9y\ndata: a\n\n", "a", "x\u2029y")),
    case("separator-in-id", 2, ev(b"id: 1\xc2\x852\ndata: a\n\n", "a", id="1\x852"), last_event_id="1\x852"),
    case("spaces-are-no-blank-line", 2, ev(b"data: a\n \ndata: b\n\t\n\n", "a\nb")),
    case("line-ends-only", 2, b"\n\r\n\r\r\n\n\n"),
    case("blank-lines-first", 2, ev(b"\r\n\n\rdata: a\n\n", "a")),
)  # fmt: skip

CR_AND_LF = (
    case("cr-completes", 3, ev(b"data: a\r\r", "a")),
    case("cr-of-crlf-completes", 3, ev(b"data: a\r\n\r", "a")),
    case("crlf-makes-no-blank-line", 3, ev(b"data: a\r\ndata: b\r\n\r", "a\nb"), b"\n",
         bug="rexxars/eventsource-parser#17"),
    case("lf-after-cr-swallowed-once", 3, ev(b"data: a\r\n\n", "a"), bug="psf/requests#3980"),
    case("second-lf-is-a-line", 3, ev(b"data: a\ndata: b\r\n\n", "a\nb"), ev(b"\ndata: c\n\n", "c"),
         bug="psf/requests#3984"),
    case("lf-after-dispatching-cr", 3, ev(b"data: a\r\r", "a"), ev(b"\ndata: b\n\n", "b")),
    case("cr-then-data-then-lf", 3, ev(b"data: a\rdata: b\n\n", "a\nb"), bug="Effect-TS/effect#6954"),
    case("cr-lf-cr", 3, ev(b"data: a\r\n\r", "a"), ev(b"data: b\r\n\r", "b"), bug="ax-llm/ax#622"),
    case("cr-cr-lf-data", 3, ev(b"event: x\rdata: a\r\r", "a", "x"), ev(b"\ndata: b\r\r", "b")),
    case("lf-cr-lf", 3, ev(b"data: a\n\r", "a"), b"\n", B),
    case("cr-in-comment", 3, ev(b": c\rdata: a\r\r", "a")),
    case("cr-after-id", 3, ev(b"id: 1\rdata: a\r\r", "a", id="1"), last_event_id="1"),
    case("cr-after-retry", 3, b"retry: 7\r", retry_ms=7),
    case("crlf-after-retry", 3, b"retry: 7\r\n", retry_ms=7),
    case("crlf-in-every-field", 3, ev(b"event: x\r\nid: 1\r\nretry: 9\r\ndata: a\r\n\r", "a", "x", "1"), b"\n",
         last_event_id="1", retry_ms=9, bug="clacky-ai/openclacky#489"),
    case("cr-cr-cr", 3, ev(b"data: a\r\r", "a"), ev(b"\rdata: b\r\r", "b")),
)  # fmt: skip

PARSING = (
    case("one-space-dropped", 4, ev(b"data: a\n\n", "a")),
    case("no-space", 4, ev(b"data:a\n\n", "a")),
    case("two-spaces", 4, ev(b"data:  a\n\n", " a")),
    case("only-spaces", 4, ev(b"data:   \n\n", "  ")),
    case("trailing-space", 4, ev(b"data: a \n\n", "a ")),
    case("tab-kept", 4, ev(b"data:\ta\n\n", "\ta")),
    case("no-break-space-kept", 4, ev(b"data:\xc2\xa0a\n\n", "\xa0a")),
    case("colon-in-value", 4, ev(b'data: {"a": "b:c"}\n\n', '{"a": "b:c"}')),
    case("colon-starts-value", 4, ev(b"data::a\n\n", ":a")),
    case("colons-only", 4, ev(b"data:::\n\n", "::")),
    case("space-colon-value", 4, ev(b"data: : a\n\n", ": a")),
    case("field-in-value", 4, ev(b"data: data: a\n\n", "data: a")),
    case("comment", 4, b": hello\n\n", A),
    case("comment-empty", 4, b":\n\n", A),
    case("comment-no-space", 4, b":hello\n", A),
    case("comment-like-data", 4, b":data: x\n\n", A),
    case("comment-inside-event", 4, ev(b"data: a\n: c\ndata: b\n\n", "a\nb")),
    case("comment-last-in-event", 4, ev(b"data: a\n:\n\n", "a")),
    case("comment-heartbeats", 4, b": ping\n\n: ping\n\n: ping\n\n", A, b": ping\n\n"),
    case("comment-colons", 4, b"::::\n", A),
    case("space-before-name", 4, b" data: a\n\n", B),
    case("space-after-name", 4, b"data : a\n\n", B),
    case("tab-before-name", 4, b"\tdata: a\n\n", B),
    case("capital-name", 4, b"Data: a\n\n", B),
    case("upper-case-name", 4, b"DATA: a\n\n", B),
    case("nul-after-name", 4, b"data\x00: a\n\n", B),
    case("name-too-long", 4, b"dataa: a\n\n", B),
    case("name-too-short", 4, b"dat: a\n\n", B),
    case("name-empty-value", 4, b"events:\nids:\nretrys:\n\n", B),
    case("unknown-name", 4, ev(b"foo: x\ndata: a\nbar\n\n", "a")),
    case("unknown-names-only", 4, b"foo: x\nbar\n\n", A),
    case("json-line-without-field", 4, b'{"a": 1}\n\n', A),
    case("capital-event", 4, ev(b"Event: x\ndata: a\n\n", "a")),
    case("capital-id", 4, ev(b"ID: 1\nId: 2\ndata: a\n\n", "a")),
    case("capital-retry", 4, b"Retry: 5\n\n", A),
    case("space-before-event", 4, ev(b" event: x\ndata: a\n\n", "a")),
    case("space-before-id", 4, ev(b" id: 1\ndata: a\n\n", "a")),
    case("space-before-comment", 4, ev(b" : c\ndata: a\n\n", "a")),
    case("name-without-colon", 4, ev(b"data\n\n", "")),
    case("event-without-colon", 4, ev(b"event: x\nevent\ndata: a\n\n", "a")),
    case("id-without-colon", 4, ev(b"id: 1\nid\ndata: a\n\n", "a")),
    case("retry-without-colon", 4, b"retry: 5\nretry\n", A, retry_ms=-1),
    case("event-two-spaces", 4, ev(b"event:  x \ndata: a\n\n", "a", " x ")),
    case("id-two-spaces", 4, ev(b"id:  1 \ndata: a\n\n", "a", id=" 1 "), last_event_id=" 1 "),
    case("event-colon", 4, ev(b"event: a:b\ndata: a\n\n", "a", "a:b")),
    case("id-colon", 4, ev(b"id: a:b\ndata: a\n\n", "a", id="a:b"), last_event_id="a:b"),
)

DATA_AND_EVENT = (
    case("data-joined", 5, ev(b"data: a\ndata: b\ndata: c\n\n", "a\nb\nc")),
    case("data-empty", 5, ev(b"data:\n\n", "")),
    case("data-empty-space", 5, ev(b"data: \n\n", "")),
    case("data-two-empty", 5, ev(b"data\ndata\n\n", "\n")),
    case("data-three-empty", 5, ev(b"data:\ndata: \ndata\n\n", "\n\n")),
    case("data-empty-last", 5, ev(b"data: a\ndata:\n\n", "a\n")),
    case("data-empty-first", 5, ev(b"data:\ndata: a\n\n", "\na")),
    case("data-empty-between", 5, ev(b"data: a\ndata\ndata: b\n\n", "a\n\nb")),
    case("data-around-others", 5, ev(b"data: a\nevent: x\ndata: b\nid: 1\ndata: c\n\n", "a\nb\nc", "x", "1"),
         last_event_id="1"),
    case("data-json-in-lines", 5, ev(b'data: {\ndata: "a": 1\ndata: }\n\n', '{\n"a": 1\n}')),
    case("event-named", 5, ev(b"event: ping\ndata: a\n\n", "a", "ping")),
    case("event-after-data", 5, ev(b"data: a\nevent: x\n\n", "a", "x")),
    case("event-last-wins", 5, ev(b"event: x\nevent: y\ndata: a\n\n", "a", "y")),
    case("event-empty", 5, ev(b"event:\ndata: a\n\n", "a")),
    case("event-empty-wins", 5, ev(b"event: x\nevent: \ndata: a\n\n", "a")),
    case("event-message", 5, ev(b"event: message\ndata: a\n\n", "a", "message")),
    case("event-error", 5, ev(b"event: error\ndata: a\n\n", "a", "error")),
    case("event-open", 5, ev(b"event: open\ndata: a\n\n", "a", "open")),
    case("event-spaces-inside", 5, ev(b"event: a b\ndata: a\n\n", "a", "a b")),
)  # fmt: skip

ID = (
    case("id", 5, ev(b"id: 1\ndata: a\n\n", "a", id="1"), last_event_id="1"),
    case("id-after-data", 5, ev(b"data: a\nid: 1\n\n", "a", id="1"), last_event_id="1"),
    case("id-last-wins", 5, ev(b"id: 1\nid: 2\ndata: a\n\n", "a", id="2"), last_event_id="2"),
    case("id-sticky", 5, ev(b"id: 1\ndata: a\n\n", "a", id="1"), ev(b"data: b\n\n", "b", id="1"),
         ev(b"event: x\ndata: c\n\n", "c", "x", "1"), last_event_id="1", bug="EventSource/eventsource#358"),
    case("id-empty-resets", 5, ev(b"id: 1\ndata: a\n\n", "a", id="1"), ev(b"id:\ndata: b\n\n", "b"), B,
         bug="mpetazzoni/sse.js#50"),
    case("id-no-colon-resets", 5, ev(b"id: 1\ndata: a\n\n", "a", id="1"), ev(b"id\ndata: b\n\n", "b"),
         bug="modelcontextprotocol/typescript-sdk#2771"),
    case("id-nul-ignored", 5, ev(b"id: 1\ndata: a\n\n", "a", id="1"), ev(b"id: 2\x003\ndata: b\n\n", "b", id="1"),
         last_event_id="1", bug="rexxars/eventsource-parser#34"),
    case("id-nul-keeps-earlier-in-block", 5, ev(b"id: 1\nid: \x00\ndata: a\n\n", "a", id="1"), last_event_id="1"),
    case("id-nul-then-good", 5, ev(b"id: \x00\nid: 2\ndata: a\n\n", "a", id="2"), last_event_id="2"),
    case("id-nul-first", 5, ev(b"id: \x00\ndata: a\n\n", "a")),
    case("id-json", 5, ev(b'id: {"n":1}\ndata: a\n\n', "a", id='{"n":1}'), last_event_id='{"n":1}'),
    case("id-changes", 5, ev(b"id: 1\ndata: a\n\n", "a", id="1"), ev(b"id: 2\ndata: b\n\n", "b", id="2"),
         ev(b"data: c\n\n", "c", id="2"), last_event_id="2"),
)  # fmt: skip

RETRY = (
    case("retry", 5, b"retry: 3000\n\n", retry_ms=3000),
    case("retry-no-space", 5, b"retry:3000\n\n", retry_ms=3000),
    case("retry-at-its-line", 5, b"retry: 3000\n", retry_ms=3000),
    case("retry-zero", 5, b"retry: 0\n\n", retry_ms=0),
    case("retry-leading-zeros", 5, b"retry: 0010\n\n", retry_ms=10),
    case("retry-last-wins", 5, b"retry: 1\nretry: 2\n\n", retry_ms=2),
    case("retry-bad-keeps-earlier", 5, b"retry: 1\nretry: x\n\n", retry_ms=1),
    case("retry-with-event", 5, ev(b"retry: 5\nevent: x\ndata: a\n\n", "a", "x"), retry_ms=5),
    case("retry-plus", 5, b"retry: +1\n\n", A, bug="openai/openai-python#3834"),
    case("retry-minus", 5, b"retry: -1\n\n", A, bug="spring-projects/spring-framework#37193"),
    case("retry-underscore", 5, b"retry: 1_000\n\n", A, bug="softwaremill/sttp-model#485"),
    case("retry-point", 5, b"retry: 1.5\n\n", A),
    case("retry-exponent", 5, b"retry: 1e3\n\n", A, bug="Effect-TS/effect#7048"),
    case("retry-hex", 5, b"retry: 0x10\n\n", A),
    case("retry-two-spaces", 5, b"retry:  10\n\n", A),
    case("retry-trailing-space", 5, b"retry: 10 \n\n", A),
    case("retry-tab", 5, b"retry: \t10\n\n", A),
    case("retry-unit", 5, b"retry: 10ms\n\n", A),
    case("retry-word", 5, b"retry: soon\n\n", A, bug="will-ockmore/httpx-retries#59"),
    case("retry-nul", 5, b"retry: 1\x00\n\n", A),
    case("retry-arabic-digits", 5, "retry: ٣٠٠\n\n".encode(), A),
    case("retry-full-width-digits", 5, "retry: \uff13\uff10\n\n".encode(), A),
    case("retry-superscript", 5, "retry: ²\n\n".encode(), A),
    case("retry-invalid-utf-8", 5, b"retry: 1\xff\n\n", A),
    case("retry-64-bit", 5, b"retry: 4294967296\n\n", A, retry_ms=-1),
)

DISPATCH = (
    case("no-data-no-event", 6, b"event: ping\n\n", A),
    case("no-data-clears-type", 6, b"event: x\n\n", ev(b"data: a\n\n", "a")),
    case("no-data-commits-id", 6, b"id: 1\n\n", ev(b"data: a\n\n", "a", id="1"), last_event_id="1",
         bug="rexxars/eventsource-parser#39"),
    case("no-data-commits-id-at-end", 6, b"id: 1\n\n", last_event_id="1"),
    case("no-data-commits-empty-id", 6, ev(b"id: 1\ndata: a\n\n", "a", id="1"), b"id:\n\n", B),
    case("no-data-with-comment", 6, b"event: x\n: c\n\n", A),
    case("no-data-with-retry", 6, b"event: x\nretry: 4\n\n", A, retry_ms=4),
    case("type-cleared", 6, ev(b"event: x\ndata: a\n\n", "a", "x"), B),
    case("type-cleared-then-set", 6, ev(b"event: x\ndata: a\n\n", "a", "x"), ev(b"event: y\ndata: b\n\n", "b", "y")),
    case("data-cleared", 6, ev(b"data: a\ndata: b\n\n", "a\nb"), ev(b"data: c\n\n", "c")),
    case("id-buffer-kept", 6, b"id: 1\n\n\n\n", ev(b"event: x\ndata: a\n\n", "a", "x", "1"), last_event_id="1"),
    case("id-committed-at-blank-line-only", 6, A, b"id: 1\n", dropped=6),
    case("one-lf-removed", 6, ev(b"data: a\ndata\ndata\n\n", "a\n\n")),
    case("blank-lines-between", 6, A, b"\n\n\n", B, b"\n"),
    case("blank-lines-repeat-nothing", 6, A, b"\n\n\n\n"),
    case("empty-data-dispatched", 6, ev(b"data\n\n", ""), ev(b"data:\n\n", "")),
    case("empty-data-named", 6, ev(b"event: done\ndata:\n\n", "", "done")),
    case("three-in-a-row", 6, A, B, ev(b"data: c\n\n", "c")),
    case("comment-block-between", 6, A, b": keep-alive\n\n", B),
)  # fmt: skip

END = (
    case("empty-stream", 7, b""),
    case("inside-line", 7, b"data: a", dropped=7),
    case("after-line", 7, b"data: a\n", dropped=8),
    case("after-crlf-line", 7, b"data: a\r\n", dropped=9),
    case("after-cr-line", 7, b"data: a\r", dropped=8),
    case("second-event", 7, A, b"data: b\n", dropped=8),
    case("second-event-line", 7, A, b"data: b", dropped=7),
    case("second-event-after-crlf", 7, ev(b"data: a\r\n\r", "a"), b"\ndata: b", dropped=7),
    case("second-event-after-cr", 7, ev(b"data: a\r\r", "a"), b"data: b", dropped=7),
    case("after-blank-cr", 7, ev(b"data: a\r\n\r", "a")),
    case("inside-name", 7, A, b"dat", dropped=3),
    case("inside-comment", 7, A, b": pi", dropped=4),
    case("after-comment", 7, A, b": ping\n"),
    case("inside-character", 7, A, b"data: \xe2\x82", dropped=8),
    case("id-not-committed", 7, ev(b"id: 1\ndata: a\n\n", "a", id="1"), b"id: 2\ndata: b\n", last_event_id="1",
         dropped=14, bug="langchain-ai/langgraph#9009"),
    case("id-alone-not-committed", 7, b"id: 1\n", dropped=6),
    case("type-alone", 7, b"event: x\n", dropped=9),
    case("retry-complete", 7, A, b"retry: 5\n", retry_ms=5),
    case("retry-incomplete", 7, A, b"retry: 5", dropped=8),
    case("retry-inside-event", 7, b"retry: 5\ndata: a\n", retry_ms=5, dropped=17),
    case("data-and-partial", 7, b"data: a\ndata: b\nda", dropped=18),
)  # fmt: skip

OPEN_POINTS = (
    case("retry-empty", 8, b"retry:\n\n", A, retry_ms=-1),
    case("retry-empty-after-good", 8, b"retry: 5\nretry:\n\n", A, retry_ms=-1),
    case("retry-4301-digits", 8, b"retry: " + b"1" * 4301 + b"\n\n", A, retry_ms=-1, bug="openai/openai-python#3835"),
    case("retry-4301-zeros", 8, b"retry: " + b"0" * 4301 + b"\n\n", A, retry_ms=-1),
)

OPENAI = b'data: {"id":"c-1","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
ANTHROPIC = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"%s"}}\n\n'


def openai_chunk(text: bytes) -> Piece:
    wire = OPENAI % text
    return ev(wire, wire[6:-2].decode())


def anthropic_delta(text: bytes) -> Piece:
    wire = ANTHROPIC % text
    return ev(wire, wire[33:-2].decode(), "content_block_delta")


REAL_STREAMS = (
    case("openai-chat", 6, openai_chunk(b"Hel"), openai_chunk(b"lo \xf0\x9f\x91\x8b"),
         ev(b"data: [DONE]\n\n", "[DONE]")),
    case("anthropic-messages", 6, ev(b'event: message_start\ndata: {"type":1}\n\n', '{"type":1}', "message_start"),
         ev(b'event: ping\ndata: {"type": "ping"}\n\n', '{"type": "ping"}', "ping"),
         anthropic_delta(b"Hel"), anthropic_delta(b"lo")),
    case("openrouter-heartbeats", 4, b": OPENROUTER PROCESSING\n\n" * 2, openai_chunk(b"x"),
         b": OPENROUTER PROCESSING\n\n"),
    case("gemini-crlf", 2, ev(b'data: {"candidates": []}\r\n\r', '{"candidates": []}'),
         ev(b'\ndata: {"candidates": []}\r\n\r', '{"candidates": []}'), b"\n"),
)  # fmt: skip

# Longer than 4 KiB: a decoder may take another way through chunks of this size.
MANY = (openai_chunk(b"tok\xc3\xa9n"),) * 50
SHORT = (A, B) * 300
LONG = (
    case("bulk", 6, *MANY, bug="can1357/oh-my-pi#5542"),
    case("bulk-short-events", 6, *SHORT),
    case("bulk-then-cut", 7, *MANY, b"data: x", dropped=7),
    case("bulk-then-cut-after-line", 7, *MANY, b"data: x\n", dropped=8),
    case("bulk-after-bom", 1, b"\xef\xbb\xbf", *MANY),
    case("bulk-after-id", 5, b"id: 7\n\n", *(ev(b"data: a\n\n", "a", id="7"),) * 600, last_event_id="7"),
    case("bulk-after-open-id", 5, b"id: 7\n", *(ev(b"data: a\n\n", "a", id="7"),) * 600, last_event_id="7"),
    case("bulk-after-open-event", 6, b"event: x\n", ev(b"data: a\n\n", "a", "x"), *MANY),
    case("bulk-after-open-data", 6, ev(b"data: x\ndata: a\n\n", "x\na"), *MANY),
    case("bulk-after-cr", 3, ev(b"data: a\r\r", "a"), *MANY),
    case("bulk-with-comment", 4, *MANY, b": c\n", *MANY),
    case("bulk-with-comment-block", 4, *MANY, b": c\n\n", *MANY),
    case("bulk-with-blank-lines", 6, *MANY, b"\n\n", *MANY, b"\n", *MANY),
    case("bulk-with-two-lines", 5, *MANY, ev(b"data: a\ndata: b\n\n", "a\nb"), *MANY),
    case("bulk-with-two-blank-and-short", 5, *MANY, b"\n", ev(b"data\n\n", ""), *MANY),
    case("bulk-with-empty-data", 5, *MANY, ev(b"data: \n\n", ""), ev(b"data:\n\n", ""), *MANY),
    case("bulk-with-no-space", 4, *MANY, ev(b"data:a\n\n", "a"), *MANY),
    case("bulk-with-two-spaces", 4, *MANY, ev(b"data:  a\n\n", " a"), *MANY),
    case("bulk-with-event", 5, *MANY, anthropic_delta(b"a"), *MANY),
    case("bulk-with-id", 5, *SHORT, ev(b"id: 1\ndata: x\n\n", "x", id="1"), *(ev(b"data: a\n\n", "a", id="1"),) * 600,
         last_event_id="1"),
    case("bulk-with-id-block", 6, *SHORT, b"id: 1\n\n", *(ev(b"data: a\n\n", "a", id="1"),) * 600, last_event_id="1"),
    case("bulk-with-retry", 5, *MANY, b"retry: 5\n\n", *MANY, retry_ms=5),
    case("bulk-with-unknown", 4, *MANY, b"x\n\n", *MANY),
    case("bulk-with-crlf", 2, *MANY, ev(b"data: a\r\n\r", "a"), b"\n", *MANY),
    case("bulk-with-cr", 2, *MANY, ev(b"data: a\rdata: b\n\n", "a\nb"), *MANY),
    case("bulk-with-separator", 2, *MANY, ev(b"data: a\xe2\x80\xa8b\n\n", "a\u2028b"), *MANY),
    case("bulk-with-invalid-utf-8", 1, *MANY, ev(b"data: \xff\n\n", "\ufffd"), ev(b"data: \xe2\x82\n\n", "\ufffd"),
         *MANY),
    case("bulk-with-bom", 1, *MANY, ev(b"data: \xef\xbb\xbfa\n\n", "\ufeffa"), b"\xef\xbb\xbfdata: b\n\n", *MANY),
    case("bulk-with-data-in-data", 4, *MANY, ev(b"data: data: a\n\n", "data: a"), *MANY),
    case("bulk-crlf", 2, ev(b"data: a\r\n\r", "a"), *(ev(b"\ndata: b\r\n\r", "b"),) * 400, b"\n"),
    case("bulk-anthropic", 5, *(anthropic_delta(b"tok"),) * 50),
    case("line-of-70-kb", 6, ev(b"data: " + b"x" * 70_000 + b"\n\n", "x" * 70_000), A, bug="openai/openai-go#368"),
    case("event-of-many-lines", 5, ev(b"data: x\n" * 1000 + b"\n", "\n".join("x" * 1000)), A, bug="tmaxmax/go-sse#32"),
)  # fmt: skip

CASES: tuple[Case, ...] = (
    *DECODING, *LINE_ENDS, *CR_AND_LF, *PARSING, *DATA_AND_EVENT, *ID, *RETRY, *DISPATCH, *END, *OPEN_POINTS,
    *REAL_STREAMS, *LONG,
)  # fmt: skip

EVENT_NAMES: frozenset[str] = frozenset(event for case in CASES for event, _, _ in case.events)
"""Every event name that the table expects: a browser reports only the names that it was told to listen for."""
