"""The plotting library that the page carries: loaded only where a page is made."""

from __future__ import annotations

from importlib.util import find_spec

from streamkit.errors import ConfigError

__all__ = ["MISSING", "has_plotly", "plotly_source"]

MISSING = "the page needs plotly: pip install 'streamkit[report]'"


def has_plotly() -> bool:
    """Tell whether it is installed, without loading it: so that nobody learns only after a long run that it is not."""
    return find_spec("plotly") is not None


def plotly_source() -> str:
    """Return plotly's JavaScript, about 5 MB.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError(MISSING) from error
    source: str = get_plotlyjs()
    return source
