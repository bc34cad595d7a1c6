"""`streamkit watch`, and `streamkit gateway --watch`, as users meet them: processes, lines, logs, refusals."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
from collections.abc import Iterator

import pytest

from mockserver import MockInThread, mockserver_in_thread
from streamkit.cli import watch as cli
from streamkit.watch import open as library
from tests.cli.harness import DEADLINE_S, Filter, linux_only, run
from tests.cli.inside import Inside, inside_of
from tests.cli.served import STREAM, Served, connected, exchange, wire

NOWHERE = "http://127.0.0.1:1"

KEYS = {"OUR_KEY": "our-secret-key", "THEIR_KEY": "their-secret-key", "EMPTY_KEY": " "}

OURS = {"Authorization": "Bearer our-secret-key"}

PAGE = "/_watch/"
API = f"{PAGE}api/"

TOKEN = "X-Streamkit-Token"  # noqa: S105 - the name of a header


class Watch(Served):
    """The command, running."""

    def __init__(self, *arguments: str, via: str | None = None) -> None:
        listen = () if "--listen" in arguments else ("--listen", "127.0.0.1:0")
        super().__init__(*arguments, command=("streamkit", "watch"), listen=listen, env=KEYS, via=via)


class WatchedGateway(Served):
    """The gateway with the page, in front of `upstream`."""

    def __init__(self, upstream: str, *arguments: str) -> None:
        command = ("streamkit", "gateway", "--watch", "--upstream", upstream)
        super().__init__(*arguments, command=command, listen=("--listen", "127.0.0.1:0"), env=KEYS)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockInThread]:
    with mockserver_in_thread() as running:
        yield running


@pytest.fixture
def inside(capfdbinary: pytest.CaptureFixture[bytes]) -> Inside:
    return inside_of(capfdbinary)


def token_of(server: Served) -> dict[str, str]:
    """The headers with which the page asks."""
    headers = {**OURS, "Origin": f"http://127.0.0.1:{server.port}"}
    return {**headers, TOKEN: exchange(server.port, f"{API}enter", method="POST", headers=headers).value["token"]}


def asked_of(server: Served, path: str) -> dict[str, object]:
    value = exchange(server.port, API + path, headers=token_of(server)).value
    assert isinstance(value, dict)
    return value


@contextlib.contextmanager
def rows_of(server: Served, path: str) -> Iterator[Iterator[dict[str, object]]]:
    """The lines of one of the page's endpoints, as they come."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE_S)
    try:
        client.request("GET", API + path, headers=token_of(server))
        response = client.getresponse()
        assert response.status == 200
        yield (json.loads(line) for line in response)
    finally:
        client.close()


# ----------------------------------------------------------------------------------------------------- ready, and where


def test_without_any_option_there_is_a_page_and_a_model_that_answers() -> None:
    with Filter("streamkit", "watch", "--listen", "127.0.0.1:0", "--log", "text") as process:
        process.until(lambda: b"\n" in process.out, "say that it is ready")
        line = re.fullmatch(
            rb"ready at http://127\.0\.0\.1:(\d+)/_watch/ \(model the embedded mock server, speaks openai-chat\)\n",
            process.out,
        )
        assert line, process.out
        port = int(line[1])
        page = exchange(port, PAGE)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert page.body.endswith(b"</html>\n")
        for path in ("/v1/chat/completions", "/api/chat"):  # its own dialect, and another client's
            answer = exchange(port, path, STREAM, headers={"X-Mock": "say=Here I am.; rate=0"})
            assert (answer.status, b"Here" in answer.body) == (200, True)
        process.process.send_signal(signal.SIGTERM)
        result = process.wait()
    assert result.code == 0
    lines = result.err.splitlines()
    assert [line.partition("  ")[0].split()[-2:] for line in lines] == [
        ["POST", "/v1/chat/completions"],
        ["POST", "/api/chat"],
    ], "what the page asks is not in the log"
    assert all(line.startswith("streamkit watch: #") for line in lines)


