"""Gemini's `generateContent` and `streamGenerateContent` (google-genai's types), of Google AI and of Vertex AI. Pure.

Streams are server-sent events with `?alt=sse` and one JSON array without. How hard to think is an effort; a number of
tokens is read as the effort that comes nearest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from streamkit.dialects.requests import ChatRequest, ResponseSchema, Tool
from streamkit.vendors.endpoint import Endpoint, Facts, Kind, Params, Read
from streamkit.vendors.fields import Fields
from streamkit.vendors.gemini_contents import messages_of
from streamkit.vendors.gemini_manner import MANNER, GeminiFields, violation
from streamkit.vendors.gemini_schema import json_schema
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading

__all__ = ["ENDPOINTS", "KEY_HEADER", "MANNER"]

JSON: Final = "application/json"
TEXT: Final = "text/plain"

MAX_CANDIDATES: Final = 8
MAX_STOP_SEQUENCES: Final = 5

MODES: Final = ("AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED")

LEVELS: Final[Mapping[str, str | None]] = {
    "THINKING_LEVEL_UNSPECIFIED": None,
    "MINIMAL": "minimal",
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "XHIGH": "xhigh",
}

BUDGETS: Final[Mapping[str, int]] = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24_576}
"""How many tokens of thinking each effort stands for."""

STRICT: Final = "BLOCK_LOW_AND_ABOVE"
"""The filter that answers are not to do without. All others are what servers have anyway, or less."""

OWN_TOOLS: Final = (
    *("googleSearch", "googleSearchRetrieval", "googleMaps", "codeExecution", "urlContext", "fileSearch", "retrieval"),
    *("computerUse", "enterpriseWebSearch", "parallelAiSearch", "exaAiSearch", "mcpServers"),
)
"""Tools that Google runs itself."""

OTHER_ANSWERS: Final = (
    *("speechConfig", "imageConfig", "audioTranscriptionConfig", "translationConfig", "responseFormat", "logprobs"),
    *("continuationToken", "generationOutputConfig"),
)
"""What asks for answers that are more than a text, thoughts and calls, or something else."""

HARMLESS: Final = (
    *("mediaResolution", "audioTimestamp", "routingConfig", "modelSelectionConfig", "enableAffectiveDialog"),
    *("enableEnhancedCivicAnswers", "automaticContinuation"),
)
"""What is about Google's choice of a model, and about media."""


def read_stream(question: Question, params: Params, facts: Facts) -> Reading:
    """Return what is asked of `streamGenerateContent`.

    Raises:
        RefusedError: Google would refuse the request.
    """
    alt = question.query.get("alt") or question.query.get("$alt") or "json"
    if alt not in {"sse", "json"}:
        raise RefusedError(400, f"Invalid value at 'alt' (TYPE_ENUM), \"{alt}\"; it is one of json, sse")
    framing = "sse" if alt == "sse" else "json-array"
    try:
        return reading_of(question, params, facts, framing, stream=True)
    except RefusedError as error:
        error.framing = framing
        raise


def read_document(question: Question, params: Params, facts: Facts) -> Reading:
    """Return what is asked of `generateContent`.

    Raises:
        RefusedError: Google would refuse the request.
    """
    return reading_of(question, params, facts, "sse", stream=False)


