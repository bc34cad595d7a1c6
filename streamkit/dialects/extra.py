"""What dialects share about `extra`: where a record's further fields go, and the one form of log probabilities.

A record has further fields, its events have `extra`. What every record of a stream repeats stays on `Start`; the rest
goes to the first event that the record makes. `extra["logprobs"]` is the same in all dialects: a list of
`{"token", "logprob", "bytes"?, "top_logprobs": [{"token", "logprob", "bytes"?}]}`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from msgspec.structs import replace

from streamkit.dialects.decoder import RecordError, list_of
from streamkit.dialects.events import Event, Finish, PartStart, Reasoning, Refusal, Text, ToolArgs, Usage
from streamkit.dialects.parts import NO_EXTRA, Extra

__all__ = ["attach", "besides", "logprobs_of", "ollama_logprobs", "openai_logprobs", "unlike"]


EMPTY: Final[tuple[object, ...]] = (None, "", [], {})

WRITTEN: Final = (Text, Reasoning, Refusal, ToolArgs, Usage, Finish)


def attach(out: list[Event], place: int, extra: Extra) -> bool:
    """Add `extra` to the first event from `place` on that is written as a record; return whether there is one."""
    for at in range(place, len(out)):
        event = out[at]
        if isinstance(event, WRITTEN) or (isinstance(event, PartStart) and event.kind == "tool"):
            out[at] = replace(event, extra={**event.extra, **extra})
            return True
    return False


def besides(record: Mapping[str, Any], known: Container[str]) -> dict[str, object]:
    """Return what a record has besides the known keys. Empty values say nothing."""
    return {key: value for key, value in record.items() if key not in known and value not in EMPTY}


def unlike(extra: Extra, opening: Extra) -> Extra:
    """Return what is not the same in `opening`, which the stream began with."""
    more = {key: value for key, value in extra.items() if key not in opening or opening[key] != value}
    return more or NO_EXTRA


def logprobs_of(record: Mapping[str, Any], key: str) -> list[dict[str, object]]:
    """Return the log probabilities under `key`; none where there is nothing, or null.

    Raises:
        RecordError: they are something else.
    """
    return [
        {**logprob_of(entry, key), "top_logprobs": [logprob_of(top, key) for top in list_of(entry, "top_logprobs")]}
        for entry in list_of(record, key)
    ]


def logprob_of(entry: object, key: str) -> dict[str, object]:
    """Return one token's entry. The first token of an echoed prompt has no log probability.

    Raises:
        RecordError: it is none.
    """
    if isinstance(entry, dict):
        token, logprob, data = entry.get("token"), entry.get("logprob"), entry.get("bytes")
        is_number = logprob is None or (isinstance(logprob, (int, float)) and not isinstance(logprob, bool))
        if isinstance(token, str) and is_number and isinstance(data, list | None):
            return {"token": token, "logprob": logprob, **({} if data is None else {"bytes": data})}
    msg = f"an entry of {key} is not a token with its log probability"
    raise RecordError(msg)


def well_formed(entries: object) -> list[dict[str, Any]] | None:
    """Return log probabilities as they should be, or None where somebody's events have something else there."""
    if not isinstance(entries, list):
        return None
    try:
        return logprobs_of({"logprobs": entries}, "logprobs")
    except RecordError:
        return None


def openai_logprobs(entries: object) -> list[dict[str, object]] | None:
    """Return log probabilities as OpenAI writes them, all keys there; None if they are none."""
    checked = well_formed(entries)
    if checked is None:
        return None
    return [
        {"bytes": None, **entry, "top_logprobs": [{"bytes": None, **top} for top in entry["top_logprobs"]]}
        for entry in checked
    ]


def ollama_logprobs(entries: object) -> list[dict[str, object]] | None:
    """Return log probabilities as Ollama writes them, empty keys left out; None if they are none."""
    checked = well_formed(entries)
    if checked is None:
        return None
    return [{key: value for key, value in entry.items() if value != []} for entry in checked]
