"""Envelopes of questions, read so that the answers of others go on meanwhile."""

from __future__ import annotations

import time
from functools import partial

import trio

from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.job import LARGE_BODY_BYTES
from streamkit.vendors.envelope import read_envelope
from streamkit.vendors.reading import Reading

__all__ = ["reading_of"]


async def reading_of(envelope: bytes, config: GatewayConfig) -> Reading:
    """Return what an envelope asks; a large one is read in a thread.

    Raises:
        NoJSONError, RefusedError: as `read_envelope` does.
    """
    read = partial(read_envelope, envelope, config.facts(time.time_ns()))
    return await trio.to_thread.run_sync(read) if len(envelope) > LARGE_BODY_BYTES else read()
