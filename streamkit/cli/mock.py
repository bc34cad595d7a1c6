"""`mockserver`, `python -m mockserver` and `streamkit mock`: run the mock server, or record a real one."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.config.options import click_options
from streamkit import __version__
from streamkit.cli.edge import CONTEXT, EXIT_CODES, USAGE, fail, say
from streamkit.cli.edge import run as run_trio
from streamkit.cli.mock_help import GroupedHelp
from streamkit.cli.mock_lists import endpoints, faults
from streamkit.cli.serving import allow_descriptors, announce, keep_what_is_loaded
from streamkit.errors import ConfigError, DecodeError

if TYPE_CHECKING:
    from mockserver.app import MockServer, ServerConfig
    from mockserver.config.grammar import Pair
    from mockserver.journal import Entry
    from mockserver.recording.replay import Replay
    from mockserver.script import Script
    from streamkit.http.origin import Origin
    from streamkit.http.tls import ThrowawayCertificate

__all__ = ["command"]

DEFAULT_PORT: Final = 8765

LOOPBACK: Final = "127.0.0.1"

LAST_YEAR: Final = 2261
"""Of times that are counted in ns since 1970 in 64 bits."""


@click.group(cls=GroupedHelp, invoke_without_command=True, context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="mockserver")
@click.option("--host", metavar="ADDRESS", default=LOOPBACK, show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="The port; 0 for a free one."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="What everything is drawn from; drawn if absent.")
@click.option("--scenarios", type=click.Path(path_type=Path), metavar="FILE", help="A TOML file of scenarios.")
@click.option("--clock", metavar="fixed:ISO", help="Pin the timestamps in answers, for instance fixed:2026-01-01.")
@click.option("--slots", type=click.IntRange(min=1), metavar="N", help="Work on N answers at once; the rest queue.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="A model that exists; by default all do.")
@click.option("--journal", type=click.Path(path_type=Path), metavar="FILE", help="Append what was done, as NDJSON.")
@click.option(
    "--journal-bytes", type=click.IntRange(min=0), metavar="N", default=0, help="Keep N bytes of each response too."
)
@click.option("--replay", type=click.Path(path_type=Path), metavar="CASSETTE", help="Play what was recorded.")
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), metavar="X", help="Play it X times as fast.  [default: 1]"
)
@click.option(
    "--script",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Do this for every request, byte by byte.",
)
@click.option("--tls", is_flag=True, help="Speak TLS, with a throw-away certificate (pip install 'streamkit[tls]').")
@click.option(
    "--tls-ca", type=click.Path(path_type=Path), metavar="FILE", help="Where to write the authority that clients trust."
)
@click.option("--admin-token", metavar="TOKEN", default="", help="What the admin API wants in X-Mock-Token.")
@click.option("--max-body-bytes", type=click.IntRange(min=1), metavar="N", help="The largest request that is read.")
@click.option("--max-connections", type=click.IntRange(min=1), metavar="N", help="How many connections there may be.")
@click.option("--ready-json", is_flag=True, help="Print one line of JSON when ready, for scripts.")
@click.option("--log/--no-log", default=None, help="A line on stderr for each request; by default on a terminal.")
@click_options("settings")
@click.pass_context
def command(ctx: click.Context, /, settings: list[Pair], **options: Any) -> None:  # noqa: ANN401 - click's, by name
    """Run an LLM server whose every byte and moment is chosen.

    It speaks Ollama, OpenAI (chat, completions, responses), Anthropic, Gemini, AG-UI and plain text, at their usual
    paths. Each setting can also be given to a single request, in the header X-Mock: "rate=50; fault=reset@token:5".

    \b
    Examples:
      mockserver --rate 20                                   twenty tokens a second
      mockserver --rate 20 --split every-byte                and every write is one byte
      mockserver --ttft 300ms --rate 50 --gaps gamma:1.5     in bursts, as from a busy model
      mockserver --fault status:429:1,first:2                two requests are refused
      mockserver --fault reset@token:5                       every stream dies after five tokens
      mockserver --port 0 --ready-json --seed 7              for scripts: any free port, one seed
      streamkit mock --rate 20                               the same as the first

    \b
    Then, in another terminal:
      curl -N localhost:8765/api/chat -d '{"model":"m","messages":[{"role":"user","content":"Hi"}]}'
    """
    if ctx.invoked_subcommand is None:
        serve(settings, options)
    elif misplaced := options_given(ctx):
        raise click.UsageError(
            f"{' '.join(misplaced)} before {ctx.invoked_subcommand} would do nothing;"
            f" what {ctx.invoked_subcommand} takes stands behind it"
        )


def options_given(ctx: click.Context) -> list[str]:
    """Return the options that were written on the command line."""
    given = click.core.ParameterSource.COMMANDLINE
    options = [each for each in ctx.command.params if each.name and ctx.get_parameter_source(each.name) is given]
    return [each.opts[0] for each in options]


def serve(settings: list[Pair], options: dict[str, Any]) -> None:
    """Run the server until it is told to stop."""
    from mockserver.journal import Journal

    try:
        check_together(options)
        config = config_of(settings, options)
        certificate = certificate_for(options) if options["tls"] else None
        journal = Journal(keep_bytes=options["journal_bytes"], path=options["journal"])
    except ConfigError as error:
        fail(str(error), USAGE)
    from mockserver.app import MockServer

    allow_descriptors(config.limits.max_connections)

    mock = MockServer(config, journal)
    logged = os.isatty(2) if options["log"] is None else options["log"]
    if logged:
        journal.on_end = log
    journal.on_failure = lambda error: say(f"{error.strerror}; it ends here")
    keep_what_is_loaded()
    try:
        run_trio(lambda: main(mock, options, certificate))
    finally:
        journal.close()


def check_together(options: dict[str, Any]) -> None:
    """Refuse an option that would do nothing without another one.

    Raises:
        ConfigError: there is one.
    """
    if options["tls_ca"] is not None and not options["tls"]:
        raise ConfigError("--tls-ca does nothing without --tls: add it")
    if options["speed"] is not None and options["replay"] is None:
        raise ConfigError("--speed does nothing without --replay CASSETTE: add it, or set --rate")
    if options["script"] is not None and options["replay"] is not None:
        raise ConfigError("--script and --replay both say what every answer is: leave one of them out")


async def main(mock: MockServer, options: dict[str, Any], certificate: ThrowawayCertificate | None) -> None:
    """Listen, say so, and serve until SIGTERM."""
    import trio

    from mockserver.open import listening

    facts: dict[str, object] = {"seed": mock.config.seed}
    if certificate is not None:
        facts["certificate_authority"] = certificate.authority_pem.decode()
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        tls = certificate.context if certificate else None
        async with listening(mock, options["host"], options["port"], tls=tls):
            announce(mock.url, facts, as_json=options["ready_json"])
            await anext(signals)


def log(entry: Entry) -> None:
    """Write a line about a finished request."""
    took_ms = ((entry.ended_ns or 0) - entry.arrived_ns) / 1e6
    status = "-" if entry.status is None else entry.status
    faults = f"  {' '.join(entry.faults)}" if entry.faults else ""
    say(
        f"#{entry.number} {entry.method} {entry.target} {status} {entry.outcome}"
        f" {entry.tokens} tokens {entry.sent_bytes} bytes {took_ms:.0f} ms{faults}"
    )


def config_of(settings: list[Pair], options: dict[str, Any]) -> ServerConfig:
    """Make the server's configuration of the command line.

    Raises:
        ConfigError: something in it, or in a file that it names, is wrong.
    """
    from dataclasses import replace

    from mockserver.app import ServerConfig
    from mockserver.config.files import load_scenarios, reader
    from mockserver.config.grammar import apply_layer
    from mockserver.settings import Settings
    from streamkit.http.limits import Limits

    scenarios = None if options["scenarios"] is None else load_scenarios(options["scenarios"])
    base = Settings() if scenarios is None else scenarios.defaults.on(Settings())
    layered, _ = apply_layer(base, settings, "command", reader())
    limits = Limits()
    if options["max_body_bytes"]:
        limits = replace(limits, max_body_bytes=options["max_body_bytes"])
    if options["max_connections"]:
        limits = replace(limits, max_connections=options["max_connections"])
    return ServerConfig(
        settings=layered,
        scenarios=scenarios,
        seed=secrets.randbelow(1 << 32) if options["seed"] is None else options["seed"],
        created_ns=clock_of(options["clock"]),
        models=options["models"] or None,
        slots=options["slots"],
        limits=limits,
        replay=replay_of(options["replay"], options["speed"] or 1.0),
        script=script_of(options["script"]),
        admin_token=options["admin_token"],
    )


def script_of(path: Path | None) -> Script | None:
    """Return what `--script` plays.

    Raises:
        ConfigError: the file cannot be read, or is no script.
    """
    if path is None:
        return None
    from mockserver.scripted import read_script

    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--script {path}: {error.strerror}") from error
    return read_script(data, f"--script {path}")


def certificate_for(options: dict[str, Any]) -> ThrowawayCertificate:
    """Make a certificate to throw away, and write down whom to trust where `--tls-ca` says.

    Raises:
        ConfigError: what makes certificates is not installed, or the file cannot be written.
    """
    from streamkit.http.tls import throwaway_certificate

    certificate = throwaway_certificate("localhost", "127.0.0.1", "::1", *{options["host"]} - {LOOPBACK, "::1"})
    if options["tls_ca"] is not None:
        try:
            options["tls_ca"].write_bytes(certificate.authority_pem)
        except OSError as error:
            raise ConfigError(f"--tls-ca {options['tls_ca']}: {error.strerror}") from error
    return certificate


def clock_of(text: str | None) -> int | None:
    """Return the time that `--clock` pins, in ns since 1970.

    Raises:
        ConfigError: it is no time.
    """
    if text is None:
        return None
    kind, _, iso = text.partition(":")
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        kind = ""
    if kind != "fixed":
        raise ConfigError(f"--clock is fixed:ISO, for instance fixed:2026-01-01T12:00:00, not {text!r}")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 1970 <= moment.year <= LAST_YEAR:
        raise ConfigError(f"--clock {text}: the year is from 1970 to {LAST_YEAR}")
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def replay_of(path: Path | None, speed: float) -> Replay | None:
    """Return what `--replay` plays.

    Raises:
        ConfigError: the cassette cannot be read.
    """
    if path is None:
        return None
    from mockserver.recording.replay import Replay
    from streamkit.io.cassette import read_cassette

    try:
        return Replay(read_cassette(path, cut_ok=True), speed=speed)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except DecodeError as error:
        raise ConfigError(f"{path} cannot be played: {error}") from error


@command.command("record", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.option("--upstream", metavar="URL", required=True, help="The real server.")
@click.option(
    "--cassette", type=click.Path(path_type=Path), metavar="FILE", required=True, help="What is written; a new file."
)
@click.option("--host", metavar="ADDRESS", default=LOOPBACK, show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="The port; 0 for a free one."
)
@click.option("--ready-json", is_flag=True, help="Print one line of JSON when ready, for scripts.")
def record_command(upstream: str, cassette: Path, host: str, port: int, *, ready_json: bool) -> None:
    """Stand in front of a real server, and record it.

    Every read of its answers is written down, with its bytes and its time. Keys and cookies are not. Stop it with
    Ctrl-C; every finished line is in the file by then.

    \b
    Example:
      mockserver record --upstream http://localhost:11434 --cassette chat.cassette
      mockserver --replay chat.cassette
    """
    from functools import partial

    from streamkit.http.origin import parse_origin

    try:
        target = parse_origin(upstream)
    except ConfigError as error:
        fail(str(error), USAGE)
    run_trio(partial(record_main, target, cassette, host, port, ready_json=ready_json))


async def record_main(upstream: Origin, cassette: Path, host: str, port: int, *, ready_json: bool) -> None:
    """Listen, say so, and record until SIGTERM."""
    import trio

    from mockserver.recording.record import record
    from streamkit.http.listener import listeners_at, url_of
    from streamkit.io.cassette_writer import create_cassette

    listeners = await listeners_at(host, port)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with (
        create_cassette(cassette, upstream=upstream.url, recorded_at=now) as writer,
        trio.open_signal_receiver(signal.SIGTERM) as signals,
    ):
        async with trio.open_nursery() as nursery:
            await nursery.start(record, listeners, upstream, writer)
            announce(url_of(host, listeners[0].port), {"cassette": str(cassette)}, as_json=ready_json)
            await anext(signals)
            nursery.cancel_scope.cancel()


command.add_command(endpoints)
command.add_command(faults)
