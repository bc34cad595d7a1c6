"""The vendors whose APIs are spoken: which paths there are, how a request is read, what is said of a bad one. Pure."""

from __future__ import annotations

from streamkit.vendors.endpoint import DEFAULT_MODEL, Endpoint, Facts, Found
from streamkit.vendors.identity import headers_of, id_of
from streamkit.vendors.routes import ENDPOINTS, find

__all__ = ["DEFAULT_MODEL", "ENDPOINTS", "Endpoint", "Facts", "Found", "find", "headers_of", "id_of"]
