"""The README's picture of the path: the page's own lanes, with a stream that has just passed. Not a test.

`python -m tests.watch.picture` makes it anew, by the light and by the dark setting of a system, in
`streamkit/watch/pictures/`. It needs Chromium. What is drawn is what happened: the times are never twice the same, and
so are no two pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mockserver.open import Setting
from tests.chromium import open_chromium
from tests.pages import ROOT
from tests.watch.page_stand import Visit, visiting, watched_in_thread

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect

__all__ = ["PICTURES", "picture_of"]

PICTURES: Final[dict[Literal["light", "dark"], Path]] = {
    "light": ROOT / "streamkit/watch/pictures/watch-light.png",
    "dark": ROOT / "streamkit/watch/pictures/watch-dark.png",
}

SETTINGS: Final[dict[str, Setting]] = {
    "ttft": "150ms",
    "rate": 12,
    "gaps": "gamma:1",
    "tokens": 14,
    "split": "hostile",
    "writes": "acked",
}
"""A stream with gaps of different lengths, cut in all the places where streams are cut; each write is a read."""

WIDE: Final = {"width": 1000, "height": 1400}

MARGIN: Final = 12

SETTLED_MS: Final = 1000
"""What a person takes to write a prompt at least: the page is loaded by then, and the clocks are matched."""


def picture_of(browser: Browser, scheme: Literal["light", "dark"], path: Path) -> None:
    """Let a stream pass, and take the picture of where its tokens were."""
    with watched_in_thread() as watched:
        watched.set(**SETTINGS)
        with visiting(browser, watched, viewport=WIDE, color_scheme=scheme, device_scale_factor=2) as visit:
            visit.page.wait_for_timeout(SETTLED_MS)
            visit.ask("Where are the tokens?", "sse")
            visit.mood("good")
            visit.page.mouse.move(0, 0)
            panel, last = (box_of(visit, each) for each in ("#lanes-panel", "[data-figure=token-path]"))
            height = last["y"] + last["height"] + MARGIN - panel["y"]
            path.parent.mkdir(exist_ok=True)
            visit.page.screenshot(
                path=path,
                clip={"x": panel["x"], "y": panel["y"], "width": panel["width"], "height": height},
                full_page=True,
                animations="disabled",
                caret="hide",
            )


def box_of(visit: Visit, selector: str) -> FloatRect:
    """Return where something is on the page."""
    box = visit.page.locator(selector).bounding_box()
    assert box is not None, f"{selector} is not shown"
    return box


def main() -> None:
    with open_chromium() as browser:
        for scheme, path in PICTURES.items():
            picture_of(browser, scheme, path)


if __name__ == "__main__":
    main()
