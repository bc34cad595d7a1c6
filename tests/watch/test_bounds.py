"""Hundreds of streams, thousands of chunks, 10 MiB in one event: what is kept is bounded, and clients get it all."""

from __future__ import annotations

import trio

from streamkit.watch.sights import Sights
from tests.watch.stand import CHAT, asking, watching

MIB = 1 << 20


async def test_hundreds_of_streams_at_once_are_whole_and_what_is_kept_of_them_is_bounded() -> None:
    bounds = Sights(max_sights=50, max_sight_bytes=5_000, max_total_bytes=MIB // 2)
    async with watching({"tokens": 12, "gate": "held@token:1", "split": "size:50"}, sights=bounds) as stand:
        page = await stand.follow()
        bodies: list[bytes] = []

        async def ask() -> None:
            client = await stand.client()
            async with client.stream:
                _, body, ending = await client.ask(asking("POST /v1/chat/completions", body=CHAT))
                assert ending == "complete"
                bodies.append(body)

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(ask)
            await stand.mock.gates.wait_for("held", 200)
            assert len(bounds) == 200  # all of them live
            stand.mock.gates.open("held")
        assert len(bodies) == 200
        assert all(body.endswith(b"data: [DONE]\n\n") for body in bodies)
        assert len({body.count(b"data: ") for body in bodies}) == 1
        assert bounds.kept_bytes <= MIB // 2
        assert bounds.kept_bytes == sum(sight.kept_bytes for sight in bounds)
        await stand.until(lambda: not any(sight.is_live for sight in bounds))
        await stand.ask("POST /v1/chat/completions", body=CHAT)
        assert len(bounds) == 50
        number = max(sight.record.number for sight in bounds)
        row = await stand.line_of(page, lambda row: row.get("number") == number and not row.get("is_live"))
        assert row["lost_moments"] > 0


async def test_an_event_of_10_mib_passes_and_is_shown_by_its_ends() -> None:
    async with watching({"say": "a b c", "fault": "oversized:10485760@token:1"}) as stand:
        _, got, ending = await stand.ask("POST /v1/chat/completions", body=CHAT)
        assert ending == "complete"
        assert len(got) > 10 * MIB
        sight = await stand.sight()
        assert sight.lost_moments == 0
        rows = await stand.rows(sight.record.number)
        for lane in ("upstream", "gateway"):
            marks = [row for row in rows if row["kind"] == "mark" and row["lane"] == lane]
            assert sum(mark["bytes"] for mark in marks) == len(got)
            assert marks[-1]["records"] == got.count(b"\n\n")
            assert max(len(mark["head"]) + len(mark["tail"]) for mark in marks) < 2000


async def test_what_is_too_large_to_be_kept_passes_all_the_same() -> None:
    bounds = Sights(max_sight_bytes=MIB, max_total_bytes=2 * MIB)
    async with watching({"say": "a b c", "fault": "oversized:10485760@token:1"}, sights=bounds) as stand:
        for number in range(3):
            _, got, ending = await stand.ask("POST /v1/chat/completions", body=CHAT)
            assert (ending, len(got) > 10 * MIB) == ("complete", True)
            await stand.seen()
            assert bounds.kept_bytes <= 2 * MIB
            sight = [*bounds][-1]
            assert sight.written_bytes > len(got) > sight.kept_bytes, number
        end = (await stand.rows(sight.record.number))[-1]["stream"]
        assert end["lost_bytes"] > 2 * 9 * MIB
        head, body = await stand.api(f"streams/{sight.record.number}/cassette")
        assert head.status == 409
        assert b"too large" in body


async def test_thousands_of_chunks_are_as_many_marks_as_there_were_writes() -> None:
    async with watching({"tokens": 3000}) as stand:
        page_was_there = await stand.follow()
        _, got, ending = await stand.ask("POST /v1/chat/completions", body=CHAT)
        assert ending == "complete"
        sight = await stand.sight()
        rows = await stand.rows(sight.record.number)
        marks = [row for row in rows if row["kind"] == "mark" and row["lane"] == "gateway"]
        assert [mark["n"] for mark in marks] == [*range(len(marks))]
        assert marks[-1]["records"] == got.count(b"\n\n") > 3000
        reads = [row for row in rows if row["kind"] == "mark" and row["lane"] == "upstream"]
        throughs = [mark["through"] for mark in marks]
        assert throughs == sorted(throughs)
        assert throughs[-1] == len(reads)
        row = await stand.line_of(page_was_there, lambda row: not row["is_live"])
        assert row["outcome"] == "ok"
