"""The gateway's rows of the forwarding question find what they look for, with relays in the gateway's place."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from benchmarks.gateway import lockstep
from benchmarks.gateway.lockstep import CREATED_AT, Framing, by_conversion, by_gateway, by_gateway_up
from benchmarks.lockstep import Outcome, PathRun, run_in_lockstep
from benchmarks.wires import Wire, anthropic_to_ollama, converted, openai_to_anthropic, untouched, whole_lines
from streamkit.http.background import background


class TestLockstep:
    @pytest.fixture(autouse=True)
    def relayed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In the place of the gateway; a test sets what it does to a piece."""
        self.pass_on: Callable[[list[bytes], bytes], list[bytes]] = lambda _held, piece: [piece]
        monkeypatch.setattr(lockstep, "open_gateway", self.open)

    @asynccontextmanager
    async def open(self, url: str, **_options: str) -> AsyncIterator[object]:
        """Relay like the gateway."""
        port = int(url.rpartition(":")[2])

        async def forward(source: trio.SocketStream, sink: trio.SocketStream) -> None:
            held: list[bytes] = []
            async for piece in source:
                for each in self.pass_on(held, bytes(piece)):
                    await sink.send_all(each)
            await sink.send_eof()

        async def one(client: trio.SocketStream) -> None:
            async with await trio.open_tcp_stream("127.0.0.1", port) as there, trio.open_nursery() as both:
                both.start_soon(forward, client, there)
                both.start_soon(forward, there, client)

        async with background() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, one, 0, host="127.0.0.1"))
            self.port = listener.socket.getsockname()[1]
            yield self

    def drive(self, run: PathRun, bound_s: float = 0.05, wire: Wire | None = None) -> Outcome:
        wire = wire or untouched(20, 1)
        return trio.run(partial(run_in_lockstep, run, wire, branches=1, seed=1, bound_s=bound_s))

    @pytest.mark.parametrize(
        "run", [*(partial(by_gateway, framing) for framing in ("chunked", "close", "length")), by_gateway_up]
    )
    def test_one_that_passes_everything_on_is_right(self, run: PathRun) -> None:
        outcome = self.drive(run, 5)
        assert (outcome.verdict, outcome.fault) == ("ok", "")
        assert outcome.pieces_in == outcome.pieces_out > 20

    @pytest.mark.parametrize("framing", ["chunked", "close", "length"])
    def test_one_that_is_a_piece_late_is_held(self, framing: Framing) -> None:
        def late(held: list[bytes], piece: bytes) -> list[bytes]:
            if piece.startswith(b"GET "):
                return [piece]
            held.append(piece)
            return [held.pop(0)] if len(held) > 1 else []

        self.pass_on = late
        assert self.drive(partial(by_gateway, framing)).verdict == "held"

    def test_a_request_that_is_a_piece_late_is_held(self) -> None:
        def late(held: list[bytes], piece: bytes) -> list[bytes]:
            held.append(piece)
            return [held.pop(0)] if len(held) > 2 else []

        self.pass_on = late
        assert self.drive(by_gateway_up).verdict == "held"

    def test_one_that_changes_a_byte_is_wrong(self) -> None:
        self.pass_on = lambda _held, piece: [piece.replace(b"chatcmpl", b"chatCMPL")]
        assert "right up to byte" in self.drive(partial(by_gateway, "length"), 5).fault

    def test_one_that_refuses_is_wrong(self) -> None:
        self.pass_on = lambda _held, piece: [piece.replace(b" 200 ", b" 502 ")]
        assert "the gateway answered 502" in self.drive(partial(by_gateway, "chunked"), 5).fault

    def test_a_conversion_that_passes_every_line_on_is_right(self) -> None:
        stamped = [(line, re.sub(rb"2026-[^Z]+Z", CREATED_AT.encode(), line)) for line, _ in whole_lines(20, 1).units]
        outcome = self.drive(partial(by_conversion, "ollama-chat", "ollama-chat"), 5, Wire(stamped))
        assert (outcome.verdict, outcome.fault) == ("ok", "")

    def test_one_that_is_a_line_late_is_held(self) -> None:
        def late(held: list[bytes], piece: bytes) -> list[bytes]:
            if piece.startswith((b"POST ", b"HTTP/")):
                return [piece]
            held.append(piece)
            return [held.pop(0)] if len(held) > 1 else []

        self.pass_on = late
        run = partial(by_conversion, "ollama-chat", "anthropic")
        assert self.drive(run, wire=whole_lines(20, 1)).verdict == "held"

    def test_one_that_does_not_convert_is_wrong(self) -> None:
        run = partial(by_conversion, "openai-chat", "anthropic")
        assert self.drive(run, wire=openai_to_anthropic(20, 1)).verdict != "ok"


class TestTheGatewayItself:
    @pytest.mark.parametrize(
        ("spoken", "wanted", "wire"),
        [
            ("ollama-chat", "openai-chat", converted(20, 1, is_usage_asked=False)),
            ("anthropic", "ollama-chat", anthropic_to_ollama(20, 1, created_at=CREATED_AT)),
            ("openai-chat", "anthropic", openai_to_anthropic(20, 1)),
        ],
    )
    def test_it_converts_every_record_when_it_is_there(self, spoken: str, wanted: str, wire: Wire) -> None:
        run = partial(by_conversion, spoken, wanted)
        outcome = trio.run(partial(run_in_lockstep, run, wire, branches=1, seed=1, bound_s=5))
        assert (outcome.verdict, outcome.held_bytes, outcome.fault) == ("ok", 0, "")
