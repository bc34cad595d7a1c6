"""What there is behind the gateway: servers that do not speak what it was told, and the models that those have.

An SDK makes of the first its usual exception for an error of the server, and lists the second as its own vendor's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import openai
import pytest

from tests.dialects.referees import Failed
from tests.dialects.sdks import no_proxies, openai_client
from tests.gateway.in_thread import gateway_in_thread
from tests.gateway.pairs import READERS, UPSTREAMS, Pairs, is_converted, open_pairs, url_below
from tests.gateway.pairs_asking import ASKS
from tests.gateway.test_python_sdks import raised
from tests.mockserver.sdk_documents import anthropic_client, gemini_client, ollama_client
from tests.mockserver.test_python_sdks_refusals import SDKS, name_of

# -------------------------------------------------------------------------------------- upstreams that speak otherwise

REALLY_SPOKEN = {("lines", "ollama-chat")}
"""Cut short, which is another matter."""

NDJSON = b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n'

STRANGE: Mapping[str, tuple[int, str, bytes]] = {
    "a page": (200, "text/html", b"<!doctype html><title>Welcome to nginx!</title>"),
    "a page that is not found": (404, "text/html", b"<h1>404 Not Found</h1>"),
    "a page of a broken server": (500, "text/html", b"<h1>500</h1>"),
    "lines": (200, "application/x-ndjson", NDJSON),
    "lines that are said to be events": (200, "text/event-stream", NDJSON),
    "a document": (200, "application/json", b'{"choices":[]}'),
    "nothing": (200, "text/plain", b""),
    "no content": (204, "text/plain", b""),
    "a way to elsewhere": (302, "text/html", b""),
    "bytes": (200, "application/octet-stream", bytes(range(256))),
}


class Strange(BaseHTTPRequestHandler):
    """Answers anything with the same."""

    answer = STRANGE["nothing"]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # it writes head and body apart

    def do_POST(self) -> None:
        status, kind, content = self.answer
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class StrangeServer(ThreadingHTTPServer):
    """Runs it, and is content when a gateway has seen enough."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def strangers() -> Iterator[Mapping[str, str]]:
    """Gateways that were told that a strange server speaks this and that."""
    with no_proxies(), ExitStack() as stack, StrangeServer(("127.0.0.1", 0), Strange) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"
        gateways = {name: stack.enter_context(gateway_in_thread(url, speaks=name)) for name in TOLD}
        yield {name: gateway.url for name, gateway in gateways.items()}
        for gateway in gateways.values():
            assert "failed" not in {record.outcome for record in gateway.records}


TOLD = ("ollama-chat", "openai-chat", "anthropic")
"""What the strange server is said to speak: lines, events without types, and events with."""

DIALECTS_OF = {
    "chat": "openai-chat",
    "complete": "openai-completions",
    "respond": "openai-responses",
    "message": "anthropic",
    "llama_chat": "ollama-chat",
    "llama_generate": "ollama-generate",
    "gemini": "gemini",
}
"""Whose each asker is."""


@pytest.mark.parametrize("what", STRANGE, ids=lambda each: each.replace(" ", "-"))
def test_an_upstream_that_speaks_otherwise_is_an_error_of_the_server(
    what: str, strangers: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Strange, "answer", STRANGE[what])
    status = max(502, STRANGE[what][0]) if STRANGE[what][0] < 400 else STRANGE[what][0]
    for speaks, url in strangers.items():
        if (what, speaks) in REALLY_SPOKEN:
            continue
        for ask, raises in SDKS.items():
            if is_converted(DIALECTS_OF[name_of(ask)], speaks):
                found = raised(ask, url, stream=False)
                assert found.status == status, (speaks, found)
                assert found.kind is raises[status if status in raises else 500], (speaks, found)
        for name, (dialect, read) in READERS.items():
            if is_converted(dialect, speaks) and not name.endswith("-document"):
                assert isinstance(read(url_below(url, dialect)), Failed), (speaks, dialect)


def test_a_gateway_that_was_told_the_wrong_dialect_says_so(
    strangers: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Strange, "answer", STRANGE["lines"])
    with pytest.raises(anthropic.InternalServerError, match=r"ndjson: does it speak openai-chat\?"):
        ASKS["anthropic"](strangers["openai-chat"])
    monkeypatch.setattr(Strange, "answer", STRANGE["a page"])
    with pytest.raises(openai.InternalServerError, match="an HTML page: is this the URL of an API"):
        ASKS["openai-chat"](strangers["anthropic"])


# --------------------------------------------------------------------------------------------------------------- models


def listed(sdk: str, url: str) -> list[str | None]:
    """Return the models that an SDK is told of."""
    if sdk == "openai":
        with openai_client(f"{url}/v1") as client:
            return [model.id for model in client.models.list()]
    if sdk == "anthropic":
        with anthropic_client(url) as claude:
            return [model.id for model in claude.models.list()]
    if sdk == "ollama":
        with ollama_client(url) as llama:
            return [model.model for model in llama.list().models]
    with gemini_client(url) as google_client:
        return [model.name for model in google_client.models.list()]


@pytest.fixture(scope="module")
def owls() -> Iterator[Pairs]:
    """A mock that has two models."""
    with open_pairs(models=("owl", "eagle:7b")) as running:
        yield running


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("sdk", ["openai", "anthropic", "ollama", "gemini"])
def test_an_sdk_lists_the_models_that_there_are(sdk: str, upstream: str, owls: Pairs) -> None:
    found = listed(sdk, owls.gateways[upstream].url)
    assert {f"{name}".removeprefix("models/").removesuffix(":latest") for name in found} == {"owl", "eagle:7b"}


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_what_ollamas_sdk_is_listed_can_be_asked(upstream: str, owls: Pairs) -> None:
    with (
        gateway_in_thread(owls.mock.url, speaks=upstream, model_map={"gpt": "owl"}) as gateway,
        ollama_client(gateway.url) as llama,
    ):
        names = [f"{model.model}" for model in llama.list().models]
        assert ("gpt" in names, "owl:latest" in names) == (True, upstream == "ollama-chat")
        owls.set(say="Owls")
        for name in names:
            assert llama.chat(name, [{"role": "user", "content": "?"}]).message.content == "Owls"
        asked = {f"{entry['model']}" for entry in owls.entries()}
    assert asked == {each for each in names if each != "gpt"} | {"owl"}


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_models_have_the_names_that_clients_know(upstream: str, owls: Pairs) -> None:
    with gateway_in_thread(owls.mock.url, speaks=upstream, model_map={"gpt": "owl"}) as gateway:
        assert "gpt" in {f"{name}".removeprefix("models/") for name in listed("openai", gateway.url)}
        owls.set(say="Owls")
        with openai_client(f"{gateway.url}/v1") as client:
            for stream in (False, True):
                answer: Any = client.chat.completions.create(
                    model="gpt", messages=[{"role": "user", "content": "?"}], stream=stream
                )
                told = {each.model for each in (answer if stream else [answer])}
                assert told == {"owl" if upstream == "openai-chat" else "gpt"}  # as it is, where nothing is converted
        with anthropic_client(gateway.url) as claude:
            message = claude.messages.create(model="gpt", max_tokens=99, messages=[{"role": "user", "content": "?"}])
            assert message.model == ("owl" if upstream == "anthropic" else "gpt")
        assert {entry["model"] for entry in owls.entries()} == {"owl"}
