"""AG-UI's endpoint, `/agui` (ag-ui-protocol's `RunAgentInput`). Pure.

The protocol says neither where an agent is nor which model it uses; a model may be named in `forwardedProps`. A page's
EventSource, which can only GET, may give the message as `?prompt=`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mockserver.ask import Ask, Question, Tool
from mockserver.vendors.agent_poc import prompted
from mockserver.vendors.endpoint import DEFAULT_MODEL, Endpoint, Facts, Params
from mockserver.vendors.fields import Fields, Talk
from mockserver.vendors.plain import PLAIN

__all__ = ["ENDPOINTS"]

ROLES: Final = ("developer", "system", "assistant", "user", "tool", "activity", "reasoning")


def read(question: Question, params: Params, facts: Facts) -> Ask:  # noqa: ARG001 - a row's form
    """Return what is asked.

    Raises:
        RefusedError: the body is no `RunAgentInput`.
    """
    body = PLAIN.body_of(question)
    body.need("threadId", "runId", "messages")
    talk = talk_of(body)
    forwarded = body.get("forwardedProps")
    named = Fields(forwarded if isinstance(forwarded, dict) else {}, PLAIN, ("forwardedProps",))
    tools = tools_of(body)
    return ask_of(talk, PLAIN.model_of(named, facts, DEFAULT_MODEL), body, tools)


def read_prompt(question: Question, params: Params, facts: Facts) -> Ask:  # noqa: ARG001 - a row's form
    """Return what is asked by a GET.

    Raises:
        RefusedError: there is no `prompt`, or no such model.
    """
    talk, query = prompted(question)
    return ask_of(talk, PLAIN.model_of(query, facts, DEFAULT_MODEL), query, ())


def ask_of(talk: Talk, model: str, ids: Fields, tools: tuple[Tool, ...]) -> Ask:
    """Return what is asked; the run's ids are the client's own."""
    given: Mapping[str, str] = {key: ids.text(key) for key in ("threadId", "runId")}
    return Ask(
        dialect="ag-ui",
        framing="sse",
        model=model,
        prompt=talk.prompt,
        prompt_tokens=talk.prompt_tokens,
        tools=tools,
        tools_answered=talk.tools_answered,
        echoed={f"ag-ui.{key}": text for key, text in given.items() if text},
    )


def talk_of(body: Fields) -> Talk:
    """Return what the messages say. An activity's content is an object, for pages and not for models."""
    talk = Talk()
    for message in body.objects("messages"):
        message.need("role")
        role = message.word("role", ROLES)
        if role == "user":
            message.need("content")
        text = "" if role == "activity" else message.content("content")
        talk.hear(text, by_user=role == "user", is_result=role == "tool")
    return talk


def tools_of(body: Fields) -> tuple[Tool, ...]:
    """Return the tools that the page has. Their `parameters` may be any JSON."""
    tools = []
    for each in body.objects("tools"):
        schema = each.get("parameters")
        tools.append(Tool(each.named("name"), schema if isinstance(schema, dict) else {}))
    return tuple(tools)


ENDPOINTS: Final = (
    Endpoint("POST", "/agui", "ag-ui", read, "An agent that speaks AG-UI."),
    Endpoint("GET", "/agui", "ag-ui", read_prompt, "The same for an EventSource: `?prompt=`."),
)
