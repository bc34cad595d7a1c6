"""llm.error and llm.retry: what a client is told when its upstream fails, and how often that is asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.codecs.jsontext import JSONTextError, decode_checked, encode_value
from streamkit.contract.case import Case, levels
from streamkit.contract.cases.llm_common import answered, both_carry, client_row, told_in
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Ending, Finding
from streamkit.dialects.failure import Failure, plain_failure
from streamkit.dialects.refusals import said_by
from streamkit.dialects.registry import get_dialect

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES"]

TOKENS: Final = 4

MESSAGE: Final = "the model has lost its thread"

STATUSES: Final = (400, 429, 500, 503)
"""What upstreams refuse requests with that have nothing wrong with their credentials."""


async def drive_midstream(stand: Stand) -> None:
    """Have an answer that fails after some tokens, in its dialect's own form, and whose body then ends."""
    answer = stand.talk.answer()
    parts = stand.talk.parts_of(stand.talk.tokens(TOKENS), answer, closed=False)
    await answered(stand, [*parts, answer.fail(MESSAGE)])


def judge_midstream(trace: Trace) -> Finding:
    """Say whether the client was told of the error, or can at least see that its answer is not whole."""
    exchanged = trace.exchange
    said = told_in(trace)
    error = said.error
    facts: dict[str, object] = {
        "has_error": error is not None,
        "has_end": said.has_end,
        "keeps_message": error is not None and MESSAGE in error.message,
        "client_end": exchanged.client_end,
    }
    if "error" not in client_row(trace).carries:
        is_broken = exchanged.client_end in {"cut", "reset", "broken"}
        detail = f"the client's dialect has no form for an error, and its body ended: {exchanged.client_end}"
        return Finding(is_broken, detail, facts)
    if exchanged.units < exchanged.expected_units:
        detail = f"only {exchanged.units} of the {exchanged.expected_units} bytes of text before the error came"
        return Finding(holds=False, detail=detail, facts=facts)
    if error is not None and MESSAGE not in error.message:
        said_instead = f"{error.message[:200]!r} instead of {MESSAGE!r}"
        detail = f"the client was told of an error, and not of which one: {said_instead}"
        return Finding(holds=False, detail=detail, facts=facts)
    if error is not None:
        return Finding(holds=True, detail=f"the client was told of the error: {error.message[:200]}", facts=facts)
    if said.has_end:
        detail = "the upstream's error did not reach the client, whose stream ends as if the answer was whole"
        return Finding(holds=False, detail=detail, facts=facts)
    if exchanged.client_end in {"cut", "reset", "broken"}:
        detail = f"the client was not told of the error, but its body broke off: {exchanged.client_end}"
        return Finding(holds=True, detail=detail, facts=facts)
    detail = "the stream only stops: there is no error in it, and no end, and its body ends as if nothing was wrong"
    return Finding(holds=False, detail=detail, facts=facts)


def judge_after_error(trace: Trace) -> Finding:
    """Record what comes behind an error."""
    said = told_in(trace)
    behind = sum(each.count for each in said.behind_end)
    marks = said.done_marks
    facts: dict[str, object] = {"has_error": said.error is not None, "done_marks": marks, "records_behind": behind}
    if said.error is None:
        return Finding(holds=None, detail="the client was told of no error", facts=facts)
    what = [f"{marks} times [DONE]"] * bool(marks) + [f"{behind} records"] * bool(behind)
    return Finding(holds=None, detail=f"behind the error came {' and '.join(what) or 'nothing'}", facts=facts)


async def refused(stand: Stand, status: int) -> Exchanged:
    """Ask, and refuse every attempt with this status in the upstream's own manner; 0 resets the connection instead."""
    row, framing = get_dialect(stand.setting.upstream_dialect)
    failure = Failure(status or 500, MESSAGE, framing="" if framing == row.framings[0] else framing)
    body = encode_value(row.failure(failure))

    async def answer(end: UpstreamEnd) -> None:
        await end.read_body(stand.limit_s)
        if not status:
            end.end("reset")
            return
        await end.respond("cl", status=status, media_type="application/json", size_bytes=len(body))
        await end.write(end.framed(body))
        await end.finish()

    client, up = await stand.try_ask()
    if up is not None:
        await stand.serve(client, up, answer)
    return client.exchanged


