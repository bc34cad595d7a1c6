"""The example streams: hand-written wires, one file a dialect and case, in `streams/<dialect>/<case>.<framing>`.

A case that every dialect can say has the same name in each. `error` ends in the dialect's error form and `cut` without
its terminator; every other one ends cleanly. A file's suffix is its framing: `sse`, `ndjson`, `json-array`, `text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamkit.dialects.registry import DIALECTS

FOLDER = Path(__file__).parent / "streams"

CASES = (
    "plain",  # a paragraph, token by token
    "unicode",  # CJK, emoji with joiners, combining marks, right-to-left, U+2028, U+0085, escapes
    "reasoning",
    "tool",
    "parallel-tools",
    "interleaved-tools",
    "choices",
    "length",
    "filter",
    "refusal",
    "logprobs",
    "heartbeat",
    "custom",
    "error",
    "cut",
    # What servers that speak openai-chat make of it; only that dialect has these.
    "vllm",  # `reasoning`, usage on every chunk, `stop_reason`
    "llamacpp",  # comments without text, `timings`
    "deepseek",  # `reasoning_content`, null contents, usage on the chunk that finishes
    "groq",  # usage in `x_groq`
    "openrouter",  # comments, reasoning in two fields at once, `provider`
    "azure",  # a first chunk without choices, id and model; what its filter found
    "cerebras",  # two complete calls, both with index 0
    "mistral",  # content as a list of pieces
)


@dataclass(frozen=True)
class Example:
    """One wire."""

    dialect: str
    case: str
    framing: str
    wire: bytes

    @property
    def source(self) -> str:
        """What names its dialect and framing."""
        return self.dialect if DIALECTS[self.dialect].framings[0] == self.framing else f"{self.dialect}/{self.framing}"

    @property
    def ends_cleanly(self) -> bool:
        return self.case not in {"error", "cut"}

    def __str__(self) -> str:
        return f"{self.dialect}-{self.case}-{self.framing}"


EXAMPLES = [
    Example(path.parent.name, path.stem, path.suffix[1:], path.read_bytes()) for path in sorted(FOLDER.glob("*/*.*"))
]
"""Every example there is."""
