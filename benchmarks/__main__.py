"""`python -m benchmarks bench`, `codecs`, `contract`, `convert`, `forwarding`, `gateway` and `mock`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from benchmarks import contract, convert
    from benchmarks.bench import question as bench
    from benchmarks.codecs import QUESTIONS
    from benchmarks.gateway import question as gateway
    from benchmarks.mock import question as mock

    main = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure streamkit.")
    commands = main.add_subparsers(dest="command", required=True)
    codecs = commands.add_parser("codecs", help="speed: codecs, filters, pipelines, against their peers")
    converts = commands.add_parser("convert", help="speed: from one dialect to another")
    mocks = commands.add_parser("mock", help="speed, pace and weight of the mock server, beside a minimal one")
    gateways = commands.add_parser(
        "gateway", help="delay, conversion, speed, leaving, memory and watching of the gateway"
    )
    contracts = commands.add_parser("contract", help="speed: the contract's suite, and one case of it")
    benches = commands.add_parser("bench", help="error and speed of the bench, against a server that stamps its writes")
    benches.add_argument("--peers", action="store_true", help="aiperf and guidellm too, where they are installed")
    tables = (
        (benches, list(bench.QUESTIONS)),
        (codecs, list(QUESTIONS)),
        (converts, list(convert.QUESTIONS)),
        (mocks, list(mock.QUESTIONS)),
        (gateways, list(gateway.QUESTIONS)),
        (contracts, list(contract.QUESTIONS)),
    )
    for command, questions in tables:
        names = ", ".join(questions)
        command.add_argument("--only", nargs="+", choices=questions, metavar="NAME", help=f"of {names}")
        command.add_argument("--quick", action="store_true", help="a tenth of the work in three rounds")
        command.add_argument("--strict", action="store_true", help="exit 1 if a target is missed")
    forwarding = commands.add_parser("forwarding", help="lockstep: does any path hold anything back?")
    forwarding.add_argument("--only", nargs="+", metavar="NAME", help="paths whose name holds one of these words")
    forwarding.add_argument("--records", type=int, default=300, help="records a path (default 300)")
    forwarding.add_argument(
        "--bound", type=float, default=5, metavar="SECONDS", help="when a piece is held (default 5)"
    )
    for command in (benches, codecs, contracts, converts, mocks, gateways, forwarding):
        command.add_argument("--json", type=Path, metavar="FILE", help="write the run there too")
        command.add_argument("--seed", type=int, default=1, help="what all inputs are drawn from (default 1)")
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = parser().parse_args(arguments)
    if options.command == "bench":
        from benchmarks.bench import question as bench

        effort = replace(bench.QUICK if options.quick else bench.FULL, seed=options.seed)
        return bench.run(
            options.only or list(bench.QUESTIONS),
            effort=effort,
            json_file=options.json,
            strict=options.strict,
            with_peers=options.peers,
        )
    if options.command in {"mock", "gateway"}:
        from benchmarks.gateway import question as gateway
        from benchmarks.mock import question as mock

        ask, full, quick, questions = (
            (mock.run, mock.FULL, mock.QUICK, mock.QUESTIONS)
            if options.command == "mock"
            else (gateway.run, gateway.FULL, gateway.QUICK, gateway.QUESTIONS)
        )
        effort = replace(quick if options.quick else full, seed=options.seed)
        return ask(options.only or list(questions), effort=effort, json_file=options.json, strict=options.strict)
    if options.command in {"codecs", "contract", "convert"}:
        from benchmarks import codecs, contract, convert

        module = {"codecs": codecs, "contract": contract, "convert": convert}[options.command]
        full, quick = (contract.FULL, contract.QUICK) if module is contract else (codecs.FULL, codecs.QUICK)
        effort = replace(quick if options.quick else full, seed=options.seed)
        names = options.only or list(module.QUESTIONS)
        run: Callable[..., int] = module.run
        return run(names, effort=effort, json_file=options.json, strict=options.strict)
    from benchmarks import forwarding, paths

    chosen = [path for path in paths.PATHS if not options.only or any(word in path.name for word in options.only)]
    if not chosen:
        parser().error(f"no path is named like {' or '.join(options.only)}")
    return forwarding.run(
        chosen, records=options.records, seed=options.seed, bound_s=options.bound, json_file=options.json
    )


if __name__ == "__main__":
    sys.exit(main())
