"""Which dialect a URL speaks, where below a base URL its endpoint is, and how its vendor wants to be told the key.

All of it goes by what stands in the URL; nothing is asked of the server. A base is what the vendors' own clients take:
`https://api.openai.com/v1`, `https://api.anthropic.com`, `http://127.0.0.1:11434`, an Azure deployment. The version of
the API is put in where the base has none, and never twice.

`/api/chat` is Ollama's chat and also what the AI SDK calls its route; it is taken for Ollama's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from streamkit.errors import ConfigError

__all__ = ["auth_headers", "dialect_of", "framing_of", "model_of", "target_of"]

SUFFIXES: Final = (
    ("/api/chat", "ollama-chat"),
    ("/api/generate", "ollama-generate"),
    ("/chat/completions", "openai-chat"),
    ("/completions", "openai-completions"),
    ("/responses", "openai-responses"),
    ("/v1/messages", "anthropic"),
    (":streamGenerateContent", "gemini"),
    (":generateContent", "gemini"),
    ("/agui", "ag-ui"),
    ("/ag-ui", "ag-ui"),
    ("/chat", "agent-poc"),
    ("/generate", "text"),
    # Bases that say whose API is below them; many vendors have several side by side.
    ("/anthropic", "anthropic"),
    ("/anthropic/v1", "anthropic"),
    ("/openai", "openai-chat"),
    ("/openai/v1", "openai-chat"),
)
"""What the paths of endpoints and of bases end in. The first that fits counts."""

HOSTS: Final[Mapping[str, str]] = {
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gemini",
    "aiplatform.googleapis.com": "gemini",
    "ollama.com": "ollama-chat",
    **dict.fromkeys(
        (
            *("api.openai.com", "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
            *("openrouter.ai", "api.mistral.ai", "api.deepseek.com", "api.groq.com", "api.x.ai", "api.together.xyz"),
            *("api.fireworks.ai", "api.cerebras.ai", "api.perplexity.ai", "api.moonshot.ai", "api.z.ai"),
        ),
        "openai-chat",
    ),
}
"""Whose API there is on a host, and on those below it; of OpenAI's three the one that everybody has."""

OLLAMA_PORT: Final = ":11434"

LOOKS: Final = (
    (re.compile(r"/deployments/[^/]+$|/endpoints/openapi$"), "openai-chat"),
    (re.compile(r"/v1beta\d*(?:/models(?:/[^/]+)?)?$|/publishers/google(?:/models(?:/[^/]+)?)?$"), "gemini"),
    (re.compile(r"/v\d+$"), "openai-chat"),
)
"""What bases look like on hosts that nobody knows."""

ANYWHERE: Final[Mapping[str, str]] = {"ag-ui": "/agui", "vercel-ui": "", "agent-poc": "/chat", "text": "/generate"}
"""Dialects whose endpoints may have any path, and the path that stands for none, where it is no other dialect's."""

VERSION: Final = re.compile(r"v\d+\w*")

METHOD: Final = re.compile(r":(?:streamGenerateContent|generateContent)$")

MODEL: Final = re.compile(r"/(?:models|tunedModels)/([^/:]+)(?::\w+)?$")

DEPLOYMENT: Final = re.compile(r"/deployments/([^/]+)")

KEY: Final = re.compile(r"[\x21-\x7e]+")
"""What a header can hold without a doubt."""


def dialect_of(host: str, path: str) -> str | None:
    """Return the dialect of an endpoint or a base, None where neither path nor host tells.

    Args:
        host: of the URL, with or without `:port`.
        path: of the URL; a query is looked past.
    """
    place = split(path)[0].rstrip("/")
    for suffix, dialect in SUFFIXES:
        if place.endswith(suffix):
            return dialect
    authority = host.lower()
    name = re.sub(r":\d*$", "", authority).rstrip(".")
    looks = next((dialect for pattern, dialect in LOOKS if pattern.search(place)), None)
    for known, dialect in HOSTS.items():
        # Google has hosts for each region: europe-west4-aiplatform.googleapis.com.
        if name == known or name.endswith((f".{known}", f"-{known}")):
            return "openai-chat" if dialect == "gemini" and looks == "openai-chat" and "/open" in place else dialect
    if authority.endswith(OLLAMA_PORT):
        return looks or "ollama-chat"
    return looks


