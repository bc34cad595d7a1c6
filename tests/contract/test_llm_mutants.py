"""The llm group on gateways that are wrong on purpose, each in what it does to a chat; and on one that is right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from streamkit.contract.setting import Setting
from tests.contract.against import SETTING, found
from tests.contract.mutants.changing import WholeEvents, WithoutDone
from tests.contract.mutants.leaving import NeverCancels, OnlyFlowing
from tests.contract.mutants.link import Head
from tests.contract.mutants.relay import At, Relay, Same
from tests.contract.mutants.row import media_type

DONE: Final = b"data: [DONE]\n\n"

STOP: Final = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'

SHAPES: Final = {"llm.usage.empty-delta", "llm.usage.no-delta", "llm.usage.after-finish"}

WHOLE: Final = {
    *("llm.done.once", "llm.lifecycle.once", "llm.tool-args-split"),
    *("llm.usage.requested", "llm.usage.none", *SHAPES),
}
"""The cases that need an answer with an end."""


def gateway(dialect: str) -> Setting:
    """Return the setting for a gateway that speaks one dialect on both sides."""
    return replace(SETTING, profile="gateway", client_dialect=dialect, upstream_dialect=dialect, limit_s=1.0)


class FabricatesEnd(WholeEvents):
    """Closes whatever stream it is, as one closes a file."""

    has_end = False

    def event(self, event: bytes) -> bytes:
        self.has_end |= event == DONE or b'"error"' in event
        return event

    def finish(self) -> bytes:
        return super().finish() + (b"" if self.has_end else STOP + DONE)


class EndsTwice(Same):
    """Has an end of its own, and passes on the upstream's."""

    def finish(self) -> bytes:
        return DONE


class NoErrors(WholeEvents):
    """Knows chunks, and takes what has no choices for noise: errors, and token counts too."""

    def event(self, event: bytes) -> bytes:
        return event if b'"choices":[{' in event or event == DONE else b""


class LateRole(WholeEvents):
    """Begins a second message behind the reason to stop, and says its first word again."""

    first = b""

    def event(self, event: bytes) -> bytes:
        if b'"content":"' in event and b'"role"' not in event:
            self.first = self.first or event
        return self.first + event if event == DONE else event


class AlwaysStops(Same):
    """Has one reason for everything."""

    def feed(self, data: bytes) -> bytes:
        for reason in (b"length", b"content_filter", b"tool_calls"):
            data = data.replace(b'"finish_reason":"%b"' % reason, b'"finish_reason":"stop"')
        return data


class CutsEscapes(WholeEvents):
    """Cleans texts up, and finds half of an escape in some of them."""

    def event(self, event: bytes) -> bytes:
        return event.replace(b'"arguments":"\\\\"', b'"arguments":""')


class OfRecords(WholeEvents):
    """Reads each chunk, and writes it anew, or not."""

    def event(self, event: bytes) -> bytes:
        return event if event == DONE else self.record(json.loads(event.removeprefix(b"data: ")))

    def record(self, record: dict[str, Any]) -> bytes:
        """Return what becomes of a chunk."""
        return written(record)


def written(record: dict[str, Any]) -> bytes:
    """Return a chunk."""
    return b"data: " + json.dumps(record).encode() + b"\n\n"


def delta_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a chunk adds; empty where it has no choice."""
    choices = record.get("choices") or [{}]
    return choices[0].get("delta") or {}


class Tidies(OfRecords):
    """Leaves out what it sees no words in, and what nobody was to see."""

    def record(self, record: dict[str, Any]) -> bytes:
        delta = delta_of(record)
        content = delta.get("content") or ""
        is_waste = "reasoning_content" in delta or (content and not content.strip())
        return b"" if is_waste else written(record)


class LooksForDone(OfRecords):
    """Ends where it sees an end, wherever that is."""

    has_end = False

    def record(self, record: dict[str, Any]) -> bytes:
        chunk = written(record)
        self.has_end |= b"[DONE]" in chunk
        return b"" if self.has_end else chunk


class Collects(OfRecords):
    """Gives out thoughts and arguments when they are over."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = b""

    def record(self, record: dict[str, Any]) -> bytes:
        self.kept += written(record)
        if delta_of(record).keys() & {"reasoning_content", "tool_calls"}:
            return b""
        given, self.kept = self.kept, b""
        return given


class OneCall(OfRecords):
    """Knows one call at a time."""

    def record(self, record: dict[str, Any]) -> bytes:
        for call in delta_of(record).get("tool_calls", ()):
            call["index"] = 0
        return written(record)


class NamesCalls(OfRecords):
    """Has ids of its own for calls."""

    def record(self, record: dict[str, Any]) -> bytes:
        for call in delta_of(record).get("tool_calls", ()):
            if "id" in call:
                call["id"] = f"call_{call['index']}"
        return written(record)


