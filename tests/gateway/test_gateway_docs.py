"""The page about the gateway says what the code says: its tables are made from it, or held against it.

`python -m tests.gateway.test_gateway_docs` writes those anew that are made. That the page's code runs is
`tests/test_readme.py`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import click
import msgspec
import pytest

from streamkit.cli.gateway import command
from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import ChatMessage, ChatRequest, ResponseSchema, Tool, ToolCall
from streamkit.errors import ConfigError
from streamkit.gateway.config import SPEAKABLE
from streamkit.gateway.cors import EXPOSED
from streamkit.gateway.log import json_line
from streamkit.gateway.losses import HARMLESS, REFUSED, check_losses
from streamkit.gateway.record import Outcome, Record
from streamkit.vendors import Facts, find
from streamkit.vendors.listing import describe as endpoints
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading
from tests.mockserver.test_docs import code, place_of, table
from tests.pages import ROOT

PAGE = ROOT / "streamkit/gateway/README.md"

TEXT = PAGE.read_text(encoding="utf-8")


def part_of(heading: str) -> str:
    """What stands under a heading, without code, up to the next of its level or of a higher one."""
    level = heading.index(" ")
    below = TEXT.partition(f"\n{heading}\n")[2]
    assert below, f"the page has no {heading!r}"
    part = re.split(rf"(?m)^#{{2,{level}}} ", below)[0]
    return re.sub(r"(?ms)^```.*?^```$", "", part)


def rows_of(part: str) -> list[list[str]]:
    """The rows of the tables in a part of the page, without their heads."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row, below in zip(rows, [*rows[1:], [""]], strict=True) if "---" not in row[0] + below[0]]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# ------------------------------------------------------------------------------------ what a target cannot be asked for

TOOL = Tool("f")

WEATHER = ToolCall("call_1", "f", "{}")

SYSTEM_LATER = [ChatMessage("user", "Hi"), ChatMessage("system", "Be brief.")]
ASKED = ChatMessage("user", "Hi")
THOUGHTS = [ASKED, ChatMessage("assistant", "Hm.", reasoning="I think"), ASKED]
SEALED = [ASKED, ChatMessage("assistant", "Hm.", reasoning="I think", signature="c2lnbmVk"), ASKED]
PREFILLED = [ASKED, ChatMessage("assistant", "{")]
CALLED = [
    *(ChatMessage("user", "Hi"), ChatMessage("assistant", "", tool_calls=[WEATHER])),
    ChatMessage("tool", "done", tool_call_id="call_1"),
]

PROBES: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "system messages": ("", {"messages": [ChatMessage("system", "Be brief."), ChatMessage("user", "Hi")]}),
    "a system message later on": ("system.place", {"messages": SYSTEM_LATER}),
    "tools, their calls and results": ("tools", {"messages": CALLED, "tools": [TOOL]}),
    "tool choice: none": ("tool_choice", {"tools": [TOOL], "tool_choice": "none"}),
    "tool choice: required, or one tool": ("tool_choice", {"tools": [TOOL], "tool_choice": "required"}),
    "only one tool at a time": ("parallel_tool_calls", {"tools": [TOOL], "parallel_tool_calls": False}),
    "bound on tokens": ("max_tokens", {"max_tokens": 100}),
    "stop": ("stop", {"stop": ["END"]}),
    "temperature": ("temperature", {"temperature": 0.5}),
    "top_p": ("top_p", {"top_p": 0.5}),
    "top_k": ("top_k", {"top_k": 40}),
    "seed": ("seed", {"seed": 7}),
    "frequency and presence penalty": ("frequency_penalty", {"frequency_penalty": 0.5, "presence_penalty": 0.5}),
    "several answers (n)": ("n", {"n": 2}),
    "an answer in JSON": ("response_format", {"response_format": "json"}),
    "an answer by a JSON Schema": ("response_format", {"response_format": ResponseSchema({"type": "object"})}),
    "whether, or how hard, to think": ("reasoning", {"reasoning": "high"}),
    "earlier thoughts": ("message.reasoning", {"messages": THOUGHTS}),
    "earlier thoughts with their seal": ("message.signature", {"messages": SEALED}),
    "going on from the beginning of an answer": ("message.prefill", {"messages": PREFILLED}),
}
"""A row of the table, the word that names it, and a request that has it."""


