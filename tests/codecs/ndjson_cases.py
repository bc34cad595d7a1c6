"""The rules of newline-delimited JSON, each with the wire bytes that show it, and JSON texts that peers disagree on.

`CASES` is about framing: what ends a record, blank lines, the byte-order mark, the last line. As in sse_cases.py a case
is pieces, and a piece with an outcome ends with the very byte that decides it; `at_end` is what the end of the input
decides.

`TEXTS` is about one record: which JSON texts have a value, which one, and what is wrong with the others, and where.
"Where" is the first byte with which the text can no longer become a JSON text that is accepted; for a number out of
range, a lone surrogate and an invalid UTF-8 sequence it is their first byte; where the text merely ends too early it is
its length. `peers` names libraries that had it wrong when measured (json 3.11, orjson 3.13, pysimdjson 7.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

__all__ = ["CASES", "NOTHING", "TEXTS", "Bad", "Case", "Piece", "Text"]

NOTHING = ...
"""The outcome of a piece that completes no record (null is a value, so None cannot say it)."""


@dataclass(frozen=True)
class Bad:
    """A record without a value.

    Attributes:
        code: the code of its error.
        offset: where: in the stream for a case, in the text for a text.
    """

    code: str
    offset: int


@dataclass(frozen=True)
class Piece:
    """Wire bytes, and the value or `Bad` that the last of them decides."""

    wire: bytes
    outcome: object = NOTHING


@dataclass(frozen=True)
class Case:
    """One rule of framing, shown.

    Attributes:
        name: short and unique.
        rule: the point of the NDJSON table that it belongs to.
        pieces: the wire, cut after each byte that decides a record.
        at_end: what the end of the input decides: a value, a `Bad` with the code "truncated", or NOTHING.
        bug: owner/repo#number of a decoder that had it wrong.
    """

    name: str
    rule: str
    pieces: tuple[Piece, ...]
    at_end: object = NOTHING
    bug: str = ""

    def __str__(self) -> str:
        return f"1.2-{self.rule}-{self.name}"

    @property
    def wire(self) -> bytes:
        return b"".join(piece.wire for piece in self.pieces)

    @property
    def outcomes(self) -> list[object]:
        """What a decoder yields, the end of the input included."""
        return [item for item in (*(piece.outcome for piece in self.pieces), self.at_end) if item is not NOTHING]

    @property
    def decided_at(self) -> list[int]:
        """For each outcome before the end of the input, how many bytes of the wire decide it."""
        ends = accumulate(len(piece.wire) for piece in self.pieces)
        return [end for end, piece in zip(ends, self.pieces, strict=True) if piece.outcome is not NOTHING]


def rec(wire: bytes, outcome: object) -> Piece:
    """Return a piece whose last byte decides a record."""
    return Piece(wire, outcome)


def case(name: str, rule: str, *pieces: Piece | bytes, at_end: object = NOTHING, bug: str = "") -> Case:
    """Return a case; plain bytes among the pieces decide nothing."""
    made = tuple(piece if isinstance(piece, Piece) else Piece(piece) for piece in pieces)
    return Case(name, rule, made, at_end, bug)


ONE = rec(b'{"a":1}\n', {"a": 1})
TWO = rec(b'{"b":2}\n', {"b": 2})

DELIMITER = (
    case("lf", "delimiter", ONE, TWO),
    case("crlf", "delimiter", rec(b'{"a":1}\r\n', {"a": 1}), rec(b'{"b":2}\r\n', {"b": 2})),
    case("mixed", "delimiter", ONE, rec(b'{"b":2}\r\n', {"b": 2}), ONE),
    case("cr-only-is-none", "delimiter", rec(b"1\r2\n", Bad("invalid-json", 2))),
    case("cr-only-between-objects", "delimiter", ONE, rec(b'{"a":1}\r{"b":2}\n', Bad("invalid-json", 16))),
    case("cr-before-record", "delimiter", rec(b"\r1\n", 1)),
    case("cr-cr-lf", "delimiter", rec(b"1\r\r\n", 1)),
    case("lf-cr", "delimiter", rec(b"1\n", 1), rec(b"\r2\n", 2), b"\r"),
    case("vertical-tab", "delimiter", rec(b"1\x0b2\n", Bad("invalid-json", 1))),
    case("form-feed", "delimiter", rec(b"1\x0c2\n", Bad("invalid-json", 1))),
    case("record-separator", "delimiter", rec(b"\x1e1\n", Bad("invalid-json", 0))),
    case("next-line", "delimiter", rec(b'"a\xc2\x85b"\n', "a\x85b"), bug="langgenius/dify#39008"),
    case("line-separator", "delimiter", rec(b'"a\xe2\x80\xa8b"\n', "a\u2028b"), bug="traycerai/traycer#2014"),
    case("paragraph-separator", "delimiter", rec(b'"a\xe2\x80\xa9b"\n', "a\u2029b")),
    case("separator-between", "delimiter", rec(b"1\xe2\x80\xa82\n", Bad("invalid-json", 1))),
    case("nul", "delimiter", rec(b"1\x00\n", Bad("invalid-json", 1))),
)

INSIDE = (
    case("lf-inside-object", "inside", rec(b'{"a":\n', Bad("invalid-json", 5)), rec(b"1}\n", Bad("invalid-json", 7))),
    case("lf-inside-string", "inside", rec(b'"a\n', Bad("invalid-json", 2)), rec(b'b"\n', Bad("invalid-json", 3))),
    case("cr-between-tokens", "inside", rec(b'{"a":\r1,\r"b":\r2}\r\n', {"a": 1, "b": 2})),
    case("cr-inside-string", "inside", rec(b'"a\rb"\n', Bad("invalid-json", 2))),
    case("escaped-lf", "inside", rec(b'"a\\nb\\r"\n', "a\nb\r")),
    case("spaces-around", "inside", rec(b" \t1\t \n", 1)),
)

BLANK = (
    case("empty-line", "blank", ONE, b"\n", TWO, bug="wbolster/jsonlines#18"),
    case("empty-line-crlf", "blank", ONE, b"\r\n", TWO, bug="microsoft/graphrag#2424"),
    case("empty-lines-first", "blank", b"\n\r\n\n", ONE),
    case("empty-lines-last", "blank", ONE, b"\n\n\r\n", bug="run-llama/llama_index#23097"),
    case("spaces", "blank", ONE, b"  \n\t\n \t\r\n", TWO, bug="kindly/flatterer#35"),
    case("carriage-returns", "blank", b"\r\r\r\n", ONE, b"\r\r\n"),
    case("only-blank", "blank", b"\n\n\r\n  \n"),
    case("vertical-tab-is-not-blank", "blank", rec(b"\x0b\n", Bad("invalid-json", 0)), ONE),
    case("no-break-space-is-not-blank", "blank", ONE, rec(b"\xc2\xa0\n", Bad("invalid-json", 8))),
    case("nul-is-not-blank", "blank", rec(b"\x00\n", Bad("invalid-json", 0))),
)

LAST_LINE = (
    case("empty-input", "last-line", b""),
    case("without-lf", "last-line", ONE, b'{"b":2}', at_end={"b": 2}),
    case("only-line-without-lf", "last-line", b'{"a":1}', at_end={"a": 1}),
    case("number", "last-line", b"12", at_end=12),
    case("literal", "last-line", b"null", at_end=None),
    case("with-cr", "last-line", b"1\r", at_end=1),
    case("spaces", "last-line", ONE, b"  \t", at_end=NOTHING),
    case("cut-object", "last-line", ONE, b'{"b":', at_end=Bad("truncated", 13)),
    case("cut-string", "last-line", b'{"content":"Hel', at_end=Bad("truncated", 15)),
    case("cut-number", "last-line", b"[1.", at_end=Bad("truncated", 3)),
    case("cut-literal", "last-line", b"tru", at_end=Bad("truncated", 3)),
    case("cut-escape", "last-line", b'"a\\u00', at_end=Bad("truncated", 6)),
    case("cut-character", "last-line", b'"\xe2\x82', at_end=Bad("truncated", 1)),
    case("wrong-rather-than-cut", "last-line", b"{]", at_end=Bad("truncated", 1)),
    case("cut-after-blank", "last-line", ONE, b"\n\n{", at_end=Bad("truncated", 11)),
)

BYTE_ORDER_MARK = (
    case("dropped", "bom", rec(b"\xef\xbb\xbf1\n", 1), rec(b"2\n", 2)),
    case("before-blank", "bom", b"\xef\xbb\xbf\n", ONE),
    case("before-crlf", "bom", b"\xef\xbb\xbf\r\n", ONE),
    case("alone", "bom", b"\xef\xbb\xbf"),
    case("before-last-line", "bom", b"\xef\xbb\xbf1", at_end=1),
    case("before-cut", "bom", b"\xef\xbb\xbf[", at_end=Bad("truncated", 4)),
    case("before-bad", "bom", rec(b"\xef\xbb\xbf[}\n", Bad("invalid-json", 4))),
    case("twice", "bom", rec(b"\xef\xbb\xbf\xef\xbb\xbf1\n", Bad("invalid-json", 3))),
    case("on-second-line", "bom", ONE, rec(b"\xef\xbb\xbf1\n", Bad("invalid-json", 8))),
    case("on-last-line", "bom", ONE, b"\xef\xbb\xbf1", at_end=Bad("truncated", 8)),
    case("after-blank-line", "bom", b"\n", rec(b"\xef\xbb\xbf1\n", Bad("invalid-json", 1))),
    case("after-space", "bom", rec(b" \xef\xbb\xbf1\n", Bad("invalid-json", 1))),
    case("in-string", "bom", rec(b'"\xef\xbb\xbf"\n', "\ufeff")),
    case("cut", "bom", rec(b"\xef\xbb1\n", Bad("invalid-utf8", 0))),
    case("utf-16-le", "bom", rec(b"\xff\xfe1\x00\n", Bad("invalid-utf8", 0)), rec(b"\x00\n", Bad("invalid-json", 5))),
    case("utf-16-be", "bom", rec(b"\xfe\xff\x001\x00\n", Bad("invalid-utf8", 0))),
    case("utf-16-le-unmarked", "bom", rec(b'{\x00"\x00a\x00"\x00}\x00\n', Bad("invalid-json", 1))),
    case("utf-32-le-unmarked", "bom", rec(b"1\x00\x00\x00\n", Bad("invalid-json", 1))),
)

BAD_LINE = (
    case("between-good", "bad-line", ONE, rec(b"nope\n", Bad("invalid-json", 9)), TWO),
    case("first", "bad-line", rec(b"nope\n", Bad("invalid-json", 1)), ONE),
    case("two", "bad-line", rec(b"[\n", Bad("invalid-json", 1)), rec(b"]\n", Bad("invalid-json", 2)), ONE),
    case("bad-utf-8", "bad-line", ONE, rec(b'"\xff"\n', Bad("invalid-utf8", 9)), TWO),
    case(
        "bad-utf-8-across-lines",
        "bad-line",
        rec(b'"\xe2\x82\n', Bad("invalid-utf8", 1)),
        rec(b'\xac"\n', Bad("invalid-utf8", 4)),
    ),
    case("after-blank", "bad-line", b"\n\n", ONE, rec(b"!\n", Bad("invalid-json", 10))),
)

OLLAMA = b'{"model":"m","message":{"role":"assistant","content":"%s"},"done":false}\n'
CHUNK = rec(OLLAMA % "é👋".encode(), {"model": "m", "message": {"role": "assistant", "content": "é👋"}, "done": False})
LONG = (
    case("many", "long", *(CHUNK,) * 100),
    case("many-crlf", "long", *(rec(CHUNK.wire[:-1] + b"\r\n", CHUNK.outcome),) * 100),
    case("many-with-blank", "long", *(CHUNK,) * 50, b"\n", *(CHUNK,) * 50),
    case(
        "many-with-bad",
        "long",
        *(CHUNK,) * 50,
        rec(b"[1,]\n", Bad("invalid-json", 50 * len(CHUNK.wire) + 3)),
        *(CHUNK,) * 50,
    ),
    case("many-with-long", "long", *(CHUNK,) * 20, rec(b'"' + b"x" * 5000 + b'"\n', "x" * 5000), *(CHUNK,) * 20),
    case("many-then-cut", "long", *(CHUNK,) * 50, b'{"a":"', at_end=Bad("truncated", 50 * len(CHUNK.wire) + 6)),
    case("line-of-70-kb", "long", rec(b'"' + b"x" * 70_000 + b'"\n', "x" * 70_000), ONE, bug="cloudwego/hertz#1441"),
)

CASES: tuple[Case, ...] = (
    *DELIMITER, *INSIDE, *BLANK, *LAST_LINE, *BYTE_ORDER_MARK, *BAD_LINE, *LONG,
)  # fmt: skip


@dataclass(frozen=True)
class Text:
    """One JSON text, alone on its line.

    Attributes:
        name: short and unique.
        text: without the line end.
        outcome: its value, or what is wrong.
        peers: libraries that had it wrong.
    """

    name: str
    text: bytes
    outcome: object
    peers: str = ""

    def __str__(self) -> str:
        return f"{'reject' if isinstance(self.outcome, Bad) else 'accept'}-{self.name}"


def no(name: str, text: bytes, offset: int, code: str = "invalid-json", peers: str = "") -> Text:
    return Text(name, text, Bad(code, offset), peers)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def nested_value(depth: int) -> object:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def nested_object(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = {"a": value}
    return value


ACCEPTED = (
    Text("object", b'{"a":1}', {"a": 1}),
    Text("object-empty", b"{}", {}),
    Text("object-nested", b'{"a":{"b":[{"c":null}]}}', {"a": {"b": [{"c": None}]}}),
    Text("object-empty-key", b'{"":0}', {"": 0}),
    Text("object-escaped-key", b'{"\\u0061\\n":1}', {"a\n": 1}),
    Text("object-duplicate-keys", b'{"a":1,"a":2}', {"a": 2}),
    Text("object-duplicate-keys-escaped", b'{"a":1,"b":0,"\\u0061":3}', {"a": 3, "b": 0}),
    Text("object-spaces", b' { "a" : [ 1 , 2 ] } ', {"a": [1, 2]}),
    Text("array", b"[1,2,3]", [1, 2, 3]),
    Text("array-empty", b"[]", []),
    Text("array-mixed", b'[null,true,false,1,"x",[],{}]', [None, True, False, 1, "x", [], {}]),
    Text("null", b"null", None),
    Text("true", b"true", True),
    Text("false", b"false", False),
    Text("string", b'"a"', "a"),
    Text("string-empty", b'""', ""),
    Text("string-escapes", b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
    Text("string-unicode-escape", b'"\\u00e9\\u4F60"', "é你"),
    Text("string-surrogate-pair", b'"\\uD83D\\uDC4B"', "👋"),
    Text("string-escaped-nul", b'"a\\u0000b"', "a\x00b"),
    Text("string-escaped-backslash-u", b'"\\\\ud800"', "\\ud800"),
    Text("string-utf-8", '"é你👋"'.encode(), "é你👋"),
    Text("string-noncharacter", b'"\xef\xbf\xbf\xf4\x8f\xbf\xbf"', "\uffff\U0010ffff"),
    Text("string-delete", b'"\x7f"', "\x7f"),
    Text("string-u2028-escaped", b'"\\u2028\\u2029\\u0085"', "\u2028\u2029\x85"),
    Text("string-brackets", b'"' + b"[{" * 600 + b'"', "[{" * 600),
    Text("string-brackets-after-escapes", b'"\\"' + b"[" * 2000 + b'\\\\"', '"' + "[" * 2000 + "\\"),
    Text("int-zero", b"0", 0),
    Text("int-minus-zero", b"-0", 0),
    Text("int-2-to-53-plus-1", b"9007199254740993", 2**53 + 1),
    Text("int-2-to-63", b"9223372036854775808", 2**63),
    Text("int-minus-2-to-63", b"-9223372036854775808", -(2**63)),
    Text("int-below-minus-2-to-63", b"-9223372036854775809", -(2**63) - 1),
    Text("int-2-to-64-minus-1", b"18446744073709551615", 2**64 - 1),
    Text("int-2-to-64", b"18446744073709551616", 2**64, "orjson (a float), pysimdjson (ValueError)"),
    Text("int-10-to-25", b"1" + b"0" * 25, 10**25, "orjson (a float), pysimdjson (RuntimeError)"),
    Text("int-minus-10-to-25", b"-1" + b"0" * 25, -(10**25)),
    Text("int-2-to-64-nested", b'{"a":[18446744073709551616]}', {"a": [2**64]}),
    Text("int-500-digits", b"9" * 500, 10**500 - 1),
    Text("int-4300-digits", b"1" * 4300, (10**4300 - 1) // 9),
    Text("float", b"1.5", 1.5),
    Text("float-exponent", b"1E+2", 100.0),
    Text("float-minus-zero", b"-0.0", -0.0),
    Text("float-small", b"5e-324", 5e-324),
    Text("float-underflow", b"1e-400", 0.0),
    Text("float-largest", b"1.7976931348623157e308", 1.7976931348623157e308),
    Text("float-long", b"0." + b"3" * 500, 1 / 3),
    Text("depth-512", nested(512), nested_value(512)),
    Text("depth-512-objects", b'{"a":' * 512 + b"1" + b"}" * 512, nested_object(512)),
    Text("wide-not-deep", b"[" + b"[]," * 2000 + b"[]]", [[]] * 2001),
)  # fmt: skip

REJECTED = (
    no("nan", b"NaN", 0, peers="json"),
    no("nan-in-object", b'{"a":NaN}', 5, peers="json"),
    no("infinity", b"Infinity", 0, peers="json"),
    no("minus-infinity", b"-Infinity", 1, peers="json"),
    no("infinity-in-array", b"[1,Infinity]", 3, peers="json"),
    no("nan-lower-case", b"nan", 1),
    no("surrogate-escaped", b'"\\ud800"', 1, peers="json"),
    no("surrogate-escaped-low", b'"a\\udc00"', 2, peers="json"),
    no("surrogate-escaped-twice", b'"\\ud800\\ud800"', 1, peers="json"),
    no("surrogate-escaped-reversed", b'"\\udc4b\\ud83d"', 1, peers="json"),
    no("surrogate-escaped-then-escape", b'"\\ud83d\\n"', 1, peers="json"),
    no("surrogate-escaped-then-letter", b'["ok","\\ud83dx"]', 7, peers="json"),
    no("surrogate-escaped-then-a", b'["\\uD83D\\u0061"]', 2, peers="json"),
    no("surrogate-escaped-in-key", b'{"\\ud800":1}', 2, peers="json"),
    no("surrogate-escaped-after-pair", b'"\\ud83d\\udc4b\\udc4b"', 13, peers="json"),
    no("surrogate-raw", b'"\xed\xa0\x80"', 1, "invalid-utf8", "json (surrogatepass)"),
    no("surrogate-raw-pair", b'"\xed\xa0\xbd\xed\xb1\x8b"', 1, "invalid-utf8", "json (surrogatepass)"),
    no("surrogate-raw-in-key", b'{"a\xed\xb0\x80":1}', 3, "invalid-utf8", "json (surrogatepass)"),
    no("utf-8-latin-1", b'"caf\xe9"', 4, "invalid-utf8"),
    no("utf-8-never", b'"\xff"', 1, "invalid-utf8"),
    no("utf-8-continuation", b'["a","\x80"]', 6, "invalid-utf8"),
    no("utf-8-cut", b'"\xe2\x82"', 1, "invalid-utf8"),
    no("utf-8-overlong", b'"\xc0\xaf"', 1, "invalid-utf8"),
    no("utf-8-beyond-unicode", b'"\xf4\x90\x80\x80"', 1, "invalid-utf8"),
    no("utf-8-in-key", b'{"\xff":1}', 2, "invalid-utf8"),
    no("utf-8-after-escape", b'"\\n\xff"', 3, "invalid-utf8"),
    no("utf-8-outside-string", b"\xff", 0, "invalid-utf8"),
    no("utf-8-after-value", b"1\xff", 1, "invalid-utf8"),
    no("utf-8-before-cut", b'["\xff', 2, "invalid-utf8"),
    no("utf-8-after-other-error", b'[x,"\xff"]', 1),
    no("utf-16-marked", b"\xff\xfe1\x00", 0, "invalid-utf8", "json (detects UTF-16)"),
    no("utf-16", b"1\x002\x00", 1, peers="json (detects UTF-16)"),
    no("utf-16-big-endian", b"\x001", 0, peers="json (detects UTF-16)"),
    no("float-too-large", b"1e400", 0, "number-range", "json (inf)"),
    no("float-too-small", b"-1e400", 0, "number-range", "json (-inf)"),
    no("float-too-large-nested", b'{"a":[1,2.5e999]}', 8, "number-range", "json (inf)"),
    no("float-too-large-digits", b"1" + b"0" * 309 + b".0", 0, "number-range", "json (inf)"),
    no("float-too-large-after-string", b'["1e400",1e400]', 9, "number-range", "json (inf)"),
    no("float-just-too-large", b"1.7976931348623159e308", 0, "number-range", "json (inf)"),
    no("int-4301-digits", b"1" * 4301, 0, "number-range"),
    no("int-5000-digits", b"9" * 5000, 0, "number-range"),
    no("int-5000-digits-negative", b"-" + b"9" * 5000, 0, "number-range"),
    no("int-5000-digits-nested", b"[0," + b"9" * 5000 + b"]", 3, "number-range"),
    no("depth-513", nested(513), 512, "too-deep"),
    no("depth-513-objects", b'{"a":' * 513 + b"1" + b"}" * 513, 512 * 5, "too-deep"),
    no("depth-513-mixed", b'[{"a":' * 257 + b"1" + b"}]" * 257, 256 * 6, "too-deep"),
    no("depth-1000", nested(1000), 512, "too-deep"),
    no("depth-after-string", b'["' + b"[" * 600 + b'",' + nested(512) + b"]", 604 + 511, "too-deep"),
    no("depth-600-open", b"[" * 600, 512, "too-deep"),
    no("depth-100000-open", b"[" * 100_000, 512, "too-deep", "json and msgspec (RecursionError)"),
    no("depth-100000-open-objects", b'{"":' * 100_000, 512 * 4, "too-deep", "json and msgspec (RecursionError)"),
    no("array-trailing-comma", b"[1,]", 3),
    no("array-leading-comma", b"[,1]", 1),
    no("array-double-comma", b"[1,,2]", 3),
    no("array-only-comma", b"[,]", 1),
    no("array-no-comma", b"[1 2]", 3),
    no("array-colon", b'["a":1]', 4),
    no("array-extra-close", b"[1]]", 3),
    no("array-closed-by-brace", b"[1}", 2),
    no("array-open", b"[", 1),
    no("array-open-after-value", b"[1", 2),
    no("array-open-after-comma", b"[1,", 3),
    no("object-trailing-comma", b'{"a":1,}', 7),
    no("object-double-comma", b'{"a":1,,"b":2}', 7),
    no("object-no-colon", b'{"a" 1}', 5),
    no("object-no-value", b'{"a"}', 4),
    no("object-empty-value", b'{"a":}', 5),
    no("object-two-colons", b'{"a"::1}', 5),
    no("object-no-comma", b'{"a":1 "b":2}', 7),
    no("object-bare-key", b"{a:1}", 1),
    no("object-single-quotes", b"{'a':1}", 1),
    no("object-number-key", b"{1:1}", 1),
    no("object-null-key", b"{null:1}", 1),
    no("object-extra-close", b'{"a":1}}', 7),
    no("object-closed-by-bracket", b'{"a":1]', 6),
    no("object-open", b"{", 1),
    no("object-open-after-key", b'{"a"', 4),
    no("object-open-after-colon", b'{"a":', 5),
    no("object-comment", b'{"a":/*c*/1}', 5),
    no("comment-after", b"1 // c", 2),
    no("two-values", b"1 2", 2),
    no("two-values-no-space", b"1null", 1),
    no("two-objects", b'{"a":1}{"b":2}', 7),
    no("value-comma", b"1,", 1),
    no("close-only", b"]", 0),
    no("literal-cut", b"tru", 3),
    no("literal-misspelled", b"nulx", 3),
    no("literal-too-long", b"nulll", 4),
    no("literal-capital", b"True", 0),
    no("literal-none", b"None", 0),
    no("literal-undefined", b"undefined", 0),
    no("literal-in-array-misspelled", b"[true,flase]", 7),
    no("number-leading-zero", b"01", 1),
    no("number-leading-zero-negative", b"-01", 2),
    no("number-plus", b"+1", 0),
    no("number-minus-only", b"-", 1),
    no("number-minus-letter", b"-a", 1),
    no("number-two-minus", b"--1", 1),
    no("number-point-last", b"1.", 2),
    no("number-point-first", b".5", 0),
    no("number-point-then-letter", b"1.a", 2),
    no("number-two-points", b"1.2.3", 3),
    no("number-exponent-empty", b"1e", 2),
    no("number-exponent-sign-only", b"1e+", 3),
    no("number-exponent-point", b"1e1.5", 3),
    no("number-hex", b"0x1", 1),
    no("number-underscore", b"1_000", 1),
    no("number-full-width", "１".encode(), 0),
    no("number-arabic", "٣".encode(), 0),
    no("string-open", b'"abc', 4),
    no("string-open-after-escape", b'"\\', 2),
    no("string-open-in-unicode-escape", b'"\\u00', 5),
    no("string-single-quotes", b"'a'", 0),
    no("string-bad-escape", b'"\\x41"', 2),
    no("string-bad-escape-later", b'["ab","\\a"]', 8),
    no("string-bad-unicode-escape", b'"\\u12G4"', 5),
    no("string-short-unicode-escape", b'"\\u123"', 6),
    no("string-capital-u", b'"\\U0041"', 2),
    no("string-raw-tab", b'"a\tb"', 2),
    no("string-raw-nul", b'"a\x00"', 2),
    no("string-raw-1f", b'"\x1f"', 1),
    no("string-raw-escape", b'"\x1b[0m"', 1),
    no("string-then-letter", b'"a"b', 3),
    no("space-form-feed", b"\x0c1", 0),
    no("space-no-break", b"\xc2\xa01", 0),
    no("space-ideographic", b"[\xe3\x80\x801]", 1),
    no("space-bom-inside", b"[\xef\xbb\xbf1]", 1),
    no("nul-after", b"[1]\x00", 3),
    no("garbage", b"<html>", 0),
    no("sse-line", b"data: 1", 0),
    no("concatenated", b"[][]", 2),
    no("python-dict", b"{'a': None}", 1),
)  # fmt: skip

TEXTS: tuple[Text, ...] = (*ACCEPTED, *REJECTED)