def target_of(document_path: str, url_path: str, dialect: str = "") -> str:
    """Return the request's target: the path and query to send.

    A path that names an endpoint of that kind is used as it is, query included. Any other is a base: the endpoint's
    path is put below it, and the queries are joined; where both have a parameter, the URL's counts.

    Args:
        document_path: `RequestDocument.path`.
        url_path: path and query of the URL that the user gave.
        dialect: whose; of those whose endpoint may have any path (ag-ui, vercel-ui, agent-poc, text), a path that there
            is, is the endpoint's.
    """
    wanted, wanted_query = split(document_path)
    place, query = split(url_path)
    if not place.startswith("/"):
        place = f"/{place}"
    is_root = not place.strip("/")
    may_be_anywhere = dialect in ANYWHERE or wanted in ANYWHERE.values()
    if not is_root and (may_be_anywhere or names_endpoint(place, wanted)):
        return joined(place, query)
    base = place.rstrip("/")
    missing = missing_part(base, wanted)
    known = {parameter.partition("=")[0] for parameter in query.split("&")}
    added = [each for each in wanted_query.split("&") if each and each.partition("=")[0] not in known]
    return joined(base + missing, "&".join(filter(None, (query, *added))))


def framing_of(target: str) -> str | None:
    """Return the framing that a request's target itself asks for, as Gemini's does; None where it leaves that open."""
    place, query = split(target)
    if not place.endswith(":streamGenerateContent"):
        return None
    return "sse" if "alt=sse" in query.split("&") else "json-array"


def names_endpoint(place: str, wanted: str) -> bool:
    """Tell whether a path is that of an endpoint of the same kind."""
    if METHOD.search(wanted):
        return METHOD.search(place.rstrip("/")) is not None
    return place.rstrip("/").endswith(unversioned(wanted))


def missing_part(base: str, wanted: str) -> str:
    """Return what of the endpoint's path a base does not have yet."""
    method = METHOD.search(wanted)
    if method and MODEL.search(base):
        return method[0]
    have, want = base.split("/")[1:], wanted.split("/")[1:]
    for length in range(min(len(have), len(want)), 0, -1):
        if have[-length:] == want[:length]:
            return "".join(f"/{segment}" for segment in want[length:])
    # A version somewhere in the middle is that of the API below, as in /v1beta/openai. Anthropic's clients take bases
    # without the version, so there only the last segment can be one.
    looked_at = have[-1:] if wanted.endswith("/messages") else have
    if any(map(VERSION.fullmatch, looked_at)) or DEPLOYMENT.search(base):
        return unversioned(wanted)
    return wanted


def unversioned(path: str) -> str:
    """Return a path without the version that it begins with."""
    first, slash, rest = path[1:].partition("/")
    return slash + rest if VERSION.fullmatch(first) else path


def split(path: str) -> tuple[str, str]:
    """Return path and query; a fragment is nobody's business but the client's."""
    place, _, query = path.partition("#")[0].partition("?")
    return place, query


def joined(place: str, query: str) -> str:
    """Return path and query as one."""
    return f"{place}?{query}" if query else place


def auth_headers(dialect: str, key: str, host: str = "") -> list[tuple[str, str]]:
    """Return the headers that carry an API key; none for an empty one. White space around it is not part of it.

    Anthropic's version of its API is not here: it goes with the request (`RequestDocument.headers`), with a key or
    without.

    Args:
        dialect: whose header it is.
        key: the key alone, without the word `Bearer`.
        host: of the URL: Azure and Vertex AI want a key in another header than the vendor whose dialect they speak.

    Raises:
        ConfigError: the key has characters that no header can hold. The error does not show it.
    """
    key = key.strip()
    if not key:
        return []
    if not KEY.fullmatch(key):
        msg = "the API key has characters that an HTTP header cannot hold; look for a line break or a quote in it"
        raise ConfigError(msg)
    name = re.sub(r":\d*$", "", host.lower())
    if name.endswith((".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")):
        return [("api-key", key)]
    if dialect == "anthropic":
        return [("x-api-key", key)]
    if dialect == "gemini" and not name.endswith("aiplatform.googleapis.com"):
        return [("x-goog-api-key", key)]
    return [("Authorization", f"Bearer {key}")]


def model_of(url_path: str) -> str:
    """Return the model that a URL's path names (Gemini's and Azure's do), or an empty text."""
    from urllib.parse import unquote  # it takes a while to load, and every command loads this module

    place = split(url_path)[0].rstrip("/")
    found = MODEL.search(place) or DEPLOYMENT.search(place)
    return unquote(found[1]) if found else ""
