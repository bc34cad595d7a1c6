"""The peer from npm: `@copilotkit/aimock`, started on a fixture that says what it is asked for.

The package is looked for in the folder that `AIMOCK_DIR` names, then in `benchmarks/node_modules` (`npm install` in the
folder of the benchmarks puts it there). A token is one chunk of five characters; with no rate and no delay it is left
to its own way, in which it writes all chunks of a response without a pause, so it stands for both ways of writing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.measure import Unavailable
from benchmarks.mock.servers import Asked, Launch

__all__ = ["launcher", "peers"]

HERE = Path(__file__).parent.parent
PACKAGE = "@copilotkit/aimock"
WORD = "word "


def launcher(folder: Path) -> Callable[[Asked], Launch]:
    """What starts it, with its fixtures in `folder`.

    Raises:
        Unavailable: there is no node, or no package.
    """
    node = shutil.which("node")
    if node is None:
        msg = f"{PACKAGE}: no node on the PATH"
        raise Unavailable(msg)
    program = str(package_folder() / "dist" / "cli.js")

    def launch(asked: Asked) -> Launch:
        file = folder / f"{asked.tokens}-{asked.rate:g}-{asked.ttft_ms}.json"
        file.write_text(json.dumps(fixture(asked)), encoding="utf-8")
        port = free_port()
        options = ["-p", str(port), "-h", "127.0.0.1", "-f", str(file), "-c", str(len(WORD)), "--log-level", "silent"]
        return Launch([node, program, *options], port)

    return launch


def peers(folder: Path) -> tuple[Mapping[str, Callable[[Asked], Launch]], str]:
    """The peers that are here, and why one is not, or an empty text."""
    try:
        return {f"aimock {version()}": launcher(folder)}, ""
    except Unavailable as why:
        return {}, str(why)


def version() -> str:
    """The version that is installed.

    Raises:
        Unavailable: none is.
    """
    return str(json.loads((package_folder() / "package.json").read_text(encoding="utf-8"))["version"])


def fixture(asked: Asked) -> dict[str, object]:
    """What it is to answer."""
    reply: dict[str, object] = {
        "match": {"userMessage": "benchmark"},
        "response": {"content": WORD * asked.tokens},
    }
    if asked.rate:
        # Asked for a TTFT of 0 it would use its default.
        reply["streamingProfile"] = {"ttft": asked.ttft_ms or 1, "tps": asked.rate}
    return {"fixtures": [reply]}


def free_port() -> int:
    """A port that was free a moment ago: this server cannot choose one itself and tell."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def package_folder() -> Path:
    """Where the package is.

    Raises:
        Unavailable: nowhere that is looked at.
    """
    named = os.environ.get("AIMOCK_DIR")
    roots = [Path(named)] if named else []
    for root in (*roots, HERE / "node_modules"):
        for folder in (root, root / PACKAGE, root / "node_modules" / PACKAGE):
            if (folder / "dist" / "cli.js").is_file():
                return folder
    msg = f"{PACKAGE}: not in AIMOCK_DIR nor in benchmarks/node_modules (npm install in benchmarks)"
    raise Unavailable(msg)
