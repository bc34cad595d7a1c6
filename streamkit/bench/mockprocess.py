"""The embedded mock server in a process of its own, whose journal says when it really wrote each token.

In a process of its own because nothing that keeps our loop busy may keep the server from writing on time: only then is
what it says true. It is not part of the terminal's group, so that Ctrl-C ends the run and not its server, and on Linux
it ends when we do, however that comes about.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import trio

import mockserver
from streamkit.bench.truth import Entry, parse_entry
from streamkit.dialects.registry import get_dialect
from streamkit.errors import ConfigError, ConnectError
from streamkit.vendors import ENDPOINTS

__all__ = ["MockProcess", "open_mock_process", "speaks"]

READY_S: Final = 60.0
"""How long it may take until it listens: half a second, where it has a processor for itself."""

GRACE_S: Final = 5.0
"""How long it may take to end when it is told to. It has nothing to lose."""

MAX_CONNECTIONS: Final = 20_000

PLACES: Final = {"vercel-ui": "/ui/chat"}
"""The paths of dialects whose requests have none by themselves."""

MAX_ANNOUNCEMENT_BYTES: Final = 65536
MAX_SAID_BYTES: Final = 2000

MAX_LINE_BYTES: Final = 4 * 2**20
"""A line of the journal that is longer is left out: 2,048 writes and a body of 64 KiB take a tenth of that."""

READ_BYTES: Final = 2**20
MAX_READ_BYTES: Final = 64 * 2**20
"""How much of the journal one call of `entries` reads at most."""


class _Announced(msgspec.Struct):
    """The line that it says when it listens."""

    url: str


class JournalTail:
    """Reads the finished lines of a file that grows, each once.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._is_skipping = False  # within a line that is too long

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished line is kept."""
        return len(self._rest)

    def lines(self, max_bytes: int = MAX_READ_BYTES) -> list[bytes]:
        """Return the lines that were finished since the call before, as many as are in the next `max_bytes`."""
        found: list[bytes] = []
        end = self._offset + max_bytes
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._offset)
            while self._offset < end and (data := file.read(min(READ_BYTES, end - self._offset))):
                self._offset += len(data)
                found += self._split(data)
        return found

    def _split(self, data: bytes) -> list[bytes]:
        *lines, rest = data.split(b"\n")
        if not lines:
            self._rest += rest
        else:
            lines[0] = self._rest + lines[0]
            if self._is_skipping:
                del lines[0]
            self._is_skipping = False
            self._rest = rest
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b""
            self._is_skipping = True
        return [line for line in lines if len(line) <= MAX_LINE_BYTES]


class MockProcess:
    """A mock server that runs in a process of its own; see `open_mock_process`.

    Attributes:
        url: what a `Server` of its dialect is given; see `url_for`.
        authorities: a PEM file of what signed its certificate; None without TLS.
        pid: of the process.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], base: str, dialect: str, journal: Path, authorities: Path | None
    ) -> None:
        self._base = base
        self.url = self.url_for(dialect)
        self.authorities = authorities
        self.pid = process.pid
        self._process = process
        self._tail = JournalTail(journal)

    def url_for(self, dialect: str) -> str:
        """Return what a `Server` of a dialect is given: the base, with a path where the dialect has none by itself.

        Raises:
            ConfigError: the mock does not speak it, or there is none of that name.
        """
        return self._base + place_of(dialect)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def entries(self) -> list[Entry]:
        """Return the requests that it has finished since the call before, at most 64 MiB of them; then call again.

        It reads a file and parses it, without giving the loop a turn: not while a load runs whose figures matter. A
        request that has just ended is there some moments later.
        """
        return [entry for line in self._tail.lines() if (entry := parse_entry(line)) is not None]


