"""OpenAI's older `/v1/completions` (openai-python `types/completion_create_params`). Pure.

Each of several prompts gets its own answers, as OpenAI has it. Its default of 16 tokens is not kept to: nobody who sets
how long answers are would expect it.
"""

from __future__ import annotations

from typing import Final

from mockserver.ask import Ask, Question, RefusedError
from mockserver.tokens import count_tokens
from mockserver.vendors.endpoint import Endpoint, Facts, Params
from mockserver.vendors.fields import Fields
from mockserver.vendors.openai import MANNER, check_sampling
from mockserver.vendors.openai_chat import include_usage_of, stop_of

__all__ = ["ENDPOINTS"]

MAX_CHOICES: Final = 128

Prompts = list[tuple[str, int]]
"""The text of each prompt, empty where it came as numbers of tokens; and how many tokens it has."""


def read(question: Question, params: Params, facts: Facts) -> Ask:
    """Return what is asked.

    Raises:
        RefusedError: OpenAI would refuse the request.
    """
    body = MANNER.body_of(question)
    model = MANNER.model_of(body, facts, params.get("deployment", ""))
    prompts = prompts_of(body)
    check_sampling(body)
    stream = bool(body.flag("stream"))
    each = body.whole("n", 1, MAX_CHOICES) or 1
    best_of = body.whole("best_of", 1, 20)
    if best_of is not None and best_of < each:
        hint = f"(HINT: best_of={best_of}, n={each})"
        message = f"You requested that the server return more choices than it will generate {hint}."
        raise RefusedError(400, message, param="best_of")
    choices = each * len(prompts)
    if choices > MAX_CHOICES:
        raise MANNER.out_of_range(body.at("n"), choices, None, MAX_CHOICES)
    return Ask(
        dialect="openai-completions",
        framing="sse",
        model=model,
        prompt=prompts[-1][0],
        prompt_tokens=sum([tokens for _, tokens in prompts]),
        stream=stream,
        max_tokens=body.whole("max_tokens", 1),
        include_usage=include_usage_of(body, stream=stream),
        choices=choices,
        stop=stop_of(body),
    )


def prompts_of(body: Fields) -> Prompts:
    """Return the prompts: a text, numbers of tokens, or a list of one of the two. Without any it is an empty one."""
    prompt = body.get("prompt")
    if prompt is None:
        return [("", 0)]
    if isinstance(prompt, str):
        return [(prompt, count_tokens(prompt))]
    wanted = ("string", "array")
    if not isinstance(prompt, list):
        raise MANNER.wrong_type(body.at("prompt"), wanted, prompt)
    if not prompt:
        raise MANNER.empty(body.at("prompt"))
    if all(map(is_token, prompt)):
        return [("", len(prompt))]
    found: Prompts = []
    for number, each in enumerate(prompt):
        if isinstance(each, str):
            found.append((each, count_tokens(each)))
        elif isinstance(each, list) and all(map(is_token, each)):
            found.append(("", len(each)))
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
