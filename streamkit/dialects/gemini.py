"""Gemini's `streamGenerateContent` (google-genai's types; recordings; googleapis `google/ai/generativelanguage`).

With `?alt=sse` each record is an event without a type, without it all are one pretty-printed JSON array. A record is a
`GenerateContentResponse`: candidates with parts (a text, a thought, a function call), and counts that grow. There is no
terminator and no heartbeat. After tool calls too a candidate finishes with `STOP`. A prompt that is refused gets
`promptFeedback` instead of candidates. An error mid-stream is a record `{"error":{...}}`, or the same without `data:`.

The decoder is in `streamkit.dialects.gemini_decoder`, the encoder in `gemini_encoder`.
"""

from __future__ import annotations

from streamkit.dialects.arrange import CUT_REASONS
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.failure import Failure
from streamkit.dialects.gemini_decoder import REASONS, GeminiDecoder
from streamkit.dialects.gemini_encoder import (
    FINISH_WORDS,
    STATUSES,
    GeminiEncoder,
    candidate_fields,
    error_object,
    function_call,
    is_base64,
    usage_metadata,
)
from streamkit.dialects.message import Choice, Message, Part
from streamkit.dialects.ollama import rfc3339
from streamkit.dialects.request_gemini import request_document
from streamkit.errors import EncodeError

__all__ = ["DIALECT"]


def looks_like(value: object, name: str) -> bool:
    """Whether a record may be of this dialect."""
    if not isinstance(value, dict) or name != "message":
        return False
    error = value.get("error")
    if isinstance(error, dict):
        return isinstance(error.get("code"), int) and isinstance(error.get("status"), str)
    candidates = value.get("candidates")
    if isinstance(candidates, list):
        return all(isinstance(each, dict) for each in candidates)
    return isinstance(value.get("promptFeedback"), dict) or isinstance(value.get("usageMetadata"), dict)


def response(message: Message) -> object:
    """Return the response of `generateContent`; a candidate that has not finished has no `finishReason`.

    A stream that failed gives the error, as Google would, and beside it what had come. A call that was cut short with
    the answer is left out.

    Raises:
        EncodeError: the arguments of a call are no object, though nothing was cut.
    """
    body: dict[str, object] = {} if message.error is None else error_object(message.error)
    candidates = []
    for choice in message.choices or [Choice()]:
        fields = candidate_fields(choice.extra)
        feedback = fields.pop("promptFeedback", None)
        fields.pop("response", None)
        if isinstance(feedback, dict) and feedback.get("blockReason") and not choice.parts:
            body["promptFeedback"] = feedback
            continue
        if message.complete:
            check_calls(choice)
        candidates.append(candidate_of(choice, fields))
    if candidates:
        body["candidates"] = candidates
    usage = usage_metadata(message.usage)
    if usage is not None:
        body["usageMetadata"] = usage
    if message.created_ns:
        body["createTime"] = rfc3339(message.created_ns)
    return {**body, "modelVersion": message.model, "responseId": message.id}


def check_calls(choice: Choice) -> None:
    """Refuse a call that can neither be written nor be left out."""
    for part in choice.parts:
        if part.kind == "tool" and part.arguments is None and choice.reason not in CUT_REASONS:
            msg = f"the arguments of the call of {part.tool_name!r} are no JSON object"
            raise EncodeError(msg, stage="gemini")


def candidate_of(choice: Choice, fields: dict[str, object]) -> dict[str, object]:
    """Return one candidate of the non-streaming response."""
    for part in choice.parts:
        fields = {**candidate_fields(part.extra), **fields}
    fields.pop("part", None)
    logprobs = [token for part in choice.parts for token in logprobs_in(part)]
    if logprobs:
        fields |= candidate_fields({"logprobs": logprobs})
    parts = [part_of(part) for part in choice.parts if part.kind != "tool" or part.arguments is not None]
    candidate: dict[str, object] = {"content": {"role": "model", "parts": parts or [{"text": ""}]}}
    if choice.reason:
        own = choice.raw_reason if choice.raw_reason in REASONS else ""
        candidate["finishReason"] = own or FINISH_WORDS.get(choice.reason, "OTHER")
    return {**candidate, "index": choice.index, **fields}


def part_of(part: Part) -> dict[str, object]:
    """Return one part of a candidate's content."""
    body: dict[str, object] = {"text": part.text}
    if part.kind == "tool":
        body = {"functionCall": function_call(part.tool_id, part.tool_name, part.arguments or {})}
    elif part.kind == "reasoning":
        body["thought"] = True
    is_signed = part.signature and is_base64(part.signature)
    return {**body, "thoughtSignature": part.signature} if is_signed else body


def logprobs_in(part: Part) -> list[object]:
    """Return the tokens of a part."""
    logprobs = part.extra.get("logprobs")
    return logprobs if isinstance(logprobs, list) else []


def failure_body(failure: Failure) -> object:
    """Return the body of an error; where an array of answers was asked for, it is the only element of one.

    Another vendor's type is none of Google's words, so the status's own is written.
    """
    usual = "INVALID_ARGUMENT" if failure.status < 500 else "INTERNAL"
    word = failure.type if failure.type.isupper() else STATUSES.get(failure.status, usual)
    body = {"error": {"code": failure.status, "message": failure.message, "status": word}}
    return [body] if failure.framing == "json-array" else body


DIALECT = Dialect(
    name="gemini",
    summary="Gemini's streamGenerateContent, of Google AI and of Vertex AI.",
    decoder=GeminiDecoder,
    encoder=GeminiEncoder,
    carries=frozenset({"text", "reasoning", "signatures", "tools", "choices", "logprobs", "usage", "finish", "error"}),
    looks_like=looks_like,
    document=response,
    failure=failure_body,
    request=request_document,
)
