"""By which names a server may be called, and from which pages: what keeps web pages out of a server on loopback. Pure.

A web page may send requests to 127.0.0.1, and an attacker's DNS may point a name of theirs there, which makes their
page one of ours to the browser (DNS rebinding). The Host header tells: a name that somebody else can point here is
neither an address nor `localhost`, which never leaves the machine (RFC 6761, section 6.3).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["authority_of", "is_address", "is_local_name", "is_loopback"]


def authority_of(url: str) -> tuple[str, str]:
    """Return the host of a URL, and host and port as they stand there; both empty where there are none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # half an IPv6 address, for instance
        return "", ""
    return parts.hostname or "", parts.netloc


@lru_cache(maxsize=64)  # the same few names come again and again, and it takes 2 us
def is_address(name: str) -> bool:
    """Tell an IP address from a name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_local_name(name: str) -> bool:
    """Tell whether a name means this machine wherever it is looked up: `localhost`, or a name below it."""
    bare = name.lower().removesuffix(".")
    return bare == "localhost" or bare.endswith(".localhost")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches what listens on `host`. Of a name that is not `localhost`: no."""
    return ip_address(host).is_loopback if is_address(host) else is_local_name(host)
