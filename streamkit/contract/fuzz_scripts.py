"""What the fuzz draws: whole scripts of an upstream, with sizes, framings, cuts, pauses, gates, headers and faults.

All that is drawn is a lawful response up to its fault, so that a proxy owes the client the same. Gates stand only where
a piece is whole. Two writes in a row are one, or have a pause between them: what a proxy reads at once would be chance
otherwise, and so would what it makes of that. Hypothesis is imported when a strategy is asked for (extra `fuzz`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from mockserver.script import Action, Close, Gate, Reset, Script, Stall, Write
from streamkit.contract.content import Talk
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Pairs
from streamkit.http.wire import chunk, last_chunk, response_head

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["FRAMINGS", "MEDIA_TYPES", "Drawn", "DrawnPiece", "script_of", "scripts", "with_texts"]

MS: Final = 1_000_000

HELD: Final = "held"
"""The name of all gates."""

SIZES: Final = (1, 2, 3, 17, 100, 1000, 4000, 4096, 4097, 5000, 8192, 16384, 20000, 65536, 70000)
"""Sizes of pieces around the buffers that proxies have; smaller ones come first, which is what shrinking goes to."""

MEDIA_TYPES: Final = (
    "text/event-stream",
    "text/event-stream; charset=utf-8",
    "text/plain",
    "application/x-ndjson",
    "application/json",
    "application/octet-stream",
)

APART_MS: Final = 3
"""Between two writes that a proxy is to read one after the other."""

Framing = Literal["chunked", "close", "cl"]

FRAMINGS: Final[tuple[Framing, ...]] = ("chunked", "cl", "close")
"""The plainest first."""


@dataclass(frozen=True)
class DrawnPiece:
    """A piece of the body: its payload, where its bytes are cut, the pause before it, and whether a gate follows.

    Attributes:
        text: the token in it, where it is a piece of an answer in a dialect; None for what stands around tokens.
    """

    payload: bytes
    cut: int = 0
    pause_ms: int = 0
    is_gated: bool = True
    text: str | None = None


@dataclass(frozen=True)
class Drawn:
    """A response as it was drawn.

    Attributes:
        fault: what ends it instead of its framing, behind the last piece; `cut_bytes` of that piece are not written.
    """

    framing: Framing
    media_type: str
    headers: Pairs
    pieces: Sequence[DrawnPiece]
    fault: str = "none"
    cut_bytes: int = 0
    trailers: Pairs | None = None


def script_of(drawn: Drawn) -> Script:
    """Write it out, action by action."""
    fields = [("Content-Type", drawn.media_type), *drawn.headers]
    size_bytes = sum(len(piece.payload) for piece in drawn.pieces)
    if drawn.framing == "chunked":
        fields.append(("Transfer-Encoding", "chunked"))
    elif drawn.framing == "cl":
        # A fault has to leave something out, or nothing is wrong.
        fields.append(("Content-Length", str(size_bytes + (drawn.fault != "none"))))
    if drawn.framing == "close" or drawn.fault != "none":
        fields.append(("Connection", "close"))
    actions: list[Action] = [Write(response_head(200, fields))]
    for number, piece in enumerate(drawn.pieces, 1):
        is_last_cut = drawn.fault != "none" and number == len(drawn.pieces) and drawn.cut_bytes > 0
        actions += _piece_actions(piece, drawn.framing, drawn.cut_bytes if is_last_cut else 0)
    if drawn.fault == "reset":
        actions.append(Reset())
    elif drawn.fault == "close" or drawn.framing == "close":
        actions.append(Close())
    elif drawn.framing == "chunked":
        actions.append(Write(last_chunk(drawn.trailers or [])))
    return Script(_joined(actions), keep_alive=drawn.fault == "none" and drawn.framing != "close")


def _joined(actions: Sequence[Action]) -> list[Action]:
    """Return the actions with writes that follow each other made one."""
    joined: list[Action] = []
    for action in actions:
        if isinstance(action, Write) and joined and isinstance(last := joined[-1], Write):
            joined[-1] = Write(last.data + action.data)
        else:
            joined.append(action)
    return joined


def with_texts(drawn: Drawn, pieces: Sequence[DrawnPiece], talk: Talk) -> Drawn:
    """Return an answer in a dialect with these pieces of it, written anew: by their texts, not their payloads."""
    parts = talk.parts_of([piece.text for piece in pieces if piece.text is not None])
    first = next((number for number, piece in enumerate(pieces) if piece.text is not None), 0)
    texts, anew = iter(parts[1:-1]), []
    for number, piece in enumerate(pieces):
        part = next(texts) if piece.text is not None else parts[0] if number < first else parts[-1]
        anew.append(replace(piece, payload=part.data))
    return replace(drawn, pieces=anew)


def _piece_actions(piece: DrawnPiece, framing: Framing, left_out_bytes: int) -> list[Action]:
    data = chunk(piece.payload) if framing == "chunked" else piece.payload
    data = data[: max(0, len(data) - left_out_bytes)] if left_out_bytes else data
    actions: list[Action] = [Stall(piece.pause_ms * MS)] if piece.pause_ms else []
    cut = min(piece.cut, len(data))
    if 0 < cut < len(data):
        actions += [Write(data[:cut]), Stall(APART_MS * MS)]
        data = data[cut:]
    actions += [Write(data)] if data else []
    return [*actions, Gate(HELD)] if piece.is_gated and not left_out_bytes else actions


def scripts(setting: Setting, talk: Talk) -> SearchStrategy[Drawn]:
    """Return what draws responses: of any bytes, or of the upstream's dialect where tokens are judged.

    Raises:
        ConfigError: Hypothesis is not installed; the text says what to do.
    """
    from hypothesis import strategies as st

    token = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
    headers = st.lists(
        st.tuples(
            st.sampled_from(["X-Fuzz-A", "X-Fuzz-B", "X-Request-Id", "Cache-Control", "Set-Cookie"]),
            st.text(st.sampled_from("abcxyz0189=-"), min_size=1, max_size=20),
        ),
        max_size=3,
        unique_by=lambda each: each[0],
    )
    size = st.sampled_from(SIZES)
    filler = st.sampled_from([b"x", b"data: y\n\n", "ü\u2028🙂".encode(), b"\r\n", b"\0\xff"])
    payload = st.one_of(
        token.map(lambda text: f"data: {text}\n\n".encode()),
        st.binary(min_size=1, max_size=40),
        st.builds(lambda size, unit: (unit * (size // len(unit) + 1))[:size], size, filler),
    )

    @st.composite
    def pieces_of_bytes(draw: st.DrawFn) -> list[DrawnPiece]:
        return [draw(_piece(st.just(each))) for each in draw(st.lists(payload, min_size=1, max_size=6))]

    @st.composite
    def pieces_of_tokens(draw: st.DrawFn) -> list[DrawnPiece]:
        texts = draw(st.lists(token | size.map(lambda each: "x" * each), min_size=1, max_size=6))
        opening, *tokens, closing = talk.parts_of(texts)
        parts = [(opening, None), *zip(tokens, texts, strict=True), (closing, None)]
        return [draw(_piece(st.just(part.data), text)) for part, text in parts if part.data]

    def _piece(data: SearchStrategy[bytes], text: str | None = None) -> SearchStrategy[DrawnPiece]:
        return st.builds(
            DrawnPiece,
            payload=data,
            cut=st.just(0) | st.integers(1, 40),
            pause_ms=st.sampled_from([0, 0, APART_MS, 30]),
            is_gated=st.booleans().map(lambda each: not each),
            text=st.just(text),
        )

    def with_faults(drawn: Drawn, fault: str, cut_bytes: int, trailers: Pairs) -> Drawn:
        if drawn.framing == "close":
            fault = "none"  # what ends with the connection may end anywhere, and nobody can tell
        is_whole = fault == "none"
        return Drawn(
            drawn.framing,
            drawn.media_type,
            drawn.headers,
            drawn.pieces,
            fault,
            0 if is_whole else cut_bytes,
            trailers if is_whole and drawn.framing == "chunked" else None,
        )

    plain = st.builds(
        Drawn,
        framing=st.sampled_from(FRAMINGS),
        media_type=st.sampled_from(MEDIA_TYPES) if setting.by_bytes else st.just(talk.media_type),
        headers=headers if setting.by_bytes else st.just([]),
        pieces=pieces_of_bytes() if setting.by_bytes else pieces_of_tokens(),
    )
    return st.builds(
        with_faults,
        plain,
        st.sampled_from(["none", "none", "none", "reset", "close"]),
        st.integers(0, 3),
        st.just([]) if not setting.by_bytes else st.sampled_from([[], [("X-Fuzz-Trailer", "end")]]),
    )