def test_ready_json_has_the_address_for_clients_and_the_pages() -> None:
    with Watch("--speaks", "gemini", "--mock", "say=Café 日本.; rate=0", "--seed", "7") as watch:
        model = watch.ready.pop("upstream")
        assert exchange(int(model.rpartition(":")[2]), "/_mock/state").status == 200
        url = f"http://127.0.0.1:{watch.port}"
        wanted = {"url": url, "pid": watch.pid, "is_mock": True, "speaks": "gemini", "page": f"{url}/_watch/"}
        assert watch.ready == wanted
        # And the mock is set as the command line says.
        assert asked_of(watch, "about")["seed"] == 7
        assert asked_of(watch, "mock")["settings"] == "say=Café 日本.; rate=0"
        chat = exchange(watch.port, body={**STREAM, "stream": False}).value
        assert chat["choices"][0]["message"]["content"] == "Café 日本."


def test_a_real_model(mock: MockInThread) -> None:
    with Watch("--upstream", mock.url, "--speaks", "ollama-chat") as watch:
        assert (watch.ready["upstream"], watch.ready["is_mock"]) == (mock.url, False)
        about = asked_of(watch, "about")
        assert (about["upstream"], about["speaks"], about["is_mock"]) == (mock.url, "ollama-chat", False)
        refused = exchange(watch.port, f"{API}mock", headers=token_of(watch))
        assert (refused.status, refused.value) == (404, {"error": "the model is no mock server"})
        assert exchange(watch.port, body=STREAM, headers={"X-Mock": "tokens=3"}).status == 200
        with rows_of(watch, "streams") as rows:
            row = next(rows)
        assert (row["target"], row["dialect"], row["upstream_dialect"], row["outcome"]) == (
            "/v1/chat/completions",
            "openai-chat",
            "ollama-chat",
            "ok",
        )


def test_a_stream_is_seen_while_it_runs(mock: MockInThread) -> None:
    with Watch("--upstream", mock.url, "--speaks", "openai-chat") as watch, connected(watch.port) as client:
        client.sendall(wire(body=STREAM, mock="gate=held@token:3; tokens=9"))
        mock.wait_at_gate("held")
        with rows_of(watch, "streams") as rows:
            number = next(rows)["number"]
        with rows_of(watch, f"streams/{number}") as rows:
            lanes: set[object] = set()
            while lanes < {"upstream", "gateway"}:  # before the last token is there
                row = next(rows)
                lanes |= {row["lane"]} if row["kind"] == "mark" else set()
            mock.open_gate("held")
            last = list(rows)[-1]
        assert (last["kind"], last["stream"]["outcome"]) == ("end", "ok")  # type: ignore[index]
    mock.reset()


# ---------------------------------------------------------------------------------------------------- a gateway's page


def test_a_gateway_has_the_page_where_it_is_asked_for(mock: MockInThread) -> None:
    with WatchedGateway(mock.url) as gateway:
        assert gateway.ready["page"] == f"{gateway.url}/_watch/"
        assert exchange(gateway.port, PAGE).status == 200
        about = asked_of(gateway, "about")
        assert (about["upstream"], about["is_mock"]) == (mock.url, False)
        assert about["feeds"] == ["sse", "ndjson"], "what a model may have whose dialect is not told"
        assert gateway.terminate().err == ""


def test_and_otherwise_these_paths_are_the_upstreams(mock: MockInThread) -> None:
    arguments = ("--upstream", mock.url, "--log", "text")
    with Served(*arguments, command=("streamkit", "gateway"), listen=("--listen", "127.0.0.1:0")) as gateway:
        assert "page" not in gateway.ready
        assert exchange(gateway.port, PAGE).status == 404
        result = gateway.terminate()
    assert " GET /_watch/  404 ok" in result.complaint, "and are in the log like all others"


