"""One form for all the ways to write the same request body. Pure.

Two requests are equal, for seeds and for replay, when their bodies say the same: the order of keys, white space, and
how characters are escaped make no difference. Numbers keep their type: 1 and 1.0 are two things. Of a key that comes
twice the last counts, as parsers have it (RFC 8259 section 4).
"""

from __future__ import annotations

import msgspec

from streamkit.codecs.jsontext import too_deep_at

__all__ = ["canonical_body"]


def canonical_body(body: bytes) -> bytes:
    """Return a JSON body with sorted keys and no white space; any other body as it is. It never raises.

    What is not strict JSON, is nested more than 512 levels deep, or has numbers beyond a float's range is any other
    body.
    """
    # The parser's own limit would depend on how deep the caller's stack is: the same body could have two forms.
    if too_deep_at(body) is not None:
        return body
    try:
        return msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return body
