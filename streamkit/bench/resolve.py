"""Which dialect a server speaks, where nobody has said: its URL tells, or it is asked, as `open_chat` does."""

from __future__ import annotations

from pathlib import Path

import trio
from msgspec.structs import replace

from streamkit.bench.plan import Limits, Server
from streamkit.client.asking import split_url
from streamkit.client.finding import ask_dialect
from streamkit.client.own import HTTPTransport
from streamkit.client.timeouts import Deadlines, Timeouts
from streamkit.dialects.endpoints import dialect_of, model_of
from streamkit.dialects.registry import get_dialect
from streamkit.http.connect import trust

__all__ = ["resolved"]


async def resolved(server: Server, limits: Limits) -> Server:
    """Return a server whose dialect is known, and its model where the URL names one.

    Raises:
        ConfigError: there is no such dialect, or the server does not show which it speaks.
        RemoteError: it has to be asked, and does not answer.
    """
    origin, path = split_url(server.url)
    dialect = server.dialect
    if dialect == "auto":
        found = dialect_of(origin.authority, path)
        if found is None:
            tls = trust(Path(server.authorities)) if server.authorities and origin.scheme == "https" else None
            deadlines = Deadlines(Timeouts(connect_s=limits.connect_s, total_s=limits.first_token_s))
            async with HTTPTransport(tls=tls) as transport:
                found = await ask_dialect(
                    transport, origin, path, headers=server.headers, api_key=server.api_key, deadlines=deadlines
                )
        dialect = found
    else:
        await trio.lowlevel.checkpoint()
    get_dialect(dialect)
    return replace(server, dialect=dialect, model=server.model or model_of(path))
