"""`/generate`: lines of plain text with a number and a time, or what a model says to a prompt. Pure.

A prompt is `?prompt=`, a JSON body with `prompt` (as the AI SDK's completion sends it), or the body as it is. Who only
wants lines gives none; a model cannot be asked without.

Go's mux, in which the generator was written first, lets any method through; here it is GET and POST.
"""

from __future__ import annotations

from typing import Final

from streamkit.dialects.request_messages import ChatMessage
from streamkit.dialects.requests import ChatRequest
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields
from streamkit.vendors.plain import PLAIN
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Leftover, Reading

__all__ = ["ENDPOINTS"]

NO_PROMPT: Final = "a prompt is needed, as ?prompt=, as a JSON body with `prompt`, or as the body itself"


def read(question: Question, params: Params, facts: Facts) -> Reading:  # noqa: ARG001 - a row's form
    """Return what is asked; without a prompt, nothing in particular.

    Raises:
        RefusedError: the body is meant to be JSON and is none, or there is no such model.
    """
    fields = asked_by(question)
    prompt, model = fields.text("prompt"), fields.text("model")
    if model and not facts.knows(model):
        raise PLAIN.unknown_model(model)
    fields.seal()
    leftovers = [*fields.leftovers]
    if not prompt:
        leftovers.append(Leftover(("prompt",), RefusedError(400, NO_PROMPT, param="prompt")))
    request = ChatRequest(model=model or facts.default_model, messages=[ChatMessage("user", prompt)])
    return Reading("text", "text", request, tuple(leftovers))


def asked_by(question: Question) -> Fields:
    """Return the fields of a request, wherever they stand."""
    if question.value is not None:
        return PLAIN.body_of(question)
    body = question.body.strip()
    if not body:
        query = Fields(question.query, PLAIN, ())
        query.ignore(*question.query)
        return query
    if body.startswith(b"{") or "json" in question.headers.get("content-type", ""):
        return PLAIN.body_of(question)
    return Fields({**question.query, "prompt": question.body.decode("utf-8", "replace")}, PLAIN, ())


ENDPOINTS: Final = tuple(
    Endpoint(method, "/generate", "text", read, "Chunks of plain text: `Chunk N [HH:MM:SS.mmm]`.")
    for method in ("GET", "POST")
)
