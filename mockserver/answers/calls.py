"""Which tools an answer calls, under which ids, and in which pieces their arguments come. Pure."""

from __future__ import annotations

import re
from random import Random
from string import ascii_letters, digits
from typing import Final

from mockserver.answers.schema import arguments_of
from mockserver.ask import Ask
from mockserver.seeds import sub_seed
from mockserver.settings import Call
from streamkit.dialects.requests import Tool

__all__ = ["calls_of", "fragments_of", "tool_id_of"]

ALNUM: Final = ascii_letters + digits

ID_PREFIXES: Final = {"anthropic": "toolu_01"}
OTHER_PREFIX: Final = "call_"

FRAGMENT: Final = re.compile(r"\w{1,12}|\W{1,12}")
"""About what a model's own tokens are like in JSON; a cut inside an escape is possible, as it is there."""


def calls_of(ask: Ask, calls: tuple[Call, ...], seed: int) -> list[tuple[str, str]]:
    """Return the tools to call, in order, each with the JSON text of its arguments; often there are none.

    Args:
        ask: what is asked: the tools that it offers, and whether they may or have to be called.
        calls: what was set. Calls of tools that the request does not offer are passed over. Arguments that were set
            are taken as they are, whether or not the schema allows them, or they are JSON at all.
        seed: of this choice's calls.
    """
    offered = {tool.name: tool for tool in ask.tools}
    if not offered or ask.tool_choice == "none":
        return []
    only = ask.tool_choice if ask.tool_choice in offered else ""
    wanted = [call for call in calls if not call.name or (call.name in offered and call.name == (only or call.name))]
    if only or ask.tool_choice == "required":
        wanted = wanted or [Call(only)]  # vendors obey, even when the call that they forced before was just answered
    elif ask.tools_answered:
        return []
    names = [only] if only else list(offered)
    return [_written(call, names, offered, sub_seed(seed, f"call:{number}")) for number, call in enumerate(wanted)]


def _written(call: Call, names: list[str], offered: dict[str, Tool], seed: int) -> tuple[str, str]:
    name = call.name or names[int(Random(seed).random() * len(names))]
    return name, call.arguments or arguments_of(offered[name].parameters, seed)


def fragments_of(json_text: str) -> list[str]:
    """Return the pieces in which arguments are streamed; joined they are the text."""
    return FRAGMENT.findall(json_text)


def tool_id_of(dialect: str, seed: int) -> str:
    """Return an id as the dialect's vendor makes them."""
    random = Random(seed).random
    return ID_PREFIXES.get(dialect, OTHER_PREFIX) + "".join([ALNUM[int(random() * len(ALNUM))] for _ in range(22)])