@asynccontextmanager
async def open_mock_process(
    *,
    dialect: str,
    ttft_ms: float,
    gap_ms: float,
    tokens: int,
    tls: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    settings: Sequence[str] = (),
) -> AsyncIterator[MockProcess]:
    """Run `python -m mockserver` while the block runs.

    What precedes the first token (the head, an event that names the role) is sent at once, as most servers do.

    Args:
        dialect: what it will be asked in; it speaks all of its dialects anyway.
        ttft_ms: from a request's arrival to its first token.
        gap_ms: between one token and the next.
        tokens: of each answer.
        tls: speak TLS, with a throw-away certificate (the extra `tls`).
        host: where it listens.
        port: 0 for any that is free.
        seed: what its words are drawn from.
        settings: more options of `mockserver`.

    Raises:
        ConfigError: it does not speak that dialect, or refuses an option; also where TLS needs what is not installed.
        ConnectError: it does not start, as where its port is taken; with what it said.
    """
    place_of(dialect)  # raises what there is to be raised before anything is started
    rate = 1000 / gap_ms if gap_ms > 0.001 else 0
    with tempfile.TemporaryDirectory(prefix="streamkit-bench-") as name:
        directory = Path(name)
        journal = directory / "journal.ndjson"
        authorities = directory / "authorities.pem" if tls else None
        command = [
            *_dies_with_us(),
            *(sys.executable, "-P", "-m", "mockserver", "--ready-json", "--no-log", "--early-start"),
            *("--host", host, "--port", str(port), "--seed", str(seed), "--journal", str(journal)),
            *("--ttft", f"{max(0.0, ttft_ms):.6f}ms", "--rate", f"{rate:.6f}", "--tokens", str(tokens)),
            *("--max-connections", str(MAX_CONNECTIONS)),
            *(("--tls", "--tls-ca", str(authorities)) if tls else ()),
            *settings,
        ]
        process, said = _started(command, directory)
        try:
            base = await _announced(process, said)
            yield MockProcess(process, base, dialect, journal, authorities)
        finally:
            with trio.CancelScope(shield=True):
                await _end(process)


def speaks(dialect: str) -> bool:
    """Tell whether the mock speaks a dialect.

    Raises:
        ConfigError: there is none of that name.
    """
    name = get_dialect(dialect)[0].name
    return any(endpoint.dialect == name for endpoint in ENDPOINTS)


def place_of(dialect: str) -> str:
    """Return what stands behind the mock's base for a dialect to be asked there; nothing, for most.

    Raises:
        ConfigError: the mock does not speak it, or there is none of that name.
    """
    if not speaks(dialect):
        raise ConfigError(f"the mock server does not speak {dialect}")
    return PLACES.get(get_dialect(dialect)[0].name, "")


def _dies_with_us() -> list[str]:
    """Return what makes a program end with the thread that starts it, where the system has such a thing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _started(command: list[str], directory: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """Start it, and return where it says what goes wrong.

    Not by trio: that starts programs in a thread which ends soon, and it would die with that thread.

    Raises:
        ConnectError: the system starts no more.
    """
    said = directory / "stderr.log"
    ours = str(Path(mockserver.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [ours, os.environ.get("PYTHONPATH", "")]))
    try:
        with said.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own program, with arguments of ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )
    except OSError as error:
        raise ConnectError(f"the mock server does not start: {error.strerror or error}") from error
    return process, said


async def _announced(process: subprocess.Popen[bytes], said: Path) -> str:
    """Wait until it listens, and return where."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    line = b""
    with trio.move_on_after(READY_S):
        async with trio.lowlevel.FdStream(os.dup(process.stdout.fileno())) as output:
            while b"\n" not in line and len(line) < MAX_ANNOUNCEMENT_BYTES:
                data = await output.receive_some()
                if not data:
                    break
                line += data
    if b"\n" in line:
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(line.partition(b"\n")[0], type=_Announced).url
    await _ended(process)
    words = _words_in(said)
    if process.poll() == 2:
        raise ConfigError(f"the mock server: {words}")
    how = f"does not listen within {READY_S:g} s" if process.poll() is None else "does not start"
    raise ConnectError(f"the mock server {how}: {words}")


def _words_in(said: Path) -> str:
    with suppress(OSError), said.open("rb") as file:
        words = file.read(MAX_SAID_BYTES).decode("utf-8", "replace").strip().removeprefix("mockserver: ")
        if words:
            return words
    return "it says nothing"


async def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, and wait for that."""
    process.terminate()
    await _ended(process)
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait until it has ended, but not for long."""
    with trio.move_on_after(GRACE_S):
        await trio.lowlevel.checkpoint()
        while process.poll() is None:  # noqa: ASYNC110 - there is nothing that could wake us, see `_started`
            await trio.sleep(0.005)
