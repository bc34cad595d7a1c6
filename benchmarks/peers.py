"""The SSE decoders of other projects, all behind one small shape.

A contender takes the wire in reads and returns batches of events: a peer's generator is one batch, our decoder gives a
batch a read. `consume` takes the events of any of them, reads `.data`, and keeps nothing, without a line of Python for
an event, so that the figures are the decoders' and not the loop's; `drain` does the same and counts. Each peer is
driven through the entry point its users reach: httpx-sse through an `httpx.Response` (built inside the turn: tens of
microseconds of hundreds of milliseconds), the official SDKs through `SSEDecoder.iter_bytes`, sseclient-py through
`SSEClient.events`.

A peer that is not installed is left out, by name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple, Protocol

from streamkit import SSEDecoder

__all__ = ["Contender", "HasData", "Tally", "consume", "drain", "installed_peers", "streamkit_sse"]


class HasData(Protocol):
    """All that a benchmark reads of an event."""

    @property
    def data(self) -> str: ...


_data_of = attrgetter("data")

Contender = Callable[[Sequence[bytes]], Iterable[Iterable[HasData]]]


class Tally(NamedTuple):
    """What came out: enough to see that two contenders did the same work."""

    events: int
    chars: int


def consume(batches: Iterable[Iterable[HasData]]) -> None:
    """Take every event, read its data, and keep none: what is timed."""
    deque(map(_data_of, chain.from_iterable(batches)), maxlen=0)


def drain(batches: Iterable[Iterable[HasData]]) -> Tally:
    """Take every event and keep none, but count: what the check before the timing needs."""
    events = chars = 0
    for batch in batches:
        for event in batch:
            events += 1
            chars += len(event.data)
    return Tally(events, chars)


def streamkit_sse(chunks: Sequence[bytes]) -> Iterable[Iterable[HasData]]:
    """Ours."""
    return map(SSEDecoder().feed, chunks)


def httpx_sse(chunks: Sequence[bytes]) -> Iterable[Iterable[HasData]]:
    """httpx-sse over an httpx response with these reads."""
    import httpx
    from httpx_sse import EventSource

    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=iter(chunks))
    return (EventSource(response).iter_sse(),)


def openai(chunks: Sequence[bytes]) -> Iterable[Iterable[HasData]]:
    """The decoder of OpenAI's SDK."""
    from openai._streaming import SSEDecoder as OpenAIDecoder

    return (OpenAIDecoder().iter_bytes(iter(chunks)),)


def anthropic(chunks: Sequence[bytes]) -> Iterable[Iterable[HasData]]:
    """The decoder of Anthropic's SDK."""
    from anthropic._streaming import SSEDecoder as AnthropicDecoder

    return (AnthropicDecoder().iter_bytes(iter(chunks)),)


def sseclient_py(chunks: Sequence[bytes]) -> Iterable[Iterable[HasData]]:
    """sseclient-py."""
    from sseclient import SSEClient

    return (SSEClient(iter(chunks)).events(),)


PEERS: dict[str, Contender] = {
    "httpx-sse": httpx_sse,
    "openai": openai,
    "anthropic": anthropic,
    "sseclient-py": sseclient_py,
}


def installed_peers() -> tuple[dict[str, Contender], list[str]]:
    """The peers that can be imported, and the names of those that cannot."""
    found: dict[str, Contender] = {}
    absent: list[str] = []
    for name, contender in PEERS.items():
        try:
            drain(contender([b"data: x\n\n"]))
        except ImportError:
            absent.append(name)
        else:
            found[name] = contender
    return found, absent
