"""`streamkit gateway`: stand before a server, and pass on what comes, as it is or in another dialect."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from streamkit import __version__
from streamkit.cli.asking import given
from streamkit.cli.edge import CONTEXT, EXIT_CODES, USAGE, fail, run, say
from streamkit.cli.gateway_flags import serving_options
from streamkit.cli.gateway_options import (
    LISTEN,
    SPEAKABLE,
    address_of,
    certificate_of,
    config_of,
    seconds,
)
from streamkit.cli.serving import announce, keep_what_is_loaded
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    import trio

    from streamkit.gateway.config import GatewayConfig
    from streamkit.gateway.gateway import OnRecord
    from streamkit.gateway.open import OpenGateway
    from streamkit.gateway.record import Record

__all__ = ["command", "logger_of", "serve_until_told"]

QUIET: Final = frozenset({"ok", "client-left", "stopped"})
"""How requests of the page end, but for those that somebody should know of: a page of another site, a wrong key."""


@click.command("gateway", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="gateway")
@click.option("--upstream", metavar="URL", required=True, help="The server behind it; every request goes there.")
@click.option(
    "--speaks",
    type=click.Choice(SPEAKABLE),
    metavar="DIALECT",
    help=f"Serve clients of any dialect, for the upstream speaks this one: {', '.join(SPEAKABLE)}.",
)
@click.option("--listen", metavar="HOST:PORT", default=LISTEN, show_default=True, help="Where; port 0 is a free one.")
@click.option("--insecure-public", is_flag=True, help="Listen beyond this machine without a key; not with --watch.")
@serving_options
@click.option("--watch", is_flag=True, help="Show the streams that pass on a page, below /_watch/.")
def command(**options: Any) -> NoReturn:  # noqa: ANN401 - click's, by name
    """Stand before a server, and pass on what comes at once.

    Any method and path goes to the upstream, which no client can change, and both directions pass as they come: what
    one read brings is one write. What ends too early never looks whole. GET /_gateway/stats says what was done so far.

    With --watch a page at /_watch/ shows where each stream's tokens are, live (`streamkit watch` has a model with it).

    With --speaks clients of any vendor can ask it: /v1/chat/completions, /v1/messages, /api/chat and all that
    `mockserver endpoints` has are read, asked in the upstream's dialect, and answered in the client's, as the tokens
    come. What that dialect cannot be asked for is refused, or named in X-Streamkit-Dropped. Two ways to ask are its
    own: GET /ws is a WebSocket, and POST /streams begins an answer whose events can be read on behind a broken
    connection.

    SIGTERM lets running requests finish and takes on no more; a second one, and Ctrl-C, end it at once.

    \b
    Examples:
      streamkit gateway --upstream http://localhost:11434
      streamkit gateway --upstream http://127.0.0.1:11434 --speaks ollama-chat
      streamkit gateway --upstream https://api.openai.com --upstream-key-env OPENAI_API_KEY
      streamkit gateway --upstream http://gpu1:8000 --listen 0.0.0.0:8080 --api-key-env MY_KEY

    \b
    Then, in another terminal:
      curl -N localhost:8080/api/chat -d '{"model":"m","messages":[{"role":"user","content":"Hi"}]}'
    """
    try:
        host, port = address_of(options["listen"])
        config = config_of(host, options, given(click.get_current_context()), is_watched=options["watch"])
        tls = certificate_of(options["tls_cert"], options["tls_key"])
    except ConfigError as error:
        fail(str(error), USAGE)
    with contextlib.ExitStack() as stack:
        on_record = logger_of(options["log_format"], stack, watched=options["watch"])
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

    onlooker = None
    if options["watch"]:
        from streamkit.watch.open import watch_of

        onlooker = watch_of(config)
    keep_what_is_loaded()
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with open_gateway(
            config, host=host, port=port, tls=tls, on_record=on_record, onlooker=onlooker
        ) as gateway:
            facts: dict[str, object] = {
                "upstream": config.upstream.url,
                **({"speaks": config.speaks} if config.speaks else {}),
                **({"page": f"{gateway.url}{onlooker.prefix}"} if onlooker is not None else {}),
            }
            announce(gateway.url, facts, as_json=options["ready_json"])
            await serve_until_told(gateway, signals, seconds(options["drain_timeout_s"]))


async def serve_until_told(gateway: OpenGateway, signals: AsyncIterator[int], drain_timeout_s: float) -> None:
    """Serve until SIGTERM; then drain, for so long, or until another one."""
    import trio

    await anext(signals)
    gateway.drain()
    with trio.move_on_after(drain_timeout_s) as patience:
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


def logger_of(
    log_format: str | None, stack: contextlib.ExitStack, *, command: str = "streamkit gateway", watched: bool = False
) -> OnRecord | None:
    """Return what writes a line about a finished request, until the stack is closed; None for nothing.

    Args:
        log_format: of `--log`; None for text on a terminal.
        stack: what it needs is closed with it.
        command: whose lines they are.
        watched: whether there is a page, which asks all the time: what it gets without trouble is not written down.
    """
    is_closed = sys.__stderr__ is None  # descriptor 2 may be another's by now
    if is_closed or log_format == "off" or (log_format is None and not os.isatty(2)):
        return None
    from streamkit.cli.logwriter import log_writer
    from streamkit.gateway.log import LogFormat, dropped_line, line_of
    from streamkit.watch.prefix import PREFIX as PAGE_PREFIX

    chosen: LogFormat = "json" if log_format == "json" else "text"
    prefix = "" if chosen == "json" else f"{command}: "
    writer = stack.enter_context(log_writer(lambda count: prefix + dropped_line(count, chosen)))

    def write(record: Record) -> None:
        if not (watched and record.outcome in QUIET and f"{record.target}/".startswith(PAGE_PREFIX)):
            writer.write(prefix + line_of(record, chosen))

    return write