def test_the_page_of_a_gateway_with_a_key(mock: MockInThread) -> None:
    with WatchedGateway(mock.url, "--api-key-env", "OUR_KEY") as gateway:
        assert exchange(gateway.port, PAGE).status == 200, "a browser that opens a page has no key"
        for path in ("about", "streams", "clock"):
            assert exchange(gateway.port, API + path).status == 401
        assert exchange(gateway.port, f"{API}enter", method="POST").status == 401
        assert exchange(gateway.port, f"{API}about", headers=OURS).status == 403, "without the page's token"
        assert asked_of(gateway, "about")["upstream"] == mock.url


# ------------------------------------------------------------------------------------------------------------------ log


def test_the_log_has_the_streams_and_not_what_the_page_asks() -> None:
    with Watch("--log", "json") as watch:
        token_of(watch)
        exchange(watch.port, PAGE)
        exchange(watch.port, f"{PAGE}style.css")
        exchange(watch.port, PAGE[:-1])
        with rows_of(watch, "streams"):
            exchange(watch.port, body=STREAM, headers={"X-Mock": "tokens=3"})
        result = watch.terminate()
    line = json.loads(result.complaint)
    assert (line["target"], line["outcome"]) == ("/v1/chat/completions", "ok")


def test_but_it_has_the_pages_of_others_that_were_turned_away() -> None:
    with Watch("--log", "json") as watch:
        for headers in ({"Origin": "https://evil.example"}, {"Host": "rebound.example"}):
            assert exchange(watch.port, f"{API}enter", method="POST", headers=headers).status in {403, 421}
        result = watch.terminate()
    lines = [json.loads(line) for line in result.err.splitlines()]
    assert [(line["status"], line["outcome"]) for line in lines] == [(403, "refused"), (421, "refused")]


# ---------------------------------------------------------------------------------------------------------- how it ends


def test_sigterm_ends_what_pages_follow_and_lets_answers_finish(mock: MockInThread) -> None:
    with Watch("--upstream", mock.url) as watch, connected(watch.port) as client:
        client.sendall(wire(body=STREAM, mock="gate=held@token:3; tokens=9"))
        mock.wait_at_gate("held")
        with rows_of(watch, "streams") as rows:
            next(rows)
            watch.process.send_signal(signal.SIGTERM)
            with pytest.raises((http.client.HTTPException, ConnectionError)):  # nobody takes the list for whole
                list(rows)
        mock.open_gate("held")
        got = b""
        while data := client.recv(65536):
            got += data
        assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        client.close()
        result = watch.wait()
    assert (result.code, result.err) == (0, "")
    mock.reset()


def test_sigterm_while_the_embedded_model_answers() -> None:
    """The model is there until the gateway has drained."""
    with Watch("--mock", "rate=200; tokens=40") as watch, connected(watch.port) as client:
        client.sendall(wire(body=STREAM))
        got = client.recv(65536)
        watch.process.send_signal(signal.SIGTERM)
        while data := client.recv(65536):
            got += data
        assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        client.close()
        result = watch.wait()
    assert (result.code, result.err) == (0, "")


def test_ctrl_c_ends_it_at_once() -> None:
    with Watch("--mock", "fault=stall@token:2") as watch, connected(watch.port) as client:
        client.sendall(wire(body=STREAM))
        assert client.recv(65536)
        with rows_of(watch, "streams") as rows:
            next(rows)
            watch.interrupt()
            result = watch.wait()
    assert (result.code, result.err) == (130, "")


def test_a_port_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run("streamkit", "watch", "--listen", f"127.0.0.1:{port}")
    assert (result.code, result.out) == (2, b"")
    assert result.complaint.startswith(f"streamkit watch: cannot listen on 127.0.0.1 port {port}: it is in use; ")


def test_nobody_is_told_that_it_is_ready() -> None:
    with Filter("streamkit", "watch", "--listen", "127.0.0.1:0") as process:
        process.stop_reading()
        result = process.wait()
    assert (result.code, result.err) == (141, "")


def test_without_standard_output_it_does_not_start() -> None:
    result = run("streamkit", "watch", "--listen", "127.0.0.1:0", via='"$@" >&-')
    assert (result.code, result.complaint) == (4, "streamkit watch: standard output is closed")


