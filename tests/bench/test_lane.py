"""One request: what it sends, when it is said to have been sent, and that TLS changes nothing in what is known."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mockserver.app import MockServer
from mockserver.open import open_mockserver
from streamkit.bench.metrics import BY_NAME, unresolved_gaps
from streamkit.bench.observer import Observer
from streamkit.bench.plan import Concurrency
from streamkit.bench.reader import MOST_BYTES, MOST_READS
from streamkit.bench.record import RequestRecord
from streamkit.http.listener import open_listeners
from streamkit.http.stream import TimedRead
from streamkit.http.tls import ThrowawayCertificate, TLSListener, throwaway_certificate
from tests.bench.handmade import (
    DONE,
    HEL,
    HELLO,
    LAST,
    LO,
    ROLE,
    SSE,
    Wire,
    asked,
    chunk,
    delta,
    load_on,
    serving,
)


async def test_every_request_is_marked_in_its_prompt_and_its_header() -> None:
    seen: list[bytes] = []

    async def serve(wire: Wire) -> None:
        while True:
            seen.append(await wire.request())
            await wire.send(HELLO)

    async with serving(serve) as served:
        loaded = await load_on(served.url, requests=3)
    ids = [record.request_id for record in loaded.records]
    assert len(set(ids)) == 3
    for request, each in zip(seen, ids, strict=True):
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"X-Request-ID: {each}".encode() in head
        assert f"[{each}] Why?".encode() in body


async def test_sending_is_stamped_before_the_server_has_the_question() -> None:
    got: list[int] = []

    async def serve(wire: Wire) -> None:
        while True:
            await wire.request()
            got.append(time.monotonic_ns())
            await wire.send(HELLO)

    async with serving(serve) as served:
        loaded = await load_on(served.url, requests=5)
    for record, got_ns in zip(loaded.records, got, strict=True):
        assert record.sent_ns is not None
        assert record.began_ns <= record.sent_ns < got_ns
        assert record.headers_ns is not None
        assert record.headers_ns > got_ns - 100_000  # two clocks that are read one after the other differ by little


async def test_a_question_for_which_there_was_no_room_is_sent_when_its_last_byte_is() -> None:
    """A server that reads late makes no token late."""
    began: list[int] = []

    async def late(wire: Wire) -> None:
        await trio.sleep(0.1)
        began.append(time.monotonic_ns())
        await wire.request()
        await wire.send(HELLO)
        await wire.left()

    record = await asked(late, prompts=["word " * 3_000_000])
    assert record.outcome == "ok"
    assert record.sent_ns is not None
    assert record.sent_ns > began[0]
    assert record.headers_ns is not None
    assert record.headers_ns > record.sent_ns
    assert not record.clock_jumped


async def test_what_was_written_apart_and_read_together_is_unresolved() -> None:
    """While the loop stands still the kernel merges what comes."""

    async def serve(wire: Wire) -> None:
        await wire.request()
        await wire.send(SSE + chunk(ROLE))
        await wait_all_tasks_blocked(0.002)
        for piece in (HEL, LO, HEL):
            wire.send_now(chunk(piece))
            time.sleep(0.002)  # noqa: ASYNC251
        await wire.send(chunk(DONE) + LAST)
        await wire.left()

    record = await asked(serve)
    assert record.outcome == "ok"
    assert [(each.tokens, each.is_resolved) for each in record.token_reads] == [(3, False)]
    assert not record.is_first_resolved
    assert unresolved_gaps(record) == 2
    assert [*BY_NAME["event_gap_ms"].values(record)] == []


async def test_the_kernels_stamp_is_older_than_a_loop_that_stood_still() -> None:
    """The read comes late, the token did not: and the record says that the loop stood still."""
    stall_s = 0.05
    sent: list[int] = []

    async def serve(wire: Wire) -> None:
        await wire.request()
        await wire.send(SSE + chunk(ROLE))
        await wait_all_tasks_blocked(0.002)
        wire.send_now(chunk(HEL))
        sent.append(time.monotonic_ns())
        time.sleep(stall_s)  # noqa: ASYNC251 - that is the stall
        await wait_all_tasks_blocked(0.002)  # or it would be merged with what comes now
        await wire.send(chunk(DONE) + LAST)
        await wire.left()

    record = await asked(serve)
    assert record.outcome == "ok"
    assert record.has_kernel
    assert record.first_token_ns is not None
    assert record.first_token_read_ns is not None
    assert record.first_token_read_ns - record.first_token_ns > (stall_s - 0.005) * 1e9
    assert record.first_token_ns < sent[0] + 5_000_000
    assert record.lag_ns > (stall_s - 0.02) * 1e9


@pytest.mark.parametrize("size", [100, 30_000])
async def test_what_was_not_decoded_yet_does_not_pile_up(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """However slow we are, and however much comes."""
    monkeypatch.setattr("streamkit.bench.reader.DECODE_NS", 0)
    monkeypatch.setattr("streamkit.bench.reader.AT_ONCE", 1)
    most_reads, most_bytes = 0, 0
    saw = Observer.saw

    def watched(self: Observer, read: TimedRead, data: bytes) -> None:
        nonlocal most_reads, most_bytes
        most_reads = max(most_reads, len(self.pending))
        most_bytes = max(most_bytes, sum(len(each.data) for each in self.pending))
        saw(self, read, data)

    monkeypatch.setattr(Observer, "saw", watched)
    piece = chunk(delta('{"content":"%s"}' % ("x" * size)))

    async def flood(wire: Wire) -> None:
        await wire.request()
        await wire.send(SSE, *[piece] * 150, chunk(DONE) + LAST)
        await wire.left()

    async with serving(flood) as served:
        loaded = await load_on(served.url, requests=8, load=Concurrency(8))
    assert [record.visible_tokens for record in loaded.records] == [150] * 8
    assert most_reads <= MOST_READS
    assert most_bytes <= MOST_READS * MOST_BYTES


async def test_a_clock_that_is_set_costs_the_kernels_stamps_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour forth, between the first token and the second: no time is wrong by it."""
    real_ns = time.time_ns
    by_ns = [0]
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + by_ns[0])

    async def serve(wire: Wire) -> None:
        await wire.request()
        await wire.send(SSE, chunk(ROLE + HEL))
        await trio.sleep(0.02)
        by_ns[0] = 3600 * 10**9
        await wire.send(chunk(LO))
        await trio.sleep(0.02)
        await wire.send(chunk(DONE) + LAST)
        await wire.left()

    record = await asked(serve)
    assert record.outcome == "ok"
    assert record.clock_jumped
    assert not record.has_kernel
    assert_plausible(record)
    for name in ("first_token", "last_token", "end", "headers"):
        assert getattr(record, f"{name}_ns") == getattr(record, f"{name}_read_ns")


