"""The page's modules under node: `tests/watch/node/*.test.mjs`, each file a test.

They import from `../page/`: a directory that is made here of the page's modules and of `streamkit/web`, as the gateway
serves them, and in which node takes a `.js` for a module.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

import streamkit

PACKAGE: Final = Path(streamkit.__file__).parent
NODE: Final = Path(__file__).parent / "node"
TESTS: Final = sorted(NODE.glob("*.test.mjs"))

pytestmark = pytest.mark.needs("node")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the modules are, and their tests beside them."""
    root = tmp_path_factory.mktemp("page_modules")
    for directory in ("page", "node"):
        (root / directory).mkdir()
    for file in [*(PACKAGE / "watch" / "page").glob("*.js"), *(PACKAGE / "web").glob("*.js")]:
        shutil.copy(file, root / "page")
    (root / "page" / "package.json").write_text('{"type": "module"}')
    for file in NODE.glob("*.mjs"):
        shutil.copy(file, root / "node")
    return root


@pytest.mark.parametrize("name", [file.name for file in TESTS])
def test_a_module(place: Path, name: str) -> None:
    command = [shutil.which("node") or "node", "--test", str(place / "node" / name)]
    done = subprocess.run(
        command, check=False, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")
