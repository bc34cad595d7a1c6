"""What `streamkit contract` does: open the harness before the proxy, run the cases, write reports, say how it went."""

from __future__ import annotations

import hashlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

import click

from streamkit import __version__
from streamkit.cli.contract_setting import bound_of, cases_of, check_together, proxy_of, setting_of
from streamkit.cli.edge import IO_FAILED, run, say
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    from streamkit.contract.case import Case
    from streamkit.contract.report.expected import Expected
    from streamkit.contract.results import Report, Result
    from streamkit.contract.runner import Runner
    from streamkit.contract.setting import Setting

__all__ = ["Facts", "outcome", "read_file", "report_of", "start", "suite", "write_reports"]

NEGATIVE: Final = 1

SIGNALLED: Final = 128
"""What is added to a signal's number, as shells do."""

LOOPBACK: Final = "127.0.0.1"

UPSTREAM_CA: Final = Path("streamkit-upstream-ca.pem")

EMBEDDED_PRODUCT: Final = "streamkit gateway"

Facts = tuple[str, str, str]
"""Product, its version, and the digest of its configuration."""


def start(options: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Do what the command line says, and exit.

    Raises:
        ConfigError: it makes no sense.
    """
    check_together(options, given)
    setting = setting_of(options, proxy_of(options))
    cases = cases_of(options, setting)
    if options["is_listing"]:
        list_cases(cases, setting)
        return
    expected = expected_of(options["expected_failures"])

    async def main() -> Callable[[], int]:
        async with AsyncExitStack() as stack:
            runner, facts = await opened(options, setting, stack)
            if options["fuzz"] or options["script"]:
                from streamkit.cli.contract_fuzz import fuzzed

                return await fuzzed(runner, options)
            report = await suite(runner, cases, facts, options)
        return lambda: outcome(report, options, expected)

    run_then_tell(main)


def run_then_tell(main: Callable[[], Awaitable[Callable[[], int]]]) -> NoReturn:
    """Run; then call what that has returned, which tells how it went, and exit with the code that it returns.

    A signal that ends it ends what it has started, too.
    A closed pipe is no business of anything that runs: it ends the telling, as it ends every program in a pipeline.
    """
    tell: list[Callable[[], int]] = []
    stopped: list[int] = []

    async def run_it() -> None:
        import trio

        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
            async with trio.open_nursery() as nursery:

                async def stop() -> None:
                    stopped.append(await anext(aiter(signals)))
                    nursery.cancel_scope.cancel()

                nursery.start_soon(stop)
                tell.append(await main())
                nursery.cancel_scope.cancel()

    try:
        run(run_it)
    except SystemExit as end:
        if stopped:
            sys.exit(SIGNALLED + stopped[0])
        if end.code or not tell:
            raise
    sys.exit(tell[0]())


def list_cases(cases: Sequence[Case], setting: Setting) -> None:
    """Print the cases: id, level, and rule."""
    width = max((len(case.id) for case in cases), default=0)
    for case in cases:
        slow = " (slow)" if case.is_slow else ""
        click.echo(f"{case.id:{width}}  {case.level(setting):6}  {case.rule}{slow}")


def expected_of(path: Path | None) -> list[Expected]:
    """Return the entries of `--expected-failures`.

    Raises:
        ConfigError: the file cannot be read.
    """
    if path is None:
        return []
    from streamkit.contract.report.expected import parse_expected

    return parse_expected(read_file(path, "--expected-failures").decode("utf-8", "replace"))


async def opened(options: Mapping[str, Any], setting: Setting, stack: AsyncExitStack) -> tuple[Runner, Facts]:
    """Open the harness: before the target, before a proxy that is started, or before the embedded gateway.

    Raises:
        ConfigError: the upstream's port cannot be had, a proxy cannot be started, or a certificate cannot be made.
    """
    from streamkit.contract.open import advertised, open_runner, open_upstream, parse_place, target_trust
    from streamkit.contract.runner import BESIDE

    proxy = proxy_of(options)
    if proxy is None and not options["target"]:
        return await stack.enter_async_context(open_runner(setting)), (EMBEDDED_PRODUCT, __version__, "")
    host, port = parse_place(options["upstream"]) if options["upstream"] else (LOOPBACK, 0)
    advertise = options["advertise"] or ""
    tls, trust, authority = upstream_tls(options, host)
    hub, upstream = await stack.enter_async_context(open_upstream(host, port, tls=tls))
    told = advertised(upstream, advertise)
    facts = facts_of(options)
    target_tls, beside = None, BESIDE
    if proxy is not None:
        from streamkit.contract.proxies import running
        from streamkit.http.origin import parse_origin

        started = stack.enter_context(running(*proxy, told, upstream_ca=authority))
        setting = replace(setting, target=parse_origin(started.url))
        facts = (started.product, started.product_version, started.config_digest)
        beside = started.beside or BESIDE
        say(f"{started.name} {started.product_version} runs at {started.url}")
    else:
        target_tls = target_trust(options["target_ca"], insecure=options["insecure"])
        say(f"the upstream is {told.url}: the target has to forward there")
    runner = await stack.enter_async_context(
        open_runner(
            setting,
            hub=hub,
            upstream=upstream,
            target_tls=target_tls,
            upstream_trust=trust,
            advertise=advertise,
            beside=beside,
        )
    )
    return runner, facts


def upstream_tls(
    options: Mapping[str, Any], host: str
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None, Path | None]:
    """Return what the upstream speaks TLS with, what trusts it, and the file that says so; None for all without TLS.

    Raises:
        ConfigError: what makes certificates is not installed, or the file cannot be written.
    """
    if not options["upstream_tls"]:
        return None, None, None
    from streamkit.contract.certificate import upstream_certificate
    from streamkit.contract.open import parse_place
    from streamkit.http.connect import trust

    path = options["upstream_ca"] or UPSTREAM_CA
    others = [parse_place(options["advertise"], "--advertise")[0]] if options["advertise"] else []
    certificate = upstream_certificate(host, *others, written_to=path)
    if certificate.is_new and options["target"]:
        say(f"{path} is new: the proxy has to trust it; (re)start it with that, and run this again")
    return certificate.context, trust(path), path


def facts_of(options: Mapping[str, Any]) -> Facts:
    """Return what the command line says of the product.

    Raises:
        ConfigError: its configuration cannot be read.
    """
    path = options["config_path"]
    digest = "" if path is None else hashlib.sha256(read_file(path, "--config")).hexdigest()
    return options["product"], options["product_version"], digest


async def suite(runner: Runner, cases: Sequence[Case], facts: Facts, options: Mapping[str, Any]) -> Report:
    """Run the cases, showing how it goes, and return what was found."""
    from streamkit.contract.report.progress import Progress
    from streamkit.contract.setup import SETUP

    progress = Progress(len(SETUP) + len(cases), stream=told_to(options))
    runner.bound_s = bound_of(options)
    runner.on_start, runner.on_result = progress.start, progress.result
    began_unix_s, began_s = time.time(), time.monotonic()
    try:
        with progress:
            results = await runner.run(cases)
    except* BrokenPipeError as group:
        import trio

        raise trio.BrokenResourceError("standard output is closed") from group.exceptions[0]
    return report_of(runner.setting, results, facts, began_unix_s, time.monotonic() - began_s)


def report_of(
    setting: Setting, results: Sequence[Result], facts: Facts, began_unix_s: float, duration_s: float
) -> Report:
    """Put results and what is known of the proxy together."""
    from streamkit.contract.results import Report

    product, version, digest = facts
    return Report(
        target=setting.target.url,
        profile=setting.profile,
        client_dialect=setting.client_dialect,
        upstream_dialect=setting.upstream_dialect,
        seed=setting.seed,
        version=__version__,
        results=results,
        limit_s=setting.limit_s,
        product=product,
        product_version=version,
        config_digest=digest,
        began_unix_s=began_unix_s,
        duration_s=duration_s,
    )


def outcome(report: Report, options: Mapping[str, Any], expected: Sequence[Expected]) -> int:
    """Write the reports, say how it went, and return the exit code; what cannot be written keeps nothing else back."""
    from streamkit.contract.report.document import as_json, as_published
    from streamkit.contract.report.expected import compare
    from streamkit.contract.report.junit import as_junit
    from streamkit.contract.report.page import as_html
    from streamkit.contract.report.text import summary_lines
    from streamkit.contract.verdicts import Verdict

    comparison = compare(report, expected, strict=options["strict"])
    is_written = write_reports(
        options,
        {
            "json": lambda: as_json(report),
            "html": lambda: as_html([report]),
            "junit": lambda: as_junit(
                report, strict=options["strict"], known=comparison.known, untrue=comparison.untrue
            ),
            "publish": lambda: as_published(report),
        },
    )
    is_untold = any(each.id.startswith("setup.") and each.verdict is Verdict.HARNESS_ERROR for each in report.results)
    compared = comparison.lines if expected and not is_untold else ()  # where nothing was run nothing is new
    for line in ("", *summary_lines(report), *compared):
        click.echo(line, file=told_to(options))
    if is_untold or not is_written:
        return IO_FAILED
    return NEGATIVE if comparison.exit_code else 0


def write_reports(options: Mapping[str, Any], made: Mapping[str, Callable[[], str]]) -> bool:
    """Write each report that is asked for, and tell whether all could be; what could not is said."""
    wanted = {name: path for name in made if (path := options.get(f"{name}_path")) is not None}
    written = [write_file(path, made[name]().encode(), f"--{name}") for name, path in wanted.items()]
    return all(written)


def told_to(options: Mapping[str, Any]) -> TextIO:
    """Return where people read how it goes: standard output, but where that is for JSON."""
    return sys.stderr if str(options["json_path"]) == "-" else sys.stdout


def read_file(path: Path, option: str) -> bytes:
    """Return what is in a file, or comes on standard input where it is `-`.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{option} {path}: {error.strerror}") from error


def write_file(path: Path, data: bytes, option: str) -> bool:
    """Write a file, or standard output where it is `-`; tell whether that could be done, and say so where not."""
    try:
        if str(path) == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            path.write_bytes(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        say(f"{option} {path}: {error.strerror}")
        return False
    return True
