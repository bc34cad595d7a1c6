"""`streamkit watch`: a page that shows where the tokens of a stream are, on their way from the model to the browser."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from streamkit import __version__
from streamkit.cli.asking import given
from streamkit.cli.edge import CONTEXT, EXIT_CODES, USAGE, fail, run
from streamkit.cli.gateway import logger_of, serve_until_told
from streamkit.cli.gateway_flags import serving_options
from streamkit.cli.gateway_options import SPEAKABLE, address_of, certificate_of, config_of, seconds
from streamkit.cli.serving import announce, keep_what_is_loaded
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    from mockserver.app import MockServer
    from streamkit.gateway.config import GatewayConfig
    from streamkit.gateway.gateway import OnRecord

__all__ = ["command"]

LISTEN: Final = "127.0.0.1:8090"

SPEAKS: Final = "openai-chat"
"""What the embedded mock server is asked in, unless another dialect is wanted; as `streamkit.watch.open.SPEAKS`."""

EMBEDDED: Final = "http://127.0.0.1:1"
"""Stands for the embedded mock server until it has a port."""

MOCK: Final = "ttft=300ms; rate=20"
"""How the embedded mock server answers: as fast as one reads, so that there is something to be seen."""

MOCK_OPTIONS: Final = {"mock_settings": "--mock", "seed": "--seed"}
UPSTREAM_OPTIONS: Final = {"upstream_ca": "--upstream-ca", "upstream_key_env": "--upstream-key-env"}


@click.command("watch", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="watch")
@click.option("--upstream", metavar="URL", help="The model's server.  [default: an embedded mock server]")
@click.option(
    "--speaks",
    type=click.Choice(SPEAKABLE),
    metavar="DIALECT",
    help=f"What it speaks: {', '.join(SPEAKABLE)}. Without --upstream, what the mock is asked in.  [default: {SPEAKS}]",
)
@click.option(
    "--mock",
    "mock_settings",
    metavar="SETTINGS",
    help=f"How the mock server answers, as in X-Mock. The page can change it.  [default: {MOCK}]",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="What the mock draws from.  [default: 0]")
@click.option("--listen", metavar="HOST:PORT", default=LISTEN, show_default=True, help="Where; port 0 is a free one.")
@serving_options
def command(**options: Any) -> NoReturn:  # noqa: ANN401 - click's, by name
    """Show on a page where the tokens of a stream are.

    It is a gateway (`streamkit gateway`) with a page, whose address is printed. The page asks, and shows the answer as
    it comes; below it when each chunk was read from the model, when it left the gateway, and when the browser had it.
    The browser can be fed in four ways: events or lines read by fetch, EventSource, WebSocket. Streams of other clients
    of this gateway are listed, can be opened, and saved as cassettes for `mockserver --replay`.

    Without --upstream a mock server is the model, whose rate, gaps, cuts and faults the page sets. With --upstream and
    without --speaks nothing is translated: the page asks at /v1/chat/completions or /api/chat, as the model has them.

    The page is for this machine alone, or, with --api-key-env, for those who have the key.

    \b
    Examples:
      streamkit watch
      streamkit watch --mock "rate=10; reasoning=8; split=hostile"
      streamkit watch --upstream http://localhost:11434 --speaks ollama-chat
      streamkit watch --upstream http://gpu1:8000 --speaks openai-chat --upstream-key-env MY_KEY
    """
    try:
        host, port = address_of(options["listen"])
        mock = mock_of(options)
        if mock is not None:
            options |= {"upstream": EMBEDDED, "speaks": options["speaks"] or SPEAKS}
        config = config_of(host, options, given(click.get_current_context()), is_watched=True)
        tls = certificate_of(options["tls_cert"], options["tls_key"])
    except ConfigError as error:
        fail(str(error), USAGE)
    with contextlib.ExitStack() as stack:
        on_record = logger_of(options["log_format"], stack, command="streamkit watch", watched=True)
        run(lambda: main(config, mock, host, port, tls, options, on_record))


def mock_of(options: dict[str, Any]) -> MockServer | None:
    """Return the mock server that is the model, set as wanted; None where the model is another server.

    Raises:
        ConfigError: a setting is wrong, or there is none that it could be of.
    """
    if options["upstream"] is not None:
        for name, option in MOCK_OPTIONS.items():
            if options[name] is not None:
                raise ConfigError(f"{option} does nothing with --upstream: it is for the embedded mock server")
        return None
    for name, option in UPSTREAM_OPTIONS.items():
        if options[name] is not None:
            raise ConfigError(f"{option} does nothing without --upstream URL: add it")
    from mockserver.app import MockServer, ServerConfig
    from mockserver.config.header import parse_header

    mock = MockServer(ServerConfig(seed=options["seed"] or 0))
    try:
        mock.configure(parse_header(MOCK if options["mock_settings"] is None else options["mock_settings"]))
    except ConfigError as error:
        raise ConfigError(f"--mock: {error}") from None
    return mock


async def main(
    config: GatewayConfig,
    mock: MockServer | None,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    options: dict[str, Any],
    on_record: OnRecord | None,
) -> None:
    """Listen, say where the page is, and serve until SIGTERM."""
    import trio

    from mockserver.open import listening
    from streamkit.http.origin import parse_origin
    from streamkit.watch.open import open_watch

    async with contextlib.AsyncExitStack() as stack:
        if mock is not None:
            await stack.enter_async_context(listening(mock, "127.0.0.1", 0))
            config = replace(config, upstream=parse_origin(mock.url))
        signals = stack.enter_context(trio.open_signal_receiver(signal.SIGTERM))
        watched = await stack.enter_async_context(
            open_watch(config, host=host, port=port, tls=tls, on_record=on_record, mock=mock)
        )
        keep_what_is_loaded()
        upstream = config.upstream.url
        speaks: dict[str, object] = {"speaks": config.speaks} if config.speaks else {}
        if options["ready_json"]:  # as `streamkit gateway --watch` has it: clients need the gateway's own address
            facts = {"upstream": upstream, "is_mock": mock is not None, **speaks, "page": watched.page_url}
            announce(watched.gateway.url, facts, as_json=True)
        else:
            model = upstream if mock is None else "the embedded mock server"
            announce(watched.page_url, {"model": model, **speaks}, as_json=False)
        await serve_until_told(watched.gateway, signals, seconds(options["drain_timeout_s"]))
