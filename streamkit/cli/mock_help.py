"""The help of `mockserver`: forty options, under the headings of what they are about."""

from __future__ import annotations

import click

from mockserver.config.keys import GROUPS
from mockserver.config.options import group_of

__all__ = ["GroupedHelp"]

SERVER = "The server"


class GroupedHelp(click.Group):
    """A group of commands whose options come with headings: those of the settings, and one for the rest."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (*GROUPS, SERVER)}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None:
                sections[group_of(parameter.name or "") or SERVER].append(row)
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
        self.format_commands(ctx, formatter)
