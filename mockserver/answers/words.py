"""Seeded words: text that looks like sentences, token by token, and is the same for the same seed. Pure.

One word in eight is not ASCII, with characters of two, three and four bytes in UTF-8, so that an answer of any length
tries the reader's decoder. Sentences have capitals, commas and full stops, and sometimes a paragraph ends, because a
line break is what a stream's framing has to escape. What the words say is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

__all__ = ["WORDS", "words"]

ASCII: Final = (
    "a above across after again all almost along also always and any apple around as at away back bank basket be "
    "because become before begin behind bell below bench beside between bird blue boat book both bottle bread bridge "
    "bright bring brother brown build but by call candle carry catch chair change child choose city clean clear climb "
    "clock close cloud coat cold color come copper corner could count country cousin cross cup dark day deep desk door "
    "down draw dream drink drop dry each early earth east easy eight else empty enough even evening every eye face "
    "fall far farm fast father feel fence few field find fire first fish five floor flower follow food foot forest "
    "forget four fresh friend from front fruit full garden gather gentle give glass go gold good grain grass great "
    "green grow half hand happy harbor have hear heart heavy help here high hill hold home honey hope horse hour house "
    "how if in inside iron island it join journey just keep kettle kind kitchen ladder lake lamp land large last late "
    "laugh lead leaf learn leave left letter light like line listen little live long look low make many map market "
    "meadow meet middle milk mill minute mirror moment month moon more morning mother mountain mouse much music name "
    "narrow near never new next night nine no north nothing now oak of often old on once one open or orange other our "
    "out over page paint paper path pear pencil people piece place plain poem point quick quiet rain read ready"
)

NOT_ASCII: Final = (
    "äpfel brücke café crème déjà élan façade früh größe hören jalapeño mañana naïve öffnen piñata señor straße über "
    "żółw мир слово 你好 世界 春天 こんにちは さくら カメラ 안녕 नमस्ते ไทย €10 … 😀 🚀 🌈 🎈 🐢"
)

WORDS: Final = tuple(f"{ASCII} {NOT_ASCII}".split())
"""Every word that may come, all equally often; seven in eight of them ASCII."""

PARAGRAPH_IN: Final = 6
"""One sentence in so many begins a paragraph."""

_COUNT: Final = len(WORDS)
_FIRST: Final = tuple(f" {word[0].upper()}{word[1:]}" for word in WORDS)
_MIDDLE: Final = (*[f" {word}" for word in WORDS] * 7, *[f" {word}," for word in WORDS])
_MIDDLE_COUNT: Final = len(_MIDDLE)
_LAST: Final = tuple(f" {word}." for word in WORDS)


def words(seed: int) -> Iterator[str]:
    """Return the tokens of an endless text: each a word, after the first with the white space before it."""
    # Only `random()` is used: Python keeps what it returns for a seed from version to version, of the rest it does not.
    random = Random(seed).random
    space = 1
    while True:
        first = _FIRST[int(random() * _COUNT)]
        yield first[1:] if space else "\n\n" + first[1:] if random() * PARAGRAPH_IN < 1 else first
        space = 0
        for _ in range(3 + int(random() * 8)):
            yield _MIDDLE[int(random() * _MIDDLE_COUNT)]
        yield _LAST[int(random() * _COUNT)]
