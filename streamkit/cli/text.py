"""`streamkit text`: what the model says, without the records around it, as it says it."""

from __future__ import annotations

import os
from typing import NoReturn

import click

from streamkit.cli.answers import input_options
from streamkit.cli.edge import filter_command, run, say, source_of

__all__ = ["command"]


@filter_command("text")
@input_options
@click.option("--reasoning", is_flag=True, help="Print the model's reasoning too, a blank line after it.")
def command(source: str, reasoning: bool, strict: bool, max_record_bytes: int, file: str | None) -> NoReturn:
    """Print the text of an LLM's stream, and nothing else.

    Text is written with the record that brought it, and a line end after the last one. On a terminal reasoning is
    dimmed, and control characters are shown as escapes, so that a model cannot steer it; elsewhere the text is written
    as it came. Of several answers the first one is printed. A stream that is cut, or ends in an error, is exit 3. Reads
    FILE or standard input.

    \b
    Examples:
      curl -sN localhost:8000/v1/chat/completions -d @chat.json | streamkit text
      streamkit text --from anthropic --reasoning answer.sse
    """
    from streamkit.cli.outcome import Announce, Failing
    from streamkit.cli.typewriter import Typewriter
    from streamkit.dialects.convert import decoder_of
    from streamkit.errors import StreamkitError
    from streamkit.io.run import pump
    from streamkit.io.sink import stdout_sink

    decoder = decoder_of(source, strict=strict, max_record_bytes=max_record_bytes)
    announce = Announce()
    announce.decoder = decoder
    is_terminal = os.isatty(1)
    has_colours = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    typewriter = Typewriter(reasoning=reasoning, escape=is_terminal, dim=has_colours)
    stream = source_of(file)

    async def main() -> None:
        sink = stdout_sink()
        failure: StreamkitError | OSError | None = None
        try:
            try:
                await pump(stream, decoder | announce | Failing(decoder) | typewriter, sink)
            except (StreamkitError, OSError) as error:
                failure = error
            if failure is not None:
                await sink.send_all(typewriter.line_end)
                raise failure
        finally:
            announce.say_rest()
            if typewriter.other_choices:
                say(f"this is the first of {len(typewriter.other_choices) + 1} answers")

    run(main)
