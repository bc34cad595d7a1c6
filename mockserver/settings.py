"""Everything that can be chosen about an answer, as one value. Pure.

How settings are written (command line, scenario file, request header, admin API: one grammar) is the business of
`mockserver.config.grammar`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mockserver.faults.spec import Fault
from mockserver.pacing import CONSTANT, Gaps
from mockserver.response import Framing

__all__ = ["Call", "Gzip", "Settings", "Writes"]

Writes = Literal["each", "joined", "acked"]
"""How the pieces that are due reach the kernel: each in a call of its own, with a turn for others after it; all that
are due in one call; or each alone on the wire, not before the peer has acknowledged the one before."""

Gzip = Literal["never", "accepted", "always"]


@dataclass(frozen=True)
class Call:
    """A tool call to make: of the tool `name`, or of any tool that the request offers where that is empty.

    Attributes:
        arguments: their JSON text; empty: made up from the tool's schema.
    """

    name: str = ""
    arguments: str = ""


@dataclass(frozen=True)
class Settings:
    """What an answer is made from, besides the request and the seed.

    Attributes:
        said: the text of the answer; None for seeded words.
        echo: answer with the prompt.
        tokens: how many tokens the seeded words have; None for the endpoint's own number (64, of `/generate` 100).
        reasoning: how many tokens of reasoning come before the text.
        calls: the tools to call, where the request offers them and its last message is not a call's result.
        finish: a neutral finish reason instead of the one that follows from the answer.
        ttft_ns: from the request's arrival to the first token.
        rate: tokens a second, 0 for no delay; None for the endpoint's own (no delay, of `/generate` 10).
        gaps: how the gaps between tokens are distributed around the one that the rate means.
        prefill_rate: prompt tokens a second that delay the first token, 0 for no such delay.
        early_start: send what comes before the first token (a role, a message_start) at once, not with that token.
        heartbeat_ns: how long nothing is sent before a heartbeat is; None for no heartbeats.
        records, chunks, split: where the body is cut into pieces, the pieces into HTTP chunks, and the wire into
            writes: each a policy's text ("random:1:16"), empty for no cuts but the natural ones.
        writes: how pieces reach the kernel.
        framing: how the end of the body is told; None for what fits the request.
        gzip: whether bodies are compressed.
        faults: what goes wrong, gates included, in this order.
        half_close: whether a client that sends no more (FIN) may still be reading; otherwise it has left.
        ids: whether server-sent events carry ids, from which a `Last-Event-ID` resumes.
        retry_ms: the reconnection time that an event stream begins with.
    """

    said: str | None = None
    echo: bool = False
    tokens: int | None = None
    reasoning: int = 0
    calls: tuple[Call, ...] = ()
    finish: str | None = None
    ttft_ns: int = 0
    rate: float | None = None
    gaps: Gaps = CONSTANT
    prefill_rate: float = 0.0
    early_start: bool = False
    heartbeat_ns: int | None = None
    records: str = ""
    chunks: str = ""
    split: str = ""
    writes: Writes = "each"
    framing: Framing | None = None
    gzip: Gzip = "never"
    faults: tuple[Fault, ...] = ()
    half_close: bool = False
    ids: bool = False
    retry_ms: int | None = None
