"""Have the kernel stamp what arrives from a load's first moment on.

Linux stamps while any socket of the machine asks for it, and begins a moment after the first one did
(`net_enable_timestamp` leaves that to a worker). The first answers of a load would have no stamps. So a socket is held
that asks, and it is waited until what it sends to itself is stamped.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from streamkit.http.stream import ANCILLARY_BYTES, SO_TIMESTAMPING, stamp_arrivals

__all__ = ["kernel_stamps"]

WAIT_S: Final = 0.05
"""How long is waited at most; what comes without a stamp then says so."""

STEP_S: Final = 0.0005


@contextmanager
def kernel_stamps() -> Iterator[bool]:
    """Hold a socket that wants stamps while the block runs; tell whether the kernel gives them."""
    try:
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        yield False
        return
    with held:
        yield _is_stamped(held)


def _is_stamped(held: socket.socket) -> bool:
    if not stamp_arrivals(held):
        return False
    until_s = time.monotonic() + WAIT_S
    try:
        held.bind(("127.0.0.1", 0))
        held.settimeout(WAIT_S)
        while time.monotonic() < until_s:
            held.sendto(b"?", held.getsockname())
            _, ancillary, _, _ = held.recvmsg(1, ANCILLARY_BYTES)
            if any(kind == SO_TIMESTAMPING and any(data[:8]) for _, kind, data in ancillary):
                return True
            time.sleep(STEP_S)
    except OSError:
        pass
    return False
