"""What the cases of an LLM's stream share: for which dialects they are, how they ask, what was told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from streamkit.contract.content import Asked, Part
from streamkit.contract.setting import Setting
from streamkit.contract.told import Told, told
from streamkit.contract.trace import Exchanged, Trace
from streamkit.dialects.dialect import Dialect, Feature
from streamkit.dialects.registry import get_dialect
from streamkit.dialects.requests import ChatMessage, ChatRequest, Tool
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = [
    "LOOK",
    "NOTE",
    "answered",
    "both_carry",
    "calls_tools",
    "client_row",
    "dialect_in",
    "fault_of",
    "is_whole",
    "told_in",
]

LOOK: Final = Tool("look_up", "Looks something up.", {"type": "object", "properties": {"place": {"type": "string"}}})

NOTE: Final = Tool("note", "Keeps a text.", {"type": "object", "properties": {"text": {"type": "string"}}})


def both_carry(*features: Feature) -> Callable[[Setting], bool]:
    """Return what says whether both of a setting's dialects have forms for these."""

    def applies(setting: Setting) -> bool:
        rows = (get_dialect(setting.client_dialect)[0], get_dialect(setting.upstream_dialect)[0])
        return all(row.carries.issuperset(features) for row in rows)

    return applies


def calls_tools(setting: Setting) -> bool:
    """Whether both dialects have calls, and the client can offer tools."""
    if not both_carry("tools")(setting):
        return False
    try:
        get_dialect(setting.client_dialect)[0].request(
            ChatRequest(messages=[ChatMessage("user", "?")], model="m", tools=[LOOK], max_tokens=1)
        )
    except ConfigError:
        return False
    return True


async def answered(stand: Stand, parts: Sequence[Part], asked: Asked | None = None) -> None:
    """Ask, send these pieces and a clean end of the body, and read to the end; further attempts get the same."""
    stand.trace.facts["client_dialect"] = stand.setting.client_dialect
    client, up = await stand.ask(asked)

    async def answer(end: UpstreamEnd) -> None:
        await end.respond("chunked", media_type=stand.talk.media_type)
        for part in parts:
            if end is up:
                await end.send(part)
            else:
                await end.write(end.framed(part.data))
        await end.finish()

    await stand.serve(client, up, answer)


def dialect_in(trace: Trace) -> str:
    """Return the client's dialect."""
    return str(trace.facts["client_dialect"])


def client_row(trace: Trace) -> Dialect:
    """Return its row of the registry."""
    return get_dialect(dialect_in(trace))[0]


def told_in(trace: Trace, exchanged: Exchanged | None = None) -> Told:
    """Return what the client was told in an exchange; by default the first."""
    return told((exchanged or trace.exchange).body, dialect_in(trace))


def is_whole(trace: Trace, said: Told) -> bool:
    """Whether the client takes the answer for whole: by its terminator, or where it has none by the body's end."""
    by_body = "error" not in client_row(trace).carries
    return said.has_end and not (by_body and trace.exchange.client_end not in {"complete", "closed"})


def fault_of(trace: Trace, said: Told) -> str:
    """Return why a stream that had to be whole is not; empty where it is."""
    exchanged = trace.exchange
    status = exchanged.head.status if exchanged.head else 0
    if not exchanged.head or status >= 300:
        return f"the client got {f'status {status}' if status else 'no answer'} instead of a stream"
    if said.problem:
        return said.problem
    if said.error is not None:
        return f"the client was told of an error: {said.error.message[:200]}"
    return "" if said.has_end else f"the client's stream ends without {client_row(trace).terminator}"
