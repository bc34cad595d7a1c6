"""pytest's fixture `mock_llm`: a mock server for a test, on trio, asyncio or nothing.

::

    @pytest.mark.mock_llm(rate=50, fault="reset@token:5")
    def test_my_client(mock_llm):
        answer = my_client(base_url=mock_llm.url + "/v1")
        assert mock_llm.journal[-1]["outcome"] == "reset"

The server runs in a thread of its own; `mock_llm` is a `mockserver.open.MockInThread`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mockserver.open import MockInThread

__all__ = ["mock_llm", "pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "mock_llm(**settings): what the mock server of the fixture `mock_llm` does")


@pytest.fixture
def mock_llm(request: pytest.FixtureRequest) -> Iterator[MockInThread]:
    """Run a mock server while the test runs; the marker `mock_llm(**settings)` says what it does."""
    from mockserver.app import ServerConfig
    from mockserver.open import configured, mockserver_in_thread

    config = ServerConfig()
    for marker in reversed(list(request.node.iter_markers("mock_llm"))):
        if marker.args:
            raise pytest.UsageError(f"the marker mock_llm takes settings by name, mock_llm(rate=50), not {marker.args}")
        config = configured(config, marker.kwargs)
    with mockserver_in_thread(config) as mock:
        yield mock
