"""The ways from a client to an upstream, and how each of them is started.

Every one is a single process with a single thread that does the work, and none of them writes an access log (ours does
so by default only on a terminal) but LiteLLM's proxy, whose line for each request goes nowhere. The peers are set up as
one would set them up for streams: nothing is held back, and connections to the upstream are kept.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
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

__all__ = [
    "ASGI",
    "CONVERTERS",
    "CONVERTING",
    "LITELLM",
    "OURS",
    "PEERS",
    "RELAY",
    "Contenders",
    "Launcher",
    "Started",
    "converting",
    "gateway",
    "relay",
    "versions",
]

HERE = Path(__file__).parent
OURS, CONVERTING, RELAY = "gateway", "converting gateway", "trio relay"
ASGI, LITELLM = "ASGI relay", "LiteLLM's proxy"

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
LITELLM_PROXY = """\
model_list:
  - model_name: mock
    litellm_params: {{model: ollama_chat/mock, api_base: "http://127.0.0.1:{upstream}"}}
router_settings: {{num_retries: 0}}
general_settings: {{dangerously_permit_weak_or_unset_master_key: true}}
"""
LITELLM_READY_WITHIN_S: Final = 120.0
"""It loads for ten seconds on an idle machine."""


def gateway(upstream: int, _folder: Path, *options: str) -> Launch:
    """The gateway, with further options.

    Raises:
        Unavailable: this checkout has none.
    """
    if importlib.util.find_spec("streamkit.gateway.gateway") is None:
        raise Unavailable("there is no `streamkit gateway` here")
    where = ("--upstream", f"http://127.0.0.1:{upstream}", "--listen", "127.0.0.1:0")
    return Launch(command("streamkit", "gateway", *where, "--ready-json", *options))


def converting(upstream: int, folder: Path) -> Launch:
    """The gateway before an upstream that speaks Ollama's chat.

    Raises:
        Unavailable: this checkout has none, or one that passes on only.
    """
    if importlib.util.find_spec("streamkit.gateway.converting") is None:
        raise Unavailable("there is no `streamkit gateway --speaks` here")
    return gateway(upstream, folder, "--speaks", "ollama-chat")


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


def litellm(upstream: int, folder: Path) -> Launch:
    """LiteLLM's proxy with one worker, without keys, retries, or asking the network for prices."""
    program, port = litellm_program(), free_port()
    configuration = written(LITELLM_PROXY, folder, upstream, port)
    where = ("--host", "127.0.0.1", "--port", str(port), "--config", configuration)
    return Launch(["env", "LITELLM_LOCAL_MODEL_COST_MAP=True", program, *where], port, LITELLM_READY_WITHIN_S)


def litellm_program() -> str:
    """The path of `litellm`: on the PATH, or beside this interpreter.

    Raises:
        Unavailable: it is in neither place.
    """
    beside = shutil.which("litellm", path=sysconfig.get_path("scripts"))
    return beside or tool("litellm")


PEERS: Final[Mapping[str, Launcher]] = MappingProxyType({ASGI: asgi_relay, "nginx": nginx, "haproxy": haproxy})
CONVERTERS: Final[Mapping[str, Launcher]] = MappingProxyType({LITELLM: litellm})


@dataclass(frozen=True)
class Contenders:
    """Who is measured: the gateway in question, the bare relay, and further peers by name.

    Attributes:
        ours: the gateway as it passes on.
        relay: the bare relay.
        peers: others that pass on.
        converting: the gateway as it converts.
        converters: others that convert.
    """

    ours: Launcher = gateway
    relay: Launcher = relay
    peers: Mapping[str, Launcher] = field(default_factory=lambda: PEERS)
    converting: Launcher = converting
    converters: Mapping[str, Launcher] = field(default_factory=lambda: CONVERTERS)

    def passing(self) -> dict[str, Launcher]:
        """All that pass on, by name."""
        return {OURS: self.ours, RELAY: self.relay, **self.peers}

    def compared(self) -> dict[str, Launcher]:
        """All that convert, by name, and what they are held against."""
        return {CONVERTING: self.converting, OURS: self.ours, RELAY: self.relay, **self.converters}


class Started:
    """Those of some launchers that are here and start, all of them running on one upstream. A context manager.

    Attributes:
        servers: by name.
        absent: why the other peers are not there, by name.
    """

    def __init__(self, launchers: Mapping[str, Launcher], upstream: int) -> None:
        """Prepare; entering starts them.

        Raises:
            Unavailable: on entering; ours is not here.
            RuntimeError: on entering; ours, or the bare relay, did not start.
        """
        self.servers: dict[str, Server] = {}
        self.absent: dict[str, str] = {}
        self._stack = ExitStack()
        self._upstream = upstream
        self._launchers = launchers

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for number, (name, launcher) in enumerate(self._launchers.items()):
                own = folder / str(number)
                own.mkdir()
                try:
                    self.servers[name] = stack.enter_context(Server(name, launcher(self._upstream, own)))
                except (Unavailable, RuntimeError) as why:
                    if name in {OURS, CONVERTING, RELAY}:
                        raise
                    self.absent[name] = str(why)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def versions() -> dict[str, str]:
    """Which version of each peer is here, by its name."""
    found = {}
    finding = {"nginx": ("-v", tool), "haproxy": ("-v", tool), "litellm": ("--version", lambda _: litellm_program())}
    for name, (option, find) in finding.items():
        try:
            said = subprocess.run([find(name), option], capture_output=True, text=True, check=False)
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
