"""Everything around the data: files that are none, terminals, closed and full outputs, signals, shared descriptors.

Every case is a real process. No case may end in a traceback (`Filter.wait` looks), and every failure is one line.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import re
import select
import signal
import socket
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.harness import DEADLINE_S, READ_BYTES, Filter, linux_only, packet_pipe, packet_socket, run

RECHUNK = ("streamkit", "rechunk", "--lines")
NDJSON = ("ndjson-to-sse",)
SSE = ("sse-to-ndjson",)

THREE = [
    pytest.param(NDJSON, b"1\n2\n", b"data: 1\n\ndata: 2\n\n", id="ndjson-to-sse"),
    pytest.param(SSE, b"data: 1\n\ndata: 2\n\n", b"1\n2\n", id="sse-to-ndjson"),
    pytest.param(RECHUNK, b"1\n2\n", b"1\n2\n", id="rechunk"),
]
each = pytest.mark.parametrize(("argv", "wire", "out"), THREE)
each_name = pytest.mark.parametrize("argv", [NDJSON, SSE, RECHUNK], ids=["ndjson-to-sse", "sse-to-ndjson", "rechunk"])


@contextlib.contextmanager
def descriptors(*numbers: int) -> Iterator[None]:
    """Close them at the end, whatever happens."""
    try:
        yield
    finally:
        for number in numbers:
            with contextlib.suppress(OSError):
                os.close(number)


# ---------------------------------------------------------------------------------------------------------------- FILE


@each
def test_file(argv: tuple[str, ...], wire: bytes, out: bytes, tmp_path: Path) -> None:
    path = tmp_path / "in put"
    path.write_bytes(wire)
    result = run(*argv, str(path))
    assert (result.code, result.out, result.err) == (0, out, "")


def test_dash_is_stdin() -> None:
    result = run(*NDJSON, "-", stdin=b"1\n")
    assert (result.code, result.out, result.err) == (0, b"data: 1\n\n", "")


def test_file_whose_name_looks_like_an_option(tmp_path: Path) -> None:
    (tmp_path / "--done").write_bytes(b"1\n")
    result = run(*NDJSON, "--", "--done", via=f'env -C {tmp_path} "$@"')
    assert (result.code, result.out) == (0, b"data: 1\n\n"), result.err


@each_name
def test_missing_file(argv: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*argv, str(tmp_path / "nope.ndjson"))
    assert (result.code, result.out) == (2, b"")
    assert "nope.ndjson" in result.complaint
    assert re.search(r"(?i)no such file|not exist", result.complaint)
    assert re.match(r"(streamkit )?[a-z-]+: ", result.complaint)


@each_name
def test_directory(argv: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*argv, str(tmp_path))
    assert (result.code, result.out) == (2, b"")
    assert tmp_path.name in result.complaint
    assert "directory" in result.complaint


def test_missing_file_with_a_strange_name() -> None:
    """Bytes that are no text, a line end, and a terminal code in the name: still one printable line."""
    result = run(*NDJSON, os.fsdecode(b"/nope/\xff\n\x1b[31m"))
    assert result.code == 2
    assert result.complaint.isprintable()


def test_file_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    result = run(*NDJSON, str(tmp_path / "file" / "below"))
    assert result.code == 2
    assert "below" in result.complaint


@each
def test_fifo_as_file(argv: tuple[str, ...], wire: bytes, out: bytes, tmp_path: Path) -> None:
    """A named pipe is as live as stdin: each piece passes before the next one is written."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with Filter(*argv, str(path)) as process:
        writer: list[int] = []

        def opened() -> bool:
            try:
                writer.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            except OSError as error:
                if error.errno != errno.ENXIO:  # nobody reads yet
                    raise
            return bool(writer)

        process.until(opened, "open the named pipe")
        with descriptors(*writer):
            for piece, due in zip(halves(wire), halves(out), strict=True):
                os.write(writer[0], piece)
                process.expect(due)
        result = process.wait()
    assert (result.code, result.err) == (0, "")


