"""The options of pytest's plugin, and what they mean: what the command's options do, with `--streamkit-` before it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from streamkit.contract.case import Case
    from streamkit.contract.setting import Setting

__all__ = [
    "COLLECTOR",
    "IDS",
    "OPTIONS",
    "address_of",
    "as_written",
    "cases_of",
    "check_options",
    "expected_of",
    "is_worker",
    "setting_of",
]

T = TypeVar("T")

COLLECTOR: Final = "streamkit"
"""What the ids of our tests begin with, where no function makes them."""

PREFIX: Final = "--streamkit-"

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
    ("limit", {"metavar": "TIME", "default": "5s", "help": "how long a piece is waited for (5s)"}),
    ("slow", {"action": "store_true", "default": False, "help": "the slow cases too"}),
    ("strict", {"action": "store_true", "default": False, "help": "NON-STRICT fails, too"}),
    ("expected-failures", {"metavar": "FILE", "default": "", "help": "cases that are known to fail"}),
)

COMMANDS_OPTION: Final = re.compile(rf"(?<![\w-])--(?=(?:{'|'.join(name for name, _ in OPTIONS)})\b)")

IDS: Final = pytest.StashKey[list[str]]()
"""The cases whose tests' ids were written on the command line."""

WHOLE: Final = ("no", "loadfile", "loadscope")
"""How xdist can distribute tests and leave ours together. With loadgroup it takes a mark, which xdist 3.8 does not see
with pytest 9.2."""


def as_written(sentence: str) -> str:
    """Return a sentence that speaks of the command's options so that it speaks of ours."""
    return COMMANDS_OPTION.sub(PREFIX, sentence).replace("; --list", "; streamkit contract --list")


def refused(read: Callable[[pytest.Config], T]) -> Callable[[pytest.Config], T]:
    """Make a function raise a mistake in the options as pytest has it."""

    @wraps(read)
    def checked(config: pytest.Config) -> T:
        try:
            return read(config)
        except ConfigError as error:
            raise pytest.UsageError(as_written(str(error))) from None

    return checked


def check_options(config: pytest.Config) -> None:
    """Refuse what is wrong before anything is collected: with xdist this process collects nothing.

    Raises:
        pytest.UsageError: an option is wrong, or they do not go together.
    """
    is_used = any(config.getoption(_variable(name)) != how.get("default") for name, how in OPTIONS)
    if not is_used and IDS not in config.stash:
        return
    setting_of(config)
    cases_of(config)
    expected_of(config)
    _, port = address_of(config)
    target = config.getoption("streamkit_target")
    if not target and IDS in config.stash:
        raise pytest.UsageError(f"{COLLECTOR}:: needs {PREFIX}target URL: where the proxy under test listens")
    if target and not port:  # it runs already, and knows the port
        raise pytest.UsageError(f"{PREFIX}target needs {PREFIX}upstream HOST:PORT: where it forwards to, we listen")
    if port and not is_worker(config) and _is_split(config):
        raise pytest.UsageError(
            f"xdist would distribute the tests over several processes, of which only one can listen on port {port}: "
            f"add --dist loadfile, or -n 0"
        )


def _variable(name: str) -> str:
    return f"streamkit_{name.replace('-', '_')}"


def is_worker(config: pytest.Config) -> bool:
    """Tell whether this is one of the processes that xdist distributes tests over."""
    return hasattr(config, "workerinput")


def _is_split(config: pytest.Config) -> bool:
    """Tell whether xdist will run our tests in more than one process."""
    places = config.getoption("tx", None) or []
    is_one = len(places) == 1 and "*" not in places[0]
    return config.getoption("dist", "no") not in WHOLE and not is_one


@refused
def setting_of(config: pytest.Config) -> Setting:
    """Return what the options say.

    Raises:
        pytest.UsageError: an option is wrong.
    """
    from mockserver.durations import parse_duration
    from streamkit.contract.options import setting_from
    from streamkit.http.field import parse_field

    option = config.getoption
    try:
        headers = [parse_field(each) for each in option("streamkit_header")]
    except ConfigError as error:
        raise ConfigError(f"{PREFIX}header: {error}") from None
    try:
        limit_s = parse_duration(option("streamkit_limit")) / 1e9
    except ConfigError as error:
        raise ConfigError(f"{PREFIX}limit: {error}") from None
    return setting_from(
        target=option("streamkit_target"),
        profile=option("streamkit_profile"),
        client_dialect=option("streamkit_client_dialect"),
        upstream_dialect=option("streamkit_upstream_dialect"),
        model=option("streamkit_model"),
        headers=headers,
        path=option("streamkit_path"),
        limit_s=limit_s,
        prefix=PREFIX,
    )


@refused
def cases_of(config: pytest.Config) -> list[Case]:
    """Return the cases that the options select, or of these the ones whose ids were given.

    Raises:
        pytest.UsageError: a prefix selects none, or no case has such an id.
    """
    from streamkit.contract.cases import CASES
    from streamkit.contract.selection import chosen

    ids = config.stash.get(IDS, [])
    run, skip, slow = (config.getoption(f"streamkit_{name}") for name in ("run", "skip", "slow"))
    found = [case for case, _ in chosen(CASES, ids or run, skip, slow, setting_of(config))]
    if not ids:
        return found
    if unknown := [each for each in ids if each not in {case.id for case in found}]:
        raise ConfigError(
            f"no case is called {unknown[0]}: {PREFIX}run takes beginnings of ids, {COLLECTOR}:: whole ones"
        )
    return [case for case in found if case.id in ids]


@refused
def expected_of(config: pytest.Config) -> dict[str, str]:
    """Return the cases that are expected to fail, and why.

    Raises:
        pytest.UsageError: the file cannot be read, or names a case that there is not.
    """
    path = config.getoption("streamkit_expected_failures")
    if not path:
        return {}
    from pathlib import Path

    from streamkit.contract.report.expected import parse_expected, unknown_ids

    what = f"{PREFIX}expected-failures {path}"
    try:
        entries = parse_expected(Path(path).read_text(encoding="utf-8"))
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what}: {error}") from None
    if unknown := unknown_ids(entries):
        raise ConfigError(f"{what}: no case is called {' or '.join(unknown)}: correct or remove it")
    profile = config.getoption("streamkit_profile")
    return {each.id: each.reason or "it is known to fail" for each in entries if each.profile in {"", profile}}


@refused
def address_of(config: pytest.Config) -> tuple[str, int]:
    """Return where we listen as the upstream; any free port where nothing is said.

    Raises:
        pytest.UsageError: it is no address.
    """
    text = config.getoption("streamkit_upstream")
    if not text:
        return "127.0.0.1", 0
    from streamkit.contract.open import parse_place

    return parse_place(text, f"{PREFIX}upstream")