def fate_of(target: str, probe: Mapping[str, Any]) -> str:
    """What becomes of such a request."""
    request = ChatRequest(**{"model": "m", "messages": [ChatMessage("user", "Hi")], **probe})
    try:
        dropped = check_losses(DIALECTS[target].request(request).dropped, target)
    except (ConfigError, RefusedError):
        return "refused"
    return f"drops {', '.join(map(code, dropped))}" if dropped else "yes"


def table_of_losses() -> str:
    rows = [(name, *(fate_of(target, probe) for target in SPEAKABLE)) for name, (_, probe) in PROBES.items()]
    return table(("asked of", *map(code, SPEAKABLE)), rows)


def table_of_paths() -> str:
    # What the mock writes there without being told is nothing that a model says.
    summaries = {"text": "The answer in plain text."}
    rows = [
        (code(f"{row.method} {row.path}"), row.dialect, summaries.get(row.dialect, row.summary)) for row in endpoints()
    ]
    return table(("path", "dialect of the client", "what it is"), rows)


TABLES: dict[str, Callable[[], str]] = {"paths": table_of_paths, "losses": table_of_losses}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_that_of_the_code(name: str) -> None:
    found = place_of(name).findall(TEXT)
    assert len(found) == 1, f"the page has {len(found)} places for {name}"
    assert found[0][1].strip() == TABLES[name](), "write it anew: python -m tests.gateway.test_gateway_docs"


def test_every_word_for_a_loss_is_in_the_table() -> None:
    """The table is made from the code, but not so that it could be empty."""
    probed = {word for word, _ in PROBES.values()}
    fields = {field.name for field in msgspec.structs.fields(ChatRequest)}
    # What decides nothing of the answer has no row; and the penalties have one together.
    unprobed = {"model", "messages", "presence_penalty", "stream", "include_usage", "id", "extra"}
    assert fields - unprobed <= probed
    assert {*HARMLESS, *REFUSED} - unprobed - {"system.role"} <= probed
    assert all(fate_of(target, {"n": 2}) in {"yes", "refused"} for target in SPEAKABLE)
    assert "refused" in table_of_losses()
    assert "drops `top_k`" in table_of_losses()


# ------------------------------------------------------------------------- what has no word but in one vendor's dialect

HI: Final = {"role": "user", "content": "Hi"}

BODIES: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "openai-chat": ("/v1/chat/completions", {"model": "m", "messages": [HI]}),
    "openai-completions": ("/v1/completions", {"model": "m", "prompt": "Hi"}),
    "openai-responses": ("/v1/responses", {"model": "m", "input": "Hi"}),
    "anthropic": ("/v1/messages", {"model": "m", "max_tokens": 9, "messages": [HI]}),
    "gemini": ("/v1beta/models/m:generateContent", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
    "ollama-chat": ("/api/chat", {"model": "m", "messages": [HI]}),
    "ollama-generate": ("/api/generate", {"model": "m", "prompt": "Hi"}),
    "ag-ui": ("/agui", {"threadId": "t", "runId": "r", "messages": [HI]}),
}

VALUES: Final[Mapping[str, object]] = {
    **dict.fromkeys(("logprobs", "echo", "raw", "background", "generationConfig.responseLogprobs"), True),
    **dict.fromkeys(("store", "keep_alive", "truncate"), True),
    **{name: {"1": 2} for name in ("logit_bias", "metadata", "labels", "stream_options")},
    "modalities": ["audio"],
    "generationConfig.responseModalities": ["IMAGE"],
    "mcp_servers": [{"type": "url"}],
    "safetySettings": [{"category": "A", "threshold": "BLOCK_LOW_AND_ABOVE"}],
    "truncation": "auto",
    "best_of": 5,
    "include": ["file_search_call.results"],
    "context": [1],
}
"""Of fields for which not any text will do."""


