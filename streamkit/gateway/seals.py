"""Vendors' seals on thoughts, on their way through clients of other vendors. Pure.

Who thinks in several steps wants the thoughts back, with the seal that proves whose they are: Anthropic (`signature`,
`redacted_thinking`), OpenAI's Responses (`encrypted_content`), Gemini (`thoughtSignature`, which its third generation
insists on at every first call of a step). Each refuses another's. So

- an answer's seals go where the client's dialect has a place for its own, marked with whose they are, and of which
  kind: `encrypted_content` is one field for two kinds. The mark is Base64, as Google's clients want;
- a question's seals go up unmarked where they are the upstream's own, and are dropped where they are another's. One
  without a mark is that of the client's own vendor.

The seal of a function call has a place of its own only with Gemini. Behind it other clients get it as a thought without
text before the call, and those of OpenAI's chat as Google's own compatible endpoint writes it, under `extra_content`
(ai.google.dev, "Thought signatures").
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from streamkit.codecs.stage import Stage
from streamkit.dialects.events import End, Error, Event, Finish, PartEnd, PartStart, Reasoning, ToolArgs
from streamkit.dialects.message import Message, Part
from streamkit.dialects.requests import ChatMessage
from streamkit.vendors.reading import Reading

__all__ = ["Seals", "carries_seals", "marked", "message_with_marks", "unsealed"]

PREFIX: Final = b"streamkit-1:"
"""Its length is a multiple of three, so the Base64 of what begins with it begins with the same text."""

MARK: Final = b64encode(PREFIX).decode()

SIGNATURE: Final = "signature"
ENCRYPTED: Final = "encrypted"

VENDORS: Final = frozenset({"anthropic", "gemini", "openai-responses"})
"""The dialects whose servers seal."""

CLIENTS: Final = frozenset({*VENDORS, "ag-ui", "openai-chat"})
"""The dialects whose clients bring seals back."""

OWNERS: Final[Mapping[str, str]] = {**{name: name for name in VENDORS}, "openai-chat": "gemini"}
"""Whose a seal is that came without a mark, by the client's dialect."""

KINDS: Final[Mapping[str, str]] = {"gemini": SIGNATURE, "openai-responses": ENCRYPTED}
"""Vendors that have one kind only; Anthropic has both."""

CALLS_APART: Final = frozenset({"anthropic", "openai-responses"})
"""Dialects in which the seal of a call is a thought before it."""

CALL_FIELDS: Final = "openai.tool_call"

APART: Final = 1 << 40
"""What the numbers of such thoughts begin with: no other part has one like that."""


def marked(vendor: str, kind: str, seal: str) -> str:
    """Return a seal with whose it is."""
    return b64encode(PREFIX + f"{vendor}:{kind}:{seal}".encode("utf-8", "surrogatepass")).decode()


def unmarked(text: str) -> tuple[str, str, str] | None:
    """Return the vendor, the kind and the seal; None for what has no mark of ours."""
    if not text.startswith(MARK):
        return None
    try:
        told = b64decode(text, validate=True).decode("utf-8", "surrogatepass").split(":", 3)
    except ValueError:
        return None
    return (told[1], told[2], told[3]) if len(told) == len(("mark", "vendor", "kind", "seal")) else None


# ------------------------------------------------------------------------------------------------------------- downward


def carries_seals(speaks: str, client: str) -> bool:
    """Tell whether there may be seals in an answer, and a place for them with the client."""
    return speaks in VENDORS and client in CLIENTS


def placed(vendor: str, client: str, signature: str, encrypted: str, *, has_text: bool) -> tuple[str, str]:
    """Return the signature and what is encrypted of a thought, as a client of another dialect can bring them back."""
    if client == "openai-chat" or not (signature or encrypted):
        return signature, encrypted
    kind = SIGNATURE if signature else ENCRYPTED
    seal = marked(vendor, kind, signature or encrypted)
    if client == "anthropic":  # a block has a text, or is nothing but encrypted
        kind = SIGNATURE if has_text else ENCRYPTED
    return (seal, "") if KINDS.get(client, kind) == SIGNATURE else ("", seal)


