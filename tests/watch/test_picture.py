"""The README's picture can be made anew, and is of the page that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.watch.picture import PICTURES, picture_of

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

WIDTH = slice(16, 20)
"""Where a PNG has it, in its first chunk (PNG, section 11.2.2)."""


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_the_picture_can_be_made(browser: Browser, tmp_path: Path) -> None:
    picture_of(browser, "light", tmp_path / "new.png")
    new = (tmp_path / "new.png").read_bytes()
    for path in PICTURES.values():
        kept = path.read_bytes()
        assert kept.startswith(b"\x89PNG\r\n")
        assert kept[WIDTH] == new[WIDTH], f"{path.name} is of another page: python -m tests.watch.picture"
