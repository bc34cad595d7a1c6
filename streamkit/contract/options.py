"""What a run's options mean, for the command and for pytest: words that were written become a setting. Pure.

Both name their options alike, but for what they begin with: `--limit` is `--streamkit-limit` there. Errors say it as it
was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from streamkit.contract.content import TOKEN_HEADER
from streamkit.contract.setting import Setting
from streamkit.contract.verdicts import Profile
from streamkit.dialects.registry import get_dialect
from streamkit.errors import ConfigError
from streamkit.http.origin import parse_origin

__all__ = ["NOWHERE", "setting_from"]

NOWHERE: Final = "http://127.0.0.1:1"
"""Stands for a target that has no port yet."""

PATH: Final = re.compile(r"/[!-~]*")

FRAMING: Final = ("connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade")
OWN: Final = frozenset({*FRAMING, TOKEN_HEADER.lower()})
"""Headers that say how a request ends, what becomes of its connection, or which case it belongs to."""


def setting_from(
    *,
    target: str | None,
    profile: Profile,
    client_dialect: str,
    upstream_dialect: str | None,
    model: str,
    headers: Iterable[tuple[str, str]],
    path: str,
    limit_s: float | None,
    seed: int = 0,
    prefix: str = "--",
) -> Setting:
    """Return what is tested, as what.

    Args:
        target: the proxy's URL; None or empty where it is not known yet.
        profile: what it claims to be.
        client_dialect: what it is asked in.
        upstream_dialect: what it asks us in; None or empty for the client's.
        model: that is asked for.
        headers: sent with every request, in the place of what it would have by itself; each of
            `streamkit.http.field.parse_field`.
        path: of every request; empty for the dialect's own.
        limit_s: how long a piece is waited for; None and 0 are refused.
        seed: what is drawn from.
        prefix: what options begin with, for errors.

    Raises:
        ConfigError: the URL, a dialect, a header, the path or the limit is wrong.
    """
    upstream_dialect = upstream_dialect or client_dialect
    for name in (client_dialect, upstream_dialect):
        get_dialect(name)
    if not limit_s:
        raise ConfigError(f"{prefix}limit 0: a piece has to be waited for; 1s is short, and the default 5s is generous")
    headers = tuple(headers)
    for name, _ in headers:
        if name.lower() in OWN:
            raise ConfigError(f"{prefix}header {name}: each case sends this one as it has to")
    if path and not path.startswith("/"):
        raise ConfigError(f"{prefix}path {path[:80]!r} has to begin with a slash")
    if path and not PATH.fullmatch(path):
        raise ConfigError(f"{prefix}path {path[:80]!r} has characters that must be percent-encoded")
    return Setting(
        target=parse_origin(target or NOWHERE, f"{prefix}target"),
        profile=profile,
        client_dialect=client_dialect,
        upstream_dialect=upstream_dialect,
        model=model or "streamkit",
        headers=headers,
        path=path,
        limit_s=limit_s,
        seed=seed,
    )
