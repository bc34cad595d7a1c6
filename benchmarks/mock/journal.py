"""What the mock's own journal says about the requests of a turn, over its admin API.

The first token counts as sent when the kernel had taken the write that completed it. The request counts as arrived at
the kernel's receive stamp; a server that has none for it gives no figure.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["entries_since", "first_tokens_ns"]


def entries_since(url: str, number: int) -> list[dict[str, Any]]:
    """The entries of requests for tokens after the `number`-th one; none from a server that keeps no journal."""
    try:
        with urllib.request.urlopen(f"{url}/_mock/journal?since={number}", timeout=30) as answer:  # noqa: S310 - our own
            entries = json.load(answer)
    except (urllib.error.HTTPError, http.client.HTTPException, OSError, ValueError):
        return []
    return [entry for entry in entries if not entry["target"].startswith("/_mock/")]


def first_tokens_ns(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """For each entry with a kernel stamp: from that stamp to the end of the write with the first token."""
    found = []
    for entry in entries:
        ended_ns = next((write[2] for write in entry["writes"] if write[4] > 0), None)
        if ended_ns is not None and entry["kernel_ns"] is not None:
            found.append(ended_ns - entry["kernel_ns"])
    return found
