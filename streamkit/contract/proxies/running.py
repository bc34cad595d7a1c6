"""Run an installed proxy before the harness's upstream while a block of a program runs."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from streamkit.contract.proxies.launch import Launch, Seat, find_program
from streamkit.contract.proxies.proxy import Proxy, Setup, Variant, setup_of
from streamkit.contract.results import Product
from streamkit.contract.verdicts import Profile
from streamkit.errors import ConfigError, ConnectError
from streamkit.http.origin import Origin

__all__ = ["Running", "program_of", "running"]

ATTEMPTS: Final = 3
"""How often another port is tried, for a program that cannot be handed a socket."""

MODULES: Final = (
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/local/apache2/modules",
    "/usr/libexec/apache2",
)
"""Where systems have Apache's modules."""

ADDRESS: Final = re.compile(r"[0-9.]+|.*:.*")
"""An address, and no name: neither nginx nor HAProxy looks for one in a certificate."""

USERS: Final = ("www-data", "apache", "http", "nobody")
"""Who may serve, where we are root: the first that there is."""


class Running:
    """A proxy that runs; `running` makes one.

    Attributes:
        url: where it listens.
        port: the same, at 127.0.0.1.
        name: as `--with` has it.
        product: what it is; the version is empty where it does not tell, and the digest leaves out what differs from
            run to run.
        profile: what it is judged as, if nothing else is said.
        model: what has to be asked for; empty where that does not matter.
        headers: what has to be sent with each request.
        beside: how many cases it can be asked side by side; 0 for as many as usual.
    """

    def __init__(self, proxy: Proxy, variant: Variant, setup: Setup, version: str, launch: Launch) -> None:
        self._launch = launch
        self.port: int = launch.seat.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.name = f"{proxy.name}:{variant.name}"
        self.product = Product(proxy.name, version, setup.digest)
        self.profile: Profile = variant.profile
        self.model = proxy.model
        self.headers = proxy.headers
        self.beside = proxy.beside

    @property
    def pids(self) -> list[int]:
        """Its process and its workers; Linux alone tells them."""
        return self._launch.pids

    def log(self) -> str:
        """Return what it said."""
        return self._launch.log()

    def restart(self) -> None:
        """End it and start it again, at the same port; its connections are closed."""
        self._launch.restart()


@contextmanager
def running(
    proxy: Proxy,
    variant: Variant,
    upstream: Origin,
    *,
    advertise: Origin | None = None,
    upstream_ca: Path | None = None,
) -> Iterator[Running]:
    """Run a proxy before `upstream` while the block runs, in a directory that is deleted afterwards.

    It blocks its caller until the proxy answers, and has to be entered in a thread that stays.

    Args:
        proxy: which one.
        variant: how it is configured.
        upstream: where it passes requests on to.
        advertise: what it has to call that, if not as we do.
        upstream_ca: what it trusts there, in a PEM file; only for https. The certificate there has to be one for the
            upstream's name, and for `localhost` where it has none but an address.

    Raises:
        ConfigError: it is not installed, or cannot be started before such an upstream.
        ConnectError: it does not start; with what it said.
    """
    place = advertise or upstream
    setup = setup_of(proxy, variant, place.scheme)
    program = program_of(proxy)
    if place.path:
        raise ConfigError(f"{proxy.name} is started before an upstream without a path of its own, not {place.url}")
    if place.scheme == "https" and upstream_ca is None:
        raise ConfigError(f"{proxy.name} needs the certificate to trust, to be started before {place.url}")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"streamkit-{proxy.name}-")))
        directory.chmod(0o711)  # where we are root, those who serve are not
        asked = stack.enter_context(_asked_version(program, proxy))
        launch = _launched(program, proxy, setup, directory, _places(place, directory, upstream_ca), stack)
        run = Running(proxy, variant, setup, _version(asked, proxy), launch)
        try:
            yield run
        except BaseException as error:
            error.add_note(f"{proxy.name} said: {run.log() or 'nothing'}")
            raise


def program_of(proxy: Proxy) -> str:
    """Return where a proxy's program is.

    Raises:
        ConfigError: it is not installed; with what has it.
    """
    program = find_program(proxy.programs)
    if program is None:
        raise ConfigError(f"{' or '.join(proxy.programs)} is not installed: it comes with {proxy.package}")
    return program


def _launched(  # noqa: PLR0917 - as they are
    program: str, proxy: Proxy, setup: Setup, directory: Path, places: dict[str, str], stack: ExitStack
) -> Launch:
    """Start it; where its port is lost to somebody else, at another one."""
    for attempt in range(1, ATTEMPTS + 1):
        seat = Seat(is_handed=proxy.takes_socket)
        stack.callback(seat.close)
        fd, ready_fd = seat.fds or (0, 0)
        here = setup.at({**places, "port": str(seat.port), "fd": str(fd), "ready_fd": str(ready_fd)})
        for name, text in here.files.items():
            (directory / name).write_text(text)
        uses_ready = any("${ready_fd}" in text for text in setup.files.values())
        try:
            launch = Launch(
                [program, *here.arguments],
                seat,
                directory,
                environment=here.environment,
                probe_port=seat.ready_port if uses_ready else seat.port,
                patience_s=proxy.patience_s,
            )
        except ConnectError as error:
            if proxy.takes_socket or attempt == ATTEMPTS or not Launch.lost_its_port(error):
                raise
            (directory / "output.log").unlink(missing_ok=True)  # so that the next attempt does not look the same
            continue
        stack.callback(launch.end)
        return launch
    raise AssertionError


def _places(upstream: Origin, directory: Path, upstream_ca: Path | None) -> dict[str, str]:
    return {
        "directory": str(directory),
        "upstream_authority": _with_port(upstream),
        "upstream_name": "localhost" if ADDRESS.fullmatch(upstream.host) else upstream.host,
        "upstream_ca": "" if upstream_ca is None else str(upstream_ca.absolute()),
        "modules": next((path for path in MODULES if Path(path).is_dir()), MODULES[0]),
        "user_and_group": _user_and_group(),
    }


def _with_port(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{host}:{origin.port}"


def _user_and_group() -> str:
    """Return Apache's words for who serves; nothing where we are nobody special."""
    if os.geteuid() != 0:
        return ""
    known = {entry.pw_name: entry.pw_gid for entry in pwd.getpwall()}
    user = next(name for name in USERS if name in known)
    return f'User {user}\nGroup "#{known[user]}"'


@contextmanager
def _asked_version(program: str, proxy: Proxy) -> Iterator[subprocess.Popen[str]]:
    """Ask for its version while it starts: there are those that take as long to say it."""
    command = [program, *proxy.version_arguments]
    with subprocess.Popen(  # noqa: S603 - as the launcher's
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as asked:
        try:
            yield asked
        finally:
            asked.kill()


def _version(asked: subprocess.Popen[str], proxy: Proxy) -> str:
    try:
        said, _ = asked.communicate(timeout=proxy.patience_s)
    except subprocess.TimeoutExpired:
        return ""
    found = proxy.version.search(said)
    return "" if found is None else found[1]
