"""`streamkit gateway`: stand before a server, and pass on what comes, as it is or in another dialect."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from streamkit import __version__
from streamkit.cli.asking import timeout_option
from streamkit.cli.edge import CONTEXT, EXIT_CODES, USAGE, fail, run, say
from streamkit.cli.gateway_options import (
    LISTEN,
    MAX_STREAMS,
    SPEAKABLE,
    STREAM_BUFFER_BYTES,
    address_of,
    certificate_of,
    config_of,
    seconds,
)
from streamkit.cli.serving import announce, keep_what_is_loaded
from streamkit.errors import ConfigError
from streamkit.http.limits import Limits

if TYPE_CHECKING:
    import ssl

    import trio

    from streamkit.gateway.config import GatewayConfig
    from streamkit.gateway.gateway import OnRecord
    from streamkit.gateway.open import OpenGateway

__all__ = ["command"]

FILE: Final = click.Path(path_type=Path)


@click.command("gateway", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="gateway")
@click.option("--upstream", metavar="URL", required=True, help="The server behind it; every request goes there.")
@click.option(
    "--speaks",
    type=click.Choice(SPEAKABLE),
    metavar="DIALECT",
    help=f"Serve clients of any dialect, for the upstream speaks this one: {', '.join(SPEAKABLE)}.",
)
@click.option(
    "--model-map",
    "models",
    metavar="A=B",
    multiple=True,
    help="What clients call A is B upstream; '*=B': every other name is. With --speaks.",
)
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
    "--cors",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    help="Browsers let pages of this origin, https://app.example, ask and read; '*': of any.",
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
@click.option(
    "--max-streams",
    type=click.IntRange(min=1),
    metavar="N",
    default=MAX_STREAMS,
    show_default=True,
    help="How many resumable streams there may be (POST /streams, with --speaks).",
)
@click.option(
    "--stream-buffer-bytes",
    type=click.IntRange(min=1),
    metavar="N",
    default=STREAM_BUFFER_BYTES,
    show_default=True,
    help="How much of each is kept for those who come back.",
)
@timeout_option("--stream-grace", "stream_grace_s", "How long one lives on that nobody reads.", "30s")
@timeout_option("--drain-timeout", "drain_timeout_s", "How long running requests have after SIGTERM.", "30s")
def command(**options: Any) -> NoReturn:  # noqa: ANN401 - click's, by name
    """Stand before a server, and pass on what comes at once.

    Any method and path goes to the upstream, which no client can change, and both directions pass as they come: what
    one read brings is one write. What ends too early never looks whole. GET /_gateway/stats says what was done so far.

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
        config = config_of(host, options, given(click.get_current_context()))
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
            facts: dict[str, object] = {
                "upstream": config.upstream.url,
                **({"speaks": config.speaks} if config.speaks else {}),
            }
            announce(gateway.url, facts, as_json=options["ready_json"])
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


def given(context: click.Context) -> set[str]:
    """Return the names of the options that were not left to their defaults."""
    return {
        name for name in context.params if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }


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
