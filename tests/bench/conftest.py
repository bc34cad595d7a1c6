"""Loads in the tests' own process leave its garbage alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from streamkit.bench import engine


@pytest.fixture(scope="session", autouse=True)
def no_collection() -> Iterator[None]:
    """Keep a load from looking through the whole heap first: that of a test run is large, and it takes half a second.

    What a load is measured by in these tests is its own records; how late it was is for `python -m benchmarks bench`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "seldom_collected", nullcontext)
        yield
