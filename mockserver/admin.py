"""The admin API below `/_mock/`: look at a running server, set it, open its gates.

A web page in the user's browser can reach a loopback port too. So the Host has to be an address or a loopback name (a
name that an attacker's DNS points here is neither), the Origin, if there is one, has to be this server's own, and with
a token configured the header `X-Mock-Token` has to carry it.

::

    GET    /_mock/state                     seed, counts, gates, the settings that the admin API has set
    GET    /_mock/config                    those settings; PUT {"rate": 50} replaces them, DELETE removes them
    GET    /_mock/journal                   entries, newest last; DELETE forgets them. With ?since=N only those after
                                            number N, with limit=N the last N, with writes=0 without their writes,
                                            with format=ndjson as lines
    POST   /_mock/reset                     forget requests, counts and settings, shut all gates
    GET    /_mock/gates                     gates and who waits there
    POST   /_mock/gates/NAME/open|shut|step[?count=N]
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from mockserver.compose import json_response
from mockserver.config.grammar import pairs_of, values_of
from mockserver.response import Record, Response, Step, Steps
from streamkit.codecs.jsontext import JSONTextError, decode_checked, encode_value
from streamkit.errors import ConfigError
from streamkit.http.hosts import authority_of, is_address
from streamkit.vendors.question import Question, RefusedError

if TYPE_CHECKING:
    from mockserver.app import MockServer

__all__ = ["PREFIX", "answer", "is_for"]

PREFIX: Final = "/_mock/"

Handler = Callable[["MockServer", Question], object]


def is_for(question: Question) -> bool:
    """Tell whether a request is for the admin API."""
    return question.path.startswith(PREFIX)


def answer(server: MockServer, question: Question) -> Response:
    """Do what a request to the admin API wants, and return the response."""
    try:
        check(question, server.config.admin_token)
        value = routed(question)(server, question)
    except RefusedError as refused:
        return json_response({"error": refused.message}, refused.status, refused.headers)
    except ConfigError as error:
        return json_response({"error": str(error)}, 400)
    return value if isinstance(value, Response) else json_response(value)


def check(question: Question, token: str) -> None:
    """Refuse what a foreign web page could have sent.

    Raises:
        RefusedError: it could, or the token is not the server's.
    """
    host = question.headers.get("host", "")
    name = authority_of(f"//{host}")[0]
    if name != "localhost" and not is_address(name):
        raise RefusedError(403, f"the admin API is reached by an address or as localhost, not as {host!r}")
    origin = question.headers.get("origin")
    if origin is not None and authority_of(origin)[1] != host:
        raise RefusedError(403, f"the admin API does not answer pages of {origin}")
    if token and not hmac.compare_digest(question.headers.get("x-mock-token", "").encode("latin-1"), token.encode()):
        raise RefusedError(401, "the admin API wants its token in the header X-Mock-Token")


def routed(question: Question) -> Handler:
    """Return what answers a request.

    Raises:
        RefusedError: nothing does.
    """
    parts = question.path.removeprefix(PREFIX).split("/")
    if len(parts) == 3 and parts[0] == "gates" and parts[2] in {"open", "shut", "step"}:
        methods: dict[str, Handler] = {"POST": gate}
    else:
        methods = ROUTES.get("/".join(parts), {})
    if not methods:
        raise RefusedError(404, f"the admin API has {', '.join(sorted(ROUTES))} and gates/NAME/open|shut|step")
    handler = methods.get("GET" if question.method == "HEAD" else question.method)
    if handler is None:
        allowed = ", ".join(methods)
        raise RefusedError(405, f"{question.path} takes {allowed}", headers=(("Allow", allowed),))
    return handler


def state(server: MockServer, question: Question) -> object:  # noqa: ARG001 - all handlers are called alike
    """Say how things are."""
    return {
        "url": server.url,
        "seed": server.config.seed,
        "requests": server.journal.count,
        "running": server.running,
        "slots": server.slots.count,
        "queued": server.slots.waiting,
        "gates": server.gates.state(),
        "config": values_of(server.admin_pairs),
    }


def config(server: MockServer, question: Question) -> object:
    """Show, replace or remove the settings of the admin layer."""
    if question.method == "PUT":
        try:
            value = decode_checked(question.body)
        except JSONTextError as error:
            raise ConfigError(f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ConfigError('the body is an object of settings, for instance {"rate": 50}')
        server.configure(pairs_of(value))
    elif question.method == "DELETE":
        server.configure([])
    return values_of(server.admin_pairs)


def journal(server: MockServer, question: Question) -> object:
    """Show or forget the journal. Entry by entry: all at once would keep other streams waiting."""
    if question.method == "DELETE":
        server.journal.clear()
        return {}
    since, limit = whole_number(question, "since", 0), whole_number(question, "limit", len(server.journal))
    with_writes = whole_number(question, "writes", 1) > 0
    chosen = [entry for entry in server.journal if entry.number > since]
    chosen = chosen[len(chosen) - min(limit, len(chosen)) :]
    is_lines = question.query.get("format") == "ndjson"

    def make() -> Iterator[Step]:
        between = b"[" if chosen else b"[]"
        for entry in chosen:
            text = encode_value(entry.as_json(with_writes=with_writes))
            yield Record(text + b"\n" if is_lines else between + text)
            between = b","
        if not is_lines:
            yield Record(b"]" if chosen else between)

    media_type = "application/x-ndjson" if is_lines else "application/json"
    return Response(200, (("Content-Type", media_type),), Steps(make))


def reset(server: MockServer, question: Question) -> object:  # noqa: ARG001 - all handlers are called alike
    """Be as new."""
    server.forget()
    server.configure([])
    return {}


def gates(server: MockServer, question: Question) -> object:  # noqa: ARG001 - all handlers are called alike
    """Show the gates."""
    return server.gates.state()


def gate(server: MockServer, question: Question) -> object:
    """Open or shut a gate, or let some through."""
    _, name, what = question.path.removeprefix(PREFIX).split("/")
    if what == "open":
        server.gates.open(name)
    elif what == "shut":
        server.gates.shut(name)
    else:
        server.gates.step(name, whole_number(question, "count", 1))
    return server.gates.state()


def whole_number(question: Question, name: str, default: int) -> int:
    """Return a parameter that counts something.

    Raises:
        RefusedError: it is no such number.
    """
    text = question.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise RefusedError(400, f"{name} is a whole number, not {text!r}")
    return int(text)


ROUTES: Final[dict[str, dict[str, Handler]]] = {
    "state": {"GET": state},
    "config": {"GET": config, "PUT": config, "DELETE": config},
    "journal": {"GET": journal, "DELETE": journal},
    "reset": {"POST": reset},
    "gates": {"GET": gates},
}
