"""The conversation of a request to Gemini, in the words of no vendor. Pure.

- The results of functions are messages of their own, before what the user says in the same content.
- What the model thinks, says and calls in one content stays one message; where it is sealed more than once it is
  several, for a message has one seal.
- A result is told as its JSON text, but for one that is nothing but a text under `output`, which is that text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.request_gemini import NO_SIGNATURE
from streamkit.dialects.request_messages import ChatMessage, ToolCall
from streamkit.dialects.request_parts import SEPARATOR
from streamkit.vendors.fields import Fields
from streamkit.vendors.gemini_manner import MANNER
from streamkit.vendors.neutral import joined

__all__ = ["messages_of"]

NO_SIGNATURES: Final = (NO_SIGNATURE, "context_engineering_is_the_way_to_go")
"""What stands in the place of a signature where there is none (ai.google.dev, "Thought signatures")."""

ROLES: Final = ("user", "model", "function", "tool")

MEDIA: Final = (
    *("inlineData", "fileData", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"),
    "audioTranscription",
)
"""What a part may be besides a text, a call, and a result."""

PLAIN: Final = frozenset({"text", "thought", "thoughtSignature"})
"""What most parts have, of which there may be very many."""

ABOUT: Final = (
    *("videoMetadata", "mediaResolution", "mediaProcessing", "partMetadata", "speechMetadata", "documentMetadata"),
    *("spreadsheetMetadata", "audioMetadata"),
)
"""What may be told about a part."""


def messages_of(body: Fields) -> tuple[list[ChatMessage], int]:
    """Return what the system instruction and the contents say, and how many messages the last of these is here.

    Raises:
        RefusedError: Google would refuse it.
    """
    said = list(system_of(body))
    contents = body.objects("contents")
    if not contents:
        raise MANNER.missing(body.at("contents"))
    before = 0
    for content in contents:
        role = content.word("role", ROLES, "user")
        parts = content.objects("parts")
        if not parts:
            raise MANNER.empty(content.at("parts"))
        before = len(said)
        said += said_by_model(parts) if role == "model" else said_by_user(parts)
        content.seal()
    return said, len(said) - before


def system_of(body: Fields) -> Iterator[ChatMessage]:
    """Yield the system's message, if there is one."""
    told = body.get("systemInstruction")
    if isinstance(told, str):
        yield from [ChatMessage("system", told)] if told else []
        return
    system = body.object("systemInstruction")
    if system is None:
        return
    texts = []
    for part in system.objects("parts"):
        texts.append(part.text("text"))
        rest_of(part)
    system.ignore("role")
    system.seal()
    text = SEPARATOR.join(filter(None, texts))
    if text:
        yield ChatMessage("system", text)


def said_by_user(parts: list[Fields]) -> Iterator[ChatMessage]:
    """Yield the results, and what the user says."""
    texts, results = [], 0
    for part in parts:
        if (response := part.object("functionResponse")) is not None:
            results += 1
            yield result_of(response)
        texts.append(part.text("text"))
        part.refuse("functionCall", "only the model calls functions")
        part.drop("thought", "thoughtSignature")
        rest_of(part)
    if any(texts) or not results:
        yield ChatMessage("user", joined(texts))


def said_by_model(parts: list[Fields]) -> Iterator[ChatMessage]:
    """Yield the messages that one content of the model's is."""
    said = ChatMessage("assistant")
    texts: list[str] = []
    thoughts: list[str] = []
    results = 0
    for part in parts:
        is_thought, signature = bool(part.flag("thought")), part.text("thoughtSignature")
        signature = "" if signature in NO_SIGNATURES else signature
        if said.signature and (signature or is_thought):
            yield with_texts(said, texts, thoughts)
            said, texts, thoughts = ChatMessage("assistant"), [], []
        said.signature = said.signature or signature
        (thoughts if is_thought else texts).append(part.text("text"))
        if (call := part.object("functionCall")) is not None:
            said.tool_calls.append(call_of(call))
        if (response := part.object("functionResponse")) is not None:
            results += 1
            yield result_of(response)
        rest_of(part)
    said = with_texts(said, texts, thoughts)
    if said != ChatMessage("assistant") or not results:
        yield said


def with_texts(said: ChatMessage, texts: list[str], thoughts: list[str]) -> ChatMessage:
    """Return the message with what was said and thought in pieces."""
    said.text, said.reasoning = "".join(texts), "".join(thoughts)
    return said


def rest_of(part: Fields) -> None:
    """Note what a part is, or says of itself, that no message has a place for."""
    if part.value.keys() <= PLAIN:
        return
    for name in MEDIA:
        part.refuse(name, "parts other than texts, calls of functions and their responses cannot be translated")
    part.drop(*ABOUT)
    part.seal()


def call_of(call: Fields) -> ToolCall:
    """Return what the model called."""
    arguments = call.object("args")
    call.drop("partialArgs", "willContinue")
    told = ToolCall(call.text("id"), call.text("name"), encode_value(arguments.value if arguments else {}).decode())
    call.seal()
    return told


def result_of(response: Fields) -> ChatMessage:
    """Return the result of a call."""
    value = response.get("response")  # any JSON
    if isinstance(value, dict) and value.keys() == {"output"} and isinstance(value["output"], str):
        value = value["output"]
    text = value if isinstance(value, str) else "" if value is None else encode_value(value).decode()
    response.refuse("parts", "the response of a function can only be translated where it is text", usual=([],))
    response.drop("willContinue", "scheduling")
    told = ChatMessage("tool", text, tool_call_id=response.text("id"), tool_name=response.text("name"))
    response.seal()
    return told