@linux_only
def test_a_full_device() -> None:
    result = run("streamkit", "watch", "--listen", "127.0.0.1:0", via='"$@" >/dev/full')
    assert result.code == 4
    assert result.complaint == "streamkit watch: No space left on device"


# ------------------------------------------------------------------------------------------------ what it refuses to do

TO = ("--upstream", NOWHERE)

WRONG = {
    "no such setting": (("--mock", "rats=20"), ("--mock: ", "'rats'", "rate")),
    "no value": (("--mock", "rate"), ("--mock: ", "rate=N")),
    "a wrong value": (("--mock", "rate=fast"), ("--mock: rate: ", "'fast'")),
    "no such split": (("--mock", "split=evil"), ("--mock: split: ", "'evil'", "hostile")),
    "no such fault": (("--mock", "rate=5; fault=explode"), ("--mock: fault: ", "'explode'")),
    "an open quote": (("--mock", 'say="Hi'), ("--mock: ",)),
    "no seed": (("--seed", "-1"), ("--seed", "-1")),
    "settings for a real model": ((*TO, "--mock", "rate=5"), ("--mock", "--upstream")),
    "a seed for a real model": ((*TO, "--seed", "0"), ("--seed", "--upstream")),
    "a key for the mock": (("--upstream-key-env", "THEIR_KEY"), ("--upstream-key-env", "--upstream URL")),
    "an authority for the mock": (("--upstream-ca", "ca.pem"), ("--upstream-ca", "--upstream URL")),
    "no URL": (("--upstream", "localhost:11434"), ("--upstream", "http://")),
    "a dialect that only answers": (("--speaks", "text"), ("--speaks", "openai-responses")),
    "no port": (("--listen", "localhost"), ("--listen", "HOST:PORT")),
    "public": (("--listen", "0.0.0.0:0"), ("can reach 0.0.0.0:", "all clients", "--api-key-env")),
    "public, IPv6": (("--listen", "[::]:0"), ("::", "--api-key-env")),
    "any name": (("--allow-host", "*"), ("--allow-host '*'", "any web page", "--api-key-env")),
    "an empty key": (("--api-key-env", "EMPTY_KEY"), ("EMPTY_KEY", "nothing is in it")),
    "public, and said so": (("--insecure-public",), ("--insecure-public",)),
    "models for nothing": ((*TO, "--model-map", "a=b"), ("--model-map", "--speaks DIALECT")),
}

WRONG_GATEWAY = {
    "public": (("--listen", "0.0.0.0:0", "--insecure-public"), ("can reach 0.0.0.0:", "all clients", "--api-key-env")),
    "any name": (("--allow-host", "*"), ("--allow-host '*'", "any web page", "--api-key-env")),
}

CASES = [
    *(pytest.param(("watch", *arguments), words, id=f"watch: {name}") for name, (arguments, words) in WRONG.items()),
    *(
        pytest.param(("gateway", "--watch", *TO, *arguments), words, id=f"gateway: {name}")
        for name, (arguments, words) in WRONG_GATEWAY.items()
    ),
]


@pytest.mark.parametrize(("arguments", "words"), CASES)
def test_a_wrong_option_is_named_and_the_remedy_told(
    arguments: tuple[str, ...], words: tuple[str, ...], inside: Inside
) -> None:
    result = inside("streamkit", *arguments, env=KEYS)
    assert (result.code, result.out) == (2, b""), result.err
    last = result.err.splitlines()[-1]
    for word in words:
        assert word in last, f"{word!r} is not in {last!r}"
    assert "secret" not in result.err


def test_a_public_page_has_a_key() -> None:
    with Watch("--listen", "0.0.0.0:0", "--api-key-env", "OUR_KEY", "--allow-host", "*") as watch:
        assert asked_of(watch, "about")["is_mock"] is True
        assert exchange(watch.port, f"{API}enter", method="POST").status == 401


def test_the_mock_is_asked_in_the_same_dialect_as_in_a_program() -> None:
    assert cli.SPEAKS == library.SPEAKS
