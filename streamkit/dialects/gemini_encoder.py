"""Gemini's `streamGenerateContent`, written; what a stream looks like is told in `streamkit.dialects.gemini`.

The record with `finishReason` is all that a clean end is, so it is written at `End`, with the counts, for all
candidates at once. It has an empty text, as Google's has: a chat of the official SDK forgets a turn with a record that
has no parts.

Comments are never written: the official SDK takes any line that does not begin with `data: ` for a JSON text.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

from streamkit.codecs.jsontext import decode, encode_string, encode_value
from streamkit.dialects.arrange import WholeCalls
from streamkit.dialects.encoder import MARK, Encoder, Template
from streamkit.dialects.events import (
    Error,
    Finish,
    FinishReason,
    PartEnd,
    PartStart,
    Ping,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.ollama import rfc3339

__all__ = [
    "FINISH_WORDS",
    "STATUSES",
    "GeminiEncoder",
    "candidate_fields",
    "error_object",
    "function_call",
    "is_base64",
    "usage_metadata",
]

FINISH_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "context_overflow": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "pause": "STOP",  # CONTINUATION would promise a token to go on with
    "other": "OTHER",
}

STATUSES: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Google's word for each HTTP status (googleapis `google/rpc/code.proto`)."""

CODES: Final[Mapping[str, int]] = {word: code for code, word in STATUSES.items()} | {
    "FAILED_PRECONDITION": 400,
    # What other dialects call it:
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 503,
    "finish_cancelled": 499,
}

_STATUS = re.compile(r"[A-Z]+(?:_[A-Z]+)*")

MARK_TEXT: Final = encode_value(MARK)


class GeminiEncoder(Encoder):
    """Events to records."""

    name = "gemini"
    framings = ("sse", "json-array")
    many_choices = True
    arranger = WholeCalls
    finish_words = FINISH_WORDS
    extras = frozenset({"logprobs"})
    family = "gemini."

    def _begin(self) -> None:
        super()._begin()
        self._head: dict[str, object] = {}
        self._templates: dict[tuple[int, bool], Template] = {}
        self._arguments: object = {}

    def on_start(self, start: Start, out: list[bytes]) -> None:  # noqa: ARG002 - there is no opening record
        head = {
            "modelVersion": self.model,
            "responseId": self.id,
            "createTime": rfc3339(self.created_ns) if self.created_ns else "",
        }
        self._head = {key: text for key, text in head.items() if text}
        self._opening = mapping_of(start.extra.get("gemini.response"))

    def on_text(self, event: Text, out: list[bytes]) -> None:
        self._write_text(event, out)

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        self._write_text(event, out)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:  # noqa: ARG002 - written at the call's end
        self._arguments = decode(event.json_text)

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:
        if end.encrypted:
            self.lose("encrypted")
        part: dict[str, object] = {"text": ""}
        if start.kind == "tool":
            part = {"functionCall": function_call(start.tool_id, start.tool_name, self._arguments)}
        elif start.kind == "reasoning":
            part["thought"] = True
        signature = self._signature(end.signature)
        if signature or start.kind == "tool":
            fields = candidate_fields(start.extra) if start.kind == "tool" else {}
            content = content_of({**part, **signature, **mapping_of(fields.pop("part", None))})
            self.record(out, self._response({"index": end.choice, "content": content, **fields}))

    def on_end(self, out: list[bytes]) -> None:
        candidates: list[dict[str, object]] = []
        more: dict[str, object] = {}
        for index, finish in sorted(self.finishes.items()) or [(0, Finish("stop"))]:
            fields = candidate_fields(finish.extra)
            feedback, response = fields.pop("promptFeedback", None), fields.pop("response", None)
            more |= mapping_of(response)
            if self.is_own and is_block(feedback, finish):
                more["promptFeedback"] = feedback
            else:
                word = self.finish_word(finish)
                candidates.append({"index": index, "content": content_of({"text": ""}), "finishReason": word, **fields})
        if candidates:
            more["candidates"] = candidates
        usage = usage_metadata(self.usage) if self.include_usage else None
        if usage is not None:
            more["usageMetadata"] = usage
        self.record(out, {**self._head, **self._opening, **more})

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self.record(out, error_object(error))

    def on_ping(self, ping: Ping, out: list[bytes]) -> None:  # noqa: ARG002 - nothing is written
        self.lose("ping")

    def _response(self, candidate: dict[str, object]) -> dict[str, object]:
        """Return a record with one candidate."""
        opening, self._opening = self._opening, {}
        return {**self._head, **opening, "candidates": [candidate]}

    def _write_text(self, event: Text | Reasoning, out: list[bytes]) -> None:
        is_thought = type(event) is Reasoning
        part: dict[str, object] = {"thought": True} if is_thought else {}
        if event.extra or self._opening:
            fields = candidate_fields(event.extra)
            more = mapping_of(fields.pop("part", None))
            content = content_of({**part, "text": event.text, **more})
            self.record(out, self._response({"index": event.choice, "content": content, **fields}))
            return
        key = event.choice, is_thought
        template = self._templates.get(key)
        if template is None:
            value = self._response({"index": event.choice, "content": content_of({**part, "text": MARK})})
            head, _, tail = encode_value(value).rpartition(MARK_TEXT)
            template = self._templates[key] = head, tail
            if key == (0, False) and self.framing == "sse":
                self.text_frame = self.template(value)
        out.append(self.frame.record(template[0] + encode_string(event.text) + template[1]))

    def _signature(self, signature: str) -> dict[str, object]:
        if signature and not self.is_own and not is_base64(signature):
            self.lose("signature")
            return {}
        return {"thoughtSignature": signature} if signature else {}


