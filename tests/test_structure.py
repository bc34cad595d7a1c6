"""The shape of the project, checked: who imports whom, what each entry point loads, how long a module may be.

`problems_in` reads the syntax tree of every module, so an import inside a function counts like any other. Each rule has
a small made-up tree that breaks it. What a module loads at run time is asked of a fresh process.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pytest

import mockserver
import streamkit
from streamkit.cli.group import COMMANDS as NAMES

ROOT = Path(__file__).parent.parent

PACKAGES = ("streamkit", "mockserver")

LAYERS = (
    ("errors",),
    ("codecs",),
    ("dialects",),
    ("vendors",),
    ("io", "http"),
    ("client",),
    ("gateway",),
    ("mockserver",),
    ("contract", "bench", "watch"),
    ("cli",),
    ("testing",),  # nothing that is shipped imports the laws for tests
)
"""Lowest first. A module imports from its own unit and from lower layers; units of one layer must not form a cycle."""

ONLY = {
    "mockserver": {"errors", "codecs", "dialects", "vendors", "io", "http"},
    "testing": {"errors", "codecs"},
}
"""Units that may import less than what stands below them."""

PURE = (
    "streamkit.errors",
    "streamkit.codecs",
    "streamkit.dialects",
    "streamkit.vendors",
    *(f"streamkit.bench.{name}" for name in ("record", "observer", "plan", "schedule", "prepare", "job", "results")),
    *(f"streamkit.bench.{name}" for name in ("metrics", "distribution", "tally", "sample", "progress")),
    *(f"streamkit.bench.{name}" for name in ("statistics", "differences", "until", "knee", "compare", "versus")),
    *(f"streamkit.bench.{name}" for name in ("conditions", "masking", "pair_error")),
    *(f"streamkit.bench.{name}" for name in ("hdr", "hlog", "ollama", "checked", "messages", "numbers", "shares")),
    *(f"streamkit.bench.{name}" for name in ("loads", "prompts", "slo", "traces", "warmup")),
    *(f"streamkit.bench.{name}" for name in ("shape", "truth", "compared", "calibration", "pairs", "emission")),
    *(f"streamkit.bench.locust.{name}" for name in ("collection", "hooks", "options", "said")),
    *(f"streamkit.bench.report.{name}" for name in ("document", "fields", "run_fields", "veil", "cells")),
    *(f"streamkit.bench.report.{name}" for name in ("words", "marks")),
    *(f"streamkit.bench.report.blocks{name}" for name in ("", "_compare", "_pairs", "_run", "_sweep")),
    *(f"streamkit.bench.report.page{name}" for name in ("", "_css", "_curves", "_figures", "_js", "_load")),
    *(f"streamkit.bench.report.page_{name}" for name in ("pairs", "requests", "tables", "words")),
    *(f"streamkit.contract.{name}" for name in ("verdicts", "trace", "content", "setting", "results", "case", "cases")),
    *(f"streamkit.contract.{name}" for name in ("diagnosis", "doubt", "explain", "misfit", "selection", "sse_forms")),
    *(f"streamkit.contract.{name}" for name in ("options", "token", "told")),
    *(f"streamkit.contract.proxies.{name}" for name in ("proxy", "nginx", "haproxy", "apache", "mitmproxy", "litellm")),
    *(f"streamkit.contract.report.{name}" for name in ("document", "evidence", "expected", "junit", "secrets", "text")),
    *(f"streamkit.contract.report.{name}" for name in ("page", "page_case", "page_css", "page_js", "timeline")),
    "streamkit.http.wire",
    "streamkit.http.head",
    "streamkit.http.limits",
    "streamkit.http.redact",
    *(f"streamkit.http.{name}" for name in ("field", "forward", "hosts", "origin", "unframe")),
    *(f"streamkit.gateway.{name}" for name in ("cors", "crossing", "failures", "guard", "heads", "log", "losses")),
    *(f"streamkit.gateway.{name}" for name in ("record", "rename", "retouch", "route", "seals", "translated")),
    *(f"streamkit.gateway.{name}" for name in ("stream_buffer", "websocket_ending", "websocket_handshake")),
    *(f"streamkit.watch.{name}" for name in ("controls", "frames", "keymask", "lanes", "moments", "prefix")),
    "streamkit.watch.rows",
    *("streamkit.client.asking", "streamkit.client.coding", "streamkit.io.readlog", "streamkit.io.recorded"),
    *(f"mockserver.{name}" for name in ("script", "response", "settings", "ask", "tokens", "seeds", "canonical")),
    *(f"mockserver.{name}" for name in ("answers", "pacing", "durations", "wording", "splits", "faults")),
    *(f"mockserver.{name}" for name in ("compose", "plan", "resume", "admin", "scripted")),
    *(f"mockserver.recording.{name}" for name in ("reading", "replay", "upstream")),
    *(f"mockserver.config.{name}" for name in ("grammar", "header", "keys", "values", "scenarios", "tomllines")),
)
"""Modules, with everything in them, that do no I/O and know no clock: time and randomness reach them as values."""

PURE_THIRD_PARTY = {"msgspec"}

IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "os", "select", "selectors", "signal", "socket", "ssl", "subprocess"),
    *("threading", "time", "secrets", "tempfile", "uuid"),
    "importlib",  # it could load any of the others
}
"""Modules of the standard library with I/O, a clock, or randomness of their own. `random` has a rule of its own."""

MAX_LINES = 400


@dataclass(frozen=True)
class Import:
    """One imported module: its absolute name, the names taken from it, and when it is loaded."""

    module: str
    name: str | None
    line: int
    when: str  # "loading", "calling" (inside a function), or "typing" (under TYPE_CHECKING)


@dataclass(frozen=True)
class Module:
    """One file of the tree."""

    path: Path
    name: str
    tree: ast.Module

    @property
    def unit(self) -> str:
        return unit_of(self.name)

    @property
    def is_pure(self) -> bool:
        return is_inside(self.name, PURE)

    def imports(self) -> Iterator[Import]:
        yield from self._imports_in(self.tree, "loading")

    def _imports_in(self, node: ast.AST, when: str) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Import(names=names):
                    yield from (Import(alias.name, None, child.lineno, when) for alias in names)
                case ast.ImportFrom(module=module, names=names, level=level):
                    source = ".".join(filter(None, [self._package(level), module]))
                    yield from (Import(source, alias.name, child.lineno, when) for alias in names)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                    yield from self._imports_in(child, "calling")
                case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                    yield from self._imports_in(ast.Module(child.body, []), "typing")
                    yield from self._imports_in(ast.Module(child.orelse, []), when)
                case _:
                    yield from self._imports_in(child, when)

    def _package(self, level: int) -> str | None:
        """The package that a relative import with `level` dots starts from."""
        if not level:
            return None
        drop = level - 1 if self.path.name == "__init__.py" else level
        parts = self.name.split(".")
        return ".".join(parts[: len(parts) - drop])


def paths_under(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for package in PACKAGES for path in (root / package).rglob("*.py"))


def module_at(root: Path, path: Path) -> Module:
    parts = path.with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(path, name, ast.parse((root / path).read_bytes()))


def modules_under(root: Path) -> list[Module]:
    return [module_at(root, path) for path in paths_under(root)]


def is_inside(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def unit_of(module: str) -> str:
    """`streamkit.codecs.sse` is in `codecs`, `streamkit` itself in `root`, all of mockserver in `mockserver`."""
    package, _, rest = module.partition(".")
    if module == "mockserver.__main__":
        return "cli"
    if package != "streamkit":
        return package
    return rest.partition(".")[0].replace("__main__", "cli") or "root"


def layer_of(unit: str) -> int | None:
    return next((level for level, units in enumerate(LAYERS) if unit in units), None)


def problems_in(root: Path) -> list[str]:
    """Every broken rule about imports and purity under `root`, one sentence each."""
    modules = modules_under(root)
    names = {module.name for module in modules}
    problems = []
    edges: dict[str, set[str]] = {}
    for module in modules:
        if module.unit != "root" and layer_of(module.unit) is None:
            problems.append(f"{module.path}: {module.unit} has no place in LAYERS")
        for imported in module.imports():
            submodule = f"{imported.module}.{imported.name}"
            target = submodule if submodule in names else imported.module
            if is_inside(target, PACKAGES):
                if unit_of(target) != "root":  # of which only the version may be had, and no name that is loaded
                    edges.setdefault(module.unit, set()).add(unit_of(target))
                reason = wrong_direction(module, imported, target)
            else:
                reason = wrong_third_party(module, imported)
            if reason:
                problems.append(f"{module.path}:{imported.line}: {reason}")
        if module.is_pure:
            problems += [f"{module.path}:{line}: {reason}" for line, reason in impure_calls(module.tree)]
    try:
        TopologicalSorter({unit: targets - {unit} for unit, targets in edges.items()}).prepare()
    except CycleError as error:
        problems.append(f"units import each other in a circle: {' -> '.join(error.args[1])}")
    return problems


def wrong_direction(module: Module, imported: Import, target: str) -> str | None:
    unit = unit_of(target)
    if module.unit == "root":
        return f"streamkit itself loads {target}: its names are to be lazy" if imported.when == "loading" else None
    if unit == "root":
        is_constant = (imported.name or "").startswith("__")
        return None if is_constant else "imports a lazy name of streamkit: name the module that has it"
    here, there = layer_of(module.unit), layer_of(unit)
    if here is None or there is None or unit == module.unit:
        return None
    if there > here:
        return f"{module.unit} imports {target}, which is above it"
    if unit not in ONLY.get(module.unit, {unit}) and not (module.unit == "testing" and imported.when != "loading"):
        return f"{module.unit} imports {target}: only {', '.join(sorted(ONLY[module.unit]))} are meant for it"
    return None


def wrong_third_party(module: Module, imported: Import) -> str | None:
    package = imported.module.partition(".")[0]
    if module.unit == "root" and imported.when == "loading" and package not in sys.stdlib_module_names:
        return f"streamkit itself loads {package}"
    if module.unit == "testing" and imported.when == "loading" and package in {"hypothesis", "trio"}:
        return f"testing loads {package} before anybody asked for it"
    if not module.is_pure:
        return None
    if package == "random":
        return None if imported.name == "Random" else "a pure module takes `Random` from random and nothing else"
    if package in IMPURE or (package not in sys.stdlib_module_names and package not in PURE_THIRD_PARTY):
        return f"a pure module imports {package}"
    return None


def impure_calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What needs no import to be impure: `Random()` without a seed, and the present time."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Random"), args=[], keywords=[]):
                yield node.lineno, "Random() without a seed in a pure module"
            case ast.Call(func=ast.Attribute(attr="now" | "utcnow" | "today" as attr)):
                yield node.lineno, f"{attr}() in a pure module: time comes in as a value"
            case ast.Call(func=ast.Name(id="open" | "input" | "print" | "__import__" as name)):
                yield node.lineno, f"{name}() in a pure module"


# ------------------------------------------------------------------------------------------------------ the rules hold


def test_imports_point_one_way_and_pure_modules_are_pure() -> None:
    assert problems_in(ROOT) == []


def test_the_tree_was_read() -> None:
    """A checker that finds no module finds no problem either."""
    stage = Path("streamkit/codecs/stage.py")
    assert {Path("streamkit/__init__.py"), Path("streamkit/errors.py"), stage} <= {*paths_under(ROOT)}
    assert "streamkit.errors" in {imported.module for imported in module_at(ROOT, stage).imports()}


def test_every_module_says_what_it_is() -> None:
    assert [str(module.path) for module in modules_under(ROOT) if not ast.get_docstring(module.tree)] == []


def test_no_module_is_too_long() -> None:
    lengths = {str(path): len((ROOT / path).read_bytes().splitlines()) for path in paths_under(ROOT)}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


# ------------------------------------------------------------------------------------------------- each rule can break

BROKEN = {
    "up": (
        {"streamkit/codecs/a.py": "import streamkit.dialects.b"},
        "codecs imports streamkit.dialects.b, which is above",
    ),
    "up, in a function": (
        {"streamkit/codecs/a.py": "def f():\n  from streamkit.cli import x"},
        "a.py:2: codecs imports",
    ),
    "up, relative": (
        {"streamkit/codecs/a.py": "from ..io import drive"},
        "codecs imports streamkit.io, which is above",
    ),
    "up, relative, from a package": ({"streamkit/io/__init__.py": "from ..cli import x"}, "io imports streamkit.cli"),
    "up, as a name of streamkit": (
        {"streamkit/errors.py": "from streamkit import codecs", "streamkit/codecs/__init__.py": ""},
        "errors imports streamkit.codecs, which is above",
    ),
    "up, for a type": (
        {"streamkit/io/a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import streamkit.gateway"},
        "a.py:3: io imports streamkit.gateway",
    ),
    "circle in a layer": (
        {"streamkit/io/a.py": "import streamkit.http.b", "streamkit/http/b.py": "import streamkit.io.a"},
        "units import each other in a circle",
    ),
    "lazy name": ({"streamkit/io/a.py": "from streamkit import SSEDecoder"}, "imports a lazy name of streamkit"),
    "no layer": ({"streamkit/helpers.py": ""}, "helpers has no place in LAYERS"),
    "tests in the package": ({"streamkit/cli/a.py": "import streamkit.testing"}, "cli imports streamkit.testing"),
    "mock and client": (
        {"mockserver/server.py": "import streamkit.client"},
        "mockserver imports streamkit.client: only",
    ),
    "client and mock": ({"streamkit/client.py": "import mockserver"}, "client imports mockserver, which is above"),
    "root not lazy": ({"streamkit/__init__.py": "from .codecs import sse"}, "streamkit itself loads streamkit.codecs"),
    "root loads others": ({"streamkit/__init__.py": "import trio"}, "streamkit itself loads trio"),
    "testing loads io": ({"streamkit/testing.py": "import streamkit.io"}, "only codecs, errors are meant for it"),
    "testing loads hypothesis": ({"streamkit/testing.py": "from hypothesis import given"}, "before anybody asked"),
    "trio in a codec": ({"streamkit/codecs/a.py": "def f():\n  import trio.abc"}, "a.py:2: a pure module imports trio"),
    "clock in a dialect": ({"streamkit/dialects/a.py": "from time import monotonic"}, "a pure module imports time"),
    "socket in the errors": ({"streamkit/errors.py": "import socket"}, "a pure module imports socket"),
    "asyncio": ({"mockserver/faults.py": "import asyncio"}, "a pure module imports asyncio"),
    "random": ({"streamkit/codecs/a.py": "import random"}, "takes `Random` from random and nothing else"),
    "random function": ({"mockserver/pacing.py": "from random import choice"}, "takes `Random` from random"),
    "no seed": ({"streamkit/codecs/a.py": "from random import Random\nr = Random()"}, "Random() without a seed"),
    "today": ({"streamkit/dialects/a.py": "import datetime as d\nd.date.today()"}, "today() in a pure module"),
    "open": ({"streamkit/codecs/a.py": "open('x')"}, "open() in a pure module"),
}


@pytest.mark.parametrize(("files", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_found(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    write_tree(tmp_path, files)
    found = problems_in(tmp_path)
    assert len(found) == 1, found
    assert problem in found[0]


def test_what_is_allowed_is_not_reported(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "streamkit/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  from .codecs.a import A",
            "streamkit/codecs/a.py": "from random import Random\nimport msgspec, re\nfrom ..errors import E\nRandom(1)",
            "streamkit/errors.py": "",
            "streamkit/http/a.py": "import time, socket, trio, h11\nfrom streamkit.io import a",
            "streamkit/io/a.py": "from . import b\nimport streamkit.dialects.c",
            "streamkit/io/b.py": "",
            "streamkit/cli/a.py": "from streamkit import __version__\nimport mockserver.server",
            "streamkit/testing.py": "import streamkit.codecs.a\ndef f():\n  import hypothesis, trio",
            "mockserver/server.py": "import streamkit.http.a, time",
        },
    )
    assert problems_in(tmp_path) == []


def write_tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# ------------------------------------------------------------------------------------------------ what is really loaded

HEAVY = {"anyio", "asyncio", "click", "hypothesis", "httpx", "rich", "trio"}

OPTIONAL = {"hypothesis", "httpx", "rich"}

PURE_MODULES = sorted(
    module.name
    for module in modules_under(ROOT)
    if is_inside(module.name, ("streamkit.codecs", "streamkit.dialects.convert", "streamkit.dialects.message_json"))
)
"""The codecs, and what loads every dialect."""

HELP = (
    "streamkit --help",
    *(f"streamkit {name} --help" for name in NAMES),
    *("ndjson-to-sse --help", "sse-to-ndjson --help", "streamkit dialects", "streamkit dialects --json"),
    *("mockserver --help", "mockserver record --help", "mockserver faults", "mockserver endpoints --json"),
)
"""What shows something and reads no stream."""

COMMANDS = (
    *("ndjson-to-sse", "sse-to-ndjson", "streamkit rechunk --size 1"),
    "streamkit convert --from text --to openai-chat",
)


def start(command: str) -> str:
    """Code that does what typing `command` does."""
    words = command.split()
    function = words[0].replace("-", "_")
    return f"import sys; sys.argv = {words}; from streamkit.cli.main import {function}; {function}()"


ENTRY_POINTS = {
    **{f"import {name}": (f"import {name}", HEAVY) for name in ("streamkit", "streamkit.errors", *PURE_MODULES)},
    "from streamkit import SSEDecoder": ("from streamkit import SSEDecoder", HEAVY),
    "import streamkit.testing": ("import streamkit.testing", HEAVY),
    "import mockserver": ("import mockserver, mockserver.pytest_plugin", HEAVY),
    "pytest's plugin": ("import streamkit.contract.pytest_plugin", HEAVY),
    **{command: (start(command), HEAVY - {"click"}) for command in HELP},
    **{command: (start(command), OPTIONAL) for command in COMMANDS},
}
"""What a user starts or imports, the code that does it, and what it must not load. The commands read an empty stdin."""

REPORT = """
import atexit, json, sys
before = set(sys.modules)
atexit.register(lambda: print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr))
"""


def loaded_by(code: str) -> set[str]:
    """The top-level packages that `code` loads in a fresh process."""
    run = subprocess.run(
        [sys.executable, "-c", REPORT + code],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    modules: list[str] = json.loads(run.stderr.splitlines()[-1])
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_entry_point_loads_nothing_heavy(name: str) -> None:
    code, forbidden = ENTRY_POINTS[name]
    loaded = loaded_by(code)
    assert not loaded & forbidden, f"{name} loads {', '.join(sorted(loaded))}"


def test_a_strategy_loads_hypothesis() -> None:
    """And so the test above would see it, were it loaded."""
    assert "hypothesis" in loaded_by("import streamkit.testing; streamkit.testing.splits(b'ab')")


# ----------------------------------------------------------------------------------------------------- the public names


LAZY = pytest.mark.parametrize("package", [streamkit, mockserver], ids=PACKAGES)
"""The packages whose names are loaded when they are used."""


@LAZY
def test_every_public_name_can_be_had(package: ModuleType) -> None:
    assert len(set(package.__all__)) == len(package.__all__)
    assert [name for name in package.__all__ if getattr(package, name, None) is None] == []
    assert set(package.__all__) <= set(dir(package))
    name = package.__name__
    loaded_by(f"from {name} import *; import {name}; assert set({name}.__all__) <= set(dir())")


@LAZY
def test_an_unknown_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        attrgetter("no_such_name")(package)


@LAZY
def test_type_checkers_see_the_same_names(package: ModuleType) -> None:
    """They read the imports under TYPE_CHECKING, Python reads the lazy table: the two must not drift apart."""
    root = module_at(ROOT, Path(package.__name__, "__init__.py"))
    typed = {imported.name for imported in root.imports() if imported.when == "typing"}
    assert typed == {name for name in package.__all__ if not name.startswith("__")}


# -------------------------------------------------------------------------------------------------- the test run itself


@pytest.mark.parametrize(
    ("options", "outcomes"),
    [([], "1 passed, 2 skipped, 1 xfailed"), (["--require-all"], "1 failed, 1 passed, 1 xfailed, 1 error")],
)
def test_require_all_turns_skips_into_failures(tmp_path: Path, options: list[str], outcomes: str) -> None:
    files = {
        "conftest.py": (ROOT / "tests/conftest.py").read_text(),
        "pytest.ini": "[pytest]\nmarkers = needs(*tools)",
        "test_tools.py": "import pytest\n"
        "@pytest.mark.needs('no-such-tool', 'sh')\ndef test_a(): pass\n"
        "@pytest.mark.needs('sh')\ndef test_b(): pass\n"
        "@pytest.mark.xfail\ndef test_c(): assert False\n"
        "def test_d(): pytest.skip('no network')\n",
    }
    write_tree(tmp_path, files)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcomes in run.stdout.splitlines()[-1]
    assert "needs no-such-tool" in run.stdout
    assert run.returncode == bool(options)
