"""The system's Chromium, which playwright drives, and what is asked of every page that we make: can it be read?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

__all__ = ["ENOUGH", "contrasts_of", "open_chromium"]

COMMANDS: Final = ("chromium", "chromium-browser", "google-chrome")

ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)

ENOUGH: Final = 4.5
"""The least contrast of a text that can be read (WCAG 2.2, success criterion 1.4.3)."""

CONTRASTS: Final = """
() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const back = getComputedStyle(element).backgroundColor;
    const isClear = back === 'transparent' || parts(back)[3] === 0;
    return isClear && element.parentElement ? behind(element.parentElement) : back;
  };
  const withInk = (of) => (element) => [element, getComputedStyle(element)[of]];
  return (%s).map(([element, ink]) => {
    const [low, high] = [ink, behind(element)].map(light).sort((a, b) => a - b);
    const name = `${element.tagName} ${element.className.baseVal ?? element.className}`;
    return [name, (high + 0.05) / (low + 0.05)];
  });
}
"""


@contextmanager
def open_chromium(*arguments: str) -> Iterator[Browser]:
    """Run it while the block runs, with more arguments where that is wanted."""
    command = next(filter(None, map(shutil.which, COMMANDS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            browser.close()


def contrasts_of(chosen: str) -> str:
    """Return a script that tells for each element, by tag and class, the contrast of its ink to what is behind it.

    Args:
        chosen: the elements with their inks, as JavaScript; `withInk('color')` makes such a pair of an element.
    """
    return CONTRASTS % chosen
