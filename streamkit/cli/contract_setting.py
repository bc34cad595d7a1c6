"""What `streamkit contract` makes of its options: the setting, the selected cases, and what is refused.

An option that would do nothing is refused: who wrote it expects that it does something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from streamkit.cli.reports import check_places
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from streamkit.contract.case import Case
    from streamkit.contract.proxies import Proxy, Variant
    from streamkit.contract.setting import Setting

__all__ = ["REPORTS", "bound_of", "cases_of", "check_together", "proxy_of", "setting_of"]

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "upstream": ("target", "with_"),
    "advertise": ("target", "with_"),
    "upstream_tls": ("target", "with_"),
    "upstream_ca": ("upstream_tls",),
    "target_ca": ("target",),
    "insecure": ("target",),
    "product": ("target",),
    "product_version": ("target",),
    "config_path": ("target",),
}
"""Options that do nothing unless one of these is there, too; by the names of their parameters."""

APART: Final = (("target", "with_"), ("fuzz", "script"), ("target_ca", "insecure"))
"""Options of which only one can be meant."""

NOT_PLAYED: Final = (
    *("run_", "skip", "slow", "strict", "expected_failures"),
    *("json_path", "html_path", "junit_path", "publish_path", "product", "product_version", "config_path"),
)
"""Options about cases and their reports, which do nothing where a stream is drawn or played."""

REPORTS: Final = ("json", "html", "junit", "publish")

NAMES: Final = {"with_": "--with", "run_": "--run", "upstream_tls": "--upstream-tls", "target": "--target"}

BOUND_S: Final = 300.0
SLOW_BOUND_S: Final = 1800.0


def check_together(options: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Refuse what does not go together.

    Raises:
        ConfigError: something does not.
    """
    for name, needed in NEEDS.items():
        if name in given and not any(options.get(each) for each in needed):
            raise ConfigError(f"{given[name]} does nothing without {' or '.join(NAMES[each] for each in needed)}")
    for first, second in APART:
        if first in given and second in given:
            raise ConfigError(f"{given[first]} and {given[second]} do not go together: leave one of them out")
    if options["target"] and not options["upstream"]:
        raise ConfigError("--target needs --upstream HOST:PORT: where the target passes requests on to, we listen")
    check_places(options, REPORTS)
    if options["fuzz"] or options["script"]:
        chosen = given["fuzz" if options["fuzz"] else "script"]
        for name in NOT_PLAYED:
            if name in given:
                raise ConfigError(
                    f"{given[name]} is about the cases, and does nothing with {chosen}, which prints what it finds"
                )


def proxy_of(options: Mapping[str, Any]) -> tuple[Proxy, Variant] | None:
    """Return the proxy that `--with` names.

    Raises:
        ConfigError: there is none of that name.
    """
    if not options["with_"]:
        return None
    from streamkit.contract.proxies import parse_with

    return parse_with(options["with_"])


def setting_of(options: Mapping[str, Any], proxy: tuple[Proxy, Variant] | None = None) -> Setting:
    """Return what is tested, as what.

    Raises:
        ConfigError: the URL, a dialect, the path or the limit is wrong.
    """
    from streamkit.contract.options import setting_from

    return setting_from(
        target=options.get("target"),  # until the embedded gateway, or the proxy that is started, has a port: nowhere
        profile=options["profile"] or (proxy[1].profile if proxy else "pipe"),
        client_dialect=options["client_dialect"],
        upstream_dialect=options["upstream_dialect"],
        model=options["model"] or (proxy[0].model if proxy else ""),
        headers=(*(proxy[0].headers if proxy else ()), *options["headers"]),
        path=options["path"],
        limit_s=options["limit_s"],
        seed=options["seed"],
    )


def bound_of(options: Mapping[str, Any]) -> float:
    """Return how long the whole run may take, in seconds."""
    return float(options["bound_s"] or (SLOW_BOUND_S if options["slow"] else BOUND_S))


def cases_of(options: Mapping[str, Any], setting: Setting | None) -> Sequence[Case]:
    """Return the selected cases: those for a setting, or for any.

    Raises:
        ConfigError: a prefix selects none.
    """
    from streamkit.contract.cases import CASES
    from streamkit.contract.selection import chosen

    found = chosen(CASES, options["run_"], options["skip"], options["slow"], setting)
    return [case for case, _ in found]
