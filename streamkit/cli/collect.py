"""`streamkit collect`: the whole answer as one JSON document."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NoReturn

import click

from streamkit.cli.answers import given_or_drawn, identity_options, input_options, to_option
from streamkit.cli.edge import filter_command, run, source_of
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES

if TYPE_CHECKING:
    from streamkit.dialects.message import Message

__all__ = ["command"]

CONTROLS: Final = re.compile("[\x7f-\x9f]")


@filter_command("collect")
@input_options
@to_option(required=False, words="Print this dialect's own non-streaming response, instead of our own form.")
@identity_options
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    metavar="N",
    default=DEFAULT_LIMIT_BYTES,
    show_default=True,
    help="The most bytes that the answer may have.",
)
def command(
    source: str,
    target: str | None,
    model: str,
    message_id: str | None,
    max_bytes: int,
    strict: bool,
    max_record_bytes: int,
    file: str | None,
) -> NoReturn:
    """Print an LLM's whole answer as one JSON document.

    It is one line, indented only on a terminal, with choices, text, reasoning, tool calls, usage and more;
    streamkit.dialects.message_json describes it. A stream that is cut, or ends in an error, is printed as far as it
    came, marked as not complete, and the exit code is 3. Reads FILE or standard input to its end.

    \b
    Examples:
      curl -sN localhost:11434/api/chat -d @chat.json | streamkit collect | jq -r '.choices[0].text'
      streamkit collect --from anthropic --to openai-chat answer.sse
    """
    from msgspec.structs import replace

    from streamkit.cli.outcome import Announce, Failing
    from streamkit.dialects.convert import decoder_of
    from streamkit.dialects.events import Error
    from streamkit.dialects.message import MessageAccumulator
    from streamkit.errors import DecodeError
    from streamkit.io.run import pull
    from streamkit.io.sink import stdout_sink

    decoder = decoder_of(source, strict=strict, max_record_bytes=max_record_bytes)
    announce = Announce()
    announce.decoder = decoder
    kept = MessageAccumulator(max_bytes=max_bytes)
    stream = source_of(file)

    async def main() -> None:
        failure: DecodeError | None = None
        try:
            async with pull(stream, decoder | announce | kept | Failing(decoder)) as events:
                async for _ in events:
                    pass
        except DecodeError as error:
            failure = error
        finally:
            announce.say_rest()
        message = kept.message
        if failure is not None:
            reported = message.error or Error(str(failure), failure.code)
            message = replace(message, complete=False, error=reported)
        if model:
            message = replace(message, model=model)
        if message_id is not None and not message.id:
            message = replace(message, id=message_id)
        await stdout_sink().send_all(document_of(message, target))
        if failure is not None:
            raise failure

    run(main)


def document_of(message: Message, target: str | None) -> bytes:
    """Return the text of the document, in the dialect `target` or in our own form.

    Raises:
        EncodeError: the dialect has no form for it.
    """
    from msgspec.structs import replace

    from streamkit.codecs.jsontext import encode_value
    from streamkit.dialects.message_json import message_json
    from streamkit.dialects.registry import get_dialect
    from streamkit.errors import EncodeError

    try:
        if target is None:
            text = encode_value(message_json(message))
        else:
            drawn_id, now_ns = given_or_drawn(None)
            created_ns = now_ns if message.created_ns is None else message.created_ns
            message = replace(message, id=message.id or drawn_id, created_ns=created_ns)
            text = encode_value(get_dialect(target)[0].document(message))
    except ValueError as error:
        raise EncodeError(str(error), stage=target or "collect") from None
    return for_terminal(text) if os.isatty(1) else text + b"\n"


def for_terminal(text: bytes) -> bytes:
    """Return a JSON text indented, with no control character in it: JSON escapes C0 itself, but neither DEL nor C1."""
    import msgspec

    indented = msgspec.json.format(text.decode(), indent=2)
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", indented).encode() + b"\n"
