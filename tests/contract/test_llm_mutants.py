"""The llm group on gateways that are wrong on purpose, each in what it does to a chat; and on one that is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from streamkit.contract.setting import Setting
from tests.contract.against import SETTING, found
from tests.contract.mutants.changing import WholeEvents, WithoutDone
from tests.contract.mutants.leaving import NeverCancels, OnlyFlowing
from tests.contract.mutants.link import Head
from tests.contract.mutants.relay import At, Relay, Same

DONE: Final = b"data: [DONE]\n\n"

STOP: Final = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'

USAGES: Final = {"llm.usage.requested", "llm.usage.empty-delta", "llm.usage.no-delta", "llm.usage.after-finish"}

WHOLE: Final = {"llm.done.once", "llm.lifecycle.once", "llm.tool-args-split", *USAGES}
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


class TellsOfNone(Same):
    """Does nothing."""


def staged(stage: type[Same]) -> type[Relay]:
    """Return a relay that does this to streams."""

    class Staged(Relay):
        def stage(self, at: At, response: Head) -> Same:  # noqa: ARG002 - the hook's
            return stage()

    return Staged


class HidesStatus(Relay):
    """Answers 200 to everybody, whatever is in the body."""

    def response_head(self, at: At, response: Head) -> Head:
        head = super().response_head(at, response)
        return replace(head, line="HTTP/1.1 200 OK")


MUST_FAIL: Final[dict[type[Relay], set[str]]] = {
    staged(TellsOfNone): set(),
    staged(FabricatesEnd): {"llm.truncated"},
    staged(WithoutDone): WHOLE,
    staged(EndsTwice): {"llm.done.once", "llm.truncated"},
    staged(NoErrors): {"llm.error.midstream", "llm.usage.requested", "llm.usage.after-finish"},
    staged(LateRole): {"llm.lifecycle.once"},
    staged(AlwaysStops): {"llm.finish-reason", "llm.tool-args-split"},
    staged(CutsEscapes): {"llm.tool-args-split"},
    HidesStatus: {"llm.error.status"},
}
"""What each of them has to fail, and nothing else."""


@pytest.mark.parametrize("relay", MUST_FAIL, ids=lambda relay: str(list(MUST_FAIL).index(relay)))
async def test_each_fails_what_it_gets_wrong(relay: type[Relay]) -> None:
    results = await found("llm", relay=relay, setting=gateway("openai-chat"))
    wrong = {name: result for name, result in results.items() if result.verdict not in {"OK", "INFORMATIONAL"}}
    assert wrong.keys() == MUST_FAIL[relay], {name: result.detail for name, result in wrong.items()}
    assert {result.verdict for result in wrong.values()} <= {"FAILED"}


@pytest.mark.parametrize("dialect", ["anthropic", "openai-responses", "gemini", "ollama-chat"])
@pytest.mark.parametrize("relay", [NeverCancels, OnlyFlowing])
async def test_a_client_that_leaves_before_the_answer_is_judged_in_every_dialect(
    dialect: str, relay: type[Relay]
) -> None:
    """What is written then, to see whether writing shows it, is a lawful answer of each."""
    setting = replace(gateway(dialect), limit_s=0.5)
    results = await found("cancel.ttft", relay=relay, setting=setting)
    assert {str(result.verdict) for result in results.values()} == {"FAILED"}, results
