"""Drives eventsource_parser.mjs: the JavaScript eventsource-parser, taking its turns in the same rounds as the others.

The package is looked for in the folder that `EVENTSOURCE_PARSER_DIR` names, then in `benchmarks/node_modules` (`npm
install` in this folder puts it there). Node times its own passes with its own wall clock, after the warm-up round has
let it compile the code; the pipe between the two processes is outside of the timed span.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.measure import Unavailable
from benchmarks.peers import Tally

__all__ = ["EventsourceParser"]

HERE = Path(__file__).parent
PACKAGE = "eventsource-parser"


class EventsourceParser:
    """A node process that holds the wire and parses it on request. A context manager."""

    def __init__(self, wire_file: Path) -> None:
        """Start node on the wire in `wire_file`.

        Raises:
            Unavailable: there is no node, or no package.
        """
        node = shutil.which("node")
        if node is None:
            msg = f"{PACKAGE}: no node on the PATH"
            raise Unavailable(msg)
        folder = package_folder()
        self.name = f"{PACKAGE} {json.loads((folder / 'package.json').read_text())['version']}"
        self._process = subprocess.Popen(
            [node, str(HERE / "eventsource_parser.mjs"), str(folder), str(wire_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.tally = Tally(0, 0)

    def set_reads(self, chunks: Sequence[bytes]) -> None:
        """From now on the wire comes in reads of these sizes."""
        self._order({"ends": list(accumulate(map(len, chunks)))})

    def turn(self, at_least_ms: int = 30) -> int:
        """Nanoseconds a pass over the wire; `tally` has what came out (its chars are UTF-16 units)."""
        self._order({"at_least_ms": at_least_ms})
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            msg = f"{self.name}: node ended with {self._process.wait()}"
            raise RuntimeError(msg)
        answer = json.loads(line)
        self.tally = Tally(answer["events"], answer["chars"])
        return int(answer["ns"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:
            if error is not None:
                self._process.kill()

    def _order(self, order: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()


def package_folder() -> Path:
    """Where the package is.

    Raises:
        Unavailable: nowhere that is looked at.
    """
    named = os.environ.get("EVENTSOURCE_PARSER_DIR")
    roots = [Path(named)] if named else []
    for root in (*roots, HERE / "node_modules"):
        for folder in (root, root / PACKAGE, root / "node_modules" / PACKAGE):
            if folder.name == PACKAGE and (folder / "dist" / "index.js").is_file():
                return folder
    msg = f"{PACKAGE}: not in EVENTSOURCE_PARSER_DIR nor in benchmarks/node_modules (npm install there)"
    raise Unavailable(msg)
