"""The commands as processes: what goes in is ours to the byte, what comes out is seen write by write.

`run` gives a command its whole input and returns what it did. `Filter` talks with one while it runs: send a piece, then
say what must come out of it; when that does not come within `DEADLINE_S` it was held back. `Kept` is a filter that many
cases share, one after another, because starting a process costs more than most cases.

No test sleeps and hopes: every wait ends with the event it waits for, and the deadline only bounds how long a wrong
program is given. With `packets=True` the boundaries of writes are kept, so that each is one read at the other end:
stdin is then a pipe in packet mode (O_DIRECT, Linux; up to 4096 bytes a write), stdout a sequenced-packet socket.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

DEADLINE_S = 10.0
"""How long a filter may do nothing at all while something is due. A busy machine needs 1 s, a held byte never comes."""

PACKET_BYTES = 4096
"""The largest write that a pipe in packet mode keeps in one piece (PIPE_BUF)."""

READ_BYTES = 1 << 20

FRAMINGS = ("ndjson-to-sse", "sse-to-ndjson")
FILTERS: tuple[tuple[str, ...], ...] = (
    ("ndjson-to-sse",),
    ("sse-to-ndjson",),
    ("streamkit", "ndjson-to-sse"),
    ("streamkit", "sse-to-ndjson"),
    ("streamkit", "rechunk"),
    ("streamkit", "convert"),
    ("streamkit", "text"),
    ("streamkit", "collect"),
)
COMMANDS = (
    *FILTERS,
    *(("streamkit", name) for name in ("dialects", "chat", "inspect", "gateway", "watch", "mock", "contract", "bench")),
    ("streamkit", "contract", "matrix"),
    ("streamkit", "bench", "compare"),
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc or uses a pipe in packet mode")


class HeldBackError(AssertionError):
    """Something that was due did not come."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a process did. `code` is what a shell would show: 128 + n for death by signal n."""

    code: int
    out: bytes
    err: str
    writes: list[bytes]

    @property
    def complaint(self) -> str:
        """The one line on stderr; there must be exactly one."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"not one line on stderr: {self.err!r}"
        assert self.err.endswith("\n"), f"the line on stderr has no end: {self.err!r}"
        return lines[0]


def program(name: str) -> str:
    """Where the installed script is: beside the interpreter that runs the tests."""
    path = Path(sysconfig.get_path("scripts")) / name
    assert path.exists(), f"{path} is missing: install the project first (pip install -e .)"
    return str(path)


def check_manners(err: str) -> None:
    """A user never sees a traceback, a warning, the interpreter's own last words, or a terminal code of the input."""
    for word in ("Traceback", "Exception ignored", "ExceptionGroup", "Warning:", "\x1b"):
        assert word not in err, f"{word!r} on stderr:\n{err}"


@contextlib.contextmanager
def ordinary_interrupts() -> Iterator[None]:
    """A child inherits an ignored SIGINT, which is what a test run in the background has: start it with the default."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if before is signal.SIG_IGN:
            signal.signal(signal.SIGINT, before)


def packet_pipe() -> tuple[int, int]:
    """A pipe in packet mode, as (reader, writer): a write of up to `PACKET_BYTES` is one read."""
    if sys.platform != "linux":
        pytest.skip("only Linux has pipes in packet mode")
    return os.pipe2(os.O_DIRECT | os.O_CLOEXEC)


def packet_socket() -> tuple[int, int]:
    """The same as a socket. The mode is not the descriptor's here, so it survives when a program opens it anew."""
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return reader.detach(), writer.detach()


