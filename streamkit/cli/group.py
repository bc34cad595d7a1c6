"""`streamkit`: the group of all commands. A command's module is imported when the command is used or listed."""

from __future__ import annotations

from importlib import import_module

import click

from streamkit import __version__
from streamkit.cli.edge import CONTEXT, EXIT_CODES

__all__ = ["COMMANDS", "group"]

COMMANDS = {
    "bench": "streamkit.cli.bench",
    "chat": "streamkit.cli.chat",
    "collect": "streamkit.cli.collect",
    "contract": "streamkit.cli.contract",
    "convert": "streamkit.cli.convert",
    "dialects": "streamkit.cli.dialects",
    "gateway": "streamkit.cli.gateway",
    "inspect": "streamkit.cli.inspect",
    "mock": "streamkit.cli.mock",
    "ndjson-to-sse": "streamkit.cli.ndjson_to_sse",
    "rechunk": "streamkit.cli.rechunk",
    "sse-to-ndjson": "streamkit.cli.sse_to_ndjson",
    "text": "streamkit.cli.text",
    "watch": "streamkit.cli.watch",
}
"""Every command and its module, whose `command` it is. A new command is a file and a row."""


class LazyGroup(click.Group):
    """A group that reads `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = import_module(module).command
        assert isinstance(command, click.Command)  # noqa: S101 - a row of COMMANDS is wrong
        return command


@click.group(cls=LazyGroup, context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="streamkit")
def group() -> None:
    """Convert, cut and test LLM token streams, without ever holding a byte back.

    \b
    Example: an Ollama chat as server-sent events
      curl -sN localhost:11434/api/chat -d @chat.json | streamkit ndjson-to-sse
    """
