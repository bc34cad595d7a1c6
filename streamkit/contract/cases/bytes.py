"""bytes: what is sent comes as it was sent, wherever it is cut, and in whatever form the specification allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, Drive, levels
from streamkit.contract.cases import bytes_whole
from streamkit.contract.content import Answer, Part
from streamkit.contract.cutting import APART_S, judge_whole, near, send_cut
from streamkit.contract.sse_forms import BOM, is_sse, with_comments, with_fields, with_line_ends, with_lines_of_data

if TYPE_CHECKING:
    from streamkit.contract.setting import Setting
    from streamkit.contract.stand import Stand

__all__ = ["CASES"]

LINE_ENDS: Final = b"\r\n"

OF_CHARACTERS: Final = range(0x80, 0x100)

Form = Callable[[Part, int], Part]
"""Writes a piece in another form; it is told how manyth it is."""

Cuts = Callable[[bytes], list[int]]
"""Says where a piece is to be cut, in one answer after the other."""

CHARACTERS: Final = "aé€😀ß語𝄞z"
"""Of 1, 2, 3, 4, 2, 3, 4 and 1 bytes in UTF-8."""

NEWLINES: Final = "a\u0085b\u2028c\u2029d\x0be\x0cf\x1cg\x1dh\x1ei"
"""What Python, Java and JavaScript, each in its own way, take for the end of a line."""

RAW_NEWLINES: Final = Part(f"data: {NEWLINES}\n\n".encode())
"""The same without JSON, which writes those below 0x20 in another way. Only bytes can be told by it."""

EMPTY: Final = (Part(b"data:\n\n"), Part(b"data: \n\n"), Part(b"data\n\n"), Part(b"event: empty\n\n"), Part(b"\n\n"))


def plain(part: Part, _: int) -> Part:
    """Leave a piece as it is."""
    return part


def with_raw_newlines(part: Part, _: int) -> Part:
    """Write the line breaks of Unicode as themselves: JSON may escape them, and most servers do not."""
    data = part.data
    for character in "\u0085\u2028\u2029":
        escaped = f"\\u{ord(character):04x}".encode()
        data = data.replace(escaped, character.encode()).replace(escaped.upper(), character.encode())
    return replace(part, data=data)


def everywhere(data: bytes) -> list[int]:
    """Cut behind each byte."""
    return list(range(1, len(data) + 1))


def at_line_ends(data: bytes) -> list[int]:
    """Cut before, in and behind each line's end."""
    return near(data, LINE_ENDS)


def in_characters(data: bytes) -> list[int]:
    """Cut before, in and behind each character that has several bytes."""
    return near(data, OF_CHARACTERS) or [1]


def cut_pieces(answer: Answer, text: Callable[[int], str], form: Form, cuts: Cuts) -> Iterator[tuple[Part, int]]:
    """Return as many pieces of one shape as it has places to be cut, each with another of them."""
    number = 0
    while True:
        part = form(answer.text(text(number)), number)
        places = cuts(part.data)
        yield part, places[min(number, len(places) - 1)]
        number += 1
        if number >= len(places):
            return


