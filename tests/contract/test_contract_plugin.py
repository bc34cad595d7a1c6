"""pytest with our plugin, as a project sees it: against a proxy that runs, and one that a fixture starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import trio

from streamkit.contract.pytest_plugin import address_of, cases_of, expected_of, setting_of
from streamkit.gateway.open import open_gateway
from tests.contract.against import listening
from tests.contract.mutants.all import MUTANTS

if not entry_points(group="pytest11", name="streamkit"):
    pytest.fail("the plugin is not registered: install the project again (pip install -e .)")

pytest_plugins = ["pytester"]

OWN_PROXY = """
import threading
from contextlib import contextmanager

import pytest
import trio

from streamkit.gateway.open import open_gateway


@contextmanager
def my_gateway(upstream):
    started, stop, urls = threading.Event(), trio.Event(), []

    async def main():
        async with open_gateway(upstream) as gateway:
            urls.append((gateway.url, trio.lowlevel.current_trio_token()))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=trio.run, args=[main])
    thread.start()
    started.wait()
    yield urls[0][0]
    urls[0][1].run_sync_soon(stop.set)
    thread.join()


@pytest.fixture(scope="session")
def streamkit_proxy(streamkit_upstream):
    with my_gateway(streamkit_upstream.url) as url:
        yield url
"""

OWN_TEST = """
def test_streaming(streamkit_case):
    streamkit_case.check()
"""


def pytest_in(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rA", "--color=no", *options],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_a_proxy_that_runs(tmp_path: Path) -> None:
    port = free_port()
    async with open_gateway(f"http://127.0.0.1:{port}") as gateway:
        at = [f"--streamkit-target={gateway.url}", f"--streamkit-upstream=127.0.0.1:{port}"]
        ask = partial(pytest_in, tmp_path, *at, "--streamkit-run=flush.sse", "-k", "chunked or cl")
        run = await trio.to_thread.run_sync(ask)
        assert "streamkit::flush.sse.chunked PASSED" in run.stdout, run.stdout + run.stderr
        assert "3 passed, 4 deselected" in run.stdout
        assert run.returncode == 0


async def test_a_proxy_that_buffers_fails_with_what_was_found(tmp_path: Path) -> None:
    port = free_port()
    known = tmp_path / "known.txt"
    known.write_text("flush.sse.close  # it holds everything\nflush.head  # stale\n")
    async with listening(MUTANTS["WholeBody"].relay(port).serve) as target:
        at = [f"--streamkit-target={target}", f"--streamkit-upstream=127.0.0.1:{port}", "--streamkit-limit=0.3"]
        only = [f"--streamkit-run={each}" for each in ("flush.sse.chunked", "flush.sse.close", "bytes.crlf")]
        ask = partial(pytest_in, tmp_path, *at, *only, f"--streamkit-expected-failures={known}")
        run = await trio.to_thread.run_sync(ask)
    assert "1 failed, 1 passed, 1 xfailed" in run.stdout, run.stdout + run.stderr
    assert "FAILED streamkit::flush.sse.chunked" in run.stdout
    assert "until the end of the answer" in run.stdout
    assert "BerriAI/litellm#29557" in run.stdout
    assert run.returncode == 1


def test_a_project_starts_its_own(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(OWN_PROXY)
    (tmp_path / "test_own.py").write_text(OWN_TEST)
    run = pytest_in(tmp_path, "--streamkit-run=flush.sse.chunked", "--streamkit-run=end.abort.mid")
    assert "test_own.py::test_streaming[flush.sse.chunked] PASSED" in run.stdout, run.stdout + run.stderr
    assert "test_own.py::test_streaming[end.abort.mid] PASSED" in run.stdout


@pytest.mark.parametrize(
    ("read", "options", "complaint"),
    [
        (setting_of, ["--streamkit-target=a"], "'a' is not an http or https URL"),
        (setting_of, ["--streamkit-client-dialect=a"], "there is no dialect 'a'"),
        (setting_of, ["--streamkit-header=a"], "write NAME=VALUE"),
        (address_of, ["--streamkit-upstream=b"], "'b' is no HOST:PORT"),
        (cases_of, ["--streamkit-run=flsh"], "did you mean flush"),
        (expected_of, ["--streamkit-expected-failures=/no/such"], "No such file"),
    ],
)
def test_a_mistake_is_a_usage_error(
    read: Callable[[pytest.Config], object], options: list[str], complaint: str, pytester: pytest.Pytester
) -> None:
    with pytest.raises(pytest.UsageError) as raised:
        read(pytester.parseconfig(*options))
    assert complaint in str(raised.value)


def test_a_target_needs_an_upstream(tmp_path: Path) -> None:
    run = pytest_in(tmp_path, "--streamkit-target=http://a")
    assert "--streamkit-target needs --streamkit-upstream" in run.stderr + run.stdout
    assert run.returncode == 4
