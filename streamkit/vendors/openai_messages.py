"""The messages of OpenAI's chat (openai-python `types/chat/chat_completion_message_param`). Pure.

What servers add to them is read too: what the assistant thought, as `reasoning` or `reasoning_content`, and the seal
that Gemini puts on a call.
"""

from __future__ import annotations

from typing import Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.request_messages import Role
from streamkit.dialects.requests import ChatMessage, ToolCall
from streamkit.vendors.fields import Fields
from streamkit.vendors.openai import said_in
from streamkit.vendors.question import RefusedError
from streamkit.vendors.reading import Leftover

__all__ = ["messages_of"]

ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "assistant": "assistant",
    "user": "user",
    "function": "tool",
    "tool": "tool",
    "developer": "system",
}

CUSTOM: Final = "calls of custom tools, whose input has any form, cannot be translated"


def messages_of(body: Fields) -> list[ChatMessage]:
    """Return the conversation."""
    messages = body.objects("messages")
    if not messages:
        raise body.manner.empty(body.at("messages"))
    found = []
    called: set[str] = set()
    for message in messages:
        message.need("role")
        role = message.word("role", tuple(ROLES))
        if role == "assistant":
            each = turn_of(message)
            called = {call.id for call in each.tool_calls}
        else:  # an assistant's content may be null, because it has called tools
            message.need("content")
            each = ChatMessage(ROLES[role], said_in(message))
            if role == "tool":
                message.need("tool_call_id")
                each.tool_call_id = message.text("tool_call_id")
                each.tool_name = message.text("name")
                check_result(message, each.tool_call_id, called)
            elif role == "function":
                each.tool_name = message.text("name")
            else:
                message.drop("name")
                called = set()
        message.drop("cache_control")
        message.seal()
        found.append(each)
    return found


def check_result(message: Fields, call_id: str, called: set[str]) -> None:
    """Note a result that no call before it asked for, in the words with which OpenAI refuses it."""
    if call_id in called or "" in called:
        return
    if called:
        what = f"'tool_call_id' of '{call_id[:64]}' not found in 'tool_calls' of previous message."
        name = "tool_call_id"
    else:
        what = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
        name = "role"
    param = f"messages.[{message.path[-1]}].{name}"
    message.leftovers.append(Leftover(message.at(name), RefusedError(400, f"Invalid parameter: {what}", param=param)))


def turn_of(message: Fields) -> ChatMessage:
    """Return what the assistant said, and called."""
    said = ChatMessage("assistant", said_in(message, is_answer=True) + message.text("refusal"))
    said.reasoning = message.text("reasoning") or message.text("reasoning_content")
    for each in message.objects("tool_calls"):
        said.signature = said.signature or seal_of(each)
        said.tool_calls.append(call_of(each))
    function = message.object("function_call")  # the only call there was, and without an id
    if function is not None:
        said.tool_calls.append(function_of(function, ""))
    message.drop("name", "reasoning_details", "thinking_blocks", "provider_specific_fields")
    message.drop("annotations", usual=([],))
    message.refuse("audio", "an answer that was spoken cannot be translated")
    return said


def seal_of(call: Fields) -> str:
    """Return the seal of a call, where Google's compatible endpoint has it; what others put there is passed over."""
    extra = call.object("extra_content")
    google = None if extra is None else extra.object("google")
    return "" if google is None else google.text("thought_signature")


def call_of(call: Fields) -> ToolCall:
    """Return one call; of a custom tool, with its text as the only argument."""
    call_id, kind = call.text("id"), call.word("type", ("function", "custom"), "function")
    call.need(kind)
    inner = call.object(kind) or call
    call.ignore("index")
    call.seal()
    if kind == "function":
        return function_of(inner, call_id)
    call.refuse_all(CUSTOM)
    return ToolCall(call_id, inner.named("name"), encode_value({"input": inner.text("input")}).decode())


def function_of(function: Fields, call_id: str) -> ToolCall:
    """Return the call of a function."""
    call = ToolCall(call_id, function.named("name"), function.text("arguments"))
    function.seal()
    return call