class Filter:
    """One command, running. Leaving the `with` block ends the process, whatever state it is in.

    Args:
        argv: the script's name and its arguments.
        stdin: a descriptor to hand over as stdin (it stays the caller's); None makes a pipe that `send` writes to.
        stdout: the same for stdout; None makes a pipe that `expect` reads from.
        packets: keep the boundaries of writes on both.
        env: variables to set on top of ours.
        via: shell words to put around the command, for instance `'"$@" <&-'`.
    """

    def __init__(
        self,
        *argv: str,
        stdin: int | None = None,
        stdout: int | None = None,
        packets: bool = False,
        env: Mapping[str, str] | None = None,
        via: str | None = None,
    ) -> None:
        self.argv = [program(argv[0]), *argv[1:]]
        if via is not None:
            self.argv = ["sh", "-c", f"exec {via}", "sh", *self.argv]
        self.env = {**os.environ, **(env or {})}
        self.writes: list[bytes] = []
        self.out = bytearray()
        self.err = bytearray()
        self._packets = packets
        self._given = (stdin, stdout)
        self._outgoing: deque[memoryview] = deque()
        self._taken = 0  # how much of `out` has been asked for
        self._writes_taken = 0
        self._in: int | None = None
        self._open: dict[int, Callable[[int], None]] = {}  # what is read, and by whom

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as childs, ordinary_interrupts():
            stdin, stdout = self._given
            if stdin is None:
                stdin, self._in = packet_pipe() if self._packets else os.pipe()
                childs.callback(os.close, stdin)
                os.set_blocking(self._in, False)
            if stdout is None:
                source, stdout = packet_socket() if self._packets else os.pipe()
                childs.callback(os.close, stdout)
                self._open[source] = self._read_out
            source, stderr = os.pipe()
            childs.callback(os.close, stderr)
            self._open[source] = self._read_err
            self.process = subprocess.Popen(self.argv, stdin=stdin, stdout=stdout, stderr=stderr, env=self.env)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.end()
        for descriptor in list(self._open):
            self._close(descriptor)

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, *pieces: bytes) -> None:
        """Write the pieces, one write for each, reading meanwhile whatever comes out."""
        self._outgoing += [memoryview(piece) for piece in pieces if piece]
        self._pump(lambda: not self._outgoing, "take its input")

    def expect(self, wanted: bytes) -> None:
        """Wait for the next `len(wanted)` bytes of output and compare them."""
        end = self._taken + len(wanted)
        self._pump(lambda: len(self.out) >= end or not self._is_open(self._read_out), f"write {wanted!r}")
        got = bytes(self.out[self._taken : end])
        assert got == wanted, f"{self._name}: {wanted!r} is due, {got!r} came; stderr: {self._said!r}"
        self._taken = end

    def expect_writes(self, *wanted: bytes) -> None:
        """Wait for the next writes; in packet mode each must be one of `wanted`, in order."""
        end = self._writes_taken + len(wanted)
        self._pump(lambda: len(self.writes) >= end or not self._is_open(self._read_out), f"write {wanted!r}")
        got = self.writes[self._writes_taken : end]
        assert got == list(wanted), f"{self._name}: {wanted!r} is due, {got!r} came; stderr: {self._said!r}"
        self._writes_taken = end

    def expect_error(self, pattern: str) -> re.Match[str]:
        """Wait until stderr holds `pattern`."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            match = re.search(pattern, self._said)
            if match is not None:
                found.append(match)
            return match is not None or not self._is_open(self._read_err)

        self._pump(look, f"say {pattern!r}")
        assert found, f"{self._name}: said {self._said!r}, not {pattern!r}"
        return found[0]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that is not an output of the process: looked at again and again, boundedly."""
        self._pump(condition, what, poll_s=0.005)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """The end of the input."""
        if self._in is not None:
            os.close(self._in)
            self._in = None

    def stop_reading(self) -> None:
        """Close our end of stdout, as `head -1` does."""
        for descriptor in [key for key, reader in self._open.items() if reader == self._read_out]:
            self._close(descriptor)

    def wait(self) -> Result:
        """Read to the end of both outputs and return what the process did."""
        self._pump(lambda: not self._open, "end")
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise HeldBackError(f"{self._name} closed its outputs and does not end") from None
        check_manners(self._said)
        return Result(code if code >= 0 else 128 - code, bytes(self.out), self._said, self.writes)

    def finish(self) -> Result:
        """`end` and `wait`."""
        self.end()
        return self.wait()

    @property
    def _name(self) -> str:
        return shlex.join([Path(self.argv[0]).name, *self.argv[1:]])

    @property
    def _said(self) -> str:
        return self.err.decode(errors="backslashreplace")

    def _is_open(self, reader: Callable[[int], None]) -> bool:
        return reader in self._open.values()

    def _pump(self, done: Callable[[], bool], what: str, poll_s: float | None = None) -> None:
        """Move bytes in both directions until `done()`. Only time in which nothing at all happens counts."""
        deadline = time.monotonic() + DEADLINE_S
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise HeldBackError(
                    f"{self._name} did not {what} within {DEADLINE_S:g} s; output since the last check: "
                    f"{bytes(self.out[self._taken :])!r}, stderr: {self._said!r}"
                )
            if self._step(left if poll_s is None else poll_s):
                deadline = time.monotonic() + DEADLINE_S

    def _step(self, timeout_s: float) -> bool:
        poller = select.poll()
        for descriptor in self._open:
            poller.register(descriptor, select.POLLIN)
        if self._outgoing and self._in is not None:
            poller.register(self._in, select.POLLOUT)
        ready = poller.poll(timeout_s * 1000)
        for descriptor, _ in ready:
            if descriptor == self._in:
                self._write(descriptor)
            else:
                self._open[descriptor](descriptor)
        return bool(ready)

    def _write(self, descriptor: int) -> None:
        piece = self._outgoing.popleft()
        try:
            rest = piece[os.write(descriptor, piece) :]
        except BlockingIOError:
            rest = piece
        except BrokenPipeError:  # the filter wants no more; what it makes of that is what the test looks at
            self._outgoing.clear()
            return
        if rest:
            self._outgoing.appendleft(rest)

    def _read_out(self, descriptor: int) -> None:
        data = os.read(descriptor, READ_BYTES)
        if data:
            self.writes.append(data)
            self.out += data
        else:
            self._close(descriptor)

    def _read_err(self, descriptor: int) -> None:
        data = os.read(descriptor, READ_BYTES)
        if data:
            self.err += data
        else:
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        del self._open[descriptor]
        os.close(descriptor)


class Kept:
    """A filter that serves one case after another; one that went wrong is replaced, so that cases stay independent."""

    def __init__(self, *argv: str, packets: bool = False) -> None:
        self.argv = argv
        self.packets = packets
        self._running: Filter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @contextlib.contextmanager
    def case(self) -> Iterator[Filter]:
        """Lend the filter for one case, which leaves it between two records."""
        if self._running is None:
            self._running = Filter(*self.argv, packets=self.packets).__enter__()
        try:
            yield self._running
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.__exit__(None, None, None)


def run(
    *argv: str,
    stdin: bytes | Sequence[bytes] = b"",
    packets: bool = False,
    env: Mapping[str, str] | None = None,
    via: str | None = None,
) -> Result:
    """Give a command its whole input (a list: one write for each piece) and return what it did."""
    with Filter(*argv, packets=packets, env=env, via=via) as process:
        process.send(*([stdin] if isinstance(stdin, bytes) else stdin))
        return process.finish()