class Seals(Stage[Event, Event]):
    """Passes events on with their seals marked.

    The events of a function call of Gemini's are held until its end, which has the seal; it comes with its begin.

    Args:
        vendor: the upstream's dialect.
        client: the client's.
    """

    name = "seals"

    def __init__(self, vendor: str, client: str) -> None:
        self._vendor = vendor
        self._client = client
        self._holds = vendor == "gemini" and (client in CALLS_APART or client == "openai-chat")
        self._thoughts: dict[tuple[int, int], bool] = {}  # those that are open, and whether they have a text
        self._held: dict[tuple[int, int], list[Event]] = {}

    def feed(self, event: Event, /) -> list[Event]:
        """Take an event, and return those that go on."""
        if isinstance(event, PartStart):
            return self._started(event)
        if isinstance(event, Reasoning):
            key = event.choice, event.part
            if event.text and key in self._thoughts:
                self._thoughts[key] = True
        elif isinstance(event, ToolArgs):
            held = self._held.get((event.choice, event.part))
            if held is not None:
                held.append(event)
                return []
        elif isinstance(event, PartEnd):
            return self._ended(event)
        elif isinstance(event, (Finish, End, Error)):
            return [*self._let_go(), event]
        return [event]

    def feed_many(self, events: Iterable[Event], /) -> list[Event]:
        """Take several at once: texts pass as they are."""
        out: list[Event] = []
        for event in events:
            if type(event) in TOUCHED:
                out += self.feed(event)
            else:
                out.append(event)
        return out

    def finish(self) -> list[Event]:
        """Take the end; what is still held goes on as it is."""
        super().finish()
        return self._let_go()

    def reset(self) -> None:
        super().reset()
        self._thoughts.clear()
        self._held.clear()

    def _started(self, start: PartStart) -> list[Event]:
        key = start.choice, start.part
        if start.kind == "tool" and self._holds:
            self._held[key] = [start]
            return []
        if start.kind == "reasoning":
            self._thoughts[key] = False
        return [start]

    def _ended(self, end: PartEnd) -> list[Event]:
        key = end.choice, end.part
        if key in self._held:
            return self._called(self._held.pop(key), end)
        has_text = self._thoughts.pop(key, None)
        if has_text is None:
            return [end]
        seals = placed(self._vendor, self._client, end.signature, end.encrypted, has_text=has_text)
        return [replace(end, signature=seals[0], encrypted=seals[1])]

    def _called(self, held: list[Event], end: PartEnd) -> list[Event]:
        """Return the events of a call, its seal in its place."""
        start, *rest = held
        if not end.signature or not isinstance(start, PartStart):
            return [*held, end]
        plain = replace(end, signature="")
        if self._client == "openai-chat":
            return [replace(start, extra={**start.extra, **extra_of(end.signature)}), *rest, plain]
        number, choice = APART + end.part, end.choice
        seal = marked(self._vendor, SIGNATURE, end.signature)
        thought = [PartStart(number, "reasoning", choice=choice), PartEnd(number, encrypted=seal, choice=choice)]
        return [*thought, *held, plain]

    def _let_go(self) -> list[Event]:
        held = [event for events in self._held.values() for event in events]
        self._held.clear()
        return held


TOUCHED: Final = frozenset({PartStart, Reasoning, ToolArgs, PartEnd, Finish, End, Error})


def extra_of(signature: str) -> dict[str, object]:
    """Return where OpenAI's chat has the seal of a call, as Google writes it."""
    return {CALL_FIELDS: {"extra_content": {"google": {"thought_signature": signature}}}}


def message_with_marks(message: Message, vendor: str, client: str) -> Message:
    """Return a whole answer as `Seals` would have passed it on."""
    if not carries_seals(vendor, client):
        return message
    choices = [
        replace(choice, parts=[told for part in choice.parts for told in part_with_marks(part, vendor, client)])
        for choice in message.choices
    ]
    return replace(message, choices=choices)


def part_with_marks(part: Part, vendor: str, client: str) -> Iterator[Part]:
    """Yield one part, and before it the thought that has its seal."""
    if part.kind == "reasoning":
        seals = placed(vendor, client, part.signature, part.encrypted, has_text=bool(part.text))
        yield replace(part, signature=seals[0], encrypted=seals[1])
    elif part.kind == "tool" and part.signature and vendor == "gemini" and client in CALLS_APART:
        yield Part("reasoning", encrypted=marked(vendor, SIGNATURE, part.signature), complete=True)
        yield replace(part, signature="")
    elif part.kind == "tool" and part.signature and vendor == "gemini" and client == "openai-chat":
        yield replace(part, signature="", extra={**part.extra, **extra_of(part.signature)})
    else:
        yield part


# --------------------------------------------------------------------------------------------------------------- upward


def unsealed(reading: Reading, speaks: str) -> tuple[Sequence[ChatMessage], list[str]]:
    """Return the messages of a question with the upstream's own seals only, and `message.signature` if others went.

    The writers of dialects that have no seals drop them by themselves.

    Args:
        reading: the question. In an envelope its seals are of the neutral events before, so they are the upstream's.
        speaks: the upstream's dialect.
    """
    messages = reading.request.messages
    if speaks not in VENDORS or not any(message.is_sealed for message in messages):
        return messages, []
    owner = "" if reading.is_enveloped else OWNERS.get(reading.dialect, "")
    found = [own_seal(message, owner, speaks) if message.is_sealed else message for message in messages]
    is_less = any(old.is_sealed and not new.is_sealed for old, new in zip(messages, found, strict=True))
    return found, ["message.signature"] if is_less else []


def own_seal(message: ChatMessage, owner: str, speaks: str) -> ChatMessage:
    """Return a message with its seal where the upstream wants it; without one where it is another's."""
    told = unmarked(message.signature) or unmarked(message.encrypted)
    if told is None:
        return message if owner in {"", speaks} else replace(message, signature="", encrypted="")
    vendor, kind, seal = told
    if vendor != speaks:
        return replace(message, signature="", encrypted="")
    is_signature = kind == SIGNATURE
    return replace(message, signature=seal if is_signature else "", encrypted="" if is_signature else seal)
