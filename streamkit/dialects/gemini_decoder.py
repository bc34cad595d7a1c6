"""Gemini's `streamGenerateContent`, read; what a stream looks like is told in `streamkit.dialects.gemini`.

A stream has no terminator of its own: it ends cleanly where every candidate has a `finishReason`, and nothing is
unfinished. `Finish` therefore leaves with the end of the input. It could not leave earlier: older models put `STOP` on
every record, and a call may come in the record after one that has it, so only the last reason is the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from streamkit.codecs.jsontext import encode_value
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES, check_limit
from streamkit.codecs.sse import SSEDecoder
from streamkit.dialects.decoder import Decoder, RecordError, count_of, list_of, object_of, text_of
from streamkit.dialects.events import Error, Event, FinishReason, PartKind, Raw, Text, Usage
from streamkit.dialects.extra import attach
from streamkit.dialects.framing import DONE
from streamkit.dialects.gemini_calls import Calls
from streamkit.dialects.gemini_reader import BareObjects
from streamkit.dialects.ollama import created_ns_of, rfc3339
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts

__all__ = ["REASONS", "GeminiDecoder"]

REASONS: Final[Mapping[str, FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"), "content_filter"),
    **dict.fromkeys(("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"), "content_filter"),
    **dict.fromkeys(("MODEL_ARMOR", "ESCALATION"), "content_filter"),
    **dict.fromkeys(("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"), "error"),
    **dict.fromkeys(("MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE"), "error"),
    "CONTINUATION": "pause",
}
"""What is not here (OTHER, LANGUAGE, NO_IMAGE, IMAGE_OTHER, PUP_LIMITED_DISABLED, new ones) is "other"."""

NOT_FINISHED: Final = frozenset({"", "FINISH_REASON_UNSPECIFIED"})

NOT_BLOCKED: Final = frozenset({"", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"})

MEANT_KEYS: Final = frozenset({"candidates", "usageMetadata", "promptFeedback"})
"""Of these a record of this dialect has at least one."""

ID_KEYS: Final = ("modelVersion", "responseId")

RECORD_KEYS: Final = MEANT_KEYS | {*ID_KEYS, "createTime", "error"}

CANDIDATE_KEYS: Final = frozenset({"index", "content", "finishReason", "logprobsResult"})

PART_KEYS: Final = frozenset({"text", "thought", "thoughtSignature", "functionCall"})

COUNTS: Final = (
    *("promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount"),
    *("thoughtsTokenCount", "cachedContentTokenCount"),
)

MAX_CANDIDATES: Final = 65_536

MAX_HELD_KEYS: Final = 64
"""How many keys of a candidate's metadata are kept until it finishes."""


class Stop:
    """Why a candidate stopped, as far as is known.

    Attributes:
        raw_reason: Gemini's word; empty while there is none.
        reason: the neutral one.
        extra: what comes with it.
    """

    def __init__(self) -> None:
        self.raw_reason = ""
        self.reason: FinishReason = "stop"
        self.extra: Extra = {}

    def keep(self, extra: Extra) -> None:
        """Keep metadata for which there is no text."""
        for key, value in extra.items():
            if key in self.extra or len(self.extra) < MAX_HELD_KEYS:
                self.extra[key] = value


