"""llm.flush: each token of any kind is with the client before the next one is sent, and as it was sent.

The other cases send words, so that what they find is theirs. Here are the tokens that gateways take for something else:
nothing, an end, a syntax of their own; and the kinds that they collect first: thoughts, and the arguments of calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, Drive, levels
from streamkit.contract.cases.llm_common import LOOK, both_carry, calls_tools, told_in
from streamkit.contract.content import Answer, Meter
from streamkit.contract.lockstep import Source, drive_lockstep, judge_lockstep
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding
from streamkit.dialects.events import End, Finish, PartEnd, PartKind, PartStart, Reasoning, Text, ToolArgs, Usage
from streamkit.dialects.registry import get_dialect

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand

__all__ = ["CASES", "TOKENS"]

TOKENS: Final = (
    *("\n", "Is", " ", "\n\n", "", "  lead", "trail  ", "\t", "\r\n", "0", "null", "false", "{}", "[]", '""', "None"),
    *("[DONE]", "data: x\n\n", ": x\n", "event: error\n", "</s>", "<b>&amp;", "%20%s\\n", '"\\/', "\\u00e9", "\u007f"),
    *("\U0001f989", "e", "\u0301", "e\u0301", "\u200d", "\u00a0", "\u2028", "\u3000", "```", "."),
    *(" ", "\n"),
)
"""Blank ones first, last and in between; nothing; what is false, empty or an end to programs; what has to be escaped;
characters that belong to others."""

THOUGHTS: Final = ("\n", "I ", "think", " ", "\n\n", "so", " I", " am", ".", "\n")

SIGNATURE: Final = "c2lnbmVkIGJ5IHRoZSB2ZW5kb3I="
"""What comes behind thoughts, and has to be given back with them in the next request, or it is refused."""

ARGUMENTS: Final = (
    ('{"place"', ":", ' "', "Rome", " ", "or ", "Z\u00fcrich", '"', "}"),
    ("{", '"deep":', "[1", ",", "2],", '"place":"'),
)
"""Of two calls, one behind the other. The second one's last text is still open."""

COUNTS: Final = Usage(input_total=7, output_total=11)


def blank_and_other(answer: Answer) -> Source:
    """Return an answer of odd tokens."""
    parts = [answer.open(), *map(answer.text, TOKENS)]
    return Source([part for part in parts if part.data], closing=answer.close)


def thoughts(answer: Answer) -> Source:
    """Return an answer that is thought about first. A dialect that has signatures signs them."""
    parts = [answer.begin(), answer.write(PartStart(0, "reasoning"))]
    parts += [answer.write(Reasoning(0, each), text=each) for each in THOUGHTS]
    signed = PartEnd(0, signature=SIGNATURE)
    closing = (signed, PartStart(1, "text"), Text(1, "Yes."), PartEnd(1), COUNTS, Finish("stop"), End())
    return Source([part for part in parts if part.data], closing=lambda: answer.write(*closing))


def calls(answer: Answer) -> Source:
    """Return an answer that consists of two calls."""
    parts = [answer.begin()]
    for number, pieces in enumerate(ARGUMENTS):
        begin = PartStart(number, "tool", tool_id=f"call_{number}a2b3c4d5", tool_name=LOOK.name)
        parts.append(answer.write(*[PartEnd(number - 1)] * bool(number), begin))
        parts += [answer.write(ToolArgs(number, piece), text=piece) for piece in pieces]
    last = len(ARGUMENTS) - 1
    closing = (ToolArgs(last, '"}'), PartEnd(last), COUNTS, Finish("tool_calls"), End())
    return Source([part for part in parts if part.data], closing=lambda: answer.write(*closing, text='"}'))


def in_lockstep(source: Callable[[Answer], Source], counts: PartKind) -> Drive:
    """Return a drive that sends an answer in lockstep, in which one kind of part counts."""

    async def drive(stand: Stand) -> None:
        talk = stand.talk
        stand.trace.facts["client_dialect"] = stand.setting.client_dialect
        stand.trace.facts["signature"] = signature_in(stand.setting)
        meter = talk.meter() if counts == "text" else Meter(stand.setting.client_dialect, counts)
        client, up = await stand.ask(talk.request(tools=[LOOK] if counts == "tool" else None), meter=meter)
        await up.respond("chunked", media_type=talk.media_type)
        await drive_lockstep(stand, client, up, source(talk.answer()))

    return drive


def signature_in(setting: Setting) -> str:
    """Return which signature the client has to get: the `same`; `any`, because another vendor's is wrapped; or none."""
    if not both_carry("signatures")(setting):
        return ""
    client, upstream = (get_dialect(name)[0].name for name in (setting.client_dialect, setting.upstream_dialect))
    return "same" if client == upstream else "any"


def judge_kind(trace: Trace, words: str) -> Finding:
    """Say whether pieces of one kind came at once. What else was sent was not only more of it, so no size is told."""
    finding = judge_lockstep(trace)
    facts = finding.facts
    if facts["diagnosis"] != "buffered":
        return finding
    where = f"piece {facts['piece']} of {facts['pieces']}"
    detail = f"{where} was held back until more had come, or {words} were over: are they collected first?"
    told = {name: value for name, value in facts.items() if not name.startswith("buffer_")}
    return replace(finding, detail=detail, facts={**told, "diagnosis": "held"})


def judge_calls(trace: Trace) -> Finding:
    """Say whether the arguments came at once."""
    return judge_kind(trace, "the calls")


def judge_thoughts(trace: Trace) -> Finding:
    """Say whether the thoughts came at once, and with a signature where there has to be one."""
    finding = judge_kind(trace, "the thoughts")
    wanted = str(trace.facts["signature"])
    if not (finding.holds and wanted):
        return finding
    came = {part.signature for choice in told_in(trace).message.choices for part in choice.parts} - {""}
    if came == {SIGNATURE} or (came and wanted == "any"):
        return finding
    what = f"with {', '.join(sorted(came))}" if came else "without a signature"
    detail = f"the thoughts were signed with {SIGNATURE}, and came {what}: who gives them back so is refused"
    return replace(finding, holds=False, detail=detail)


def calls_in_pieces(setting: Setting) -> bool:
    """Whether arguments come in pieces on both sides."""
    return both_carry("tool-fragments")(setting) and calls_tools(setting)


CASES: Final = (
    Case(
        id="llm.flush.tokens",
        levels=levels(None, "must"),
        rule="Tokens that are blank, empty, escaped, or look like an end or a syntax pass at once and as they are.",
        bugs=("waybarrios/vllm-mlx#462", "microsoft/semantic-kernel#2921", "EricLBuehler/mistral.rs#63"),
        drive=in_lockstep(blank_and_other, "text"),
        judge=judge_lockstep,
    ),
    Case(
        id="llm.flush.reasoning",
        levels=levels(None, "must"),
        rule="Thoughts reach a client whose dialect has them, each piece before the next one is sent, and signed.",
        bugs=("bitrouter/bitrouter#448",),
        drive=in_lockstep(thoughts, "reasoning"),
        judge=judge_thoughts,
        applies=both_carry("reasoning"),
    ),
    Case(
        id="llm.flush.tool-args",
        levels=levels(None, "must"),
        rule="Each piece of a call's arguments is with the client before the next one is sent.",
        bugs=("peonist-ai/halogen-flash-server#36", "ag-ui-protocol/ag-ui#2066"),
        drive=in_lockstep(calls, "tool"),
        judge=judge_calls,
        applies=calls_in_pieces,
    ),
)
