"""pytest: one test for each case of the contract, against a proxy that runs, or one that a fixture starts.

A proxy that runs already, and forwards to HOST:PORT, where we listen::

    pytest --streamkit-target http://127.0.0.1:8080 --streamkit-upstream 127.0.0.1:9000

The tests are called `streamkit::flush.sse.chunked` and so on, and run again by that. A project that starts its proxy
itself says how, in a fixture that takes the place of ours, and has a test that takes each case::

    @pytest.fixture(scope="session")
    def streamkit_proxy(streamkit_upstream):
        with my_gateway(upstream=streamkit_upstream.url) as url:
            yield url


    def test_streaming(streamkit_case):
        streamkit_case.check()

What must hold and does not is a failure, and so is what could not be told. What should hold and does not
(`NON-STRICT`) passes with its finding among the test's properties, but for `--streamkit-strict`. What the file of
`--streamkit-expected-failures` names is expected to fail, and fails if it does not.

Only one process can listen at an upstream whose port is fixed: with xdist it takes `--dist loadfile`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from streamkit.contract.pytest_options import (
    COLLECTOR,
    IDS,
    OPTIONS,
    address_of,
    as_written,
    cases_of,
    check_options,
    expected_of,
    is_worker,
    setting_of,
)
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from streamkit.contract.case import Case
    from streamkit.contract.in_thread import ContractInThread
    from streamkit.contract.results import Result

__all__ = ["CaseCheck"]

RUNNING: Final = pytest.StashKey[ExitStack]()
CONTRACT: Final = pytest.StashKey["ContractInThread"]()

UNTESTABLE: Final = pytest.StashKey[dict[str, str]]()
"""Why nothing can be said of a target, by its URL, where a limit was waited for that: no further test waits as long."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options, all of which begin with `--streamkit-`."""
    group = parser.getgroup("streamkit", "contract tests of a streaming proxy")
    for name, how in OPTIONS:
        group.addoption(f"--streamkit-{name}", **how)


def pytest_configure(config: pytest.Config) -> None:
    """Take the ids of our own tests for ourselves, in which pytest would see paths; and check all options."""
    own = [each for each in config.args if each.startswith(f"{COLLECTOR}::")]
    if own:
        config.args[:] = [each for each in config.args if each not in own]
        config.stash[IDS] = [each.partition("::")[2] for each in own]
    check_options(config)


class CaseCheck:
    """One case, against one proxy.

    Attributes:
        id: the case's.
    """

    def __init__(self, case: Case, item: pytest.Item, contract: ContractInThread, target: str) -> None:
        self.id = case.id
        self._case = case
        self._item = item
        self._contract = contract
        self._target = target

    def run(self) -> Result:
        """Run it and return what was found, whatever that is."""
        return self._run()[0]

    def check(self) -> Result:
        """Run it, and return what was found where that is good enough.

        Raises:
            pytest.fail.Exception: the rule is broken, or nothing could be told; or it holds, and was expected to fail.
            pytest.xfail.Exception: it was expected to fail.
            pytest.skip.Exception: the proxy does not do this at all, and need not.
        """
        from streamkit.contract.report.expected import is_failing
        from streamkit.contract.verdicts import Verdict

        config = self._item.config
        result, is_testable = self._run()
        self._item.user_properties += [("verdict", str(result.verdict)), ("detail", shown(result))]
        reason = expected_of(config).get(self.id)
        is_bad = is_failing(result.verdict, strict=config.getoption("streamkit_strict"))
        if is_bad:
            if reason is not None and is_testable:
                pytest.xfail(f"{reason}: {result.verdict}: {shown(result)}")
            pytest.fail(told(result), pytrace=False)
        if reason is not None and not is_failing(result.verdict, strict=True):  # one list serves both
            stale = f"{self.id} does not fail any more: take it out of the expected failures"
            pytest.fail(f"{stale}\n{told(result)}", pytrace=False)
        if result.verdict is Verdict.UNIMPLEMENTED:
            pytest.skip(shown(result))
        return result

    def _run(self) -> tuple[Result, bool]:
        """Run it where that makes sense, and tell whether it did."""
        from streamkit.contract.results import not_run
        from streamkit.contract.verdicts import Verdict

        setting = setting_of(self._item.config)
        untestable = self._item.config.stash.setdefault(UNTESTABLE, {})
        why = untestable.get(self._target, "")
        if not why:
            began_s = time.monotonic()
            try:
                *setup, result = self._contract.run(self._target, [self._case], setting)
                why = next((f"{each.id}: {shown(each)}" for each in setup if each.verdict is Verdict.HARNESS_ERROR), "")
            except ConfigError as error:
                why = as_written(str(error))
            if not why:
                return result, True
            if time.monotonic() - began_s >= setting.limit_s:
                untestable[self._target] = why
        return not_run(self._case, self._case.level(setting) or "info", why), False


