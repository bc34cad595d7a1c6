"""`rechunk`: the same bytes, written in other pieces."""

from __future__ import annotations

import secrets
from typing import NoReturn

import click

from streamkit.cli.edge import CONTEXT, EXIT_CODES, file_argument, run, source_of
from streamkit.codecs.rechunk import Coalesce, Events, EveryByte, Hostile, Lines, Policy, RandomSize, Rechunker, Size
from streamkit.codecs.stage import Stage
from streamkit.errors import ConfigError

__all__ = ["command"]

MAX_SEED = 2**32


class Bounds(click.ParamType[tuple[int, int]]):
    """MIN:MAX as a pair of integers."""

    name = "MIN:MAX"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return the pair, or fail with what was expected."""
        if isinstance(value, tuple):
            return value
        low, colon, high = value.partition(":")
        if not (colon and low.isdecimal() and high.isdecimal()):
            self.fail(f"{value!r} is not MIN:MAX, for instance 1:64", param, ctx)
        return int(low), int(high)


@click.command("rechunk", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.option("--size", type=int, metavar="N", help="Pieces of N bytes.")
@click.option("--random", "bounds", type=Bounds(), metavar="MIN:MAX", help="Pieces of MIN to MAX bytes, see --seed.")
@click.option("--every-byte", is_flag=True, help="Each byte alone.")
@click.option("--lines", is_flag=True, help="Each line.")
@click.option("--events", is_flag=True, help="Each server-sent event with its blank line.")
@click.option("--hostile", is_flag=True, help="Cuts inside characters, after backslashes, before each CR and LF.")
@click.option("--coalesce", type=int, metavar="K", help="K pieces in one: reads, or the pieces of another policy.")
@click.option("--seed", type=int, metavar="S", help="The seed of --random. Without it one is chosen and printed.")
@click.option(
    "--gap", "gap_ms", type=click.FloatRange(min=0), metavar="MS", help="Write a piece every MS milliseconds."
)
@file_argument
def command(
    size: int | None,
    bounds: tuple[int, int] | None,
    every_byte: bool,
    lines: bool,
    events: bool,
    hostile: bool,
    coalesce: int | None,
    seed: int | None,
    gap_ms: float | None,
    file: str | None,
) -> NoReturn:
    """Cut a stream into other pieces, each written on its own.

    The bytes stay the same; where a reader sees them cut does not. Give one policy; --coalesce may stand beside
    another. Reads FILE or standard input.

    \b
    Examples:
      rechunk --hostile answer.sse | my-client
      rechunk --random 1:16 --seed 7 --gap 20 answer.ndjson | my-client
    """
    from streamkit.io.pace import every, pace
    from streamkit.io.run import pull, pump
    from streamkit.io.sink import stdout_sink

    try:
        policies: list[Policy] = []
        if size is not None:
            policies.append(Size(size))
        if bounds is not None:
            policies.append(RandomSize(*bounds, _seed(seed)))
        policies += [
            policy
            for policy, wanted in (
                (EveryByte(), every_byte),
                (Lines(), lines),
                (Events(), events),
                (Hostile(), hostile),
            )
            if wanted
        ]
        if len(policies) > 1 or not (policies or coalesce is not None):
            msg = "give one of --size, --random, --every-byte, --lines, --events, --hostile, --coalesce"
            raise click.UsageError(msg)
        if seed is not None and bounds is None:
            msg = "--seed goes with --random: nothing else is drawn"
            raise click.UsageError(msg)
        if coalesce is not None:
            policies.append(Coalesce(coalesce))
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    stage: Stage[bytes, bytes] = Rechunker(policies[0])
    for policy in policies[1:]:
        stage = stage | Rechunker(policy)
    source = source_of(file)

    async def main() -> None:
        pieces = pull(source, stage)
        await pump(pieces if gap_ms is None else pace(pieces, every(gap_ms / 1000)), None, stdout_sink(), join=False)

    run(main)


def _seed(seed: int | None) -> int:
    if seed is not None:
        return seed
    chosen = secrets.randbelow(MAX_SEED)
    click.echo(f"rechunk: the cuts are drawn with --seed {chosen}; give it to have the same again", err=True)
    return chosen
