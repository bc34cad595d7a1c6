"""A browser's own `EventSource` on resumable streams: it sees every event once, whatever its connections do, and stops.

Between the browser and the gateway stands a proxy that cuts the first connections to the events after so many bytes.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import pytest
import trio

from streamkit.http.stream import SocketStream
from tests.chromium import open_chromium
from tests.gateway.peers import connected
from tests.gateway.streaming import ENVELOPE, Place, events_of, on_sockets

BLANK: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<!doctype html>"
)

LISTEN: Final = """
async ([envelope, wait]) => {
    const made = await fetch("/streams", {method: "POST", body: JSON.stringify(envelope)});
    const {events} = await made.json();
    const seen = [];
    const end = await new Promise((resolve) => {
        const timer = setTimeout(() => { source.close(); resolve("nothing more came"); }, wait);
        const source = new EventSource(events);
        source.onmessage = event => seen.push([Number(event.lastEventId), event.data]);
        source.onerror = () => {
            if (source.readyState === EventSource.CLOSED) { clearTimeout(timer); resolve("stopped"); }
        };
    });
    return {status: made.status, location: made.headers.get("Location"), events, seen, end};
}
"""

WAIT_MS: Final = 30_000


class Proxy:
    """Passes connections on to the gateway, one request each, and cuts those that read events.

    Attributes:
        asked: the heads of the requests for events.
        statuses: of the answers to them.
    """

    def __init__(self, place: Place, cuts: Sequence[int]) -> None:
        self.place = place
        self.cuts = [*cuts]
        self.asked: list[str] = []
        self.statuses: list[int] = []

    async def serve(self, browser: trio.SocketStream) -> None:
        """Play one connection, which is then closed."""
        async with browser:
            head = b""
            while b"\r\n\r\n" not in head:
                data = await browser.receive_some()
                if not data:
                    return
                head += data
            if head.startswith((b"GET / ", b"GET /favicon.ico ")):
                await browser.send_all(BLANK)
                return
            is_reader = head.startswith(b"GET /streams/")
            if is_reader:
                self.asked.append(head.decode("latin-1"))
            gateway = await connected(self.place.port)
            try:
                await gateway.send_all(
                    head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1).replace(b"keep-alive", b"")
                )
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._pass_body, browser, gateway)
                    await self._answer(browser, gateway, is_reader=is_reader)
                    nursery.cancel_scope.cancel()
            finally:
                gateway.abort()

    async def _pass_body(self, browser: trio.SocketStream, gateway: SocketStream) -> None:
        while data := await browser.receive_some():
            await gateway.send_all(data)

    async def _answer(self, browser: trio.SocketStream, gateway: SocketStream, *, is_reader: bool) -> None:
        cut = self.cuts.pop(0) if is_reader and self.cuts else None
        sent = 0
        while data := (await gateway.receive()).data:
            if is_reader and not sent:
                self.statuses.append(int(data.split(b" ")[1]))
            piece = data if cut is None else data[: max(cut - sent, 0)]
            await browser.send_all(piece)
            sent += len(piece)
            if cut is not None and sent >= cut:
                linger = b"\1\0\0\0\0\0\0\0"  # on, 0 s: a reset, every second time
                if len(self.cuts) % 2:
                    browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return


def seen_by_browser(urls: Sequence[str]) -> list[dict[str, Any]]:
    """What a page at each of these origins sees, in the system's Chromium."""
    with open_chromium() as browser:
        results: list[dict[str, Any]] = []
        for url in urls:
            page = browser.new_page()
            page.goto(url)
            results.append(page.evaluate(LISTEN, [ENVELOPE, WAIT_MS]))
        return results


async def shown(*proxies: Proxy) -> list[dict[str, Any]]:
    """What a page behind each of these proxies sees."""
    async with trio.open_nursery() as nursery:
        urls: list[str] = []
        for proxy in proxies:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            urls.append(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/")
            nursery.start_soon(trio.serve_listeners, handler_of(proxy), listeners)
        results = await trio.to_thread.run_sync(seen_by_browser, urls)
        nursery.cancel_scope.cancel()
    return results


def handler_of(proxy: Proxy) -> Callable[[trio.SocketStream], Awaitable[None]]:
    """What serves a connection of the browser, who may leave as he likes."""

    async def serve(browser: trio.SocketStream) -> None:
        try:
            await proxy.serve(browser)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except BaseExceptionGroup as group:
            rest = group.split((trio.BrokenResourceError, trio.ClosedResourceError))[1]
            if rest is not None:
                raise rest from None

    return serve


@pytest.mark.needs("chromium")
async def test_a_page_sees_every_event_once_and_stops_by_itself() -> None:
    whole_answer = on_sockets({"say": "The weather is fine today, and it will stay so for a while."})
    async with whole_answer as place, on_sockets({"tokens": 5, "fault": "reset@token:3"}) as failing:
        # In a frame's data, in its number, behind its first line end; that follows from the bytes, and any would do.
        cut, failed = Proxy(place, [420, 520, 333]), Proxy(failing, [])
        result, error = await shown(cut, failed)

        assert result["status"] == 201
        assert result["location"] == result["events"]
        assert result["end"] == "stopped"
        whole = events_of(await place.read(result["events"].split("/")[2]))
        assert [(number, json.loads(data)) for number, data in result["seen"]] == whole
        assert whole[-1][1]["streamkit"] == "end"
        assert cut.statuses == [200, 200, 200, 200, 204]
        assert f"Last-Event-ID: {len(whole)}\r\n" in cut.asked[-1]
        assert len(place.mock.journal) == 1

        assert error["end"] == "stopped"
        assert json.loads(error["seen"][-1][1])["streamkit"] == "error"
        assert failed.statuses == [200, 204]
        assert len(failing.mock.journal) == 1