async def drive_statuses(stand: Stand) -> None:
    """Be refused in each way."""
    stand.trace.facts["client_dialect"] = stand.setting.client_dialect
    for status in STATUSES:
        await refused(stand, status)


def judge_statuses(trace: Trace) -> Finding:
    """Say whether the client can tell from status and body what kind of failure it is."""
    row = client_row(trace)
    got: dict[str, object] = {}
    wrong: list[str] = []
    for sent, exchanged in zip(STATUSES, trace.exchanges, strict=False):
        status = exchanged.head.status if exchanged.head else 0
        got[f"status_for_{sent}"] = status
        if not exchanged.attempts:
            got[f"status_for_{sent}"] = "not asked"
            continue
        if status != sent and not (sent >= 500 and status >= 500):
            wrong.append(f"{sent} came as {status or exchanged.client_end or 'nothing'}")
        elif row.failure is not plain_failure and not is_failure(bytes(exchanged.body)):
            wrong.append(f"{sent} came without an error in its body: {bytes(exchanged.body[:80])!r}")
    if wrong:
        detail = f"a refusal by the upstream changes on its way to the client: {'; '.join(wrong)}"
        return Finding(holds=False, detail=detail, facts=got)
    return Finding(holds=True, detail="the client gets refusals with their status and an error body", facts=got)


def is_failure(body: bytes) -> bool:
    """Whether a body is a JSON document that says what is wrong."""
    try:
        value = decode_checked(body)
    except JSONTextError:
        return False
    return isinstance(value, (dict, list)) and bool(said_by(body).message)


RETRIED: Final = (429, 500, 503, 0)


async def drive_retries(stand: Stand) -> None:
    """Fail in each way, as often as the proxy tries."""
    stand.trace.facts["client_dialect"] = stand.setting.client_dialect
    for status in RETRIED:
        await refused(stand, status)


def judge_retries(trace: Trace) -> Finding:
    """Record how often the upstream was asked for one question."""
    names = [str(status or "reset") for status in RETRIED]
    attempts = {name: len(each.attempts) for name, each in zip(names, trace.exchanges, strict=False)}
    facts: dict[str, object] = {f"attempts_{name}": count for name, count in attempts.items()}
    told_counts = ", ".join(f"{count} at {name}" for name, count in attempts.items())
    return Finding(
        holds=None, detail=f"for one request of the client's the upstream was asked: {told_counts}", facts=facts
    )


VISIBLY: Final = frozenset({Ending.COMPLETE, Ending.VISIBLE, Ending.RESET})

CASES: Final[tuple[Case, ...]] = (
    Case(
        id="llm.error.midstream",
        levels=levels(None, "must"),
        rule="A failure in mid-answer reaches the client as an error of its dialect and in its words, never as an end.",
        bugs=("open-webui/open-webui#29628", "Oaklight/llm-rosetta#481", "mozilla-ai/any-llm#847"),
        drive=drive_midstream,
        judge=judge_midstream,
        endings=VISIBLY,
        group="last",
        applies=lambda setting: "error" in get_dialect(setting.upstream_dialect)[0].carries,
    ),
    Case(
        id="llm.error.status",
        levels=levels(None, "must"),
        rule="A request that the upstream refuses is refused with its status: clients decide by it whether to retry.",
        bugs=("BerriAI/litellm#21553",),
        drive=drive_statuses,
        judge=judge_statuses,
        endings=frozenset(),
        group="last",
    ),
    Case(
        id="llm.done.after-error",
        levels=levels(None, "info"),
        rule="Recorded: whether an error in the stream is followed by its end marker, about which opinions differ.",
        bugs=("api7/aisix#198", "BerriAI/litellm#39748"),
        drive=drive_midstream,
        judge=judge_after_error,
        endings=frozenset(),
        group="last",
        applies=both_carry("error"),
    ),
    Case(
        id="llm.retry.hidden",
        levels=levels(None, "info"),
        rule="Recorded: how often the upstream is asked for one question when it answers 429, 500, 503 or resets.",
        drive=drive_retries,
        judge=judge_retries,
        endings=frozenset(),
        group="last",
    ),
)
