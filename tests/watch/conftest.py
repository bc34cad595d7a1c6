"""The page in Chromium: one browser a file, one watched gateway before an embedded mock server a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.chromium import open_chromium
from tests.watch.page_stand import NAMES_TO_HERE, Visit, Watched, visiting, watched_in_thread

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for which no name but those of this machine leads anywhere, and any below `.example` leads here."""
    with open_chromium(NAMES_TO_HERE) as running:
        yield running


@pytest.fixture
def watched() -> Iterator[Watched]:
    with watched_in_thread() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, watched: Watched) -> Iterator[Visit]:
    """The page, opened; that it said nothing wrong, and asked for nothing elsewhere, is checked at the end."""
    with visiting(browser, watched) as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Visit]:
    with watched_in_thread() as running, visiting(browser, running) as visit:
        yield visit


@pytest.fixture
def shared(opened: Visit) -> Iterator[Visit]:
    """The page of the whole file, as after a start: for tests that only ask."""
    opened.begin_again()
    yield opened
    opened.check()
