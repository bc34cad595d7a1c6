"""The paths of the forwarding question: one row a path, and a later part of streamkit adds its row here.

A row names the path, says which wire it gets (wires.py: the input with what it must bring out) and how it is driven
(drivers.py has those of the library and of processes). The baselines do nothing; their lag is what the measuring costs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.commands import command
from benchmarks.drivers import (
    by_hand,
    by_idle,
    by_loop,
    by_pace,
    by_process,
    by_pull,
    by_pump,
    by_push,
    by_tee,
)
from benchmarks.gateway.lockstep import CREATED_AT, Framing, by_conversion, by_gateway, by_gateway_up
from benchmarks.lockstep import PathRun
from benchmarks.wires import (
    Wire,
    answer_text,
    anthropic_to_ollama,
    converted,
    frames,
    lines_from_crlf_events,
    lines_from_events,
    openai_to_anthropic,
    re_encoded,
    records,
    untouched,
    whole_events,
    whole_lines,
)
from streamkit import Converter, NDJSONDecoder, NDJSONEncoder, SSEDecoder, SSEEncoder, Stage

__all__ = ["PATHS", "Path"]


@dataclass(frozen=True, slots=True)
class Path:
    """One row.

    Attributes:
        name: what the table calls it.
        kind: `library`, `filter`, `gateway`, or `baseline`.
        wire: makes the input with its oracle, from a number of records and a seed.
        run: drives the path.
        branches: how many outputs it has; each must get everything.
    """

    name: str
    kind: str
    wire: Callable[[int, int], Wire]
    run: PathRun
    branches: int = 1


def there_and_back() -> list[str]:
    """Two filters in a shell pipe."""
    return ["sh", "-c", f"{shlex.join(command('ndjson-to-sse'))} | {shlex.join(command('sse-to-ndjson'))}"]


def library(name: str, wire: Callable[[int, int], Wire], run: PathRun, branches: int = 1) -> Path:
    """A row of the library."""
    return Path(name, "library", wire, run, branches)


def a_filter(name: str, wire: Callable[[int, int], Wire], *line: str) -> Path:
    """A row of one of our commands."""
    return Path(name, "filter", wire, partial(by_process, partial(command, *line)))


def a_gateway(framing: Framing) -> Path:
    """A row of the gateway, with this framing of the upstream's response."""
    return Path(f"gateway, {framing}", "gateway", untouched, partial(by_gateway, framing))


def a_conversion(spoken: str, wanted: str, wire: Callable[[int, int], Wire]) -> Path:
    """A row of the gateway that converts, from what the upstream speaks to what the client wants."""
    return Path(f"gateway, {spoken} to {wanted}", "gateway", wire, partial(by_conversion, spoken, wanted))


def to_frames() -> Stage[bytes, bytes]:
    """The pipeline of `ndjson-to-sse`."""
    return NDJSONDecoder(raw=True) | SSEEncoder()


def to_lines() -> Stage[bytes, bytes]:
    """The pipeline of `sse-to-ndjson`, near enough: the data of each event as a raw record."""
    return SSEDecoder(convert=lambda event: [event.data.encode()]) | NDJSONEncoder()


def ollama_to_openai() -> Stage[bytes, bytes]:
    """A conversion of dialects."""
    return Converter("ollama-chat", "openai-chat", message_id="chatcmpl-0")


def five_stages() -> Stage[bytes, bytes]:
    """There, back, and there again, with a value decoded in between."""
    return NDJSONDecoder() | NDJSONEncoder() | NDJSONDecoder(raw=True) | NDJSONEncoder() | to_frames()


TO_OPENAI = ("--from", "ollama-chat", "--to", "openai-chat", "--id", "chatcmpl-0")

PATHS: list[Path] = [
    Path("nothing (a loop)", "baseline", untouched, by_loop),
    Path("nothing (cat)", "baseline", untouched, partial(by_process, lambda: ["cat"])),
    library("Pipeline, six stages", re_encoded, partial(by_hand, five_stages)),
    library("pump, NDJSON to SSE", frames, partial(by_pump, to_frames)),
    library("pump, SSE to NDJSON", lines_from_events, partial(by_pump, to_lines)),
    library("pump, Ollama to OpenAI", converted, partial(by_pump, ollama_to_openai)),
    library("pull", records, by_pull),
    library("push", records, by_push),
    library("tee, two branches", records, by_tee, branches=2),
    library("pace", records, by_pace),
    library("idle", records, by_idle),
    a_filter("ndjson-to-sse", frames, "ndjson-to-sse"),
    a_filter("ndjson-to-sse, CRLF", partial(frames, line_end=b"\r\n"), "ndjson-to-sse"),
    a_filter("sse-to-ndjson", lines_from_events, "sse-to-ndjson"),
    a_filter("sse-to-ndjson, CRLF", lines_from_crlf_events, "sse-to-ndjson"),
    Path("ndjson-to-sse | sse-to-ndjson", "filter", whole_lines, partial(by_process, there_and_back)),
    a_filter("convert", converted, "streamkit", "convert", *TO_OPENAI),
    a_filter("convert --from auto", converted, "streamkit", "convert", *TO_OPENAI[2:]),
    a_filter("text", answer_text, "streamkit", "text", "--from", "ollama-chat"),
    a_filter("rechunk --every-byte", untouched, "streamkit", "rechunk", "--every-byte"),
    a_filter("rechunk --size 16", partial(untouched, size=16), "streamkit", "rechunk", "--size", "16"),
    a_filter("rechunk --lines", whole_lines, "streamkit", "rechunk", "--lines"),
    a_filter("rechunk --events", whole_events, "streamkit", "rechunk", "--events"),
    a_gateway("chunked"),
    a_gateway("close"),
    a_gateway("length"),
    Path("gateway, the request's body", "gateway", untouched, by_gateway_up),
    a_conversion("ollama-chat", "openai-chat", partial(converted, is_usage_asked=False)),
    a_conversion("anthropic", "ollama-chat", partial(anthropic_to_ollama, created_at=CREATED_AT)),
    a_conversion("openai-chat", "anthropic", openai_to_anthropic),
]
