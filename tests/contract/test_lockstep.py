# ruff: noqa: ARG002 - a hook is given whatever one of the relays needs
"""What lockstep says of a proxy that holds something back: on traces made by hand, and on small relays that do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import trio

from streamkit.contract.content import Part
from streamkit.contract.diagnosis import Diagnosis, diagnosis_of, judge_all_lockstep, judge_lockstep
from streamkit.contract.lockstep import COUNTED_BYTES, Source
from streamkit.contract.results import Result
from streamkit.contract.trace import Exchanged, Head, Lockstep, Piece, Trace
from streamkit.contract.verdicts import Verdict
from streamkit.http.wire import response_head
from tests.contract.against import SETTING, found
from tests.contract.mutants.holding import Blocks, Held, LastPiece, Threshold, collect
from tests.contract.mutants.link import Body, Gone
from tests.contract.mutants.link import Head as Relayed
from tests.contract.mutants.relay import At, Relay, Same

HEAD = Head(5, "HTTP/1.1 200 OK", [("Content-Type", "text/event-stream"), ("Connection", "close")])

HEAD_BYTES = len(response_head(200, HEAD.headers))

Sent = tuple[int, int, int, str]
"""A piece: its size, when it began to be sent, when it came, and its mark."""

PROMPT: Sent = (100, 10, 20, "")

HELD = Lockstep(3, piece=2, limit_ns=1000, limit_units=100, filler_ns=2000, ending_ns=9000)

FILLERS: tuple[Sent, ...] = ((256, 2001, 2500, "filler"), (256, 2300, 2500, "filler"))


def exchange(*sent: Sent, steps: Lockstep, end: str = "complete", head_ns: int = 6, problem: str = "") -> Exchanged:
    """Make an exchange in which these pieces were sent."""
    exchanged = Exchanged(sent_head=HEAD, lockstep=steps, upstream_end="clean", problem=problem)
    exchanged.head = Head(head_ns, HEAD.line, HEAD.headers) if head_ns else None
    exchanged.client_end = end  # type: ignore[assignment]  # one of them
    for size_bytes, begun_ns, came_ns, mark in sent:
        exchanged.expected_units += size_bytes
        exchanged.units += size_bytes if came_ns else 0
        piece = Piece(exchanged.expected_units, size_bytes, begun_ns + 1, came_ns, mark, begun_ns)
        exchanged.pieces.append(piece)
    return exchanged


def steps(**changed: Any) -> Lockstep:  # noqa: ANN401 - whatever it has
    return Lockstep(**{name: getattr(HELD, name) for name in HELD.__struct_fields__} | changed)


MADE: dict[str, tuple[Exchanged, Diagnosis]] = {
    "prompt": (exchange(PROMPT, (9, 30, 40, ""), steps=Lockstep(2)), Diagnosis("prompt", 0, 2)),
    "come before the write returned": (exchange((9, 30, 30, ""), steps=Lockstep(1)), Diagnosis("prompt", 0, 1)),
    "timer": (
        exchange(PROMPT, (9, 999_999, 3_000_000, ""), steps=steps(limit_ns=2_000_000, filler_ns=0, ending_ns=9 << 20)),
        Diagnosis("timer", 2, 3, delay_ms=2.0),
    ),
    "timer, in whose midst the first came": (
        exchange(
            *(PROMPT, (9, 999_999, 3_000_000, ""), (9, 3_999_999, 8_000_000, "")),
            steps=steps(limit_ns=2_000_000, filler_ns=0, ending_ns=9 << 20),
        ),
        Diagnosis("timer", 2, 3, delay_ms=4.0),
    ),
    "all comes once it is enough": (
        exchange(PROMPT, (100, 30, 2500, ""), *FILLERS, steps=steps(released_units=712, released_of_units=712)),
        Diagnosis("buffered", 2, 3, buffer_bytes=612, buffer_least_bytes=356, more_bytes=512),
    ),
    "a block comes": (
        exchange(PROMPT, (100, 30, 2500, ""), *FILLERS, steps=steps(released_units=612, released_of_units=712)),
        Diagnosis("buffered", 2, 3, buffer_bytes=512, buffer_least_bytes=511, more_bytes=512),
    ),
    "a block with the head in it": (
        exchange(
            *((100, 30, 2500, ""), *FILLERS),
            steps=steps(piece=1, limit_units=0, released_units=512 - HEAD_BYTES, released_of_units=612),
            head_ns=2500,
        ),
        Diagnosis(
            *("buffered", 1, 3, 512 - HEAD_BYTES, 511 - HEAD_BYTES, HEAD_BYTES),
            more_bytes=512,
            is_head_held=True,
        ),
    ),
    "the tail of a large piece": (
        exchange(
            (5000, 30, 2500, ""),
            (1, 2001, 2500, "filler"),
            steps=steps(piece=1, limit_units=4000, released_units=5001, released_of_units=5001),
        ),
        Diagnosis("buffered", 1, 3, buffer_bytes=1001, buffer_least_bytes=1000, more_bytes=1, held_bytes=1000),
    ),
    "until the end": (
        exchange(PROMPT, (100, 30, 9001, ""), (256, 2001, 9002, "filler"), steps=HELD),
        Diagnosis("until-end", 2, 3, more_bytes=256),
    ),
    "lost": (
        exchange(PROMPT, (100, 30, 0, ""), (256, 2001, 0, "filler"), steps=HELD),
        Diagnosis("lost", 2, 3, more_bytes=256),
    ),
    "lost, and no end": (
        exchange(PROMPT, (100, 30, 0, ""), steps=HELD, end="hang", head_ns=0),
        Diagnosis("lost", 2, 3, is_head_held=True),
    ),
    "wrong": (
        exchange(PROMPT, (100, 30, 0, ""), steps=Lockstep(3, 2), problem="byte 100 is wrong"),
        Diagnosis("wrong", 2, 3, reason="byte 100 is wrong"),
    ),
    "cut": (
        exchange(PROMPT, (100, 30, 0, ""), steps=Lockstep(3, 2), end="cut"),
        Diagnosis("broken", 2, 3, reason="was cut off"),
    ),
    "cut, later": (
        exchange(PROMPT, (100, 30, 0, ""), *FILLERS, steps=HELD, end="reset"),
        Diagnosis("broken", 2, 3, reason="was reset"),
    ),
    "ended in good order, and too early": (
        exchange(PROMPT, (100, 30, 0, ""), *FILLERS, steps=steps(has_ended_early=True)),
        Diagnosis("broken", 2, 3, reason="ended in good order, as if it were whole"),
    ),
}


@pytest.mark.parametrize(("exchanged", "diagnosis"), MADE.values(), ids=MADE)
def test_diagnosis(exchanged: Exchanged, diagnosis: Diagnosis) -> None:
    assert replace(diagnosis_of(exchanged), slowest_ms=0) == diagnosis
    finding = judge_lockstep(Trace(exchanges=[exchanged]))
    assert finding.holds is (diagnosis.kind == "prompt")
    assert finding.detail == diagnosis.sentence
    assert finding.facts["diagnosis"] == diagnosis.kind


def test_units_of_text_are_no_bytes() -> None:
    """Of a gateway the client's units say nothing of how much of the upstream's bytes came."""
    made, _ = MADE["a block comes"]
    for piece in made.pieces:
        piece.units //= 10
    try:
        found = diagnosis_of(replace(made, lockstep=steps(limit_units=10, released_units=61, released_of_units=71)))
    finally:
        for piece in made.pieces:
            piece.units *= 10
    assert (found.buffer_least_bytes, found.buffer_bytes, found.held_bytes) == (356, 612, 0)


def test_the_sentences() -> None:
    said = {name: diagnosis.sentence for name, (_, diagnosis) in MADE.items()}
    assert said["a block with the head in it"] == (
        f"the head and piece 1 of 3 were buffered: it took 512 more bytes until {512 - HEAD_BYTES} bytes (512 with the "
        "head) came at once"
    )
    assert said["all comes once it is enough"].endswith("it took 512 more bytes until 357 to 612 bytes came at once")
    assert "(its last 1000 bytes) was buffered: it took 1 more byte until" in said["the tail of a large piece"]
    assert said["until the end"].endswith("until the end of the answer: 256 more bytes had not helped")
    assert said["cut"] == "the answer was cut off before piece 2 of 3 came"


def test_several_at_once() -> None:
    good, _ = MADE["prompt"]
    bad, diagnosis = MADE["lost"]
    assert judge_all_lockstep([good, good]).holds
    held = judge_all_lockstep([good, bad])
    assert not held.holds
    assert held.facts["held_streams"] == 1
    assert diagnosis.sentence in held.detail
    assert "complete" not in judge_all_lockstep([good, replace(good, client_end="hang")]).detail
    assert not judge_all_lockstep([good, replace(good, client_end="hang")]).holds


def test_what_has_a_length_is_made_beforehand() -> None:
    made: list[int] = []

    def filler(size_bytes: int) -> Part:
        made.append(size_bytes)
        return Part(b"x" * size_bytes)

    source = Source([Part(b"one")], filler, lambda: Part(b"last")).counted()
    assert source.size_bytes == len("one") + len("last") + COUNTED_BYTES
    assert sum(made) == COUNTED_BYTES
    assert b"".join(part.data for part in source.fillers()) == b"x" * COUNTED_BYTES


# ------------------------------------------------------------------------------------------------------------- relays


LIMIT_S = 0.5

TICK_S = 0.8
"""Later than the limit, and before the second span is over."""


class Ticking(Relay):
    """Writes what it has every `TICK_S`."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        held = bytearray()

        async def flush() -> None:
            while True:
                await trio.sleep(TICK_S)
                data = bytes(held)
                held.clear()
                if data:
                    await at.client.send(b"%x\r\n%b\r\n" % (len(data), data))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flush)
            while data := await body.receive():
                held += data
            nursery.cancel_scope.cancel()
        await at.client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(held), bytes(held)) if held else b"0\r\n\r\n")


