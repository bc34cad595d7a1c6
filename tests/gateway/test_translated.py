"""Whole answers of another dialect as documents: what a dialect has no form for is an error, said once."""

from __future__ import annotations

import pytest

from streamkit.dialects.message import Choice, Message, Part
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import EncodeError
from streamkit.gateway.translated import document_of


@pytest.mark.parametrize("client", ["gemini", "ollama-chat"])
@pytest.mark.parametrize("arguments", ['{"a": "b', "[1]"])
def test_a_call_without_an_object_makes_no_whole_document(client: str, arguments: str) -> None:
    parts = [Part("tool", arguments, tool_name="f", complete=True)]
    message = Message(choices=[Choice(parts=parts, reason="tool_calls")], complete=True)
    with pytest.raises(EncodeError) as caught:
        document_of(DIALECTS[client], message, model="m", message_id="1", now_ns=0, echoed={})
    assert str(caught.value) == f"{client}: the arguments of the call of 'f' are no JSON object"
