"""How soon does `streamkit bench --help` answer, and how much is installed for it?

The start is timed as a process, from just before it is made to its end; the peer is an interpreter that does nothing.
The first start of each, which may compile files, is not counted.

The size is that of every file that streamkit and what its core requires have installed here, extras left out, as the
installer has listed them, compiled files included. Python itself is not counted, and neither is pip.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks.commands import command
from benchmarks.measure import Effort, Figure, alternate, ratio
from benchmarks.report import Row, Target
from benchmarks.startup import bare_python_ns

__all__ = ["NAME", "run"]

NAME: Final = "bench-weight"
STARTS: Final = 15
HELP = Target("<=", 0.3, "s")
SIZE = Target("<=", 30, "MB")
REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)[^;]*(?:;(.*))?")
PACKAGE: Final = Path(__file__).parent.parent.parent


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    turns: dict[str, Callable[[], int]] = {"ours": help_ns, "bare": bare_python_ns}
    taken = alternate(turns, effort.of(STARTS, at_least=3))
    figures = {name: Figure.of([ns / 1e9 for ns in times], "s") for name, times in taken.items()}
    against = ratio(taken["ours"], taken["bare"])
    sizes = {name: installed_bytes(name) for name in sorted(core())}
    size = Figure.of([sum(sizes.values()) / 1e6], "MB")
    biggest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    note = f"of {len(sizes)} packages; " + ", ".join(f"{name} {sizes[name] / 1e6:.1f}" for name in biggest)
    return [
        Row(NAME, "--help", figures["ours"], figures["bare"], "python -c pass", against, HELP),
        Row(NAME, "core install", size, target=SIZE, note=note),
    ]


def help_ns() -> int:
    """Ask for help; return how long that took."""
    began_ns = time.perf_counter_ns()
    subprocess.run([*command("streamkit"), "bench", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter_ns() - began_ns


def core() -> set[str]:
    """Return the names of streamkit and of all that its core requires."""
    found: set[str] = set()
    waiting = ["streamkit"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for requirement in metadata.requires(name) or ():
            match = REQUIREMENT.match(requirement)
            if match is not None and not wants_more(match[2] or ""):
                waiting.append(match[1].lower().replace("_", "-"))
    return found


def wants_more(marker: str) -> bool:
    """Tell whether a requirement is for an extra, or for another system or Python than this one."""
    if not marker.strip():
        return False
    if "extra" in marker:
        return True
    try:
        metadata.distribution("packaging")
        from packaging.markers import Marker
    except (metadata.PackageNotFoundError, ImportError):
        return "win32" in marker or "python_version" in marker
    return not Marker(marker.strip()).evaluate()


def installed_bytes(name: str) -> int:
    """Return the size of what a package has installed; of streamkit itself, of its two packages."""
    if name == "streamkit":
        packages = (PACKAGE / "streamkit", PACKAGE / "mockserver")
        return sum(path.stat().st_size for each in packages for path in each.rglob("*") if path.is_file())
    paths = {Path(str(file.locate())) for file in metadata.files(name) or ()}
    return sum(path.stat().st_size for path in paths if path.is_file())
