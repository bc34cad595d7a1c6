"""Does a gateway ask its upstream for what the harness will answer: the dialect it was told of, and a stream? Pure.

Gateways choose the upstream's endpoint by the model's name, and some ask for one document where they do not know that a
model can stream. Whatever is found out about such a one would be about the wrong answer.
"""

from __future__ import annotations

from urllib.parse import unquote

from streamkit.contract.setting import Setting
from streamkit.contract.trace import Head
from streamkit.dialects.endpoints import ANYWHERE
from streamkit.dialects.registry import get_dialect
from streamkit.vendors import Facts, find
from streamkit.vendors.question import RefusedError, question_of
from streamkit.vendors.reading import Reading

__all__ = ["misfit_of"]


def misfit_of(setting: Setting, line: Head, body: bytes) -> str:
    """Say what is wrong with a request for a stream that came to the upstream; empty where nothing is seen to be.

    Args:
        setting: what was said to come.
        line: the request's head.
        body: all of it.
    """
    wanted = get_dialect(setting.upstream_dialect)[0].name
    if setting.by_bytes or wanted in ANYWHERE:  # those may be asked at any path, in any manner
        return ""
    method, target, _ = line.line.split(" ", 2)
    path, _, query = target.partition("?")
    question = question_of(method, unquote(path), query, line.headers, body)
    found = find(question)
    if not found.endpoint.pattern or found.endpoint.kind != "chat":  # below a path of its own, say
        return ""
    if found.dialect != wanted:
        return (
            f"the target asks its upstream in {found.dialect} ({path[:80]}), not in {wanted}: "
            f"give --upstream-dialect {found.dialect}, or another --model"
        )
    try:
        reading = found.read(question, Facts())
    except RefusedError:
        return ""
    if isinstance(reading, Reading) and not reading.request.stream:
        return (
            "the target asks its upstream for one document, although the client wants a stream: does it know that the "
            "--model can stream?"
        )
    return ""
