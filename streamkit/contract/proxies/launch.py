"""Run a program that serves, as a child of ours: started for a block, ready when the block begins, gone behind it.

It is in the foreground, in a process group of its own, and is ended by that group's number, whatever happens; on Linux
it dies with the thread that started it, so start it in one that stays. No port is looked for and lost: where the
program can, it is handed a socket that listens already. Otherwise a socket that is bound to the port and does not
listen keeps it, on Linux, for whoever asks for it by number. Should somebody have it all the same, another is tried.
So a program that is started again has the port that it had.

Everything here blocks its caller: some 30 ms for what is written in C, a minute for what imports half of PyPI.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from streamkit.errors import ConnectError

__all__ = ["Launch", "Seat", "find_program"]

LOOKED_IN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""The PATH of an ordinary user does not lead to where Debian has the programs of daemons."""

GRACE_S: Final = 5.0
"""How long a program may take to end when it is asked to. It has nothing to lose."""

PROBE_S: Final = 0.05
"""How long an answer is waited for before we look whether the program still runs."""

NO_REQUEST: Final = b"?\r\n\r\n"
"""What they refuse themselves, in some words, as soon as they work."""

BACKLOG: Final = 511

IN_USE: Final = "in use"
"""What every program says in some words when it cannot have its port."""


def find_program(names: Sequence[str]) -> str | None:
    """Return where the first of these commands is: on PATH, beside our own Python, or where daemons are."""
    places = [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent), *LOOKED_IN]
    return next((found for name in names if (found := shutil.which(name, path=os.pathsep.join(places)))), None)


class Seat:
    """Two ports at 127.0.0.1 for a program: where it serves, and where it only has to answer.

    Attributes:
        is_handed: whether they listen already, for a program that takes them over.
        port: of the first.
        fds: of both, to be handed over; nothing where it gets their numbers.
    """

    def __init__(self, *, is_handed: bool) -> None:
        self.is_handed = is_handed
        self._sockets = [self._bound(), self._bound()]
        self.port: int = self._sockets[0].getsockname()[1]
        self.ready_port: int = self._sockets[1].getsockname()[1]
        self.fds = [each.fileno() for each in self._sockets] if is_handed else []
        if not is_handed and not sys.platform.startswith("linux"):
            self.close()  # elsewhere, who has bound a port has it alone

    def _bound(self) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", 0))
        if self.is_handed:
            made.listen(BACKLOG)
        return made

    def close(self) -> None:
        """Give both up."""
        for each in self._sockets:
            each.close()


class Launch:
    """A program that runs.

    Attributes:
        seat: where it listens.
    """

    def __init__(
        self,
        command: Sequence[str],
        seat: Seat,
        directory: Path,
        *,
        environment: Mapping[str, str],
        probe_port: int,
        patience_s: float,
    ) -> None:
        """Start it, and wait until it answers.

        Args:
            command: the program and its arguments.
            seat: where it is to listen; closed by who made it.
            directory: where it writes; what it says goes to `output.log` there.
            environment: besides ours.
            probe_port: where it answers by itself.
            patience_s: how long it may take to.

        Raises:
            ConnectError: it does not; with all that it said.
        """
        setpriv = shutil.which("setpriv")
        self._command = [*([setpriv, "--pdeathsig", "TERM"] if setpriv else []), *command]
        self.seat = seat
        self._directory = directory
        self._environment = environment
        self._probe_port = probe_port
        self._patience_s = patience_s
        self._process = self._started()

    @property
    def pids(self) -> list[int]:
        """Its process, and its children; Linux alone tells them."""
        pid = self._process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def log(self) -> str:
        """Return what it said."""
        texts = (path.read_text(errors="replace") for path in sorted(self._directory.glob("*.log")))
        return "".join(texts).strip()

    def restart(self) -> None:
        """End it and start it again, at the same port; its connections are closed."""
        self.end()
        self._process = self._started()

    def end(self) -> None:
        """End it, and everything that it has started, at once."""
        self._signal(signal.SIGTERM)
        deadline_s = time.monotonic() + GRACE_S
        while not self._is_over and time.monotonic() < deadline_s:
            time.sleep(0.005)
        self._signal(signal.SIGKILL)  # what of its group is still there: a program that crashed leaves its workers
        self._process.wait()

    @property
    def _is_over(self) -> bool:
        """Whether it has ended. Its number stays its own, and its group's, until `end` has waited for it."""
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            return self._process.poll() is not None
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self._process.returncode is not None or os.waitid(os.P_PID, self._process.pid, how) is not None

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:  # once it was waited for, its number may be another's
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._directory / "output.log").open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - a program of this machine, with a configuration of ours
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self.seat.fds,
                start_new_session=True,  # a group of its own
                env={**os.environ, **self._environment},
            )
        self._process = process
        try:
            self._wait_until_ready()
        except BaseException:
            self.end()
            raise
        return process

    def _wait_until_ready(self) -> None:
        deadline_s = time.monotonic() + self._patience_s

        def goes_on() -> bool:
            return not self._is_over and time.monotonic() < deadline_s

        while goes_on():
            if self._answers(goes_on):
                return
            time.sleep(PROBE_S / 2)
        how = "does not start" if self._is_over else f"does not answer in {self._patience_s:g} s"
        raise ConnectError(f"{' '.join(self._command)} {how}: {self.log() or 'it says nothing'}")

    def _answers(self, goes_on: Callable[[], bool]) -> bool:
        """Tell whether it answers anything to one connection."""
        try:
            with socket.create_connection(("127.0.0.1", self._probe_port), self._patience_s) as probe:
                probe.sendall(NO_REQUEST)
                probe.settimeout(PROBE_S)
                while goes_on():
                    try:
                        return bool(probe.recv(64))
                    except TimeoutError:
                        continue
        except OSError:  # nobody listens yet
            pass
        return False

    @staticmethod
    def lost_its_port(error: ConnectError) -> bool:
        """Tell whether a program did not start because somebody else has its port."""
        return IN_USE in str(error).lower()
