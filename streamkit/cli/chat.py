"""`streamkit chat`: ask a model, and see the answer as it comes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from streamkit import __version__
from streamkit.cli.asking import api_key_in, asking_options, has_colours, timeout_option, trusted, while_read
from streamkit.cli.edge import BAD_INPUT, CONTEXT, EXIT_CODES, IO_FAILED, USAGE, fail, limit_option, run, say
from streamkit.errors import ConfigError, RemoteError

if TYPE_CHECKING:
    from streamkit.cli.answering import Answering
    from streamkit.cli.watching import Watching

__all__ = ["command"]

MAX_PROMPT_BYTES: Final = 16 * 1024 * 1024


@click.command("chat", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="chat")
@click.argument("url")
@click.argument("prompt", required=False)
@asking_options
@click.option("--system", metavar="TEXT", default="", help="The system text, which says how to answer.")
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="The most tokens of the answer.")
@click.option("--temperature", type=click.FloatRange(min=0), metavar="X", help="How much chance is in the answer.")
@click.option("--reasoning", is_flag=True, help="Print the model's reasoning too, a blank line after it.")
@click.option("--json", "as_json", is_flag=True, help="Print one event a line, as `streamkit convert --to json` does.")
@click.option(
    "--record",
    "cassette",
    type=click.Path(path_type=Path),
    metavar="CASSETTE",
    help="Write the exchange down for `mockserver --replay`; a new file.",
)
@click.option("--timing", is_flag=True, help="Say at the end how fast it was.")
@timeout_option("--first-token-timeout", "first_token_s", "How long the first token may take.")
@timeout_option("--idle-timeout", "idle_s", "How long nothing may come.")
@click.option(
    "--transport",
    type=click.Choice(["own", "httpx"]),
    default="own",
    show_default=True,
    help="What speaks HTTP; httpx knows proxies, redirects and HTTP/2 (pip install 'streamkit[httpx]').",
)
@limit_option("--max-record-bytes", "record of the answer")
@limit_option("--max-message-bytes", "answer")
def command(url: str, prompt: str | None, **options: Any) -> NoReturn:  # noqa: ANN401 - click's, by name
    """Ask a model at URL, and print its answer as it comes.

    URL is the endpoint itself, or a base (http://localhost:11434, https://host/v1), to which the dialect's path is
    added. The question is PROMPT, or standard input where there is none.

    Text goes to standard output with the read that brought it, a refusal's included, and a line end after the last one;
    what else the answer holds goes to standard error, a tool call as one line: [tool NAME {"its":"arguments"}]. On a
    terminal reasoning is dimmed, and control characters are shown as escapes; elsewhere the text is written as it came.

    An answer that is cut, or ends in an error, is exit 3; a refusal by status, a timeout and everything else of the
    network is exit 4. With --record keys are left out, also where the server repeats them, and cookies; times are the
    kernel's where there are any.

    \b
    Examples:
      streamkit chat http://localhost:11434 --model llama3.2 'Why is the sky blue?'
      streamkit chat https://api.openai.com/v1 --api-key-env OPENAI_API_KEY --model gpt-5 <q.txt
      streamkit chat http://localhost:8765/v1/messages 'Hello' --model m --record hello.cassette
    """
    if prompt in {None, "-"}:
        check_stdin(typed=prompt == "-")
        prompt = None
    try:
        watching = watching_of(options)
        key = api_key_in(options["api_key_env"])
    except ConfigError as error:
        fail(str(error), USAGE)
    run(lambda: main(url, prompt, key, watching, options))


def check_stdin(*, typed: bool) -> None:
    """Refuse to wait for a question at a terminal, where nobody knows that one is waited for."""
    if sys.__stdin__ is None:
        fail("there is no PROMPT, and standard input is closed", IO_FAILED)
    if not typed and os.isatty(0):
        fail("there is no PROMPT: write one after the URL, pipe one in, or give - to type it", USAGE)


def watching_of(options: dict[str, Any]) -> Watching:
    """Return the transport, which tells what happens, and writes it down where that is wanted.

    Raises:
        ConfigError: the options do not fit, or something that they name is not there.
    """
    if options["cassette"] is not None and options["transport"] != "own":
        raise ConfigError("--record needs --transport own: of httpx the bytes of the wire cannot be had")
    from streamkit.cli.watching import Watching

    tls = trusted(options["upstream_ca"])
    if options["transport"] == "own":
        from streamkit.client.own import HTTPTransport

        return Watching(HTTPTransport(tls=tls), options["cassette"])
    from streamkit.client.httpx_transport import HTTPXTransport

    return Watching(HTTPXTransport(tls=tls), None)


async def main(url: str, prompt: str | None, key: str, watching: Watching, options: dict[str, Any]) -> None:
    """Ask, and print until the answer has ended."""
    from streamkit.cli.answering import Answering

    answering = Answering(
        as_json=options["as_json"],
        reasoning=options["reasoning"],
        escape=os.isatty(1),
        dim=has_colours(1),
        arrived_ns=lambda: watching.last_read_ns,
    )
    question = await prompt_from_stdin() if prompt is None else prompt
    if not question.strip():
        fail("the prompt is empty", USAGE)
    try:
        async with while_read():
            failure: RemoteError | None = None
            try:
                await ask(url, question, key, watching, answering, options)
            except RemoteError as error:
                failure = error
            if failure is not None:
                await answering.print_refusal(failure)
                raise failure
    finally:
        watching.close()
        answering.say_rest()
    if options["timing"]:
        say(answering.timing(watching.sent_ns))
    if answering.failure:
        fail(answering.failure, BAD_INPUT)
    if watching.problem:
        fail(watching.problem, IO_FAILED)


async def ask(
    url: str, question: str, key: str, watching: Watching, answering: Answering, options: dict[str, Any]
) -> None:
    """Hold the conversation."""
    from streamkit.client.open import open_chat
    from streamkit.client.timeouts import Timeouts
    from streamkit.errors import DisconnectedError, ProtocolError

    async with open_chat(
        url,
        dialect=options["dialect"],
        model=options["model"],
        messages=question,
        system=options["system"],
        max_tokens=options["max_tokens"],
        temperature=options["temperature"],
        headers=options["headers"],
        api_key=key,
        transport=watching,
        max_record_bytes=options["max_record_bytes"],
        max_message_bytes=options["max_message_bytes"],
        timeouts=Timeouts(
            connect_s=options["connect_s"],
            first_token_s=options["first_token_s"],
            idle_s=options["idle_s"],
            total_s=options["total_s"],
        ),
    ) as chat:
        try:
            await answering.print_all(chat)
        except (DisconnectedError, ProtocolError) as error:  # the answer had begun: what came is a cut one
            answering.failure = str(error)


async def prompt_from_stdin() -> str:
    """Return what standard input holds, without its last line end."""
    from streamkit.io.source import stdin_source

    data = bytearray()
    async with stdin_source() as stdin:
        while piece := await stdin.receive_some():
            data += piece
            if len(data) > MAX_PROMPT_BYTES:
                fail(f"the prompt is longer than the limit of {MAX_PROMPT_BYTES} bytes", BAD_INPUT)
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        fail(f"the prompt is not UTF-8, at byte {error.start}", BAD_INPUT)
