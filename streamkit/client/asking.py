"""From what a caller says to the bytes of a request: URL, headers, tools, and the dialect's own document. Pure.

What a caller writes wrong is a `ConfigError` that says where. It never shows a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from streamkit import __version__
from streamkit.client.transport import HTTPRequest
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.endpoints import auth_headers, framing_of, target_of
from streamkit.dialects.requests import ChatRequest, Tool
from streamkit.errors import ConfigError
from streamkit.http.head import FIELD
from streamkit.http.origin import Origin, parse_origin

__all__ = ["Headers", "check_texts", "headers_of", "layered", "plain_request", "request_of", "split_url", "tools_of"]

Headers = Mapping[str, str] | Sequence[tuple[str, str]]

OURS: Final = frozenset({"content-length", "transfer-encoding", "expect", "te", "upgrade", "connection", "trailer"})
"""Headers that say how a request lies on the wire."""

QUERY: Final = re.compile(r"[!-\"$-~]*")
"""What may stand behind the `?` of a target: printable ASCII, and no `#`."""


def check_texts(**values: object) -> None:
    """Refuse what is no text.

    Raises:
        ConfigError: one of them is none.
    """
    for name, value in values.items():
        if not isinstance(value, str):
            raise ConfigError(f"{name}: expected a text, not a value of type {type(value).__name__}")


def split_url(url: str) -> tuple[Origin, str]:
    """Return the server of a URL, and the URL's path and query; the path is empty where there is none.

    Raises:
        ConfigError: it is no http or https URL, or has a user or a fragment in it.
    """
    base, question, query = url.partition("?")
    if "#" in url:
        raise ConfigError("the url has a fragment (#...), which no server ever sees; leave it out")
    if "@" in base.partition("//")[2].partition("/")[0]:
        raise ConfigError("the url has a user or password in it; give an API key, or an Authorization header, instead")
    origin = parse_origin(base, "url")
    if not QUERY.fullmatch(query):
        raise ConfigError("the url's query has characters in it that must be percent-encoded")
    return Origin(origin.scheme, origin.host, origin.port), f"{origin.path}{question}{query}"


def headers_of(headers: Headers) -> list[tuple[str, str]]:
    """Return a caller's headers, checked.

    Raises:
        ConfigError: one is no header, or not the caller's to set.
    """
    pairs = [*(headers.items() if isinstance(headers, Mapping) else headers)]
    for pair in pairs:
        if not isinstance(pair, tuple) or [type(each) for each in pair] != [str, str]:
            raise ConfigError("headers: expected pairs of a name and a value, both texts")
    for name, value in pairs:
        if not FIELD.fullmatch(f"{name}: {value}\r\n"):
            raise ConfigError(f"headers: {name[:40]!r} has a name or a value that no header can have")
        if name.lower() in OURS:
            raise ConfigError(f"headers: {name} is set by what sends the request; leave it out")
    return pairs


def tools_of(tools: Sequence[Tool | Mapping[str, object]]) -> list[Tool]:
    """Return tools: what they are, or read from `{"name", "description", "parameters"}`, bare or as OpenAI wraps it.

    Raises:
        ConfigError: one is none of these.
    """
    return [_tool_of(tool, f"tools[{number}]") for number, tool in enumerate(tools)]


def _tool_of(tool: object, where: str) -> Tool:
    if isinstance(tool, Tool):
        return tool
    inner = tool.get("function", tool) if isinstance(tool, Mapping) else None
    if not isinstance(inner, Mapping):
        raise ConfigError(f"{where}: expected a Tool, or an object with name, description and parameters")
    name = inner.get("name")
    description = inner.get("description") or ""
    parameters = inner.get("parameters") or inner.get("input_schema") or {}
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where}.name: expected the name of the function")
    if not isinstance(description, str):
        raise ConfigError(f"{where}.description: expected a text")
    if not isinstance(parameters, Mapping):
        raise ConfigError(f"{where}.parameters: expected a JSON Schema, which is an object")
    return Tool(name, description, dict(parameters))


def request_of(
    dialect: Dialect,
    framing: str,
    asked: ChatRequest,
    *,
    origin: Origin,
    url_path: str,
    headers: Iterable[tuple[str, str]] = (),
    api_key: str = "",
) -> tuple[HTTPRequest, list[str]]:
    """Return the request that asks for an answer in a dialect, and what of it the dialect has no place for.

    Args:
        dialect: its row.
        framing: how the answer is to come, where the target does not say it itself.
        asked: the question.
        origin: the server.
        url_path: path and query of the URL: of the endpoint, or of a base.
        headers: the caller's; they take the place of ours.
        api_key: goes into the header that the dialect has for it.

    Raises:
        ConfigError: the dialect cannot ask this.
    """
    document = dialect.request(asked)
    path = document.path
    if framing == "json-array":  # Gemini's, which comes where `alt=sse` does not ask for the other one
        path = path.replace("?alt=sse", "")
    target = target_of(path, url_path, dialect.name)
    body = document.content
    ours = [
        ("Host", origin.authority),
        ("User-Agent", f"streamkit/{__version__}"),
        ("Accept-Encoding", "identity"),
    ]
    accept = [("Accept", dialect.media_type(framing_of(target) or framing))]
    auth = auth_headers(dialect.name, api_key, origin.host)
    fields = [*layered(ours, document.headers, accept, auth, headers), ("Content-Length", str(len(body)))]
    return HTTPRequest(document.method, origin, target, fields, body), document.dropped


def plain_request(
    origin: Origin, target: str, headers: Iterable[tuple[str, str]], api_key: str, *, dialect: str = "openai-chat"
) -> HTTPRequest:
    """Return a GET for a JSON document; the key goes into the header that the dialect has for it."""
    ours = [
        ("Host", origin.authority),
        ("User-Agent", f"streamkit/{__version__}"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
    ]
    auth = auth_headers(dialect, api_key, origin.host)
    return HTTPRequest("GET", origin, target, layered(ours, auth, headers))


def layered(*layers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return all headers; those of a later layer take the place of those of the same name before it."""
    fields: list[tuple[str, str]] = []
    for layer in layers:
        added = [*layer]
        names = {name.lower() for name, _ in added}
        fields = [*(field for field in fields if field[0].lower() not in names), *added]
    return fields