def reading_of(question: Question, params: Params, facts: Facts, framing: str, *, stream: bool) -> Reading:
    """Return what is asked."""
    if not facts.knows(params["model"]):
        raise MANNER.unknown_model(params["model"])
    body = MANNER.body_of(question)
    messages, last = messages_of(body)
    config = body.object("generationConfig") or GeminiFields({}, MANNER, ("generationConfig",), body.leftovers)
    temperature = config.number("temperature", 0.0, 2.0)
    top_p = config.number("topP", 0.0, 1.0)
    stop = config.texts("stopSequences")
    if len(stop) > MAX_STOP_SEQUENCES:
        raise violation(config.at("stopSequences"), f"at most {MAX_STOP_SEQUENCES} stop sequences are supported")
    tool_choice, tools = tool_choice_of(body, tools_of(body))
    request = ChatRequest(
        model=params["model"],
        messages=messages,
        tools=tools,
        tool_choice=tool_choice,
        max_tokens=config.whole("maxOutputTokens", 1),
        temperature=temperature,
        top_p=top_p,
        top_k=top_k_of(config),
        seed=config.whole("seed"),
        stop=list(stop),
        frequency_penalty=config.number("frequencyPenalty"),
        presence_penalty=config.number("presencePenalty"),
        n=config.whole("candidateCount", 1, MAX_CANDIDATES),
        response_format=format_of(config),
        reasoning=thoughts_of(config),
        stream=stream,
    )
    rest_of(body, config)
    return Reading("gemini", framing, request, tuple(body.leftovers), last=last)


def rest_of(body: Fields, config: Fields) -> None:
    """Note what there is no neutral word for."""
    for name in OTHER_ANSWERS:
        config.refuse(name, "it asks for what cannot be translated")
    config.refuse("responseLogprobs", "it asks for what cannot be translated", usual=(False,))
    if set(config.texts("responseModalities")) - {"TEXT", "MODALITY_UNSPECIFIED"}:
        config.refuse("responseModalities", "only answers in text can be translated")
    config.drop(*HARMLESS)
    config.seal()
    body.refuse("cachedContent", "what was cached is with Google and cannot be translated")
    body.refuse("modelArmorConfig", "Google's filters cannot be translated")
    for setting in body.objects("safetySettings"):
        if setting.text("threshold").upper() == STRICT:
            setting.refuse_all("Google's filters cannot be translated, so none this strict can be asked for")
        else:
            setting.drop("threshold")
    body.drop("labels", "serviceTier", "store")
    body.ignore("model")
    body.seal()


def top_k_of(config: Fields) -> int | None:
    """Return how many tokens to choose from; Google's own clients write a whole number as `40.0`."""
    top_k = config.number("topK", 0)
    if top_k is not None and top_k != int(top_k):
        raise MANNER.wrong_type(config.at("topK"), ("integer",), top_k)
    return None if top_k is None else int(top_k)


def tools_of(body: Fields) -> list[Tool]:
    """Return the functions; Google's own tools are noted as left over."""
    tools: list[Tool] = []
    for each in body.objects("tools"):
        tools += map(tool_of, each.objects("functionDeclarations"))
        for name in OWN_TOOLS:
            each.refuse(name, "a tool that Google runs itself cannot be translated")
        each.seal()
    return tools


def tool_of(function: Fields) -> Tool:
    """Return one function."""
    schema, googles = function.object("parametersJsonSchema"), function.object("parameters")
    parameters = dict(schema.value) if schema else json_schema(googles) if googles else {}
    tool = Tool(function.named("name"), function.text("description"), parameters)
    function.drop("response", "responseJsonSchema", "behavior")
    function.seal()
    return tool


def tool_choice_of(body: Fields, tools: list[Tool]) -> tuple[str, list[Tool]]:
    """Return which function has to be called, and which may be."""
    config = body.object("toolConfig")
    calling = None if config is None else config.object("functionCallingConfig")
    if config is not None:
        config.drop("retrievalConfig", "includeServerSideToolInvocations")
        config.seal()
    if calling is None:
        return "auto", tools
    mode = calling.word("mode", MODES, "AUTO")
    names = calling.texts("allowedFunctionNames")
    calling.drop("streamFunctionCallArguments", usual=(False,))
    calling.seal()
    allowed = [tool for tool in tools if tool.name in names] if names else tools
    if mode == "ANY" and len(names) == 1 and allowed:
        return names[0], tools
    return {"ANY": "required", "NONE": "none"}.get(mode, "auto"), allowed


