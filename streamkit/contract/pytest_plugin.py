"""pytest: one test for each case of the contract, against a proxy that runs, or one that a fixture starts.

A proxy that runs already, and forwards to HOST:PORT, where we listen::

    pytest --streamkit-target http://127.0.0.1:8080 --streamkit-upstream 127.0.0.1:9000

The tests are called `streamkit::flush.sse.chunked` and so on. A project that starts its proxy itself says how, in a
fixture that takes the place of ours, and has a test that takes each case::

    @pytest.fixture(scope="session")
    def streamkit_proxy(streamkit_upstream):
        with my_gateway(upstream=streamkit_upstream.url) as url:
            yield url


    def test_streaming(streamkit_case):
        streamkit_case.check()

What must hold and does not is a failure, and so is what could not be told. What should hold and does not
(`NON-STRICT`) passes with its finding among the test's properties, but for `--streamkit-strict`. What the file of
`--streamkit-expected-failures` names is expected to fail, and fails if it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from streamkit.contract.case import Case
    from streamkit.contract.in_thread import ContractInThread
    from streamkit.contract.results import Result
    from streamkit.contract.setting import Setting

__all__ = ["CaseCheck"]

COLLECTOR: Final = "streamkit"

PLACEHOLDER: Final = "http://127.0.0.1:1"

OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("target", {"metavar": "URL", "help": "where the proxy under test listens"}),
    ("upstream", {"metavar": "HOST:PORT", "help": "where it forwards to: we listen there"}),
    ("profile", {"choices": ["pipe", "gateway", "edge"], "default": "pipe", "help": "what it claims to be (pipe)"}),
    ("client-dialect", {"metavar": "NAME", "default": "openai-chat", "help": "what it is asked in (openai-chat)"}),
    ("upstream-dialect", {"metavar": "NAME", "default": "", "help": "what it asks us in (the client's)"}),
    ("model", {"metavar": "NAME", "default": "streamkit", "help": "the model that is asked for"}),
    ("header", {"metavar": "NAME=VALUE", "action": "append", "default": [], "help": "sent with every request"}),
    ("path", {"metavar": "PATH", "default": "", "help": "where it is asked (the dialect's path)"}),
    ("run", {"metavar": "PREFIX", "action": "append", "default": [], "help": "only these cases: flush.sse"}),
    ("skip", {"metavar": "PREFIX", "action": "append", "default": [], "help": "not these"}),
    ("limit", {"metavar": "SECONDS", "type": float, "default": 5.0, "help": "how long a piece is waited for (5)"}),
    ("slow", {"action": "store_true", "help": "the slow cases too"}),
    ("strict", {"action": "store_true", "help": "NON-STRICT fails, too"}),
    ("expected-failures", {"metavar": "FILE", "default": "", "help": "cases that are known to fail"}),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options, all of which begin with `--streamkit-`."""
    group = parser.getgroup("streamkit", "contract tests of a streaming proxy")
    for name, how in OPTIONS:
        group.addoption(f"--streamkit-{name}", **how)


class CaseCheck:
    """One case, against one proxy.

    Attributes:
        id: the case's.
    """

    def __init__(self, case: Case, config: pytest.Config, contract: ContractInThread, target: str) -> None:
        self.id = case.id
        self._case = case
        self._config = config
        self._contract = contract
        self._target = target

    def run(self) -> Result:
        """Run it and return what was found, whatever that is."""
        return self._contract.run(self._target, [self._case], setting_of(self._config))[-1]

    def check(self) -> Result:
        """Run it, and return what was found where that is good enough.

        Raises:
            pytest.fail.Exception: the rule is broken, or nothing could be told.
            pytest.skip.Exception: the proxy does not do this at all, and need not.
        """
        from streamkit.contract.report.expected import is_failing
        from streamkit.contract.verdicts import Verdict

        result = self.run()
        if result.verdict is Verdict.UNIMPLEMENTED:
            pytest.skip(result.detail)
        if is_failing(result.verdict, strict=self._config.getoption("streamkit_strict")):
            pytest.fail(told(result), pytrace=False)
        return result


def told(result: Result) -> str:
    """Say what a case found, for a test's report."""
    lines = [f"{result.verdict}: {result.detail}", f"rule ({result.level}): {result.rule}", f"ending: {result.ending}"]
    if result.bugs:
        lines.append(f"seen in the wild: {', '.join(result.bugs)}")
    return "\n".join(lines)


def setting_of(config: pytest.Config) -> Setting:
    """Return what the options say.

    Raises:
        pytest.UsageError: an option is wrong.
    """
    from streamkit.contract.setting import Setting
    from streamkit.dialects.registry import get_dialect
    from streamkit.errors import ConfigError
    from streamkit.http.origin import parse_origin

    option = config.getoption
    headers = [each.partition("=") for each in option("streamkit_header")]
    if any(not equals for _, equals, _ in headers):
        raise pytest.UsageError("--streamkit-header: write NAME=VALUE")
    client = option("streamkit_client_dialect")
    upstream = option("streamkit_upstream_dialect") or client
    try:
        for name in (client, upstream):
            get_dialect(name)
        target = parse_origin(option("streamkit_target") or PLACEHOLDER, "--streamkit-target")
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None
    return Setting(
        target=target,
        profile=option("streamkit_profile"),
        client_dialect=client,
        upstream_dialect=upstream,
        model=option("streamkit_model"),
        headers=tuple((name, value) for name, _, value in headers),
        path=option("streamkit_path"),
        limit_s=option("streamkit_limit"),
    )