def is_base64(signature: str) -> bool:
    """Whether a signature can be one of Gemini's, which are bytes to Google's clients: in one of the two alphabets."""
    text = signature.replace("-", "+").replace("_", "/")
    try:
        return b64encode(b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def content_of(*parts: dict[str, object]) -> dict[str, object]:
    """Return the content of a candidate."""
    return {"role": "model", "parts": [*parts]}


def mapping_of(value: object) -> dict[str, object]:
    """Return the value if it is an object, and an empty one if not."""
    return value if isinstance(value, dict) else {}


def is_block(feedback: object, finish: Finish) -> bool:
    """Whether a choice finished because its prompt was blocked, and so has no candidate."""
    return finish.raw_reason != "" and mapping_of(feedback).get("blockReason") == finish.raw_reason


def function_call(tool_id: str, tool_name: str, arguments: object) -> dict[str, object]:
    """Return a tool call as Gemini writes it."""
    call: dict[str, object] = {"id": tool_id} if tool_id else {}
    return {**call, "name": tool_name, "args": arguments}


def candidate_fields(extra: dict[str, object]) -> dict[str, object]:
    """Return those fields of a candidate that are kept in `extra`."""
    prefix = GeminiEncoder.family
    fields = {key.removeprefix(prefix): value for key, value in extra.items() if key.startswith(prefix)}
    logprobs = extra.get("logprobs")
    return {**fields, "logprobsResult": logprobs_result(logprobs)} if isinstance(logprobs, list) else fields


def logprobs_result(logprobs: list[Any]) -> dict[str, object]:
    """Return the neutral list as a `logprobsResult`."""
    tokens = [mapping_of(token) for token in logprobs]
    tops = [token.get("top_logprobs") for token in tokens]
    result: dict[str, object] = {"chosenCandidates": [candidate_of(token) for token in tokens]}
    if any(tops):
        result["topCandidates"] = [
            {"candidates": [candidate_of(mapping_of(each)) for each in top] if isinstance(top, list) else []}
            for top in tops
        ]
    return result


def candidate_of(token: dict[str, object]) -> dict[str, object]:
    """Return one token as Gemini writes it."""
    return {"token": token.get("token", ""), "logProbability": token.get("logprob")}


def usage_metadata(usage: Usage) -> dict[str, object] | None:
    """Return token counts as Gemini writes them, or None if none are known."""
    if usage.input_total is None and usage.output_total is None:
        return None
    own = candidate_fields(usage.extra)
    tool_use = own.pop("toolUsePromptTokenCount", None)
    prompt, output, thoughts = usage.input_total or 0, usage.output_total or 0, usage.reasoning
    if type(tool_use) is not int or not 0 <= tool_use <= prompt:
        tool_use = None
    counts: dict[str, object] = {
        "promptTokenCount": prompt - (tool_use or 0),
        "candidatesTokenCount": max(0, output - (thoughts or 0)),
        "totalTokenCount": prompt + output,
    }
    more = {
        "cachedContentTokenCount": usage.cached,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tool_use,
    }
    return counts | {key: count for key, count in more.items() if count is not None} | own


def error_object(error: Error) -> dict[str, object]:
    """Return an error as Google writes it, its class as one of the words that Google has."""
    code = error.status or CODES.get(error.type, 500)
    status = error.type if _STATUS.fullmatch(error.type) else STATUSES.get(code, "UNKNOWN")
    fields: dict[str, object] = {"code": code, "message": error.message or error.type or "error", "status": status}
    details = error.extra.get("gemini.details")
    return {"error": {**fields, "details": details} if details is not None else fields}
