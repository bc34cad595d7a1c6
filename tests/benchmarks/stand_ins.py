"""What takes the place of a gateway in the tests of its questions: the bare relay, and relays that are wrong."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.gateway.contenders import Launcher, relay
from benchmarks.measure import Effort, Unavailable
from benchmarks.mock.servers import Launch
from benchmarks.report import Row

TINY = Effort(size=0.02, rounds=1)
LIMIT_S = 0.5


def through(prelude: str) -> Launcher:
    """The bare relay, after some Python of its own."""

    def launch(upstream: int, folder: Path) -> Launch:
        arguments = relay(upstream, folder).command[1:]
        run = f"import runpy, sys; sys.argv = {arguments!r}; runpy.run_path({arguments[0]!r}, None, '__main__')"
        return Launch([sys.executable, "-c", f"{prelude}\n{run}"])

    return launch


def sending(*lines: str) -> Launcher:
    """The bare relay with these lines in the place of its writes; `real` is what writes."""
    body = "".join(f"    {line}\n" for line in lines)
    return through(
        "import time, trio; real = trio.SocketStream.send_all; held = {}\n"
        f"async def send_all(self, data):\n{body}trio.SocketStream.send_all = send_all"
    )


def receiving(*lines: str) -> Launcher:
    """The bare relay with these lines behind its reads."""
    body = "".join(f"    {line}\n" for line in lines)
    return through(
        "import trio; real = trio.SocketStream.receive_some; kept = []\n"
        "async def receive_some(self):\n    data = await real(self)\n"
        f"{body}    return data\ntrio.SocketStream.receive_some = receive_some"
    )


SLOW = sending("time.sleep(0.01)", "await real(self, data)")
LATE = sending(
    "if data.startswith(b'POST'): return await real(self, data)",
    "await real(self, held.get(self, b''))",
    "held[self] = data",
)
DEAF = receiving("if not data: await trio.sleep_forever()")
LEAKY = receiving("kept.append(bytes(10_000))")
LOSING = sending("await real(self, data.replace(b'chatcmpl-00000007', b'CHATCMPL-00000007'))")


def absent(_upstream: int, _folder: Path) -> Launch:
    raise Unavailable("it is on holiday")


def failing(_upstream: int, _folder: Path) -> Launch:
    return Launch([sys.executable, "-c", "raise SystemExit('no such luck')"])


def against(rows: list[Row], peer: str, word: str) -> Row:
    (found,) = [row for row in rows if row.peer_name == peer and row.what.endswith(word)]
    return found
