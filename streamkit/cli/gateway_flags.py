"""The options of everything that is a gateway: `streamkit gateway`, and `streamkit watch`, which is one to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from streamkit.cli.asking import timeout_option
from streamkit.cli.gateway_options import MAX_STREAMS, STREAM_BUFFER_BYTES
from streamkit.http.limits import Limits

__all__ = ["serving_options"]

FILE: Final = click.Path(path_type=Path)

OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--model-map",
        "models",
        metavar="A=B",
        multiple=True,
        help="What clients call A is B upstream; '*=B': every other name is. With --speaks.",
    ),
    click.option("--half-close", is_flag=True, help="Serve a client on that has closed its sending side."),
    click.option("--tls-cert", type=FILE, metavar="FILE", help="Speak TLS to clients, with this PEM certificate."),
    click.option("--tls-key", type=FILE, metavar="FILE", help="Its key, where the certificate's file has none."),
    click.option("--upstream-ca", type=FILE, metavar="FILE", help="Trust these PEM authorities, not the system's."),
    click.option("--api-key-env", metavar="NAME", help="Clients have to bring the key in this environment variable."),
    click.option(
        "--upstream-key-env",
        metavar="NAME",
        help="Send the upstream this one's key; the client's (header, or ?key=) stays.",
    ),
    click.option(
        "--allow-host", "hosts", metavar="NAME", multiple=True, help="Clients may call it by this name; '*': by any."
    ),
    click.option(
        "--cors",
        "origins",
        metavar="ORIGIN",
        multiple=True,
        help="Browsers let pages of this origin, https://app.example, ask and read; '*': of any.",
    ),
    click.option(
        "--log",
        "log_format",
        type=click.Choice(["json", "text", "off"]),
        help="A line on stderr for each request; by default text on a terminal, and off elsewhere.",
    ),
    click.option("--ready-json", is_flag=True, help="Print one line of JSON when ready, for scripts."),
    timeout_option(
        "--connect-timeout",
        "connect_timeout_s",
        "How long connecting to the upstream may take; then 504. 0 is for ever, here and below.",
        "10s",
    ),
    timeout_option("--head-timeout", "head_timeout_s", "How long its answer may take to begin; then 504.", "10m"),
    timeout_option(
        "--idle-timeout", "idle_timeout_s", "How long its answer may be silent; then the client's is cut too.", "10m"
    ),
    click.option(
        "--max-body-bytes",
        type=click.IntRange(min=1),
        metavar="N",
        default=Limits().max_body_bytes,
        show_default=True,
        help="The largest request that is passed on.",
    ),
    click.option(
        "--max-head-bytes",
        type=click.IntRange(min=1),
        metavar="N",
        default=Limits().max_head_bytes,
        show_default=True,
        help="The longest head, of a request or of an answer.",
    ),
    click.option(
        "--max-connections",
        type=click.IntRange(min=1),
        metavar="N",
        default=Limits().max_connections,
        show_default=True,
        help="How many clients may be connected; one more gets a 503.",
    ),
    click.option(
        "--max-streams",
        type=click.IntRange(min=1),
        metavar="N",
        default=MAX_STREAMS,
        show_default=True,
        help="How many resumable streams there may be (POST /streams, with --speaks).",
    ),
    click.option(
        "--stream-buffer-bytes",
        type=click.IntRange(min=1),
        metavar="N",
        default=STREAM_BUFFER_BYTES,
        show_default=True,
        help="How much of each is kept for those who come back.",
    ),
    timeout_option("--stream-grace", "stream_grace_s", "How long one lives on that nobody reads.", "30s"),
    timeout_option("--drain-timeout", "drain_timeout_s", "How long running requests have after SIGTERM.", "30s"),
)
"""In the order of the help."""


def serving_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all of them."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
