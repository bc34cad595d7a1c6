"""A request to OpenAI's older `/v1/completions`: one prompt, which the model goes on with.

There is no system: its text stands before the prompt, and `dropped` says so.
"""

from __future__ import annotations

from streamkit.dialects.request_openai import stream_fields
from streamkit.dialects.request_parts import SEPARATOR, document_of, given, one_prompt, unplaced
from streamkit.dialects.requests import ChatRequest, RequestDocument

__all__ = ["request_document"]


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request.

    Raises:
        ConfigError: it is more than a prompt.
    """
    system, prompt, _ = one_prompt(request, "openai-completions", "openai-chat")
    body: dict[str, object] = {
        **given(model=request.model),
        "prompt": SEPARATOR.join(filter(None, (system, prompt))),
        **given(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
            stop=request.stop,
            frequency_penalty=request.frequency_penalty,
            presence_penalty=request.presence_penalty,
            n=request.n,
        ),
        **stream_fields(request),
    }
    dropped = unplaced(request, "top_k", "response_format", "reasoning") + ["system.role"] * bool(system)
    return document_of(request, "/v1/completions", body, dropped)