def leftovers_of(dialect: str, name: str) -> dict[str, bool]:
    """What is left over of a request with this field, and whether it is refused for it."""
    path, body = BODIES[dialect]
    *parents, last = name.split(".")
    body = json.loads(json.dumps(body))
    place = body
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = VALUES.get(name, "x")
    return left_in(path, body)


def left_in(path: str, body: Mapping[str, object]) -> dict[str, bool]:
    question = Question("POST", path, body=encode_value(body))
    said = find(question).read(question, Facts())
    assert isinstance(said, Reading)
    return {".".join(map(str, each.path)): each.refusal is not None for each in said.leftovers}


LEFT = [row for row in rows_of(part_of("### What is translated")) if row and names_in(row[0])[:1] and len(row) == 3]

NAMED = [
    (names_in(dialects)[0], name, is_refused)
    for dialects, *cells in LEFT
    for cell, is_refused in zip(cells, (True, False), strict=True)
    for name in names_in(cell)
]


@pytest.mark.parametrize(("dialect", "name", "is_refused"), NAMED)
def test_a_field_of_one_vendors_is_refused_or_dropped(dialect: str, name: str, is_refused: bool) -> None:
    left = leftovers_of(dialect, name)
    assert [refused for path, refused in left.items() if path.startswith(name)] == [is_refused], left


def test_there_is_a_row_for_every_vendor() -> None:
    assert [names_in(row[0])[0] for row in LEFT] == list(BODIES)
    assert all(names_in(row[1]) for row in LEFT)
    assert all(names_in(row[2]) for row in LEFT)


PICTURE: Final = "data:image/png;base64,iVBORw0KGgo="

IMAGES: Final[Mapping[str, dict[str, Any]]] = {
    "openai-chat": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}]},
    "openai-responses": {
        "input": [{"role": "user", "content": [{"type": "input_image", "image_url": PICTURE, "detail": "auto"}]}]
    },
    "anthropic": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                    }
                ],
            }
        ]
    },
    "gemini": {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]}]},
    "ollama-chat": {"messages": [{"role": "user", "content": "Hi", "images": ["iVBORw0KGgo="]}]},
    "ollama-generate": {"images": ["iVBORw0KGgo="]},
}


@pytest.mark.parametrize("dialect", IMAGES)
def test_images_are_refused(dialect: str) -> None:
    path, body = BODIES[dialect]
    assert True in left_in(path, {**body, **IMAGES[dialect]}).values()


# ---------------------------------------------------------------------------------------- options, log, what is exposed


def test_every_option_has_its_row_and_its_default() -> None:
    written = {name: row for row in rows_of(part_of("## Safe by default")) for name in re.findall(r"--[a-z-]+", row[0])}
    options = {each.opts[0]: each for each in command.params if isinstance(each, click.Option)}
    assert set(written) == set(options) - {"--version", "--help"}
    for name, option in options.items():
        if option.show_default:
            shown = re.sub(r"(?<=\d)(?=(\d{3})+$)", "", str(option.default))
            assert shown in written[name][2].replace("`", ""), name


def test_every_field_of_the_log_has_its_row() -> None:
    fields = [name for row in rows_of(part_of("## What it tells")) for name in names_in(row[0])]
    assert fields == list(json.loads(json_line(Record(1, 0, "", 0))))


def test_every_outcome_is_named() -> None:
    (row,) = [row for row in rows_of(part_of("## What it tells")) if row[0] == "`outcome`"]
    assert tuple(names_in(row[1])) == get_args(Outcome)


def test_the_headers_that_a_page_may_read() -> None:
    part = part_of("### Pages of other sites")
    named = [name.lower() for name in names_in(part)]
    assert {name.lower() for name in EXPOSED if "ratelimit" not in name} <= set(named)


def test_the_links_inside_the_page_lead_somewhere() -> None:
    headings = re.findall(r"(?m)^#+ (.+)$", TEXT)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert links
    assert set(links) <= anchors


def written_anew(page: str) -> str:
    """Return the page with the tables of the code."""
    for name, make in TABLES.items():
        if place := place_of(name).search(page):
            page = f"{page[: place.end(1)]}\n{make()}\n\n<!-- end -->{page[place.end() :]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written_anew(TEXT), encoding="utf-8")
