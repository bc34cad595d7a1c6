"""llm: what an LLM's stream has to have, behind a gateway that writes it anew: one beginning, one end, a reason.

The client's body is read by its own dialect's reader, and the events by the checker of their laws; what a strict reader
would refuse counts.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.cases.llm_common import (
    LOOK,
    NOTE,
    answered,
    both_carry,
    calls_tools,
    client_row,
    dialect_in,
    fault_of,
    is_whole,
    told_in,
)
from streamkit.contract.cases.llm_errors import CASES as ERRORS
from streamkit.contract.cases.llm_flush import CASES as FLUSH
from streamkit.contract.cases.llm_usage import CASES as USAGE
from streamkit.contract.content import Answer, Part
from streamkit.contract.told import told
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Ending, Finding
from streamkit.dialects.events import End, Finish, FinishReason, PartEnd, PartStart, Reasoning, Text, ToolArgs, Usage
from streamkit.dialects.registry import get_dialect

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand

__all__ = ["CASES"]

TOKENS: Final = 5

COUNTS: Final = Usage(input_total=7, output_total=11)


async def drive_plain(stand: Stand) -> None:
    """Have an ordinary answer."""
    await answered(stand, stand.talk.parts(TOKENS))


def judge_done(trace: Trace) -> Finding:
    """Say whether there is one end, with nothing behind it."""
    said = told_in(trace)
    facts: dict[str, object] = {"ends": said.ends, "records": len(said.records)}
    if fault := fault_of(trace, said):
        return Finding(holds=False, detail=fault, facts=facts)
    behind = said.behind_end
    if said.ends > 1 or behind:
        what = f"{said.ends} times" if said.ends > 1 else f"with {behind[0].count} records behind it"
        return Finding(holds=False, detail=f"the end of the stream came {what}", facts=facts)
    return Finding(holds=True, detail="the stream has one end, and nothing behind it", facts=facts)


async def drive_thoughtful(stand: Stand) -> None:
    """Have an answer with thoughts before its text, where both dialects have them."""
    talk = stand.talk
    if not both_carry("reasoning")(stand.setting):
        await drive_plain(stand)
        return
    answer = talk.answer()
    thoughts = [answer.begin(), answer.write(PartStart(0, "reasoning"))]
    thoughts += [answer.write(Reasoning(0, thought)) for thought in ("I ", "think.")]
    opening = answer.write(PartEnd(0), PartStart(1, "text"))
    texts = [answer.write(Text(1, text), text=text) for text in talk.tokens(TOKENS)]
    closing = answer.write(PartEnd(1), COUNTS, Finish("stop"), End())
    await answered(stand, [*thoughts, opening, *texts, closing])


def judge_lifecycle(trace: Trace) -> Finding:
    """Say whether everything begins and ends once, in the order of the dialect."""
    said = told_in(trace)
    unruly, unsteady = said.unruly(), said.unsteady(dialect_in(trace))
    others = sorted({each.code for each in said.repairs})
    facts: dict[str, object] = {"records": len(said.records), "repairs": others}
    if fault := fault_of(trace, said):
        return Finding(holds=False, detail=fault, facts=facts)
    if unruly:
        return Finding(
            holds=False, detail=f"the stream breaks its dialect's order: {'; '.join(unruly[:3])}", facts=facts
        )
    if unsteady:
        return Finding(holds=False, detail=f"the records do not hang together: {'; '.join(unsteady)}", facts=facts)
    if trace.exchange.problem:
        return Finding(holds=False, detail=trace.exchange.problem, facts=facts)
    return Finding(holds=True, detail="start, parts, finish and end came once each and in order", facts=facts)


def says(dialect: str, reason: FinishReason) -> bool:
    """Whether a dialect can say that a model stopped for this reason: what it writes, it reads as the same."""
    answer = Answer(dialect, "m")
    written = [answer.open(), answer.text("a"), answer.close(reason)]
    finish = told(b"".join(part.data for part in written), dialect).finish
    return finish is not None and finish.reason == reason


REASONS: Final[tuple[FinishReason, ...]] = ("stop", "length", "content_filter")


async def drive_reasons(stand: Stand) -> None:
    """Have one answer for each reason that both dialects can say."""
    setting = stand.setting
    reasons = [each for each in REASONS if says(setting.client_dialect, each) and says(setting.upstream_dialect, each)]
    stand.trace.facts["reasons"] = " ".join(reasons)
    for reason in reasons:
        answer = stand.talk.answer()
        parts = stand.talk.parts_of(stand.talk.tokens(TOKENS), answer, closed=False)
        await answered(stand, [*parts, answer.close(reason)])


def judge_reasons(trace: Trace) -> Finding:
    """Say whether the client was told the same reasons."""
    reasons = str(trace.facts["reasons"]).split()
    found = [told_in(trace, exchanged).finish for exchanged in trace.exchanges]
    told_reasons = [finish.reason if finish else "none" for finish in found]
    facts: dict[str, object] = {"sent": reasons, "told": told_reasons}
    wrong = [f"{told} instead of {sent}" for sent, told in zip(reasons, told_reasons, strict=False) if told != sent]
    if wrong:
        return Finding(holds=False, detail=f"the client was told to have stopped for {', '.join(wrong)}", facts=facts)
    return Finding(holds=True, detail=f"the client was told why it stopped: {', '.join(reasons)}", facts=facts)


async def drive_truncated(stand: Stand) -> None:
    """Have an answer that stops after some tokens, although its body ends as it should."""
    await answered(stand, stand.talk.parts(TOKENS, closed=False))


def judge_truncated(trace: Trace) -> Finding:
    """Say whether the client can tell that its answer is not whole."""
    said = told_in(trace)
    finish = said.finish
    facts: dict[str, object] = {"has_end": said.has_end, "finish_reason": finish.reason if finish else None}
    if is_whole(trace, said):
        reason = f" and says that the model stopped for the reason {finish.reason!r}" if finish else ""
        detail = f"the upstream's answer had no end, but the client's has one{reason}: a truncated answer looks whole"
        return Finding(holds=False, detail=detail, facts=facts)
    how = "an error event" if said.error else "no end"
    return Finding(holds=True, detail=f"the client can tell that the answer is not whole: it has {how}", facts=facts)


ARGUMENTS: Final = (
    '{"place":"Z\u00fcrich \U0001f989","say":"a \\"quoted\\" \\\\ word\\n","escaped":"\\ud83e\\udd89\\u00e9",'
    '"numbers":[0,-1,0.5,123456789],"deep":{"list":[{"a":[]},null,true]},"empty":""}'
)
"""Arguments with everything in them that may not be cut: escapes, pairs of them, characters of several bytes."""

CALLS: Final = (
    ("call_1a2b3c4d5", LOOK.name, ARGUMENTS),
    ("call_6e7f8g9h0", NOTE.name, '{"text":"\\u00fcber\\\\n [7]","place":"Rome"}'),
)
"""What is called: id, name and arguments."""


AT_ONCE: Final = 16
"""How many of its pieces are written at once: it is records that cut the arguments, not writes."""


def listed(names: list[str]) -> str:
    """Return the first few of them, for people."""
    shown = [name or "one without" for name in names[: len(CALLS) + 1]]
    return ", ".join([*shown, *["..."] * (len(names) > len(shown))]) or "none"


async def drive_arguments(stand: Stand) -> None:
    """Have two calls at once whose arguments come character by character, in turn, where the dialect can do so."""
    setting = stand.setting
    stand.trace.facts["has_ids"] = both_carry("tool-fragments")(setting)
    answer = stand.talk.answer()
    starts = [PartStart(at, "tool", tool_id=one, tool_name=name) for at, (one, name, _) in enumerate(CALLS)]
    begin = [answer.begin(), answer.write(*starts)]
    turns = zip_longest(*(arguments for _, _, arguments in CALLS), fillvalue="")
    pieces = [answer.write(ToolArgs(at, each)).data for turn in turns for at, each in enumerate(turn) if each]
    writes = [Part(b"".join(pieces[at : at + AT_ONCE])) for at in range(0, len(pieces), AT_ONCE)]
    closing = answer.write(*(PartEnd(at) for at in range(len(CALLS))), COUNTS, Finish("tool_calls"), End())
    parts = [*begin, *writes, closing]
    await answered(stand, [part for part in parts if part.data], stand.talk.request(tools=[LOOK, NOTE]))


def judge_arguments(trace: Trace) -> Finding:
    """Say whether the client has the same calls."""
    said = told_in(trace)
    calls = said.message.tool_calls
    sizes = [len(call.text.encode()) for call in calls]
    facts: dict[str, object] = {"calls": len(calls), "arguments_bytes": sizes}
    if fault := fault_of(trace, said):
        return Finding(holds=False, detail=fault, facts=facts)
    names = [name for _, name, _ in CALLS]
    if (came := [call.tool_name for call in calls]) != names:
        detail = f"{len(CALLS)} calls were sent, {listed(names)}, and {len(came)} came: {listed(came)}"
        return Finding(holds=False, detail=detail, facts=facts)
    for call, (_, name, arguments) in zip(calls, CALLS, strict=True):
        if call.arguments != json.loads(arguments):
            what = f"the arguments of {name} that came are not those that were sent in {len(arguments)} pieces"
            return Finding(holds=False, detail=f"{what}: {call.text[:200]}", facts=facts)
    ids = [call_id for call_id, _, _ in CALLS]
    if trace.facts.get("has_ids") and (came := [call.tool_id for call in calls]) != ids:
        detail = f"the calls were sent as {listed(ids)}, and came as {listed(came)}"
        return Finding(holds=False, detail=detail, facts=facts)
    words = client_row(trace).encoder.finish_words
    finish = said.finish or Finish("other", "none")
    # Our reader takes a stop behind a call for what it means. Where a dialect has a word for it, clients wait for that.
    is_plain_stop = words.get("stop") == finish.raw_reason != words.get("tool_calls")
    if finish.reason != "tool_calls" or is_plain_stop:
        reason = finish.raw_reason or finish.reason
        detail = f"the calls came, but the reason to stop is told as {reason!r}: clients do not run them"
        return Finding(holds=False, detail=detail, facts=facts)
    return Finding(holds=True, detail="two calls came whole, from pieces of a character each", facts=facts)


ANY_BUT_A_LIE: Final = frozenset({Ending.COMPLETE, Ending.VISIBLE, Ending.RESET})

CASES: Final[tuple[Case, ...]] = (
    Case(
        id="llm.done.once",
        levels=levels(None, "must"),
        rule="The stream has its dialect's end exactly once: without it clients wait or fail, and twice breaks them.",
        bugs=("BerriAI/litellm#1255", "songquanpeng/one-api#1628", "mnfst/llm-gateway#2072"),
        drive=drive_plain,
        judge=judge_done,
    ),
    Case(
        id="llm.lifecycle.once",
        levels=levels(None, "must"),
        rule="Start, each part, the reason to stop and the end come once, in the dialect's order, and of one answer.",
        bugs=("songquanpeng/one-api#1628", "mnfst/llm-gateway#2072"),
        drive=drive_thoughtful,
        judge=judge_lifecycle,
    ),
    *USAGE,
    Case(
        id="llm.finish-reason",
        levels=levels(None, "must"),
        rule="The client is told why the model stopped: an answer that was cut short must not look finished.",
        bugs=("ollama/ollama#4357",),
        drive=drive_reasons,
        judge=judge_reasons,
        applies=both_carry("finish"),
    ),
    Case(
        id="llm.tool-args-split",
        levels=levels(None, "must"),
        rule="Calls keep names, ids and arguments wherever the upstream cuts them, and also where two come in turn.",
        bugs=(
            *("cnighswonger/claude-code-cache-fix#365", "farion1231/cc-switch#1923"),
            *("mcowger/plexus#691", "praxis-proxy/ai#266"),
        ),
        drive=drive_arguments,
        judge=judge_arguments,
        applies=calls_tools,
    ),
    Case(
        id="llm.truncated",
        levels=levels(None, "must"),
        rule="An answer that stops without reason and terminator is given neither: nobody may take it for whole.",
        bugs=("ollama/ollama#18469", "NousResearch/hermes-agent#64554"),
        drive=drive_truncated,
        judge=judge_truncated,
        endings=ANY_BUT_A_LIE,
        group="last",
        applies=lambda setting: "error" in get_dialect(setting.upstream_dialect)[0].carries,
    ),
    *FLUSH,
    *ERRORS,
)
