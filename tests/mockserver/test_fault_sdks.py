"""The official Python SDKs meet every fault over a real connection, and do what the tables of verdicts say they do.

They are read by the readers of `tests/dialects/sdks.py`. JavaScript's meet the same in `test_node_sdks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from mockserver.faults.table import FAULTS
from mockserver.open import MockInThread, mockserver_in_thread
from tests.dialects import sdks
from tests.dialects.referees import Failed, View
from tests.dialects.sdks import QUESTION, REFEREES, Referee, no_proxies, openai_client
from tests.mockserver.verdicts import ANSWERS, PATHS, RAISES, Row, judged
from tests.mockserver.verdicts_defects import DEFECTS
from tests.mockserver.verdicts_generic import GENERIC

ROWS = [row for row in (*GENERIC, *DEFECTS) if row.py is not None]

# What has nothing to fail at without a test that opens gates; and what takes a second.
ELSEWHERE = {"gate", "slow-close"}

pytestmark = [
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # arguments that are no text
]


def reader_of(sdk: str) -> Referee:
    """Return the reader of a row."""
    return REFEREES["openai-chat"][1] if sdk == "openai-chat-chunks" else REFEREES[sdk][0]


@pytest.fixture(scope="module")
def mock() -> Iterator[MockInThread]:
    with no_proxies(), mockserver_in_thread() as server:
        yield server


def seen(mock: MockInThread, sdk: str, answer: str, fault: str = "none") -> View | Failed:
    """Ask for an answer as if it were the first time: the same seed each time."""
    mock.reset()
    mock.configure(**ANSWERS[answer], fault=fault)
    return reader_of(sdk)(mock.url + PATHS.get(sdk.removesuffix("-chunks"), ""))


@pytest.fixture(scope="module")
def sound(mock: MockInThread) -> dict[tuple[str, str], View | Failed]:
    """What each SDK sees of each answer without a fault."""
    return {(row.sdk, row.answer): seen(mock, row.sdk, row.answer) for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_sdk_makes_of_a_fault_what_it_is_known_to_make(
    row: Row, mock: MockInThread, sound: dict[tuple[str, str], View | Failed]
) -> None:
    assert row.py is not None
    found = seen(mock, row.sdk, row.answer, row.fault)
    assert judged(row.py, found, sound[row.sdk, row.answer]) == []
    (entry,) = mock.journal
    assert [note for note in entry["notes"] if "did nothing" in note] == []
    assert list(entry["faults"]) == [row.fault]


def test_every_fault_that_an_sdk_can_meet_is_in_the_tables() -> None:
    known = {(row.dialect, row.fault.split(":")[0]) for row in (*GENERIC, *DEFECTS)}
    missing = [
        f"{name} for {dialect}"
        for name, kind in FAULTS.items()
        for dialect in kind.dialects or REFEREES
        if dialect in REFEREES and name not in ELSEWHERE and (dialect, name) not in known
    ]
    assert missing == []


SDKS = sorted({row.sdk for row in ROWS})


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("place", ["before-head", "token:2"])
def test_a_stalled_stream_ends_in_the_clients_own_timeout(
    sdk: str, place: str, mock: MockInThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdks, "TIMEOUT_S", 0.05)
    found = seen(mock, sdk, "text", f"stall@{place}")
    assert isinstance(found, Failed)
    assert "time" in f"{found}".lower()


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize(
    "fault", ["reset@before-head", "reset@after-head", "reset@event:3+5", "close@event:3+5", "close@before-terminator"]
)
def test_a_connection_that_ends_anywhere_is_never_taken_for_an_end(fault: str, sdk: str, mock: MockInThread) -> None:
    assert judged(RAISES, seen(mock, sdk, "text", fault), View("")) == []


def test_openais_final_response_is_refused_where_it_is_incomplete(mock: MockInThread) -> None:
    mock.reset()
    mock.configure(say="Owls", fault="incomplete")
    with (
        openai_client(f"{mock.url}/v1") as client,
        client.responses.stream(model="m", input="?") as stream,
        pytest.raises(RuntimeError, match=r"response\.completed"),
    ):
        stream.get_final_response()


def test_openais_stream_accepts_two_texts_that_differ(mock: MockInThread) -> None:
    mock.reset()
    mock.configure(say="Owls", fault="text-differs")
    with openai_client(f"{mock.url}/v1") as client, client.responses.stream(model="m", input="?") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response().output_text
    assert ("".join(deltas), final) == ("Owls", "not what was streamed: Owls")


def test_the_second_choice_that_comes_first_breaks_openais_stream(mock: MockInThread) -> None:
    mock.reset()
    mock.configure(say="Owls hoot", fault="choice-order")
    with openai_client(f"{mock.url}/v1") as client:
        chunks = list(client.chat.completions.create(model="m", messages=QUESTION, n=2, stream=True))
        assert [choice.index for choice in chunks[0].choices] == [1]
        with (
            client.chat.completions.stream(model="m", messages=QUESTION, n=2) as stream,
            pytest.raises(IndexError),
        ):
            stream.until_done()


def test_an_error_that_the_sdk_raises_in_midstream_has_the_servers_words(mock: MockInThread) -> None:
    mock.reset()
    mock.configure(say="Owls hoot", fault="error:the owl has flown@token:1")
    for sdk in REFEREES:
        found = reader_of(sdk)(mock.url + PATHS.get(sdk, ""))
        assert isinstance(found, Failed)
        assert "the owl has flown" in found.message, sdk


def test_a_share_of_the_requests_fails_and_the_first_ones_do(mock: MockInThread) -> None:
    mock.reset()
    mock.configure(say="Owls", fault="status:503,share:0.5")
    with openai_client(f"{mock.url}/v1") as client:
        outcomes = []
        for number in range(40):
            try:
                client.chat.completions.create(model="m", messages=[{"role": "user", "content": f"{number}"}])
                outcomes.append(True)
            except openai.InternalServerError:
                outcomes.append(False)
    assert 8 < sum(outcomes) < 32
    mock.configure(say="Owls", fault="reset@token:1,first:2")
    found = [seen_again(mock) for _ in range(4)]
    assert [isinstance(each, View) for each in found] == [False, False, True, True]


def seen_again(mock: MockInThread) -> View | Failed:
    return reader_of("anthropic")(mock.url)
