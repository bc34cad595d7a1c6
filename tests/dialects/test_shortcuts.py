"""The short ways for the text of every token say what the long ways say, on every input."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.convert import encoder_of
from streamkit.dialects.decoder import Decoder
from streamkit.dialects.events import Event
from streamkit.dialects.registry import DIALECTS
from streamkit.testing import outcome
from tests.dialects.examples import EXAMPLES
from tests.dialects.mutants import at_path, paths_in
from tests.dialects.strategies import streams

SHORT = ["anthropic", "openai-chat"]  # Ollama's has its own test, in test_convert.py

VALUES: list[object] = [None, True, 0, 1, -1, 1.5, "", "x", "é\u2028", [], {}, ["x"], {"x": 1}]


def slow(name: str) -> Decoder:
    """A decoder without its shortcut."""
    decoder = DIALECTS[name].decoder
    longer: type[Decoder] = type("Slow", (decoder,), {"_take": Decoder._take})  # noqa: SLF001 - what it overrides
    return longer()


@pytest.mark.parametrize("name", SHORT)
@given(data=st.data())
def test_decoders(name: str, data: st.DataObject) -> None:
    wires = [example.wire for example in EXAMPLES if example.dialect == name]
    frames = data.draw(st.sampled_from(wires)).replace(b"\r\n", b"\n").split(b"\n\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(frames) - 1))
        head, mark, text = frames[at].rpartition(b"data: ")
        if not text.startswith(b"{"):
            continue
        try:
            record = json.loads(text)
        except ValueError:
            continue
        path = data.draw(st.sampled_from([*paths_in(record)]))
        changed = at_path(record, path, data.draw(st.sampled_from(VALUES)))
        frames[at] = head + mark + json.dumps(changed).encode()
    wire = b"\n\n".join(frames)
    assert outcome(DIALECTS[name].decoder(), [wire]) == outcome(slow(name), [wire])


@pytest.mark.parametrize("name", [name for name in DIALECTS if name != "text"])
@given(events=streams(clean=False))
def test_encoders(name: str, events: list[Event]) -> None:
    encoder = DIALECTS[name].encoder
    longer = type("Long", (encoder,), {"text_frame": property(lambda _: None, lambda _, __: None)})()
    assert outcome(encoder_of(name), events, joined=True) == outcome(longer, events, joined=True)