def told(result: Result) -> str:
    """Say what a case found, for a test's report."""
    from streamkit.contract.verdicts import Verdict

    lines = [f"{result.verdict}: {shown(result)}"]
    if result.verdict is not Verdict.DEPENDENCY_FAILED:
        lines += [f"rule ({result.level}): {result.rule}", f"ending: {result.ending}"]
        lines += [f"seen in the wild: {', '.join(result.bugs)}"] if result.bugs else []
    return "\n".join(lines)


def shown(result: Result) -> str:
    """Return what was found as a sentence without secrets, in the words of our options."""
    from streamkit.contract.report.secrets import Veil

    return as_written(Veil(result.trace).text(result.detail))


# Fixtures, for a project that starts its proxy itself


@pytest.fixture(scope="session")
def streamkit_upstream(pytestconfig: pytest.Config) -> ContractInThread:
    """Listen as the upstream; `url`, `host` and `port` say where."""
    return _contract(pytestconfig)


@pytest.fixture(scope="session")
def streamkit_proxy(pytestconfig: pytest.Config) -> str:
    """Return the URL of the proxy under test. A project overrides this with a fixture that starts its own."""
    target = pytestconfig.getoption("streamkit_target")
    if not target:
        pytest.fail(
            "give --streamkit-target URL, or write a fixture streamkit_proxy that starts a proxy", pytrace=False
        )
    return str(target)


@pytest.fixture
def streamkit_case(
    request: pytest.FixtureRequest, streamkit_upstream: ContractInThread, streamkit_proxy: str
) -> CaseCheck:
    """Return one case after the other; `check()` runs it."""
    from streamkit.contract.cases import case_of

    case = case_of(request.param)
    assert case is not None  # noqa: S101 - it was parametrized with the cases' ids
    return CaseCheck(case, request.node, streamkit_upstream, streamkit_proxy)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each case of a function that takes `streamkit_case`."""
    if "streamkit_case" in metafunc.fixturenames:
        ids = [case.id for case in cases_of(metafunc.config)]
        metafunc.parametrize("streamkit_case", ids, indirect=True)


# Tests that need no file, for a proxy that runs


class ContractCollector(pytest.Collector):
    """Holds the cases' tests."""

    def collect(self) -> list[pytest.Item]:
        """Return the tests."""
        items: list[pytest.Item] = []
        for case in cases_of(self.config):
            item = ContractItem.from_parent(self, name=case.id)
            item.case = case
            items.append(item)
        return items


class ContractItem(pytest.Item):
    """The test of one case."""

    case: Case
    obj: Final = None
    """The function that it calls: pytest-trio looks at that of every item, where all tests are trio's."""

    def runtest(self) -> None:
        """Run the case."""
        CaseCheck(self.case, self, _contract(self.config), self.config.getoption("streamkit_target")).check()

    def reportinfo(self) -> tuple[str, None, str]:
        """Say what a report calls it: not the end of its id, of which pytest would make a path."""
        return COLLECTOR, None, f"the case {self.case.id}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for each case, where a target is named."""
    has_own = any("streamkit_case" in _fixtures(item) for item in items)
    if IDS in config.stash or (config.getoption("streamkit_target") and not has_own):
        collector = ContractCollector.from_parent(session, name=COLLECTOR, nodeid=COLLECTOR)
        items += collector.collect()


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


def _contract(config: pytest.Config) -> ContractInThread:
    """Return the upstream, which listens from its first use on."""
    if CONTRACT not in config.stash:
        from streamkit.contract.in_thread import contract_in_thread

        stack = ExitStack()
        why = ""
        try:
            config.stash[CONTRACT] = stack.enter_context(contract_in_thread(*address_of(config)))
            config.stash[RUNNING] = stack
        except ConfigError as error:
            why = str(error)
        if why:
            hint = "; with xdist one file has to hold all tests at one upstream" if is_worker(config) else ""
            pytest.fail(f"--streamkit-upstream: {why}{hint}", pytrace=False)
    return config.stash[CONTRACT]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop listening."""
    if RUNNING in config.stash:
        config.stash[RUNNING].close()
