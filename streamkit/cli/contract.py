"""`streamkit contract`: does this proxy really stream? Its options and its help; `contract_run` does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from streamkit import __version__
from streamkit.cli.asking import given, header_option, timeout_option
from streamkit.cli.edge import CONTEXT, USAGE, fail
from streamkit.errors import ConfigError

__all__ = ["command"]

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

FILE: Final = click.Path(path_type=Path)
INPUT: Final = click.Path(path_type=Path, allow_dash=True)

EPILOG: Final = (
    "Exit codes: 0 as it should be (or as expected), 1 not, 2 usage, 4 the target cannot be tested, or I/O, 130"
    " Ctrl-C, 141 closed pipe."
)

PROFILES: Final = ("pipe", "gateway", "edge")

LIMIT_S: Final = "5s"

UPSTREAM_CA: Final = "streamkit-upstream-ca.pem"


def suite_options(command: CommandT) -> CommandT:
    """Give a command what says what is tested, as what, and how it is shown."""
    options = (
        click.option(
            "--profile",
            type=click.Choice(PROFILES),
            help="What it claims to be: a pipe passes bytes on, a gateway may write events anew and is judged on"
            " tokens, an edge may compress.  [default: pipe]",
        ),
        click.option(
            "--client-dialect", metavar="DIALECT", default="openai-chat", show_default=True, help="Ask it in this one."
        ),
        click.option("--upstream-dialect", metavar="DIALECT", help="It asks us in this one.  [default: the client's]"),
        click.option(
            "--model", metavar="NAME", help="Ask for this model; {case} in it becomes each case's id.  [streamkit]"
        ),
        header_option("Send this with every request, a key for instance; may be repeated."),
        click.option("--path", metavar="PATH", default="", help="Ask here.  [default: the dialect's path]"),
        click.option("--run", "run_", metavar="PREFIX", multiple=True, help="Run only these cases: flush, flush.sse."),
        click.option("--skip", metavar="PREFIX", multiple=True, help="Leave these out."),
        click.option("--slow", is_flag=True, help="Run the slow cases too: idle for a minute, long streams, load."),
        click.option("--strict", is_flag=True, help="NON-STRICT fails the run, too."),
        timeout_option(
            "--limit", "limit_s", "How long a piece is waited for. What is merely late fails no run.", LIMIT_S
        ),
        timeout_option("--max-time", "bound_s", "How long all of it may take.  [default: 5m, 30m with --slow]"),
        click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, show_default=True, help="Draw so."),
        click.option("--json", "json_path", type=INPUT, metavar="FILE", help="Write the results; - for stdout."),
        click.option("--html", "html_path", type=FILE, metavar="FILE", help="Write a page with the evidence."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(invoke_without_command=True, context_settings=CONTEXT, epilog=EPILOG)
@click.version_option(__version__, prog_name="contract")
@click.option("--target", metavar="URL", help="Where the proxy listens.  [default: an embedded gateway]")
@click.option("--upstream", metavar="HOST:PORT", help="Where it passes requests on to: our mock server listens there.")
@click.option("--advertise", metavar="HOST:PORT", help="What the proxy calls that place, from where it is.")
@click.option("--upstream-tls", is_flag=True, help="Listen there with TLS (pip install 'streamkit[tls]').")
@click.option(
    "--upstream-ca",
    type=FILE,
    metavar="FILE",
    help=f"Where to write the authority that the proxy has to trust then.  [default: {UPSTREAM_CA}]",
)
@click.option("--target-ca", type=FILE, metavar="FILE", help="Trust these PEM authorities, not the system's.")
@click.option("--insecure", is_flag=True, help="Trust any certificate of the target.")
@click.option(
    "--with", "with_", metavar="NAME[:VARIANT]", help="Start this installed proxy, and test it: nginx:stream."
)
@suite_options
@click.option("--junit", "junit_path", type=FILE, metavar="FILE", help="Write the results as JUnit's XML.")
@click.option("--publish", "publish_path", type=FILE, metavar="FILE", help="Write a report to publish: no wire logs.")
@click.option("--product", metavar="TEXT", default="", help="What is tested, for reports; and its version:")
@click.option("--product-version", metavar="TEXT", default="", help="The version.")
@click.option(
    "--config", "config_path", type=FILE, metavar="FILE", help="Its configuration, of which reports say a digest."
)
@click.option(
    "--expected-failures", type=FILE, metavar="FILE", help="Cases that are known to fail; new ones fail the run."
)
@click.option(
    "--fuzz", type=click.IntRange(min=1), metavar="N", help="Instead, draw N streams, and look for one it breaks."
)
@click.option("--script", type=INPUT, metavar="FILE", help="Instead, play this stream, as --fuzz prints it.")
@click.option("--list", "is_listing", is_flag=True, help="Say which cases there are, and run none.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's, by name
    """Tell whether a proxy really streams.

    Both ends of the wire are ours, and the proxy stands in the middle. The upstream does not send a piece before the
    client holds the one before, so that what buffers is caught by cause. Bytes, aborts, cancellation, memory, headers,
    and what LLM clients need are looked at in the same way. Without --target or --with the gateway of `streamkit
    gateway` is tested.

    \b
    Examples:
      streamkit contract
      streamkit contract --with nginx:stream --html report.html
      streamkit contract --target http://127.0.0.1:8080 --upstream 127.0.0.1:9000
      streamkit contract --target http://127.0.0.1:8080 --upstream 127.0.0.1:9000 --profile gateway \\
          --header 'Authorization=Bearer sk-1' --expected-failures known.txt --junit report.xml
      streamkit contract --with nginx --run flush --limit 1s
      streamkit contract --with nginx --fuzz 500 --seed 7
    """
    if ctx.invoked_subcommand is not None:
        refuse_misplaced(ctx)
        return
    from streamkit.cli import contract_run

    try:
        contract_run.start(options, given(ctx))
    except ConfigError as error:
        fail(str(error), USAGE)


@command.command("matrix", context_settings=CONTEXT, epilog=EPILOG)
@click.option(
    "--with", "names", metavar="NAME[:VARIANT]", multiple=True, required=True, help="A proxy to compare; repeat it."
)
@suite_options
@click.pass_context
def matrix(ctx: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's, by name
    """Compare installed proxies: a row for each case, a column for each proxy.

    \b
    Example:
      streamkit contract matrix --with nginx --with nginx:stream --with haproxy --html matrix.html
    """
    from streamkit.cli import contract_matrix

    try:
        contract_matrix.start(options, given(ctx))
    except ConfigError as error:
        fail(str(error), USAGE)


def refuse_misplaced(ctx: click.Context) -> None:
    """Refuse options before a subcommand, where they would do nothing."""
    if misplaced := [*given(ctx).values()]:
        raise click.UsageError(
            f"{' '.join(misplaced)} before {ctx.invoked_subcommand} would do nothing; what it takes stands behind it"
        )
