"""What the measuring client makes of bytes, and what is made of its stamps and of the mock's journal: all by hand."""

from __future__ import annotations

import json
import runpy
import socket
import subprocess
import sys
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from benchmarks.mock.figures import Run, Stamps, check, run_of
from benchmarks.mock.journal import entries_since, first_tokens_ns
from benchmarks.mock.rounds import CLIENT

MS = 1_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="epoll and /proc")


class TestFigures:
    """Against stamps written by hand."""

    def stamps(self, at_ms: list[float], tokens: list[int], sent_ms: float = 0) -> Stamps:
        at_ns = [round(at * MS) for at in at_ms]
        return Stamps(round(sent_ms * MS), at_ns, tokens, len(tokens), sum(tokens), at_ns[-1])

    def test_drift_is_the_share_of_the_asked_time_from_first_to_last_token(self) -> None:
        assert self.stamps([5, 15, 25, 36], [1, 1, 1, 1]).drift(10 * MS) == pytest.approx(1 / 30)
        assert self.stamps([5, 15, 34.7], [1, 1, 2]).drift(10 * MS) == pytest.approx(-0.01)

    def test_tokens_of_one_read_have_no_gap_between_them(self) -> None:
        assert sorted(self.stamps([10, 30, 45], [1, 3, 1]).gaps_ns()) == [0, 0, 15 * MS, 20 * MS]

    def test_ttft_runs_from_the_sending_of_the_request(self) -> None:
        assert self.stamps([58, 70], [1, 1], sent_ms=7).ttft_ns() == 51 * MS

    def test_too_early_is_as_far_off_as_too_late(self) -> None:
        early, late = self.stamps([47], [1]), self.stamps([53], [1])
        assert Run(0, [early]).ttft_off_ms(50) == Run(0, [late]).ttft_off_ms(50) == 3
        fast = Run(0, [self.stamps([0, 9], [1, 1])])
        assert fast.drift_percent(10 * MS) == pytest.approx(10)
        assert fast.worst_drift_percent(10 * MS) == pytest.approx(10)

    def test_a_run_counts_all_tokens_from_the_first_request_to_the_last_end(self) -> None:
        run = Run(1_000 * MS, [self.stamps([1_250], [50]), self.stamps([1_500], [50])], cpu_ns=100_000)
        assert run.tokens_per_s() == pytest.approx(200)
        assert run.cpu_us_per_token() == pytest.approx(1)
        assert replace(run, cpu_ns=None).cpu_us_per_token() is None

    def test_percentiles_are_over_the_gaps_of_all_streams(self) -> None:
        run = Run(0, [self.stamps([0, 10, 20], [1, 1, 1]), self.stamps([0, 10, 40], [1, 1, 1])])
        assert (run.gap_ms(50), run.gap_ms(99)) == (10, 30)

    def test_segments_that_nobody_counted_are_no_figure(self) -> None:
        one = self.stamps([1], [1])
        assert Run(0, [one]).segments() == 1
        assert Run(0, [replace(one, segments=None)]).segments() is None

    @pytest.mark.parametrize(
        ("streams", "tokens", "complaint"),
        [(2, 4, "1 streams came of 2"), (1, 5, "1 of 1 streams had not 5 tokens, one of them 4")],
    )
    def test_a_run_with_something_missing_is_no_run(self, streams: int, tokens: int, complaint: str) -> None:
        run = Run(0, [self.stamps([1, 2], [1, 3])])
        check(run, "x", streams=1, tokens=4)
        with pytest.raises(RuntimeError, match=complaint):
            check(run, "x", streams=streams, tokens=tokens)


class TestJournal:
    def test_the_first_token_runs_from_the_kernels_stamp_to_the_end_of_the_write_that_completed_it(self) -> None:
        writes = [[0, 105, 106, 90, 0], [150, 151, 157, 200, 1], [160, 160, 161, 200, 2]]
        entries: list[dict[str, Any]] = [
            {"kernel_ns": 100, "writes": writes},
            {"kernel_ns": None, "writes": writes},
            {"kernel_ns": 100, "writes": writes[:1]},
        ]
        assert first_tokens_ns(entries) == [57]

    def test_requests_to_the_admin_api_are_not_counted(self) -> None:
        answer = [{"number": 3, "target": "/_mock/journal"}, {"number": 4, "target": "/v1/chat/completions"}]
        with one_answer(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(answer).encode()
        ) as url:
            assert entries_since(url, 2) == answer[1:]

    def test_a_server_without_a_journal_has_no_entries(self) -> None:
        with one_answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as url:
            assert entries_since(url, 0) == []


class one_answer:  # noqa: N801 - used as a function
    """Listen for one connection and write these bytes to it, whatever it asks."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = Thread(target=self.answer)

    def answer(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(self.data)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __exit__(self, *details: object) -> None:
        self.thread.join(10)
        self.listener.close()


class TestClient:
    """Against bytes written by hand."""

    def job(self, data: bytes) -> dict[str, Any]:
        with one_answer(data) as url:
            job = {
                "host": "127.0.0.1",
                "port": int(url.rpartition(":")[2]),
                "request": "GET / HTTP/1.1\r\n\r\n",
                "streams": 1,
                "at_once": 1,
                "marker": "<t>",
                "spread_s": 0,
                "timeout_s": 5,
            }
            done = subprocess.run(
                [sys.executable, "-I", str(CLIENT)], input=json.dumps(job).encode(), capture_output=True, check=True
            )
        assert done.stderr == b""
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def test_every_marker_counts_once(self) -> None:
        result = self.job(b"HTTP/1.1 200 OK\r\n\r\n5\r\n<t>ab\r\n6\r\n<t><t>\r\n0\r\n\r\n")
        (stream,) = run_of(result).streams
        assert sum(stream.tokens) == 3
        assert stream.sent_ns < stream.at_ns[0] <= stream.ended_ns
        assert stream.segments == 1

    @pytest.mark.parametrize(
        ("data", "complaint"),
        [
            (b"HTTP/1.1 200 OK\r\n\r\n3\r\n<t>\r\n", "ended before its stream did, after 1 tokens"),
            (b"HTTP/1.1 429 Too Many Requests\r\n\r\n0\r\n\r\n", "429 Too Many"),
        ],
    )
    def test_what_is_no_whole_stream_is_an_error(self, data: bytes, complaint: str) -> None:
        assert complaint in self.job(data)["error"]

    def test_a_marker_that_is_cut_by_reads_counts_once(self) -> None:
        """Through the client's own stream, fed by a socket pair."""
        stream_type = runpy.run_path(str(CLIENT))["Stream"]
        ours, its = socket.socketpair()
        with ours, its:
            stream = stream_type.__new__(stream_type)
            stream.socket, stream.tail, stream.at_ns, stream.tokens, stream.reads = its, b"", [], [], 0
            for piece in (b"HTTP/1.1 200 OK\r\n\r\nab<marker", b">cd<marker>ef<mark", b"er>gh"):
                ours.sendall(piece)
                assert not stream.receive(b"<marker>")
            assert stream.tokens == [2, 1]
