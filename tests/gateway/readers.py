"""Both neighbours' ears: heads as they came, bodies out of their framing by h11's book, and how they ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import h11
import trio

from streamkit.http.stream import SocketStream

Ending = Literal["complete", "closed", "cut", "reset", "broken"]
"""How a message ended, for its reader: its own framing said so; the connection's end was its end; FIN came too early;
RST came; it is no HTTP any more."""

VISIBLE: Final = {"cut", "reset", "broken"}
"""The endings that nobody takes for success."""


class Ended(Exception):
    """The message came to its end, well or not."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending)
        self.ending: Ending = ending


@dataclass(frozen=True)
class Head:
    """A head as it came.

    Attributes:
        line: the first line.
        fields: the others, names in the case in which they came.
    """

    line: str
    fields: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        return ", ".join(self.all(name)) if self.all(name) else None

    @property
    def status(self) -> int:
        return int(self.line.split(" ")[1])


def head_of(data: bytes) -> Head:
    """Read a head without any opinion about it."""
    line, *rest = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    return Head(line, [(name, value.strip(" ")) for name, _, value in (each.partition(":") for each in rest)])


class Reader:
    """Reads messages from a stream: heads as they are, bodies out of their framing by h11.

    Attributes:
        wire: all that came.
        interim: the heads of the interim responses before the last final one.
        trailers: behind the last body.
    """

    def __init__(self, stream: SocketStream, role: type[h11.CLIENT | h11.SERVER]) -> None:
        self.stream = stream
        self.role = role
        self.wire = bytearray()
        self.interim: list[Head] = []
        self.trailers: list[tuple[str, str]] = []
        self._ahead = bytearray()
        self._payload = bytearray()
        self._parser = h11.Connection(role)
        self._is_eof = False

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def _more(self) -> bytes:
        try:
            data = (await self.stream.receive()).data
        except trio.BrokenResourceError:
            raise Ended("reset") from None
        self.wire += data
        self._is_eof = not data
        return data

    async def raw_head(self) -> bytes:
        """The bytes of the next head, blank line included.

        Raises:
            Ended: there is none.
        """
        while b"\r\n\r\n" not in self._ahead:
            data = await self._more()
            if not data:
                raise Ended("broken" if self._ahead else "cut")
            self._ahead += data
        end = self._ahead.index(b"\r\n\r\n") + 4
        head = bytes(self._ahead[:end])
        del self._ahead[:end]
        return head

    def begin(self, head: bytes, method: str = "GET") -> None:
        """Take this as the head of the body that comes."""
        self._payload.clear()
        self.trailers = []
        self._parser = h11.Connection(self.role, max_incomplete_event_size=1 << 20)
        if self.role is h11.CLIENT:
            self._parser.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
            self._parser.send(h11.EndOfMessage())
        self._parser.receive_data(head)
        event = self._parser.next_event()
        assert isinstance(event, h11.Response | h11.Request), event
        if self._ahead:
            self._parser.receive_data(bytes(self._ahead))
            self._ahead.clear()

    async def _piece(self) -> bytes:
        """The next of the body's bytes.

        Raises:
            Ended: there is no more.
        """
        try:
            while (event := self._parser.next_event()) is h11.NEED_DATA:
                self._parser.receive_data(await self._more())
        except h11.RemoteProtocolError:
            raise Ended("cut" if self._is_eof else "broken") from None
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage):
            self.trailers = [(name.decode(), value.decode("latin-1")) for name, value in event.headers.raw_items()]
            self._ahead += self._parser.trailing_data[0]
            raise Ended("closed" if self._is_eof else "complete")
        raise Ended("cut")

    async def read(self, size: int) -> bytes:
        """So many bytes of the body, and no more of it."""
        while len(self._payload) < size:
            try:
                self._payload += await self._piece()
            except Ended as ended:
                got = bytes(self._payload)
                raise AssertionError(f"{ended.ending} after {len(got)} of {size} bytes: {got[-80:]!r}") from None
        got = bytes(self._payload[:size])
        del self._payload[:size]
        return got

    async def rest(self, take: Callable[[bytes], None] | None = None) -> tuple[bytes, Ending]:
        """What is left of the body, and how it ended; the bytes go to `take` instead, if there is one."""
        got = bytearray()
        keep = got.extend if take is None else take
        keep(bytes(self._payload))
        self._payload.clear()
        try:
            while True:
                keep(await self._piece())
        except Ended as ended:
            return bytes(got), ended.ending

    async def raw_rest(self) -> tuple[bytes, Ending]:
        """Whatever still comes, framing and all, and how it ended: `closed` or `reset`."""
        got = bytearray(self._ahead)
        self._ahead.clear()
        try:
            while data := await self._more():
                got += data
        except Ended as ended:
            return bytes(got), ended.ending
        return bytes(got), "closed"


class Client(Reader):
    """What stands before the gateway."""

    def __init__(self, stream: SocketStream) -> None:
        super().__init__(stream, h11.CLIENT)

    async def head(self, method: str = "GET") -> Head:
        """The head of the final response; interim ones are kept in `interim`."""
        self.interim = []
        while (head := head_of(data := await self.raw_head())).status < 200:
            self.interim.append(head)
        self.begin(data, method)
        return head

    async def ask(self, request: bytes) -> tuple[Head, bytes, Ending]:
        """Send a request and read the whole response."""
        await self.send(request)
        head = await self.head(request.partition(b" ")[0].decode())
        body, ending = await self.rest()
        return head, body, ending


class Server(Reader):
    """One connection that the upstream was given."""

    def __init__(self, stream: SocketStream) -> None:
        super().__init__(stream, h11.SERVER)

    async def head(self) -> Head:
        """The head of the next request."""
        data = await self.raw_head()
        self.begin(data)
        return head_of(data)

    async def request(self) -> tuple[Head, bytes]:
        """The next request, whole."""
        head = await self.head()
        body, ending = await self.rest()
        assert ending == "complete", ending
        return head, body

    async def until_left(self) -> Ending:
        """Wait until the gateway is gone, and say how: `closed` or `reset`."""
        return (await self.raw_rest())[1]
