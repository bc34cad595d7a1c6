"""HAProxy."""

from __future__ import annotations

import re
from typing import Final

from streamkit.contract.proxies.proxy import Proxy, Variant

__all__ = ["HAPROXY"]

CONFIG: Final = """\
global
    nbthread 1
    maxconn 2048
defaults
    mode ${mode}
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    ${options}
listen tested
    bind fd@${fd}
    server upstream ${upstream_authority} ${trust}
# Only to see that it works: whatever comes to what is tested may be for the upstream.
listen ready
    mode http
    bind fd@${ready_fd}
"""

COMPRESSION: Final = (
    "compression algo gzip\n    compression type text/plain text/event-stream application/json application/x-ndjson"
)

TRUST: Final = "ssl verify required ca-file ${upstream_ca} sni str(${upstream_name}) verifyhost ${upstream_name}"

HAPROXY: Final = Proxy(
    name="haproxy",
    programs=("haproxy",),
    package="the package haproxy of Debian and most other systems",
    arguments=("-q", "-db", "-f", "${directory}/haproxy.cfg"),
    files={"haproxy.cfg": CONFIG},
    words={"mode": "http", "options": "", "trust": ""},
    schemes={
        "http": {},
        "https": {"trust": TRUST},
    },
    version_arguments=("-v",),
    version=re.compile(r"version (\S+)"),
    variants=(
        Variant("default", "mode http and timeouts: small pieces wait for 200 ms in the kernel"),
        Variant(
            "stream",
            "for streams: no delay, and it notices that a client leaves",
            {"options": "option http-no-delay\n    option abortonclose"},
        ),
        Variant("no-delay", "small pieces are not delayed", {"options": "option http-no-delay"}),
        Variant("abortonclose", "it notices that a client leaves", {"options": "option abortonclose"}),
        Variant(
            "gzip",
            "without delay, compressing for clients that accept it",
            {"options": f"option http-no-delay\n    {COMPRESSION}"},
            profile="edge",
        ),
        Variant("tcp", "bytes from here to there, and no HTTP", {"mode": "tcp"}),
    ),
    takes_socket=True,
)
