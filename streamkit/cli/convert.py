"""`streamkit convert`: one dialect in, another out, each record's meaning as soon as it is there."""

from __future__ import annotations

from typing import NoReturn

import click

from streamkit.cli.answers import given_or_drawn, identity_options, input_options, to_option
from streamkit.cli.edge import filter_command, run, source_of

__all__ = ["command"]


@filter_command("convert")
@input_options
@to_option(required=True, words="What goes out: one of `streamkit dialects`, or NAME/FRAMING.")
@identity_options
@click.option("--include-usage/--no-usage", default=True, help="Whether token counts go out.  [default: they do]")
@click.option("--report-loss", is_flag=True, help="Say at the end what the target could not carry, and how much of it.")
def command(
    source: str,
    target: str,
    model: str,
    message_id: str | None,
    include_usage: bool,
    report_loss: bool,
    strict: bool,
    max_record_bytes: int,
    file: str | None,
) -> NoReturn:
    """Turn an LLM's stream from one dialect into another.

    Text leaves with the record that brought it. A stream that is cut, or ends in an error, goes out as far as it came,
    then in the target's own form of an error, and the exit code is 3. Reads FILE or standard input.

    \b
    Examples:
      curl -sN localhost:11434/api/chat -d @chat.json | streamkit convert --to openai-chat
      streamkit convert --from gemini/json-array --to anthropic --report-loss answer.json
    """
    from streamkit.cli.outcome import Announce, say_losses
    from streamkit.dialects.convert import Converter
    from streamkit.io.run import pump
    from streamkit.io.sink import stdout_sink

    drawn_id, now_ns = given_or_drawn(message_id)
    announce = Announce()
    converter = Converter(
        source,
        target,
        strict=strict,
        max_record_bytes=max_record_bytes,
        stages=[announce],
        model=model,
        message_id=drawn_id,
        created_ns=now_ns,
        include_usage=include_usage,
    )
    announce.decoder = converter.decoder
    stream = source_of(file)

    async def main() -> None:
        try:
            await pump(stream, converter, stdout_sink())
        finally:
            announce.say_rest()
            if report_loss:
                say_losses(converter.losses, target)

    run(main)
