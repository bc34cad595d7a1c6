"""The fixture `mock_llm` of the plugin: from plain tests, asyncio and trio; the marker; what a user's project sees."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import pytest
import trio

from mockserver.open import MockInThread
from mockserver.pytest_plugin import mock_llm
from streamkit.errors import ConfigError

if not entry_points(group="pytest11", name="mockserver"):
    pytest.fail("the plugin is not registered: install the project again (pip install -e .)")

assert mock_llm  # the fixture comes from the plugin, by its name

BODY = {"model": "m", "messages": [{"role": "user", "content": "Say it."}]}


def post(url: str, path: str = "/v1/chat/completions", body: object = BODY) -> str:
    """Ask with the standard library, and return the text of the answer."""
    request = urllib.request.Request(  # noqa: S310 - our own server
        url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - the same
        return str(json.load(response)["choices"][0]["message"]["content"])


# --------------------------------------------------------------------------------------------------- who can use it


@pytest.mark.mock_llm(say="hello")
def test_from_a_plain_test(mock_llm: MockInThread) -> None:
    assert post(mock_llm.url) == "hello"
    (entry,) = mock_llm.journal
    assert (entry["outcome"], entry["status"], entry["body"]) == ("complete", 200, BODY)


@pytest.mark.mock_llm(say="hello")
def test_from_asyncio(mock_llm: MockInThread) -> None:
    async def main() -> list[str]:
        async with httpx.AsyncClient(base_url=mock_llm.url) as client:
            replies = await asyncio.gather(*(client.post("/v1/chat/completions", json=BODY) for _ in range(3)))
        return [reply.json()["choices"][0]["message"]["content"] for reply in replies]

    assert asyncio.run(main()) == ["hello"] * 3
    assert [entry["outcome"] for entry in mock_llm.journal] == ["complete"] * 3


@pytest.mark.mock_llm(say="hello", gate="mid@token:0")
async def test_from_trio(mock_llm: MockInThread) -> None:
    """The server has a loop of its own: waiting for a gate in a thread holds nobody up."""
    async with httpx.AsyncClient(base_url=mock_llm.url) as client, trio.open_nursery() as nursery:
        texts: list[str] = []

        async def ask() -> None:
            reply = await client.post("/v1/chat/completions", json={**BODY, "stream": True})
            texts.append(reply.text)

        nursery.start_soon(ask)
        with trio.fail_after(10):
            await trio.to_thread.run_sync(mock_llm.wait_at_gate, "mid")
        assert texts == []
        mock_llm.open_gate("mid")
    assert '"content":"hello"' in texts[0]


# ------------------------------------------------------------------------------------------------------ what it can do


def test_each_test_has_a_server_of_its_own(mock_llm: MockInThread) -> None:
    assert mock_llm.journal == []
    assert mock_llm.url.startswith("http://127.0.0.1:")


@pytest.mark.mock_llm(say="class", tokens=7)
class TestMarkers:
    @pytest.mark.mock_llm(say="own")
    def test_the_nearest_counts(self, mock_llm: MockInThread) -> None:
        assert post(mock_llm.url) == "own"

    def test_of_the_class(self, mock_llm: MockInThread) -> None:
        assert post(mock_llm.url) == "class"

    @pytest.mark.mock_llm(words=True)
    def test_they_add_up(self, mock_llm: MockInThread) -> None:
        post(mock_llm.url)
        assert mock_llm.journal[0]["tokens"] == 7


@pytest.mark.mock_llm(fault=["status:503:1,first:1"], early_start=True, say="at last")
def test_lists_and_underscores(mock_llm: MockInThread) -> None:
    with pytest.raises(urllib.error.HTTPError, match="503"):
        post(mock_llm.url)
    assert post(mock_llm.url) == "at last"


def test_configure_and_reset(mock_llm: MockInThread) -> None:
    mock_llm.configure(say="one", early_start=True)
    assert post(mock_llm.url) == "one"
    mock_llm.configure(say="two")
    assert post(mock_llm.url) == "two"
    with pytest.raises(ConfigError, match="rate: 'fast'"):
        mock_llm.configure(rate="fast")
    assert post(mock_llm.url) == "two"
    mock_llm.reset()
    assert mock_llm.journal == []
    assert post(mock_llm.url) not in {"one", "two"}


@pytest.mark.mock_llm(gate="g@token:0")
def test_a_gate_is_stepped(mock_llm: MockInThread) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(post(mock_llm.url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    mock_llm.wait_at_gate("g", 2)
    assert answers == []
    mock_llm.step_gate("g")
    mock_llm.step_gate("g")
    for thread in threads:
        thread.join(10)
    assert len(answers) == 2


@pytest.mark.mock_llm(gate="g@token:1", tokens=3)
def test_streams_that_are_held_do_not_hold_the_end_up(mock_llm: MockInThread) -> None:
    """The test is over while a stream waits and its client still reads: no hang, no warning."""

    def read() -> None:
        with (
            pytest.raises(httpx.TransportError),
            httpx.stream("POST", url, json={**BODY, "stream": True}) as reply,
        ):
            reply.read()

    url = mock_llm.url + "/v1/chat/completions"
    threading.Thread(target=read, daemon=True).start()
    mock_llm.wait_at_gate("g")


# ------------------------------------------------------------------------------------------------- a project of a user


def run_pytest(folder: Path, *arguments: str, **files: str) -> str:
    """Run pytest in a project that knows the plugin by its installation alone, and return what it says."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    options = ("-p", "no:cacheprovider", "-p", "no:trio", "-q", *arguments)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return run.stdout + run.stderr


def test_a_project_needs_no_configuration(tmp_path: Path) -> None:
    said = run_pytest(
        tmp_path,
        "-rA",
        test_it="""
import pytest, sys, urllib.request

def test_the_plugin_costs_nothing_where_it_is_not_used():
    assert "mockserver.pytest_plugin" in sys.modules
    assert "mockserver.app" not in sys.modules and "mockserver.open" not in sys.modules

@pytest.mark.mock_llm(rate=0)
def test_good(mock_llm):
    with urllib.request.urlopen(mock_llm.url + "/api/version", timeout=10) as reply:
        assert reply.status == 200

@pytest.mark.mock_llm(rat=5)
def test_misspelt(mock_llm):
    pass

@pytest.mark.mock_llm(5)
def test_positional(mock_llm):
    pass
""",
    )
    assert "2 passed, 2 errors" in said, said
    assert "there is no setting 'rat'; did you mean rate?" in said
    assert "by name, mock_llm(rate=50), not (5,)" in said


def test_the_marker_and_the_fixture_are_described(pytestconfig: pytest.Config) -> None:
    assert any(line.startswith("mock_llm(**settings): ") for line in pytestconfig.getini("markers"))
    assert "mock server" in (mock_llm.__doc__ or "")
