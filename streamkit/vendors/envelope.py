"""A chat request in an envelope: which dialect it is in, and the request. For paths that are no vendor's. Pure.

`{"dialect": "openai-chat", "request": {...the vendor's own body...}, "model": "m"}`. A `model` is only for dialects
that have it in the path (Gemini). The request is read as it is at the dialect's usual endpoint, and always answered as
a stream, whatever it says of that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.vendors.endpoint import Endpoint, Facts
from streamkit.vendors.fields import Fields
from streamkit.vendors.plain import PLAIN
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading
from streamkit.vendors.routes import ENDPOINTS

__all__ = ["ENVELOPED", "NoJSONError", "read_envelope"]

ENVELOPED: Final[dict[str, Endpoint]] = {
    endpoint.dialect: endpoint
    for endpoint in reversed(ENDPOINTS)
    if endpoint.method == "POST" and endpoint.kind == "chat"
}
"""The usual endpoint of each dialect that can be in an envelope."""

MODEL: Final = "{model*}"
"""What stands for the model in a path."""

STREAM_KEY: Final = frozenset(
    {"openai-chat", "openai-completions", "openai-responses", "anthropic", "ollama-chat", "ollama-generate"}
)
"""Dialects whose requests say in their body whether they want a stream."""


class NoJSONError(RefusedError):
    """What should be an envelope is no JSON."""


def read_envelope(data: bytes | str, facts: Facts) -> Reading:
    """Return what is asked.

    Args:
        data: the envelope, JSON text.
        facts: what is true of the server.

    Raises:
        NoJSONError: it is no JSON.
        RefusedError: it is no envelope, in plain words; or the vendor would refuse what is in it, in the vendor's.
    """
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    try:
        value = decode_checked(raw)
    except JSONTextError as error:
        raise NoJSONError(400, PLAIN.not_json(raw, error).message, type="invalid_request_error") from None
    if not isinstance(value, dict):
        raise PLAIN.not_json(raw, None)
    envelope = Fields(value, PLAIN, ())
    envelope.need("dialect", "request")
    dialect = envelope.word("dialect", tuple(sorted(ENVELOPED)))
    endpoint = ENVELOPED[dialect]
    request = envelope.object("request")
    model = envelope.text("model")
    extra = [name for name in envelope.value if name not in {"dialect", "request", "model"}]
    if extra:
        message = f"{extra[0][:64]}: there is no place for it; an envelope has dialect, request and model"
        raise RefusedError(400, message, param=extra[0][:64])
    in_path = MODEL in endpoint.pattern
    if in_path and not model:
        raise PLAIN.missing(envelope.at("model"))
    if model and not in_path:
        raise RefusedError(400, f"model: {dialect} has the model in the request", param="model")
    body = {} if request is None else dict(request.value)
    if dialect in STREAM_KEY:
        body["stream"] = True
    question = Question(
        "POST",
        endpoint.pattern.replace(MODEL, model),
        {"alt": "sse"} if in_path else {},
        {"content-type": "application/json"},
        value=body,
    )
    said = endpoint.read(question, {"model": model} if in_path else {}, facts)
    if not isinstance(said, Reading):
        raise RefusedError(400, "request: there is nothing in it to answer", param="request")
    return replace(said, request=msgspec.structs.replace(said.request, stream=True), is_enveloped=True)
