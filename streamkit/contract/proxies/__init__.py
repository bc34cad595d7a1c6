"""Installed proxies, started with a known configuration and ended again: `--with NAME[:VARIANT]`.

A proxy is a row of data (`proxy.Proxy`) in a file of its own, with the configurations that it is tested with; all of
them are started by one launcher. `PROXIES` has them, `parse_with` finds one, `running` runs it.
"""

from __future__ import annotations

from typing import Final

from streamkit.contract.proxies.apache import APACHE
from streamkit.contract.proxies.haproxy import HAPROXY
from streamkit.contract.proxies.litellm import LITELLM
from streamkit.contract.proxies.mitmproxy import MITMPROXY
from streamkit.contract.proxies.nginx import NGINX
from streamkit.contract.proxies.proxy import Proxy, Variant
from streamkit.contract.proxies.running import Running, running
from streamkit.errors import ConfigError

__all__ = ["PROXIES", "Proxy", "Running", "Variant", "parse_with", "running"]

PROXIES: Final = {row.name: row for row in (NGINX, HAPROXY, APACHE, MITMPROXY, LITELLM)}


def parse_with(text: str) -> tuple[Proxy, Variant]:
    """Read `NAME` or `NAME:VARIANT`; without a variant, the proxy's first.

    Raises:
        ConfigError: there is no such proxy or variant; with those that there are.
    """
    name, colon, wanted = text.partition(":")
    proxy = PROXIES.get(name)
    if proxy is None:
        raise ConfigError(f"no proxy is called {name!r}: choose from {', '.join(PROXIES)}")
    if not colon:
        return proxy, proxy.variants[0]
    for variant in proxy.variants:
        if variant.name == wanted:
            return proxy, variant
    choices = ", ".join(variant.name for variant in proxy.variants)
    raise ConfigError(f"{name} has no variant {wanted!r}: choose from {choices}")