class CountsItself(OfRecords):
    """Makes counts up where it is given none."""

    last: dict[str, Any] | None = None

    def event(self, event: bytes) -> bytes:
        counts = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        is_due = event == DONE and self.last is not None and not self.last.get("usage")
        made_up = written({**(self.last or {}), "choices": [], "usage": counts}) if is_due else b""
        return made_up + super().event(event)

    def record(self, record: dict[str, Any]) -> bytes:
        self.last = record
        return written(record)


class Wordless(OfRecords):
    """Tells of errors that they are some."""

    def record(self, record: dict[str, Any]) -> bytes:
        return written({"error": True} if "error" in record else record)


class NewIds(OfRecords):
    """Gives each chunk an id."""

    count = 0

    def record(self, record: dict[str, Any]) -> bytes:
        self.count += 1
        return written({**record, "id": f"chatcmpl-{self.count}"} if "id" in record else record)


class Verbose(OfRecords):
    """Says the same with more words, and makes remarks; all of that is lawful."""

    def record(self, record: dict[str, Any]) -> bytes:
        delta = delta_of(record)
        remark = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "filter_results": []}
        pieces = list(delta.get("content") or "") or [None]
        chunks = [written(remark)]
        for piece in pieces:
            if piece is not None:
                delta.update(role="assistant", content=piece)
            chunks.append(written({**record, "obfuscation": "x"}))
        return b"".join(chunks)


class NoSignatures(WholeEvents):
    """Knows what thoughts are, and not what they are signed for."""

    def event(self, event: bytes) -> bytes:
        return b"" if b'"signature_delta"' in event else event


class TellsOfNone(Same):
    """Does nothing."""


def staged(stage: type[Same]) -> type[Relay]:
    """Return a relay that does this to streams."""

    class Staged(Relay):
        def stage(self, at: At, response: Head) -> Same:
            return stage() if media_type(response) == "text/event-stream" else super().stage(at, response)

    return Staged


class HidesStatus(Relay):
    """Answers 200 to everybody, whatever is in the body."""

    def response_head(self, at: At, response: Head) -> Head:
        head = super().response_head(at, response)
        return replace(head, line="HTTP/1.1 200 OK")


MUST_FAIL: Final[dict[type[Relay], set[str]]] = {
    staged(TellsOfNone): set(),
    staged(Verbose): set(),
    staged(FabricatesEnd): {"llm.truncated"},
    staged(WithoutDone): WHOLE,
    staged(EndsTwice): {"llm.done.once", "llm.truncated"},
    staged(NoErrors): {"llm.error.midstream", "llm.usage.requested", "llm.usage.after-finish"},
    staged(LateRole): {"llm.lifecycle.once"},
    staged(AlwaysStops): {"llm.finish-reason", "llm.tool-args-split"},
    staged(CutsEscapes): {"llm.tool-args-split"},
    staged(Tidies): {"llm.flush.tokens", "llm.flush.reasoning"},
    staged(LooksForDone): {"llm.flush.tokens"},
    staged(Collects): {"llm.flush.reasoning", "llm.flush.tool-args"},
    staged(OneCall): {"llm.tool-args-split"},
    staged(NamesCalls): {"llm.tool-args-split"},
    staged(CountsItself): {"llm.usage.none"},
    staged(Wordless): {"llm.error.midstream"},
    staged(NewIds): {"llm.lifecycle.once"},
    HidesStatus: {"llm.error.status"},
}
"""What each of them has to fail, and nothing else."""


@pytest.mark.parametrize("relay", MUST_FAIL, ids=lambda relay: str(list(MUST_FAIL).index(relay)))
async def test_each_fails_what_it_gets_wrong(relay: type[Relay]) -> None:
    results = await found("llm", relay=relay, setting=gateway("openai-chat"))
    wrong = {name: result for name, result in results.items() if result.verdict not in {"OK", "INFORMATIONAL"}}
    assert wrong.keys() == MUST_FAIL[relay], {name: result.detail for name, result in wrong.items()}
    assert {result.verdict for result in wrong.values()} <= {"FAILED"}
    assert not any("buffer" in result.detail for result in wrong.values()), "none of them has one"


async def test_thoughts_without_their_signature_are_found() -> None:
    results = await found("llm", relay=staged(NoSignatures), setting=gateway("anthropic"))
    wrong = [case_id for case_id, result in results.items() if result.verdict not in {"OK", "INFORMATIONAL"}]
    assert wrong == ["llm.flush.reasoning"]


@pytest.mark.parametrize("dialect", ["anthropic", "openai-responses", "gemini", "ollama-chat"])
@pytest.mark.parametrize("relay", [NeverCancels, OnlyFlowing])
async def test_a_client_that_leaves_before_the_answer_is_judged_in_every_dialect(
    dialect: str, relay: type[Relay]
) -> None:
    """What is written then, to see whether writing shows it, is a lawful answer of each."""
    setting = replace(gateway(dialect), limit_s=0.5)
    results = await found("cancel.ttft", relay=relay, setting=setting)
    assert {str(result.verdict) for result in results.values()} == {"FAILED"}, results
