"""`streamkit/web/stream.js` under node: `tests/web/node/*.mjs`, each file a test, beside a copy of the module.

The wire examples are those of the codecs' own tests, so that the browser's side and the gateway's side are held to one
table: what comes out, in every cut, and with which byte. To them come drawn wires, with what our decoders make of them.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

import streamkit
from streamkit import DecodeError, NDJSONDecoder, SSEComment, SSEDecoder, SSEEvent, TruncatedError
from streamkit.codecs.records import BOM
from tests.codecs import ndjson_cases, sse_cases

MODULE: Final = Path(streamkit.__file__).parent / "web" / "stream.js"
README: Final = MODULE.parent / "README.md"
HERE: Final = Path(__file__).parent / "node"
TESTS: Final = ("cases.mjs", "reading.mjs", "socket.mjs", "usual_loops.mjs")

SSE_PIECES: Final = [
    *(b"data: ", b"data:", b"data", b"event: ", b"id: ", b"id", b"retry: ", b": ", b":", b"x", b" ", b"7", b"\0"),
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xe2\x82\xac", b"\xe2\x82", b"\xf0\x9f\x91\x8b"),
    *(b"\xff", b"\xe2\x80\xa8", b"\xc2\x85", b"data: a\n\n", b"data: b\r\n\r\n", b"retry: 12\n", b"id: 3\n"),
]
NDJSON_PIECES: Final = [
    *(b'{"a":', b"}", b"[", b"]", b"1", b"2.5", b'"', b'"x"', b"\\n", b"\\", b",", b" ", b"\t", b"null", b"tru"),
    *(b"\n", b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"\xe2\x82\xac", b"\xe2\x82", b"\xff", b"\xe2\x80\xa8"),
    *(b'{"a":"\xc3\xa9"}\n', b"[1,2]\r\n", b'"\xf0\x9f\x91\x8b"\n', b"\0"),
]

pytestmark = pytest.mark.needs("node")


def drawn(pieces: list[bytes], count: int) -> list[bytes]:
    """Wires of pieces: the same in every run."""
    draw = random.Random(9)
    return [b"".join(draw.choices(pieces, k=draw.randint(1, 14))) for _ in range(count)]


def sse_as_ours(wire: bytes) -> dict[str, object]:
    decoder = SSEDecoder(comments=True)
    items = [*decoder.feed(wire), *decoder.finish()]
    return {
        "wire": wire.hex(),
        "events": [(each.event, each.data, each.id) for each in items if isinstance(each, SSEEvent)],
        "comments": [each.text for each in items if isinstance(each, SSEComment)],
        "retry": decoder.retry_ms,
        "dropped": decoder.dropped_bytes,
    }


def ndjson_as_ours(wire: bytes) -> dict[str, object]:
    decoder = NDJSONDecoder()
    values: list[object] = []
    bad: DecodeError | None = None
    try:
        values += decoder.feed(wire)
        values += decoder.finish()
    except DecodeError as error:
        values += error.items
        bad = error
    return {"wire": wire.hex(), "values": values, "bad": None if bad is None else as_bad(bad, wire)}


def as_bad(error: DecodeError, wire: bytes) -> dict[str, object]:
    """Say what is wrong as stream.js does, which names a record by its first byte."""
    assert error.offset is not None
    start = wire.rfind(b"\n", 0, error.offset) + 1
    if start == 0 and wire.startswith(BOM):
        start = len(BOM)
    code = "truncated" if isinstance(error, TruncatedError) else code_of(wire[start:].split(b"\n")[0])
    return {"code": code, "record": error.record, "start": start}


def code_of(record: bytes) -> str:
    """Our decoders name what is wrong first; stream.js makes text of the whole record before it looks into it."""
    is_text = record.decode("utf-8", "replace").encode() == record
    return "bad-json" if is_text else "bad-utf8"


def ndjson_case(case: ndjson_cases.Case) -> dict[str, object]:
    outcomes = case.outcomes
    first_bad = next((n for n, each in enumerate(outcomes) if isinstance(each, ndjson_cases.Bad)), len(outcomes))
    told = ndjson_as_ours(case.wire)
    assert told["values"] == outcomes[:first_bad]  # the table is the judge, not our decoder
    assert (told["bad"] is None) == (first_bad == len(outcomes))
    return {"name": str(case), **told, "decided_at": case.decided_at[: first_bad + 1]}


def text_of(text: ndjson_cases.Text) -> dict[str, object]:
    if isinstance(text.outcome, ndjson_cases.Bad):
        return {"name": text.name, "text": text.text.hex(), "code": code_of(text.text)}
    return {"name": text.name, "text": text.text.hex(), "code": None, "value": text.text.decode()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module, its tests, and what these have to know, in one directory."""
    root = tmp_path_factory.mktemp("web")
    for file in [MODULE, README, *HERE.glob("*.mjs")]:
        shutil.copy(file, root)
    (root / "package.json").write_text('{"type": "module"}')
    told = {
        "sse": [
            {
                "name": str(case),
                "wire": case.wire.hex(),
                "events": case.events,
                "complete_at": case.complete_at,
                "retry": case.retry_ms,
                "dropped": case.dropped,
            }
            for case in sse_cases.CASES
        ],
        "drawn_sse": [sse_as_ours(wire) for wire in drawn(SSE_PIECES, 400)],
        "ndjson": [ndjson_case(case) for case in ndjson_cases.CASES],
        "drawn_ndjson": [ndjson_as_ours(wire) for wire in drawn(NDJSON_PIECES, 400)],
        "texts": [text_of(text) for text in ndjson_cases.TEXTS],
    }
    (root / "cases.json").write_text(json.dumps(told))
    return root


@pytest.mark.parametrize("name", TESTS)
def test_stream_js(place: Path, name: str) -> None:
    command = [shutil.which("node") or "node", "--test", str(place / name)]
    done = subprocess.run(
        command, check=False, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")