class GeminiDecoder(Decoder):
    """Records to events."""

    name = "gemini"
    framings = ("sse", "json-array")
    terminator = "a finishReason"

    def __init__(
        self,
        *,
        framing: str | None = None,
        strict: bool = False,
        max_record_bytes: int | None = DEFAULT_LIMIT_BYTES,
    ) -> None:
        """Make a decoder; the options are those of `Decoder`."""
        self._limit_bytes = check_limit(max_record_bytes, "max_record_bytes")
        super().__init__(framing=framing, strict=strict, max_record_bytes=max_record_bytes)
        if self.framing == "sse":
            self._reader = BareObjects(cast("SSEDecoder[Any]", self._reader), self._take, max_record_bytes)

    def _begin(self) -> None:
        super()._begin()
        self._opening: Extra = NO_EXTRA
        self._head_fields: dict[str, object] = {}  # what every record repeats
        self._stops: dict[int, Stop] = {}
        self._calls = Calls(self.repair, self._limit_bytes)
        self._counts: dict[str, int] = {}
        self._usage: Usage | None = None

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if value is DONE:
            self.repair("done", "data: [DONE] came, which this dialect does not have; it was passed over")
            return
        if not isinstance(value, dict):
            self.unknown(out, name, raw)
            return
        if value.get("error") is not None:
            self._take_error(value["error"], out)
            return
        if MEANT_KEYS.isdisjoint(value):
            self.unknown(out, name, raw)
            return
        extra = NO_EXTRA
        if not value.keys() <= RECORD_KEYS:
            extra = {"gemini.response": {key: each for key, each in value.items() if key not in RECORD_KEYS}}
        if not self.started:
            created_ns = created_ns_of(value.get("createTime"))
            self._opening = extra
            self._head_fields = {key: value[key] for key in ID_KEYS if key in value}
            if created_ns is not None:
                self._head_fields["createTime"] = rfc3339(created_ns)
            self._head_fields |= {key: each for key, each in value.items() if key not in RECORD_KEYS}
            self.start(
                out, text_of(value, "responseId"), text_of(value, "modelVersion"), created_ns=created_ns, extra=extra
            )
        elif extra and extra != self._opening:
            self._stop(0).keep(extra)
        for position, candidate in enumerate(list_of(value, "candidates")):
            if not isinstance(candidate, dict):
                msg = "a candidate is not an object"
                raise RecordError(msg)
            self._take_candidate(candidate, position, out)
        if value.get("promptFeedback"):
            self._take_feedback(object_of(value, "promptFeedback"))
        if value.get("usageMetadata"):
            self._take_usage(object_of(value, "usageMetadata"), out)

    def at_end(self, out: list[Event]) -> None:
        if not self.choices or not all(self._stop(index).raw_reason for index in self.choices):
            return
        for index, parts in sorted(self.choices.items()):
            stop = self._stops[index]
            self._calls.cut(parts, out)
            parts.finish(out, stop.reason, stop.raw_reason, extra=stop.extra)
        self.end(out)

    def _stop(self, index: int) -> Stop:
        stop = self._stops.get(index)
        if stop is None:
            stop = self._stops[index] = Stop()
        return stop

    def _take_candidate(self, candidate: dict[str, Any], position: int, out: list[Event]) -> None:
        index = count_of(candidate, "index")
        if index is None:  # 0 is left out by some
            if position:
                self.repair("candidate-index", "one of several candidates has no index; its place was taken for it")
            index = position
        if not 0 <= index < MAX_CANDIDATES:
            msg = f"a candidate's index is {index}"
            raise RecordError(msg)
        parts, stop = self.choice(index), self._stop(index)
        raw_reason = text_of(candidate, "finishReason")
        extra = NO_EXTRA
        if not candidate.keys() <= CANDIDATE_KEYS:
            extra = {f"gemini.{key}": each for key, each in candidate.items() if key not in CANDIDATE_KEYS}
            if raw_reason not in NOT_FINISHED:
                stop.keep(extra)
                extra = NO_EXTRA
        if candidate.get("logprobsResult"):
            extra = {**extra, "logprobs": logprobs_of(object_of(candidate, "logprobsResult"))}
        place = len(out)
        for part in list_of(object_of(candidate, "content"), "parts"):
            if not isinstance(part, dict):
                msg = "a part is not an object"
                raise RecordError(msg)
            self._take_part(part, parts, out)
        if extra and not attach_to_text(out, place, extra):
            stop.keep(extra)
        if stop.raw_reason and len(out) > place:
            self.repair("after-finish", "a candidate went on after its finishReason")
        if raw_reason not in NOT_FINISHED:
            stop.raw_reason = raw_reason
            stop.reason = REASONS.get(raw_reason, "other")
            if stop.reason == "stop":
                self._calls.end(parts, out)

    def _take_part(self, part: dict[str, Any], parts: Parts, out: list[Event]) -> None:
        place = len(out)
        text, thought, signature = text_of(part, "text"), part.get("thought"), text_of(part, "thoughtSignature")
        if not isinstance(thought, bool | None):
            msg = "thought is not a bool"
            raise RecordError(msg)
        kind: PartKind = "reasoning" if thought else "text"
        parts.text(out, kind, text)
        if part.get("functionCall") is not None:
            self._calls.take(object_of(part, "functionCall"), signature, parts, out)
        elif signature and part.keys() <= PART_KEYS:
            self._sign(kind, signature, parts, out)
        if part.keys() <= PART_KEYS:
            return
        more = {key: each for key, each in part.items() if key not in PART_KEYS}
        if not attach(out, place, {"gemini.part": more}):
            self._take_unknown(part, parts, out)
        elif signature and part.get("functionCall") is None:
            self._sign(kind, signature, parts, out)

    @staticmethod
    def _sign(kind: PartKind, signature: str, parts: Parts, out: list[Event]) -> None:
        """End the text that is open with its signature; one without text is a part of its own."""
        if parts.kind != kind:
            parts.end_text(out)
            parts.open(out, "", kind)
        parts.close(out, "", signature=signature)

    def _take_unknown(self, part: dict[str, Any], parts: Parts, out: list[Event]) -> None:
        """Pass on a part that has no event (code, its result, an image), in a record of its own."""
        parts.end_text(out)
        candidate = {"index": parts.choice, "content": {"role": "model", "parts": [part]}}
        out.append(Raw(self.name, "", encode_value({**self._head_fields, "candidates": [candidate]}).decode()))

    def _take_feedback(self, feedback: dict[str, Any]) -> None:
        """Take what was found in the prompt: reasons not to answer at all."""
        extra: Extra = {"gemini.promptFeedback": feedback}
        raw_reason = text_of(feedback, "blockReason")
        stop = self._stop(0)
        stop.keep(extra)
        if raw_reason not in NOT_BLOCKED and not stop.raw_reason:
            self.choice(0)
            stop.raw_reason, stop.reason = raw_reason, "content_filter"

    def _take_usage(self, metadata: dict[str, Any], out: list[Event]) -> None:
        found = {key: count_of(metadata, key) for key in COUNTS}
        self._counts |= {key: count for key, count in found.items() if count is not None and count >= 0}
        counts = self._counts
        usage = Usage(
            input_total=total_of(counts, "promptTokenCount", "toolUsePromptTokenCount"),
            output_total=total_of(counts, "candidatesTokenCount", "thoughtsTokenCount"),
            cached=counts.get("cachedContentTokenCount"),
            reasoning=counts.get("thoughtsTokenCount"),
            extra={
                f"gemini.{key}": each for key, each in metadata.items() if key not in COUNT_KEYS and each is not None
            },
        )
        if usage != self._usage:
            self._usage = usage
            out.append(usage)

    def _take_error(self, error: object, out: list[Event]) -> None:
        self.over = True
        fields: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
        code, message, status = fields.get("code"), fields.get("message"), fields.get("status")
        is_status = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600
        out.append(
            Error(
                message if isinstance(message, str) else encode_value(error).decode(),
                status if isinstance(status, str) else "",
                "" if code is None else code if isinstance(code, str) else encode_value(code).decode(),
                code if is_status else None,
                extra={"gemini.details": fields["details"]} if fields.get("details") else NO_EXTRA,
            )
        )


