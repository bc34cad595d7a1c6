"""One seed decides everything: how a request's own seed follows from the server's. Pure.

A request's seed is a hash of the server's seed, the method, the path, the canonical body, and how many equal requests
came before. So the order in which different requests arrive changes nothing. What is drawn for one purpose (text,
gaps, cuts, faults) has a seed of its own, so that a change of the one leaves the others as they were.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["request_key", "request_seed", "sub_seed"]


def request_key(method: str, path: str, canonical_body: bytes) -> bytes:
    """Return what two requests have in common that are equal."""
    return _hash(method.encode(), path.encode(), canonical_body)


def request_seed(seed: int, key: bytes, ordinal: int) -> int:
    """Return the seed of the `ordinal`-th request (from 0) with this key."""
    return int.from_bytes(_hash(b"%d" % seed, key, b"%d" % ordinal)[:8])


def sub_seed(seed: int, purpose: str) -> int:
    """Return the seed for one purpose: "text", "gaps", "cuts", "faults"..."""
    return int.from_bytes(_hash(b"%d" % seed, purpose.encode())[:8])


def _hash(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()
