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
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from streamkit import __version__
from streamkit.cli.contract_setting import bound_of, cases_of, check_together, proxy_of, setting_of
from streamkit.cli.edge import IO_FAILED, run, say
from streamkit.cli.reports import read_file, told_to, write_reports

if TYPE_CHECKING:
    import ssl

    from streamkit.contract.case import Case
    from streamkit.contract.report.expected import Expected
    from streamkit.contract.results import Product, Report
    from streamkit.contract.runner import Runner
    from streamkit.contract.setting import Setting

__all__ = ["outcome", "run_then_tell", "start", "suite"]

NEGATIVE: Final = 1

SIGNALLED: Final = 128
"""What is added to a signal's number, as shells do."""

LOOPBACK: Final = "127.0.0.1"

UPSTREAM_CA: Final = Path("streamkit-upstream-ca.pem")

EMBEDDED_PRODUCT: Final = "streamkit gateway"


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
            runner, product = await opened(options, setting, stack)
            if options["fuzz"] or options["script"]:
                from streamkit.cli.contract_fuzz import fuzzed

                return await fuzzed(runner, options)
            report = await suite(runner, cases, product, options)
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


async def opened(options: Mapping[str, Any], setting: Setting, stack: AsyncExitStack) -> tuple[Runner, Product]:
    """Open the harness: before the target, before a proxy that is started, or before the embedded gateway.

    Raises:
        ConfigError: the upstream's port cannot be had, a proxy cannot be started, or a certificate cannot be made.
    """
    from streamkit.contract.open import advertised, open_runner, open_upstream, parse_place, target_trust
    from streamkit.contract.results import Product
    from streamkit.contract.runner import BESIDE

    proxy = proxy_of(options)
    if proxy is None and not options["target"]:
        return await stack.enter_async_context(open_runner(setting)), Product(EMBEDDED_PRODUCT, __version__)
    host, port = parse_place(options["upstream"]) if options["upstream"] else (LOOPBACK, 0)
    advertise = options["advertise"] or ""
    tls, trust, authority = upstream_tls(options, host)
    hub, upstream = await stack.enter_async_context(open_upstream(host, port, tls=tls))
    told = advertised(upstream, advertise)
    product = product_of(options)
    target_tls, beside = None, BESIDE
    if proxy is not None:
        from streamkit.contract.proxies import running
        from streamkit.http.origin import parse_origin

        started = stack.enter_context(running(*proxy, told, upstream_ca=authority))
        setting = replace(setting, target=parse_origin(started.url))
        product = started.product
        beside = started.beside or BESIDE
        say(f"{started.name} {started.product.version} runs at {started.url}")
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
    return runner, product


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


def product_of(options: Mapping[str, Any]) -> Product:
    """Return what the command line says of the product.

    Raises:
        ConfigError: its configuration cannot be read.
    """
    from streamkit.contract.results import Product

    path = options["config_path"]
    digest = "" if path is None else hashlib.sha256(read_file(path, "--config")).hexdigest()
    return Product(options["product"], options["product_version"], digest)


async def suite(runner: Runner, cases: Sequence[Case], product: Product, options: Mapping[str, Any]) -> Report:
    """Run the cases, showing how it goes, and return what was found."""
    from streamkit.contract.report.progress import Progress
    from streamkit.contract.results import report_on
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
    duration_s = time.monotonic() - began_s
    return report_on(runner.setting, results, product, began_unix_s=began_unix_s, duration_s=duration_s)


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
