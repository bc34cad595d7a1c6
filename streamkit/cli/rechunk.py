"""`rechunk`: the same bytes, written in other pieces."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from streamkit.cli.edge import filter_command, limit_option, run, say, source_of
from streamkit.codecs.policies import POLICIES, Policy, RandomSize
from streamkit.codecs.rechunk import Rechunker
from streamkit.codecs.stage import Stage
from streamkit.errors import ConfigError

__all__ = ["command"]

MAX_SEED = 2**32
ON_TOP = "coalesce"
"""The policy that may stand beside another one."""

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def policy_options(command: CommandT) -> CommandT:
    """Give a command an option for each row of `POLICIES`."""
    for name, policy in reversed(POLICIES.items()):
        option = click.option(
            f"--{name}", _key(name), metavar=policy.takes or None, is_flag=not policy.takes, help=policy.summary
        )
        command = option(command)
    return command


def _key(name: str) -> str:
    return name.replace("-", "_")


@filter_command("rechunk")
@policy_options
@click.option("--seed", type=int, metavar="S", help="The seed of --random. Without it one is chosen and printed.")
@limit_option("--max-held-bytes", "piece")
@click.option(
    "--gap", "gap_ms", type=click.FloatRange(min=0), metavar="MS", help="Write a piece every MS milliseconds."
)
def command(
    seed: int | None, max_held_bytes: int, gap_ms: float | None, file: str | None, **chosen: str | bool | None
) -> NoReturn:
    """Cut a stream into other pieces, each written on its own.

    The bytes stay the same; where a reader sees them cut does not. Give one policy; --coalesce may stand beside
    another. Reads FILE or standard input.

    \b
    Examples:
      streamkit rechunk --hostile answer.sse | my-client
      streamkit rechunk --random 1:16 --seed 7 --gap 20 answer.ndjson | my-client
    """
    from streamkit.io.pace import every, pace
    from streamkit.io.run import pull, pump
    from streamkit.io.sink import stdout_sink

    try:
        policies = _policies(
            {name: text for name in POLICIES if (text := chosen[_key(name)]) not in {None, False}}, seed
        )
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    stage: Stage[bytes, bytes] = Rechunker(policies[0], max_held_bytes=max_held_bytes)
    for policy in policies[1:]:
        stage = stage | Rechunker(policy, max_held_bytes=max_held_bytes)
    source = source_of(file)
    for policy in policies:
        if isinstance(policy, RandomSize) and seed is None:
            say(f"the cuts are drawn; --seed {policy.seed} gives the same again")

    async def main() -> None:
        pieces = pull(source, stage)
        await pump(pieces if gap_ms is None else pace(pieces, every(gap_ms / 1000)), None, stdout_sink(), join=False)

    run(main)


def _policies(chosen: dict[str, str | bool | None], seed: int | None) -> list[Policy]:
    """Return the one chosen policy, and the one on top of it.

    Raises:
        ConfigError: none, too many, a text that is none, or a seed that nothing uses.
    """
    if not chosen or len(chosen.keys() - {ON_TOP}) > 1:
        msg = f"give one of {', '.join(f'--{name}' for name in POLICIES)}"
        raise ConfigError(msg)
    used_seed = secrets.randbelow(MAX_SEED) if seed is None else seed
    policies = []
    for name in sorted(chosen, key=ON_TOP.__eq__):
        value = chosen[name]
        try:
            policies.append(POLICIES[name].parse(value if isinstance(value, str) else "", used_seed))
        except ConfigError as error:
            msg = f"--{name}: {error}"
            raise ConfigError(msg) from None
    if seed is not None and not any(isinstance(policy, RandomSize) for policy in policies):
        msg = "--seed goes with --random: nothing else is drawn"
        raise ConfigError(msg)
    return policies