def attach_to_text(out: list[Event], place: int, extra: Extra) -> bool:
    """Add what a candidate has besides to the first text of its answer from `place` on, or to what it has instead."""
    for at in range(place, len(out)):
        if isinstance(out[at], Text):
            return attach(out, at, extra)
    return attach(out, place, extra)


COUNT_KEYS: Final = frozenset({*COUNTS, "totalTokenCount"}) - {"toolUsePromptTokenCount"}
"""What an event has a field for; the tokens of tools' results are in the total, and kept to be told apart again."""


def total_of(counts: Mapping[str, int], *keys: str) -> int | None:
    """Return the sum of those counts that are known, or None if none is."""
    known = [counts[key] for key in keys if key in counts]
    return sum(known) if known else None


def logprobs_of(result: dict[str, Any]) -> list[object]:
    """Return the neutral list of a `logprobsResult`.

    Raises:
        RecordError: it is not what it should be.
    """
    tops = list_of(result, "topCandidates")
    found: list[object] = []
    for number, chosen in enumerate(list_of(result, "chosenCandidates")):
        top = tops[number] if number < len(tops) else {}
        others = list_of(top, "candidates") if isinstance(top, dict) else None
        if others is None or not all(isinstance(each, dict) for each in (chosen, *others)):
            msg = "logprobsResult is not a list of candidates"
            raise RecordError(msg)
        found.append({**logprob_of(chosen), "top_logprobs": [logprob_of(each) for each in others]})
    return found


def logprob_of(candidate: dict[str, Any]) -> dict[str, object]:
    """Return the neutral form of one token; 0 is left out on the wire.

    Raises:
        RecordError: its log probability is no number.
    """
    logprob = candidate.get("logProbability", 0.0)
    if not isinstance(logprob, (int, float, type(None))) or isinstance(logprob, bool):
        msg = "logProbability is not a number"
        raise RecordError(msg)
    return {"token": text_of(candidate, "token"), "logprob": logprob}
