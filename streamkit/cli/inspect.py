"""`streamkit inspect`: the reads of a stream, one line each, and what they add up to."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click
from click.core import ParameterSource

from streamkit import __version__
from streamkit.cli.asking import asking_options, has_colours, while_read
from streamkit.cli.edge import BAD_INPUT, CONTEXT, EXIT_CODES, IO_FAILED, USAGE, fail, limit_option, run, say, source_of
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    import trio

    from streamkit.io.cassette import Cassette
    from streamkit.io.readlog import ReadLog, ReadRow

__all__ = ["command"]

URLS: Final = ("http://", "https://")

HEADER_BYTES: Final = 4096
"""How much of a file is looked at to see whether it is a cassette."""

ASKING: Final = {
    "prompt": "--prompt",
    "data": "--data",
    "method": "--method",
    "model": "--model",
    "headers": "--header",
    "api_key_env": "--api-key-env",
    "upstream_ca": "--upstream-ca",
    "dialect": "--dialect",
    "connect_s": "--connect-timeout",
    "total_s": "--timeout",
}
"""Options that mean something for a URL only."""


@click.command("inspect", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="inspect")
@click.argument("target", metavar="[URL|FILE|-]", required=False)
@click.option(
    "--framing",
    type=click.Choice(["auto", "sse", "ndjson", "json-array", "lines", "none"]),
    default="auto",
    show_default=True,
    help="How records lie in the bytes; auto sees it in the first ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a read, and one for the whole.")
@click.option(
    "--exchange", type=click.IntRange(min=1), metavar="N", help="Which exchange of a cassette.  [default: the first]"
)
@click.option("--prompt", metavar="TEXT", help="POST a chat request with this question.")
@click.option("--data", metavar="JSON|@FILE", help="POST this body.")
@click.option("--method", metavar="NAME", help="The method.  [default: POST with a body, else GET]")
@asking_options
@limit_option("--max-record-bytes", "record")
def command(target: str | None, framing: Any, as_json: bool, max_record_bytes: int, **options: Any) -> NoReturn:  # noqa: ANN401
    """Show what each read of a stream brings, and where it ends.

    A line a read: its number, when it came, the gap to the read before, its bytes, how many records it completed, where
    it ended (inside a character, behind a CR, inside a record, between two), and its last bytes. Then the whole: gaps,
    time to the first byte and the first record, how many reads ended where.

    Of a FILE or standard input the reads are those of the pipe, counted from the start. Of a URL they are those of the
    body, without heads and chunk sizes, counted from when the request was sent, at the kernel's time where there is
    one. Where several segments had come by then, the time is the newest one's, and the read is marked unresolved. A
    cassette shows its recorded reads, with their times.

    A URL is read with GET. One that only takes a POST needs --prompt or --data: no question is asked on its own
    account, because an answer may cost money.

    With --json times are in ns (at_ns, gap_ns), and "cut" is character, cr, record, between or null; the last object is
    {"kind":"summary"}. A stream that is cut is exit 3, a server that refuses is exit 4; the summary comes all the same.
    Bad records are counted, and no failure.

    \b
    Examples:
      streamkit inspect http://localhost:11434/api/chat --model llama3.2 --prompt 'Hello'
      curl -sN localhost:8765/api/chat -d @chat.json | streamkit inspect
      streamkit inspect --json chat.cassette | jq .gap_ns
    """
    from streamkit.io.readlog import ReadLog

    log = ReadLog(framing=framing, max_record_bytes=max_record_bytes)
    view = View(log, as_json=as_json)
    try:
        reader = reader_of(target, view, options)
    except ConfigError as error:
        fail(str(error), USAGE)
    run(lambda: main(view, reader))


class View:
    """Writes a line for each read as it comes.

    Attributes:
        began_ns: what times count from; None of a recorded stream, and before anything is read.
    """

    def __init__(self, log: ReadLog, *, as_json: bool) -> None:
        self.log = log
        self.failure = ""
        self.code = 0
        self._as_json = as_json
        self._colours = has_colours(1)
        self._is_first = True
        self._sink: trio.abc.SendStream | None = None
        self._ended: tuple[str, int, str] = ("interrupted", 0, "")
        self.began_ns: int | None = None

    def open(self) -> None:
        """Be ready to write.

        Raises:
            OSError: standard output is closed.
        """
        from streamkit.io.sink import stdout_sink

        self._sink = stdout_sink()

    async def show(self, row: ReadRow) -> None:
        """Write the line for one read."""
        from streamkit.cli.readlines import HEADING, row_json, row_text

        if self._as_json:
            await self._write(row_json(row))
            return
        heading = f"{HEADING}\n" if self._is_first and os.isatty(1) else ""
        self._is_first = False
        await self._write((heading + row_text(row, colours=self._colours)).encode())

    def ended(self, how: str, at_ns: int, detail: str = "", *, code: int = 0, failure: str = "") -> None:
        """Keep how the stream ended, and what there is to complain of."""
        self._ended = (how, at_ns, printable(detail))
        self.code = code
        self.failure = failure

    def interrupted(self) -> None:
        """Keep that somebody did not want to wait for the end."""
        from streamkit.http.clock import now_ns

        self.ended("interrupted", 0 if self.began_ns is None else now_ns() - self.began_ns)

    async def sum_up(self) -> None:
        """Write the summary."""
        from streamkit.cli.readlines import summary_json, summary_text

        summary = self.log.finish(*self._ended)
        if summary.problem and not self.code:
            self.code, self.failure = BAD_INPUT, summary.problem
        await self._write(
            summary_json(summary) if self._as_json else summary_text(summary, colours=self._colours).encode()
        )

    async def _write(self, data: bytes) -> None:
        if self._sink is not None:
            await self._sink.send_all(data)


Reader = Callable[[], Awaitable[None]]
"""Reads a stream to its end, shows each read, and says how it ended."""


async def main(view: View, reader: Reader) -> None:
    """Show all reads, then the summary, also of a stream that was interrupted by Ctrl-C."""
    view.open()
    interruption: BaseException | None = None
    try:
        async with while_read():
            await reader()
    except* KeyboardInterrupt as error:
        interruption = error
        view.interrupted()
    await view.sum_up()
    if interruption is not None:
        raise interruption
    if view.code:
        fail(view.failure, view.code)


def reader_of(target: str | None, view: View, options: dict[str, Any]) -> Reader:
    """Return what reads `target`.

    Raises:
        ConfigError: an option does not fit, or says what cannot be.
    """
    is_url = target is not None and target.lower().startswith(URLS)
    cassette = None if is_url else cassette_at(target)
    if options["exchange"] is not None and cassette is None:
        raise ConfigError("--exchange does nothing without a cassette")
    if is_url and target is not None:
        from streamkit.cli.inspect_url import url_reader

        return url_reader(target, view, options)
    given = click.get_current_context().get_parameter_source
    misplaced = [option for name, option in ASKING.items() if given(name) is ParameterSource.COMMANDLINE]
    if misplaced:
        raise ConfigError(f"{', '.join(misplaced)} would do nothing: give a URL, not a file")
    if cassette is not None:
        return cassette_reader(cassette, options["exchange"], view)
    return pipe_reader(source_of(target), view)


def pipe_reader(stream: trio.abc.ReceiveStream, view: View) -> Reader:
    """Return what reads a file, a pipe, or whatever standard input is."""

    async def read() -> None:
        from streamkit.http.clock import now_ns

        view.began_ns = began_ns = now_ns()
        async with stream:
            while data := await stream.receive_some():
                await view.show(view.log.read(bytes(data), now_ns() - began_ns))
            view.ended("eof", now_ns() - began_ns)

    return read


def cassette_at(path: str | None) -> Cassette | None:
    """Return the cassette that a file is; None where it is none.

    Raises:
        ConfigError: it is one and cannot be read.
    """
    if path is None or not Path(path).is_file():
        return None
    from streamkit.codecs.jsontext import JSONTextError, decode_checked
    from streamkit.errors import DecodeError

    try:
        with Path(path).open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError:  # what reads the file says why
        return None
    try:
        header = decode_checked(head.partition(b"\n")[0])
    except JSONTextError:
        return None
    if not isinstance(header, dict) or header.get("kind") != "cassette":
        return None
    from streamkit.io.cassette import read_cassette

    try:
        return read_cassette(path, cut_ok=True)
    except DecodeError as error:
        fail(str(error), BAD_INPUT)


def cassette_reader(cassette: Cassette, number: int | None, view: View) -> Reader:
    """Return what shows one exchange of a cassette.

    Raises:
        ConfigError: there is no such exchange.
    """
    count = len(cassette.exchanges)
    if not count and number is None:
        fail(f"{cassette.name} is cut before the end of its first exchange's request", BAD_INPUT)
    if not 1 <= (number or 1) <= count:
        holds = "no exchange" if not count else "1 exchange" if count == 1 else f"{count} exchanges"
        raise ConfigError(f"--exchange {number or 1}: {cassette.name} has {holds}")
    recorded = cassette.exchanges[(number or 1) - 1]

    async def read() -> None:
        from streamkit.io.recorded import body_of

        if count > 1 and number is None:
            say(f"this is the first of {count} exchanges; --exchange N shows another one")
        body = body_of(recorded)
        for each in body.reads:
            await view.show(view.log.read(each.data, each.at_ns, by_kernel=each.by_kernel, segments=each.segments))
        ended = recorded.ended
        how = "cut" if ended is None else ended.how
        detail = "" if ended is None else ended.detail
        at_ns = ended.at_ns if ended is not None else recorded.reads[-1].at_ns if recorded.reads else 0
        status = body.head.status if body.head is not None else None
        if body.is_complete and status is not None and status >= 300:
            view.ended(how, at_ns, detail, code=IO_FAILED, failure=f"the server answered with status {status}")
        elif body.is_complete:
            view.ended(how, at_ns, detail)
        else:
            reason = body.problem or detail or f"the recording ends with: {how}"
            view.ended(how, at_ns, detail or body.problem, code=BAD_INPUT, failure=f"the body is not whole: {reason}")

    return read


def printable(text: str) -> str:
    """Return a text in which nothing can be taken for a terminal's command."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