def format_of(config: Fields) -> ResponseSchema | Literal["json"] | None:
    """Return what the answer has to fit: a schema, any JSON object, or nothing where a text is wanted."""
    schema, googles = config.object("responseJsonSchema"), config.object("responseSchema")
    media_type = config.text("responseMimeType")
    if media_type not in {"", JSON, TEXT}:
        config.refuse("responseMimeType", "only answers in text and in JSON can be translated")
    if media_type == TEXT:
        return None
    if schema is None and googles is None:
        return "json" if media_type == JSON else None
    return ResponseSchema(dict(schema.value) if schema else json_schema(googles) if googles else {})


def thoughts_of(config: Fields) -> bool | str | None:
    """Return whether the model is to think and to show it, or how hard it is to think."""
    thinking = config.object("thinkingConfig")
    if thinking is None:
        return None
    budget = thinking.whole("thinkingBudget")
    shown = thinking.flag("includeThoughts")
    level = thinking.text("thinkingLevel").upper()  # Google's own examples have it in lower case
    if level and level not in LEVELS:
        raise MANNER.wrong_value(thinking.at("thinkingLevel"), level, tuple(LEVELS))
    thinking.seal()
    if budget == 0:
        return False
    if budget is not None and budget > 0 and not level:
        return min(BUDGETS, key=lambda name: abs(BUDGETS[name] - budget))
    return LEVELS.get(level) or shown


def count(question: Question, params: Params, facts: Facts) -> object:
    """Return how many tokens a request has.

    Raises:
        RefusedError: Google would refuse the request, or the server cannot count.
    """
    if facts.count_tokens is None:
        raise RefusedError(404, "this server cannot count tokens")
    if not facts.knows(params["model"]):
        raise MANNER.unknown_model(params["model"])
    body = MANNER.body_of(question)
    messages, _ = messages_of(body.object("generateContentRequest") or body)
    return {"totalTokens": sum(facts.count_tokens(message.text) for message in messages)}


def models(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return the list of models."""
    return {"models": [model_object(name, facts) for name in facts.listed]}


def model(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return one model.

    Raises:
        RefusedError: there is no such model.
    """
    if not facts.knows(params["model"]):
        raise MANNER.unknown_model(params["model"])
    return model_object(params["model"], facts)


def model_object(name: str, facts: Facts) -> dict[str, object]:
    """Return a model as a list of them has it. Of another server's there is no more to tell than that it generates."""
    if not facts.lists_own:
        return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": ["generateContent"]}
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


KEY_HEADER: Final = "x-goog-api-key"
"""What Google's clients send their key in: below `/v1` there are three vendors' lists of models."""

VERTEX: Final = "/projects/{project}/locations/{location}/publishers/google"

GENERATING: Final[tuple[tuple[str, Read, str, Kind], ...]] = (
    ("streamGenerateContent", read_stream, "Gemini's stream: events with `?alt=sse`, or a JSON array.", "chat"),
    ("generateContent", read_document, "Gemini's answer as one document.", "chat"),
    ("countTokens", count, "How many tokens such a request has.", "count"),
)

ENDPOINTS: Final = (
    *(
        Endpoint("POST", f"{base}/models/{{model*}}:{method}", "gemini", read, summary, kind=kind)
        for method, read, summary, kind in GENERATING
        for base in ("/v1beta", "/v1", f"/v1{VERTEX}", f"/v1beta1{VERTEX}")
    ),
    Endpoint("GET", "/v1beta/models", "gemini", models, "Gemini's list of models.", kind="models"),
    Endpoint("GET", "/v1beta/models/{model*}", "gemini", model, "One of them.", kind="models"),
    Endpoint("GET", "/v1/models", "gemini", models, "Gemini's list of models.", KEY_HEADER, "models"),
    Endpoint("GET", "/v1/models/{model*}", "gemini", model, "One of them.", KEY_HEADER, "models"),
)
