"""`streamkit gateway`: stand before a server, and pass every byte on as it comes."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from streamkit import __version__
from streamkit.cli.asking import api_key_in, timeout_option, trusted
from streamkit.cli.edge import CONTEXT, EXIT_CODES, USAGE, fail, run, say
from streamkit.cli.serving import allow_descriptors, announce, keep_what_is_loaded
from streamkit.errors import ConfigError
from streamkit.http.hosts import is_loopback
from streamkit.http.limits import Limits

if TYPE_CHECKING:
    import ssl

    import trio

    from streamkit.gateway.config import GatewayConfig
    from streamkit.gateway.gateway import OnRecord
    from streamkit.gateway.open import OpenGateway

__all__ = ["command"]

LISTEN: Final = "127.0.0.1:8080"

ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[^\]]+)?)\]|([^:\s]+)):([0-9]{1,5})")

MAX_PORT: Final = 65535

NAME: Final = re.compile(r"[A-Za-z0-9._-]+")

ANY_HOST: Final = "*"

DESCRIPTORS_EACH: Final = 2
"""A request has a connection on either side. With --half-close there may be a watch for its reset too."""

FILE: Final = click.Path(path_type=Path)


@click.command("gateway", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="gateway")
@click.option("--upstream", metavar="URL", required=True, help="The server behind it; every request goes there.")
@click.option("--listen", metavar="HOST:PORT", default=LISTEN, show_default=True, help="Where; port 0 is a free one.")
@click.option("--half-close", is_flag=True, help="Serve a client on that has closed its sending side.")
@click.option("--tls-cert", type=FILE, metavar="FILE", help="Speak TLS to clients, with this PEM certificate.")
@click.option("--tls-key", type=FILE, metavar="FILE", help="Its key, where the certificate's file has none.")
@click.option("--upstream-ca", type=FILE, metavar="FILE", help="Trust these PEM authorities, not the system's.")
@click.option("--api-key-env", metavar="NAME", help="Clients have to bring the key in this environment variable.")
@click.option(
    "--upstream-key-env",
    metavar="NAME",
    help="Send the upstream this one's key; the client's (header, or ?key=) stays.",
)
@click.option("--insecure-public", is_flag=True, help="Listen beyond this machine without a key.")
@click.option(
    "--allow-host", "hosts", metavar="NAME", multiple=True, help="Clients may call it by this name; '*': by any."
)
@click.option(
    "--log",
    "log_format",
    type=click.Choice(["json", "text", "off"]),
    help="A line on stderr for each request; by default text on a terminal, and off elsewhere.",
)
@click.option("--ready-json", is_flag=True, help="Print one line of JSON when ready, for scripts.")
@timeout_option(
    "--connect-timeout",
    "connect_timeout_s",
    "How long connecting to the upstream may take; then 504. 0 is for ever, here and below.",
    "10s",
)
@timeout_option("--head-timeout", "head_timeout_s", "How long its answer may take to begin; then 504.", "10m")
@timeout_option(
    "--idle-timeout", "idle_timeout_s", "How long its answer may be silent; then the client's is cut too.", "10m"
)
@click.option(
    "--max-body-bytes",
    type=click.IntRange(min=1),
    metavar="N",
    default=Limits().max_body_bytes,
    show_default=True,
    help="The largest request that is passed on.",
)
@click.option(
    "--max-head-bytes",
    type=click.IntRange(min=1),
    metavar="N",
    default=Limits().max_head_bytes,
    show_default=True,
    help="The longest head, of a request or of an answer.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    metavar="N",
    default=Limits().max_connections,
    show_default=True,
    help="How many clients may be connected; one more gets a 503.",
)
@timeout_option("--drain-timeout", "drain_timeout_s", "How long running requests have after SIGTERM.", "30s")
def command(**options: Any) -> NoReturn:  # noqa: ANN401 - click's, by name
    """Stand before a server, and pass every byte on.

    Any method and path goes to the upstream, which no client can change, and both directions pass as they come: what
    one read brings is one write. What ends too early never looks whole. GET /_gateway/stats says what was done so far.

    SIGTERM lets running requests finish and takes on no more; a second one, and Ctrl-C, end it at once.

    \b
    Examples:
      streamkit gateway --upstream http://localhost:11434
      streamkit gateway --upstream https://api.openai.com --upstream-key-env OPENAI_API_KEY
      streamkit gateway --upstream http://gpu1:8000 --listen 0.0.0.0:8080 --api-key-env MY_KEY

    \b
    Then, in another terminal:
      curl -N localhost:8080/api/chat -d '{"model":"m","messages":[{"role":"user","content":"Hi"}]}'
    """
    try:
        host, port = address_of(options["listen"])
        config = config_of(host, options)
        tls = certificate_of(options["tls_cert"], options["tls_key"])
    except ConfigError as error:
        fail(str(error), USAGE)
    with contextlib.ExitStack() as stack:
        on_record = logger_of(options["log_format"], stack)
        run(lambda: main(config, host, port, tls, options, on_record))


async def main(
    config: GatewayConfig,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    options: dict[str, Any],
    on_record: OnRecord | None,
) -> None:
    """Listen, say so, and serve until SIGTERM; then drain."""
    import trio

    from streamkit.gateway.open import open_gateway

    keep_what_is_loaded()
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with open_gateway(config, host=host, port=port, tls=tls, on_record=on_record) as gateway:
            announce(gateway.url, {"upstream": config.upstream.url}, as_json=options["ready_json"])
            await anext(signals)
            gateway.drain()
            with trio.move_on_after(seconds(options["drain_timeout_s"])) as patience:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(wait_done, gateway, nursery.cancel_scope)
                    await anext(signals)
                    patience.cancel()
            if gateway.stats.active:
                say(f"requests that were cut off: {gateway.stats.active}")


async def wait_done(gateway: OpenGateway, scope: trio.CancelScope) -> None:
    """Cancel the scope once the last request is over."""
    await gateway.wait_done()
    scope.cancel()


def config_of(host: str, options: dict[str, Any]) -> GatewayConfig:
    """Make the gateway's configuration of the command line.

    Raises:
        ConfigError: something in it, or in the environment, is wrong.
    """
    from streamkit.http.origin import parse_origin

    upstream = parse_origin(options["upstream"], "--upstream")
    if options["upstream_ca"] is not None and upstream.scheme != "https":
        raise ConfigError(f"--upstream-ca does nothing for {upstream.url}: is it https?")
    api_key = api_key_in(options["api_key_env"])
    if not (api_key or options["insecure_public"] or is_loopback(host)):
        raise ConfigError(
            f"--listen {options['listen']} is open to others: ask for a key with --api-key-env NAME, or say"
            " --insecure-public"
        )
    max_connections = connections_allowed(
        options["max_connections"], DESCRIPTORS_EACH + 1 if options["half_close"] else DESCRIPTORS_EACH
    )
    from streamkit.gateway.config import GatewayConfig

    return GatewayConfig(
        upstream,
        upstream_tls=trusted(options["upstream_ca"]),
        upstream_key=api_key_in(options["upstream_key_env"], "--upstream-key-env"),
        api_key=api_key,
        half_close=options["half_close"],
        allowed_hosts=hosts_of(options["hosts"]),
        connect_timeout_s=seconds(options["connect_timeout_s"]),
        head_timeout_s=seconds(options["head_timeout_s"]),
        idle_timeout_s=seconds(options["idle_timeout_s"]),
        max_response_head_bytes=options["max_head_bytes"],
        limits=Limits(
            max_head_bytes=options["max_head_bytes"],
            max_body_bytes=options["max_body_bytes"],
            max_connections=max_connections,
        ),
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


def connections_allowed(wanted: int, each: int) -> int:
    """Return how many clients can be served at once, where one takes up to `each` of the descriptors that we may have.

    One more than that gets a 503; without this one more than the descriptors would leave all of them without upstream.
    """
    allowed = max(1, allow_descriptors(wanted * each) // each)
    if allowed < wanted != Limits().max_connections:
        say(f"--max-connections {wanted}: the limit on open files allows no more than {allowed} (ulimit -n)")
    return allowed


def logger_of(log_format: str | None, stack: contextlib.ExitStack) -> OnRecord | None:
    """Return what writes a line about a finished request, until the stack is closed; None for nothing."""
    is_closed = sys.__stderr__ is None  # descriptor 2 may be another's by now
    if is_closed or log_format == "off" or (log_format is None and not os.isatty(2)):
        return None
    from streamkit.cli.logwriter import log_writer
    from streamkit.gateway.log import LogFormat, dropped_line, line_of

    chosen: LogFormat = "json" if log_format == "json" else "text"
    prefix = "" if chosen == "json" else "streamkit gateway: "
    writer = stack.enter_context(log_writer(lambda count: prefix + dropped_line(count, chosen)))
    return lambda record: writer.write(prefix + line_of(record, chosen))


def seconds(duration_s: float | None) -> float:
    """Return a duration of the command line, where 0 is for ever."""
    return math.inf if duration_s is None else duration_s
