# ruff: noqa: ARG002 - a hook is given whatever one of the relays needs
"""bytes: what is right passes, in bytes and in tokens, and the cuts are where they are said to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate

import pytest

from streamkit import SSEDecoder, SSEEvent
from streamkit.contract.cases.bytes import CASES, EMPTY, cut_answer, everywhere, with_raw_newlines
from streamkit.contract.cases.bytes_whole import SEQUENCE, disorder_of, judge_no_final_newline, judge_order
from streamkit.contract.content import Part, Talk
from streamkit.contract.cutting import judge_whole, near, whole
from streamkit.contract.setting import Setting
from streamkit.contract.sse_forms import with_comments, with_fields, with_line_ends, with_lines_of_data
from streamkit.contract.trace import Exchanged, Head, Trace
from streamkit.contract.verdicts import Ending
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.holding import LineByLine
from tests.contract.mutants.link import Body
from tests.contract.mutants.link import Head as Relayed
from tests.contract.mutants.relay import At, Relay, Same

ONLY_SSE = {
    *("bytes.crlf", "bytes.cr", "bytes.bom", "bytes.comment", "bytes.multiline-data", "bytes.empty-data"),
    "bytes.id-retry",
}


PATIENT = replace(SETTING, limit_s=10.0)
"""For what is right: it is never waited for so long, unless the machine is busy with other things."""


def gateway(client: str, upstream: str) -> Setting:
    return replace(PATIENT, profile="gateway", client_dialect=client, upstream_dialect=upstream)


def test_the_cases_and_their_levels() -> None:
    ids = {case.id for case in CASES}
    assert len(ids) == len(CASES) == 15
    assert {case.level(SETTING) for case in CASES} == {"must"}
    assert {case.id for case in CASES if case.level(gateway("anthropic", "gemini")) is None} == {"bytes.random"}
    of_lines = {case.id for case in CASES if case.level(gateway("anthropic", "ollama-chat")) is None}
    assert of_lines == {"bytes.random", *ONLY_SSE}


@pytest.mark.parametrize(
    "setting",
    [
        *(PATIENT, gateway("openai-chat", "openai-chat"), gateway("openai-responses", "anthropic")),
        gateway("gemini", "ollama-chat"),
    ],
    ids=["pipe", "one dialect", "from events to events", "from lines to events"],
)
async def test_the_gateway_keeps_them(setting: Setting) -> None:
    results = await found("bytes", setting=setting)
    assert verdicts(results) == {case.id: "OK" for case in CASES if case.level(setting)}
    split = results["bytes.event-split"].facts
    assert isinstance(split["cuts"], int)
    assert isinstance(split["cuts_apart"], int)
    assert split["cuts"] > 90
    assert split["cuts_apart"] > split["cuts"] // 2  # all but one, unless the machine is very busy


async def test_who_passes_whole_lines_only_changes_nothing() -> None:
    cases = ("bytes.event-split", "bytes.utf8-split", "bytes.crlf", "bytes.event-merge")
    assert set(verdicts(await found(*cases, relay=LineByLine, setting=PATIENT)).values()) == {"OK"}


async def test_the_cuts_arrive_as_ends_of_reads() -> None:
    """That is what makes a cut: the relay has read what is before it, and nothing of what is behind it."""
    reads: list[bytes] = []

    class Reading(Same):
        def feed(self, data: bytes) -> bytes:
            reads.append(data)
            return data

    class Recording(Relay):
        def stage(self, at: At, response: Relayed) -> Same:
            reads.clear()  # of the answers before
            return Reading()

    results = await found("bytes.event-split", relay=Recording, setting=PATIENT)
    facts = results["bytes.event-split"].facts
    body = b"".join(reads)
    ends = set(accumulate(map(len, reads)))
    starts = [at for at in range(len(body)) if body.startswith(b"data: ", at)][1:-2]  # opening, finish, [DONE]
    places = [start + cut for cut, start in enumerate(starts, 1) if start + cut < len(body)]
    assert isinstance(facts["cuts_apart"], int)
    assert len(places) - len(ends & set(places)) <= len(places) - facts["cuts_apart"]
    assert len(places) > 150


# ------------------------------------------------------------------------------------------------------------- forms


def events_of(data: bytes) -> list[SSEEvent]:
    decoder = SSEDecoder()
    return [event for event in [*decoder.feed(data), *decoder.finish()] if isinstance(event, SSEEvent)]


FORMS: dict[str, Callable[[Part], Part]] = {
    "crlf": lambda part: with_line_ends(part, b"\r\n"),
    "cr": lambda part: with_line_ends(part, b"\r"),
    "comments": with_comments,
    "raw": lambda part: with_raw_newlines(part, 0),
}


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "gemini", "openai-responses"])
@pytest.mark.parametrize("form", [*FORMS, "fields", "lines"])
def test_forms_mean_the_same(form: str, dialect: str) -> None:
    talk = Talk(replace(SETTING, upstream_dialect=dialect), "bytes", "skc")
    parts = talk.parts_of(["one ", "t\u2028wo ", '"{three}" '])
    plain = events_of(b"".join(part.data for part in parts))
    if form == "fields":
        changed = [with_fields(part, number) for number, part in enumerate(parts)]
    else:
        changed = [FORMS.get(form, with_lines_of_data)(part) for part in parts]
    data = b"".join(part.data for part in changed)
    assert data != b"".join(part.data for part in parts)
    assert "".join(part.text for part in changed) == "".join(part.text for part in parts)
    got = events_of(data)
    wanted = [event.data for event in plain]
    if form == "raw":
        wanted = [text.replace("\\u2028", "\u2028") for text in wanted]
    assert [event.data.replace("\n", "") for event in got] == wanted
    assert [event.event for event in got] == [event.event for event in plain]


def test_what_means_nothing() -> None:
    """Three of them are events whose data is empty, by the specification; the others are none."""
    assert [event.data for event in events_of(b"".join(part.data for part in EMPTY))] == ["", "", ""]


def test_places_to_cut() -> None:
    assert near(b"a\r\nb", b"\r\n") == [1, 2, 3]
    assert near("aé".encode(), range(0x80, 0x100)) == [1, 2, 3]
    assert everywhere(b"abc") == [1, 2, 3]
    assert cut_answer() is not None


# ------------------------------------------------------------------------------------------------------------ judges


def numbered(*numbers: int) -> bytes:
    return b"".join(b'data: {"t":"n%d. "}\n\n' % number for number in numbers)


def test_disorder() -> None:
    whole_one = list(range(SEQUENCE))
    assert not disorder_of(numbered(*whole_one))
    assert disorder_of(numbered(0, 1, 1, 2)) == "event 1 came twice"
    assert disorder_of(numbered(0, 2)) == "event 1 did not come in its place: there was event 2"
    assert disorder_of(numbered(0, 1)) == f"only the first 2 of {SEQUENCE} events came"
    lost = Exchanged(body=bytearray(numbered(0, 2)), units=30, expected_units=40, client_end="complete")
    finding = judge_order(Trace(exchanges=[lost]))
    assert finding.holds is False
    assert finding.detail.startswith("event 1 did not come in its place")


@pytest.mark.parametrize(
    ("exchanged", "words"),
    [
        (Exchanged(units=9, expected_units=9, client_end="complete"), ""),
        (Exchanged(units=5, expected_units=9, client_end="complete"), "5 of 9 bytes came, then the answer ended as if"),
        (Exchanged(units=5, expected_units=9, client_end="hang"), "and no end of it: the last 4 are missing"),
        (Exchanged(units=9, expected_units=9, client_end="complete", excess=b"ab"), "2 bytes came behind the answer"),
        (Exchanged(units=5, expected_units=9, problem="byte 5 is wrong"), "byte 5 is wrong"),
        (Exchanged(head=Head(0, "HTTP/1.1 502 Bad", []), problem="no"), "the proxy answered 502 in its place"),
    ],
)
def test_what_is_wrong_with_an_answer(exchanged: Exchanged, words: str) -> None:
    assert words in whole(exchanged)
    assert bool(whole(exchanged)) is bool(words)
    finding = judge_whole(Trace(exchanges=[Exchanged(), exchanged]))
    assert finding.holds is not bool(words)
    assert words in finding.detail


def test_an_end_that_only_looks_like_one() -> None:
    """A proxy that passes bytes has to end them well; a gateway may say that the last record is not whole."""
    cut = Exchanged(units=9, expected_units=9, client_end="cut")
    assert judge_no_final_newline(Trace(exchanges=[cut], facts={"by_bytes": True})).holds is False
    assert judge_no_final_newline(Trace(exchanges=[cut], facts={"by_bytes": False})).holds


class ShortClose(Relay):
    """Drops what is behind the first 64 KiB of an answer that ends with its connection."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        passed = 0
        while body.framing == "close" and (data := await body.receive()):
            await self.send(at, data[: max(0, (64 << 10) - passed)])
            passed += len(data)
        await super().pump(at, body, stage)


async def test_what_is_lost_in_one_framing_alone_is_found() -> None:
    result = (await found("bytes.random", relay=ShortClose))["bytes.random"]
    assert (result.verdict, result.ending) == ("FAILED", Ending.INVISIBLE)
    assert "65536 of 262144 bytes came" in result.detail
