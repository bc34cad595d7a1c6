"""Apache httpd, with the event MPM and mod_proxy_http."""

from __future__ import annotations

import re
from typing import Final

from streamkit.contract.proxies.proxy import Proxy, Variant

__all__ = ["APACHE"]


def module(name: str) -> str:
    """Return what loads a module, where it is not built in."""
    return f'<IfModule !{name}_module>\n    LoadModule {name}_module "${{modules}}/mod_{name}.so"\n</IfModule>\n'


CONFIG: Final = f"""\
ServerRoot "${{directory}}"
DefaultRuntimeDir "${{directory}}"
PidFile "${{directory}}/httpd.pid"
ErrorLog "${{directory}}/error.log"
LogLevel warn
{module("mpm_event")}{module("unixd")}{module("authz_core")}{module("proxy")}{module("proxy_http")}${{more_modules}}
${{user_and_group}}
ServerName 127.0.0.1
Listen 127.0.0.1:${{port}}
StartServers 1
ServerLimit 1
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 256
${{options}}
${{trust}}
ProxyPass "/" "${{scheme}}://${{upstream_authority}}/" ${{parameters}}
"""

TRUST: Final = """\
SSLProxyEngine on
SSLProxyVerify require
SSLProxyCACertificateFile "${upstream_ca}"
SSLProxyCheckPeerName off
"""
"""It looks for the name that it asks, which is an address; so it trusts whatever this authority has signed."""

APACHE: Final = Proxy(
    name="apache",
    programs=("apache2", "httpd"),
    package="Debian's package apache2, elsewhere httpd",
    arguments=("-f", "${directory}/httpd.conf", "-DFOREGROUND"),
    files={"httpd.conf": CONFIG},
    words={"more_modules": "", "options": "", "parameters": "", "trust": ""},
    schemes={
        "http": {"scheme": "http"},
        "https": {"scheme": "https", "trust": module("ssl") + TRUST},
    },
    version_arguments=("-v",),
    version=re.compile(r"Apache/(\S+)"),
    variants=(
        Variant("default", "a ProxyPass and nothing else"),
        Variant("flush", "every packet is flushed at once", {"parameters": "flushpackets=on"}),
        Variant(
            "gzip",
            "compressing for clients that accept it",
            {"more_modules": module("filter") + module("deflate"), "options": "SetOutputFilter DEFLATE"},
            profile="edge",
        ),
    ),
)
