"""The ways from a client to an upstream, and how each of them is started.

Every one is a single process with a single thread that does the work, and none of them writes an access log (ours does
so by default only on a terminal). The peers are set up as one would set them up for streams: nothing is held back, and
connections to the upstream are kept.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from benchmarks.commands import command, tool
from benchmarks.measure import Unavailable
from benchmarks.mock.servers import Launch, Server

__all__ = ["ASGI", "OURS", "PEERS", "RELAY", "Contenders", "Launcher", "Started", "gateway", "relay", "versions"]

HERE = Path(__file__).parent
OURS, RELAY, ASGI = "gateway", "trio relay", "ASGI relay"

Launcher = Callable[[int, Path], Launch]
"""From the upstream's port, and a folder for files, to how it is started. Raises Unavailable where it is not here."""

NGINX = """\
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream upstream {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""
HAPROXY = """\
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  option http-no-delay
  option abortonclose
  timeout connect 10s
  timeout client 600s
  timeout server 600s
listen relay
  bind 127.0.0.1:{port}
  server upstream 127.0.0.1:{upstream}
"""


def gateway(upstream: int, _folder: Path) -> Launch:
    """The gateway.

    Raises:
        Unavailable: this checkout has none.
    """
    if importlib.util.find_spec("streamkit.gateway.gateway") is None:
        raise Unavailable("there is no `streamkit gateway` here")
    url = f"http://127.0.0.1:{upstream}"
    return Launch(command("streamkit", "gateway", "--upstream", url, "--listen", "127.0.0.1:0", "--ready-json"))


def relay(upstream: int, _folder: Path) -> Launch:
    """The bare byte relay of relay.py."""
    return Launch([sys.executable, str(HERE / "relay.py"), str(upstream)])


def asgi_relay(upstream: int, _folder: Path) -> Launch:
    """The relay of asgi_relay.py."""
    for package in ("httpx", "starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise Unavailable(f"{package} is not installed")
    return Launch([sys.executable, str(HERE / "asgi_relay.py"), str(upstream)])


def nginx(upstream: int, folder: Path) -> Launch:
    """Nginx with `proxy_buffering off`."""
    program, port = tool("nginx"), free_port()
    return Launch([program, "-p", str(folder), "-e", "stderr", "-c", written(NGINX, folder, upstream, port)], port)


def haproxy(upstream: int, folder: Path) -> Launch:
    """Haproxy with `option http-no-delay`, and with `abortonclose`, so that it looks whether clients leave."""
    program, port = tool("haproxy"), free_port()
    return Launch([program, "-db", "-q", "-f", written(HAPROXY, folder, upstream, port)], port)


PEERS: Final[Mapping[str, Launcher]] = MappingProxyType({ASGI: asgi_relay, "nginx": nginx, "haproxy": haproxy})


@dataclass(frozen=True)
class Contenders:
    """Who is measured: the gateway in question, the bare relay, and further peers by name."""

    ours: Launcher = gateway
    relay: Launcher = relay
    peers: Mapping[str, Launcher] = field(default_factory=lambda: PEERS)


class Started:
    """Those of the contenders that are here and start, all of them running on one upstream. A context manager.

    Attributes:
        servers: by name.
        absent: why the other peers are not there, by name.
    """

    def __init__(self, contenders: Contenders, upstream: int, *, alone: bool = False) -> None:
        """Prepare; entering starts them. With `alone` only ours is started.

        Raises:
            Unavailable: on entering; ours is not here.
            RuntimeError: on entering; ours, or the bare relay, did not start.
        """
        self.servers: dict[str, Server] = {}
        self.absent: dict[str, str] = {}
        self._stack = ExitStack()
        self._upstream = upstream
        self._launchers = {OURS: contenders.ours}
        if not alone:
            self._launchers |= {RELAY: contenders.relay, **contenders.peers}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for number, (name, launcher) in enumerate(self._launchers.items()):
                own = folder / str(number)
                own.mkdir()
                try:
                    self.servers[name] = stack.enter_context(Server(name, launcher(self._upstream, own)))
                except (Unavailable, RuntimeError) as why:
                    if name in {OURS, RELAY}:
                        raise
                    self.absent[name] = str(why)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def versions() -> dict[str, str]:
    """Which version of each peer is here, by its name."""
    found = {}
    for name, option in (("nginx", "-v"), ("haproxy", "-v")):
        try:
            said = subprocess.run([tool(name), option], capture_output=True, text=True, check=False)
        except Unavailable:
            continue
        number = re.search(r"\d+\.\d+[\w.]*", said.stdout + said.stderr)
        found[name] = number.group() if number else "unknown"
    for name in ("starlette", "uvicorn", "httpx", "uvloop", "httptools"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def free_port() -> int:
    """A port that was free a moment ago: these servers cannot choose one themselves and tell."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def written(text: str, folder: Path, upstream: int, port: int) -> str:
    """The path of the configuration."""
    file = folder / "configuration"
    file.write_text(text.format(folder=folder, upstream=upstream, port=port), encoding="utf-8")
    return str(file)
