"""What the commands that run a server share: descriptors, memory that stays, and the line that says where it is."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import Final

import click

__all__ = ["allow_descriptors", "announce", "keep_what_is_loaded"]

SPARE_DESCRIPTORS: Final = 160
"""What a server has open beside its connections: those that it turns away (64), a gateway's that wait for a request
(64), and what every process has, with some more."""


def allow_descriptors(connections: int) -> int:
    """Raise the soft limit on open files as far as so many connections want and the system lets us.

    Returns:
        how many connections there can be now, at most as many as were wanted.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # then connections beyond the limit wait to be accepted
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return connections if soft == resource.RLIM_INFINITY else min(connections, soft - SPARE_DESCRIPTORS)


def keep_what_is_loaded() -> None:
    """Have the garbage collector leave alone what is there by now: going through it again would make tokens late."""
    gc.collect()
    gc.freeze()


def announce(url: str, facts: dict[str, object], *, as_json: bool) -> None:
    """Say that the server is ready, and where.

    Raises:
        BrokenResourceError: nobody is there any more to be told.
        OSError: it cannot be written.
    """
    if as_json:
        from streamkit.codecs.jsontext import encode_value

        line = encode_value({"url": url, "pid": os.getpid(), **facts}).decode()
    else:
        shown = ", ".join(f"{name} {value}" for name, value in facts.items() if "\n" not in str(value))
        line = f"ready at {url} ({shown})"
    try:
        click.echo(line)
        sys.stdout.flush()
    except BrokenPipeError as error:
        import trio

        raise trio.BrokenResourceError("standard output is closed") from error
