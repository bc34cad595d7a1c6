"""The types of `stream.js` and of the page's modules, which JSDoc gives: `tsc --checkJs --strict` has nothing to say.

The compiler is looked for where the JavaScript SDKs are: in the folder that `NODE_SDKS_DIR` names, or else in
`tests/dialects/node` (`npm ci` there puts it in). It gets no types but the browser's own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
SDKS: Final = Path(os.environ.get("NODE_SDKS_DIR", HERE.parent / "dialects" / "node"))

pytestmark = pytest.mark.needs("node")

USE_OF_ALL: Final = """
import { readEvents, readNDJSON, readSSE, StreamError } from '../../streamkit/web/stream.js';

export async function use(response: Response, body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<number> {
  const onRead = (bytes: Uint8Array, at_ms: number): void => console.log(bytes.length, at_ms);
  for await (const { event, data, id } of readSSE(response, { signal, onRead, onComment: console.log })) {
    const all: string[] = [event, data, id];
    console.log(all);
  }
  for await (const value of readNDJSON(body, { maxBytes: 10 })) console.log(value.anything);
  for await (const value of readEvents(new WebSocket('ws://localhost'), { maxWaitingBytes: 10 })) console.log(value);
  const error = new StreamError('status', 'no');
  return error.record + error.offset + error.code.length;
}
"""
"""How a page in TypeScript uses it."""

EXAMPLES: Final = re.findall(
    r"^```js\n(.*?)^```$", (ROOT / "streamkit" / "web" / "README.md").read_text(), re.MULTILINE | re.DOTALL
)
"""Those of the README."""

WRONG_USES: Final = {
    "readSSE('text');": "TS2345",
    "readSSE(new Response(), { signall: null });": "TS2561",
    "for await (const each of readSSE(new Response())) each.type;": "TS2339",
    "readEvents(new Response());": "TS2740",
    "readNDJSON(new Response(), { onComment: () => {} });": "TS2353",
}


def tsc(*arguments: str) -> tuple[int, str]:
    """Run the compiler; return its status and what it says."""
    command = SDKS / "node_modules" / ".bin" / "tsc"
    if not command.exists():
        pytest.skip(f"needs typescript: npm ci in {SDKS}")
    done = subprocess.run(
        [str(command), "--pretty", "false", *arguments],
        check=False, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout.decode()


def test_the_modules() -> None:
    status, said = tsc("--project", str(HERE / "jsconfig.json"))
    assert said == ""
    assert status == 0


def of_a_page(tmp_path: Path, text: str) -> tuple[int, str]:
    """Check a page's module in TypeScript."""
    page = tmp_path / "page.ts"
    page.write_text(text.replace("../../streamkit/web", str(ROOT / "streamkit" / "web")))
    config = {"extends": str(HERE / "jsconfig.json"), "include": [str(page)], "compilerOptions": {"rootDirs": ["/"]}}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    return tsc("--project", str(tmp_path / "tsconfig.json"))


def test_a_page_that_uses_it(tmp_path: Path) -> None:
    assert of_a_page(tmp_path, USE_OF_ALL) == (0, "")


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example(tmp_path: Path, number: int) -> None:
    text = EXAMPLES[number].replace("./stream.js", "../../streamkit/web/stream.js")
    assert of_a_page(tmp_path, f"declare const show: (text: string) => void;\n{text}") == (0, "")


@pytest.mark.parametrize("use", WRONG_USES)
def test_a_page_that_uses_it_wrongly(tmp_path: Path, use: str) -> None:
    names = "import { readEvents, readNDJSON, readSSE } from '../../streamkit/web/stream.js';\n"
    status, said = of_a_page(tmp_path, f"{names}console.log(readEvents, readNDJSON, readSSE);\n{use}\n")
    assert status != 0
    assert WRONG_USES[use] in said
