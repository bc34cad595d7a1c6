"""What `streamkit gateway` makes of its options: an address, a certificate, and the gateway's configuration.

An option that would do nothing is refused: who wrote it expects that it does something.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamkit.cli.asking import api_key_in, trusted
from streamkit.cli.edge import say
from streamkit.cli.serving import allow_descriptors
from streamkit.errors import ConfigError
from streamkit.http.hosts import is_loopback
from streamkit.http.limits import Limits

if TYPE_CHECKING:
    import ssl

    from streamkit.gateway.config import GatewayConfig

__all__ = ["LISTEN", "MAX_STREAMS", "SPEAKABLE", "STREAM_BUFFER_BYTES"]
__all__ += ["address_of", "certificate_of", "config_of", "seconds"]

LISTEN: Final = "127.0.0.1:8080"

SPEAKABLE: Final = ("ollama-chat", "openai-chat", "openai-responses", "anthropic", "gemini")
"""The dialects of `streamkit.gateway.config.SPEAKABLE`, without what help need not load."""

MAX_STREAMS: Final = 1000

STREAM_BUFFER_BYTES: Final = 1 << 20

ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[^\]]+)?)\]|([^:\s]+)):([0-9]{1,5})")

MAX_PORT: Final = 65535

NAME: Final = re.compile(r"[A-Za-z0-9._-]+")

ANY_HOST: Final = "*"

DESCRIPTORS_EACH: Final = 2
"""A request has a connection on either side. With --half-close there may be a watch for its reset too."""

STREAMS_SHARE: Final = 4
"""Where descriptors are short, streams have one in so many."""

NEED_SPEAKS: Final[Mapping[str, str]] = {
    "models": "--model-map",
    "max_streams": "--max-streams",
    "stream_buffer_bytes": "--stream-buffer-bytes",
    "stream_grace_s": "--stream-grace",
}
"""What concerns requests that are read, and the options' names."""


def config_of(host: str, options: dict[str, Any], given: Container[str], *, is_watched: bool = False) -> GatewayConfig:
    """Make the gateway's configuration of the command line.

    Args:
        host: of the address to listen on.
        options: every option, by the name of its parameter.
        given: the names of those that were not left to their defaults.
        is_watched: whether its streams are shown on a page.

    Raises:
        ConfigError: something in it, or in the environment, is wrong, or it would be open to those it must not be.
    """
    from streamkit.gateway.cors import origin_of
    from streamkit.http.origin import parse_origin

    upstream = parse_origin(options["upstream"], "--upstream")
    if options["upstream_ca"] is not None and upstream.scheme != "https":
        raise ConfigError(f"--upstream-ca does nothing for {upstream.url}: is it https?")
    for name, option in NEED_SPEAKS.items():
        if name in given and not options["speaks"]:
            raise ConfigError(f"{option} does nothing without --speaks DIALECT: add it, and what the upstream speaks")
    api_key = api_key_in(options["api_key_env"])
    hosts = hosts_of(options["hosts"])
    if is_watched:
        check_watch(host, api_key, hosts)
    elif not (api_key or options["insecure_public"] or is_loopback(host)):
        raise ConfigError(
            f"--listen {options['listen']} is open to others: ask for a key with --api-key-env NAME, or say"
            " --insecure-public"
        )
    model_map = models_of(options["models"])
    origins = frozenset(origin_of(each) for each in options["origins"])
    max_connections, max_streams = connections_allowed(
        options["max_connections"],
        DESCRIPTORS_EACH + 1 if options["half_close"] else DESCRIPTORS_EACH,
        options["max_streams"] if options["speaks"] else 0,
    )
    from streamkit.gateway.config import GatewayConfig

    return GatewayConfig(
        upstream,
        upstream_tls=trusted(options["upstream_ca"]),
        upstream_key=api_key_in(options["upstream_key_env"], "--upstream-key-env"),
        api_key=api_key,
        half_close=options["half_close"],
        allowed_hosts=hosts,
        connect_timeout_s=seconds(options["connect_timeout_s"]),
        head_timeout_s=seconds(options["head_timeout_s"]),
        idle_timeout_s=seconds(options["idle_timeout_s"]),
        max_response_head_bytes=options["max_head_bytes"],
        limits=Limits(
            max_head_bytes=options["max_head_bytes"],
            max_body_bytes=options["max_body_bytes"],
            max_connections=max_connections,
        ),
        speaks=options["speaks"] or "",
        model_map=model_map,
        cors_origins=origins,
        max_streams=max_streams or options["max_streams"],
        stream_buffer_bytes=options["stream_buffer_bytes"],
        stream_grace_s=seconds(options["stream_grace_s"]),
    )


