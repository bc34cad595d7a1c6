"""What the tests with foreign clients share: one server on loopback, and what each vendor's own SDK sees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dialects.examples import Example
from tests.dialects.loopback import Loopback, loopback
from tests.dialects.referees import OWN_FRAMING, UNREADABLE, View


@pytest.fixture(scope="session")
def server() -> Iterator[Loopback]:
    """Where streams are offered to clients, for whom no proxy and no key is in the environment."""
    from tests.dialects.sdks import no_proxies  # it loads all the SDKs

    with no_proxies(), loopback() as streams:
        yield streams


@pytest.fixture(scope="session")
def seen(server: Loopback) -> dict[Example, View]:
    """What the vendor's own Python SDK sees in each clean example, or what there is to see."""
    from tests.dialects.sdks import REFEREES

    found = {}
    for example in OWN_FRAMING:
        if not example.ends_cleanly or example.dialect not in REFEREES:
            continue
        expected = UNREADABLE.get((example.dialect, example.case))
        if expected is None:
            first = REFEREES[example.dialect][0](server.offer(example.source, example.wire))
            assert isinstance(first, View), f"{example}: {first}"
            expected = first
        found[example] = expected
    return found
