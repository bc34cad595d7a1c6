"""From the reads of an answer to its record: which read completed the first token, the last one, the terminator. Pure.

A token event is a piece of text, reasoning, refusal or tool arguments that is not empty, or the name of a tool that is
called. An event that only names the role, a heartbeat, a usage record are none: a server that sends its role at once
and its first token a second later has a time to first token of a second.

A read is resolved where it was one segment: then its time is the time of what is in it. With more than one only the
newest one's time is known, which is that of the last record where the read ends with it: a record is there when its
last byte is. (That is not true of a body whose framing, the CRLF behind a chunk, has a segment of its own: who writes a
chunk in two pieces has tokens that seem late by what lies between them. Of TLS and of compressed bodies it is not
taken for true, because a segment may have brought nothing that could be undone yet.) With none (`segments == 0`) its
segment was counted with the read before. Where nobody counts segments a read is taken for one. What came with one read
in several pieces (records of TLS, a compressed body undone) is one read here too. No gap is ever made of a time that is
not known, nor of two reads that came at one time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, Literal

from streamkit.bench.record import RequestRecord, ServerTimes, TokenRead
from streamkit.client.coding import Coding
from streamkit.dialects.convert import failure_of
from streamkit.dialects.decoder import TRUNCATED, Decoder
from streamkit.dialects.events import (
    End,
    Error,
    Event,
    Finish,
    PartStart,
    Ping,
    Reasoning,
    Refusal,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.sniff import guess
from streamkit.errors import DecodeError, TruncatedError
from streamkit.http.stream import TimedRead

__all__ = ["MAX_TOKEN_READS", "Observer", "kind_of"]

MAX_TOKEN_READS: Final = 500_000
"""How many reads of one answer are kept: some hours of a fast model. What comes behind them is no longer measured."""

STEP_NS: Final = 3_000_000
"""A clock that is set by less is not noticed elsewhere (`streamkit.bench.lag`); some are, every few minutes."""

MAX_SAID_TOKENS: Final = 10**9
MAX_SAID_NS: Final = 10**15
"""What a server says of one answer is not believed above these: eleven days are no time."""

TOKENS: Final[Mapping[type[Event], Literal["visible", "reasoning", "tool"]]] = {
    Text: "visible",
    Refusal: "visible",
    Reasoning: "reasoning",
    ToolArgs: "tool",
    PartStart: "tool",
}
"""What may be a token, and of which kind."""

TELLING: Final[frozenset[type[Event]]] = frozenset({Usage, Finish, End, Error})
"""What is no token, and says something. Looked up by type, because `isinstance` takes its time for each of them."""

NO_SPANS: Final = (None, None, None, None)

BAD_FINISH: Final = frozenset({"error", "cancelled"})

MAYBE_ANOTHER: Final = frozenset({"empty", "truncated", "no-first-token", "timeout", "disconnected"})
"""What a stream of another dialect may look like, too: no token is found in it however long it goes on."""

HEAD_BYTES: Final = 4096
"""How much of an answer is kept to say what it looks like."""


class Observer:
    """Watches one answer come.

    Args:
        record: what is known is written there.
        decoder: new, of the dialect that the server speaks.

    Attributes:
        is_over: whether the answer has come to its end, good or bad; what comes behind is not looked at.
        coding: what undoes the body's content coding; None where there is none.
        is_sealed: whether it comes over TLS.
        pending: reads that were not looked at yet, oldest first.
    """

    __slots__ = (
        *("_decoder", "_ends_newest", "_head", "_is_resolved", "_last_ns", "_last_read_ns", "_usage", "coding"),
        *("is_over", "is_sealed", "pending", "record"),
    )

    def __init__(self, record: RequestRecord, decoder: Decoder) -> None:
        self.record = record
        self.is_over = self.is_sealed = False
        self.coding: Coding | None = None
        self.pending: deque[TimedRead] = deque()
        self._decoder = decoder
        self._last_ns = self._last_read_ns = 0
        self._is_resolved = self._ends_newest = False
        self._head = b""
        self._usage: Usage | None = None
        record.has_kernel = True

    def saw_head(self, read: TimedRead, status: int) -> None:
        """Take the read that completed the response's head.

        A refusal may come before all of the question is sent, and has no part in any latency: the read stamp will do.
        """
        record = self.record
        record.status = status
        record.headers_read_ns = read.read_ns
        record.headers_ns = self._at(read) if status < 300 else read.read_ns

    def work(self, most: int = MAX_TOKEN_READS) -> None:
        """Look at the reads that are pending, at most so many of them."""
        pending = self.pending
        while pending and most:
            most -= 1
            read = pending.popleft()
            if self.is_over:
                pending.clear()
            elif self.coding is None:
                self.saw(read, read.data)
            else:
                self._decoded(read, self.coding)

    def _decoded(self, read: TimedRead, coding: Coding) -> None:
        try:
            for piece in coding.feed(read.data):
                self.saw(read, piece)
                if self.is_over:
                    return
        except DecodeError as error:
            self._over("undecodable", str(error))
            let_go(error)

    def saw(self, read: TimedRead, data: bytes) -> None:
        """Take a read of the body: its stamps, and what it brought with any content coding undone."""
        record = self.record
        at_ns = self._at(read)
        if read.read_ns != self._last_read_ns:
            record.reads += 1
            self._last_read_ns = read.read_ns
            is_newer = at_ns > self._last_ns
            self._is_resolved = is_newer and read.segments in {1, None}
            self._ends_newest = is_newer and not self._is_resolved and bool(read.segments) and self._is_as_it_came(read)
            if is_newer:
                self._last_ns = at_ns
        record.body_bytes += len(data)
        if not record.token_events and len(self._head) < HEAD_BYTES:
            self._head += data[:HEAD_BYTES]
        if record.first_byte_ns is None:
            record.first_byte_ns, record.first_byte_read_ns = at_ns, read.read_ns
        is_resolved = self._is_resolved
        if self._ends_newest:
            start = start_of_last_record(data, self._decoder.framing)
            is_resolved = start is not None
            if start:
                self._feed(data[:start], at_ns, read.read_ns, is_resolved=False)
                data = data[start:]
        if not self.is_over:
            self._feed(data, at_ns, read.read_ns, is_resolved=is_resolved)

    def _is_as_it_came(self, read: TimedRead) -> bool:
        return read.kernel_ns is not None and self.coding is None and not self.is_sealed

    def _feed(self, data: bytes, at_ns: int, read_ns: int, *, is_resolved: bool) -> None:
        try:
            events = self._decoder.feed(data)
        except DecodeError as error:
            good = [each for each in error.items if isinstance(each, Event)]
            self._take(good, at_ns, read_ns, is_resolved=is_resolved)
            self._fail(error)
            let_go(error)
            return
        if events:
            self._take(events, at_ns, read_ns, is_resolved=is_resolved)

    def finish(self, read: TimedRead) -> None:
        """Take the end of the body, and the read that told of it: the newest one."""
        self.work()
        if self.is_over:
            return
        try:
            if self.coding is not None:
                self.coding.finish()
            events = self._decoder.finish()
        except TruncatedError as error:
            self._over("truncated", str(error))
            let_go(error)
            return
        except DecodeError as error:
            self._fail(error)
            let_go(error)
            return
        if not self.record.body_bytes:
            self._over("empty", "the body is empty")
            return
        self._take(events, self._at(read), read.read_ns, is_resolved=False)
        if not self.is_over:
            self._over("truncated", "the stream ends without its terminator")

    def fail(self, outcome: str, detail: str) -> None:
        """Note that it was ended, and how, unless it is over: nothing that comes after the end changes what came."""
        self.work()
        self._over(outcome, detail)

    def _over(self, outcome: str, detail: str) -> None:
        if self.is_over:
            return
        self.is_over = True
        if outcome in MAYBE_ANOTHER and not self.record.token_events:
            other = self._looks_like()
            if other:
                outcome, detail = "wrong-dialect", f"it looks like {other}, and no token of {self._own} came ({detail})"
        self.record.outcome = outcome  # type: ignore[assignment]  # the callers write those that there are
        self.record.detail = detail

    @property
    def _own(self) -> str:
        decoder = self._decoder
        return decoder.name if decoder.framing == decoder.framings[0] else f"{decoder.name}/{decoder.framing}"

    def _looks_like(self) -> str:
        """Return which other dialect the beginning of the answer is of; empty where it is of none in particular."""
        found = guess(self._head)
        return "" if found in {None, "text", self._own} else str(found)

    def _at(self, read: TimedRead) -> int:
        """Return the best time of a read.

        A kernel stamp from before the sending is of a clock that was set: no answer comes before its question, and one
        that really does is not to look fast. When it was read is known in any case. By how little it is before the
        sending, the one cannot be told from the other; but nothing was there just before the sending.
        """
        if read.kernel_ns is None:
            self.record.has_kernel = False
            return read.read_ns
        early_ns = (self.record.sent_ns or 0) - read.kernel_ns
        if early_ns > 0:
            self.record.clock_jumped = self.record.clock_jumped or early_ns > STEP_NS
            self.record.has_kernel = False
            return read.read_ns
        return read.kernel_ns

    def _take(self, events: list[Event], at_ns: int, read_ns: int, *, is_resolved: bool) -> None:
        record = self.record
        if record.first_event_ns is None and {*map(type, events)} != {Ping}:
            record.first_event_ns, record.first_event_read_ns = at_ns, read_ns
        tokens = 0
        for event in events:
            if type(event) in TELLING:
                self._take_other(event, at_ns, read_ns, tokens)
            kind = kind_of(event)
            if not kind:
                continue
            tokens += 1
            if kind == "visible":
                record.visible_tokens += 1
                if record.first_visible_ns is None:
                    record.first_visible_ns, record.first_visible_read_ns = at_ns, read_ns
            elif kind == "reasoning":
                record.reasoning_tokens += 1
            else:
                record.tool_tokens += 1
                if record.first_tool_ns is None:
                    record.first_tool_ns, record.first_tool_read_ns = at_ns, read_ns
        if tokens:
            if record.first_token_ns is None:
                record.first_token_ns, record.first_token_read_ns = at_ns, read_ns
                record.is_first_resolved = is_resolved
            if record.first_token_read_ns == read_ns:
                record.first_tokens += tokens
            record.last_token_ns, record.last_token_read_ns = at_ns, read_ns
            self._note_read(TokenRead(at_ns, read_ns, tokens, is_resolved))

    def _note_read(self, read: TokenRead) -> None:
        """Keep a read that brought tokens, or add it to the one that it is a piece of."""
        if not self.record.token_reads:
            self.record.token_reads = []
        reads = self.record.token_reads
        if reads and reads[-1].read_ns == read.read_ns:
            first = reads[-1]
            tokens = first.tokens + read.tokens
            reads[-1] = TokenRead(first.at_ns, first.read_ns, tokens, first.is_resolved, read.is_resolved)
        elif len(reads) < MAX_TOKEN_READS:
            reads.append(read)

    def _take_other(self, event: Event, at_ns: int, read_ns: int, tokens: int) -> None:
        """Take an event that is no token; `tokens` came before it in the same read."""
        if isinstance(event, Usage):
            self._usage = event if self._usage is None else self._usage.updated(event)
        elif isinstance(event, Finish):
            self.record.finish = event.reason
        elif isinstance(event, End):
            self._end(at_ns, read_ns, tokens)
        elif isinstance(event, Error):
            self._fail_in_band(event)

    def _end(self, at_ns: int, read_ns: int, tokens: int) -> None:
        record = self.record
        record.end_ns, record.end_read_ns = at_ns, read_ns
        self._note_usage()
        if record.finish in BAD_FINISH:
            self._over("in-band-error", f"the model stopped with {record.finish!r}")
        elif self._decoder.name == "text" and (other := self._looks_like()):
            self._over("wrong-dialect", f"it looks like {other}, and not like the text of an answer")
        elif not record.token_events and not tokens:
            self._over("empty", "the answer is whole, and has not one token")
        else:
            self.is_over = True
            record.outcome = "ok"

    def _note_usage(self) -> None:
        usage, record = self._usage, self.record
        if usage is None:
            return
        # An answer that came is not of 0 tokens, whatever its server says: then it has not counted.
        record.output_tokens = believed(usage.output_total, MAX_SAID_TOKENS) or None
        record.input_tokens = believed(usage.input_total, MAX_SAID_TOKENS)
        record.cached_tokens = believed(usage.cached, MAX_SAID_TOKENS)
        record.said_reasoning_tokens = believed(usage.reasoning, MAX_SAID_TOKENS)
        spans = (usage.load_ns, usage.prompt_ns, usage.eval_ns, usage.total_ns)
        if spans != NO_SPANS:
            times = ServerTimes(*(believed(each, MAX_SAID_NS) for each in spans))
            record.server = times if times != ServerTimes() else None

    def _fail_in_band(self, error: Error) -> None:
        outcome = "truncated" if error.type == TRUNCATED else "in-band-error"
        self._over(outcome, str(failure_of(error, self._decoder.dialect)))

    def _fail(self, error: DecodeError) -> None:
        if error.code != "wrong-dialect" and not error.hint:
            self._over("undecodable", str(error))
            return
        other = self._looks_like()  # of all that came, where the decoder has looked at one record
        said = str(error)
        self._over("wrong-dialect", said if other in said else f"it looks like {other}, not like {self._own}")


def let_go(error: BaseException | None) -> None:
    """Break the ring of an error and the calls that it went through, which hold the record that was bad.

    Nobody looks for rings while a load runs (`streamkit.bench.collecting`), and a record may have megabytes.
    """
    while error is not None:
        error.__traceback__ = None
        error.__context__, error = None, error.__context__


def start_of_last_record(data: bytes, framing: str) -> int | None:
    """Return where the record begins with whose end these bytes end; None where they do not end with one."""
    if framing == "ndjson":
        return data.rfind(b"\n", 0, -1) + 1 if data.endswith(b"\n") else None
    if framing == "sse" and data.endswith((b"\n\n", b"\r\n\r\n")):
        before, before_crlf = data.rfind(b"\n\n", 0, -1), data.rfind(b"\r\n\r\n", 0, -1)
        return max(before + 2 if before >= 0 else 0, before_crlf + 4 if before_crlf >= 0 else 0)
    return None


def kind_of(event: Event) -> Literal["visible", "reasoning", "tool", ""]:
    """Return what kind of token an event is; empty for none."""
    kind = TOKENS.get(type(event))
    if kind is None:
        return ""
    if isinstance(event, PartStart):
        return kind if event.kind == "tool" else ""
    return kind if (event.json_text if isinstance(event, ToolArgs) else getattr(event, "text", "")) else ""


def believed(said: int | None, most: int) -> int | None:
    """Return what a server says of itself; None where that cannot be."""
    return said if said is not None and 0 <= said <= most else None
