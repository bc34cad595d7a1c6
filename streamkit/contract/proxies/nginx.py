"""nginx."""

from __future__ import annotations

import re
from typing import Final

from streamkit.contract.proxies.proxy import Proxy, Variant

__all__ = ["NGINX"]

CONFIG: Final = """\
daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log warn;
events { worker_connections 2048; }
http {
    access_log off;
    client_body_temp_path ${directory}/body;
    proxy_temp_path ${directory}/proxy;
    fastcgi_temp_path ${directory}/fastcgi;
    uwsgi_temp_path ${directory}/uwsgi;
    scgi_temp_path ${directory}/scgi;
    upstream tested { server ${upstream_authority}; ${pool} }
    server {
        listen 127.0.0.1:${port};
        location / {
            proxy_pass ${scheme}://${server};
            ${options}
            ${compression}
            ${trust}
        }
    }
}
"""

STREAM: Final = {
    "server": "tested",
    "pool": "keepalive 64;",
    "options": (
        "proxy_http_version 1.1; "
        'proxy_set_header Connection ""; '
        "proxy_set_header Host ${upstream_authority}; "
        "proxy_buffering off;"
    ),
}

GZIP: Final = {
    "compression": (
        "gzip on; gzip_proxied any; gzip_types text/plain text/event-stream application/json application/x-ndjson;"
    )
}

TRUST: Final = (
    "proxy_ssl_verify on; proxy_ssl_trusted_certificate ${upstream_ca}; "
    "proxy_ssl_server_name on; proxy_ssl_name ${upstream_name};"
)

NGINX: Final = Proxy(
    name="nginx",
    programs=("nginx",),
    package="the package nginx of Debian and most other systems",
    arguments=("-p", "${directory}", "-e", "${directory}/error.log", "-c", "${directory}/nginx.conf"),
    files={"nginx.conf": CONFIG},
    words={"server": "${upstream_authority}", "pool": "", "options": "", "compression": "", "trust": ""},
    schemes={"http": {"scheme": "http"}, "https": {"scheme": "https", "trust": TRUST}},
    environment={"NGINX": "${fd};"},  # it takes over what listens there: it calls that a binary upgrade
    version_arguments=("-v",),
    version=re.compile(r"nginx/(\S+)"),
    variants=(
        Variant("default", "a proxy_pass and nothing else: HTTP/1.0 to the upstream, everything buffered"),
        Variant(
            "stream", "as one configures it for streams: HTTP/1.1, kept connections, responses not buffered", STREAM
        ),
        Variant("gzip", "as it is, compressing for clients that accept it", GZIP, profile="edge"),
        Variant("stream-gzip", "for streams, compressing", {**STREAM, **GZIP}, profile="edge"),
        Variant(
            "stream-requests",
            "for streams in both directions: requests are not buffered either",
            {
                **STREAM,
                "options": f"{STREAM['options']} proxy_request_buffering off; client_max_body_size 0;",
            },
        ),
        Variant(
            "ignore-abort",
            "for streams, but it goes on when its client has left",
            {**STREAM, "options": f"{STREAM['options']} proxy_ignore_client_abort on;"},
        ),
        Variant(
            "http11-buffered", "HTTP/1.1 to the upstream, responses buffered", {"options": "proxy_http_version 1.1;"}
        ),
        Variant(
            "http10-unbuffered", "HTTP/1.0 to the upstream, responses not buffered", {"options": "proxy_buffering off;"}
        ),
    ),
    takes_socket=True,
)
