"""mitmproxy, as a reverse proxy."""

from __future__ import annotations

import re
from typing import Final

from streamkit.contract.proxies.proxy import Proxy, Variant

__all__ = ["MITMPROXY"]

MITMPROXY: Final = Proxy(
    name="mitmproxy",
    programs=("mitmdump",),
    package="pip install mitmproxy",
    arguments=(
        *("--mode", "reverse:${scheme}://${upstream_authority}"),
        *("--listen-host", "127.0.0.1", "--listen-port", "${port}"),
        *("--set", "confdir=${directory}", "--set", "flow_detail=0", "--set", "termlog_verbosity=warn"),
        "${streaming}",
        "${trust}",
        "${lazily}",
    ),
    words={"streaming": "", "trust": "", "lazily": ""},
    schemes={
        "http": {"scheme": "http"},
        "https": {
            "scheme": "https",
            "trust": "--set=ssl_verify_upstream_trusted_ca=${upstream_ca}",
            # Otherwise it shakes hands with the upstream before it listens to its client, and we wait in its way.
            "lazily": "--set=connection_strategy=lazy",
        },
    },
    version_arguments=("--version",),
    version=re.compile(r"Mitmproxy:? (\S+)"),
    variants=(
        Variant("default", "a reverse proxy, and nothing else: whole bodies are read before they are passed on"),
        Variant(
            "stream",
            "bodies of more than one byte are passed on as they come",
            {"streaming": "--set=stream_large_bodies=1"},
        ),
    ),
    patience_s=60.0,
)
