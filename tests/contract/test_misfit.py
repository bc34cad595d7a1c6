"""A gateway that asks its upstream for something else than what will be answered is told apart from one that fails."""

from __future__ import annotations

import pytest

from streamkit.contract.misfit import misfit_of
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Head
from streamkit.contract.verdicts import Verdict
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import ChatMessage, ChatRequest
from streamkit.gateway.config import SPEAKABLE
from streamkit.gateway.open import open_gateway
from streamkit.http.origin import parse_origin

NOWHERE = parse_origin("http://127.0.0.1:1")


def misfit(asked_in: str, upstream: str, *, stream: bool = True, below: str = "") -> str:
    """Return what is said of a request in one dialect that came to an upstream of another."""
    asked = ChatRequest(messages=[ChatMessage("user", "?")], model="m", stream=stream, max_tokens=9)
    document = DIALECTS[asked_in].request(asked)
    line = Head(1, f"POST {below}{document.path} HTTP/1.1", document.headers)
    setting = Setting(NOWHERE, "gateway", upstream_dialect=upstream)
    return misfit_of(setting, line, document.content)


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "json"])
def test_what_was_said_fits(dialect: str) -> None:
    assert not misfit(dialect, dialect)


@pytest.mark.parametrize("asked_in", SPEAKABLE)
@pytest.mark.parametrize("upstream", SPEAKABLE)
def test_another_dialect_is_named(asked_in: str, upstream: str) -> None:
    found = misfit(asked_in, upstream)
    assert (f"--upstream-dialect {asked_in}," in found) == (asked_in != upstream), found


@pytest.mark.parametrize("dialect", SPEAKABLE)
def test_a_document_is_no_stream(dialect: str) -> None:
    assert "for one document" in misfit(dialect, dialect, stream=False)


def test_what_nobody_knows_fits() -> None:
    """A path of the operator's own, a body that cannot be read, and proxies that promise bytes."""
    assert not misfit("anthropic", "openai-chat", below="/team")
    setting = Setting(NOWHERE, "gateway")
    assert not misfit_of(setting, Head(1, "POST /v1/chat/completions HTTP/1.1", []), b"\x00")
    assert not misfit_of(Setting(NOWHERE), Head(1, "POST /v1/messages HTTP/1.1", []), b"{}")


async def test_nothing_is_said_of_a_gateway_that_asks_in_another_dialect() -> None:
    async with open_upstream() as (hub, place), open_gateway(place.url, speaks="ollama-chat") as gateway:
        setting = Setting(parse_origin(gateway.url), "gateway", "anthropic", "openai-chat", limit_s=1.0)
        async with open_runner(setting, hub=hub, upstream=place) as runner:
            results = await runner.run(())
    (found,) = [each for each in results if each.verdict is not Verdict.OK and each.id == "setup.forward"]
    assert found.verdict is Verdict.HARNESS_ERROR
    assert "give --upstream-dialect ollama-chat" in found.detail
