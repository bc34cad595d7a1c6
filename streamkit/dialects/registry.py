"""Every dialect, one row each. Adding one is a file with a `DIALECT` and its name here."""

from __future__ import annotations

from typing import Final

from streamkit.dialects import (
    ag_ui,
    agent_poc,
    anthropic,
    gemini,
    json_records,
    ollama_chat,
    ollama_generate,
    openai_chat,
    openai_completions,
    openai_responses,
    text,
    vercel_ui,
)
from streamkit.dialects.dialect import Dialect
from streamkit.errors import ConfigError

__all__ = ["DIALECTS", "get_dialect"]

DIALECTS: Final[dict[str, Dialect]] = {
    module.DIALECT.name: module.DIALECT
    for module in (
        ollama_chat,
        ollama_generate,
        openai_chat,
        openai_completions,
        openai_responses,
        anthropic,
        gemini,
        ag_ui,
        vercel_ui,
        agent_poc,
        text,
        json_records,
    )
}
"""Every dialect by its name. Where a first record may be of several, the one that comes first here is the guess."""


def get_dialect(name: str) -> tuple[Dialect, str]:
    """Return the dialect that `name` means, and its framing: `gemini`, or `gemini/json-array` for another framing.

    Raises:
        ConfigError: there is none of that name, or it does not come in that framing.
    """
    dialect_name, _, framing = name.partition("/")
    dialect = DIALECTS.get(dialect_name)
    if dialect is None:
        msg = f"there is no dialect {dialect_name!r}; there are {', '.join(DIALECTS)}"
        raise ConfigError(msg)
    if framing and framing not in dialect.framings:
        msg = f"{dialect_name} comes as {' or '.join(dialect.framings)}, not as {framing!r}"
        raise ConfigError(msg)
    return dialect, framing or dialect.framings[0]
