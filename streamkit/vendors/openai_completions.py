"""OpenAI's older `/v1/completions` (openai-python `types/completion_create_params`). Pure.

Each of several prompts gets its own answers, as OpenAI has it. Its default of 16 tokens is not kept to: nobody who sets
how long answers are would expect it.
"""

from __future__ import annotations

from typing import Final

from streamkit.dialects.requests import ChatMessage, ChatRequest
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields
from streamkit.vendors.openai import MANNER, take_draws, take_sampling
from streamkit.vendors.openai_chat import COMPATIBLE, include_usage_of, stop_of
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading

__all__ = ["ENDPOINTS"]

MAX_CHOICES: Final = 128

Prompt = str | int
"""The text of a prompt; where it came as numbers of tokens, how many these are."""


def read(question: Question, params: Params, facts: Facts) -> Reading:
    """Return what is asked.

    Raises:
        RefusedError: OpenAI would refuse the request.
    """
    body = MANNER.body_of(question)
    model = MANNER.model_of(body, facts, params.get("deployment", ""))
    prompts = prompts_of(body)
    texts = [prompt if isinstance(prompt, str) else "" for prompt in prompts]
    numbers = [prompt for prompt in prompts if isinstance(prompt, int)]
    request = ChatRequest(model=model, messages=[ChatMessage("user", text) for text in texts])
    take_sampling(body, request)
    take_draws(body, request)
    request.stream = bool(body.flag("stream"))
    request.n = choices_of(body, len(prompts))
    request.max_tokens = body.whole("max_tokens", 1)
    request.include_usage = include_usage_of(body, stream=request.stream)
    request.stop = stop_of(body)
    if numbers:
        body.refuse("prompt", "tokens of another model have other numbers")
    elif len(prompts) > 1:
        body.refuse("prompt", "several prompts at once cannot be translated")
    body.drop("user", *COMPATIBLE)
    body.refuse("suffix", "a text after the answer cannot be translated", ("",))
    body.refuse("echo", "the prompt cannot be had back with the answer", (False,))
    body.refuse("logprobs", "the probabilities of tokens cannot be translated")
    body.refuse("logit_bias", "tokens of another model have other numbers", ({},))
    body.seal()
    return Reading("openai-completions", "sse", request, tuple(body.leftovers), token_ids=sum(numbers))


def choices_of(body: Fields, prompts: int) -> int | None:
    """Return how many answers are wanted to all prompts together, None where nothing is said of it."""
    n = body.whole("n", 1, MAX_CHOICES)
    each = n or 1
    best_of = body.whole("best_of", 1, 20)
    if best_of is not None and best_of < each:
        hint = f"(HINT: best_of={best_of}, n={each})"
        message = f"You requested that the server return more choices than it will generate {hint}."
        raise RefusedError(400, message, param="best_of")
    body.refuse("best_of", "choosing the best of more answers than are wanted cannot be translated", (each,))
    if each * prompts > MAX_CHOICES:
        raise MANNER.out_of_range(body.at("n"), each * prompts, None, MAX_CHOICES)
    return n if prompts == 1 else each * prompts


def prompts_of(body: Fields) -> list[Prompt]:
    """Return the prompts: a text, numbers of tokens, or a list of one of the two. Without any it is an empty one."""
    prompt = body.get("prompt")
    if prompt is None:
        return [""]
    if isinstance(prompt, str):
        return [prompt]
    wanted = ("string", "array")
    if not isinstance(prompt, list):
        raise MANNER.wrong_type(body.at("prompt"), wanted, prompt)
    if not prompt:
        raise MANNER.empty(body.at("prompt"))
    if all(map(is_token, prompt)):
        return [len(prompt)]
    found: list[Prompt] = []
    for number, each in enumerate(prompt):
        if isinstance(each, str):
            found.append(each)
        elif isinstance(each, list) and all(map(is_token, each)):
            found.append(len(each))
        else:
            raise MANNER.wrong_type((*body.at("prompt"), number), wanted, each)
    return found


def is_token(value: object) -> bool:
    """Tell whether a value is the number of a token."""
    return isinstance(value, int) and not isinstance(value, bool)


ENDPOINTS: Final = tuple(
    Endpoint("POST", path, "openai-completions", read, "OpenAI's older completions of a prompt.")
    for path in (
        "/v1/completions",
        "/completions",
        "/openai/v1/completions",
        "/openai/deployments/{deployment}/completions",
    )
)
