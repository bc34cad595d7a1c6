"""OpenAI's token counts, and the places, names and further counts of those who copied them.

By the rules they are `usage`, on a chunk of its own. Groq has them also in `x_groq`, with times in seconds; DeepSeek
names the cached tokens otherwise; xAI counts reasoning apart from the completion; llama.cpp has `timings` in ms. What
has no neutral field is kept for the same dialect.
"""

from __future__ import annotations

from typing import Any, Final, TypeGuard

from streamkit.dialects.decoder import count_of, object_of
from streamkit.dialects.events import Usage
from streamkit.dialects.extra import besides
from streamkit.dialects.parts import Extra

__all__ = ["S", "is_number", "nanoseconds", "usage_object", "usage_of"]

MS: Final = 1_000_000

S: Final = 1_000_000_000

USAGE_KEYS: Final = frozenset(
    {
        *("prompt_tokens", "completion_tokens", "total_tokens"),
        *("prompt_tokens_details", "completion_tokens_details", "prompt_cache_hit_tokens"),
    }
)

DETAIL_KEYS: Final = frozenset({"cached_tokens", "cache_write_tokens", "reasoning_tokens"})


PLACES: Final = frozenset({"usage", "x_groq", "timings"})
"""Where vendors put their counts in a chunk."""


def usage_of(chunk: dict[str, Any]) -> Usage | None:
    """Return a chunk's counts wherever its vendor puts them, or None if it has none.

    Raises:
        RecordError: one of them is no integer.
    """
    if chunk.keys().isdisjoint(PLACES):
        return None  # as nearly every chunk
    usage = object_of(chunk, "usage") or object_of(object_of(chunk, "x_groq"), "usage")
    timings = object_of(chunk, "timings")  # llama.cpp
    if not usage and not timings:
        return None
    of_prompt, of_completion = object_of(usage, "prompt_tokens_details"), object_of(usage, "completion_tokens_details")
    cached = count_of(of_prompt, "cached_tokens")
    if cached is None:
        cached = count_of(usage, "prompt_cache_hit_tokens")  # DeepSeek
    prompt, output = count_of(usage, "prompt_tokens"), count_of(usage, "completion_tokens")
    reasoning = count_of(of_completion, "reasoning_tokens")
    if prompt and output is not None and reasoning and count_of(usage, "total_tokens") == prompt + output + reasoning:
        output += reasoning  # xAI counts it apart
    more = besides(usage, USAGE_KEYS)
    extra: Extra = {}
    for key, known in (("prompt_tokens_details", of_prompt), ("completion_tokens_details", of_completion)):
        rest = besides(known, DETAIL_KEYS) if known else None
        more = {**more, key: rest} if rest else more
    if more:
        extra["openai.usage"] = more
    if timings:
        extra["openai.timings"] = timings
    found = Usage(
        input_total=prompt,
        output_total=output,
        cached=cached,
        cache_write=count_of(of_prompt, "cache_write_tokens"),
        reasoning=reasoning,
        prompt_ns=nanoseconds(timings.get("prompt_ms"), MS) or nanoseconds(usage.get("prompt_time")),  # Groq
        eval_ns=nanoseconds(timings.get("predicted_ms"), MS) or nanoseconds(usage.get("completion_time")),
        total_ns=nanoseconds(usage.get("total_time")),
        extra=extra,
    )
    return None if found == Usage() else found


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a JSON value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def nanoseconds(value: object, unit_ns: int = S) -> int | None:
    """Return a time as ns, or None if it is no number, or no time: more than a million years."""
    return round(value * unit_ns) if is_number(value) and 0 <= value < 1e14 else None


def usage_object(usage: Usage) -> dict[str, object] | None:
    """Return token counts as OpenAI writes them, or None if none are known."""
    if usage.input_total is None and usage.output_total is None:
        return None
    prompt, completion = usage.input_total or 0, usage.output_total or 0
    counts: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if usage.cached is not None or usage.cache_write is not None:
        details = {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write}
        counts["prompt_tokens_details"] = {key: count for key, count in details.items() if count is not None}
    if usage.reasoning is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    more = usage.extra.get("openai.usage")
    if isinstance(more, dict):
        for key, value in more.items():
            known = counts.get(key)
            counts[key] = {**value, **known} if isinstance(value, dict) and isinstance(known, dict) else value
    return counts
