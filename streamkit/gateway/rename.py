"""A request of the upstream's own dialect whose model has another name there: nothing else of it is changed. Pure."""

from __future__ import annotations

from urllib.parse import quote, unquote

from streamkit.codecs.jsontext import JSONTextError, decode_checked, encode_value
from streamkit.dialects.endpoints import MODEL
from streamkit.gateway.config import GatewayConfig

__all__ = ["renamed_body", "renamed_target"]


def renamed_body(body: bytes, config: GatewayConfig) -> bytes:
    """Return a request's body with the upstream's name of the model; what is no JSON, as it is.

    One that names no model is given that of `*`, but before Gemini, where it stands in the path.
    """
    try:
        value = decode_checked(body)
    except JSONTextError:
        return body
    default = None if config.speaks == "gemini" else ""
    if not isinstance(value, dict) or not isinstance(model := value.get("model", default), str):
        return body
    name = config.upstream_model(model)
    return body if name == model else encode_value({**value, "model": name})


def renamed_target(target: str, config: GatewayConfig) -> str:
    """Return a target with the upstream's name of the model where the path has one, as Gemini's."""
    path, question, query = target.partition("?")
    found = MODEL.search(path)
    if found is None:
        return target
    name = quote(config.upstream_model(unquote(found[1])), safe="")
    return f"{path[: found.start(1)]}{name}{path[found.end(1) :]}{question}{query}"
