"""What dialects share about `extra`: where a record's further fields go, and the one form of log probabilities.

A record has further fields, its events have `extra`. What every record of a stream repeats stays on `Start`; the rest
goes to the first event that the record makes. `extra["logprobs"]` is the same in all dialects: a list of
`{"token", "logprob", "bytes"?, "top_logprobs": [{"token", "logprob", "bytes"?}]}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from streamkit.dialects.decoder import RecordError, list_of
from streamkit.dialects.events import Event
from streamkit.dialects.parts import NO_EXTRA, Extra

__all__ = ["attach", "logprobs_of", "openai_logprobs", "unlike", "without_empties"]


def attach(out: list[Event], place: int, extra: Extra) -> bool:
    """Add `extra` to the event at `place`; return whether there is one."""
    if place >= len(out):
        return False
    event = out[place]
    out[place] = replace(event, extra={**event.extra, **extra})
    return True


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
    """Return one token's entry."""
    if isinstance(entry, dict):
        token, logprob, data = entry.get("token"), entry.get("logprob"), entry.get("bytes")
        is_number = isinstance(logprob, (int, float)) and not isinstance(logprob, bool)
        if isinstance(token, str) and is_number and isinstance(data, list | None):
            return {"token": token, "logprob": logprob, **({} if data is None else {"bytes": data})}
    msg = f"an entry of {key} is not a token with its log probability"
    raise RecordError(msg)


def openai_logprobs(entries: object) -> object:
    """Return log probabilities as OpenAI writes them, all keys there; what has another form stays as it is."""
    if not isinstance(entries, list):
        return entries
    return [openai_entry(entry) for entry in entries]


def openai_entry(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    tops = entry.get("top_logprobs") or []
    return {"bytes": None, **entry, "top_logprobs": [{"bytes": None, **top} for top in tops if isinstance(top, dict)]}


def without_empties(entries: object) -> object:
    """Return log probabilities as Ollama writes them, empty keys left out."""
    if not isinstance(entries, list):
        return entries
    return [
        {key: value for key, value in entry.items() if value not in (None, [])} if isinstance(entry, dict) else entry
        for entry in entries
    ]
