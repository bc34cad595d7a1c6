"""Situations in which a case may be besides: a connection that is not new, an answer that is long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.cases.conn import answer

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.content import Answer, Asked
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["LONG_BYTES", "ask_on_used", "send_long"]

EVENTS: Final = 12
TEXT_BYTES: Final = 8 << 10
"""How many events make an answer long, and how long the text of each is: no buffer holds all of it."""

STRAY_S: Final = 0.01
"""How soon it shows that nobody waits for a request any more, where the proxy has given up what it came on."""

LONG_BYTES: Final = EVENTS * TEXT_BYTES


async def ask_on_used(stand: Stand, asked: Asked | None = None) -> tuple[ClientEnd, UpstreamEnd]:
    """Ask on a connection that has served an answer, and make that what the case is about; on a new one if it must be.

    Raises:
        NotForwarded: the upstream does not get it.
        ConnectError: nobody listens at the proxy's place.
    """
    client, up = await stand.ask()
    if await answer(stand, client, up) and client.is_reusable and client.stream.is_quiet():
        stand.trace.subject = len(stand.trace.exchanges)
        _, arrived = await stand.try_ask(asked, client=client)
        if arrived is not None:
            stand.trace.facts["is_used"] = True
            return client, arrived
    stand.trace.subject = len(stand.trace.exchanges)
    client, up = await stand.ask(asked)
    if await up.wait_left(STRAY_S):  # it is what was asked on the other connection, and came late
        up = await stand.arrive(client)
    return client, up


async def send_long(stand: Stand, client: ClientEnd, up: UpstreamEnd, content: Answer) -> None:
    """Send a lot, event by event, as long as the client gets most of each. None is longer than lines may be."""
    is_prompt = True
    for token in stand.talk.tokens(EVENTS):
        part = content.text(f"{token:x<{TEXT_BYTES}}")
        await stand.within(stand.limit_s, lambda part=part: stand.while_reading(client, lambda: up.send(part)))  # type: ignore[misc]
        # Not for its end: a buffer that is smaller holds that, and the case is about something else.
        is_prompt = is_prompt and await client.until(client.meter.expected - TEXT_BYTES // 2, stand.limit_s)