def cases_of(config: pytest.Config) -> list[Case]:
    """Return the cases that the options select.

    Raises:
        pytest.UsageError: a prefix selects none.
    """
    from streamkit.contract.cases import CASES
    from streamkit.contract.selection import chosen
    from streamkit.errors import ConfigError

    option = config.getoption
    try:
        run, skip, slow = (option(f"streamkit_{name}") for name in ("run", "skip", "slow"))
        return [case for case, _ in chosen(CASES, run, skip, slow, setting_of(config))]
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


def expected_of(config: pytest.Config) -> dict[str, str]:
    """Return the cases that are expected to fail, and why.

    Raises:
        pytest.UsageError: the file cannot be read.
    """
    path = config.getoption("streamkit_expected_failures")
    if not path:
        return {}
    from pathlib import Path

    from streamkit.contract.report.expected import parse_expected
    from streamkit.errors import ConfigError

    profile = config.getoption("streamkit_profile")
    try:
        entries = parse_expected(Path(path).read_text(encoding="utf-8"))
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"--streamkit-expected-failures {path}: {error}") from None
    return {each.id: each.reason or "it is known to fail" for each in entries if each.profile in {"", profile}}


def address_of(config: pytest.Config) -> tuple[str, int]:
    """Return where we listen as the upstream; any free port where nothing is said.

    Raises:
        pytest.UsageError: it is no address.
    """
    text = config.getoption("streamkit_upstream")
    if not text:
        return "127.0.0.1", 0
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise pytest.UsageError(f"--streamkit-upstream {text!r} is no HOST:PORT, for instance 127.0.0.1:9000")
    return host.removeprefix("[").removesuffix("]"), int(port)


# Fixtures, for a project that starts its proxy itself


@pytest.fixture(scope="session")
def streamkit_upstream(pytestconfig: pytest.Config) -> Iterator[ContractInThread]:
    """Listen as the upstream; `url`, `host` and `port` say where."""
    from streamkit.contract.in_thread import contract_in_thread

    host, port = address_of(pytestconfig)
    with contract_in_thread(host, port) as contract:
        yield contract


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
    return CaseCheck(case, request.config, streamkit_upstream, streamkit_proxy)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each case of a function that takes `streamkit_case`."""
    if "streamkit_case" in metafunc.fixturenames:
        expected = expected_of(metafunc.config)
        params = [
            pytest.param(case.id, id=case.id, marks=_marks(expected.get(case.id))) for case in cases_of(metafunc.config)
        ]
        metafunc.parametrize("streamkit_case", params, indirect=True)


def _marks(reason: str | None) -> list[pytest.MarkDecorator]:
    return [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]


# Tests that need no file, for a proxy that runs


class ContractCollector(pytest.Collector):
    """Holds the cases' tests."""

    def collect(self) -> list[pytest.Item]:
        """Return the tests."""
        expected = expected_of(self.config)
        items: list[pytest.Item] = []
        for case in cases_of(self.config):
            item = ContractItem.from_parent(self, name=case.id)
            item.case = case
            for mark in _marks(expected.get(case.id)):
                item.add_marker(mark)
            items.append(item)
        return items


class ContractItem(pytest.Item):
    """The test of one case."""

    case: Case

    def runtest(self) -> None:
        """Run the case."""
        config = self.config
        result = CaseCheck(self.case, config, _contract(config), config.getoption("streamkit_target")).check()
        self.user_properties += [("verdict", str(result.verdict)), ("detail", result.detail)]

    def reportinfo(self) -> tuple[str, None, str]:
        """Say what a report calls it: not the end of its id, of which pytest would make a path."""
        return COLLECTOR, None, f"the case {self.case.id}"


RUNNING: Final = pytest.StashKey[ExitStack]()
CONTRACT: Final = pytest.StashKey["ContractInThread"]()


def _contract(config: pytest.Config) -> ContractInThread:
    """Return the upstream, which listens from its first use on."""
    if CONTRACT not in config.stash:
        from streamkit.contract.in_thread import contract_in_thread

        stack = config.stash[RUNNING] = ExitStack()
        config.stash[CONTRACT] = stack.enter_context(contract_in_thread(*address_of(config)))
    return config.stash[CONTRACT]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop listening."""
    if RUNNING in config.stash:
        config.stash[RUNNING].close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for each case, where a target is named."""
    if not config.getoption("streamkit_target") or not config.getoption("streamkit_upstream"):
        if config.getoption("streamkit_target") and not any("streamkit_case" in _fixtures(item) for item in items):
            raise pytest.UsageError("--streamkit-target needs --streamkit-upstream HOST:PORT: where it forwards to")
        return
    if not any("streamkit_case" in _fixtures(item) for item in items):
        collector = ContractCollector.from_parent(session, name=COLLECTOR, nodeid=COLLECTOR)
        items += collector.collect()


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])