def halves(data: bytes) -> list[bytes]:
    return [data[: len(data) // 2], data[len(data) // 2 :]]


# ---------------------------------------------------------------------------------------------------- what stdin can be


@each_name
def test_terminal_without_file(argv: tuple[str, ...]) -> None:
    """Someone who just types the name is told what is missing, and does not stare at a silent program."""
    ours, theirs = pty.openpty()
    with descriptors(ours, theirs), Filter(*argv, stdin=theirs) as process:
        result = process.wait()
    assert (result.code, result.out) == (2, b"")
    assert argv[-1 if len(argv) == 1 else 1] in result.err
    assert "FILE" in result.err or "--help" in result.err


@each
def test_terminal_by_dash(argv: tuple[str, ...], wire: bytes, out: bytes) -> None:
    """An explicit `-` reads what is typed, line by line, and leaves the terminal as it was: blocking, same modes."""
    ours, theirs = pty.openpty()
    with descriptors(ours, theirs), Filter(*argv, "-", stdin=theirs) as process:
        modes = termios.tcgetattr(theirs)
        for piece, due in zip(halves(wire), halves(out), strict=True):
            os.write(ours, piece)
            process.expect(due)
        assert os.get_blocking(theirs), "the terminal is shared with the shell: it must stay blocking"
        os.write(ours, b"\x04")
        result = process.wait()
        assert os.get_blocking(theirs)
        assert termios.tcgetattr(theirs) == modes
    assert (result.code, result.err) == (0, "")


@each
def test_regular_file_as_stdin(argv: tuple[str, ...], wire: bytes, out: bytes, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(wire)
    with path.open("rb") as file, Filter(*argv, stdin=file.fileno()) as process:
        result = process.wait()
    assert (result.code, result.out, result.err) == (0, out, "")


def test_regular_file_as_stdin_goes_on_where_it_stands(tmp_path: Path) -> None:
    """As after `read -r head` in a shell script: what was read before is not read again."""
    path = tmp_path / "in"
    path.write_bytes(b"1\n2\n3\n")
    with path.open("rb", buffering=0) as file:
        file.seek(2)
        with Filter(*NDJSON, stdin=file.fileno()) as process:
            result = process.wait()
    assert result.out == b"data: 2\n\ndata: 3\n\n"


@each_name
def test_null_device_as_stdin(argv: tuple[str, ...]) -> None:
    with Path(os.devnull).open("rb") as file, Filter(*argv, stdin=file.fileno()) as process:
        result = process.wait()
    assert (result.code, result.out, result.err) == (0, b"", "")


@each
def test_socket_as_stdin_and_stdout(argv: tuple[str, ...], wire: bytes, out: bytes) -> None:
    """One socket for both, as inetd does it."""
    ours, theirs = socket.socketpair()
    with ours, theirs, Filter(*argv, stdin=theirs.fileno(), stdout=theirs.fileno()) as process:
        ours.settimeout(DEADLINE_S)
        for piece, due in zip(halves(wire), halves(out), strict=True):
            ours.sendall(piece)
            assert ours.recv(len(due), socket.MSG_WAITALL) == due
        ours.shutdown(socket.SHUT_WR)
        result = process.wait()
        assert theirs.getblocking()
        assert os.get_blocking(theirs.fileno())
    assert (result.code, result.err) == (0, "")


def test_stdin_that_cannot_be_read(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    with descriptors(descriptor), Filter(*NDJSON, stdin=descriptor) as process:
        result = process.wait()
    assert result.code == 4
    assert result.complaint


@each_name
def test_closed_stdin(argv: tuple[str, ...]) -> None:
    """`<&-`: an error, and never some other file that got number 0 meanwhile."""
    result = run(*argv, via='"$@" <&-')
    assert result.code in (2, 4)
    assert result.out == b""
    assert re.match(r"(streamkit )?[a-z-]+: ", result.complaint)


@each
def test_closed_stdin_does_not_matter_with_a_file(
    argv: tuple[str, ...], wire: bytes, out: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "in"
    path.write_bytes(wire)
    result = run(*argv, str(path), via='"$@" <&-')
    assert (result.code, result.out, result.err) == (0, out, "")


# --------------------------------------------------------------------------------------------------- what stdout can be


@each
def test_full_device(argv: tuple[str, ...], wire: bytes, out: bytes) -> None:
    del out
    result = run(*argv, stdin=wire, via='"$@" >/dev/full')
    assert result.code == 4
    assert re.match(r"(streamkit )?[a-z-]+: .*[Nn]o space", result.complaint), result.complaint


@each
def test_closed_stdout(argv: tuple[str, ...], wire: bytes, out: bytes) -> None:
    del out
    result = run(*argv, stdin=wire, via='"$@" >&-')
    assert result.code == 4
    assert re.match(r"(streamkit )?[a-z-]+: ", result.complaint)


def test_closed_stdout_and_stdin_with_a_file(tmp_path: Path) -> None:
    """The file gets a low number; nothing may be written into it."""
    path = tmp_path / "in"
    path.write_bytes(b"1\n")
    result = run(*NDJSON, str(path), via='"$@" <&- >&-')
    assert result.code == 4
    assert path.read_bytes() == b"1\n"


def test_closed_stderr() -> None:
    """Nowhere to complain: the exit code still says it, and the complaint does not end in the data."""
    result = run(*NDJSON, stdin=b"1\nx\n", via='"$@" 2>&-')
    assert (result.code, result.out) == (3, b"data: 1\n\n")


def test_full_stderr() -> None:
    """A report that cannot be written costs no record."""
    result = run(*NDJSON, "--skip-bad", stdin=b"1\nx\n2\n", via='"$@" 2>/dev/full')
    assert result.out.startswith(b"data: 1\n\n")
    assert result.code in (0, 4)


@each
def test_output_is_appended_to_a_file(argv: tuple[str, ...], wire: bytes, out: bytes, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before\n")
    with path.open("ab") as file, Filter(*argv, stdout=file.fileno()) as process:
        process.send(wire)
        result = process.finish()
    assert result.code == 0
    assert path.read_bytes() == b"before\n" + out


@each
def test_closed_pipe_before_any_output(argv: tuple[str, ...], wire: bytes, out: bytes) -> None:
    del out
    with Filter(*argv) as process:
        process.stop_reading()
        process.send(wire)
        result = process.wait()
    assert (result.code, result.err) == (141, "")


@each
def test_closed_pipe_after_some_output(argv: tuple[str, ...], wire: bytes, out: bytes) -> None:
    with Filter(*argv) as process:
        process.send(wire)
        process.expect(out)
        process.stop_reading()
        process.send(wire)
        result = process.wait()
    assert (result.code, result.err) == (141, "")


def test_closed_pipe_at_the_last_frame() -> None:
    with Filter(*NDJSON, "--done", "[DONE]") as process:
        process.send(b"1\n")
        process.expect(b"data: 1\n\n")
        process.stop_reading()
        result = process.finish()
    assert (result.code, result.err) == (141, "")


def test_closed_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Filter(*NDJSON, stdout=theirs.fileno()) as process:
        ours.close()
        process.send(b"1\n")
        result = process.wait()
    assert (result.code, result.err) == (141, "")


def test_head_in_a_shell(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b'{"n":1}\n' * 100_000)
    result = run(*NDJSON, str(path), via='sh -c \'{ "$@"; echo "$?" >&2; } | head -n 1\' sh "$@"')
    assert (result.code, result.out, result.err) == (0, b'data: {"n":1}\n', "141\n")


# -------------------------------------------------------------------------------------------------------- back-pressure


def wait_for_output(feeder: int, reader: int, record: bytes) -> None:
    """Send a record and wait until its output can be read: the filter has started. The output is left unread."""
    os.write(feeder, record)
    poller = select.poll()
    poller.register(reader, select.POLLIN)
    assert poller.poll(DEADLINE_S * 1000), "no output"


def fill(feeder: int, data: bytes) -> int:
    """Write until nothing more is taken for half a second; how much was. `feeder` does not block afterwards."""
    os.set_blocking(feeder, False)
    poller = select.poll()
    poller.register(feeder, select.POLLOUT)
    rest = memoryview(data)
    while rest and poller.poll(500):
        rest = rest[os.write(feeder, rest) :]
    return len(data) - len(rest)


@linux_only
@each_name
def test_slow_reader(argv: tuple[str, ...]) -> None:
    """A reader that stops stops the filter, which then holds a bounded amount; nothing is lost when it goes on."""
    line = b'{"text":"%b"}\n' % (b"0123456789" * 8)
    wire_of, out_of = {
        NDJSON: (line, b"data: " + line + b"\n"),
        SSE: (b"data: " + line + b"\n", line),
        RECHUNK: (line, line),
    }[argv]
    total = 8 << 20
    count = total // len(wire_of)
    wire = wire_of * count
    stdin, feeder = os.pipe()
    reader, stdout = os.pipe()
    with descriptors(stdin, feeder, reader, stdout), Filter(*argv, stdin=stdin, stdout=stdout) as process:
        os.close(stdin)
        os.close(stdout)
        wait_for_output(feeder, reader, wire_of)
        sent = fill(feeder, wire)
        assert sent < total // 4, "the filter swallows what nobody reads"
        got = bytearray()
        while True:
            poller = select.poll()
            poller.register(reader, select.POLLIN)
            if sent < len(wire):
                poller.register(feeder, select.POLLOUT)
            ready = {number for number, _ in poller.poll(DEADLINE_S * 1000)}
            assert ready, "the filter does not go on"
            if feeder in ready:
                sent += os.write(feeder, memoryview(wire)[sent:])
                if sent == len(wire):
                    os.close(feeder)
            if reader in ready:
                piece = os.read(reader, 20_000)
                got += piece
                if not piece:
                    break
        result = process.wait()
    assert (result.code, result.err) == (0, "")
    assert len(got) == (count + 1) * len(out_of)
    assert got == out_of * (count + 1)


@each
def test_nonblocking_descriptors_from_the_parent(argv: tuple[str, ...], wire: bytes, out: bytes) -> None:
    """Some parents hand over pipes that do not block: "not now" is neither an end nor an error, and nothing is lost."""
    stdin, feeder = os.pipe()
    reader, stdout = os.pipe()
    for number in (stdin, stdout):
        os.set_blocking(number, False)
    count = 200_000 // len(out)  # more than a pipe holds, so that a write meets a full one
    with descriptors(stdin, feeder, reader, stdout), Filter(*argv, stdin=stdin, stdout=stdout) as process:
        pieces = wire * count
        got = b""
        wait_for_output(feeder, reader, wire)
        sent = fill(feeder, pieces)
        os.set_blocking(reader, False)
        poller = select.poll()
        poller.register(reader, select.POLLIN)
        poller.register(feeder, select.POLLOUT)
        while len(got) < len(out) * (count + 1):
            ready = {number for number, _ in poller.poll(DEADLINE_S * 1000)}
            assert ready, "the filter does not go on"
            if feeder in ready:
                sent += os.write(feeder, pieces[sent:])
                if sent == len(pieces):
                    poller.unregister(feeder)
            if reader in ready:
                got += os.read(reader, READ_BYTES)
        os.close(feeder)
        result = process.wait()
        assert not os.get_blocking(stdin), "its mode is the parent's"
        assert not os.get_blocking(stdout)
    assert (result.code, result.err) == (0, "")
    assert got == out * (count + 1)


ENDINGS = ["clean", "bad-record", "interrupt", "closed-pipe", "terminated"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_shared_descriptors_stay_blocking(ending: str) -> None:
    """A mode belongs to the open file, not to the process: what we leave set hits the shell or the next program."""
    stdin, feeder = os.pipe()
    reader, stdout = os.pipe()
    with descriptors(stdin, feeder, reader, stdout), Filter(*NDJSON, stdin=stdin, stdout=stdout) as process:
        os.write(feeder, b"1\n")
        assert os.read(reader, 100) == b"data: 1\n\n"
        if ending == "clean":
            os.close(feeder)
        elif ending == "bad-record":
            os.write(feeder, b"x\n")
        elif ending == "interrupt":
            process.interrupt()
        elif ending == "closed-pipe":
            os.close(reader)
            os.write(feeder, b"2\n")
        else:
            process.process.send_signal(signal.SIGTERM)
        code = process.wait().code
        assert code == {"clean": 0, "bad-record": 3, "interrupt": 130, "closed-pipe": 141, "terminated": 143}[ending]
        assert os.get_blocking(stdin)
        assert os.get_blocking(stdout)


# --------------------------------------------------------------------------------------------------------------- Ctrl-C


@each
def test_interrupt_while_waiting(argv: tuple[str, ...], wire: bytes, out: bytes) -> None:
    """What was complete is out; half a record, and a success terminator, are not."""
    options = ["--done", "[DONE]"] if argv == NDJSON else []
    with Filter(*argv, *options) as process:
        process.send(wire + b"data: 3")
        process.expect(out)
        process.interrupt()
        result = process.wait()
    assert (result.code, result.out) == (130, out)
    assert result.err.strip() == ""


@linux_only
@each_name
def test_interrupt_while_nobody_reads(argv: tuple[str, ...]) -> None:
    """A filter that is stuck in a write still ends at once."""
    record = b'{"n":1}\n' if argv != SSE else b'data: {"n":1}\n\n'
    total = 4 << 20
    stdin, feeder = os.pipe()
    reader, stdout = os.pipe()
    with descriptors(stdin, feeder, reader, stdout), Filter(*argv, stdin=stdin, stdout=stdout) as process:
        wait_for_output(feeder, reader, record)
        poller = select.poll()
        poller.register(reader, select.POLLIN)
        assert 0 < fill(feeder, record * (total // len(record))) < total // 2
        assert poller.poll(0), "it has written nothing"
        process.interrupt()
        result = process.wait()
    assert (result.code, result.err.strip()) == (130, "")


@linux_only
def test_interrupt_while_a_fifo_has_no_writer(tmp_path: Path) -> None:
    """Opening a named pipe waits for the other side, possibly for ever: Ctrl-C must get through."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with Filter(*NDJSON, str(path)) as process:

        def waits() -> bool:
            """Some thread sits in the kernel's open of a FIFO, or somebody has it open already."""
            tasks = Path(f"/proc/{process.pid}/task")
            if any((task / "wchan").read_text() == "wait_for_partner" for task in tasks.iterdir()):
                return True
            with contextlib.suppress(OSError):
                return any(link.readlink() == path for link in Path(f"/proc/{process.pid}/fd").iterdir())
            return False

        process.until(waits, "open the named pipe")
        process.interrupt()
        result = process.wait()
    assert (result.code, result.out, result.err.strip()) == (130, b"", "")


@pytest.mark.parametrize("module", ["typing", "click", "msgspec", "trio"])
def test_interrupt_while_starting(module: str, tmp_path: Path) -> None:
    """Ctrl-C in the first quarter of a second hits an import, which is no reason for a traceback either."""
    (tmp_path / f"{module}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    )
    with Filter(*NDJSON, env={"PYTHONPATH": str(tmp_path)}) as process:
        result = process.wait()
    assert (result.code, result.err.strip()) == (130, "")


def test_keepalive_ends_with_the_reader() -> None:
    """Also a filter that only sends comments notices that nobody reads any more."""
    with Filter(*NDJSON, "--keepalive", "0.02") as process:
        process.expect(b": keep-alive\n\n")
        process.stop_reading()
        result = process.wait()
    assert (result.code, result.err) == (141, "")


# ---------------------------------------------------------------------------------------------------------- cleanliness


@each
def test_no_warnings_in_development_mode(argv: tuple[str, ...], wire: bytes, out: bytes, tmp_path: Path) -> None:
    """With every warning on, resources that nobody closed would show."""
    path = tmp_path / "in"
    path.write_bytes(wire)
    result = run(*argv, str(path), env={"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"})
    assert (result.code, result.out, result.err) == (0, out, "")


def test_bad_record_of_a_file_in_development_mode(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"1\nx\n")
    result = run(*NDJSON, str(path), env={"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"})
    assert (result.code, result.out) == (3, b"data: 1\n\n")
    assert result.complaint


@linux_only
@pytest.mark.parametrize("make", [packet_pipe, packet_socket])
def test_packets_are_what_the_tests_think(make: Callable[[], tuple[int, int]]) -> None:
    """The harness's own ground: a read takes one write."""
    reader, writer = make()
    with descriptors(reader, writer):
        os.write(writer, b"a")
        os.write(writer, b"bc")
        assert [os.read(reader, 10), os.read(reader, 10)] == [b"a", b"bc"]