def cut_answer(
    form: Form = plain,
    cuts: Cuts = at_line_ends,
    text: Callable[[int], str] = lambda number: f"w{number:03} ",
    between: Callable[[Setting], tuple[Part, ...]] = lambda _: (),
) -> Drive:
    """Return a drive that sends an answer of pieces in this form, cut at every place in turn.

    Args:
        form: in which each piece is written, the first and the last ones too.
        cuts: where.
        text: of each piece, by its number. All are of one length.
        between: what stands between the pieces besides, and means nothing. It is cut in its middle.
    """

    async def drive(stand: Stand) -> None:
        client, up = await stand.ask()
        await up.respond("chunked", media_type=stand.talk.media_type)
        answer = stand.talk.answer()
        opening = form(answer.open(), 0)
        pieces = [(opening, len(opening.data)), *cut_pieces(answer, text, form, cuts)]
        added = between(stand.setting)
        for at, part in enumerate(added):
            pieces.insert(2 + 2 * at, (part, (len(part.data) + 1) // 2))
        pieces = [each for each in pieces if each[0].data]
        await send_cut(stand, client, up, [part for part, _ in pieces], [cut for _, cut in pieces])
        await stand.flow(client, up, [form(answer.close(), len(pieces))])

    return drive


async def drive_bom(stand: Stand) -> None:
    """Send answers that begin with a byte order mark, cut at each of its bytes; one that is text comes later."""
    for cut in range(1, len(BOM) + 1):
        client, up = await stand.ask()
        await up.respond("chunked", media_type=stand.talk.media_type)
        answer = stand.talk.answer()
        opening = answer.open()
        await stand.deliver(client, up, Part(BOM[:cut]), within_s=None if stand.setting.by_bytes else APART_S)
        await client.until(client.meter.units + 1, APART_S)
        parts = [Part(BOM[cut:] + opening.data, opening.text), *map(answer.text, ("\ufeffone ", "t\ufeffwo "))]
        await stand.flow(client, up, [*parts, answer.close()])


def only_raw(setting: Setting) -> tuple[Part, ...]:
    """Return the line breaks that are none without JSON, where bytes are compared."""
    return (RAW_NEWLINES,) if setting.by_bytes and is_sse(setting) else ()


def row(
    case_id: str, rule: str, bugs: tuple[str, ...], drive: Drive, *, applies: Callable[[Setting], bool] | None = None
) -> Case:
    """Return a case of this group: all of them are judged alike."""
    case = Case(case_id, levels("must", "must"), rule, drive, judge_whole, bugs)
    return case if applies is None else Case(**{**vars(case), "applies": applies})


CASES: Final = (
    bytes_whole.RANDOM,
    row(
        "bytes.utf8-split",
        "Characters of several bytes survive a cut at any of them: who decodes each read by itself breaks them.",
        ("farion1231/cc-switch#1923", "librefang/librefang#3448", "graniet/llm#90"),
        cut_answer(cuts=in_characters, text=lambda number: f"{CHARACTERS}{number:03}"),
    ),
    row(
        "bytes.event-split",
        "An event survives a cut behind any of its bytes: a read is no event.",
        ("higress-group/higress#4616", "higress-group/higress#4248", "modelcontextprotocol/inspector#2134"),
        cut_answer(cuts=everywhere),
    ),
    bytes_whole.MERGE,
    row(
        "bytes.crlf",
        "Events whose lines end with CR LF come as they are, cut between CR and LF too.",
        ("traefik/traefik#527",),
        cut_answer(lambda part, _: with_line_ends(part, b"\r\n")),
        applies=is_sse,
    ),
    row(
        "bytes.cr",
        "Events whose lines end with CR alone come as they are: the specification has three line ends.",
        (),
        cut_answer(lambda part, _: with_line_ends(part, b"\r")),
        applies=is_sse,
    ),
    row(
        "bytes.bom",
        "A byte order mark at the beginning, cut or not, spoils nothing; in a text it is a character like others.",
        (),
        drive_bom,
        applies=is_sse,
    ),
    row(
        "bytes.unicode-newlines",
        "U+0085, U+2028, U+2029 and the like are no line ends: who splits lines by them tears events apart.",
        ("florimondmanca/httpx-sse#34", "Soju06/codex-lb#1010", "langgenius/dify#39008", "langchain-ai/langgraph#2560"),
        cut_answer(with_raw_newlines, in_characters, lambda number: f"{NEWLINES}{number:03}", only_raw),
    ),
    row(
        "bytes.comment",
        "Comments before, in and behind events, some that look like data, change no event.",
        ("mnfst/llm-gateway#2053", "tmc/langchaingo#1366", "brainlid/langchain#569"),
        cut_answer(lambda part, _: with_comments(part)),
        applies=is_sse,
    ),
    row(
        "bytes.multiline-data",
        "The data of an event may have several lines: they belong together, and the last is not all.",
        ("openresponses/openresponses#56",),
        cut_answer(lambda part, _: with_lines_of_data(part)),
        applies=is_sse,
    ),
    bytes_whole.NO_FINAL_NEWLINE,
    row(
        "bytes.empty-data",
        "Events without data, and those whose data is empty, disturb none of the others.",
        (),
        cut_answer(between=lambda _: EMPTY),
        applies=is_sse,
    ),
    row(
        "bytes.id-retry",
        "The fields id and retry, and fields that nobody knows, disturb nothing.",
        (),
        cut_answer(with_fields),
        applies=is_sse,
    ),
    bytes_whole.ORDER,
    bytes_whole.SLOW_CLIENT,
)
