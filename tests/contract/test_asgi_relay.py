"""A real ASGI stack in the middle: what one BaseHTTPMiddleware of Starlette does to a relay that is right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import trio

from streamkit.contract.cases import CASES
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.setting import Setting
from streamkit.contract.verdicts import Verdict
from streamkit.http.origin import parse_origin

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parents[2]

ABORTS: Final = {"end.abort.mid", "end.abort.boundary", "end.abort.rst"}

PROMPT: Final = {"flush.sse.chunked", "flush.sse.close", "cancel.flow"}


@asynccontextmanager
async def running(upstream_port: int, kind: str) -> AsyncIterator[str]:
    """Run a relay in a process of its own while the block runs; gives its URL."""
    command = [sys.executable, "-m", "tests.contract.mutants.asgi", str(upstream_port), kind]
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, stdout=subprocess.PIPE, cwd=ROOT, check=False)
        process = await nursery.start(start)
        port = (await process.stdout.receive_some(100)).decode().strip()
        yield f"http://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


async def verdicts(kind: str) -> dict[str, Verdict]:
    """Return what the cases in question say of a relay."""
    chosen = [case for case in CASES if case.id in ABORTS | PROMPT]
    async with open_upstream() as (hub, upstream), running(upstream.port, kind) as url:
        setting = Setting(parse_origin(url), limit_s=2.0)
        async with open_runner(setting, hub=hub, upstream=upstream) as runner:
            results = await runner.run(chosen)
    return {each.id: each.verdict for each in results if each.id in ABORTS | PROMPT}


@pytest.fixture(autouse=True)
def stack() -> None:
    for package in ("starlette", "uvicorn", "httpx"):
        pytest.importorskip(package)


async def test_bare_relay_streams_and_passes_aborts_on() -> None:
    assert await verdicts("bare") == dict.fromkeys(ABORTS | PROMPT, Verdict.OK)


async def test_middleware_makes_aborts_look_whole() -> None:
    expected = dict.fromkeys(PROMPT, Verdict.OK) | dict.fromkeys(ABORTS, Verdict.FAILED)
    assert await verdicts("middleware") == expected
