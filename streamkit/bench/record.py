"""What is known of one request: when what happened, how the answer came, and how it ended. Pure.

All times are ns of CLOCK_MONOTONIC. Of what comes from the server there are two: `..._ns` is when the kernel had it,
where the kernel says so (`has_kernel`), and when it was read elsewhere; `..._read_ns` is always when it was read. The
names are those of DESIGN section 7: TTFT counts from `sent_ns`, taken just before the call that hands the last byte of
the request to the kernel.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import msgspec

__all__ = ["FAILURES", "Outcome", "RequestRecord", "ServerTimes", "TokenRead", "known_gap"]

Outcome: TypeAlias = Literal[
    "ok",
    "no-connection",
    "connect-timeout",
    "tool-limit",
    "status",
    "protocol",
    "disconnected",
    "wrong-dialect",
    "undecodable",
    "in-band-error",
    "truncated",
    "empty",
    "no-first-token",
    "idle",
    "timeout",
    "unfinished",
]
"""How a request ended. Only those that are "ok" have a part in any latency.

- "no-connection": nobody listens, no such host, no trust. "connect-timeout": not in time. "tool-limit": this machine
  had no descriptor or port left for one.
- "status": an HTTP status that is no success. "protocol": no HTTP, or broken framing.
- "disconnected": the connection ended before the head or, with an announced length, within the body.
- "wrong-dialect": the answer is another dialect's, a page, or one document. "undecodable": a record that is none.
- "in-band-error": the server says within the stream that it failed. "truncated": it ended without its terminator.
- "empty": the stream is whole and has not one token.
- "no-first-token", "idle", "timeout": nothing, or nothing more, or not all of it, came in time; that of a request which
  runs when a run ends is `Limits.drain_s` behind that.
- "unfinished": somebody ended the run first.
"""

FAILURES: Final[tuple[str, ...]] = tuple(each for each in get_args(Outcome) if each not in {"ok", "unfinished"})
"""The outcomes that are errors."""


SUMMED_UP: Final = 4
"""So many times as many tokens an event as the rest has make reasoning a summary of itself."""


class TokenRead(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A read that completed token events.

    Attributes:
        at_ns: when its newest segment came (kernel, or read).
        read_ns: when it was read.
        tokens: how many token events it completed.
        is_resolved: whether `at_ns` is the time of all of them. Where it is not, only the newest segment's is known.
        is_last_known: where it is not, whether `at_ns` is the time of the last of them all the same.
    """

    at_ns: int
    read_ns: int
    tokens: int
    is_resolved: bool
    is_last_known: bool = False


def known_gap(before: TokenRead, after: TokenRead) -> int | None:
    """Return the time between a read's last token event and the first one of the next; None where it is not known."""
    is_known = after.is_resolved and (before.is_resolved or before.is_last_known)
    return after.at_ns - before.at_ns if is_known else None


class ServerTimes(msgspec.Struct, frozen=True, gc=False):
    """What the server itself says that it took, in ns; of Ollama's dialects."""

    load_ns: int | None = None
    prompt_ns: int | None = None
    eval_ns: int | None = None
    total_ns: int | None = None


class RequestRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One request.

    Attributes:
        number: of the request within its load, from 0.
        target: the name of the server that was asked.
        pair: requests of the same pair ask every target the same; the number itself where there is one target.
        outcome: None as long as it runs.
        detail: what went wrong, for people; never a secret.
        status: of the response.
        scheduled_ns: when it was due, in an open loop; None in a closed one.
        began_ns: when it was taken up. What lies between is the dispatch delay, and the tool's.
        connecting_ns, connected_ns: when connecting began and was done (with TLS); None on a connection that was there.
        is_reused: whether the connection was there.
        stale_connections: how many reused connections turned out to be dead, and were replaced, before this one.
        sent_ns: just before the last byte went to the kernel; the first time, where it was sent again.
        headers_ns ... end_ns: see the module. `first_byte` is of the body; `first_event` any record of the dialect, one
            that only names a role too; `first_token` the first text, reasoning, refusal or tool call; `first_visible`
            the first text or refusal; `end` the terminator.
        has_kernel: whether the kernel stamped every read.
        is_first_resolved: whether the first token's time is known; else it came no later than that.
        token_reads: the reads that brought tokens.
        first_tokens: how many token events the first of them had.
        reads: of the body, up to the one that brought the answer's end.
        visible_tokens, reasoning_tokens, tool_tokens: token events by kind.
        body_bytes: what was in them, without framing and content coding.
        output_tokens: as the server says; None where it does not.
        input_tokens, cached_tokens: the same, of the prompt.
        said_reasoning_tokens: the same, of the output.
        finish: why the model stopped.
        lag_ns: the longest that the loop stood still while the request ran.
        clock_jumped: whether somebody set the clock meanwhile: then there are no kernel stamps.
        request_id: its mark: what was sent as X-Request-ID, unless the user has a header of that name, and what its
            prompt begins with, unless all have the same.
    """

    number: int
    target: str = ""
    pair: int = 0
    outcome: Outcome | None = None
    detail: str = ""
    status: int | None = None
    scheduled_ns: int | None = None
    began_ns: int = 0
    connecting_ns: int | None = None
    connected_ns: int | None = None
    is_reused: bool = False
    stale_connections: int = 0
    sent_ns: int | None = None
    headers_ns: int | None = None
    headers_read_ns: int | None = None
    first_byte_ns: int | None = None
    first_byte_read_ns: int | None = None
    first_event_ns: int | None = None
    first_event_read_ns: int | None = None
    first_token_ns: int | None = None
    first_token_read_ns: int | None = None
    first_visible_ns: int | None = None
    first_visible_read_ns: int | None = None
    first_tool_ns: int | None = None
    first_tool_read_ns: int | None = None
    last_token_ns: int | None = None
    last_token_read_ns: int | None = None
    end_ns: int | None = None
    end_read_ns: int | None = None
    has_kernel: bool = False
    is_first_resolved: bool = True
    token_reads: list[TokenRead] = []
    first_tokens: int = 0
    reads: int = 0
    visible_tokens: int = 0
    reasoning_tokens: int = 0
    tool_tokens: int = 0
    body_bytes: int = 0
    output_tokens: int | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    said_reasoning_tokens: int | None = None
    server: ServerTimes | None = None
    finish: str = ""
    lag_ns: int = 0
    clock_jumped: bool = False
    request_id: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether it has a part in the latencies."""
        return self.outcome == "ok"

    @property
    def token_events(self) -> int:
        """How many token events came."""
        return self.visible_tokens + self.reasoning_tokens + self.tool_tokens

    @property
    def tokens(self) -> int:
        """How many tokens the answer has: as the server says, or as many as there were token events.

        A server that counts fewer than came has not counted: no token is two events.
        """
        return max(self.output_tokens or 0, self.token_events)

    @property
    def streamed_tokens(self) -> int:
        """The same without reasoning that the server counts and did not show: it came before the first token.

        Of reasoning whose events are of many more tokens than the others a summary was shown: its events count.
        """
        hidden, shown = self.said_reasoning_tokens or 0, self.reasoning_tokens
        others = self.token_events - shown
        rest = self.tokens - hidden
        if hidden and rest >= others and hidden * max(1, others) > SUMMED_UP * max(1, shown) * max(1, rest):
            return rest + shown
        if shown or not hidden:
            return self.tokens
        return rest if rest > 0 else self.token_events

    def distrust_kernel(self) -> None:
        """Go by the read stamps alone: the clock by which the kernel's are converted was set meanwhile."""
        self.clock_jumped = True
        self.has_kernel = False
        for name in RECEIVED:
            setattr(self, f"{name}_ns", getattr(self, f"{name}_read_ns"))
        self.token_reads = [
            TokenRead(each.read_ns, each.read_ns, each.tokens, each.is_resolved, each.is_last_known)
            for each in self.token_reads
        ]


RECEIVED: Final = (
    "headers",
    "first_byte",
    "first_event",
    "first_token",
    "first_visible",
    "first_tool",
    "last_token",
    "end",
)
"""What comes from the server, and so has two stamps."""
