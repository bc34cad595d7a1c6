"""What a case sends through the proxy, and how its client tells how much of it has come. Pure.

Where a proxy promises bytes, one unit is a byte of the body, and what came is compared with what was sent byte by byte.
Where it may write events anew (profile `gateway`), one unit is a byte of the text that they carry, read out of the
client's own dialect: token N is there when its text is. Both are the same `Meter`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from streamkit.codecs.jsontext import encode_value
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Pairs
from streamkit.dialects.decoder import TRUNCATED
from streamkit.dialects.events import (
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    PartEnd,
    PartKind,
    PartStart,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.registry import get_dialect
from streamkit.dialects.requests import ChatMessage, ChatRequest, Tool
from streamkit.errors import DecodeError, excerpt_of

__all__ = ["TOKEN_HEADER", "Answer", "Asked", "Meter", "Part", "Talk"]

TOKEN_HEADER: Final = "X-Streamkit-Case"  # noqa: S105 - no secret

CREATED_NS: Final = 1_767_225_600_000_000_000
"""All answers were made on 2026-01-01: what is compared must not depend on the day."""

WORDS: Final = ("cloud", "piece", "river", "under", "seven", "light", "paper", "stone")

COUNTED: Final[dict[PartKind, str]] = {"text": "text", "reasoning": "reasoning", "tool": "calls' arguments"}
"""What a meter may count, and what people call it."""


@dataclass(frozen=True)
class Asked:
    """A request of the client's; `token` is what the upstream knows its case by."""

    method: str
    target: str
    headers: Pairs
    body: bytes
    token: str

    def with_headers(self, *headers: tuple[str, str]) -> Asked:
        """Return it with more headers."""
        return replace(self, headers=[*self.headers, *headers])

    @property
    def head(self) -> bytes:
        """Request line, headers and blank line; the length comes along where there is a body."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        named = {name.lower() for name, _ in self.headers}
        if self.body and not named & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Part:
    """A piece of a response's body, and the text that it completes."""

    data: bytes
    text: str = ""

    @cached_property
    def text_bytes(self) -> bytes:
        """The text as it is compared; made once, for pieces that are sent again and again."""
        return self.text.encode()


class Meter:
    """Compares what comes with what was sent, and tells how much of it has come.

    Args:
        dialect: what the client reads; None: bytes.
        counts: which of an answer's parts are counted, one behind the other. The other kinds are `events` only.

    Attributes:
        units: how much came, in order and right.
        expected: how much was sent.
        problem: the first thing that is wrong with what came; nothing behind it counts.
        events: what the client's stream says, where it is read as a dialect; without texts.
        has_error: whether it says itself that it failed, in whatever words. That it only stops is none of them.
    """

    def __init__(self, dialect: str | None = None, counts: PartKind = "text") -> None:
        self.units = 0
        self.expected = 0
        self.problem = ""
        self.events: list[Event] = []
        self.has_error = False
        self._ahead: deque[bytes] = deque()
        self._ahead_at = 0
        self._counts = counts
        self._what = "byte" if dialect is None else f"byte of the {COUNTED[counts]}"
        self._decoder = None if dialect is None else get_dialect(dialect)[0].decoder(framing=get_dialect(dialect)[1])

    def expect(self, part: Part) -> int:
        """Add a piece to what is expected, and return how much that is now."""
        data = part.data if self._decoder is None else part.text_bytes
        if data:
            self._ahead.append(data)
            self.expected += len(data)
        return self.expected

    def feed(self, data: bytes) -> None:
        """Take bytes of the body as they came."""
        if self.problem:
            return
        if self._decoder is None:
            self._take(data)
            return
        try:
            self._take_events(self._decoder.feed(data), is_said=True)
        except DecodeError as error:
            self._take_events(error.items)  # type: ignore[arg-type]  # a decoder's items are events
            self.problem = self.problem or f"the stream cannot be read: {error}"

    def finish(self) -> None:
        """Take the end of the body."""
        if self._decoder is None or self.problem:
            return
        try:
            self._take_events(self._decoder.finish())
        except DecodeError as error:
            self._take_events(error.items)  # type: ignore[arg-type]  # as above

    def _take_events(self, events: Iterable[Event], *, is_said: bool = False) -> None:
        for event in events:
            kind, said = _said_by(event)
            if kind == self._counts:
                self._take(said.encode())
                continue
            self.events.append(event)
            # The reader's own word for a stream that stops is also what gateways call it when they tell it.
            self.has_error |= isinstance(event, Error) and (is_said or event.type != TRUNCATED)

    def _take(self, data: bytes) -> None:
        """Compare the next bytes with those that come next."""
        view = memoryview(data)
        while view and not self.problem:
            if not self._ahead:
                self.problem = (
                    f"{len(view)} bytes came behind {self._what} {self.units}, all that was sent: {excerpt_of(view)}"
                )
                return
            wanted = memoryview(self._ahead[0])[self._ahead_at :]
            size = min(len(view), len(wanted))
            if view[:size] != wanted[:size]:
                same = next(at for at in range(size) if view[at] != wanted[at])
                self.units += same
                self.problem = (
                    f"{self._what} {self.units} is wrong: {excerpt_of(view, same)} came, "
                    f"{excerpt_of(wanted, same)} was sent"
                )
                return
            self.units += size
            view = view[size:]
            self._ahead_at += size
            if self._ahead_at == len(self._ahead[0]):
                self._ahead.popleft()
                self._ahead_at = 0


