"""llm.usage: the token counts reach the client, in whatever chunk the upstream puts them.

OpenAI's own form is a last chunk without choices; servers that speak its dialect have others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.codecs.jsontext import encode_value
from streamkit.contract.case import Case, Drive, levels
from streamkit.contract.cases.llm_common import answered, both_carry, client_row, fault_of, told_in
from streamkit.contract.content import Part
from streamkit.contract.setting import Setting
from streamkit.contract.told import Told
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding
from streamkit.dialects.events import End, Finish, PartEnd, Usage

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand

__all__ = ["CASES"]

TOKENS: Final = 5

INPUT: Final = 23
OUTPUT: Final = 5

COUNTS: Final[dict[str, object]] = {
    "prompt_tokens": INPUT,
    "completion_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
}

SHAPES: Final[dict[str, tuple[dict[str, object], ...]]] = {
    "empty-delta": (
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "delta": {}}], "usage": COUNTS},
    ),
    "no-delta": ({"choices": [{"index": 0, "finish_reason": "stop"}], "usage": COUNTS},),
    "after-finish": (
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": COUNTS},
    ),
}
"""The last chunks before `[DONE]`, by what is odd about them."""


async def drive_own(stand: Stand) -> None:
    """Have the counts in the upstream dialect's own form."""
    answer = stand.talk.answer()
    parts = stand.talk.parts_of(stand.talk.tokens(TOKENS), answer, closed=False)
    await answered(stand, [*parts, answer.close(usage=Usage(input_total=INPUT, output_total=OUTPUT))])


def drive_shape(shape: str) -> Drive:
    """Return what has the counts in one of OpenAI's other forms."""

    async def drive(stand: Stand) -> None:
        talk = stand.talk
        head = {
            "id": f"answer-{talk.token}",
            "object": "chat.completion.chunk",
            "created": 1_767_225_600,
            "model": talk.model,
        }
        parts = talk.parts(TOKENS, closed=False)
        parts += [Part(b"data: %b\n\n" % encode_value({**head, **chunk})) for chunk in SHAPES[shape]]
        await answered(stand, [*parts, Part(b"data: [DONE]\n\n")])

    return drive


def judge_usage(trace: Trace) -> Finding:
    """Say whether the client has the counts, and once."""
    said, usage, facts = _counts_in(trace)
    if fault := fault_of(trace, said):
        return Finding(holds=False, detail=fault, facts=facts)
    if usage.input_total is None and usage.output_total is None:
        return Finding(holds=False, detail="the token counts did not reach the client", facts=facts)
    if (usage.input_total, usage.output_total) != (INPUT, OUTPUT):
        detail = f"{usage.input_total} and {usage.output_total} tokens were told, {INPUT} and {OUTPUT} were sent"
        return Finding(holds=False, detail=detail, facts=facts)
    if client_row(trace).name in {"openai-chat", "openai-completions"}:
        counted = sum(1 for record in said.records if isinstance(record, dict) and record.get("usage"))
        facts["chunks"] = counted
        totals = [total for total in map(_total_in, said.records) if total not in {None, INPUT + OUTPUT}]
        if totals:
            detail = f"{totals[0]} tokens were told in total, and {INPUT + OUTPUT} were sent"
            return Finding(holds=False, detail=detail, facts=facts)
        if counted > 1:
            detail = f"the token counts came in {counted} chunks: clients that add them up count {counted} answers"
            return Finding(holds=False, detail=detail, facts=facts)
    return Finding(holds=True, detail=f"the token counts reached the client: {INPUT} and {OUTPUT}", facts=facts)


def _counts_in(trace: Trace) -> tuple[Told, Usage, dict[str, object]]:
    """Return what the client was told, the counts in it, and these as facts."""
    said = told_in(trace)
    usage = said.message.usage
    return said, usage, {"input_tokens": usage.input_total, "output_tokens": usage.output_total}


def _total_in(record: object) -> object:
    """Return the sum that a record of OpenAI's gives beside the counts; None where it gives none."""
    usage = record.get("usage") if isinstance(record, dict) else None
    return usage.get("total_tokens") if isinstance(usage, dict) else None


async def drive_none(stand: Stand) -> None:
    """Have an answer without counts."""
    answer = stand.talk.answer()
    parts = stand.talk.parts_of(stand.talk.tokens(TOKENS), answer, closed=False)
    await answered(stand, [*parts, answer.write(PartEnd(0), Finish("stop"), End())])


def judge_none(trace: Trace) -> Finding:
    """Say whether the client is told of counts that nobody counted. A zero that a dialect insists on is none."""
    said, usage, facts = _counts_in(trace)
    if fault := fault_of(trace, said):
        return Finding(holds=False, detail=fault, facts=facts)
    if usage.input_total is None and usage.output_total is None:
        return Finding(holds=True, detail="the upstream counted no tokens, and the client is told of none", facts=facts)
    detail = f"the upstream counted no tokens, and the client was told {usage.input_total} and {usage.output_total}"
    return Finding(holds=False, detail=f"{detail}: it cannot tell them from true ones", facts=facts)


def has_shapes(setting: Setting) -> bool:
    """Whether the upstream speaks the dialect that has these forms."""
    return both_carry("usage")(setting) and setting.upstream_dialect == "openai-chat"


RULES: Final = {
    "empty-delta": (
        "Token counts in a chunk whose choice has an empty delta reach the client.",
        ("diegosouzapw/OmniRoute#9750",),
    ),
    "no-delta": (
        "Token counts in a last chunk whose choice has no delta at all reach the client.",
        ("agentgateway/agentgateway#3455",),
    ),
    "after-finish": (
        "Token counts that come in a chunk of their own behind the reason to stop reach the client.",
        ("BerriAI/litellm#17136", "agentjido/req_llm#781"),
    ),
}

CASES: Final = (
    Case(
        id="llm.usage.requested",
        levels=levels(None, "must"),
        rule="A client that asks for token counts is told them, once and as the upstream counted.",
        bugs=("Portkey-AI/gateway#1338", "BerriAI/litellm#17136", "ollama/ollama#4448"),
        drive=drive_own,
        judge=judge_usage,
        applies=both_carry("usage"),
    ),
    Case(
        id="llm.usage.none",
        levels=levels(None, "must"),
        rule="Where the upstream counts no tokens, the client is told of none: made-up counts look like true ones.",
        bugs=("pattern-zones-co/koine#41",),
        drive=drive_none,
        judge=judge_none,
        applies=both_carry("usage"),
    ),
    *(
        Case(
            id=f"llm.usage.{shape}",
            levels=levels(None, "must"),
            rule=rule,
            bugs=bugs,
            drive=drive_shape(shape),
            judge=judge_usage,
            applies=has_shapes,
        )
        for shape, (rule, bugs) in RULES.items()
    ),
)
