"""Below which path the live page and its endpoints are."""

from typing import Final

__all__ = ["PREFIX"]

PREFIX: Final = "/_watch/"
