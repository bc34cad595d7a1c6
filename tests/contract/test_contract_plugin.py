"""pytest with our plugin, as a project sees it: against a proxy that runs, and one that a fixture starts."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio

from streamkit.contract.cases.flush import CASES as FLUSH
from streamkit.contract.in_thread import ContractInThread
from streamkit.contract.pytest_options import IDS, check_options
from streamkit.contract.pytest_plugin import CaseCheck
from streamkit.contract.results import harness_error
from streamkit.contract.setup import FORWARD
from streamkit.contract.trace import Exchanged, Head, Trace
from streamkit.contract.verdicts import Verdict
from streamkit.gateway.open import open_gateway
from tests.contract.against import free_port, listening
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
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_a_proxy_that_runs(tmp_path: Path) -> None:
    port = free_port()
    async with open_gateway(f"http://127.0.0.1:{port}") as gateway:
        at = [f"--streamkit-target={gateway.url}", f"--streamkit-upstream=127.0.0.1:{port}"]
        ask = partial(pytest_in, tmp_path, *at, "--streamkit-run=flush.sse", "-k", "chunked or cl", "-otrio_mode=1")
        run = await trio.to_thread.run_sync(ask)
        assert "streamkit::flush.sse.chunked PASSED" in run.stdout, run.stdout + run.stderr
        assert "3 passed, 4 deselected" in run.stdout
        assert run.returncode == 0
        ids = ["streamkit::flush.sse.cl", "streamkit::flush.head"]  # as reports show them
        run = await trio.to_thread.run_sync(partial(pytest_in, tmp_path, *at, *ids, "-n2", "--dist=loadfile"))
        assert "2 passed" in run.stdout, run.stdout + run.stderr
        assert run.stdout.count("[gw0]") in {0, 2}, "the tests of one upstream are in one process"


def test_a_target_that_cannot_be_tested_says_in_each_test_what_to_do(tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("flush.head.get\n")
    at = [f"--streamkit-target=http://127.0.0.1:{free_port()}", f"--streamkit-upstream=127.0.0.1:{free_port()}"]
    run = pytest_in(tmp_path, *at, "--streamkit-run=flush.head", f"--streamkit-expected-failures={known}")
    assert "2 failed" in run.stdout, run.stdout + run.stderr
    told = [line for line in run.stdout.splitlines() if line.startswith("DEPENDENCY-FAILED: not run: setup.reach:")]
    assert len(told) == 2
    assert all("start the proxy, or correct --streamkit-target" in line for line in told)


async def test_a_proxy_that_buffers_fails_with_what_was_found(tmp_path: Path) -> None:
    port = free_port()
    known = tmp_path / "known.txt"
    known.write_text("flush.sse.close  # it holds everything\nflush.head  # stale\n")
    async with listening(MUTANTS["WholeBody"].relay(port).serve) as target:
        at = [f"--streamkit-target={target}", f"--streamkit-upstream=127.0.0.1:{port}", "--streamkit-limit=150ms"]
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


TO_A_TARGET = ["--streamkit-target=http://a", "--streamkit-upstream=127.0.0.1:9"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--streamkit-target=a", "--streamkit-upstream=b:1"], "--streamkit-target 'a' is not an http or https URL"),
        (["--streamkit-client-dialect=a"], "there is no dialect 'a'"),
        (["--streamkit-header=a"], "--streamkit-header: write NAME=VALUE"),
        (["--streamkit-header=a b=c"], "'a b' is no name of a header"),
        (["--streamkit-header=a=c\r\nX: y"], "the value of a has characters that no header may have"),
        (["--streamkit-header=content-length=5"], "--streamkit-header content-length: each case sends this one"),
        (["--streamkit-path=foo"], "--streamkit-path 'foo' has to begin with a slash"),
        (["--streamkit-path=/a b"], "--streamkit-path '/a b' has characters that must be percent-encoded"),
        (["--streamkit-limit=0"], "--streamkit-limit 0: a piece has to be waited for"),
        (["--streamkit-limit=nan"], "--streamkit-limit: 'nan' is no duration"),
        (["--streamkit-upstream=b"], "--streamkit-upstream 'b' is not HOST:PORT"),
        (["--streamkit-run=flsh"], "streamkit contract --list shows them all"),
        (["--streamkit-run=idle.60s"], "add --streamkit-slow"),
        (["--streamkit-expected-failures=/no/such"], "No such file"),
        (["--streamkit-target=http://a"], "--streamkit-target needs --streamkit-upstream HOST:PORT"),
        (["--streamkit-target=http://a", "--streamkit-upstream=b:0"], "--streamkit-target needs --streamkit-upstream"),
        ([*TO_A_TARGET, "-n2"], "add --dist loadfile"),
        ([*TO_A_TARGET, "--tx=2*popen", "--dist=loadgroup"], "add --dist loadfile"),
    ],
)
def test_a_mistake_is_a_usage_error(options: list[str], complaint: str, pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig(*options)
    if "-n2" in options:  # what xdist makes of it, before plugins are configured
        config.option.dist, config.option.tx = "load", ["popen", "popen"]
    with pytest.raises(pytest.UsageError) as raised:
        check_options(config)
    assert complaint in str(raised.value)


@pytest.mark.parametrize("options", [["--dist=loadfile"], ["--tx=popen", "--dist=load"], ["-p", "no:xdist"]])
def test_what_stays_in_one_process_is_fine(options: list[str], pytester: pytest.Pytester) -> None:
    check_options(pytester.parseconfig(*TO_A_TARGET, *options))


def test_an_unknown_expected_failure_is_a_usage_error(pytester: pytest.Pytester) -> None:
    known = pytester.path / "known.txt"
    known.write_text("flush.nosuch  # x\n")
    with pytest.raises(pytest.UsageError, match=r"no case is called flush\.nosuch"):
        check_options(pytester.parseconfig(f"--streamkit-expected-failures={known}"))


@pytest.mark.parametrize(
    ("ids", "options", "complaint"),
    [
        (["flush.sse"], TO_A_TARGET, "no case is called flush.sse: --streamkit-run takes beginnings of ids"),
        (["flush.see"], TO_A_TARGET, "did you mean"),
        (["flush.head"], [], "streamkit:: needs --streamkit-target"),
    ],
)
def test_an_id_that_means_no_test(
    ids: list[str], options: list[str], complaint: str, pytester: pytest.Pytester
) -> None:
    config = pytester.parseconfig(*options)
    config.stash[IDS] = ids
    with pytest.raises(pytest.UsageError) as raised:
        check_options(config)
    assert complaint in str(raised.value)


class Found:
    """In the place of the harness: finds what it is told to, whatever the target is."""

    def __init__(self, verdict: Verdict, setup: str = "") -> None:
        trace = Trace()
        trace.exchanges.append(Exchanged(sent_head=Head(0, "GET / HTTP/1.1", [("x-api-key", "sk-secret-1")])))
        self.results = [replace(harness_error(CASE, "must", "sk-secret-1; --limit", trace), verdict=verdict)]
        if setup:
            self.results.insert(0, harness_error(FORWARD, "must", setup))
        self.runs = 0

    def run(self, *_: object) -> object:
        self.runs += 1
        return self.results

    def check(self, config: pytest.Config) -> tuple[type[BaseException] | None, str]:
        """Check it, and return what is raised and what is said."""
        item = SimpleNamespace(config=config, user_properties=[])
        try:
            CaseCheck(CASE, cast("pytest.Item", item), cast("ContractInThread", self), "http://a").check()
        except (FAIL, XFAIL, SKIP) as raised:
            return type(raised), str(raised)
        return None, str(item.user_properties)


CASE = next(case for case in FLUSH if case.id == "flush.sse.cl")

FAIL, XFAIL, SKIP = (each.Exception for each in (pytest.fail, pytest.xfail, pytest.skip))


@pytest.mark.parametrize(
    ("verdict", "plain", "strict", "listed"),
    [
        (Verdict.OK, None, None, FAIL),  # what is listed and holds is stale
        (Verdict.FAILED, FAIL, FAIL, XFAIL),
        (Verdict.NON_STRICT, None, FAIL, None),  # one list serves runs with --streamkit-strict and without
        (Verdict.HARNESS_ERROR, FAIL, FAIL, XFAIL),
        (Verdict.UNIMPLEMENTED, SKIP, SKIP, FAIL),
    ],
)
def test_what_becomes_of_a_verdict(
    verdict: Verdict,
    plain: type[BaseException] | None,
    strict: type[BaseException] | None,
    listed: type[BaseException] | None,
    pytester: pytest.Pytester,
) -> None:
    known = pytester.path / "known.txt"
    known.write_text("flush.sse.cl\n")
    for options, wanted in (
        ([], plain),
        (["--streamkit-strict"], strict),
        ([f"--streamkit-expected-failures={known}"], listed),
    ):
        raised, told = Found(verdict).check(pytester.parseconfig(*options))
        assert raised is wanted, options
        assert "--streamkit-limit" in told, "in the plugin's words"
        assert "sk-secret" not in told


@pytest.mark.parametrize(("limit", "runs"), [("1us", 1), ("1m", 2)])
def test_a_target_that_cannot_be_tested_is_waited_for_once(limit: str, runs: int, pytester: pytest.Pytester) -> None:
    found = Found(Verdict.DEPENDENCY_FAILED, "turn its cache off")
    config = pytester.parseconfig(f"--streamkit-limit={limit}")
    for _ in range(2):
        raised, told = found.check(config)
        assert raised is FAIL
        assert told == "DEPENDENCY-FAILED: not run: setup.forward: turn its cache off"
    assert found.runs == runs, "one that says no at once may be back by the next test"