class Forgetting(Same):
    """Loses everything behind so many bytes."""

    def __init__(self) -> None:
        self.room = 500

    def feed(self, data: bytes) -> bytes:
        kept = data[: self.room]
        self.room -= len(kept)
        return kept


class Shouting(Same):
    """Writes it in capitals."""

    def feed(self, data: bytes) -> bytes:
        return data.upper()


class Breaking(Same):
    """Gives up after the first piece."""

    def __init__(self, link: Any) -> None:  # noqa: ANN401 - a link
        self.link = link
        self.fed = 0

    def feed(self, data: bytes) -> bytes:
        self.fed += 1
        if self.fed > 2:
            raise Gone(self.link)
        return data


class Waiting(Relay):
    """Flushes when more than twice the limit is over, in the midst of what is sent to see whether it helps."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        while first := await body.receive():
            await self.send(at, first + await collect(body, 2.4 * LIMIT_S))
        await self.end(at, body.trailers)


def staging(make: Callable[[At], Same]) -> type[Relay]:
    """A relay with this in its way."""

    class Staged(Relay):
        def stage(self, at: At, response: Relayed) -> Same:
            return make(at)

    return Staged


RELAYS: dict[str, tuple[type[Relay], dict[str, object]]] = {
    "blocks of 4096": (staging(lambda _: Blocks()), {"diagnosis": "buffered", "piece": 1, "buffer_bytes": 4096}),
    "one behind": (staging(lambda _: LastPiece()), {"diagnosis": "buffered", "piece": 1}),
    "until the end": (staging(lambda _: Held()), {"diagnosis": "until-end", "piece": 1}),
    "loses": (staging(lambda _: Forgetting()), {"diagnosis": "lost", "piece": 3}),
    "shouts": (staging(lambda _: Shouting()), {"diagnosis": "wrong", "piece": 1}),
    "breaks off": (staging(lambda at: Breaking(at.upstream)), {"diagnosis": "broken", "piece": 3}),
    "ticks": (Ticking, {"diagnosis": "timer"}),
    "waits for long": (Waiting, {"diagnosis": "timer", "piece": 1}),
    "is right": (Relay, {"diagnosis": "prompt"}),
}


async def test_small_relays_that_are_wrong() -> None:
    """All of them at once: they mostly wait."""
    results: dict[str, Result] = {}

    async def run(name: str, relay: type[Relay], case_id: str) -> None:
        limit_s = 5.0 if name == "is right" else LIMIT_S
        results[name] = (await found(case_id, relay=relay, setting=replace(SETTING, limit_s=limit_s)))[case_id]

    async with trio.open_nursery() as nursery:
        for name, (relay, _) in RELAYS.items():
            nursery.start_soon(run, name, relay, "flush.sse.chunked")
        for size_bytes in (4096, 65536):
            relay = staging(lambda _, size=size_bytes: Threshold(size))  # type: ignore[misc]  # mypy and lambdas
            nursery.start_soon(run, str(size_bytes), relay, "flush.text.chunked")
    said = {name: {**result.facts, "detail": result.detail} for name, result in results.items()}
    for name, (_, facts) in RELAYS.items():
        assert {key: said[name].get(key) for key in facts} == facts, said[name]
        expected = Verdict.NON_STRICT if facts["diagnosis"] == "timer" else Verdict.FAILED
        expected = Verdict.OK if name == "is right" else expected
        assert results[name].verdict is expected
    delay_ms = said["ticks"]["delay_ms"]
    assert isinstance(delay_ms, float)
    assert delay_ms > 1000 * LIMIT_S
    # A threshold is known as exactly as what was sent last before it gave way; a busy machine makes that more.
    for size_bytes in (4096, 65536):
        least, most = (said[str(size_bytes)][name] for name in ("buffer_least_bytes", "buffer_bytes"))
        assert isinstance(least, int)
        assert isinstance(most, int)
        assert most >= size_bytes
        assert most - least <= size_bytes // 8
