"""What stands behind the gateway: a real server, or the embedded mock, which can be set from the page."""

from __future__ import annotations

from collections.abc import Mapping

from mockserver.app import MockServer
from mockserver.config.header import header_text, parse_header
from streamkit import __version__
from streamkit.gateway.config import GatewayConfig
from streamkit.watch.controls import controls_for

__all__ = ["MockModel", "Model"]


class Model:
    """A server behind a gateway.

    Args:
        config: the gateway's.
    """

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config

    @property
    def upstream_url(self) -> str:
        """Where it is, without any secret."""
        return self._config.upstream.url

    def facts(self) -> dict[str, object]:
        """Return what the page has to know."""
        config = self._config
        return {
            "version": __version__,
            "upstream": self.upstream_url,
            "speaks": config.speaks,
            "is_mock": False,
            "feeds": ["sse", "eventsource", "ndjson", "websocket"] if config.speaks else ["sse", "ndjson"],
        }


class MockModel(Model):
    """The embedded mock server.

    Args:
        config: the gateway's.
        mock: the server.
    """

    def __init__(self, config: GatewayConfig, mock: MockServer) -> None:
        super().__init__(config)
        self._mock = mock

    def facts(self) -> dict[str, object]:
        return {**super().facts(), "is_mock": True, "seed": self._mock.config.seed}

    def state(self) -> Mapping[str, object]:
        """Return how it is set, as text and as pairs, and what the page has a field for."""
        pairs = self._mock.admin_pairs
        return {
            "settings": header_text(pairs),
            "pairs": pairs,
            "controls": controls_for([self._config.speaks] if self._config.speaks else []),
        }

    def configure(self, text: str) -> None:
        """Set it for the requests from now on, in the grammar of the header X-Mock; an empty text sets it back.

        Raises:
            ConfigError: a setting is wrong; nothing was changed.
        """
        self._mock.configure(parse_header(text))
