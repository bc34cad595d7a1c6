"""What crosses between two dialects besides the conversation: headers, keys, names of models, and what is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.registry import DIALECTS
from streamkit.errors import (
    ConnectError,
    DecodeError,
    DisconnectedError,
    ProtocolError,
    ReportedError,
    StatusError,
    StreamkitError,
    StreamTimeout,
)
from streamkit.gateway.config import SPEAKABLE, GatewayConfig
from streamkit.gateway.crossing import answer_headers, asked_headers, key_in
from streamkit.gateway.failures import failure_of
from streamkit.gateway.losses import HARMLESS, REFUSED, check_leftovers, check_losses, dropped_value
from streamkit.gateway.rename import renamed_body, renamed_target
from streamkit.http.head import FIELD
from streamkit.http.origin import parse_origin
from streamkit.vendors.question import RefusedError
from streamkit.vendors.reading import Leftover


def config(**models: str) -> GatewayConfig:
    return GatewayConfig(parse_origin("http://127.0.0.1:1"), speaks="openai-chat", model_map=models)


def test_every_word_for_a_loss_is_either_refused_or_harmless() -> None:
    assert not set(REFUSED) & set(HARMLESS)
    for word in REFUSED:
        with pytest.raises(RefusedError, match=word) as caught:
            check_losses([word], "ollama-chat")
        assert (caught.value.status, caught.value.param) == (400, word)
    assert check_losses(HARMLESS, "ollama-chat") == list(HARMLESS)


def test_a_loss_that_nobody_has_thought_of_is_refused() -> None:
    with pytest.raises(RefusedError, match="something new"):
        check_losses(["something new"], "gemini")


def test_a_leftover_is_named_by_its_place_or_refused_in_its_vendors_words() -> None:
    assert check_leftovers([Leftover(("metadata",)), Leftover(("messages", 0, "name"))]) == [
        "metadata",
        "messages.0.name",
    ]
    refusal = RefusedError(400, "no images here")
    with pytest.raises(RefusedError) as caught:
        check_leftovers([Leftover(("user",)), Leftover(("messages", 0), refusal)])
    assert caught.value is refusal


@given(st.lists(st.text(max_size=200), min_size=1, max_size=80))
def test_whatever_a_client_calls_its_fields_the_header_is_one(names: list[str]) -> None:
    value = dropped_value(names)
    assert FIELD.fullmatch(f"X: {value}\r\n")
    assert len(value) < 6000


def test_names_come_once_each() -> None:
    assert dropped_value(["seed", "top_k", "seed"]) == "seed, top_k"


def test_a_key_is_found_wherever_an_sdk_puts_it() -> None:
    assert key_in([("Authorization", "Basic abc"), ("X-API-Key", " k ")]) == "k"
    assert key_in([("authorization", "bearer k2")]) == "k2"
    assert key_in([("x-goog-api-key", "k3")]) == "k3"
    assert key_in([("Authorization", "Bearer ")]) == ""
    assert key_in([]) == ""


def test_a_requests_id_is_told_where_the_clients_sdk_looks_for_it() -> None:
    from_anthropic = [("request-id", "r"), ("Content-Type", "text/event-stream"), ("X-Own", "1")]
    assert answer_headers(from_anthropic, "openai") == [("request-id", "r"), ("x-request-id", "r")]
    from_openai = [("x-request-id", "r"), ("openai-version", "1"), ("Set-Cookie", "a=1")]
    assert answer_headers(from_openai, "anthropic") == [("x-request-id", "r"), ("request-id", "r")]
    assert answer_headers(from_openai, "ollama") == [("x-request-id", "r")]
    assert answer_headers([], "openai") == []


def test_what_means_something_on_the_way_stays_behind() -> None:
    odd = ["X-Accel-Redirect", "Clear-Site-Data", "WWW-Authenticate", "X-Streamkit-Dropped", "openai-organization"]
    kept = [("Retry-After", "1"), ("x-ratelimit-limit-tokens", "2"), ("anthropic-ratelimit-tokens-reset", "3")]
    assert answer_headers([*((name, "x") for name in odd), *kept], "gemini") == kept


def test_what_concerns_one_connection_stays() -> None:
    asked = [("Connection", "close, X-Hop"), ("X-Hop", "1"), ("TE", "trailers"), ("X-End", "2"), ("Via", "1.1 a")]
    assert asked_headers(asked) == [("X-End", "2"), ("Via", "1.1 a")]


def test_a_models_name_is_all_that_changes_in_a_body() -> None:
    body = b'{"model": "a", "odd": [1, 2.50], "x": null}'
    assert json.loads(renamed_body(body, config(a="b"))) == {"model": "b", "odd": [1, 2.5], "x": None}
    for same in (b'{"model": "c"}', b"not json", b"[]", b'{"model": 1}', b"{}", b""):
        assert renamed_body(same, config(a="b")) == same
    assert renamed_body(b"{}", config(**{"*": "d"})) == b'{"model":"d"}'
    assert renamed_body(b'{"model":"c"}', config(**{"*": "d"})) == b'{"model":"d"}'


def test_a_models_name_in_a_path_is_changed_there() -> None:
    target = "/v1beta/models/a:streamGenerateContent?alt=sse"
    assert renamed_target(target, config(a="b/c")) == "/v1beta/models/b%2Fc:streamGenerateContent?alt=sse"
    assert renamed_target(target, config(x="y")) == target
    assert renamed_target("/v1/chat/completions", config(a="b")) == "/v1/chat/completions"


FAILURES: list[tuple[StreamkitError, int]] = [
    (StatusError(429, "slow"), 429),
    (StatusError(302, "elsewhere"), 502),
    (ConnectError("nobody"), 502),
    (DisconnectedError("gone"), 502),
    (ProtocolError("no HTTP"), 502),
    (StreamTimeout(3), 504),
    (DecodeError("bad", stage="s", record=1, offset=2), 502),
    (ReportedError("dead", error_type="t", error_code="c", status=529, stage="s"), 529),
    (ReportedError("dead", error_type="t", error_code="c", status=None, stage="s"), 502),
]


@pytest.mark.parametrize(("error", "status"), FAILURES, ids=lambda each: type(each).__name__)
def test_whatever_goes_wrong_has_a_status_and_a_sentence(error: StreamkitError, status: int) -> None:
    failure = failure_of(error)
    assert failure.status == status
    assert failure.message
    for row in DIALECTS.values():
        assert json.dumps(row.failure(failure))


def test_a_vendors_own_code_goes_only_to_its_own_family() -> None:
    error = StatusError(400, "too long", error_type="invalid_request_error", error_code="context_length_exceeded")
    assert failure_of(error).error_code == ""
    assert failure_of(error, is_family=True).error_code == "context_length_exceeded"


def test_only_what_can_be_asked_anything_can_be_spoken() -> None:
    assert set(SPEAKABLE) <= DIALECTS.keys()
    for name in SPEAKABLE:
        assert {"text", "tools", "usage", "finish", "error"} <= DIALECTS[name].carries
