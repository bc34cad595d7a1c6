"""What every test gets: Hypothesis profiles, the `needs` marker, and `--require-all`.

- `HYPOTHESIS_PROFILE=ci` prints a blob that repeats a failure, and draws half as much: other examples each time.
  `HYPOTHESIS_PROFILE=thorough` draws ten times as much.
- `@pytest.mark.needs("node")` skips a test by name where a command is not installed.
- `@pytest.mark.optional("litellm")` leaves it out there, with `--require-all` too: it is too big to install for a test.
- `--require-all` is for a machine that has everything: whatever is skipped there, and for whatever reason, fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    derandomize=False,  # every run looks somewhere else; what it finds is kept in .hypothesis and tried first
    deadline=None,  # a busy machine is not a failure; speed is what benchmarks/ is for
    suppress_health_check=[HealthCheck.too_slow],  # the same, for the drawing of examples
    max_examples=100,
)
settings.register_profile("ci", settings.get_profile("default"), print_blob=True, max_examples=50)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

COMMANDS_OF = {"chromium": ("chromium", "chromium-browser", "google-chrome")}
"""Tools whose command has not the same name everywhere."""

MODULES = frozenset({"locust"})
"""What is a module that this Python has or has not; a command of that name may belong to another one."""

FOR_DAEMONS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where Debian has nginx, haproxy and apache2, and the PATH of an ordinary user does not lead."""

LONG = (
    "tests/test_readme.py",
    "tests/test_structure.py",
    "tests/cli/test_bench.py",
    "tests/cli/test_mock.py",
    "tests/contract/test_contract_plugin.py",
    "tests/contract/test_gateway_profile.py",
    "tests/contract/test_mutants",  # all of them
    "tests/contract/test_real_proxies.py",
    "tests/watch/test_page_feeds.py",
)
"""What takes half a minute and more. Several processes begin with it: none shall be left alone with it in the end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-all",
        action="store_true",
        help="fail every test that would be skipped: for a machine that has node, a browser, and whatever tests need",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [tool for tool in _tools(item, "needs") if not _is_installed(tool)]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}, not found on PATH")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if not all(map(_is_installed, _tools(item, "optional")))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    if hasattr(config, "workerinput"):  # one of several processes; pytest-xdist hands out files in this order
        items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def _tools(item: pytest.Item, marker: str) -> list[str]:
    return [tool for each in item.iter_markers(marker) for tool in each.args]


def _is_installed(tool: str) -> bool:
    if tool in MODULES:
        return find_spec(tool) is not None
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *FOR_DAEMONS])
    return any(shutil.which(command, path=places) for command in COMMANDS_OF.get(tool, (tool,)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _fail_if_all_required(item.config, report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _fail_if_all_required(collector.config, report)
    return report


def _fail_if_all_required(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if config.getoption("--require-all"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"may not be skipped with --require-all: {str(reason).removeprefix('Skipped: ')}"