def _said_by(event: Event) -> tuple[PartKind | None, str]:
    """Return the kind of part that a piece belongs to, and the piece; None for what is no piece of a part."""
    match event:
        case Text(text=text):
            return "text", text
        case Reasoning(text=text):
            return "reasoning", text
        case ToolArgs(json_text=text):
            return "tool", text
        case _:
            return None, ""


class Answer:
    """An LLM's answer in the upstream's dialect, made piece by piece: `open`, some `text`, `close`."""

    def __init__(self, dialect: str, model: str, message_id: str = "answer-1") -> None:
        row, framing = get_dialect(dialect)
        self._id = message_id
        self._encoder = row.encoder(framing=framing, message_id=message_id, created_ns=CREATED_NS)
        self._model = model

    def write(self, *events: Event, text: str = "") -> Part:
        """Return the records of these events; `text` is what of the answer's text they complete."""
        return Part(b"".join(self._encoder.feed_many(events)), text)

    def begin(self) -> Part:
        """Return what comes before the first part."""
        return self.write(Start(id=self._id, model=self._model, created_ns=CREATED_NS))

    def open(self) -> Part:
        """Return what comes before the first token."""
        return Part(self.begin().data + self.write(PartStart(0, "text")).data)

    def text(self, text: str) -> Part:
        """Return a token."""
        return self.write(Text(0, text), text=text)

    def close(self, reason: FinishReason = "stop", usage: Usage | None = None) -> Part:
        """Return the end of the answer."""
        counts = usage or Usage(input_total=7, output_total=11)
        return self.write(PartEnd(0), counts, Finish(reason), End())

    def fail(self, message: str) -> Part:
        """Return the dialect's own form of an error in the middle of a stream."""
        return self.write(Error(message, "server_error"))


class Talk:
    """Requests and answers of one case, in the dialects of the setting."""

    def __init__(self, setting: Setting, case_id: str, token: str) -> None:
        self.setting = setting
        self.token = token
        self.model = setting.model.replace("{case}", case_id)

    @property
    def media_type(self) -> str:
        """The Content-Type of the upstream's stream."""
        dialect, framing = get_dialect(self.setting.upstream_dialect)
        return dialect.media_type(framing)

    @property
    def is_sse(self) -> bool:
        """Whether the upstream's stream is one of server-sent events."""
        return get_dialect(self.setting.upstream_dialect)[1] == "sse"

    def meter(self) -> Meter:
        """Return what tells how much of an answer has come. Of plain text on both sides that is told by its bytes."""
        setting = self.setting
        is_plain = setting.by_bytes or setting.client_dialect == setting.upstream_dialect == "text"
        return Meter(None if is_plain else setting.client_dialect)

    def answer(self) -> Answer:
        """Return a new answer. Its id has the token in it, so that one that is given to another client is known."""
        return Answer(self.setting.upstream_dialect, self.model, f"answer-{self.token}")

    def tokens(self, count: int, *, start: int = 0) -> list[str]:
        """Return texts that differ from each other, as small as tokens are."""
        return [f"{WORDS[number % len(WORDS)]}{number} " for number in range(start, start + count)]

    def parts(self, count: int, *, closed: bool = True) -> list[Part]:
        """Return an answer of so many tokens: the first piece opens it, and the last one closes it."""
        answer = self.answer()
        return self.parts_of(self.tokens(count), answer, closed=closed)

    def parts_of(self, texts: Iterable[str], answer: Answer | None = None, *, closed: bool = True) -> list[Part]:
        """Return an answer of these texts."""
        answer = answer or self.answer()
        parts = [answer.open(), *(answer.text(text) for text in texts)]
        return [*parts, answer.close()] if closed else parts

    def request(
        self,
        method: str = "POST",
        *,
        headers: Pairs | None = None,
        stream: bool = True,
        tools: list[Tool] | None = None,
        body: bytes | None = None,
        padding: str = "",
    ) -> Asked:
        """Return a request of the client's dialect. It is told apart by its path or query, a header, and its message.

        Args:
            method: GET has no body, and is only for proxies that promise bytes.
            headers: besides the usual ones.
            stream: whether a stream is asked for.
            tools: what the model may call.
            body: instead of the dialect's own.
            padding: what the user's message goes on with.
        """
        setting = self.setting
        asked = ChatRequest(
            messages=[ChatMessage("user", f"Say something, for case {self.token}.{padding}")],
            model=self.model,
            stream=stream,
            tools=tools or [],
            max_tokens=1000,
        )
        dialect, framing = get_dialect(setting.client_dialect)
        document = dialect.request(asked)
        # Gemini's array comes where `alt=sse` does not ask for the other framing.
        own_path = document.path.replace("?alt=sse", "") if framing == "json-array" else document.path
        path = setting.path or own_path
        if setting.by_bytes and not setting.path:
            path = f"/{self.token}{path}"
        path += f"{'&' if '?' in path else '?'}streamkit={self.token}"
        content = b"" if method in {"GET", "HEAD"} else document.content if body is None else body
        usual = [
            ("Host", setting.target.authority),
            ("User-Agent", "streamkit-contract"),
            ("Accept", "text/event-stream, application/json, */*"),
            (TOKEN_HEADER, self.token),
            *(field for field in document.headers if content or field[0].lower() != "content-type"),
        ]
        given = {name.lower() for name, _ in setting.headers}  # `Host`, for a proxy of many, takes the place of ours
        fields = [*(field for field in usual if field[0].lower() not in given), *setting.headers, *(headers or [])]
        return Asked(method, setting.target.path + path, fields, content, self.token)


def json_body(value: object) -> bytes:
    """Return a JSON document."""
    return encode_value(value)
