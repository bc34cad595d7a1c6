"""From a stream that breaks to smaller ones: what could be left out of it, in an order that is always the same. Pure.

Hypothesis would do that too, and needs hundreds of tries, each of which waits at a gate for nothing. Here the largest
steps come first, so that a few tries that break lead to one small piece; those that do not break take no time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import AnyStr, Final

from streamkit.contract.content import Talk
from streamkit.contract.fuzz_scripts import FRAMINGS, MEDIA_TYPES, Drawn, DrawnPiece, with_texts

__all__ = ["smaller", "weight_of"]

LEAST: Final = b"x"


def weight_of(drawn: Drawn) -> tuple[int, ...]:
    """Return how much there is in it: first what is most to be read."""
    pieces = drawn.pieces
    is_known = drawn.media_type in MEDIA_TYPES
    return (
        drawn.fault != "none",
        len(pieces),
        sum(len(piece.payload) for piece in pieces),
        len(drawn.headers),
        drawn.trailers is not None and len(drawn.trailers),
        sum(piece.cut > 0 for piece in pieces),
        sum(piece.pause_ms > 0 for piece in pieces),
        sum(piece.is_gated for piece in pieces),
        FRAMINGS.index(drawn.framing),
        MEDIA_TYPES.index(drawn.media_type) if is_known else 0,
        sum(piece.payload.strip(LEAST) != b"" for piece in pieces),
        drawn.cut_bytes,
        sum(piece.cut for piece in pieces),
        sum(piece.pause_ms for piece in pieces),
    )


def smaller(drawn: Drawn, talk: Talk | None = None) -> Iterator[Drawn]:
    """Give streams with less in them than this one, the least first.

    Args:
        drawn: what breaks.
        talk: what answers in the upstream's dialect are made with; None where any bytes will do.
    """
    weight = weight_of(drawn)
    for found in _changed(drawn, talk):
        if weight_of(found) < weight:
            yield found


def _changed(drawn: Drawn, talk: Talk | None) -> Iterator[Drawn]:
    media_types = MEDIA_TYPES[:1] if talk is None else (drawn.media_type,)
    whole = replace(drawn, fault="none", cut_bytes=0)
    bare = replace(whole, headers=[], media_type=media_types[0], trailers=None if drawn.trailers is None else [])
    for base in (bare, drawn):
        for pieces in _fewer(drawn.pieces, talk):
            yield _with(base, [replace(piece, cut=0, pause_ms=0) for piece in pieces], talk)
            yield _with(base, pieces, talk)
    yield bare
    yield whole
    yield replace(drawn, headers=[])
    yield from (replace(drawn, headers=[each]) for each in drawn.headers)
    yield replace(drawn, trailers=None if drawn.trailers is None else [])
    yield replace(drawn, cut_bytes=0)
    for number, piece in enumerate(drawn.pieces):
        for other in _lesser(piece, is_free=talk is None):
            yield _with(drawn, [*drawn.pieces[:number], other, *drawn.pieces[number + 1 :]], talk)
    yield from (_framed(drawn, framing) for framing in FRAMINGS)
    yield from (replace(drawn, media_type=each) for each in media_types)


def _framed(drawn: Drawn, framing: str) -> Drawn:
    """Return it in another framing; what ends with its connection can have no fault that anybody sees."""
    found = next(each for each in FRAMINGS if each == framing)
    if found == "close":
        return replace(drawn, framing=found, fault="none", cut_bytes=0, trailers=None)
    return replace(drawn, framing=found, trailers=drawn.trailers if found == "chunked" else None)


def _with(drawn: Drawn, pieces: Sequence[DrawnPiece], talk: Talk | None) -> Drawn:
    return replace(drawn, pieces=pieces) if talk is None else with_texts(drawn, pieces, talk)


def _fewer(pieces: Sequence[DrawnPiece], talk: Talk | None) -> Iterator[list[DrawnPiece]]:
    """Give fewer of these pieces: one of them at its least, one, half, all but one. What is no token has to stay."""
    free = [number for number, piece in enumerate(pieces) if talk is None or piece.text is not None]

    def only(kept: Sequence[int]) -> list[DrawnPiece]:
        return [piece for number, piece in enumerate(pieces) if number not in free or number in kept]

    if len(free) < 2:
        return
    for number in free:
        least = replace(pieces[number], payload=LEAST, text=None if talk is None else LEAST.decode())
        yield [least if each is pieces[number] else each for each in only([number])]
    yield from (only([number]) for number in free)
    half = len(free) // 2
    yield only(free[:half])
    yield only(free[half:])
    yield from (only([each for each in free if each != number]) for number in free)


def _lesser(piece: DrawnPiece, *, is_free: bool) -> Iterator[DrawnPiece]:
    """Give a piece with less in it."""
    yield replace(piece, cut=0, pause_ms=0)
    yield replace(piece, cut=0)
    yield replace(piece, pause_ms=0)
    yield replace(piece, is_gated=False)
    if is_free:
        yield from (replace(piece, payload=each) for each in _shorter(piece.payload, LEAST))
        yield replace(piece, payload=LEAST * len(piece.payload))
    elif piece.text is not None:
        yield from (replace(piece, text=each) for each in _shorter(piece.text, LEAST.decode()))
    yield from (replace(piece, cut=each) for each in (1, piece.cut // 2, piece.cut - 1) if 0 < each < piece.cut)


def _shorter(data: AnyStr, least: AnyStr) -> Iterator[AnyStr]:
    """Give less of this: the least there is, one half, the other, then all but ever smaller shares of it."""
    yield least
    share = len(data)
    while share := share // 2:
        yield data[:-share]
        yield data[share:]
