"""The mock server's settings on the page: what it is offered is what the mock takes, and what it writes is read so."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

import streamkit
from mockserver.app import MockServer, ServerConfig
from mockserver.config.grammar import layer_of
from mockserver.config.header import parse_header
from mockserver.config.keys import SETTINGS
from mockserver.faults.table import FAULTS
from streamkit.codecs.jsontext import encode_value
from streamkit.gateway.config import GatewayConfig
from streamkit.http.origin import parse_origin
from streamkit.watch.controls import CONTROLS, Choice, controls_for
from streamkit.watch.model import MockModel

PAGE: Final = Path(streamkit.__file__).parent / "watch" / "page"

NASTY: Final = [
    "a",
    " ",
    ";",
    ",",
    ", rate=3",
    '"',
    "\\",
    "\n",
    "=",
    "{",
    "é",
    "Ã©",
    "🐢",
    "\x7f",
    ", ",
    "x-y",
    ":",
    "@",
    "\u2028",
]


def texts_of(choice: Choice) -> list[str]:
    """A choice as the page writes it when it is chosen, and with its place."""
    text = f"{choice.name}:{choice.example}" if choice.example else choice.name
    return [text, f"{text}@{choice.place}"] if choice.places else [text]


def test_there_is_a_field_for_each() -> None:
    assert set(controls_for([])) == set(CONTROLS) <= set(SETTINGS)


def test_the_mock_takes_all_that_is_offered() -> None:
    taken = 0
    for key, control in controls_for([]).items():
        offered = (
            [control.example] if control.choices is None else [t for each in control.choices for t in texts_of(each)]
        )
        for text in offered:
            layer_of([(key, text)], "admin")
            taken += 1
    assert taken > 100


def test_each_table_is_offered_whole_but_for_files_and_gates() -> None:
    faults = controls_for([])["fault"].choices
    assert faults is not None
    assert [each.name for each in faults] == [name for name in FAULTS if name != "gate"]


def test_no_fault_of_a_dialect_is_offered_that_is_never_spoken() -> None:
    spoken = controls_for(["openai-chat"])["fault"].choices
    assert spoken is not None
    names = {each.name for each in spoken}
    assert {"reset", "no-done"} <= names
    assert not {"no-message-stop", "json-array"} & names
    assert {each.dialects for each in spoken} == {(), ("openai-chat",)}


def test_what_is_set_is_told_as_it_can_be_set_again() -> None:
    mock = MockServer(ServerConfig())
    model = MockModel(GatewayConfig(upstream=parse_origin("http://127.0.0.1:1"), speaks="openai-chat"), mock)
    model.configure('say="one; two, rate=3"; fault=reset@token:2; fault=ping@token:1; rate=5')
    state: dict[str, Any] = json.loads(encode_value(model.state()))
    assert state["pairs"] == [
        ["say", "one; two, rate=3"],
        ["fault", "reset@token:2"],
        ["fault", "ping@token:1"],
        ["rate", "5"],
    ]
    before = list(mock.admin_pairs)
    model.configure(state["settings"])
    assert mock.admin_pairs == before
    model.configure("")
    assert model.state()["settings"] == ""


@pytest.mark.needs("node")
def test_what_the_page_writes_the_mock_reads(tmp_path: Path) -> None:
    rng = random.Random(5)
    keys = [key for key in CONTROLS if SETTINGS[key].takes]
    cases = [
        [(rng.choice(keys), "".join(rng.choices(NASTY, k=rng.randrange(6)))) for _ in range(rng.randrange(4))]
        for _ in range(2000)
    ]
    shutil.copy(PAGE / "xmock.js", tmp_path / "xmock.mjs")
    script = """
        import { text } from 'node:stream/consumers';
        import { written } from './xmock.mjs';
        process.stdout.write(JSON.stringify(JSON.parse(await text(process.stdin)).map(written)));
    """
    (tmp_path / "write.mjs").write_text(script)
    done = subprocess.run(
        [shutil.which("node") or "node", str(tmp_path / "write.mjs")],
        input=json.dumps(cases).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    for pairs, text in zip(cases, json.loads(done.stdout), strict=True):
        assert parse_header(text) == pairs, text
        assert not re.search(r"[\x00-\x1f\x7f-\xbf]", text)
