"""`Chat`: the answer to one request, as neutral events. Pulled (`async for`) or pushed (`push`).

The events of one read come out together, as soon as the read is there; those of a read that inflates to many times its
size come piece by piece, which bounds memory and the time between two checkpoints. An answer that fails, in whatever
way, first gives everything good that came before; then the failure is raised, and never an end. Once the answer's own
terminator was seen the answer is whole: what the connection does afterwards changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from streamkit.client.coding import PIECE_BYTES, Coding, coding_of
from streamkit.client.timeouts import Deadlines
from streamkit.client.transport import HTTPRequest, HTTPResponse, ResponseInfo
from streamkit.dialects.convert import failure_of
from streamkit.dialects.decoder import TRUNCATED, Decoder, Repair
from streamkit.dialects.encoder import message_of
from streamkit.dialects.events import End, Error, Event, Finish
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.dialects.refusals import masked
from streamkit.errors import DecodeError, LimitExceeded, RemoteError, StreamkitError, TruncatedError
from streamkit.http.stream import TimedRead
from streamkit.io.items import Items
from streamkit.io.run import push

if TYPE_CHECKING:
    from streamkit.io.items import End as Ended
    from streamkit.io.items import Failed, Item

__all__ = ["Chat"]

REST_S: Final = 0.5
"""How long the end of the body is waited for behind the end of the answer. With it come trailers and a connection that
can be used again; a server that does not send it has nothing more to say."""


class Chat(Items[Event]):
    """An answer that comes; `open_chat` makes it. One task at a time may read.

    A cancelled read loses nothing. Leaving the block of `open_chat` before the end closes the connection at once, and
    so does cancelling a task that runs `push`.

    Attributes:
        dialect: the name of the dialect that is spoken, also where it was found out.
        request: what was sent; its `repr` shows no secrets.
        response: status, headers, request id and so on.
        dropped: what of the request has no place in the dialect and was left out, in words.
    """

    def __init__(
        self,
        response: HTTPResponse,
        decoder: Decoder,
        *,
        request: HTTPRequest,
        deadlines: Deadlines,
        dropped: Sequence[str] = (),
        held: Sequence[TimedRead] = (),
        max_message_bytes: int | None,
        keeps_message: bool = True,
    ) -> None:
        """Take over a response.

        Args:
            response: what is to be read, and closed.
            decoder: new, of the response's dialect.
            request: what was sent.
            deadlines: how long reads may take.
            dropped: see the class.
            held: what was read of the body already.
            max_message_bytes: the most that `message` keeps.
            keeps_message: whether it keeps anything but the error that ended the answer: who passes events on has no
                use for it, and it grows with the answer.

        Raises:
            ProtocolError: the body is in a content coding that is not known.
        """
        super().__init__()
        self.dialect = decoder.dialect
        self.request = request
        self.response: ResponseInfo = response.info
        self.dropped = [*dropped]
        self._source = response
        self._decoder = decoder
        self._coding: Coding = coding_of(response.info.header("Content-Encoding"))
        self._deadlines = deadlines
        self._held = [*held]
        self._pieces: Iterator[bytes] | None = None  # of the newest read, its coding undone, as long as there are any
        self._kept = MessageAccumulator(max_bytes=max_message_bytes)
        self._keeps_message = keeps_message
        self._bad_finish: Finish | None = None
        self._is_whole = False
        self._outcome: Exception | None = None
        self._is_receiving = False
        self._is_closed = False

    @property
    def text(self) -> str:
        """The text that has come so far, of the first choice."""
        return self.message.text

    @property
    def message(self) -> Message:
        """The message as far as it has come. `complete` says whether that is all of it, `error` why it is not."""
        message = self._kept.message
        if isinstance(self._outcome, StreamkitError) and message.error is None:
            return msgspec.structs.replace(message, error=_event_of(self._outcome), complete=False)
        return message

    @property
    def repairs(self) -> list[Repair]:
        """What the server got wrong and was put right."""
        return self._decoder.repairs

    async def push(self, send_channel: trio.MemorySendChannel[Item[Event] | Ended | Failed]) -> None:
        """Send the answer into a channel: `Item(event)` for each event, then `End()` or `Failed(error)`.

        Meant for a nursery: `nursery.start_soon(chat.push, send_channel)`. A receiver that does not take events lets
        the server wait. Cancelling the task closes the connection and the channel, and sends no `End`; a receiver that
        closes its end stops the task when the next event comes.
        """
        await push(self, None, send_channel)

    async def _receive(self) -> list[Event]:
        if self._is_receiving:
            raise trio.BusyResourceError("another task is reading from this chat")
        self._is_receiving = True
        try:
            while self._outcome is None:
                events = await self._next_events()
                if events:
                    return events
        finally:
            self._is_receiving = False
        raise self._outcome

    async def _next_events(self) -> list[Event]:
        """Read once, and return what that brought; it may be nothing. Sets the outcome where it is known."""
        if self._is_closed:
            raise trio.ClosedResourceError("this chat was closed")
        if self._is_whole:
            await self._read_rest()
            self._outcome = trio.EndOfChannel()
            return []
        try:
            with self._deadlines.waiting():
                if self._pieces is not None:
                    await trio.lowlevel.checkpoint()
                else:
                    read = self._held.pop(0) if self._held else await self._source.receive()
                    self._pieces = None if read is None else self._coding.feed(read.data)
                events, wrong = self._decoded()
        except RemoteError as error:
            self._outcome = error
            return []
        return self._taken(events, wrong)

    def _decoded(self) -> tuple[list[Event], DecodeError | None]:
        """Return what the newest read means, or its next part, or the end of the body; and what is wrong there."""
        events: list[Event] = []
        try:
            if self._pieces is None:
                self._coding.finish()
                events += self._decoder.finish()
                return events, None
            for data in self._pieces:
                events += self._decoder.feed(data)
                if len(data) >= PIECE_BYTES:
                    return events, None
            self._pieces = None
        except DecodeError as error:
            events += error.items  # type: ignore[arg-type]  # they are the decoder's
            return events, error
        return events, None

    def _taken(self, events: list[Event], error: DecodeError | None) -> list[Event]:
        """Keep what has come, and find out what it means for the answer; return what of it the reader gets."""
        self._deadlines.saw(events)
        for event in events:
            if type(event) is Finish and event.reason in {"error", "cancelled"}:
                self._bad_finish = event
        last = events[-1] if events else None
        if type(last) is End and self._bad_finish is not None:
            last = events[-1] = Error(message_of(self._bad_finish), f"finish_{self._bad_finish.reason}")
        elif type(last) is Error:  # some servers repeat the key that they refuse
            message = masked(last.message, self.request.secrets)
            last = events[-1] = msgspec.structs.replace(last, message=message)
        try:
            if self._keeps_message or type(last) is Error:
                self._kept.feed_many(events if self._keeps_message else events[-1:])
        except LimitExceeded as over:
            self._outcome = over
            return events[: len(over.items) + 1]  # the one that is too much is in the message, too
        if type(last) is Error:
            self._outcome = failure_of(last, self.dialect)
            return events[:-1]
        if type(last) is End:
            self._is_whole = True
        else:
            self._outcome = error
        return events

    async def _read_rest(self) -> None:
        """Read what comes behind the answer, but not for long, and let it go."""
        with suppress(RemoteError), trio.move_on_after(REST_S):
            while await self._source.receive() is not None:
                pass

    async def aclose(self) -> None:
        """Let go of the connection; at once where the answer is not whole."""
        self._is_closed = True
        await self._source.aclose()


def _event_of(error: StreamkitError) -> Error:
    return Error(str(error), TRUNCATED if isinstance(error, TruncatedError) else error.code)