@pytest.mark.parametrize("by_ns", [5_000_000, -5_000_000])
async def test_a_clock_that_is_set_by_little_is_noticed_too(monkeypatch: pytest.MonkeyPatch, by_ns: int) -> None:
    real_ns = time.time_ns
    added = [0]
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + added[0])

    async def serve(wire: Wire) -> None:
        await wire.request()
        await wire.send(SSE, chunk(ROLE + HEL))
        await trio.sleep(0.03)
        added[0] = by_ns
        await wire.send(chunk(LO + DONE) + LAST)
        await wire.left()

    record = await asked(serve)
    assert record.outcome == "ok"
    assert record.clock_jumped
    assert_plausible(record)


def assert_plausible(record: RequestRecord) -> None:
    assert record.sent_ns is not None
    names = ("headers", "first_byte", "first_event", "first_token", "last_token", "end")
    times = [record.sent_ns, *(getattr(record, f"{name}_ns") for name in names)]
    assert times == sorted(times)
    assert times[-1] <= time.monotonic_ns()


# ------------------------------------------------------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def certificate() -> ThrowawayCertificate:
    pytest.importorskip("trustme")
    return throwaway_certificate()


@asynccontextmanager
async def secure_mock(
    certificate: ThrowawayCertificate,
    where: Path,
    **settings: Any,  # noqa: ANN401 - those of the mock
) -> AsyncIterator[tuple[MockServer, str]]:
    """A mock behind TLS, and the file with its authority."""
    path = where / "authority.pem"
    path.write_bytes(certificate.authority_pem)
    async with open_mockserver(tls=certificate.context, **settings) as mock:
        yield mock, str(path)


async def test_tls_keeps_stamps_and_counts(certificate: ThrowawayCertificate, tmp_path: Path) -> None:
    async with secure_mock(certificate, tmp_path, tokens=6, rate=200) as (mock, authorities):
        loaded = await load_on(mock.url, requests=3, authorities=authorities)
        assert loaded.outcomes == ["ok"] * 3, [record.detail for record in loaded.records]
        assert [record.is_reused for record in loaded.records] == [False, True, True]
        for record in loaded.records:
            assert record.visible_tokens == 6
            assert record.has_kernel
            assert_plausible(record)
            assert record.first_token_ns is not None
            assert record.first_token_read_ns is not None
            assert record.first_token_ns < record.first_token_read_ns
    assert loaded.records[0].connected_ns is not None


async def test_records_of_tls_that_are_read_together_are_unresolved(
    certificate: ThrowawayCertificate, tmp_path: Path
) -> None:
    """Several segments in one read of the ciphertext: as without TLS, nobody knows when each came."""
    path = tmp_path / "authority.pem"
    path.write_bytes(certificate.authority_pem)
    (plain,) = await open_listeners(0)
    listener = TLSListener(plain, certificate.context)

    async def serve() -> None:
        async with await listener.accept() as stream:
            await stream.receive()
            await stream.send_all(SSE + chunk(ROLE))
            await wait_all_tasks_blocked(0.002)
            stream.send_now(chunk(HEL))
            await wait_all_tasks_blocked(0.002)
            stream.send_now(chunk(LO + HEL))
            await wait_all_tasks_blocked(0.002)
            for piece in (HEL, LO, HEL):
                assert stream.send_now(chunk(piece))  # nobody else runs in between
            await wait_all_tasks_blocked(0.002)
            stream.send_now(chunk(LO))
            await wait_all_tasks_blocked(0.002)
            await stream.send_all(chunk(DONE) + LAST)
            await stream.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        (record,) = (await load_on(f"https://127.0.0.1:{plain.port}", authorities=str(path))).records
        nursery.cancel_scope.cancel()
    await listener.aclose()
    assert record.outcome == "ok", record.detail
    reads = [(each.tokens, each.is_resolved) for each in record.token_reads]
    assert reads == [(1, True), (2, True), (3, False), (1, True)]
    assert len(BY_NAME["event_gap_ms"].values(record)) == 1
    assert unresolved_gaps(record) == 5
    assert all(gap > 0 for gap in BY_NAME["read_gap_ms"].values(record))


async def test_who_is_not_trusted_is_not_asked(certificate: ThrowawayCertificate, tmp_path: Path) -> None:
    async with secure_mock(certificate, tmp_path) as (mock, _):
        loaded = await load_on(mock.url)
        assert loaded.outcomes == ["no-connection"]
        assert "not trusted" in loaded.records[0].detail
        assert not len(mock.journal)
