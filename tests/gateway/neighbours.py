"""nginx and haproxy on loopback, as neighbours of what is tested: started for a block, configured in a few words.

::

    with nginx(gateway.port, streaming=True) as neighbour:
        ...  # any client, at neighbour.url

Each is a child of ours, in the foreground, with one worker and a configuration in a directory that is deleted
afterwards. It is ended by its own pid, whatever happens; on Linux it dies with the thread that started it. No port is
looked for and lost: the socket listens before the program starts, and is handed over to it (nginx calls that a binary
upgrade, haproxy `fd@`). So a program that is started again has the port that it had.

Starting one blocks the caller for some 30 ms.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["NEIGHBOURS", "Neighbour", "haproxy", "nginx"]

PLACES: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
"""The PATH of an ordinary user does not lead to where Debian has the programs of daemons."""

PATIENCE_S: Final = 20.0
"""How long a program may take to start, or to end, on a machine that has much else to do."""

NO_REQUEST: Final = b"?\r\n\r\n"
"""What they refuse themselves, in some words, as soon as they work."""

BACKLOG: Final = 511

NGINX: Final = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {compression}
    upstream neighbour {{ server 127.0.0.1:{upstream_port}; {pool} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {target};
            {options}
        }}
    }}
}}
"""

NGINX_STREAMING: Final = """\
proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host 127.0.0.1:{upstream_port};
proxy_buffering off; proxy_request_buffering off; client_max_body_size 0;
"""

NGINX_GZIP: Final = """\
gzip on; gzip_proxied any; gzip_types text/plain text/event-stream application/json application/x-ndjson;
"""

HAPROXY: Final = """\
global
    nbthread 1
    maxconn 2048
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    {options}
listen neighbour
    bind fd@{fd}
    server upstream 127.0.0.1:{upstream_port}
"""

HAPROXY_STREAMING: Final = """\
option http-no-delay
    option abortonclose
"""


class Neighbour:
    """A program that runs; `nginx` and `haproxy` make one.

    Attributes:
        port: where it listens, at 127.0.0.1.
        url: the same.
    """

    def __init__(self, command: list[str], listening: socket.socket, directory: Path) -> None:
        self._command = command
        self._listening = listening
        self._directory = directory
        self.port: int = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = self._started()

    @property
    def pids(self) -> list[int]:
        """Its process, and the worker that nginx's has; Linux alone tells them."""
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
        """End it at once."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        fd = self._listening.fileno()
        with (self._directory / "output.log").open("ab") as output:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[fd],
                start_new_session=True,  # a group of its own, should it not end in peace
                env={**os.environ, "NGINX": f"{fd};"},  # nginx takes over what listens there
            )
        self._process = process
        try:
            self._wait_until_ready()
        except BaseException:
            self.end()
            raise
        return process

    def _wait_until_ready(self) -> None:
        """Return once it answers.

        Raises:
            RuntimeError: it does not; with all that it said.
        """
        deadline = time.monotonic() + PATIENCE_S
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as probe:
            probe.sendall(NO_REQUEST)
            probe.settimeout(0.05)
            while self._process.poll() is None and time.monotonic() < deadline:
                try:
                    if probe.recv(64):
                        return
                    break
                except TimeoutError:
                    continue
        raise RuntimeError(f"{' '.join(self._command)} does not start: {self.log() or 'it says nothing'}")


@contextmanager
def nginx(upstream_port: int, *, streaming: bool = False, gzip: bool = False) -> Iterator[Neighbour]:
    """Run nginx before what listens at 127.0.0.1:`upstream_port` while the block runs.

    Args:
        upstream_port: where it passes requests on to.
        streaming: as one configures it for streams: HTTP/1.1 and kept connections to the upstream, nothing buffered in
            either direction. Otherwise there is nothing but a `proxy_pass`: HTTP/1.0, and everything buffered.
        gzip: compress for clients that accept it.

    Raises:
        RuntimeError: it is not installed, or does not start.
    """

    def configured(directory: Path, listening: socket.socket) -> list[str]:
        config = directory / "nginx.conf"
        config.write_text(
            NGINX.format(
                directory=directory,
                port=listening.getsockname()[1],
                upstream_port=upstream_port,
                target="http://neighbour" if streaming else f"http://127.0.0.1:{upstream_port}",
                pool="keepalive 64;" if streaming else "",
                options=NGINX_STREAMING.format(upstream_port=upstream_port) if streaming else "",
                compression=NGINX_GZIP if gzip else "",
            )
        )
        return ["-p", f"{directory}", "-e", f"{directory / 'error.log'}", "-c", f"{config}"]

    with _running("nginx", configured) as neighbour:
        yield neighbour


@contextmanager
def haproxy(upstream_port: int, *, streaming: bool = False) -> Iterator[Neighbour]:
    """Run haproxy before what listens at 127.0.0.1:`upstream_port` while the block runs.

    Args:
        upstream_port: where it passes requests on to.
        streaming: as one configures it for streams, with `http-no-delay` and `abortonclose`. Otherwise small pieces
            wait for 200 ms in the kernel, and a client that leaves in silence is not noticed.

    Raises:
        RuntimeError: it is not installed, or does not start.
    """

    def configured(directory: Path, listening: socket.socket) -> list[str]:
        config = directory / "haproxy.cfg"
        options = HAPROXY_STREAMING if streaming else ""
        config.write_text(HAPROXY.format(fd=listening.fileno(), upstream_port=upstream_port, options=options))
        return ["-q", "-db", "-f", f"{config}"]

    with _running("haproxy", configured) as neighbour:
        yield neighbour


NEIGHBOURS: Final = {"nginx": nginx, "haproxy": haproxy}


@contextmanager
def _running(tool: str, configured: Callable[[Path, socket.socket], list[str]]) -> Iterator[Neighbour]:
    program = shutil.which(tool, path=PLACES)
    setpriv = shutil.which("setpriv")
    dying_with_us = [setpriv, "--pdeathsig", "TERM"] if setpriv else []
    if program is None:
        raise RuntimeError(f"{tool} is not installed: it is Debian's package of this name")
    with tempfile.TemporaryDirectory(prefix=f"{tool}-") as folder, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(BACKLOG)
        directory = Path(folder)
        directory.chmod(0o711)  # where we are root, nginx's worker is not
        neighbour = Neighbour([*dying_with_us, program, *configured(directory, listening)], listening, directory)
        try:
            yield neighbour
        except BaseException as error:
            error.add_note(f"{tool} said: {neighbour.log() or 'nothing'}")
            raise
        finally:
            neighbour.end()