def check_watch(host: str, api_key: str, hosts: frozenset[str] | None) -> None:
    """See to it that the page that shows everybody's streams is not shown to everybody.

    Raises:
        ConfigError: others than this machine could reach it, or any web page could, and there is no key.
    """
    if api_key:
        return
    if not is_loopback(host):
        raise ConfigError(
            f"the page shows the streams of all clients, and others can reach {host}: ask for a key with --api-key-env"
        )
    if hosts is None:
        raise ConfigError(
            "the page shows the streams of all clients, and with --allow-host '*' any web page could read it: name the"
            " hosts, or ask for a key with --api-key-env"
        )


def address_of(text: str) -> tuple[str, int]:
    """Return the host and the port of `--listen`.

    Raises:
        ConfigError: it is not both.
    """
    found = ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > MAX_PORT:
        raise ConfigError(f"--listen is HOST:PORT, for instance {LISTEN} or [::1]:8080, not {text[:80]!r}")
    return found[1] or found[2], int(found[3])


def hosts_of(names: tuple[str, ...]) -> frozenset[str] | None:
    """Return the names of `--allow-host`; None for any.

    Raises:
        ConfigError: one is no name.
    """
    if ANY_HOST in names:
        return None
    for name in names:
        if not NAME.fullmatch(name):
            raise ConfigError(f"--allow-host is a name without a port, for instance gateway.example, not {name[:80]!r}")
    return frozenset(names)


def models_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return what models are called upstream, by the names of `--model-map`.

    Raises:
        ConfigError: one is no pair, or a name stands there twice and means two things.
    """
    models: dict[str, str] = {}
    for pair in pairs:
        name, equals, upstream = pair.partition("=")
        if not (name and equals and upstream):
            raise ConfigError(f"--model-map is NAME=NAME, the clients' first, or '*=NAME', not {pair[:80]!r}")
        if models.setdefault(name, upstream) != upstream:
            raise ConfigError(f"--model-map {name[:80]!r} is named twice: as {models[name][:80]!r}, and otherwise")
    return models


def certificate_of(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return what TLS towards clients needs; None where they speak none.

    Raises:
        ConfigError: a file cannot be used, or there is a key without a certificate.
    """
    if certificate is None:
        if key is not None:
            raise ConfigError("--tls-key does nothing without --tls-cert FILE: add it")
        return None
    from streamkit.http.tls import server_context

    return server_context(certificate, key)


def connections_allowed(wanted: int, each: int, streams: int = 0) -> tuple[int, int]:
    """Return how many clients can be served at once, and how many resumable streams of those that are wanted.

    A client takes up to `each` of the descriptors that we may have, and a stream one, whether anybody reads it or not.
    One more than that gets a 503; without this one more than the descriptors would leave all of them without upstream.
    """
    descriptors = allow_descriptors(wanted * each + streams)
    streams = min(streams, max(1, descriptors // STREAMS_SHARE))
    allowed = min(wanted, max(1, (descriptors - streams) // each))
    if allowed < wanted != Limits().max_connections:
        say(f"--max-connections {wanted}: the limit on open files allows no more than {allowed} (ulimit -n)")
    return allowed, streams


def seconds(duration_s: float | None) -> float:
    """Return a duration of the command line, where 0 is for ever."""
    return math.inf if duration_s is None else duration_s
