"""Records of OpenAI's Responses API that are not known, written among those that are."""

from __future__ import annotations

import json

import pytest

from streamkit.dialects.events import End, Finish, PartEnd, PartStart, Raw
from tests.dialects.responses_wires import BEGIN, ITEM, body_of, encode, terminal_of


def raw(**fields: object) -> Raw:
    return Raw("openai-responses", str(fields["type"]), json.dumps(fields))


def test_records_of_other_items_get_the_number_and_the_index_that_are_next() -> None:
    search = {"id": "ws_1", "type": "web_search_call"}
    own: dict[str, object] = {ITEM: {"id": "msg_a"}}
    found = body_of(
        PartStart(0, "reasoning"),
        PartEnd(0),
        raw(type="response.output_item.added", sequence_number=7, output_index=4, item=search),
        raw(type="response.web_search_call.searching", sequence_number=8, output_index=4, item_id="ws_1"),
        PartStart(1, "text", extra=own),
        raw(type="response.brand_new", sequence_number=9, output_index=5, item_id="msg_a"),
        raw(
            type="response.output_item.done", sequence_number=10, output_index=4, item={**search, "status": "completed"}
        ),
        PartEnd(1),
    )
    assert [(each["type"].removeprefix("response."), each["output_index"]) for each in found] == [
        ("output_item.added", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("web_search_call.searching", 1),
        ("output_item.added", 2),
        ("content_part.added", 2),
        ("brand_new", 2),
        ("output_item.done", 1),
        ("output_text.done", 2),
        ("content_part.done", 2),
        ("output_item.done", 2),
    ]


def test_an_item_of_another_kind_is_in_the_finished_response() -> None:
    item = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    added = raw(type="response.output_item.added", sequence_number=7, output_index=0, item={**item, "status": "x"})
    ended = raw(type="response.output_item.done", sequence_number=8, output_index=0, item=item)
    assert terminal_of(BEGIN, added, ended, Finish("stop"), End())["output"] == [item]
    assert terminal_of(BEGIN, added, Finish("stop"), End())["output"] == []


@pytest.mark.parametrize("payload", ['{"nobody":"knows"}', '{"a": 1.0,  "b":[]}', '["x"]'])
def test_a_record_without_a_number_stays_as_it_is(payload: str) -> None:
    assert f"data: {payload}\n\n".encode() in encode(BEGIN, Raw("openai-responses", "", payload))
