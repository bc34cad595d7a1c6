"""`streamkit bench`: how fast does it stream, and how far can each figure be trusted? Its options and its help.

`bench_run` does it, `bench_job` makes a job of the options; `compare` is a command of its own behind the same name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from streamkit import __version__
from streamkit.cli.asking import given, header_option, timeout_option
from streamkit.cli.edge import CONTEXT, USAGE, fail
from streamkit.errors import ConfigError

__all__ = ["command"]

FILE: Final = click.Path(path_type=Path)
INPUT: Final = click.Path(path_type=Path, allow_dash=True)

EPILOG: Final = (
    "Exit codes: 0 ok, 1 the figures are too uncertain (--strict, --until), 2 usage, 4 nothing answered, or I/O,"
    " 130 Ctrl-C, 141 closed pipe."
)

COMPARE_EPILOG: Final = "Exit codes: 0 ok, 1 a condition failed, 2 usage, 4 I/O, 130 Ctrl-C, 141 closed pipe."


class WithCompare(click.Command):
    """A command that takes a URL, or the name of another command: a group could not take both."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's
    ) -> click.Context:
        """Parse the arguments; those behind `compare` are its own."""
        if args and args[0] == "compare":
            return compare.make_context(f"{info_name} compare", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("bench", cls=WithCompare, context_settings=CONTEXT, epilog=EPILOG)
@click.version_option(__version__, prog_name="bench")
@click.argument("url", required=False)
@click.option("--direct", metavar="URL", help="The server itself, beside its proxies.")
@click.option("--proxy", "proxies", metavar="[NAME=]URL", multiple=True, help="A proxy before it; may be repeated.")
@click.option(
    "--upstream", metavar="HOST:PORT", help="Our mock is the server itself, and listens there for its proxies."
)
@click.option(
    "--dialect",
    metavar="DIALECT",
    default="auto",
    show_default=True,
    help="What is spoken: one of `streamkit dialects`; auto tells by the URL, or asks.",
)
@click.option("--model", metavar="NAME", default="", help="The model that is asked.")
@header_option("Send this header too; may be repeated.")
@click.option("--api-key-env", metavar="NAME", help="The environment variable that holds the API key.")
@click.option(
    "--server-ca", type=FILE, metavar="FILE", help="Trust the authorities in this PEM file, not the system's."
)
@click.option("--prompt", metavar="TEXT", help="What is asked.  [default: a short question]")
@click.option("--prompts", "prompts_path", type=FILE, metavar="FILE", help='A line each, or NDJSON with "prompt".')
@click.option("--input-tokens", type=click.IntRange(min=1), metavar="N", help="Made-up words of about N tokens.")
@click.option(
    "--same-prompt", is_flag=True, help="Do not make each prompt unique: a prefix cache helps, and is measured."
)
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="The most tokens of an answer.")
@click.option(
    "--concurrency",
    metavar="N[,N...]",
    help="So many requests at once, on all servers together; several make a sweep.  [default: 1]",
)
@click.option(
    "--rate",
    "rates",
    metavar="KIND:N",
    multiple=True,
    help="Requests a second, sent when due: poisson:20, constant:20 or gamma:20,CV; repeated for a sweep.",
)
@click.option("--trace", "trace_path", type=FILE, metavar="FILE", help="Send requests at the times of an NDJSON file.")
@click.option(
    "--requests",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many to each server under each load.  [default: 100, or 10 x concurrency]",
)
@timeout_option("--duration", "duration_s", "For how long requests begin, like 30s.  [default: 60s; 30s at a rate]")
@click.option("--until", metavar="GOAL", help="Go on until a figure is known: 'p99 ttft +-5%'.")
@click.option(
    "--warmup",
    metavar="N|TIME",
    default="auto",
    show_default=True,
    help="Ask so much before anything counts; none: nothing.",
)
@click.option("--slo", metavar="LIST", help="What a good request keeps: ttft=200ms,itl=30ms.")
@timeout_option("--connect-timeout", "connect_s", "How long connecting may take.", "10s")
@timeout_option("--first-token-timeout", "first_token_s", "How long a first token may take.", "2m")
@timeout_option("--idle-timeout", "idle_s", "How long an answer may stand still.", "2m")
@timeout_option("--timeout", "total_s", "How long an answer may take.", "10m")
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", default=1, show_default=True, help="So many processes ask."
)
@timeout_option(
    "--calibration",
    "calibration_s",
    "How long our own error is measured, before and after (few streams: up to 3 times as long); 0: not at all.",
    "3s",
)
@click.option(
    "--max-tool-error", metavar="N%", default="10%", show_default=True, help="Mark figures whose own error is more."
)
@click.option("--strict", is_flag=True, help="Refuse to run, and fail, where a figure's own error is more than that.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Of all that is drawn: times, order, words.",
)
@click.option("--json", "json_path", type=INPUT, metavar="FILE", help="Write the figures; - for stdout.")
@click.option("--html", "html_path", type=FILE, metavar="FILE", help="Write a page with plots.")
@click.option("--hlog", "hlog_path", type=FILE, metavar="FILE", help="Write HdrHistograms, a log for its tools.")
@click.option("--raw", "raw_path", type=FILE, metavar="FILE", help="Append every request, with every token's time.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's, by name
    """Measure how fast an LLM server or a proxy streams.

    Each figure says how far it can be trusted.

    Before and after, the same load is put on a mock server whose times are known: how far off our figures were there
    stands beside yours. Times count from when the kernel took the request's last byte to when it had the answer's.
    With --proxy, what a proxy costs: requests to it and to the server itself, in random order in one run.
    `streamkit bench compare` has two results beside each other.

    \b
    Examples:
      streamkit bench http://127.0.0.1:11434 --model llama3.2
      streamkit bench http://127.0.0.1:8000/v1 --model m --concurrency 1,8,64 --html sweep.html
      streamkit bench http://127.0.0.1:8000/v1 --model m --rate poisson:20 --slo ttft=200ms
      streamkit bench --direct http://127.0.0.1:8000 --proxy http://127.0.0.1:9000 --model m
      streamkit bench --proxy http://127.0.0.1:8080 --upstream 127.0.0.1:9000 --dialect openai-chat
      streamkit bench compare before.json after.json --fail-if 'ttft p95 +10%'
    """
    from streamkit.cli import bench_run

    try:
        bench_run.start(options, given(ctx))
    except ConfigError as error:
        fail(str(error), USAGE)


@click.command("compare", context_settings=CONTEXT, epilog=COMPARE_EPILOG)
@click.argument("before", type=INPUT, metavar="A.json")
@click.argument("after", type=INPUT, metavar="B.json")
@click.option(
    "--fail-if",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    help="Exit 1 if so: 'ttft p95 +10%'; undecided: if another one cannot be told; may be repeated.",
)
@click.option("--json", "json_path", type=INPUT, metavar="FILE", help="Write the differences; - for stdout.")
def compare(**options: Any) -> None:  # noqa: ANN401 - click's, by name
    """Compare two results of `streamkit bench --json`: what became better or worse, and by how much for certain.

    A condition fails only where the whole interval of the difference is beyond it. One that cannot be told is
    undecided, which is said and does not fail, but for --fail-if undecided.

    \b
    Example:
      streamkit bench compare before.json after.json --fail-if 'ttft p95 +10%' --fail-if 'errors +1%'
    """
    from streamkit.cli import bench_compare

    try:
        bench_compare.start(options)
    except ConfigError as error:
        fail(str(error), USAGE)
